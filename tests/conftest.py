"""Fixtures for all kinds of tests: one pair of real servers a session, a database and a topic prefix of its own for each test."""

import secrets
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
import pytest_asyncio
import structlog
from sse_starlette.sse import AppStatus
from xdist.scheduler import LoadScopeScheduling

from runtime import broker_kafka
from runtime.kafka_producer import KafkaProducer
from tests.backend import Backend, make_backend

ROLES = (
    "tests/e2e/test_faults.py",
    "tests/e2e/test_kills.py",
    "tests/e2e/test_nothing_leaks.py",
    "tests/e2e/test_processes.py",
    "tests/e2e/test_restores.py",
    "tests/e2e/test_trace.py",
)
"""Files that share the suite with a process for each role; the other journeys share another one."""
ALONE = ("tests/e2e/test_look.py",)
"""Files beside the journeys that need no suite."""
ONE_BY_ONE = (
    "tests/integration/machinery/test_mutants.py",
    "tests/simulation/test_night_mutants.py",
    "tests/simulation/test_nights.py",
    "tests/simulation/test_random_nights.py",
)
LONG_FIRST = ("tests/e2e with a process for each role", "tests/e2e", *ONE_BY_ONE)


def _file(nodeid: str) -> str:
    return nodeid.partition("::")[0]


def _shares(item: pytest.Item, suite: str) -> bool:
    return suite in getattr(item, "fixturenames", ())


def _group(nodeid: str) -> str:
    """What stays in one of the tests' processes: those that share a suite, or a file."""
    file = _file(nodeid)
    if file in ROLES:
        return LONG_FIRST[0]
    if file.startswith("tests/e2e/") and file not in ALONE:
        return LONG_FIRST[1]
    if file.startswith("tests/fuzz/"):
        return "tests/fuzz"
    return nodeid if file in ONE_BY_ONE else file


class ByGroup(LoadScopeScheduling):  # type: ignore[misc]  # published without types
    """Hands out whole groups, in the order of the tests. (xdist's own `loadgroup` writes to what pytest 9.2 has not.)"""

    def _split_scope(self, nodeid: str) -> str:
        return _group(nodeid)


def pytest_configure() -> None:
    """Exceptions in logs are plain text, as in the product: prettier ones, which come with other libraries, take seconds each."""
    plain = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(processors=[*structlog.get_config()["processors"][:-1], plain])


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByGroup:
    return ByGroup(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Long work begins first, so that nobody waits for it at the end; nobody starts a suite that others have already."""
    astray = {file for item in items if (file := _file(item.nodeid)) not in ROLES and _shares(item, "roles")}
    astray |= {file for item in items if (file := _file(item.nodeid)) in (*ROLES, *ALONE) and _shares(item, "suite")}
    if astray:
        raise pytest.UsageError(f"say in tests/conftest.py whose suite they share: {', '.join(sorted(astray))}")
    rank = {group: place for place, group in enumerate(LONG_FIRST)}
    items.sort(key=lambda item: rank.get(_group(item.nodeid).partition("::")[0], len(rank)))


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
