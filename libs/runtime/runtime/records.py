"""From a record as read to an event with its place; what this code does not know is skipped, and told to who counts."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from events.envelope import Envelope, UnknownEvent, decode
from runtime.ports import Place, Record


@dataclass(frozen=True)
class Received:
    """An event and where it was read; `timestamp` is the broker's."""

    envelope: Envelope
    topic: str
    partition: int
    offset: int
    timestamp: datetime

    @property
    def place(self) -> Place:
        return (self.topic, self.partition)


def uncounted(_record: Record, _unknown: UnknownEvent) -> None:
    """For who does not count what is skipped."""


def decode_record(record: Record, skipped: Callable[[Record, UnknownEvent], None] = uncounted) -> Received | None:
    """The event in a record; None for a tombstone, and for a type that only newer code knows (`skipped` is told).

    Raises `MalformedEvent` for bytes that are no event of ours.
    """
    if record.value is None:
        return None
    try:
        envelope = decode(record.value)
    except UnknownEvent as unknown:
        skipped(record, unknown)
        return None
    return Received(envelope, record.topic, record.partition, record.offset, record.timestamp)
