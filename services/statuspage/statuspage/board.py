"""What status pages show: in come this service's own events, read from the beginning, out come scenes, one per page. Pure.

Streams fold here by the very functions that decide on them, so that a page never tells another story than the API.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from events.core import Event
from events.statuspage import IncidentEvent, MaintenanceEvent, ServiceEvent, StatuspageChanged, StatuspageEvent
from events.topics import INCIDENTS, STATUSPAGES
from runtime.records import Received
from runtime.views import View
from statuspage.domain import incident, maintenance, service, statuspage
from statuspage.domain.incident import Story

MOST_INCIDENTS: Final = 100
MOST_MAINTENANCES: Final = 50


@dataclass(frozen=True)
class Scene:
    """Everything that one page shows. What is newest comes first."""

    page: StatuspageChanged
    services: Mapping[int, service.Known]
    incidents: tuple[Story, ...]
    maintenances: tuple[maintenance.Kept, ...]

    @property
    def changed_at(self) -> datetime:
        """When anything on it last changed."""
        turns = (known.history[-1].since for known in self.services.values() if known.history)
        said = (story.said_at for story in self.incidents)
        return max([self.page.at, *turns, *said, *(one.now.at for one in self.maintenances)])

    @property
    def open_incidents(self) -> list[Story]:
        return [story for story in self.incidents if not story.is_over]

    @property
    def past_incidents(self) -> list[Story]:
        return [story for story in self.incidents if story.is_over]

    @property
    def running(self) -> list[maintenance.Kept]:
        return [one for one in self.maintenances if isinstance(one, maintenance.Running)]

    @property
    def upcoming(self) -> list[maintenance.Kept]:
        """The next one first."""
        planned = [one for one in self.maintenances if isinstance(one, maintenance.Planned)]
        return sorted(planned, key=lambda one: one.now.start)


class Board(View):
    """All that there is to show. `on_change` is called with the numbers of pages that may look different now."""

    topics = (STATUSPAGES.name, INCIDENTS.name)

    def __init__(self, on_change: Callable[[set[int]], None] = lambda _pages: None) -> None:
        self._on_change = on_change
        self._services: dict[int, service.State] = {}
        self._incidents: dict[int, incident.State] = {}
        self._maintenances: dict[int, maintenance.State] = {}
        self._pages: dict[int, statuspage.State] = {}
        self._showing: dict[int, set[int]] = defaultdict(set)

    def apply(self, received: Received) -> None:
        self.take(received.envelope.event)

    def take(self, event: Event) -> None:
        """Take in one event; what is not shown on pages is passed over."""
        touched = self._turn(event)
        if touched:
            self._on_change(touched)

    @property
    def pages(self) -> list[int]:
        """The pages that there are, activated or not, by id."""
        return sorted(number for number, state in self._pages.items() if isinstance(state, statuspage.Kept))

    def scene(self, page: int) -> Scene | None:
        """What a page shows now; None when there is none."""
        state = self._pages.get(page)
        if not isinstance(state, statuspage.Kept):
            return None
        shown = set(state.now.services)
        known = {number: self._services.get(number) for number in state.now.services}
        return Scene(
            page=state.now,
            services={number: one for number, one in known.items() if isinstance(one, service.Known)},
            incidents=self._stories(shown),
            maintenances=self._windows(shown),
        )

    # -- folding

    def _turn(self, event: Event) -> set[int]:
        """Fold the event; gives the pages that it concerns."""
        match event:
            case ServiceEvent(service=number):
                before = self._services.get(number, service.service.initial)
                self._services[number] = service.service.evolve(before, event)
                return set(self._showing[number])
            case IncidentEvent(incident=number):
                story = self._incidents.get(number, incident.incident.initial)
                self._incidents[number] = incident.incident.evolve(story, event)
                return self._pages_of(_touched_by(story) | _touched_by(self._incidents[number]))
            case MaintenanceEvent(maintenance=number):
                window = self._maintenances.get(number, maintenance.maintenance.initial)
                self._maintenances[number] = maintenance.maintenance.evolve(window, event)
                return self._pages_of(_kept_by(window) | _kept_by(self._maintenances[number]))
            case StatuspageEvent(page=number):
                page = self._pages.get(number, statuspage.statuspage.initial)
                self._pages[number] = statuspage.statuspage.evolve(page, event)
                self._move(number, page, self._pages[number])
                return {number}
            case _:
                return set()

    def _move(self, page: int, before: statuspage.State, after: statuspage.State) -> None:
        for one in before.now.services if isinstance(before, statuspage.Kept) else ():
            self._showing[one].discard(page)
        for one in after.now.services if isinstance(after, statuspage.Kept) else ():
            self._showing[one].add(page)

    def _pages_of(self, numbers: set[int]) -> set[int]:
        return {page for number in numbers for page in self._showing[number]}

    # -- what is shown

    def _stories(self, shown: set[int]) -> tuple[Story, ...]:
        known = [
            story
            for state in self._incidents.values()
            if (story := incident.story_of(state)) and shown & _touched_by(state)
        ]
        newest = sorted(known, key=lambda story: (not story.is_over, story.began_at, story.incident), reverse=True)
        return tuple(newest[:MOST_INCIDENTS])

    def _windows(self, shown: set[int]) -> tuple[maintenance.Kept, ...]:
        kept = [
            state
            for state in self._maintenances.values()
            if isinstance(state, maintenance.Kept) and shown & set(state.now.services)
        ]
        newest = sorted(kept, key=lambda one: (one.now.start, one.now.maintenance), reverse=True)
        return tuple(newest[:MOST_MAINTENANCES])


def _touched_by(state: incident.State) -> set[int]:
    """The services that an incident ever affected."""
    story = incident.story_of(state)
    return {affected.service for word in story.words for affected in word.affected} if story else set()


def _kept_by(state: maintenance.State) -> set[int]:
    match state:
        case maintenance.Unmade():
            return set()
        case maintenance.Gone(last):
            return set(last.services)
        case _:
            return set(state.now.services)
