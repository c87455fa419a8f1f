"""The shifts that lie ahead on one schedule, told so that people can be reminded of them.

    Unplanned --Plan--> Planned --Plan: the schedule changed, or a day went by--> Planned --Plan without a schedule--> Over (final)

A plan reaches three days ahead and is made anew every day: at least two days are always known. It says nothing when nothing changed.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from escalator.oncall import OnCall, shifts
from escalator.wallclock import END
from events.core import Decider, Event
from events.escalator import PlannedShift, ScheduleChanged, ShiftsPlanned

AHEAD: Final = timedelta(days=3)
KNOWN_AT_LEAST: Final = timedelta(days=2)
"""The longest reminder is asked for a day before."""


@dataclass(frozen=True)
class Plan:
    """Plan by the schedule as it stands at `at`; None when it is gone. `number` is the schedule's id."""

    number: int
    schedule: ScheduleChanged | None
    version: int | None
    at: datetime


@dataclass(frozen=True)
class Unplanned:
    """Nothing was said of this schedule's shifts yet."""


@dataclass(frozen=True)
class Planned:
    now: ShiftsPlanned


@dataclass(frozen=True)
class Over:
    """The schedule is gone, and nobody has a duty by it any more."""


State = Unplanned | Planned | Over
Command = Plan


def decide(state: State, command: Plan) -> list[Event]:
    match state, command:
        case Over(), _:
            return []
        case Planned(now), Plan(schedule=None, at=at):
            return [ShiftsPlanned(schedule=now.schedule, name=now.name, until=at, at=at)]
        case Unplanned(), Plan(schedule=None):
            return []
        case Planned(now), Plan(schedule=ScheduleChanged() as schedule):
            return _anew(now, _plan(schedule, command, _until(now, command.at)))
        case _, Plan(schedule=ScheduleChanged() as schedule):
            return [_plan(schedule, command, command.at + AHEAD)]
        case _:
            return []


def evolve(state: State, event: Event) -> State:
    match event:
        case ShiftsPlanned() if event.until <= event.at:
            return Over()
        case ShiftsPlanned() if not isinstance(state, Over):
            return Planned(event)
        case _:
            return state


def due_at(state: State) -> datetime | None:
    return state.now.until - KNOWN_AT_LEAST if isinstance(state, Planned) else None


def planned(schedule: ScheduleChanged, start: datetime, end: datetime) -> tuple[PlannedShift, ...]:
    """The shifts that touch the window, whole, each with its reason; one without an end lasts for as long as dates do."""
    return tuple(_shift(duty) for duty in shifts(schedule, start, end))


def _until(now: ShiftsPlanned, at: datetime) -> datetime:
    """A change in between does not move the horizon: what did not change is then seen to be the same."""
    return now.until if now.until - at > KNOWN_AT_LEAST else at + AHEAD


def _plan(schedule: ScheduleChanged, command: Plan, until: datetime) -> ShiftsPlanned:
    return ShiftsPlanned(
        schedule=schedule.schedule,
        name=schedule.name,
        shifts=planned(schedule, command.at, until),
        until=until,
        schedule_version=command.version,
        at=command.at,
    )


def _anew(before: ShiftsPlanned, now: ShiftsPlanned) -> list[Event]:
    ahead = tuple(shift for shift in before.shifts if shift.end > now.at)
    is_same = (before.name, before.until, ahead) == (now.name, now.until, now.shifts)
    return [] if is_same else [now]


def _shift(duty: OnCall) -> PlannedShift:
    return PlannedShift(user=duty.user, start=duty.start, end=duty.end or END, text=duty.reason)


plan: Decider[State, Plan] = Decider(Unplanned(), decide, evolve, due_at)
