"""One house for all that is fuzzed, and how long it is: short by default, `FUZZ=long` for `make fuzz`."""

import asyncio
import secrets
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from tests.backend import Backend
from tests.e2e.test_bad_input import ground
from tests.fuzz.house import Observed, a_house

__all__ = ["ground"]


@pytest.fixture(scope="package")
def suite(backend: Backend, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observed]:
    """In databases of its own."""
    prefix = f"fuzz_{secrets.token_hex(4)}_"
    template = urlsplit(backend.dsn)._replace(path=f"/{prefix}").geturl() + "{service}"
    with a_house(template, tmp_path_factory.mktemp("fuzz")) as running:
        yield running
    asyncio.run(_dropped(backend.dsn, prefix))


@pytest.fixture
def nothing_wrong(suite: Observed, ground: Mapping[str, Any]) -> Iterator[None]:
    """Nothing died and nothing was set aside, once everything was read that came of it."""
    suite.found_wrong()
    yield
    assert suite.in_the_end() == []


async def _dropped(dsn: str, prefix: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        found = await connection.fetch("select datname from pg_database where starts_with(datname, $1)", prefix)
        for row in found:
            await connection.execute(f'drop database "{row["datname"]}" with (force)')
    finally:
        await connection.close()
