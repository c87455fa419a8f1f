"""The REST edge of the escalator: requests in the published shapes come in, units of work are run, resources go out."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import AwareDatetime

from escalator.bodies import YEARS, PolicyBody, RuleBody, ScheduleBody, ShiftBody, zones
from escalator.duties import Duty, Staffing, Window, duties_of, schedule_duties
from escalator.oncall import Gap, OnCall, recorded_shifts, who
from escalator.policies import Duties, Policies
from escalator.rotation import months_later
from escalator.schedules import Schedules
from escalator.shapes import (
    OnCallResource,
    OverrideShown,
    PolicyRel,
    PolicyResource,
    RuleResource,
    ScheduleRel,
    ScheduleResource,
    ShiftShown,
    UserShown,
    in_order,
)
from escalator.wallclock import zone_of
from events.accounts import Role
from events.core import Refusal
from events.escalator import PolicyChanged, ScheduleChanged
from runtime.access import Access, Caller, door_of, require
from runtime.ports import Clock
from runtime.refusals import Refused, invalid_field, missing
from runtime.resources import Page, answer, including, named, no_content, paging
from web.guards import Id

THREE_MONTHS: Final = timedelta(days=93)
LONGEST_WINDOW: Final = timedelta(days=366)
NEXT_WITHIN: Final = timedelta(days=366)


@dataclass(frozen=True)
class Desk:
    """What the routes work with."""

    policies: Policies
    schedules: Schedules
    clock: Clock
    public_url: str


async def desk_of(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


async def access_of(request: Request) -> Access:
    return door_of(request).access


Reader = Annotated[Caller, Depends(require(Role.RESPONDER))]
AtDesk = Annotated[Desk, Depends(desk_of)]
Knows = Annotated[Access, Depends(access_of)]
Included = Annotated[
    frozenset[str], Depends(including("scheduleLayers", "shifts", "currentShift", "nextShift", "past"))
]
Ids = Annotated[list[int] | None, Query()]

router: Final = APIRouter()


# -- escalation policies


@router.get("/api/escalation-policies", summary="List escalation policies", response_model=list[PolicyResource])
async def policies(
    caller: Reader, page: Annotated[Page, Depends(paging(default=50, cap=50))], desk: AtDesk, access: Knows
) -> Response:
    duties = await desk.policies.duties(caller)
    return answer([PolicyResource.of(one, access, duties.schedule) for one in page.of(duties.policies)])


@router.post(
    "/api/escalation-policies", summary="Create an escalation policy", response_model=PolicyResource, status_code=201
)
async def create_policy(body: PolicyBody, caller: Reader, desk: AtDesk, access: Knows) -> Response:
    made = await desk.policies.create(body, caller)
    location = f"{desk.public_url}/api/escalation-policies/{made.policy}"
    return answer(await _policy(made, desk, access), 201, location=location)


@router.get(
    "/api/escalation-policies/resolve",
    summary="Find an escalation policy by routing key",
    response_model=PolicyResource,
)
async def resolve_policy(
    caller: Reader, key: Annotated[str, Query(alias="routing-key", max_length=1000)], desk: AtDesk, access: Knows
) -> Response:
    """The policy of the first comma-separated key that one has."""
    duties = await desk.policies.duties()
    found = _routed(key, duties.policies)
    if found is None:
        raise missing(f"There is no escalation policy with the routing key {key}")
    if not access.may_see(caller, found.teams):
        raise Refused(Refusal("FORBIDDEN", "This policy belongs to a private team"))
    return answer(PolicyResource.of(found, access, duties.schedule))


@router.get(
    "/api/escalation-policies/name/{name:path}",
    summary="Get an escalation policy by its name",
    response_model=PolicyResource,
)
async def policy_by_name(name: str, caller: Reader, desk: AtDesk, access: Knows) -> Response:
    duties = await desk.policies.duties(caller)
    found = named(duties.policies, name, lambda one: one.name)
    if found is None:
        raise missing(f"There is no escalation policy named {name}")
    return answer(PolicyResource.of(found, access, duties.schedule))


@router.get("/api/escalation-policies/{policy}", summary="Get an escalation policy", response_model=PolicyResource)
async def policy(policy: Id, caller: Reader, desk: AtDesk, access: Knows) -> Response:
    return answer(await _policy(await desk.policies.get(policy, caller), desk, access))


@router.put("/api/escalation-policies/{policy}", summary="Replace an escalation policy", response_model=PolicyResource)
async def change_policy(policy: Id, body: PolicyBody, caller: Reader, desk: AtDesk, access: Knows) -> Response:
    return answer(await _policy(await desk.policies.change(policy, body, caller), desk, access))


@router.put(
    "/api/escalation-policies/{policy}/levels/{level}",
    summary="Replace one level of an escalation policy",
    response_model=RuleResource,
)
async def change_level(policy: Id, level: int, body: RuleBody, caller: Reader, desk: AtDesk, access: Knows) -> Response:
    rule = await desk.policies.set_level(policy, level, body.rule, caller)
    duties = await desk.policies.duties()
    return answer(RuleResource.of(rule, access, duties.schedule))


@router.delete("/api/escalation-policies/{policy}", summary="Delete an escalation policy", status_code=204)
async def delete_policy(policy: Id, caller: Reader, desk: AtDesk) -> Response:
    await desk.policies.remove(policy, caller)
    return no_content()


async def _policy(policy: PolicyChanged, desk: Desk, access: Access) -> PolicyResource:
    duties = await desk.policies.duties()
    return PolicyResource.of(policy, access, duties.schedule)


def _routed(keys: str, policies: Iterable[PolicyChanged]) -> PolicyChanged | None:
    for key in (part.strip().casefold() for part in keys.split(",")):
        for one in policies:
            if key and (one.routing_key or "").casefold() == key:
                return one
    return None


# -- schedules


@router.get("/api/schedules", summary="List schedules", response_model=list[ScheduleResource])
async def schedules(
    caller: Reader,
    page: Annotated[Page, Depends(paging(default=20, cap=20))],
    include: Included,
    desk: AtDesk,
    access: Knows,
) -> Response:
    duties = await desk.policies.duties(caller)
    return answer([_listed(one, include, duties.at, access) for one in page.of(duties.schedules)])


@router.post("/api/schedules", summary="Create a schedule", response_model=ScheduleResource, status_code=201)
async def create_schedule(
    body: ScheduleBody,
    caller: Reader,
    desk: AtDesk,
    access: Knows,
    abort: Annotated[bool, Query(alias="abort-on-gaps")] = False,
) -> Response:
    _refuse_gaps(body, abort=abort)
    made = await desk.schedules.create(body, caller)
    location = f"{desk.public_url}/api/schedules/{made.schedule}"
    return answer(_whole(made, frozenset(), desk.clock.now(), access), 201, location=location)


@router.get("/api/schedules/name/{name:path}", summary="Get a schedule by its name", response_model=ScheduleResource)
async def schedule_by_name(name: str, caller: Reader, include: Included, desk: AtDesk, access: Knows) -> Response:
    duties = await desk.policies.duties(caller)
    found = named(duties.schedules, name, lambda one: one.name)
    if found is None:
        raise missing(f"There is no schedule named {name}")
    return answer(_whole(found, include, duties.at, access))


@router.get("/api/schedules/{schedule}", summary="Get a schedule", response_model=ScheduleResource)
async def schedule(schedule: Id, caller: Reader, include: Included, desk: AtDesk, access: Knows) -> Response:
    found = await desk.schedules.get(schedule, caller)
    return answer(_whole(found, include, desk.clock.now(), access))


@router.put("/api/schedules/{schedule}", summary="Replace a schedule", response_model=ScheduleResource)
async def change_schedule(
    schedule: Id,
    body: ScheduleBody,
    caller: Reader,
    desk: AtDesk,
    access: Knows,
    abort: Annotated[bool, Query(alias="abort-on-gaps")] = False,
) -> Response:
    _refuse_gaps(body, abort=abort)
    changed = await desk.schedules.change(schedule, body, caller)
    return answer(_whole(changed, frozenset(), desk.clock.now(), access))


@router.delete("/api/schedules/{schedule}", summary="Delete a schedule", status_code=204)
async def delete_schedule(schedule: Id, caller: Reader, desk: AtDesk) -> Response:
    await desk.schedules.remove(schedule, caller)
    return no_content()


@router.get("/api/schedules/{schedule}/shifts", summary="List a schedule's shifts", response_model=list[ShiftShown])
async def schedule_shifts(
    schedule: Id,
    caller: Reader,
    desk: AtDesk,
    access: Knows,
    since: Annotated[AwareDatetime | None, Query(alias="from")] = None,
    until: Annotated[AwareDatetime | None, Query()] = None,
    plain: Annotated[bool, Query(alias="exclude-overrides")] = False,
) -> Response:
    """From the start of last month, for three months, when nothing else is said; what is past as it was."""
    versions = await desk.schedules.versions(schedule, caller)
    start = since or _last_month(desk.clock.now(), versions[-1].timezone)
    window = _window(start, until or _three_months_after(start), LONGEST_WINDOW)
    found = recorded_shifts(versions, window.start, window.end, overrides=not plain)
    return answer([ShiftShown.of(shift, access) for shift in found])


@router.get(
    "/api/schedules/{schedule}/overrides", summary="List a schedule's overrides", response_model=list[OverrideShown]
)
async def overrides(schedule: Id, caller: Reader, desk: AtDesk, access: Knows) -> Response:
    found = await desk.schedules.get(schedule, caller)
    in_time = sorted(found.overrides, key=lambda one: one.start)
    return answer([OverrideShown.of(override, access) for override in in_time])


@router.put("/api/schedules/{schedule}/overrides", summary="Add an override to a schedule", response_model=ScheduleRel)
@router.post("/api/schedules/{schedule}/overrides", summary="Add an override to a schedule", response_model=ScheduleRel)
async def add_override(schedule: Id, body: ShiftBody, caller: Reader, desk: AtDesk) -> Response:
    changed = await desk.schedules.override(schedule, body, caller)
    return answer(ScheduleRel.of(schedule, changed))


@router.delete(
    "/api/schedules/{schedule}/overrides/{override}", summary="Take an override away, or end it now", status_code=204
)
async def drop_override(schedule: Id, override: Id, caller: Reader, desk: AtDesk) -> Response:
    await desk.schedules.drop_override(schedule, override, caller)
    return no_content()


@router.get(
    "/api/schedules/{schedule}/user-on-call",
    summary="Get who is on call by a schedule now",
    response_model=ShiftShown,
    responses={204: {"description": "Nobody is on call"}},
)
async def user_on_call(schedule: Id, caller: Reader, desk: AtDesk, access: Knows) -> Response:
    duty = who(await desk.schedules.get(schedule, caller), desk.clock.now())
    return no_content() if isinstance(duty, Gap) else answer(ShiftShown.of(duty, access))


def _whole(schedule: ScheduleChanged, include: frozenset[str], now: datetime, access: Access) -> ScheduleResource:
    """Layers and shifts are always there: what was written can be read back."""
    return _listed(schedule, include | {"scheduleLayers", "shifts"}, now, access)


def _listed(schedule: ScheduleChanged, include: frozenset[str], now: datetime, access: Access) -> ScheduleResource:
    duty = who(schedule, now)
    current = duty if isinstance(duty, OnCall) else None
    return ScheduleResource.of(
        schedule,
        access,
        layers="scheduleLayers" in include,
        shifts="shifts" in include,
        since=None if "past" in include else now,
        current=current if "currentShift" in include else None,
        following=_following(schedule, duty, now) if "nextShift" in include else None,
    )


def _following(schedule: ScheduleChanged, duty: OnCall | Gap, now: datetime) -> OnCall | None:
    """The shift after the present one or the present gap, within a year."""
    while duty.end is not None and duty.end < now + NEXT_WITHIN:
        duty = who(schedule, duty.end)
        if isinstance(duty, OnCall):
            return duty
    return None


def _refuse_gaps(body: ScheduleBody, *, abort: bool) -> None:
    if abort and body.has_gaps():
        raise Refused(Refusal("SCHEDULE_HAS_GAPS", "shifts: nobody is on call between some of them"))


def _last_month(now: datetime, timezone: str) -> datetime:
    """The beginning of last month on the schedule's calendar."""
    local = now.astimezone(zone_of(timezone))
    first = local.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return (first - timedelta(days=1)).replace(day=1).astimezone(UTC)


