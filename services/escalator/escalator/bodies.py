"""What clients send about policies and schedules: bodies in the published shapes are checked here and become events' values.

A reference needs only `{id}`. What was written is kept as written (dates and durations are texts), so that it reads back the same.
"""

import zoneinfo
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import pairwise
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, AwareDatetime, Field, model_validator
from pydantic_core import PydanticCustomError

from escalator.rotation import step
from escalator.wallclock import local_time, zone_of
from events.escalator import Layer, Restriction, Rule, ScheduleType, Shift, Target, TimeOfWeek
from runtime.resources import Body, Ref

SHORTEST_TURN: Final = timedelta(minutes=15)
LONGEST_TURN: Final = timedelta(days=3660)
LONGEST_SHIFT: Final = timedelta(days=366)
YEARS: Final = range(1970, 2201)


@cache
def zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


def _broken(rule: str) -> PydanticCustomError:
    """`rule` is the end of a sentence about the field."""
    return PydanticCustomError("rule", "{rule}", {"rule": rule})


def _zone(name: str) -> str:
    if name not in zones():
        raise _broken("must be an IANA time zone such as Europe/Berlin")
    return name


def _local(text: str) -> str:
    read = local_time(text, zone_of("UTC"))
    if read is None or read.year not in YEARS:
        raise _broken("must be a date and time such as 2026-01-05T09:00")
    return text


def _rotation(text: str) -> str:
    length = step(text)
    if length is None:
        raise _broken("must be an ISO 8601 duration such as P7D or PT8H")
    if not SHORTEST_TURN <= length.about <= LONGEST_TURN:
        raise _broken("must be between 15 minutes and ten years")
    return text


def _duration(text: str) -> str:
    if step(text) is None:
        raise _broken("must be an ISO 8601 duration such as P7D or PT8H")
    return text


def _instant(at: datetime) -> datetime:
    if at.year not in YEARS:
        raise _broken("must lie between the years 1970 and 2200")
    return at.astimezone(UTC)


Words = Annotated[str, Field(min_length=1, max_length=255)]
Zone = Annotated[str, AfterValidator(_zone)]
LocalTime = Annotated[str, Field(max_length=40), AfterValidator(_local)]
Rotation = Annotated[str, Field(max_length=40), AfterValidator(_rotation)]
Duration = Annotated[str, Field(max_length=40), AfterValidator(_duration)]
Instant = Annotated[AwareDatetime, AfterValidator(_instant)]
Refs = Annotated[tuple[Ref, ...], Field(max_length=100)]


def ids(references: tuple[Ref, ...] | None) -> tuple[int, ...]:
    """Ids in the order given, repeats too."""
    return tuple(reference.id for reference in references or ())


# -- policies


class RuleBody(Body):
    """One level. `user`, `schedule` and `team` are the deprecated way to name a single one."""

    escalation_timeout: Annotated[int, Field(ge=0, le=525_600)]
    users: Refs | None = None
    schedules: Refs | None = None
    teams: Refs | None = None
    user: Ref | None = None
    schedule: Ref | None = None
    team: Ref | None = None

    @property
    def rule(self) -> Rule:
        return Rule(targets=tuple(dict.fromkeys(self._targets())), timeout_min=self.escalation_timeout)

    def _targets(self) -> Iterator[Target]:
        yield from (Target(user=user) for user in _with(self.users, self.user))
        yield from (Target(schedule=schedule) for schedule in _with(self.schedules, self.schedule))
        yield from (Target(team=team) for team in _with(self.teams, self.team))


def _with(several: tuple[Ref, ...] | None, one: Ref | None) -> tuple[int, ...]:
    return ids(several) if several or one is None else (one.id,)


class PolicyBody(Body):
    """A whole policy: what is left out is as if it had never been set."""

    name: Words
    escalation_rules: Annotated[tuple[RuleBody, ...], Field(min_length=1, max_length=100)]
    teams: Refs | None = None
    repeating: bool | None = None
    frequency: Annotated[int, Field(ge=1, le=9)] | None = None
    delay_min: Annotated[int, Field(ge=0, le=15)] | None = None
    routing_key: Annotated[str, Field(max_length=255)] | None = None

    @property
    def rules(self) -> tuple[Rule, ...]:
        return tuple(rule.rule for rule in self.escalation_rules)


# -- schedules


