"""Events as they travel: CloudEvents 1.0 in structured JSON, the same bytes in the ledger and on Kafka."""

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError

from events.catalogue import event_types
from events.core import Event

CONTENT_TYPE = "application/cloudevents+json"


class UnknownEvent(Exception):
    """A type of event that this code does not know; newer writers may say more."""


class MalformedEvent(Exception):
    """Bytes that are no CloudEvent of ours."""


@dataclass(frozen=True)
class Envelope:
    """An event with its place in its stream and what caused it.

    `version` counts from 1 in its stream; signals have none (0) and an id of their own.
    """

    event: Event
    stream: str
    version: int
    source: str
    causation: str | None = None
    traceparent: str | None = None

    @property
    def id(self) -> str:
        return f"{self.stream}@{self.version}" if self.version else self.stream

    @property
    def type(self) -> str:
        return self.event.wire_type()

    @property
    def time(self) -> datetime:
        return self.event.at


class _Wire(BaseModel):
    model_config = ConfigDict(extra="ignore")

    specversion: str
    id: str
    source: str
    type: str
    subject: str
    data: dict[str, Any]
    causationid: str | None = None
    traceparent: str | None = None


_wire = TypeAdapter(_Wire)


@cache
def _adapter(event: type[Event]) -> TypeAdapter[Event]:
    return TypeAdapter(event)


def encode(envelope: Envelope) -> bytes:
    """The CloudEvent as JSON bytes; optional attributes are left out when absent."""
    event = envelope.event
    head = {
        "specversion": "1.0",
        "id": envelope.id,
        "source": f"/alarum/{envelope.source}",
        "type": envelope.type,
        "subject": envelope.stream,
        "time": event.at.isoformat(),
        "datacontenttype": "application/json",
        "causationid": envelope.causation,
        "traceparent": envelope.traceparent,
    }
    # The data is written by pydantic itself: a second pass over large events would be paid on every hop.
    attributes = _attributes.dump_json({name: value for name, value in head.items() if value is not None})
    return attributes[:-1] + b',"data":' + _adapter(type(event)).dump_json(event, exclude_none=True) + b"}"


_attributes = TypeAdapter(dict[str, str])


def decode(body: bytes) -> Envelope:
    """Read a CloudEvent; `UnknownEvent` for a type not in the catalogue, `MalformedEvent` for anything else amiss."""
    try:
        wire = _wire.validate_json(body)
    except ValidationError as error:
        raise MalformedEvent(str(error)) from error
    event_type = event_types().get(wire.type)
    if event_type is None:
        raise UnknownEvent(wire.type)
    try:
        event = _adapter(event_type).validate_python(wire.data)
    except ValidationError as error:
        raise MalformedEvent(f"{wire.type} {wire.id}: {error}") from error
    return Envelope(
        event=event,
        stream=wire.subject,
        version=_version(wire.id),
        source=wire.source.removeprefix("/alarum/"),
        causation=wire.causationid,
        traceparent=wire.traceparent,
    )


class _Head(BaseModel):
    model_config = ConfigDict(extra="ignore")

    id: str
    subject: str
    type: str


_head = TypeAdapter(_Head)


def place_of(body: bytes) -> tuple[str, int]:
    """The stream and version of an event whose type may be unknown. Raises `MalformedEvent`."""
    return heading_of(body)[:2]


def heading_of(body: bytes) -> tuple[str, int, str]:
    """The stream, version and type of an event whose type may be unknown. Raises `MalformedEvent`."""
    try:
        head = _head.validate_json(body)
    except ValidationError as error:
        raise MalformedEvent(str(error)) from error
    return head.subject, _version(head.id), head.type


def _version(event_id: str) -> int:
    _, at_sign, version = event_id.rpartition("@")
    if not at_sign:
        return 0
    if not (version.isascii() and version.isdecimal() and len(version) < 19):
        raise MalformedEvent(f"{event_id}: what follows its last @ is no version")
    return int(version)
