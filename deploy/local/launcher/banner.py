"""What a newcomer reads after `make up`: where to look, how to sign in, a first event, how to stop."""

import json
from pathlib import Path

from launcher.suite import read_env


def banner(data_dir: Path, greeting: str, stop: str = "") -> str:
    """From `dev.env`; the curl is one line, to be pasted. `stop` is what ends it, where that is not `make down`."""
    known = read_env(data_dir / "dev.env")
    body = {
        "integrationKey": known["INTEGRATION_KEY"],
        "eventType": "ALERT",
        "summary": "Disk nearly full on db1",
        "alertKey": "disk-db1",
    }
    mails = known["MAIL_URL"] or f"go out through {known['SMTP_URL'].rpartition('@')[2]}"
    event = f"curl -sS {known['URL']}/api/events -H 'Content-Type: application/json' -d '{json.dumps(body)}'"
    return f"""
{greeting} {known["URL"]}

  Sign in      {known["DEMO_EMAIL"]}  password  {known["DEMO_PASSWORD"]}
  Mails        {mails}
  First event  paste this:

{event}

  Stop         {stop or f"make down{_other_folder(data_dir)}"}
  For scripts  {data_dir}/dev.env   logs  {data_dir}/logs
"""


def _other_folder(data_dir: Path) -> str:
    return "" if data_dir.name == ".alarum" else f" DATA_DIR={data_dir}"