def _three_months_after(start: datetime) -> datetime:
    return months_later(start, 3) if start.year in YEARS else start


def _window(start: datetime, end: datetime, longest: timedelta) -> Window:
    if start.year not in YEARS or end.year not in YEARS:
        raise invalid_field("from" if start.year not in YEARS else "until", "must lie between the years 1970 and 2200")
    if end < start:
        raise invalid_field("until", "must not be before from")
    if end - start > longest:
        raise invalid_field("until", f"must be at most {longest.days} days after from")
    return Window(start.astimezone(UTC), end.astimezone(UTC))


# -- on call


@dataclass(frozen=True)
class Filters:
    """Which duties are asked for; None is no restriction. `levels`: of these policies these levels only."""

    policies: frozenset[int] | None
    levels: frozenset[tuple[int, int]] | None
    schedules: frozenset[int] | None
    users: frozenset[int] | None

    def admits(self, duty: Duty) -> bool:
        return self._place(duty) and _within(duty.user, self.users) and self._schedule(duty)

    def _place(self, duty: Duty) -> bool:
        if duty.policy is None:
            return self.policies is None and self.levels is None
        level = (duty.policy.policy, duty.level or 0)
        named_level = self.levels is not None and level in self.levels
        named_policy = self.policies is not None and duty.policy.policy in self.policies
        return named_level or named_policy or (self.levels is None and self.policies is None)

    def _schedule(self, duty: Duty) -> bool:
        return self.schedules is None or (duty.schedule is not None and duty.schedule.schedule in self.schedules)


