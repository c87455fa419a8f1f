"""What was set aside is handled again in order when a person asks for it, and a reader goes on where a person says."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from runtime import parked
from runtime.parked import NothingParked
from runtime.ports import Parked
from runtime.positions import Where, move
from runtime.projection import Projecting
from runtime.records import Received
from runtime.restore import Restore
from runtime.unit import Unit
from tests.integration.machinery import echo
from tests.integration.machinery.conftest import READER, Bench, Process

NOW = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)


class Physic:
    """The toy's reaction, ill until it is healed."""

    def __init__(self) -> None:
        self.healed = False

    async def react(self, unit: Unit, batch: Sequence[Received]) -> None:
        if self.healed:
            await echo.react(unit, [_harmless(received) for received in batch])
        else:
            await echo.react(unit, batch)


def _harmless(received: Received) -> Received:
    event = received.envelope.event
    cured = event.model_copy(update={"content": event.content.replace("poison", "medicine")})  # type: ignore[attr-defined]
    return replace(received, envelope=replace(received.envelope, event=cured))


async def aside(process: Process) -> list[Parked]:
    async with process.shell.ledger.begin() as tx:
        return await tx.parked_records(READER)


async def with_poison(bench: Bench, physic: Physic) -> Process:
    """A process that has set two records of alert 1 aside, and heard all the rest."""
    process = await bench.process(react=physic.react)
    await bench.say(1, "one", "poison", "behind")
    await bench.say(2, "other")
    await bench.until_said(2, "other")

    async def two_aside() -> bool:
        return len(await aside(process)) == 2

    await bench.until(two_aside, "two records aside")
    return process


async def test_a_replay_decides_what_was_set_aside_in_order_and_the_stream_goes_on(bench: Bench) -> None:
    physic = Physic()
    process = await with_poison(bench, physic)
    physic.healed = True
    assert await parked.ask(process.shell.ledger, READER, "alert-1", NOW) == 2
    await bench.until_said(1, "one", "medicine", "behind")
    await bench.say(1, "after")
    await bench.until_said(1, "one", "medicine", "behind", "after")
    assert await aside(process) == []
    assert await parked.asked(process.shell.ledger, READER) == []
    assert await bench.reasons(2) == ["other"]


async def test_a_replay_that_fails_again_leaves_everything_aside_with_its_reason(bench: Bench) -> None:
    process = await with_poison(bench, Physic())
    before = await aside(process)
    await parked.ask(process.shell.ledger, READER, "alert-1", NOW)

    async def given_up() -> bool:
        return await parked.asked(process.shell.ledger, READER) == []

    await bench.until(given_up, "the wish dropped")
    after = await aside(process)
    assert [(record.offset, record.body) for record in after] == [(record.offset, record.body) for record in before]
    assert "cannot be heard" in after[0].error
    assert await bench.reasons(1) == ["one"]


async def test_a_process_that_comes_later_sees_the_wish(bench: Bench) -> None:
    process = await with_poison(bench, Physic())
    await process.stop()
    await parked.ask(process.shell.ledger, READER, "alert-1", NOW)
    physic = Physic()
    physic.healed = True
    await bench.process(react=physic.react)
    await bench.until_said(1, "one", "medicine", "behind")


async def test_nothing_is_replayed_where_nothing_was_set_aside(bench: Bench) -> None:
    process = await bench.process()
    with pytest.raises(NothingParked):
        await parked.ask(process.shell.ledger, READER, "alert-1", NOW)
    assert await parked.asked(process.shell.ledger, READER) == []


# -- where a reader goes on


async def lost(bench: Bench, where: Where) -> Process:
    """A ledger that was lost and restored; a person says where its reader goes on, and its process starts."""
    first = await bench.process()
    await bench.say(1, "one", "two")
    await bench.until_said(1, "one", "two")
    await first.stop()
    empty = await bench.world.empty_ledger()
    stopped = await bench.process(ledger=empty)

    async def refuses() -> bool:
        return any("runtime.positions" in (part.ready() or "") for part in stopped.parts)

    await bench.until(refuses, "the refusal")
    await stopped.stop()
    await move(empty, await bench.world.broker(), READER, [echo.HEARD], where, datetime.now(UTC))
    return await bench.process(ledger=await bench.world.ledger())


async def test_from_the_end_nothing_old_is_decided_and_the_next_event_is_no_gap(bench: Bench) -> None:
    await lost(bench, "end")
    await bench.say(1, "three")
    await bench.until_said(1, "one", "two", "three")


async def test_from_the_start_everything_is_decided_again(bench: Bench) -> None:
    await lost(bench, "begin")
    await bench.until_said(1, "one", "two", "one", "two")


async def test_a_reader_that_runs_is_moved_too(bench: Bench) -> None:
    process = await bench.process()
    await bench.say(1, "one")
    await bench.until_said(1, "one")
    await move(process.shell.ledger, await bench.world.broker(), READER, [echo.HEARD], "begin", NOW)
    await bench.say(1, "two")
    await bench.until_said(1, "one", "one", "two")


async def test_a_projection_that_set_something_aside_takes_it_in_when_asked(bench: Bench) -> None:
    shell, physic = await bench.shell(), Physic()
    projecting = Projecting(shell, reader=READER, topics=[echo.HEARD], react=physic.react)
    process = Process(shell, [Restore(shell, [echo.SAID]), shell.relay, projecting])
    bench.processes.append(await process.start())
    await bench.say(1, "poison")

    async def one_aside() -> bool:
        return len(await aside(process)) == 1

    await bench.until(one_aside, "a record aside")
    physic.healed = True
    await parked.ask(shell.ledger, READER, "alert-1", NOW)
    await bench.until_said(1, "medicine")
