"""A unit of work: its answer comes after the broker's, a newer meaning folds anew, and what only newer code knows is refused."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import pytest
import pytest_asyncio

from events.core import Decider, Event
from events.envelope import Envelope, encode
from events.escalator import EscalationHalted
from runtime.ledger_memory import MemoryLedger, Step
from runtime.ports import Line, Place, Unavailable
from runtime.unit import NewerEvents, Unit
from tests.integration.machinery import echo
from tests.integration.machinery.conftest import READER, Bench, MemoryWorld

NOW = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)


async def hear(unit: Unit) -> None:
    await unit.load(echo.ECHO, [1])
    unit.decide(echo.ECHO, 1, echo.Hear(1, 1, "one", unit.at))


async def test_a_write_answers_when_the_broker_has_its_event(bench: Bench) -> None:
    process = await bench.process(reads=False, ticks=False)
    await process.shell.do(hear)
    assert await bench.reasons(1) == ["one"]


async def test_a_write_does_not_wait_for_a_broker_that_is_away_and_its_event_goes_out_later(bench: Bench) -> None:
    process = await bench.process(reads=False, ticks=False)
    await process.shell.opened.wait()
    await bench.world.freeze_broker()
    async with asyncio.timeout(10):
        await process.shell.do(hear)
    await bench.world.thaw_broker()
    await bench.until_said(1, "one")


def counted(state: echo.State, event: Event) -> echo.State:
    """Another meaning of the same events: everything that was heard counts tenfold."""
    after = echo.evolve(state, event)
    return replace(after, heard=after.heard + 9) if isinstance(after, echo.Echoing) else after


async def test_a_state_that_other_code_cached_is_folded_again(bench: Bench) -> None:
    process = await bench.process(reads=False, ticks=False)
    await process.shell.do(hear)
    decider: Decider[echo.State, echo.Hear | echo.Tick] = replace(echo.ECHO.decider, evolve=counted)
    same, newer = replace(echo.ECHO, decider=decider), replace(echo.ECHO, decider=decider, state_rev=2)

    async def heard(unit: Unit) -> list[int]:
        states = [(await unit.peek(kind, [1]))["escalation-1"].state for kind in (same, newer)]
        return [state.heard for state in states if isinstance(state, echo.Echoing)]

    assert await process.shell.run(heard) == [1, 10]


async def test_a_stream_with_an_event_that_only_newer_code_knows_takes_no_command(bench: Bench) -> None:
    process = await bench.process(reads=False, ticks=False)
    event = EscalationHalted(alert=1, alert_version=1, reason="one", at=NOW)
    body = encode(Envelope(event, "escalation-1", 1, "echo")).replace(b"escalation.halted", b"escalation.dreamt")
    await process.shell.ledger.adopt([Line("escalation-1", 1, echo.SAID, "alert-1", "escalation.dreamt", body)])
    with pytest.raises(NewerEvents, match="newer code"):
        await process.shell.run(hear)
    assert await bench.said() == []


class Stuck:
    """The relay cannot reach the base, until it is let go."""

    def __init__(self) -> None:
        self.holds, self.refused = True, 0

    def __call__(self, step: Step) -> None:
        if self.holds and step == "relay":
            self.refused += 1
            raise Unavailable("the relay is held")


@pytest_asyncio.fixture
async def memory() -> AsyncIterator[Bench]:
    bench = Bench(MemoryWorld())
    yield bench
    await bench.close()


async def test_the_group_is_told_of_a_position_only_when_what_was_decided_there_is_out(memory: Bench) -> None:
    ledger, stuck = await memory.world.ledger(), Stuck()
    assert isinstance(ledger, MemoryLedger)
    ledger.fault = stuck
    process = await memory.process(ledger=ledger, ticks=False)
    told: dict[Place, int] = {}
    reader = process.parts[2]._reader  # type: ignore[attr-defined]
    commit = reader.commit

    async def listening(offsets: dict[Place, int]) -> None:
        await commit(offsets)
        told.update(offsets)

    reader.commit = listening
    await memory.say(1, "one")

    async def decided() -> bool:
        return sum((await ledger.positions(READER)).values()) == 1

    await memory.until(decided, "the decision")
    enough = stuck.refused + 10  # the relay tries five times a second; the reader waits a second for its outputs

    async def tried_in_vain() -> bool:
        return stuck.refused >= enough

    await memory.until(tried_in_vain, "ten attempts of the relay")
    assert told == {}
    assert await memory.said() == []
    stuck.holds = False
    await memory.until_said(1, "one")
    await memory.say(2, "two")

    async def is_told() -> bool:
        return sum(told.values()) == 2

    await memory.until(is_told, "the group told")
