"""What statuspage believes of others: which alert sources there are (`sources`)."""

from events.ingest import SourceChanged, SourceDeleted
from events.topics import SOURCES
from runtime.records import Received
from runtime.views import View


class Sources(View):
    """Alert sources by id: what a maintenance window can silence."""

    topics = (SOURCES.name,)

    def __init__(self) -> None:
        self._sources: dict[int, SourceChanged] = {}

    def known(self, source: int) -> SourceChanged | None:
        return self._sources.get(source)

    def all(self) -> list[SourceChanged]:
        """By id."""
        return [self._sources[source] for source in sorted(self._sources)]

    def apply(self, received: Received) -> None:
        match received.envelope.event:
            case SourceChanged() as changed:
                self._sources[changed.source] = changed
            case SourceDeleted(source=source):
                self._sources.pop(source, None)
            case _:
                pass
