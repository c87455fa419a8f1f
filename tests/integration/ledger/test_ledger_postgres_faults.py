"""Postgres away, killed, frozen, or shared with a process that misbehaves: the ledger says so at once and recovers by itself."""

import asyncio
from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import asyncpg
import pytest
import pytest_asyncio

from launcher.processes import free_port
from runtime.ledger_postgres import RELAY_LOCK, PostgresLedger
from runtime.migrate import migrate_database
from runtime.ports import Conflict, Unavailable
from tests.backend import Backend
from tests.integration.ledger.facts import at, head, line, write

PATIENCE_S = 30  # how long a test waits for what must come; never how long something must take


@pytest_asyncio.fixture
async def migrated(database: str) -> str:
    await migrate_database(database)
    return database


@pytest_asyncio.fixture
async def ledger(migrated: str) -> AsyncIterator[PostgresLedger]:
    made = PostgresLedger(migrated)
    yield made
    await made.stop()


@pytest_asyncio.fixture
async def person(migrated: str) -> AsyncIterator[asyncpg.Connection]:
    """Somebody with psql."""
    connection = await asyncpg.connect(migrated)
    yield connection
    await connection.close()


async def _end_others(person: asyncpg.Connection) -> None:
    await person.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity "
        "where datname = current_database() and pid <> pg_backend_pid()"
    )


async def _everything_is_unavailable(ledger: PostgresLedger) -> None:
    with pytest.raises(Unavailable):
        await write(ledger, line("alert-1", 1))
    with pytest.raises(Unavailable):
        await ledger.lead()
    with pytest.raises(Unavailable):
        await ledger.outbox_lag()
    with pytest.raises(Unavailable):
        await ledger.ping()


async def _until_written(ledger: PostgresLedger) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                return await write(ledger, line("alert-1", 1))
            except Unavailable:
                await asyncio.sleep(0.05)


async def test_a_process_starts_while_nobody_answers_and_says_what_it_waits_for() -> None:
    ledger = PostgresLedger(f"postgresql://postgres@127.0.0.1:{free_port()}/ingest")
    await ledger.start()
    try:
        assert ledger.ready() is not None
        await _everything_is_unavailable(ledger)
    finally:
        await ledger.stop()


