"""What other tools say back: in come their bodies, out comes which alert is to be accepted, resolved or escalated.

Jira tells of every change of an issue: only one that moved its status means something. Slack tells of a button.
"""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from channels.mail import one_line
from events.connectors import ActionAnswer

FRESH: Final = timedelta(minutes=5)
LONGEST_NAME: Final = 100
BY_CATEGORY: Final = {"done": ActionAnswer.RESOLVE, "indeterminate": ActionAnswer.ACCEPT}
BY_BUTTON: Final = {answer.value.lower(): answer for answer in ActionAnswer}


@dataclass(frozen=True)
class Moved:
    """An issue of Jira's came into a status that is an answer."""

    issue: str
    answer: ActionAnswer
    who: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Pressed:
    """A button of a message in Slack."""

    alert: int
    action: int
    answer: ActionAnswer
    who: str


def of_jira(body: Any) -> Moved | None:
    """None for what is no answer: other changes, statuses that are only planned."""
    match body:
        case {"issue": {"key": str(issue), "fields": {"status": {"statusCategory": {"key": str(category)}}}}}:
            answer = BY_CATEGORY.get(category)
            if answer is None or not _moved(body):
                return None
            return Moved(issue, answer, _name_in_jira(body), _labels(body))
        case _:
            return None


def of_slack(payload: Any) -> Pressed | None:
    """None for what is no button of ours that answers."""
    match payload:
        case {"type": "block_actions", "actions": [{"action_id": str(button), "value": str(value)}, *_]}:
            alert, _, action = value.partition("/")
            answer = BY_BUTTON.get(button)
            if answer is None or not _is_id(alert) or not _is_id(action):
                return None
            return Pressed(int(alert), int(action), answer, _name_in_slack(payload))
        case _:
            return None


def is_signed(headers: Mapping[str, str], body: bytes, secret: str, now: datetime) -> bool:
    """Whether Slack signed exactly this, no longer than five minutes ago."""
    instant, signature = headers.get("x-slack-request-timestamp", ""), headers.get("x-slack-signature", "")
    if not (secret and instant.isascii() and instant.isdecimal() and len(instant) < 15):
        return False
    if abs(now.timestamp() - int(instant)) > FRESH.total_seconds():
        return False
    digest = hmac.new(secret.encode(), b"v0:" + instant.encode() + b":" + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(f"v0={digest}".encode(), signature.encode())


def _moved(body: Mapping[str, Any]) -> bool:
    """An automation of Jira's sends no change log: then the status is what it tells."""
    match body:
        case {"changelog": {"items": list(items)}}:
            return any(isinstance(item, dict) and item.get("field") == "status" for item in items)
        case _:
            return body.get("webhookEvent") in (None, "jira:issue_updated")


def _labels(body: Mapping[str, Any]) -> tuple[str, ...]:
    labels = body["issue"]["fields"].get("labels")
    return tuple(label for label in labels if isinstance(label, str)) if isinstance(labels, list) else ()


def _name_in_jira(body: Mapping[str, Any]) -> str:
    match body:
        case {"user": {"displayName": str(name)}}:
            return one_line(name, LONGEST_NAME)
        case _:
            return ""


def _name_in_slack(payload: Mapping[str, Any]) -> str:
    match payload:
        case {"user": {"name": str(name)}} | {"user": {"username": str(name)}}:
            return one_line(name, LONGEST_NAME)
        case _:
            return ""


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) < 19