def _within(number: int, wanted: frozenset[int] | None) -> bool:
    return wanted is None or number in wanted


@router.get("/api/on-calls", summary="List who is on call", response_model=list[OnCallResource])
async def on_calls(
    caller: Reader,
    page: Annotated[Page, Depends(paging(default=50, cap=250))],
    desk: AtDesk,
    access: Knows,
    policies: Ids = None,
    schedules: Ids = None,
    users: Ids = None,
    levels: Annotated[list[str] | None, Query(alias="policy-levels")] = None,
    expand: Annotated[list[str] | None, Query()] = None,
    since: Annotated[AwareDatetime | None, Query(alias="from")] = None,
    until: Annotated[AwareDatetime | None, Query()] = None,
    timezone: Annotated[str, Query(max_length=64)] = "UTC",
) -> Response:
    """Who has which duty now, or in a window of at most three months."""
    if timezone not in zones():
        raise invalid_field("timezone", "must be an IANA time zone such as Europe/Berlin")
    duties = await desk.policies.duties(caller)
    start = since or until or duties.at
    window = _window(start, until or start, THREE_MONTHS)
    filters = Filters(_set(policies), _levels(levels), _set(schedules), _set(users))
    found = [duty for duty in _all_duties(duties, access, window) if filters.admits(duty)]
    shown = [_on_call(duty, frozenset(expand or ()), timezone, duties, access) for duty in found]
    return answer(page.of(in_order(shown)))


