"""The relay on real Postgres: leadership goes with the leader's connection, and two processes publish in one order."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest_asyncio
import structlog

from runtime.clock import SystemClock
from runtime.ledger_postgres import RELAY_LOCK, PostgresLedger
from runtime.migrate import migrate_database
from runtime.relay import Relay
from tests.integration.relay.wire import FakeProducer, Wire, decide

Started = tuple[PostgresLedger, Relay]
Start = Callable[[], Awaitable[Started]]


@pytest_asyncio.fixture
async def start(database: str, wire: Wire) -> AsyncIterator[Start]:
    """Starts one more process of the service."""
    await migrate_database(database)
    made: list[Started] = []

    async def start() -> Started:
        ledger = PostgresLedger(database)
        relay = Relay(ledger, FakeProducer(wire), structlog.get_logger(), SystemClock())
        made.append((ledger, relay))
        await ledger.listen(relay.wake)
        await relay.start()
        return made[-1]

    yield start
    for ledger, relay in made:
        await relay.stop()
        await ledger.stop()


async def test_processes_that_write_the_same_streams_publish_them_whole_and_in_order(start: Start, wire: Wire) -> None:
    processes = [await start(), await start()]

    async def write(ledger: PostgresLedger, relay: Relay, name: str) -> None:
        for number in range(20):
            await decide(ledger, f"{name}/{number}", stream=f"alert-{number % 3}")
            relay.wake()
            assert await relay.acknowledged(30)

    await asyncio.gather(*(write(*process, name) for process in processes for name in "ab"))
    assert len(wire.log) == 80
    async with processes[0][0].begin() as tx:
        for stream in ("alert-0", "alert-1", "alert-2"):
            decided = [line.body for line in await tx.history(stream)]
            assert [message.value for message in wire.log if message.key == stream] == decided


async def test_when_the_leaders_connection_is_cut_the_relays_go_on_and_nothing_is_lost(
    start: Start, wire: Wire, database: str
) -> None:
    processes = [await start(), await start()]
    person = await asyncpg.connect(database)
    for number in range(5):
        ledger, relay = processes[number % 2]
        await decide(ledger, str(number))
        relay.wake()
        await person.execute(
            "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and objid = $1", RELAY_LOCK
        )
        assert await relay.acknowledged(30)
    await person.close()
    assert wire.first_seen() == [str(number).encode() for number in range(5)]
    async with asyncio.timeout(30):
        while sum(relay.leads for _, relay in processes) != 1:
            await asyncio.sleep(0.02)
