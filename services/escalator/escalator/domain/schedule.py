"""An on-call schedule, from its making to its end. What is past stays as it was.

Unmade --Set--> Kept --Set, AddOverride, RemoveOverride--> Kept --Delete--> Gone (final)
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from events.core import Decider, Event, Outcome, Refusal
from events.escalator import Override, ScheduleChanged, ScheduleDeleted, Shift

REMEMBERED: Final = timedelta(days=62)
"""Overrides that ended longer ago are left out of the present state; the versions that held them tell the past."""


@dataclass(frozen=True)
class Set:
    """Be so from now on (`schedule.at` is when). Overrides have commands of their own: those given here are left aside."""

    schedule: ScheduleChanged


@dataclass(frozen=True)
class AddOverride:
    """Put this shift on top of everything."""

    override: Override
    at: datetime


@dataclass(frozen=True)
class RemoveOverride:
    """Take an override away, or end it now when it has begun."""

    override: int
    at: datetime


@dataclass(frozen=True)
class Delete:
    at: datetime


@dataclass(frozen=True)
class Unmade:
    pass


@dataclass(frozen=True)
class Kept:
    now: ScheduleChanged


@dataclass(frozen=True)
class Gone:
    """What it was is kept, for pages that must still call it by its name."""

    last: ScheduleChanged


State = Unmade | Kept | Gone
Command = Set | AddOverride | RemoveOverride | Delete

NO_SCHEDULE = Refusal("NOT_FOUND", "There is no such schedule")
NO_OVERRIDE = Refusal("NOT_FOUND", "This schedule has no such override")


def decide(state: State, command: Command) -> Outcome:
    match state, command:
        case Unmade(), Set(schedule):
            past = _in_the_past(schedule.shifts, (), schedule.at)
            return past or [schedule.model_copy(update={"created": True, "overrides": ()})]
        case Kept(now), Set(schedule):
            return _set(now, schedule)
        case Kept(now), AddOverride(override, at):
            return _add(now, override, at)
        case Kept(now), RemoveOverride(override, at):
            return _remove(now, override, at)
        case Kept(now), Delete(at):
            return [ScheduleDeleted(schedule=now.schedule, at=at)]
        case _:
            return NO_SCHEDULE


def evolve(state: State, event: Event) -> State:
    match state, event:
        case Gone(), _:
            return state
        case _, ScheduleChanged():
            return Kept(event)
        case Kept(now), ScheduleDeleted():
            return Gone(now)
        case _:
            return state


def _set(now: ScheduleChanged, then: ScheduleChanged) -> Outcome:
    if then.timezone != now.timezone:
        return Refusal("VALIDATION_ERROR", f"timezone: stays {now.timezone} once the schedule is made")
    if then.type != now.type:
        return Refusal("VALIDATION_ERROR", f"type: stays {now.type} once the schedule is made")
    past = tuple(shift for shift in now.shifts if shift.end <= then.at)
    coming = tuple(shift for shift in then.shifts if shift not in past)
    refused = _in_the_past(coming, past, then.at)
    return refused or _become(now, then.model_copy(update={"shifts": past + coming, "overrides": now.overrides}))


def _in_the_past(shifts: tuple[Shift, ...], known: tuple[Shift, ...], at: datetime) -> Refusal | None:
    for shift in shifts:
        if shift.end <= at and shift not in known:
            return Refusal("SHIFT_IN_THE_PAST", f"shifts: the one that ended at {shift.end.isoformat()} is in the past")
    return None


def _add(now: ScheduleChanged, override: Override, at: datetime) -> Outcome:
    """The same shift on top again is nothing new: a retry adds no second one."""
    if override.end <= override.start:
        return Refusal("VALIDATION_ERROR", "end: must be after start")
    if override.end <= at:
        return Refusal("OVERRIDE_IN_THE_PAST", "end: must not be in the past")
    top = now.overrides[-1] if now.overrides else None
    if top and (top.user, top.start, top.end) == (override.user, override.start, override.end):
        return []
    if any(known.override == override.override for known in now.overrides):
        return []
    return _overridden(now, (*now.overrides, override), at)


def _remove(now: ScheduleChanged, number: int, at: datetime) -> Outcome:
    found = next((override for override in now.overrides if override.override == number), None)
    if found is None:
        return NO_OVERRIDE
    if found.end <= at:
        return Refusal("OVERRIDE_IN_THE_PAST", "This override is over; what is past stays as it was")
    ended = () if at <= found.start else (found.model_copy(update={"end": at}),)
    place = now.overrides.index(found)
    return _overridden(now, (*now.overrides[:place], *ended, *now.overrides[place + 1 :]), at)


def _overridden(now: ScheduleChanged, overrides: tuple[Override, ...], at: datetime) -> list[Event]:
    remembered = tuple(override for override in overrides if override.end > at - REMEMBERED)
    return _become(now, now.model_copy(update={"overrides": remembered, "at": at}))


def _become(now: ScheduleChanged, then: ScheduleChanged) -> list[Event]:
    then = then.model_copy(update={"created": False})
    is_same = then == now.model_copy(update={"created": False, "at": then.at})
    return [] if is_same else [then]


schedule: Decider[State, Command] = Decider(Unmade(), decide, evolve)
