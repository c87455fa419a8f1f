"""How far each service's readers have come, for the restore of a ledger: one note for each reader, the newest is kept."""

from pydantic import Field

from events.core import Event, Value


class PlaceReached(Value):
    """Everything in this partition before the offset `next` was decided on, and what was decided is published."""

    topic: str
    partition: int
    next: int


class RecordAside(Value):
    """This record could not be decided on and waits, with its stream."""

    topic: str
    partition: int
    offset: int
    of: str = Field(description="The stream that waits.")


class ReaderPositioned(Event):
    """A reader's positions, as they stood together at one instant; a restored ledger goes on from here."""

    reader: str
    places: tuple[PlaceReached, ...] = ()
    aside: tuple[RecordAside, ...] = ()

    @property
    def stream(self) -> str:
        return f"reader-{self.reader}"
