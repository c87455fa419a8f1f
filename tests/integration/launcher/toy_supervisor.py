"""The real supervisor over real servers, with toys in place of our processes, as a daemon of `up`."""

import sys
from pathlib import Path

from launcher.supervisor import Programs, main


async def plant(_url: str, _api_key: str) -> dict[str, str]:
    return {"INTEGRATION_KEY": "planted"}


if __name__ == "__main__":
    toy = str(Path(__file__).with_name("toy_host.py"))
    sys.exit(main(Programs(host=(toy,), topics=("-c", "pass"), migrate=("-c", "pass"), plant=plant)))
