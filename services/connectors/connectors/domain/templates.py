"""Texts with places for what is known of an alert: `{{alertSummary}}`. In come template and facts, out comes the text.

A place whose name is unknown stays empty. Inside a JSON template what is put in is escaped, so that it stays JSON.
"""

import json
import re
from collections.abc import Mapping
from typing import Final

from events.connectors import AlertPicture

VARIABLES: Final = (
    "alertId",
    "alertKey",
    "alertSummary",
    "alertDetails",
    "alertStatus",
    "alertPriority",
    "alertUrl",
    "alertSourceId",
    "alertSourceName",
    "escalationPolicyId",
    "escalationPolicyName",
    "reportTime",
    "link",
    "eventType",
)
"""What may be named."""

_PLACE: Final = re.compile(r"\{\{\{\s*([\w.-]+)\s*\}\}\}|\{\{\s*([\w.-]+)\s*\}\}")


def render(template: str, facts: Mapping[str, str]) -> str:
    """The text as it is put in."""
    return _PLACE.sub(lambda place: facts.get(place[1] or place[2], ""), template)


def render_json(template: str, facts: Mapping[str, str]) -> str:
    """The same inside JSON strings."""
    return _PLACE.sub(lambda place: json.dumps(facts.get(place[1] or place[2], ""), ensure_ascii=False)[1:-1], template)


def is_json(template: str) -> bool:
    """Whether the template is a JSON object or array once its places are filled."""
    try:
        return isinstance(json.loads(_PLACE.sub("0", template)), dict | list)
    except (ValueError, RecursionError):
        return False


def named(template: str) -> set[str]:
    """The names in a template, known or not."""
    return {place[1] or place[2] for place in _PLACE.finditer(template)}


def facts_of(alert: int, picture: AlertPicture, event_type: str, url: str = "") -> dict[str, str]:
    """What a template can say of an alert. `url` is where people see it."""
    return {
        "alertId": str(alert),
        "alertKey": picture.alert_key or "",
        "alertSummary": picture.summary,
        "alertDetails": picture.details,
        "alertStatus": picture.status,
        "alertPriority": picture.priority.value,
        "alertUrl": url,
        "alertSourceId": "" if picture.source is None else str(picture.source),
        "alertSourceName": picture.source_name,
        "escalationPolicyId": "" if picture.policy is None else str(picture.policy),
        "escalationPolicyName": picture.policy_name,
        "reportTime": "" if picture.reported_at is None else picture.reported_at.isoformat(),
        "link": picture.links[0].href if picture.links else url,
        "eventType": event_type,
    }
