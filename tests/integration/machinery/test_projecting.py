"""A persisted projection under FastStream: the promises of a deciding reader, though somebody else drives it."""

import asyncio
from collections.abc import AsyncIterator, Sequence

import pytest_asyncio

from runtime.projection import Projecting
from runtime.records import Received
from runtime.restore import Restore
from runtime.role import DIED
from runtime.subscription import React
from runtime.unit import Unit
from tests.integration.machinery import echo
from tests.integration.machinery.conftest import READER, Bench, Process


class Projections:
    """Processes of the toy service whose reader is a projection."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench

    async def process(self, replica: str = "0", react: React = echo.react) -> Process:
        shell = await self._bench.shell(replica)
        projecting = Projecting(shell, reader=READER, topics=[echo.HEARD], react=react)
        process = Process(shell, [Restore(shell, [echo.SAID]), shell.relay, projecting])
        self._bench.processes.append(process)
        return await process.start()


@pytest_asyncio.fixture
async def projections(bench: Bench) -> AsyncIterator[Projections]:
    yield Projections(bench)


async def test_what_was_there_before_it_started_is_read_once_and_in_order(
    bench: Bench, projections: Projections
) -> None:
    await bench.say(1, "one", "two")
    await projections.process()
    await bench.say(1, "three")
    await bench.until_said(1, "one", "two", "three")


async def test_a_restarted_projection_goes_on_where_its_transaction_was(bench: Bench, projections: Projections) -> None:
    first = await projections.process()
    await bench.say(1, "one")
    await bench.until_said(1, "one")
    await first.stop()
    await bench.say(1, "two")
    await projections.process()
    await bench.until_said(1, "one", "two")


async def test_a_crash_before_the_commit_leaves_nothing_and_loses_nothing(
    bench: Bench, projections: Projections
) -> None:
    reached, stuck = asyncio.Event(), asyncio.Event()

    async def dies_before_commit(unit: Unit, batch: Sequence[Received]) -> None:
        await echo.react(unit, batch)
        reached.set()
        await stuck.wait()

    doomed = await projections.process(react=dies_before_commit)
    await bench.say(1, "one")
    await reached.wait()
    await doomed.stop()
    assert await bench.said() == []
    await projections.process()
    await bench.until_said(1, "one")


async def test_poison_parks_its_stream_and_does_not_come_again_and_again(
    bench: Bench, projections: Projections
) -> None:
    tried: list[str] = []

    async def counts(unit: Unit, batch: Sequence[Received]) -> None:
        tried.extend(str(getattr(received.envelope.event, "content", "")) for received in batch)
        await echo.react(unit, batch)

    process = await projections.process(react=counts)
    await bench.say(1, "poison", "behind")
    await bench.say(2, "one")
    await bench.until_said(2, "one")

    async def parked() -> set[str]:
        async with process.shell.ledger.begin() as tx:
            return await tx.parked(READER, ["alert-1", "alert-2"])

    assert await bench.until(parked) == {"alert-1"}
    assert tried.count("poison") <= 4  # FastStream's own answer would be to seek back without end


async def test_an_error_that_nobody_handles_ends_the_process(bench: Bench, projections: Projections) -> None:
    """FastStream would log it and take the next batch."""
    died: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    asyncio.get_running_loop().set_exception_handler(
        lambda _loop, context: died.set_result(context[DIED]) if DIED in context and not died.done() else None
    )
    process = await projections.process()

    async def breaks(*_arguments: object) -> None:
        raise MemoryError("beyond repair")

    process.parts[-1].batch = breaks  # type: ignore[attr-defined]
    await bench.say(1, "one")
    assert await asyncio.wait_for(died, 60) == f"reader {READER}"
    assert await bench.said() == []


async def test_it_lives_through_a_frozen_broker(bench: Bench, projections: Projections) -> None:
    await projections.process()
    await bench.say(1, "one")
    await bench.until_said(1, "one")
    await bench.world.freeze_broker()
    await asyncio.wait({asyncio.ensure_future(asyncio.sleep(0.5))})
    await bench.world.thaw_broker()
    await bench.say(1, "two")
    await bench.until_said(1, "one", "two")
