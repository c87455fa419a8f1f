"""Which incidents there are, and which of them concern a service or an alert: small indexes beside the incidents' events."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from events.envelope import Envelope
from events.statuspage import IncidentCreated, IncidentEvent, IncidentStatus, IncidentUnlinked, IncidentUpdated
from runtime.unit import Unit
from statuspage.domain.incident import Story, story_of
from statuspage.streams import INCIDENT

INCIDENTS: Final = "incidents"
"""`<padded incident>` -> an Entry, as text."""
OPEN_OF_SERVICE: Final = "open_incidents"
"""`<service>/<incident>` of those that are not resolved."""
OF_ALERT: Final = "incidents_of_alert"
"""`<alert>/<incident>`."""


@dataclass(frozen=True)
class Entry:
    """What lists are filtered by."""

    incident: int
    status: IncidentStatus
    began_at: datetime
    services: tuple[int, ...]

    @classmethod
    def of(cls, story: Story) -> "Entry":
        return cls(story.incident, story.status, story.began_at, story.services)

    def dump(self) -> str:
        return f"{self.status} {self.began_at.isoformat()} {','.join(map(str, self.services))}"

    @classmethod
    def load(cls, key: str, text: str) -> "Entry":
        status, began, services = text.split(" ")
        numbers = tuple(int(one) for one in services.split(",") if one)
        return cls(int(key), IncidentStatus(status), datetime.fromisoformat(began), numbers)


async def entries(unit: Unit) -> list[Entry]:
    """All incidents, those that began last first."""
    found = [Entry.load(key, text) for key, text in (await unit.scan(INCIDENTS, "")).items()]
    return sorted(found, key=lambda one: (one.began_at, one.incident), reverse=True)


async def open_of(unit: Unit, service: int) -> list[int]:
    """The incidents that a service is affected by now, ascending."""
    return sorted(_last(key) for key in await unit.scan(OPEN_OF_SERVICE, f"{service}/"))


async def of_alert(unit: Unit, alert: int) -> list[int]:
    """The incidents that an alert is linked to, ascending."""
    return sorted(_last(key) for key in await unit.scan(OF_ALERT, f"{alert}/"))


def enter(unit: Unit, before: Story | None, after: Story) -> None:
    """Bring the indexes from how an incident was to how it is."""
    unit.put(INCIDENTS, {f"{after.incident:019}": Entry.of(after).dump()})
    were, are = _open_services(before), _open_services(after)
    unit.put(OPEN_OF_SERVICE, _moved(after.incident, were, are))
    unit.put(OF_ALERT, _moved(after.incident, before.alerts if before else (), after.alerts))


async def reindex(unit: Unit, envelopes: Sequence[Envelope]) -> None:
    """Bring the indexes to where these incidents stand (after a restore)."""
    events = [envelope.event for envelope in envelopes if isinstance(envelope.event, IncidentEvent)]
    await unit.load(INCIDENT, {event.incident for event in events})
    for event in events:
        match event:
            case (
                IncidentCreated(incident=incident, affected=affected)
                | IncidentUpdated(incident=incident, affected=affected)
            ):
                unit.put(OPEN_OF_SERVICE, {f"{one.service}/{incident}": None for one in affected})
            case IncidentUnlinked(incident=incident, alert=alert):
                unit.put(OF_ALERT, {f"{alert}/{incident}": None})
            case _:
                pass
    for incident in sorted({event.incident for event in events}):
        if story := story_of(unit.state(INCIDENT, incident)):
            enter(unit, None, story)


def _open_services(story: Story | None) -> tuple[int, ...]:
    return story.services if story is not None and not story.is_over else ()


def _moved(incident: int, before: Iterable[int], after: Iterable[int]) -> dict[str, str | None]:
    """Entries `<number>/<incident>`, to take away (None) and to set."""
    now = set(after)
    gone: dict[str, str | None] = {f"{number}/{incident}": None for number in before if number not in now}
    return gone | {f"{number}/{incident}": "" for number in now}


def _last(key: str) -> int:
    return int(key.rpartition("/")[2])
