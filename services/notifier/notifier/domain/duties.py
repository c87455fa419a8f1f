"""Reminders of duties ahead: in come a schedule's plan and a person's preferences, out comes what they are told, and when.

The same plan gives the same reminders, so that a new plan can be compared with what was queued: what stands is kept, what
does not hold any more is cancelled.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Final

from pydantic import TypeAdapter

from events.escalator import PlannedShift, ShiftsPlanned
from events.notifier import NoticeKind, NoticeQueued
from notifier.domain.notice import Queue
from notifier.domain.reach import DutyPreference, Reachable, duties_wanted

ENDLESS: Final = timedelta(days=36_525)
"""No turn lasts longer: a shift that does was planned without an end."""


@dataclass(frozen=True)
class Duty:
    """A person's unbroken time on call by one schedule. `end` is None where nothing is planned to end it."""

    user: int
    start: datetime
    end: datetime | None
    text: str = ""


@dataclass(frozen=True)
class Plan:
    """Who will be on call by a schedule, as it was planned last; hand-overs to oneself are no ends."""

    schedule: int
    name: str
    duties: tuple[Duty, ...] = ()

    def of(self, user: int) -> tuple[Duty, ...]:
        return tuple(duty for duty in self.duties if duty.user == user)

    @property
    def users(self) -> frozenset[int]:
        return frozenset(duty.user for duty in self.duties)


def plan_of(event: ShiftsPlanned) -> Plan:
    """The plan that this event makes: it holds whole shifts, those that have begun too."""
    shifts = [Duty(shift.user, shift.start, _end(shift), shift.text) for shift in event.shifts]
    return Plan(event.schedule, event.name, tuple(_joined(shifts)))


def reminders(plan: Plan, person: Reachable, minute: timedelta, at: datetime) -> tuple[Queue, ...]:
    """What this person is to be told of their duties ahead; of several moments that passed already only the last counts."""
    duties = [duty for duty in plan.of(person.user) if duty.start > at]
    return tuple(
        _reminder(plan, person, duty, wish, minute, at)
        for duty in duties
        for wish in _moments(person, duty, minute, at)
    )


def dump(plan: Plan) -> str:
    return _adapter.dump_json(plan).decode()


def load(text: str) -> Plan:
    return _adapter.validate_json(text)


def occurrences(schedule: int, user: int | None = None) -> str:
    """What the occurrences of a schedule's reminders (to this user) begin with."""
    return f"duty/{schedule}/" if user is None else f"duty/{schedule}/{user}/"


def user_of(occurrence: str) -> int:
    """Whom a reminder is for."""
    return int(occurrence.split("/")[2])


def start_of(occurrence: str) -> datetime:
    """When the duty begins that a reminder is of."""
    return datetime.fromisoformat(occurrence.split("/")[3])


def is_same(wanted: Queue, queued: NoticeQueued) -> bool:
    """Whether what was queued says what would be queued now."""
    said = (queued.begins_at, queued.ends_at, queued.title, queued.text)
    return said == (wanted.begins_at, wanted.ends_at, wanted.title, wanted.text)


def _end(shift: PlannedShift) -> datetime | None:
    return None if shift.end - shift.start > ENDLESS else shift.end


def _joined(duties: Iterable[Duty]) -> list[Duty]:
    """What touches or overlaps is one duty."""
    joined: list[Duty] = []
    for duty in sorted(duties, key=lambda one: (one.user, one.start)):
        if joined and _goes_on(joined[-1], duty):
            joined[-1] = replace(joined[-1], end=_later(joined[-1].end, duty.end))
        else:
            joined.append(duty)
    return joined


def _goes_on(before: Duty, duty: Duty) -> bool:
    return before.user == duty.user and (before.end is None or duty.start <= before.end)


def _later(one: datetime | None, other: datetime | None) -> datetime | None:
    return None if one is None or other is None else max(one, other)


def _moments(person: Reachable, duty: Duty, minute: timedelta, at: datetime) -> Iterator[DutyPreference]:
    """The preferences that a duty is told by: every moment ahead, and of those that passed the nearest, by contact."""
    for _, mine in groupby(sorted(duties_wanted(person), key=_by_contact), key=lambda wish: wish.contact):
        wishes = _each_once(mine)
        passed = [wish for wish in wishes if duty.start - wish.before_min * minute <= at]
        yield from passed[:1]
        yield from (wish for wish in wishes if wish not in passed)


def _by_contact(wish: DutyPreference) -> tuple[int, int, int]:
    return (wish.contact, wish.before_min, wish.id)


def _each_once(wishes: Iterable[DutyPreference]) -> list[DutyPreference]:
    firsts: dict[int, DutyPreference] = {}
    for wish in wishes:
        firsts.setdefault(wish.before_min, wish)
    return list(firsts.values())


def _reminder(
    plan: Plan, person: Reachable, duty: Duty, wish: DutyPreference, minute: timedelta, at: datetime
) -> Queue:
    contact = person.contact(wish.contact)
    start = duty.start.astimezone(UTC).isoformat()
    return Queue(
        user=person.user,
        kind=NoticeKind.DUTY,
        occasion=wish.type.value,
        occurrence=f"{occurrences(plan.schedule, person.user)}{start}/{wish.contact}/{wish.before_min}",
        contact=wish.contact,
        method=wish.method,
        mask=contact.mask if contact else "",
        send_at=max(at, duty.start - wish.before_min * minute),
        title=plan.name,
        text=duty.text,
        path=f"/schedules/{plan.schedule}",
        schedule=plan.schedule,
        preference=wish.id,
        begins_at=duty.start,
        ends_at=duty.end,
        reason=_reason(wish.before_min),
        at=at,
    )


def _reason(before_min: int) -> str:
    match before_min:
        case 0:
            return "You wish to be told when your duty begins."
        case 60:
            return "You wish to be reminded 1 hour before your duty begins."
        case _ if before_min % 60:
            return f"You wish to be reminded {before_min} minutes before your duty begins."
        case _:
            return f"You wish to be reminded {before_min // 60} hours before your duty begins."


_adapter: Final = TypeAdapter(Plan)
