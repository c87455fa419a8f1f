"""One suite for both ledgers: the tests ask for processes of one service, and never know where it is stored."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from urllib.parse import urlsplit

import asyncpg
import pytest
import pytest_asyncio

from runtime.clock import SystemClock
from runtime.ledger_memory import Base, MemoryLedger
from runtime.ledger_postgres import PostgresLedger
from runtime.migrate import migrate_database
from runtime.ports import Ledger
from tests.backend import Backend

EMPTY = """
do $$
declare name text;
begin
    for name in select tablename from pg_tables where schemaname = 'public' and tablename <> 'migrations' loop
        execute format('delete from %I', name);
    end loop;
    for name in select sequencename from pg_sequences where starts_with(sequencename, 'ids_') loop
        execute format('drop sequence %I', name);
    end loop;
end $$
"""

Process = Callable[[], Awaitable[Ledger]]


@pytest.fixture(scope="module")
def shared_database(backend: Backend) -> Iterator[str]:
    """One migrated database for a module, since making one takes longer than most of the tests."""
    name = f"t_{secrets.token_hex(4)}"
    dsn = urlsplit(backend.dsn)._replace(path=f"/{name}").geturl()
    asyncio.run(migrate_database(dsn))
    yield dsn
    asyncio.run(_execute(backend.dsn, f"drop database {name} with (force)"))


@pytest.fixture(params=["memory", "postgres"])
def stored_at(request: pytest.FixtureRequest) -> str | None:
    """The DSN of an empty ledger; None for memory, which must not start a server."""
    if request.param == "memory":
        return None
    dsn: str = request.getfixturevalue("shared_database")
    asyncio.run(_execute(dsn, EMPTY))
    return dsn


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@pytest_asyncio.fixture
async def process(stored_at: str | None) -> AsyncIterator[Process]:
    """Makes the ledger of one more process of the service."""
    base, made = Base(), list[MemoryLedger | PostgresLedger]()

    async def make() -> Ledger:
        ledger = MemoryLedger(SystemClock(), base) if stored_at is None else PostgresLedger(stored_at)
        made.append(ledger)
        return ledger

    yield make
    for ledger in made:
        await ledger.stop()


@pytest_asyncio.fixture
async def ledger(process: Process) -> Ledger:
    return await process()


@pytest_asyncio.fixture
async def other(process: Process) -> Ledger:
    """A second process of the same service."""
    return await process()
