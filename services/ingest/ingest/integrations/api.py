"""The generic events API: ilert's published `Event`, with the names of its older version accepted too."""

from typing import Annotated, Any

from pydantic import AliasChoices, BeforeValidator, Field

from events.shared import Image, Link, Priority
from ingest.canonical import MAX_DETAILS, MAX_SUMMARY, Asked, EventType, Parsed, Rejected, Remark, ToolEvent, clip
from ingest.integrations.payloads import Payload, Text, Texts, read


def _upper(value: Any) -> Any:
    return value.strip().upper() if isinstance(value, str) else value


class _Link(Payload):
    href: str = ""
    text: str | None = None


class _Image(Payload):
    src: str = ""
    href: str | None = None
    alt: str | None = None


class _Comment(Payload):
    content: Text = ""
    creator: Text | None = None


class _Service(Payload):
    id: int | None = None
    alias: str | None = None


class _Event(Payload):
    type: Annotated[EventType, BeforeValidator(_upper)] = Field(validation_alias="eventType")
    summary: Text = ""
    details: Text = ""
    alert_key: Text = Field("", validation_alias=AliasChoices("alertKey", "incidentKey"))
    priority: Annotated[Priority, BeforeValidator(_upper)] | None = None
    severity: int | None = Field(None, ge=1, le=5, strict=True)
    images: tuple[_Image, ...] = ()
    links: tuple[_Link, ...] = ()
    comments: tuple[_Comment, ...] = ()
    labels: Texts = Field(default_factory=dict)
    services: tuple[_Service, ...] = ()
    custom_details: dict[str, Any] = Field(default_factory=dict, validation_alias="customDetails")
    routing_key: Text = Field("", validation_alias="routingKey")


def parse(payload: Any, _asked: Asked) -> Parsed:
    """One event; `summary` is demanded of ALERT only, since ilert's own examples omit it elsewhere."""
    event = read(_Event, payload)
    if isinstance(event, Rejected):
        return event
    if event.type is EventType.ALERT and not event.summary.strip():
        return Rejected("summary", "is required")
    return (_tool_event(event),)


def _tool_event(event: _Event) -> ToolEvent:
    return ToolEvent(
        type=event.type,
        summary=clip(event.summary.strip(), MAX_SUMMARY),
        details=clip(event.details, MAX_DETAILS),
        alert_key=event.alert_key.strip() or None,
        priority=event.priority,
        severity=event.severity,
        links=tuple(Link(href=link.href, text=link.text or "") for link in event.links if link.href),
        images=tuple(
            Image(src=image.src, href=image.href or "", alt=image.alt or "") for image in event.images if image.src
        ),
        labels=event.labels,
        comments=_comments(event),
        services=tuple(service.alias or str(service.id) for service in event.services if service.alias or service.id),
        routing_key=event.routing_key.strip() or None,
        custom_details=event.custom_details,
    )


def _comments(event: _Event) -> tuple[Remark, ...]:
    """A COMMENT without a list of comments is itself one: its summary, then its details."""
    given = tuple(
        Remark(comment.content, comment.creator or "") for comment in event.comments if comment.content.strip()
    )
    said = "\n\n".join(text for text in (event.summary.strip(), event.details.strip()) if text)
    return given or ((Remark(said),) if event.type is EventType.COMMENT and said else ())
