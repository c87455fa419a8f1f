"""Time as a command: streams whose `due_at` has come are told so, set-wise, as soon as it has.

The earliest due instant is remembered (a commit may lower it, a sweep every second refreshes it); we sleep until
then, pass the gate, and tick what is due, again at once while something fired. Several replicas may run.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

from runtime import metrics
from runtime.gate import Gate, GatePassed, GateTimedOut
from runtime.ports import Unavailable
from runtime.role import Background
from runtime.shell import Shell
from runtime.streams import Kind
from runtime.unit import Unit

Due = Sequence[tuple[Kind[Any, Any], str]]
Tick = Callable[[Unit, Due, GatePassed | GateTimedOut], Awaitable[None]]

SWEEP_S = 1.0
LIMIT = 500


class Ticks:
    """Runs `tick(unit, due, gate)`; the due streams are locked and loaded in the unit."""

    def __init__(self, shell: Shell, tick: Tick, gate: Gate | None = None) -> None:
        self._shell = shell
        self._tick = tick
        self._gate = gate
        self._background = Background()
        self.lag_s = 0.0

    async def start(self) -> None:
        self._background.forever(self._run(), f"{self._shell.service}.ticks")

    async def stop(self) -> None:
        await self._background.stop()

    def ready(self) -> str | None:
        return None

    async def _run(self) -> None:
        while True:
            try:
                await self._sleep_until_due()
                await self._fire_all()
            except Unavailable as away:
                self._shell.log.warning("ticks.wait", reason=str(away))
                await asyncio.sleep(SWEEP_S)

    async def _sleep_until_due(self) -> None:
        """Until the earliest instant, a commit that may have lowered it, or the sweep."""
        due = self._shell.earliest_due = await self._shell.ledger.earliest_due()
        while True:
            wait_s = SWEEP_S if due is None else (due - self._shell.clock.now()).total_seconds()
            if due is not None and wait_s <= 0:
                self.lag_s = -wait_s
                return
            if await self._shell.time_bell.wait(min(wait_s, SWEEP_S)) and self._shell.earliest_due is not None:
                due = self._shell.earliest_due
            else:
                due = self._shell.earliest_due = await self._shell.ledger.earliest_due()

    async def _fire_all(self) -> None:
        """Everything that is due now, batch by batch."""
        while await self._shell.run(partial(self._fire, await self._pass())) >= LIMIT:
            continue

    async def _pass(self) -> GatePassed | GateTimedOut:
        return await self._gate.pass_() if self._gate is not None else GatePassed()

    async def _fire(self, verdict: GatePassed | GateTimedOut, unit: Unit) -> int:
        due = []
        for head in await unit.tx.due(unit.at, LIMIT):
            kind, number = self._shell.kind_of(head.stream)
            if kind is None:
                self._shell.log.error("ticks.unknown_kind", stream=head.stream)
                continue
            await unit.take(kind, head.stream, head)
            due.append((kind, number))
            metrics.TICKED.labels(self._shell.service).inc()
            if head.due_at is not None:
                late_s = (unit.at - head.due_at).total_seconds()
                metrics.TICK_LATE_SECONDS.labels(self._shell.service).observe(max(0.0, late_s))
        if due:
            await self._tick(unit, due, verdict)
            self._postpone_the_idle(unit, due)
        return len(due)

    def _postpone_the_idle(self, unit: Unit, due: Due) -> None:
        """A stream that is due and decides nothing would be due for ever: look again at the next sweep, and say so."""
        for kind, number in due:
            at = kind.decider.due_at(unit.state(kind, number))
            if at is not None and at <= unit.at and kind.stream(number) not in unit.changed:
                self._shell.log.error("ticks.no_progress", stream=kind.stream(number))
                unit.postpone(kind, number, unit.at + timedelta(seconds=30))
