"""Is the tool there, and does it take our credentials? In come a connector's parameters, out comes yes or no, in the tool's
own words.
"""

from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from channels.mail import one_line
from connectors.outside import Answer, Away, Call, Outside
from connectors.targets import TargetRefused

LONGEST: Final = 500


@dataclass(frozen=True)
class Trial:
    """What became of it; `text` is a sentence, or what the tool said."""

    ok: bool
    text: str


async def tried(outside: Outside, kind: str, params: Mapping[str, Any]) -> Trial:
    """Sign in to a tool of this type, and change nothing there."""
    try:
        answer = await outside.call(_call(kind, params))
    except (TargetRefused, Away) as error:
        return Trial(False, one_line(str(error), LONGEST))
    return _of_jira(answer) if kind == "jira" else _of_slack(answer)


def jira_address(url: str, path: str) -> str:
    """An address of Jira's REST API, version 3."""
    return f"{url.rstrip('/')}/rest/api/3/{path}"


def slack_address(api_url: str, method: str) -> str:
    return f"{api_url.rstrip('/')}/{method}"


def basic(user: str, password: str) -> str:
    """The value of an `Authorization` header."""
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode()}"


def _call(kind: str, params: Mapping[str, Any]) -> Call:
    if kind == "jira":
        headers = {"Accept": "application/json", "Authorization": basic(params["email"], params["password"])}
        return Call("GET", jira_address(params["url"], "myself"), headers)
    headers = {"Accept": "application/json", "Authorization": f"Bearer {params['botToken']}"}
    return Call("POST", slack_address(params["apiUrl"], "auth.test"), headers)


def _of_jira(answer: Answer) -> Trial:
    body = answer.json()
    name = body.get("displayName") if isinstance(body, dict) else None
    if not answer.is_success or not isinstance(name, str):
        return _not_understood(answer)
    return Trial(True, one_line(f"Jira knows us as {name}", LONGEST))


def _of_slack(answer: Answer) -> Trial:
    match answer.json():
        case {"ok": True, "team": str(team), "user": str(user)} if answer.is_success:
            return Trial(True, one_line(f"Slack knows us as {user} in the workspace {team}", LONGEST))
        case {"ok": False, "error": str(error)}:
            return Trial(False, one_line(f"Slack refuses: {error}", LONGEST))
        case _:
            return _not_understood(answer)


def _not_understood(answer: Answer) -> Trial:
    words = f"HTTP {answer.status}: {answer.text}" if answer.text.strip() else f"HTTP {answer.status}"
    return Trial(False, one_line(words, LONGEST))
