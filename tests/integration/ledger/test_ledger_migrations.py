"""Migrations: databases are made and brought up to date once, whoever asks at the same time, and never by changed words."""

import asyncio
import os
import sys

import asyncpg
import pytest

from runtime import migrate as module
from runtime.ledger_postgres import PostgresLedger
from runtime.migrate import Migration, MigrationChanged, UnknownService, migrate, migrate_database
from runtime.ports import Unavailable
from tests.integration.ledger.facts import line, write

TOYS: list[Migration] = [("0001-toys", "create table toys (name text); insert into toys values ('bear')")]
MORE: list[Migration] = [*TOYS, ("0002-colours", "alter table toys add colour text")]


@pytest.fixture
def toyshop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two installed services."""
    monkeypatch.setattr(module, "installed", lambda: {"toyshop": TOYS, "bakery": []})


async def _toys(dsn: str) -> int:
    connection = await asyncpg.connect(dsn)
    count: int = await connection.fetchval("select count(*) from toys")
    await connection.close()
    return count


async def test_a_missing_database_is_made_with_the_ledgers_tables_first(toyshop: None, database_template: str) -> None:
    applied = await migrate(database_template, ["toyshop"])
    assert applied == {"toyshop": ["runtime/0001-ledger", "toyshop/0001-toys"]}
    ledger = PostgresLedger(database_template.replace("{service}", "toyshop"))
    try:
        await write(ledger, line("toy-1", 1))
    finally:
        await ledger.stop()


async def test_all_installed_services_are_migrated_when_none_is_named(toyshop: None, database_template: str) -> None:
    assert sorted(await migrate(database_template)) == ["bakery", "toyshop"]


async def test_what_was_applied_is_not_applied_again_and_only_the_new_is(database: str) -> None:
    await migrate_database(database, "toyshop", TOYS)
    assert await migrate_database(database, "toyshop", TOYS) == []
    assert await migrate_database(database, "toyshop", MORE) == ["toyshop/0002-colours"]
    assert await migrate_database(database, "toyshop", TOYS) == []  # older code meets a newer base
    assert await _toys(database) == 1


async def test_ten_at_once_apply_everything_once(database_template: str) -> None:
    dsn = database_template.replace("{service}", "toyshop")
    applied = await asyncio.gather(*(migrate_database(dsn, "toyshop", MORE) for _ in range(10)))
    assert sorted(applied, key=len)[:9] == [[]] * 9
    assert await _toys(dsn) == 1


async def test_changed_words_are_refused_and_nothing_after_them_is_applied(database: str) -> None:
    await migrate_database(database, "toyshop", TOYS)
    changed = [("0001-toys", TOYS[0][1] + " -- better"), ("0002-more", "create table more (name text)")]
    with pytest.raises(MigrationChanged, match="toyshop/0001-toys"):
        await migrate_database(database, "toyshop", changed)
    connection = await asyncpg.connect(database)
    assert await connection.fetchval("select to_regclass('more')") is None
    await connection.close()


async def test_a_migration_that_fails_leaves_nothing_and_can_be_repeated(database: str) -> None:
    broken = [("0001-toys", "create table toys (name text); select 1/0")]
    with pytest.raises(ValueError, match="division by zero"):
        await migrate_database(database, "toyshop", broken)
    assert await migrate_database(database, "toyshop", TOYS) == ["toyshop/0001-toys"]


async def test_a_service_that_is_not_installed_is_named(toyshop: None, database_template: str) -> None:
    with pytest.raises(UnknownService, match="«tailor» is not installed; there are: bakery, toyshop"):
        await migrate(database_template, ["tailor"])


async def test_a_base_that_is_away_is_unavailable() -> None:
    with pytest.raises(Unavailable):
        await migrate_database("postgresql://postgres@127.0.0.1:1/toyshop")


async def test_the_command_migrates_what_is_installed_and_fails_in_words(database_template: str) -> None:
    code, told = await _command(database_template, "tailor")
    assert code == 1
    assert "«tailor» is not installed" in told
    assert "Traceback" not in told
    code, told = await _command(database_template)
    assert (code, "Traceback" in told) == (0, False)


async def _command(dsn: str, *services: str) -> tuple[int | None, str]:
    command = [sys.executable, "-m", "runtime.migrate", *services]
    environment = os.environ | {"DATABASE_URL": dsn}
    process = await asyncio.create_subprocess_exec(*command, env=environment, stderr=asyncio.subprocess.PIPE)
    _, told = await process.communicate()
    return process.returncode, told.decode()
