"""What the machinery itself says, in each service's configuration topic: a stream was set aside, and it goes on."""

from events.core import Event


class _OfReader(Event):
    reader: str
    parked: str

    @property
    def stream(self) -> str:
        return f"parking-{self.reader}"


class StreamParked(_OfReader):
    """A reader could not handle a record: it and what follows in its stream wait for a person, who is told."""

    error: str


class StreamResumed(_OfReader):
    """What was set aside was handled after all; the stream goes on."""
