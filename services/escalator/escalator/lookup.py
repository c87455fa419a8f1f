"""Policies and schedules as they stand: in come a unit of work and ids, out come states. Nothing is locked."""

from collections.abc import Iterable, Sequence

from escalator import indexes
from escalator.domain import policy as policies
from escalator.domain import schedule as schedules
from escalator.roster import ScheduleSeen
from escalator.streams import POLICY, SCHEDULE
from events.envelope import decode
from events.escalator import PolicyChanged, ScheduleChanged
from runtime.unit import Unit


async def looked_up(unit: Unit, wanted: Iterable[int]) -> dict[int, ScheduleSeen]:
    """Schedules with their versions, those that are gone too."""
    wanted = set(wanted)
    known = await unit.peek(SCHEDULE, wanted)
    found = {number: known[SCHEDULE.stream(number)] for number in wanted}
    return {number: ScheduleSeen(one.state, one.version) for number, one in found.items()}


async def every_policy(unit: Unit) -> list[PolicyChanged]:
    """All policies, by id."""
    ids = await indexes.ids_in(unit, indexes.POLICIES)
    known = await unit.peek(POLICY, ids)
    states = [known[POLICY.stream(number)].state for number in ids]
    return [state.now for state in states if isinstance(state, policies.Kept)]


async def every_schedule(unit: Unit) -> list[ScheduleChanged]:
    """All schedules, by id."""
    ids = await indexes.ids_in(unit, indexes.SCHEDULES)
    known = await unit.peek(SCHEDULE, ids)
    states = [known[SCHEDULE.stream(number)].state for number in ids]
    return [state.now for state in states if isinstance(state, schedules.Kept)]


async def versions_of(unit: Unit, schedule: int) -> Sequence[ScheduleChanged]:
    """A schedule as it ever was, oldest first; empty when there is none."""
    lines = await unit.tx.history(SCHEDULE.stream(schedule))
    events = [decode(line.body).event for line in lines if line.body is not None]
    return [event for event in events if isinstance(event, ScheduleChanged)]


def schedules_of(policy: PolicyChanged) -> set[int]:
    """The schedules that a policy names."""
    return {target.schedule for rule in policy.rules for target in rule.targets if target.schedule is not None}
