"""Makes each service's database and brings its tables up to date: names of services go in, what was applied comes out.

    python -m runtime.migrate [service…]      all that are installed, when none is named

A service names its migrations by an entry point of the group `alarum.migrations`: a module with
`MIGRATIONS: list[tuple[str, str]]`, each a name and its SQL. The ledger's own come first. What was applied once must
never change: a correction is a new migration.
"""

import asyncio
import hashlib
import sys
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from importlib.metadata import entry_points
from typing import Any
from urllib.parse import unquote, urlsplit

import asyncpg

from runtime import logs, schema
from runtime.ports import Unavailable
from runtime.postgres import connect, translated
from runtime.settings import Settings

GROUP = "alarum.migrations"
LOCK = 4_100_000
LOCK_RETRY_S = 0.1
STATEMENT_S = 600.0

Migration = tuple[str, str]

TABLE = """
create table if not exists migrations (
    name text primary key,
    applied_at timestamptz not null default now(),
    checksum text not null
)
"""


class MigrationChanged(Exception):
    """A migration was applied with other words than it has now."""


class UnknownService(Exception):
    """No installed service has this name."""


def installed() -> dict[str, list[Migration]]:
    """The migrations of all installed services, by service."""
    return {point.name: list(point.load().MIGRATIONS) for point in entry_points(group=GROUP)}


async def migrate(dsn_template: str, services: Iterable[str] = ()) -> dict[str, list[str]]:
    """Migrate the databases of these services (all installed when none is named); the names applied, by service.

    Raises `Unavailable`, `MigrationChanged` and `UnknownService`. Any number of processes may do this at once.
    """
    known = installed()
    wanted = list(services) or sorted(known)
    for service in wanted:
        if service not in known:
            raise UnknownService(f"«{service}» is not installed; there are: {', '.join(sorted(known))}")
    return {
        service: await migrate_database(dsn_template.replace("{service}", service), service, known[service])
        for service in wanted
    }


async def migrate_database(dsn: str, service: str = "", migrations: Sequence[Migration] = ()) -> list[str]:
    """Make the database if it is missing, then apply the ledger's migrations and these; the names applied."""
    await _ensure_database(dsn)
    named = [(f"runtime/{name}", sql) for name, sql in schema.MIGRATIONS]
    named += [(f"{service}/{name}", sql) for name, sql in migrations]
    async with _alone(dsn) as connection:
        await connection.execute(TABLE)
        applied = {row["name"]: row["checksum"] for row in await connection.fetch("select * from migrations")}
        return [name for name, sql in named if await _apply(connection, applied, name, sql)]


async def _apply(connection: Any, applied: dict[str, str], name: str, sql: str) -> bool:
    checksum = hashlib.sha256(sql.encode()).hexdigest()
    if name in applied:
        if applied[name] != checksum:
            raise MigrationChanged(f"{name} was applied with another text: put it back, and say the rest in a new one")
        return False
    async with connection.transaction():
        await connection.execute(sql)
        await connection.execute("insert into migrations (name, checksum) values ($1, $2)", name, checksum)
    return True


async def _ensure_database(dsn: str) -> None:
    """Postgres knows no «if not exists» here: look first, and let only one process look at a time."""
    if await _exists(dsn):
        return
    name = unquote(urlsplit(dsn).path.removeprefix("/"))
    async with _alone(_maintenance(dsn)) as connection:
        if not await connection.fetchval("select exists (select from pg_database where datname = $1)", name):
            quoted = name.replace('"', '""')
            await connection.execute(f"create database \"{quoted}\" encoding 'UTF8' template template0")


async def _exists(dsn: str) -> bool:
    try:
        await (await connect(dsn, {})).close()
    except Unavailable as away:
        if isinstance(away.__cause__, asyncpg.InvalidCatalogNameError):
            return False
        raise
    return True


@asynccontextmanager
async def _alone(dsn: str) -> AsyncIterator[Any]:
    """A connection that holds the lock of migrations. It asks again and again: waiting inside would hold a snapshot."""
    connection = await connect(dsn, {"timezone": "UTC"}, STATEMENT_S)
    try:
        with translated():
            while not await connection.fetchval("select pg_try_advisory_lock($1)", LOCK):  # noqa: ASYNC110 -- another process holds it
                await asyncio.sleep(LOCK_RETRY_S)
            yield connection
    finally:
        await connection.close()


def _maintenance(dsn: str) -> str:
    return urlsplit(dsn)._replace(path="/postgres").geturl()


async def _main(services: Sequence[str]) -> int:
    settings = Settings()
    logs.setup(settings.log_level, settings.log_format)
    log = logs.get(__name__)
    try:
        for service, names in (await migrate(settings.database_url, services)).items():
            log.info("migrated", service=service, applied=names)
    except (Unavailable, MigrationChanged, UnknownService) as error:
        log.error("not migrated", reason=str(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(_main(sys.argv[1:])))
