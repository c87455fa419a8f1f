"""The JSON of policies, schedules, shifts and on-calls: events' values become resources, with the names of people and teams."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated

from pydantic import Field

from escalator.oncall import OnCall
from events.escalator import (
    Layer,
    Override,
    PolicyChanged,
    Restriction,
    Rule,
    ScheduleChanged,
    ScheduleType,
    TimeOfWeek,
)
from runtime.access import Access
from runtime.resources import Resource, TeamRel, UserRel

ScheduleNamed = Callable[[int], ScheduleChanged | None]
"""What a schedule is called, by its id."""


class UserShown(UserRel):
    """Somebody on duty, in full."""

    email: str | None = None
    timezone: str | None = None
    role: str | None = None

    @classmethod
    def of(cls, user: int, access: Access) -> "UserShown":
        known, name = access.person(user), access.user_rel(user)
        return cls(
            id=user,
            first_name=name.first_name,
            last_name=name.last_name,
            email=access.email(user),
            timezone=known and known.timezone,
            role=known and known.role,
        )


class ScheduleRel(Resource):
    id: int
    name: str | None = None
    type: ScheduleType | None = None

    @classmethod
    def of(cls, schedule: int, known: ScheduleChanged | None) -> "ScheduleRel":
        return cls(id=schedule, name=known and known.name, type=known and known.type)


# -- policies


class RuleResource(Resource):
    escalation_timeout: int
    users: list[UserRel] | None
    schedules: list[ScheduleRel] | None
    teams: list[TeamRel] | None

    @classmethod
    def of(cls, rule: Rule, access: Access, schedule: ScheduleNamed) -> "RuleResource":
        users = [access.user_rel(target.user) for target in rule.targets if target.user is not None]
        named = [target.schedule for target in rule.targets if target.schedule is not None]
        teams = [access.team_rel(target.team) for target in rule.targets if target.team is not None]
        return cls(
            escalation_timeout=rule.timeout_min,
            users=users or None,
            schedules=[ScheduleRel.of(one, schedule(one)) for one in named] or None,
            teams=teams or None,
        )


class PolicyResource(Resource):
    id: int
    name: str
    escalation_rules: list[RuleResource]
    teams: list[TeamRel] | None
    repeating: bool
    frequency: int
    delay_min: int
    routing_key: str | None

    @classmethod
    def of(cls, policy: PolicyChanged, access: Access, schedule: ScheduleNamed) -> "PolicyResource":
        return cls(
            id=policy.policy,
            name=policy.name,
            escalation_rules=[RuleResource.of(rule, access, schedule) for rule in policy.rules],
            teams=[access.team_rel(team) for team in policy.teams] or None,
            repeating=policy.repeating,
            frequency=policy.frequency,
            delay_min=policy.delay_min,
            routing_key=policy.routing_key,
        )


class PolicyRel(Resource):
    id: int
    name: str


# -- schedules


class TimeOfWeekResource(Resource):
    day_of_week: str
    time: str

    @classmethod
    def of(cls, moment: TimeOfWeek) -> "TimeOfWeekResource":
        return cls(day_of_week=moment.day, time=moment.time)


class RestrictionResource(Resource):
    start: Annotated[TimeOfWeekResource, Field(alias="from")]
    end: Annotated[TimeOfWeekResource, Field(alias="to")]

    @classmethod
    def of(cls, restriction: Restriction) -> "RestrictionResource":
        return cls(start=TimeOfWeekResource.of(restriction.start), end=TimeOfWeekResource.of(restriction.end))


class LayerResource(Resource):
    name: str | None
    starts_on: str
    ends_on: str | None
    users: list[UserRel]
    rotation: str
    restriction_type: str | None
    restrictions: list[RestrictionResource] | None

    @classmethod
    def of(cls, layer: Layer, access: Access) -> "LayerResource":
        return cls(
            name=layer.name or None,
            starts_on=layer.starts_on,
            ends_on=layer.ends_on,
            users=[access.user_rel(user) for user in layer.users],
            rotation=layer.rotation,
            restriction_type=layer.restriction_type or ("TIMES_OF_WEEK" if layer.restrictions else None),
            restrictions=[RestrictionResource.of(one) for one in layer.restrictions] or None,
        )


class ShiftResource(Resource):
    """`end` is absent where nothing is known that ends the shift."""

    user: UserRel
    start: datetime
    end: datetime | None


def shift_resource(shift: OnCall, access: Access) -> ShiftResource:
    return ShiftResource(user=access.user_rel(shift.user), start=shift.start, end=shift.end)


class ShiftShown(Resource):
    user: UserShown
    start: datetime
    end: datetime | None

    @classmethod
    def of(cls, shift: OnCall, access: Access) -> "ShiftShown":
        return cls(user=UserShown.of(shift.user, access), start=shift.start, end=shift.end)


class OverrideShown(Resource):
    """A shift with the number by which it can be taken away again."""

    id: int
    user: UserShown
    start: datetime
    end: datetime

    @classmethod
    def of(cls, override: Override, access: Access) -> "OverrideShown":
        return cls(
            id=override.override, user=UserShown.of(override.user, access), start=override.start, end=override.end
        )


class ScheduleResource(Resource):
    id: int
    name: str
    timezone: str
    type: ScheduleType
    schedule_layers: list[LayerResource] | None
    shifts: list[ShiftResource] | None
    show_gaps: bool
    default_shift_duration: str | None
    current_shift: ShiftResource | None = None
    next_shift: ShiftResource | None = None
    teams: list[TeamRel] | None

    @classmethod
    def of(
        cls,
        schedule: ScheduleChanged,
        access: Access,
        *,
        layers: bool,
        since: datetime | None,
        shifts: bool,
        current: OnCall | None = None,
        following: OnCall | None = None,
    ) -> "ScheduleResource":
        """`layers` and `shifts` say what is included; of static shifts only those that end after `since`."""
        is_static = schedule.type is ScheduleType.STATIC
        return cls(
            id=schedule.schedule,
            name=schedule.name,
            timezone=schedule.timezone,
            type=schedule.type,
            schedule_layers=[LayerResource.of(one, access) for one in schedule.layers]
            if layers and not is_static
            else None,
            shifts=_static(schedule, access, since) if shifts and is_static else None,
            show_gaps=schedule.show_gaps,
            default_shift_duration=schedule.default_shift_duration,
            current_shift=current and shift_resource(current, access),
            next_shift=following and shift_resource(following, access),
            teams=[access.team_rel(team) for team in schedule.teams] or None,
        )


def _static(schedule: ScheduleChanged, access: Access, since: datetime | None) -> list[ShiftResource]:
    known = sorted(schedule.shifts, key=lambda shift: shift.start)
    coming = [shift for shift in known if since is None or shift.end > since]
    return [ShiftResource(user=access.user_rel(shift.user), start=shift.start, end=shift.end) for shift in coming]


# -- on call


class OnCallResource(Resource):
    user: UserRel | UserShown
    escalation_policy: PolicyRel | PolicyResource | None
    schedule: ScheduleRel | None
    start: datetime
    end: datetime | None
    escalation_level: int | None


def in_order(found: Sequence[OnCallResource]) -> list[OnCallResource]:
    """By policy, level and time."""
    return sorted(
        found,
        key=lambda one: (
            one.escalation_policy is None,
            one.escalation_policy.id if one.escalation_policy else 0,
            one.escalation_level or 0,
            one.start,
            one.user.id,
        ),
    )