class TimeOfWeekBody(Body):
    day_of_week: Literal["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"]
    time: Annotated[str, Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d(:00)?$")]

    @property
    def moment(self) -> TimeOfWeek:
        return TimeOfWeek(day=self.day_of_week, time=self.time)


class RestrictionBody(Body):
    start: Annotated[TimeOfWeekBody, Field(alias="from")]
    end: Annotated[TimeOfWeekBody, Field(alias="to")]

    @property
    def restriction(self) -> Restriction:
        return Restriction(start=self.start.moment, end=self.end.moment)

    @model_validator(mode="after")
    def _has_length(self) -> "RestrictionBody":
        if self.start.moment == self.end.moment:
            raise _broken("must not end at the moment at which it begins; leave it out to restrict nothing")
        return self


class LayerBody(Body):
    """`restrictionType` is taken in every spelling that clients send; the hours are always those of a week."""

    name: Annotated[str, Field(max_length=255)] | None = None
    starts_on: LocalTime
    ends_on: LocalTime | None = None
    users: Annotated[tuple[Ref, ...], Field(min_length=1, max_length=100)]
    rotation: Rotation
    restriction_type: Literal["TIMES_OF_WEEK", "TIME_OF_WEEK", "TIMES_OF_DAY", "TIME_OF_DAY"] | None = None
    restrictions: Annotated[tuple[RestrictionBody, ...], Field(max_length=100)] | None = None

    @property
    def layer(self) -> Layer:
        return Layer(
            name=self.name or "",
            starts_on=self.starts_on,
            ends_on=self.ends_on,
            users=ids(self.users),
            rotation=self.rotation,
            restriction_type=self.restriction_type,
            restrictions=tuple(one.restriction for one in self.restrictions or ()),
        )

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> "LayerBody":
        begin, end = local_time(self.starts_on, zone_of("UTC")), local_time(self.ends_on or "", zone_of("UTC"))
        if begin and end and end <= begin:
            raise _broken("endsOn must be after startsOn")
        return self


class ShiftBody(Body):
    user: Ref
    start: Instant
    end: Instant

    @property
    def shift(self) -> Shift:
        return Shift(user=self.user.id, start=self.start, end=self.end)

    @model_validator(mode="after")
    def _has_length(self) -> "ShiftBody":
        if self.end <= self.start:
            raise _broken("end must be after start")
        if self.end - self.start > LONGEST_SHIFT:
            raise _broken("must not be longer than a year")
        return self


class ScheduleBody(Body):
    """A whole schedule, without its overrides. Zone and type cannot change, so they may be left out later."""

    name: Words
    timezone: Zone | None = None
    type: ScheduleType | None = None
    schedule_layers: Annotated[tuple[LayerBody, ...], Field(max_length=50)] | None = None
    shifts: Annotated[tuple[ShiftBody, ...], Field(max_length=2000)] | None = None
    show_gaps: bool | None = None
    default_shift_duration: Duration | None = None
    teams: Refs | None = None

    @property
    def layers(self) -> tuple[Layer, ...]:
        return tuple(layer.layer for layer in self.schedule_layers or ())

    @property
    def static_shifts(self) -> tuple[Shift, ...]:
        return tuple(shift.shift for shift in self.shifts or ())

    @property
    def kind(self) -> ScheduleType:
        """What it is when nobody says: static when it has shifts."""
        return self.type or (ScheduleType.STATIC if self.shifts else ScheduleType.RECURRING)

    @model_validator(mode="after")
    def _is_of_one_type(self) -> "ScheduleBody":
        if self.schedule_layers and self.kind is ScheduleType.STATIC:
            raise _broken("scheduleLayers are only for type RECURRING")
        if self.shifts and self.kind is ScheduleType.RECURRING:
            raise _broken("shifts are only for type STATIC")
        return self

    @model_validator(mode="after")
    def _has_one_user_at_a_time(self) -> "ScheduleBody":
        shifts = sorted(self.static_shifts, key=lambda shift: shift.start)
        for one, following in pairwise(shifts):
            if following.start < one.end:
                raise _broken(f"shifts must not overlap; two are at {following.start.isoformat()}")
        return self

    def has_gaps(self) -> bool:
        """Whether somebody is missing between the first and the last static shift."""
        shifts = sorted(self.static_shifts, key=lambda shift: shift.start)
        return any(one.end < following.start for one, following in pairwise(shifts))
