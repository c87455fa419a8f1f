"""When the shifts ahead are told: in come a unit of work and schedules, out go `shifts.planned` events in the same unit.

At every change of a schedule, once a day by time, and at the start for schedules that were never planned.
"""

import asyncio
from collections.abc import Iterable
from functools import partial
from typing import Final

from escalator import indexes
from escalator.domain import schedule as schedules
from escalator.domain.shifts import Plan, Unplanned
from escalator.streams import SCHEDULE, SHIFTS
from runtime.ports import Unavailable
from runtime.role import Background
from runtime.shell import Shell
from runtime.unit import Unit

RETRY_S: Final = 1.0
AT_ONCE: Final = 100
"""A few at a time, so that no unit grows large."""


async def plan(unit: Unit, numbers: Iterable[int]) -> None:
    """Plan these schedules as they stand in this unit. The shifts' rows are locked first: the last word has the newest schedule."""
    wanted = sorted(set(numbers))
    await unit.load(SHIFTS, wanted)
    known = await unit.peek(SCHEDULE, wanted)
    for number in wanted:
        found = known[SCHEDULE.stream(number)]
        now = found.state.now if isinstance(found.state, schedules.Kept) else None
        unit.decide(SHIFTS, number, Plan(number, now, found.version or None, unit.at))


async def unplanned(unit: Unit) -> list[int]:
    """The schedules of whose shifts nothing was said yet: those that were made before shifts were told."""
    every = await indexes.ids_in(unit, indexes.SCHEDULES)
    known = await unit.peek(SHIFTS, every)
    return [number for number in every if isinstance(known[SHIFTS.stream(number)].state, Unplanned)]


class FirstPlans:
    """A part that plans, once at its start, what was never planned."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._background = Background()

    async def start(self) -> None:
        self._background.once(self._run(), f"{self._shell.service}.first_plans")

    async def stop(self) -> None:
        await self._background.stop()

    def ready(self) -> str | None:
        """Nobody waits for it."""
        return None

    async def _run(self) -> None:
        while True:
            await self._shell.opened.wait()
            try:
                waiting = await self._shell.run(unplanned)
                for first in range(0, len(waiting), AT_ONCE):
                    await self._shell.run(partial(plan, numbers=waiting[first : first + AT_ONCE]))
                return
            except Unavailable as away:
                self._shell.log.info("first plans wait", reason=str(away))
                await asyncio.sleep(RETRY_S)
