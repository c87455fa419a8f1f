"""Time as a command, and the gate before it: never before the newest news is known (docs/promises.md)."""

import asyncio

from runtime.gate import Gate, GatePassed, GateTimedOut
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
    """Nobody has read yet what lifts the deadline when it comes; the broker has had it for long."""
    heard = await bench.process(ticks=False)
    await bench.say(1, "later")
    await bench.until_said(1, "later")
    await heard.stop()
    await bench.say(1, "never mind")
    await bench.process(reads=False)
    await asyncio.sleep(2 * echo.LATER.total_seconds())
    assert await bench.reasons(1) == ["later"]
    await bench.process("1", ticks=False)
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
    await asyncio.sleep(3)  # longer than asking takes to be in vain
    assert not passing.done()
    await bench.world.thaw_broker()
    assert await passing == GatePassed()
