"""What the machinery itself says, in each service's configuration topic: a stream was set aside, the books do not balance."""

from typing import Final

from pydantic import Field

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


SYNTHETIC: Final = -1
"""The reserved source and the reserved person of the suite's own check: nobody's, and shown to nobody."""


class _OfBooks(Event):
    service: str
    account: str

    @property
    def stream(self) -> str:
        return f"books-{self.service}.{self.account}"


class BooksUnbalanced(_OfBooks):
    """An account of the audit does not balance: what is missing is named, and whoever runs the suite is told."""

    missing: tuple[str, ...] = Field(description="At most twenty of the ids, in order.")
    number: int = Field(description="How many are missing in all.")
    text: str = Field(description="What the account says, and what is amiss, as a sentence.")


class BooksBalanced(_OfBooks):
    """What was missing is there after all, or is over; the account balances again."""
