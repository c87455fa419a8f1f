"""The escalator's small indexes: every policy and schedule there is, by id; and how they are rebuilt from events."""

from collections.abc import Sequence
from typing import Final

from events.envelope import Envelope
from events.escalator import PolicyChanged, PolicyDeleted, ScheduleChanged, ScheduleDeleted
from runtime.unit import Unit

POLICIES: Final = "policies"
SCHEDULES: Final = "schedules"


def padded(number: int) -> str:
    """An id as a key whose order is the order of ids."""
    return f"{number:019}"


async def ids_in(unit: Unit, index: str) -> list[int]:
    """All ids in an index, ascending."""
    return [int(key) for key in await unit.scan(index, "")]


async def reindex(unit: Unit, envelopes: Sequence[Envelope]) -> None:
    """Bring the indexes up to what these events say (after a restore)."""
    for envelope in envelopes:
        match envelope.event:
            case PolicyChanged(policy=policy, name=name):
                unit.put(POLICIES, {padded(policy): name})
            case PolicyDeleted(policy=policy):
                unit.put(POLICIES, {padded(policy): None})
            case ScheduleChanged(schedule=schedule, name=name):
                unit.put(SCHEDULES, {padded(schedule): name})
            case ScheduleDeleted(schedule=schedule):
                unit.put(SCHEDULES, {padded(schedule): None})
            case _:
                pass