def _all_duties(duties: Duties, access: Access, window: Window) -> Iterator[Duty]:
    """By policy; and by schedule, where no policy names it."""
    staffing = staffing_of(duties, access)
    for one in duties.policies:
        yield from duties_of(one, staffing, window)
    for schedule in duties.schedules:
        if not duties.of_schedule(schedule.schedule):
            yield from schedule_duties(schedule, window)


def staffing_of(duties: Duties, access: Access) -> Staffing:
    schedules = {one.schedule: one for one in duties.schedules}
    return Staffing(schedules, {team.team: tuple(member.user for member in team.members) for team in access.teams()})


def _on_call(duty: Duty, expand: frozenset[str], timezone: str, duties: Duties, access: Access) -> OnCallResource:
    zone = zone_of(timezone)
    return OnCallResource(
        user=UserShown.of(duty.user, access) if "user" in expand else access.user_rel(duty.user),
        escalation_policy=_shown_policy(duty.policy, expand, duties, access),
        schedule=ScheduleRel.of(duty.schedule.schedule, duty.schedule) if duty.schedule else None,
        start=duty.start.astimezone(zone),
        end=duty.end.astimezone(zone) if duty.end else None,
        escalation_level=duty.level,
    )


def _shown_policy(
    policy: PolicyChanged | None, expand: frozenset[str], duties: Duties, access: Access
) -> PolicyRel | PolicyResource | None:
    if policy is None:
        return None
    if expand & {"policy", "escalationPolicy"}:
        return PolicyResource.of(policy, access, duties.schedule)
    return PolicyRel(id=policy.policy, name=policy.name)


def _set(numbers: list[int] | None) -> frozenset[int] | None:
    return frozenset(numbers) if numbers else None


def _levels(texts: list[str] | None) -> frozenset[tuple[int, int]] | None:
    """Each text is `{"id": 12, "level": 1}` or a list of such."""
    if not texts:
        return None
    found = [entry for text in texts for entry in _listed_json(text)]
    try:
        return frozenset((int(entry["id"]), int(entry["level"])) for entry in found)
    except (KeyError, TypeError, ValueError):
        raise invalid_field("policy-levels", 'must be JSON such as {"id": 12, "level": 1}') from None


def _listed_json(text: str) -> list[Any]:
    try:
        read = json.loads(text)
    except (ValueError, RecursionError):
        raise invalid_field("policy-levels", 'must be JSON such as {"id": 12, "level": 1}') from None
    return read if isinstance(read, list) else [read]
