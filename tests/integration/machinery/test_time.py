"""Time as a command, and the gate before it: never before the newest news is known (docs/promises.md)."""

import asyncio
from collections.abc import Sequence

from runtime.gate import Gate, GatePassed, GateTimedOut
from runtime.records import Received
from runtime.unit import Unit
from tests.integration.machinery import echo
from tests.integration.machinery.conftest import READER, Bench


async def test_a_deadline_fires_once_however_many_replicas_tick(bench: Bench) -> None:
    await bench.process("0")
    await bench.process("1")
    await bench.say(1, "later")
    await bench.until_said(1, "later", "time passed")
    await bench.say(1, "done")
    await bench.until_said(1, "later", "time passed", "done")


async def test_a_deadline_that_was_lifted_before_never_fires(bench: Bench) -> None:
    await bench.process()
    await bench.say(1, "later", "never mind")
    await bench.say(2, "later")
    await bench.until_said(2, "later", "time passed")
    assert await bench.reasons(1) == ["later", "never mind"]


async def test_a_deadline_that_came_while_nobody_ran_fires_at_the_start(bench: Bench) -> None:
    first = await bench.process(ticks=False)
    await bench.say(1, "later")
    await bench.until_said(1, "later")
    await first.stop()
    await asyncio.sleep(echo.LATER.total_seconds())
    await bench.process()
    await bench.until_said(1, "later", "time passed")


async def test_time_waits_for_news_that_the_broker_has_acknowledged(bench: Bench) -> None:
    """The reader is held up while a deadline comes; the news that lifts it was acknowledged before it."""
    held_up, go_on = asyncio.Event(), asyncio.Event()

    async def slow(unit: Unit, batch: Sequence[Received]) -> None:
        if any(received.envelope.version == 2 for received in batch):
            held_up.set()
            await go_on.wait()
        await echo.react(unit, batch)

    await bench.process(react=slow)
    await bench.say(1, "later")
    await bench.until_said(1, "later")
    await bench.say(1, "never mind")
    await held_up.wait()
    await asyncio.sleep(2 * echo.LATER.total_seconds())
    assert await bench.reasons(1) == ["later"]
    go_on.set()
    await bench.until_said(1, "later", "never mind")


async def test_a_gate_that_cannot_know_in_time_says_so(bench: Bench) -> None:
    shell = await bench.shell()
    await bench.say(1, "never read")
    verdict = await Gate(shell, READER, [echo.HEARD], patience_s=0.2).pass_()
    assert isinstance(verdict, GateTimedOut)
    assert sum(verdict.behind.values()) == 1


async def test_a_gate_before_silence_is_open(bench: Bench) -> None:
    shell = await bench.shell()
    assert await Gate(shell, READER, [echo.HEARD]).pass_() == GatePassed()


async def test_the_gate_waits_without_limit_while_the_broker_is_away(bench: Bench) -> None:
    shell = await bench.shell()
    await bench.world.freeze_broker()
    passing = asyncio.create_task(Gate(shell, READER, [echo.HEARD], patience_s=0.1).pass_())
    await asyncio.sleep(1)
    assert not passing.done()
    await bench.world.thaw_broker()
    assert await passing == GatePassed()
