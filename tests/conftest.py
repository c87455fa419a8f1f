"""Fixtures for all kinds of tests: one pair of real servers a session, a database and a topic prefix of its own for each test."""

import secrets
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
import pytest_asyncio
from sse_starlette.sse import AppStatus

from runtime import broker_kafka
from runtime.kafka_producer import KafkaProducer
from tests.backend import Backend, make_backend

LONG_FIRST = (
    "e2e roles",
    "e2e suite",
    "tests/integration/machinery/test_mutants.py",
    "tests/simulation/test_nights.py",
)
ONE_BY_ONE = ("tests/integration/machinery/test_mutants.py", "tests/simulation/test_nights.py")


@pytest.hookimpl(tryfirst=True)  # before xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What shares a suite, or a file, stays in one process; long work begins first, so that nobody waits for it at the end."""
    grouped = [(_group(item), item) for item in items]
    for group, item in grouped:
        item.add_marker(pytest.mark.xdist_group(group))
    rank = {group: place for place, group in enumerate(LONG_FIRST)}
    items[:] = [item for group, item in sorted(grouped, key=lambda one: rank.get(one[0].partition("::")[0], len(rank)))]


def _group(item: pytest.Item) -> str:
    names = getattr(item, "fixturenames", ())
    for suite in ("roles", "suite"):
        if suite in names:
            return f"e2e {suite}"
    file = item.path.relative_to(Path(__file__).parents[1]).as_posix()
    return f"{file}::{item.name}" if file in ONE_BY_ONE else file


@pytest.fixture(autouse=True)
def as_a_new_process() -> None:
    """Each test begins as a process does: no producer is there yet, and no server has said that the process ends."""
    AppStatus.should_exit = False
    KafkaProducer._alive.clear()
    broker_kafka._of_process = None


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def backend() -> AsyncIterator[Backend]:
    """Started by the first test that asks. It belongs to no event loop, so any test's loop may use it."""
    made = make_backend()
    await made.start()
    yield made
    await made.stop()


@pytest_asyncio.fixture
async def topic_prefix(backend: Backend) -> str:
    """What the test's topics and groups begin with, so that no two tests meet; the broker is up and thawed."""
    await backend.heal()
    return f"t{secrets.token_hex(4)}."


@pytest_asyncio.fixture
async def database(backend: Backend) -> AsyncIterator[str]:
    """The DSN of an empty database that only this test has; Postgres is up and thawed."""
    await backend.heal()
    name = f"t_{secrets.token_hex(4)}"
    await _execute(backend.dsn, f"create database {name}")
    yield urlsplit(backend.dsn)._replace(path=f"/{name}").geturl()
    await backend.heal()
    await _execute(backend.dsn, f"drop database {name} with (force)")


@pytest_asyncio.fixture
async def database_template(backend: Backend) -> AsyncIterator[str]:
    """A DSN with a literal {service}, as DATABASE_URL wants it; every database made from it goes with the test."""
    await backend.heal()
    prefix = f"t_{secrets.token_hex(4)}_"
    yield urlsplit(backend.dsn)._replace(path="/").geturl() + prefix + "{service}"
    await backend.heal()
    for name in await _fetch_names(backend.dsn, prefix):
        await _execute(backend.dsn, f'drop database "{name}" with (force)')


async def _execute(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def _fetch_names(dsn: str, prefix: str) -> list[str]:
    connection = await asyncpg.connect(dsn)
    try:
        rows = await connection.fetch("select datname from pg_database where starts_with(datname, $1)", prefix)
    finally:
        await connection.close()
    return [row["datname"] for row in rows]
