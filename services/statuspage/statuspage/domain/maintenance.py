"""A maintenance window, from its planning to its end.

Unmade --Plan--> Planned --its start--> Running --its end--> Over
                    \\--------- its end, nobody at work -------/
Planned, Running --Plan--> the same with other words and times      all but Unmade --Delete--> Gone (final)
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from events.core import Decider, Event, Outcome, Refusal
from events.statuspage import MaintenanceChanged, MaintenanceDeleted, MaintenanceEnded, MaintenanceStarted


@dataclass(frozen=True)
class Plan:
    """Be so from now on (`window.at` is when; whether it is new is decided here)."""

    window: MaintenanceChanged


@dataclass(frozen=True)
class Tick:
    at: datetime


@dataclass(frozen=True)
class Delete:
    at: datetime


@dataclass(frozen=True)
class Unmade:
    pass


@dataclass(frozen=True)
class Planned:
    now: MaintenanceChanged


@dataclass(frozen=True)
class Running:
    now: MaintenanceChanged


@dataclass(frozen=True)
class Over:
    now: MaintenanceChanged


@dataclass(frozen=True)
class Gone:
    last: MaintenanceChanged


Kept = Planned | Running | Over
State = Unmade | Planned | Running | Over | Gone
Command = Plan | Tick | Delete

NO_MAINTENANCE = Refusal("NOT_FOUND", "There is no such maintenance window")
IS_OVER = Refusal("MAINTENANCE_OVER", "This maintenance is over: it stays as it was")
ENDS_BEFORE = Refusal("VALIDATION_ERROR", "end: must be after start")
IN_THE_PAST = Refusal("VALIDATION_ERROR", "end: must not be in the past")
HAS_BEGUN = Refusal("VALIDATION_ERROR", "start: the maintenance has begun, so it cannot begin later")


def decide(state: State, command: Command) -> Outcome:
    match state, command:
        case Unmade() | Planned() | Running(), Plan(window) if window.end <= window.start:
            return ENDS_BEFORE
        case Unmade() | Planned(), Plan(window) if window.end <= window.at:
            return IN_THE_PAST
        case Running(), Plan(window) if window.start > window.at:
            return HAS_BEGUN
        case Unmade(), Plan(window):
            return [window.model_copy(update={"created": True}), *_started(window, window.at)]
        case Planned(now), Plan(window):
            return [*_become(now, window), *_started(window, window.at)]
        case Running(now), Plan(window):
            return [*_become(now, window), *_ended(window, window.at)]
        case Over(), Plan():
            return IS_OVER
        case Planned(now), Tick(at):
            return list(_ended(now, at)) or list(_started(now, at))
        case Running(now), Tick(at):
            return list(_ended(now, at))
        case ((Planned(now) | Running(now) | Over(now)), Delete(at)):
            return [MaintenanceDeleted(maintenance=now.maintenance, at=at)]
        case _, Tick():
            return []
        case _:
            return NO_MAINTENANCE


def evolve(state: State, event: Event) -> State:
    match state, event:
        case Gone(), _:
            return state
        case Unmade(), MaintenanceChanged():
            return Planned(event)
        case ((Planned() | Running() | Over()), MaintenanceChanged()):
            return type(state)(event)
        case ((Planned(now) | Running(now) | Over(now)), MaintenanceStarted()):
            return Running(now)
        case ((Planned(now) | Running(now) | Over(now)), MaintenanceEnded()):
            return Over(now)
        case ((Planned(now) | Running(now) | Over(now)), MaintenanceDeleted()):
            return Gone(now)
        case _:
            return state


def due_at(state: State) -> datetime | None:
    match state:
        case Planned(now):
            return now.start
        case Running(now):
            return now.end
        case _:
            return None


def services_of(state: State) -> frozenset[int]:
    """The services that it keeps under maintenance as it stands."""
    return frozenset(state.now.services) if isinstance(state, Running) else frozenset()


def _started(window: MaintenanceChanged, at: datetime) -> Iterator[Event]:
    if window.start <= at:
        yield MaintenanceStarted(
            maintenance=window.maintenance, sources=window.sources, services=window.services, at=at
        )


def _ended(window: MaintenanceChanged, at: datetime) -> Iterator[Event]:
    if window.end <= at:
        yield MaintenanceEnded(maintenance=window.maintenance, sources=window.sources, services=window.services, at=at)


def _become(now: MaintenanceChanged, then: MaintenanceChanged) -> list[Event]:
    """Who planned it stays who planned it."""
    then = then.model_copy(update={"created": False, "by": now.by})
    is_same = then == now.model_copy(update={"created": False, "at": then.at})
    return [] if is_same else [then]


maintenance: Decider[State, Command] = Decider(Unmade(), decide, evolve, due_at)
