"""Sending something outside: claimed with a lease, attempted, and what became of it is decided as a command again.

At least once: a lease that ran out (its holder died between sending and recording) is given again, and the sender
is told, so that the repeat goes under the same id and is marked. Nothing is claimed before the gate is passed.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Protocol

from runtime import metrics
from runtime.gate import Gate, GatePassed, GateTimedOut
from runtime.ports import Delivery, Unavailable
from runtime.role import Background
from runtime.shell import Shell
from runtime.unit import Unit

LEASE = timedelta(seconds=30)
SENDERS = 20
SWEEP_S = 1.0
FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 10.0


@dataclass(frozen=True)
class Sent:
    """The other side took it; `reply` are its words, `reference` its id of what came of it, `link` where that is seen."""

    reply: str = ""
    link: str | None = None
    reference: str | None = None


@dataclass(frozen=True)
class Later:
    """Not now: the other side is away or asked for patience (`retry_after_s`)."""

    error: str
    retry_after_s: float | None = None


@dataclass(frozen=True)
class Refused:
    """Never: the other side's words."""

    error: str


Result = Sent | Later | Refused


class Sender(Protocol):
    """What a channel does; the engine does the rest."""

    async def wanted(self, unit: Unit, delivery: Delivery) -> bool:
        """Look at the latest state once more, in the claiming transaction. False: it is cancelled; say why in events."""
        ...

    async def send(self, delivery: Delivery) -> Result:
        """One attempt. Must end by itself within the lease."""
        ...

    async def settle(self, unit: Unit, delivery: Delivery, result: Result, next_at: datetime | None) -> None:
        """Decide what became of it. `next_at` is the instant of the next attempt, None when there is none."""
        ...


def pause_s(attempts: int, retry_after_s: float | None) -> float:
    """How long to wait after `attempts` failed ones: 1, 2, 4 … at most 10 s, or what the other side asked for."""
    if retry_after_s is not None:
        return retry_after_s
    return min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(attempts - 1, 10))


class Deliveries:
    """Claims and sends, `SENDERS` at a time, at most one per target."""

    def __init__(self, shell: Shell, sender: Sender, gate: Gate | None = None, senders: int = SENDERS) -> None:
        self._shell = shell
        self._sender = sender
        self._gate = gate
        self._free = senders
        self._busy: set[str] = set()
        self._background = Background()

    async def start(self) -> None:
        self._background.forever(self._run(), f"{self._shell.service}.deliveries")

    async def stop(self) -> None:
        await self._background.stop()

    def ready(self) -> str | None:
        return None

    async def _run(self) -> None:
        while True:
            try:
                await self._sleep_until_due()
                verdict = await self._gate.pass_() if self._gate is not None else GatePassed()
                for delivery in await self._shell.run(partial(self._claim, isinstance(verdict, GateTimedOut))):
                    self._begin(delivery)
            except Unavailable as away:
                self._shell.log.warning("deliveries.wait", reason=str(away))
                await asyncio.sleep(SWEEP_S)

    async def _sleep_until_due(self) -> None:
        """Until something may go and somebody is free to send it."""
        while True:
            due = await self._shell.ledger.earliest_delivery(self._busy) if self._free else None
            wait_s = SWEEP_S if due is None else (due - self._shell.clock.now()).total_seconds()
            if due is not None and wait_s <= 0:
                return
            await self._shell.delivery_bell.wait(min(wait_s, SWEEP_S))

    async def _claim(self, gate_timed_out: bool, unit: Unit) -> Sequence[Delivery]:
        leased = await unit.tx.claim(unit.at, unit.at + LEASE, self._free, self._busy)
        claimed = [replace(delivery, gate_timed_out=gate_timed_out) for delivery in leased]
        wanted = [delivery for delivery in claimed if await self._sender.wanted(unit, delivery)]
        unit.settle(delivery.id for delivery in claimed if delivery not in wanted)
        return wanted

    def _begin(self, delivery: Delivery) -> None:
        self._free -= 1
        self._busy.add(delivery.target)
        self._background.once(self._attempt(delivery), f"delivery {delivery.id}")

    async def _attempt(self, delivery: Delivery) -> None:
        try:
            result = await self._try(delivery)
            self._measure(delivery, result)
            await self._record(replace(delivery, attempts=delivery.attempts + 1), result)
        finally:
            self._free += 1
            self._busy.discard(delivery.target)
            self._shell.delivery_bell.ring()

    async def _try(self, delivery: Delivery) -> Result:
        """A bug that one delivery meets must not take all others down; it is tried again until its deadline."""
        try:
            return await self._sender.send(delivery)
        except Exception as error:
            self._shell.log.exception("delivery.broke", delivery=delivery.id)
            return Later(f"internal error: {type(error).__name__}")

    def _measure(self, delivery: Delivery, result: Result) -> None:
        metrics.DELIVERIES.labels(delivery.channel, type(result).__name__.lower()).inc()
        if isinstance(result, Sent) and delivery.created_at is not None:
            took = self._shell.clock.now() - delivery.created_at
            metrics.DELIVERY_SECONDS.labels(delivery.channel).observe(took.total_seconds())

    async def _record(self, delivery: Delivery, result: Result) -> None:
        """What became of it must be written, however long the base is away: else it would be sent again."""
        while True:
            try:
                await self._shell.run(lambda unit: self._settle(unit, delivery, result))
                return
            except Unavailable as away:
                self._shell.log.warning("deliveries.unrecorded", delivery=delivery.id, reason=str(away))
                await asyncio.sleep(SWEEP_S)

    async def _settle(self, unit: Unit, delivery: Delivery, result: Result) -> None:
        match result:
            case Later(error, retry_after_s):
                next_at = unit.at + timedelta(seconds=pause_s(delivery.attempts, retry_after_s))
                if next_at > delivery.deadline:
                    await self._finish(unit, delivery, Refused(f"gave up after {delivery.attempts} attempts: {error}"))
                else:
                    await self._sender.settle(unit, delivery, result, next_at)
                    await unit.tx.postpone(delivery.id, next_at, delivery.attempts)
            case _:
                await self._finish(unit, delivery, result)

    async def _finish(self, unit: Unit, delivery: Delivery, result: Result) -> None:
        await self._sender.settle(unit, delivery, result, None)
        unit.settle([delivery.id])
