"""PagerDuty's Events API v2 (`/v2/enqueue`), for the tools that already speak it."""

import hashlib
import json
from enum import StrEnum
from typing import Any

from pydantic import Field

from events.shared import Image, Link
from ingest.canonical import MAX_DETAILS, MAX_SUMMARY, Asked, EventType, Parsed, Rejected, ToolEvent, clip
from ingest.integrations.payloads import Payload, Text, read


class _Action(StrEnum):
    TRIGGER = "trigger"
    ACKNOWLEDGE = "acknowledge"
    RESOLVE = "resolve"


class _Severity(StrEnum):
    CRITICAL = "critical"
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


TYPES = {
    _Action.TRIGGER: EventType.ALERT,
    _Action.ACKNOWLEDGE: EventType.ACCEPT,
    _Action.RESOLVE: EventType.RESOLVE,
}
SEVERITIES = {_Severity.CRITICAL: 1, _Severity.ERROR: 2, _Severity.WARNING: 3, _Severity.INFO: 4}


class _Link(Payload):
    href: str | None = None
    text: str | None = None


class _Image(Payload):
    src: str | None = None
    href: str | None = None
    alt: str | None = None


class _Body(Payload):
    summary: Text = ""
    source: Text = ""
    severity: _Severity | None = None
    component: Text | None = None
    group: Text | None = None
    kind: Text | None = Field(None, validation_alias="class")
    custom_details: dict[str, Any] | str | list[Any] | None = None


class _Event(Payload):
    action: _Action = Field(validation_alias="event_action")
    dedup_key: Text = ""
    body: _Body = Field(default_factory=_Body, validation_alias="payload")
    client: Text | None = None
    client_url: str | None = None
    links: tuple[_Link, ...] = ()
    images: tuple[_Image, ...] = ()


def parse(payload: Any, asked: Asked) -> Parsed:
    """One event. A trigger needs a summary; the other actions need the `dedup_key` of what they answer."""
    event = read(_Event, payload)
    if isinstance(event, Rejected):
        return event
    key = event.dedup_key.strip()
    if event.action is not _Action.TRIGGER:
        return (_tool_event(event, key),) if key else Rejected("dedup_key", f"is required to {event.action.value}")
    if not event.body.summary.strip():
        return Rejected("payload.summary", "is required")
    return (_tool_event(event, key or derived_key(payload, asked.source)),)


def derived_key(payload: dict[str, Any], source: int) -> str:
    """A key for a trigger without one: the official client repeats the same body after a 5xx, and must meet the same alert."""
    body = {name: value for name, value in payload.items() if name not in {"routing_key", "dedup_key"}}
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(f"{source}:{text}".encode()).hexdigest()[:32]


def _tool_event(event: _Event, key: str) -> ToolEvent:
    body = event.body
    return ToolEvent(
        type=TYPES[event.action],
        summary=clip(body.summary.strip(), MAX_SUMMARY),
        details=clip(_details(body), MAX_DETAILS),
        alert_key=key,
        severity=SEVERITIES.get(body.severity) if body.severity else None,
        links=_links(event),
        images=tuple(
            Image(src=image.src, href=image.href or "", alt=image.alt or "") for image in event.images if image.src
        ),
        labels=_labels(body),
        custom_details=body.custom_details if isinstance(body.custom_details, dict) else {},
    )


def _details(body: _Body) -> str:
    """The custom details as markdown: a text as it is, an object as a list."""
    match body.custom_details:
        case None:
            return ""
        case str(text):
            return text
        case dict(fields):
            return "\n".join(f"- **{name}**: {_value(value)}" for name, value in fields.items())
        case other:
            return _value(other)


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _links(event: _Event) -> tuple[Link, ...]:
    """Alertmanager sends links with an empty `href`: they lead nowhere, and are no reason to refuse the event."""
    given = [Link(href=link.href, text=link.text or "") for link in event.links if link.href]
    client = [Link(href=event.client_url, text=event.client or "")] if event.client_url else []
    return tuple(given + client)


def _labels(body: _Body) -> dict[str, str]:
    named = {"source": body.source, "component": body.component, "group": body.group, "class": body.kind}
    return {name: value for name, value in named.items() if value}
