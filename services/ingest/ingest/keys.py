"""Which source a key opens: in come the events of `sources`, out comes the source as it stands. Keys are known by digest only."""

import hashlib

from events.core import Event
from events.ingest import SourceChanged, SourceDeleted
from events.topics import SOURCES
from runtime.records import Received
from runtime.views import View


def digest(key: str) -> str:
    """What an integration key is known by."""
    return hashlib.sha256(key.encode(errors="surrogateescape")).hexdigest()


class Keys(View):
    """The picture of `sources`, by id and by key."""

    topics = (SOURCES.name,)

    def __init__(self, reserved: SourceChanged | None = None) -> None:
        """`reserved` opens too, and is in no list."""
        self.sources: dict[int, SourceChanged] = {}
        self._by_digest: dict[str, int] = {}
        self._reserved = reserved

    def source_of(self, key: str) -> SourceChanged | None:
        known = digest(key)
        if self._reserved is not None and known == self._reserved.key_digest:
            return self._reserved
        number = self._by_digest.get(known)
        return None if number is None else self.sources.get(number)

    def apply(self, received: Received) -> None:
        self.take(received.envelope.event)

    def take(self, event: Event) -> None:
        match event:
            case SourceChanged(source=number):
                self._forget(number)
                self.sources[number] = event
                self._by_digest[event.key_digest] = number
            case SourceDeleted(source=number):
                self._forget(number)
            case _:
                pass

    def _forget(self, number: int) -> None:
        known = self.sources.pop(number, None)
        if known is not None:
            self._by_digest.pop(known.key_digest, None)
