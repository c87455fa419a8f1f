"""Units of work on on-call schedules: in come wishes of people, out go events and index entries. Refusals are raised as `Refused`."""

from collections.abc import Sequence
from datetime import datetime

from escalator import indexes
from escalator.bodies import ScheduleBody, ShiftBody, ids
from escalator.domain.schedule import AddOverride, Delete, Kept, RemoveOverride, Set
from escalator.lookup import every_policy, schedules_of, versions_of
from escalator.planning import plan
from escalator.references import References, owners, users_of_layers, users_of_shifts
from escalator.streams import SCHEDULE, SHIFTS
from events.accounts import Role
from events.core import Refusal
from events.escalator import Override, ScheduleChanged, ScheduleType
from runtime.access import Access, Caller
from runtime.refusals import Refused, forbidden, granted, invalid_field, missing
from runtime.shell import Shell
from runtime.unit import Unit


class Schedules:
    """What can be asked and done about schedules, by whom."""

    def __init__(self, shell: Shell, references: References) -> None:
        self._shell = shell
        self._references = references

    @property
    def access(self) -> Access:
        return self._references.access

    async def get(self, schedule: int, caller: Caller) -> ScheduleChanged:
        """Raises `Refused` when it is not there, or not the caller's to see."""
        return (await self.versions(schedule, caller))[-1]

    async def versions(self, schedule: int, caller: Caller) -> Sequence[ScheduleChanged]:
        """The schedule as it ever was, oldest first, the present last. Raises `Refused` as `get`."""

        async def find(unit: Unit) -> Sequence[ScheduleChanged]:
            state = (await unit.peek(SCHEDULE, [schedule]))[SCHEDULE.stream(schedule)].state
            return await versions_of(unit, schedule) if isinstance(state, Kept) else ()

        found = await self._shell.run(find)
        if not found or not self.access.may_see(caller, found[-1].teams):
            raise missing(f"There is no schedule {schedule}")
        return found

    async def create(self, body: ScheduleBody, caller: Caller) -> ScheduleChanged:
        if body.timezone is None:
            raise invalid_field("timezone", "is required")
        self._only_writers(caller, ids(body.teams))
        await self._check(body)
        timezone, kind = body.timezone, body.kind

        async def work(unit: Unit) -> ScheduleChanged:
            [schedule] = await unit.draw("schedule")
            unit.fresh(SCHEDULE, schedule)
            unit.fresh(SHIFTS, schedule)
            return await _set(unit, _schedule_of(schedule, body, timezone, kind, unit.at))

        return await self._shell.do(work)

    async def change(self, schedule: int, body: ScheduleBody, caller: Caller) -> ScheduleChanged:
        """Replace everything about a schedule but its overrides, its zone and its type."""
        known = await self.get(schedule, caller)
        self._only_writers(caller, known.teams, ids(body.teams))
        await self._check(body)
        timezone, kind = body.timezone or known.timezone, body.kind if _says_type(body) else known.type

        async def work(unit: Unit) -> ScheduleChanged:
            await unit.load(SCHEDULE, [schedule])
            return await _set(unit, _schedule_of(schedule, body, timezone, kind, unit.at))

        return await self._shell.do(work)

    async def remove(self, schedule: int, caller: Caller) -> None:
        """Refused with the list while policies name it."""
        self._only_writers(caller, (await self.get(schedule, caller)).teams)

        async def work(unit: Unit) -> None:
            await unit.load(SCHEDULE, [schedule])
            naming = [one for one in await every_policy(unit) if schedule in schedules_of(one)]
            if used := [f"«{one.name}» ({one.policy})" for one in naming]:
                raise Refused(Refusal("IN_USE", f"Escalation policies use this schedule: {', '.join(used)}"))
            granted(unit.decide(SCHEDULE, schedule, Delete(unit.at)))
            unit.put(indexes.SCHEDULES, {indexes.padded(schedule): None})
            await plan(unit, [schedule])

        await self._shell.do(work)

    async def override(self, schedule: int, body: ShiftBody, caller: Caller) -> ScheduleChanged:
        """Put a shift on top. Who may not change the schedule may put themselves on it."""
        known = await self.get(schedule, caller)
        if body.user.id != caller.user and not self.may_write(caller, known.teams):
            raise forbidden("You may only put yourself on call; to put others there needs the role USER")
        await self._references.check_users([("user.id", body.user.id)], on_schedule=True)

        async def work(unit: Unit) -> ScheduleChanged:
            await unit.load(SCHEDULE, [schedule])
            [number] = await unit.draw("override")
            override = Override(override=number, by=caller.user, user=body.user.id, start=body.start, end=body.end)
            granted(unit.decide(SCHEDULE, schedule, AddOverride(override, unit.at)))
            await plan(unit, [schedule])
            return _now(unit, schedule)

        return await self._shell.do(work)

    async def drop_override(self, schedule: int, number: int, caller: Caller) -> None:
        """Who may not change the schedule may take their own duty back, or what they added."""
        known = await self.get(schedule, caller)
        mine = any(one.override == number and caller.user in (one.user, one.by) for one in known.overrides)
        if not mine and not self.may_write(caller, known.teams):
            raise forbidden("You may only take away your own override")

        async def work(unit: Unit) -> None:
            await unit.load(SCHEDULE, [schedule])
            granted(unit.decide(SCHEDULE, schedule, RemoveOverride(number, unit.at)))
            await plan(unit, [schedule])

        await self._shell.do(work)

    def may_write(self, caller: Caller, *owners: tuple[int, ...]) -> bool:
        """Users and up, by the role that counts for each set of owning teams."""
        return all(self.access.role_in(caller, teams) in (Role.USER, Role.ADMIN) for teams in owners)

    def _only_writers(self, caller: Caller, *owners: tuple[int, ...]) -> None:
        if not self.may_write(caller, *owners):
            raise forbidden(f"This needs the role {Role.USER}; you have {caller.role}")

    async def _check(self, body: ScheduleBody) -> None:
        named = [*users_of_layers(body.layers), *users_of_shifts(body.static_shifts)]
        await self._references.check_users(named, on_schedule=True)
        await self._references.check_teams(owners(ids(body.teams)))


def _says_type(body: ScheduleBody) -> bool:
    return body.type is not None or bool(body.shifts) or bool(body.schedule_layers)


async def _set(unit: Unit, schedule: ScheduleChanged) -> ScheduleChanged:
    granted(unit.decide(SCHEDULE, schedule.schedule, Set(schedule)))
    unit.put(indexes.SCHEDULES, {indexes.padded(schedule.schedule): schedule.name})
    await plan(unit, [schedule.schedule])
    return _now(unit, schedule.schedule)


def _now(unit: Unit, schedule: int) -> ScheduleChanged:
    state = unit.state(SCHEDULE, schedule)
    assert isinstance(state, Kept)
    return state.now


def _schedule_of(schedule: int, body: ScheduleBody, timezone: str, kind: ScheduleType, at: datetime) -> ScheduleChanged:
    return ScheduleChanged(
        schedule=schedule,
        name=body.name,
        timezone=timezone,
        type=kind,
        layers=body.layers,
        shifts=body.static_shifts,
        show_gaps=bool(body.show_gaps),
        default_shift_duration=body.default_shift_duration,
        teams=ids(body.teams),
        at=at,
    )