async def test_a_server_that_takes_connections_and_says_nothing_is_unavailable() -> None:
    held: list[asyncio.StreamWriter] = []
    server = await asyncio.start_server(lambda _reader, writer: held.append(writer), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    ledger = PostgresLedger(f"postgresql://postgres@127.0.0.1:{port}/ingest")
    try:
        with pytest.raises(Unavailable):
            await write(ledger, line("alert-1", 1))
    finally:
        await ledger.stop()
        for writer in held:
            writer.close()
        server.close()


async def test_a_database_that_was_not_made_yet_is_unavailable_until_it_is(backend: Backend, database: str) -> None:
    missing = urlsplit(database)._replace(path=urlsplit(database).path + "_later").geturl()
    ledger = PostgresLedger(missing)
    await ledger.start()
    try:
        with pytest.raises(Unavailable, match="does not exist"):
            await ledger.ping()
        await migrate_database(missing)
        await _until_written(ledger)
        async with asyncio.timeout(PATIENCE_S):
            while ledger.ready() is not None:
                await asyncio.sleep(0.02)
    finally:
        await ledger.stop()
        await _drop(backend.dsn, missing)


async def _drop(dsn: str, database: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute(f'drop database if exists "{urlsplit(database).path[1:]}" with (force)')
    await connection.close()


async def test_a_connection_that_dies_in_a_transaction_leaves_nothing_behind(
    ledger: PostgresLedger, person: asyncpg.Connection
) -> None:
    async def decide() -> None:
        async with ledger.begin() as tx:
            await tx.append([line("alert-1", 1)], [head("alert-1", 1)])
            await _end_others(person)
            await tx.append([line("alert-1", 2)], [head("alert-1", 2)])

    with pytest.raises(Unavailable):
        await decide()
    assert await person.fetchval("select count(*) from events") == 0
    await _until_written(ledger)
    assert await person.fetchval("select count(*) from events") == 1


async def test_a_connection_that_dies_before_the_commit_leaves_nothing_behind(
    ledger: PostgresLedger, person: asyncpg.Connection
) -> None:
    async def decide() -> None:
        async with ledger.begin() as tx:
            await tx.append([line("alert-1", 1)], [head("alert-1", 1)])
            await _end_others(person)

    with pytest.raises(Unavailable):
        await decide()
    assert await person.fetchval("select count(*) from events") == 0
    assert ledger.written() == 0


async def test_an_idle_pool_whose_connections_died_is_replaced(
    ledger: PostgresLedger, person: asyncpg.Connection
) -> None:
    async with ledger.begin(), ledger.begin(), ledger.begin():
        pass
    await _end_others(person)
    await _until_written(ledger)


async def test_more_work_than_connections_waits_its_turn(ledger: PostgresLedger) -> None:
    async def decide(number: int) -> None:
        async with ledger.begin() as tx:
            await tx.lock([f"alert-{number}"])
            await tx.append([line(f"alert-{number}", 1)], [head(f"alert-{number}", 1)])

    await asyncio.gather(*(decide(number) for number in range(40)))
    assert await ledger.outbox_lag() >= (40, 0)


async def test_leadership_goes_with_its_connection_and_comes_back(
    ledger: PostgresLedger, person: asyncpg.Connection
) -> None:
    assert await ledger.lead()
    await write(ledger, line("alert-1", 1))
    await _end_others(person)
    with pytest.raises(Unavailable):
        await ledger.outbox([], 10)
    assert await ledger.lead()
    assert len(await ledger.outbox([], 10)) == 1


async def test_who_lost_the_leadership_cannot_forget_lines_for_the_next_leader(
    ledger: PostgresLedger, migrated: str, person: asyncpg.Connection
) -> None:
    await write(ledger, line("alert-1", 1))
    assert await ledger.lead()
    [waiting] = await ledger.outbox([], 10)
    await _end_others(person)
    heir = PostgresLedger(migrated)
    try:
        async with asyncio.timeout(PATIENCE_S):
            while not await heir.lead():
                await asyncio.sleep(0.02)
        with pytest.raises(Unavailable):
            await ledger.outbox([waiting.seq], 10)
        assert not await ledger.lead()
        assert len(await heir.outbox([], 10)) == 1
    finally:
        await heir.stop()


async def test_a_leader_that_lives_but_is_idle_is_dropped_by_the_base_some_day(
    ledger: PostgresLedger, person: asyncpg.Connection
) -> None:
    """A frozen process: its socket stays open, so only the base can free its leadership."""
    await ledger.lead()
    set_for_relay = await person.fetchval(
        "select count(*) from pg_locks where locktype = 'advisory' and objid = $1", RELAY_LOCK
    )
    assert set_for_relay == 1
    assert await ledger._as_relay(lambda relay: relay.fetchval("show idle_session_timeout")) == "10s"
    assert await ledger._as_relay(lambda relay: relay.fetchval("show synchronous_commit")) == "off"


async def test_sessions_of_the_pool_are_set_for_key_look_ups(ledger: PostgresLedger) -> None:
    async with ledger.begin() as tx:
        for setting in ("enable_seqscan", "enable_hashjoin", "enable_mergejoin", "jit"):
            assert await tx.sql.fetchval(f"show {setting}") == "off"
        assert await tx.sql.fetchval("show idle_in_transaction_session_timeout") == "10s"
        assert await tx.sql.fetchval("show synchronous_commit") == "on"


async def test_a_deadlock_is_a_conflict_and_one_of_the_two_gets_through(ledger: PostgresLedger) -> None:
    both = asyncio.Barrier(2)

    async def decide(first: str, second: str) -> str:
        try:
            async with ledger.begin() as tx:
                await tx.lock([first])
                await both.wait()
                await tx.lock([second])
        except Conflict:
            return "conflict"
        return "through"

    outcomes = await asyncio.gather(decide("alert-1", "alert-2"), decide("alert-2", "alert-1"))
    assert sorted(outcomes) == ["conflict", "through"]


async def test_a_stream_that_was_made_by_another_meanwhile_is_seen_once_it_is_there(
    ledger: PostgresLedger, migrated: str
) -> None:
    """Both lock a stream that neither has seen: the second waits, and gets the first one's version."""
    locked, go_on = asyncio.Event(), asyncio.Event()

    async def first() -> None:
        async with ledger.begin() as tx:
            await tx.lock(["alert-1"])
            locked.set()
            await go_on.wait()
            await tx.append([line("alert-1", 1)], [head("alert-1", 1)])

    async def second() -> int:
        async with ledger.begin() as tx:
            return (await tx.lock(["alert-1"]))["alert-1"].version

    one = asyncio.create_task(first())
    await locked.wait()
    two = asyncio.create_task(second())
    await _until_somebody_waits(migrated)
    assert not two.done()
    go_on.set()
    await one
    assert await two == 1


async def _until_somebody_waits(dsn: str) -> None:
    person = await asyncpg.connect(dsn)
    waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    async with asyncio.timeout(PATIENCE_S):
        while await person.fetchval(waiting) == 0:
            await asyncio.sleep(0.01)
    await person.close()


async def test_due_streams_that_another_holds_are_passed_over(ledger: PostgresLedger) -> None:
    heads = [head(f"alert-{number}", 1, due_at=at(number)) for number in range(3)]
    await write(ledger, *(line(row.stream, 1) for row in heads), heads=heads)
    async with ledger.begin() as one, ledger.begin() as two:
        assert [row.stream for row in await one.due(at(9), 2)] == ["alert-0", "alert-1"]
        assert [row.stream for row in await two.due(at(9), 2)] == ["alert-2"]


async def test_an_error_of_a_projection_is_told_as_it_is(ledger: PostgresLedger) -> None:
    async def project() -> None:
        async with ledger.begin() as tx:
            await tx.append([line("alert-1", 1)], [head("alert-1", 1)])
            await tx.sql.execute("insert into nowhere values (1)")

    with pytest.raises(asyncpg.UndefinedTableError):
        await project()
    assert await ledger.is_empty()


async def test_after_kill_9_of_postgres_what_was_committed_is_there_and_everything_works_again(
    backend: Backend, ledger: PostgresLedger, migrated: str
) -> None:
    other, heard = PostgresLedger(migrated), asyncio.Event()
    await ledger.listen(heard.set)
    await ledger.lead()
    async with ledger.begin() as tx:
        await tx.append([line("alert-9", 1)], [head("alert-9", 1)])
        drawn = await tx.draw("alert", 3)
    await backend.kill_postgres()
    await _everything_is_unavailable(ledger)
    await backend.restart_postgres()
    await _until_written(ledger)
    try:
        async with ledger.begin() as tx:
            assert len(await tx.history("alert-9")) == 1
            assert min(await tx.draw("alert", 1)) > max(drawn)
        async with asyncio.timeout(PATIENCE_S):
            while not await ledger.lead():
                await asyncio.sleep(0.05)
            assert [each.line.stream for each in await ledger.outbox([], 10)] == ["alert-9", "alert-1"]
            heard.clear()
            while not heard.is_set():
                await other.notify()
                await asyncio.sleep(0.05)
    finally:
        await other.stop()


async def test_a_frozen_postgres_is_unavailable_and_nothing_hangs(backend: Backend, ledger: PostgresLedger) -> None:
    await write(ledger, line("alert-9", 1))
    await ledger.lead()
    await backend.freeze_postgres()
    try:
        async with asyncio.timeout(PATIENCE_S):  # a hang would be for ever
            with pytest.raises(Unavailable):
                await write(ledger, line("alert-1", 1))
            with pytest.raises(Unavailable):
                await ledger.ping()
    finally:
        await backend.thaw_postgres()
    await _until_written(ledger)
