"""Connections to one Postgres database: statements go in, and for what the driver raises, `Unavailable` or `Conflict` come out.

Nothing connects before it is needed, so a process starts while the base is away.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import asyncpg

from runtime.ports import Conflict, Unavailable

ANSWERS_WITHIN_S = 2.0
STATEMENT_S = 10.0

KEY_LOOKUPS = {
    # All hot statements are key look-ups; a fresh database, without statistics, would plan scans and hash joins.
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
    "timezone": "UTC",
}
PATIENT = KEY_LOOKUPS | {
    # A process that froze in a transaction must not hold its streams for ever.
    "idle_in_transaction_session_timeout": "10000",
}

_CONFLICTS = (asyncpg.DeadlockDetectedError, asyncpg.SerializationError, asyncpg.LockNotAvailableError)
_AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,  # shut down, starting up, the statement was cancelled
    asyncpg.InsufficientResourcesError,  # too many connections, disk full
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.ReadOnlySQLTransactionError,  # a standby, in the middle of a fail-over
    asyncpg.InvalidCatalogNameError,  # the database was not made yet
    asyncpg.InternalClientError,  # the base's last words were read, the end of its connection not yet
    ConnectionError,
    TimeoutError,
)
_GONE = ("closed", "closing", "released back to the pool")


@contextmanager
def translated() -> Iterator[None]:
    """Raise the ports' errors in place of the driver's; a value that Postgres cannot hold is a ValueError."""
    try:
        yield
    except _CONFLICTS as met:
        raise Conflict(str(met)) from met
    except _AWAY as away:
        raise _unavailable(away) from away
    except asyncpg.DataError as unfit:
        raise ValueError(f"the base cannot hold this: {unfit}") from unfit
    except asyncpg.InterfaceError as error:
        if any(word in str(error) for word in _GONE):
            raise _unavailable(error) from error
        raise


@contextmanager
def connecting() -> Iterator[None]:
    """As `translated`; and whatever keeps a connection from being made is the network's."""
    with translated():
        try:
            yield
        except OSError as away:
            raise _unavailable(away) from away


def _unavailable(error: BaseException) -> Unavailable:
    return Unavailable(f"the base does not answer: {type(error).__name__} {error}".rstrip())


async def connect(dsn: str, settings: Mapping[str, str], statement_s: float = STATEMENT_S) -> Any:
    """A connection of one's own, outside of the pool."""
    with connecting():
        return await asyncpg.connect(
            dsn, timeout=ANSWERS_WITHIN_S, command_timeout=statement_s, server_settings=dict(settings)
        )


class Connections:
    """A pool that is empty until somebody asks, and asks nothing of the base when a connection comes back."""

    def __init__(self, dsn: str, size: int) -> None:
        self._dsn = dsn
        self._size = size
        self._pool: Any = None
        self._opening = asyncio.Lock()

    @asynccontextmanager
    async def lent(self) -> AsyncIterator[Any]:
        """A connection for a statement or two. Raises `Unavailable` within two seconds."""
        with translated():
            pool = await self._opened()
            with connecting():
                connection = await pool.acquire(timeout=ANSWERS_WITHIN_S)
            try:
                yield connection
            except _AWAY:
                connection.terminate()  # cancelling politely would wait for the very server that does not answer
                raise
            finally:
                await pool.release(connection)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        """A connection in a transaction: committed at the end, rolled back when the body raises."""
        async with self.lent() as connection:
            transaction = connection.transaction()
            async with asyncio.timeout(ANSWERS_WITHIN_S):
                await transaction.start()
            try:
                yield connection
                await transaction.commit()
            except BaseException:
                await _roll_back(connection, transaction)
                raise

    async def close(self) -> None:
        pool, self._pool = self._pool, None
        if pool is None:
            return
        try:
            async with asyncio.timeout(ANSWERS_WITHIN_S):
                await pool.close()
        except TimeoutError:
            pool.terminate()

    async def _opened(self) -> Any:
        async with self._opening:
            if self._pool is None:
                self._pool = await asyncpg.create_pool(
                    self._dsn,
                    min_size=0,
                    max_size=self._size,
                    max_inactive_connection_lifetime=0,  # the first alert of the night finds its connection warm
                    timeout=ANSWERS_WITHIN_S,
                    command_timeout=STATEMENT_S,
                    server_settings=dict(PATIENT),
                    connection_class=_Plain,
                )
        return self._pool


class _Plain(asyncpg.Connection):  # type: ignore[misc,type-arg,unused-ignore]
    """Nothing of ours changes a session, so nothing is to be reset: a round trip less for each transaction."""

    def get_reset_query(self) -> str:
        return ""


async def _roll_back(connection: Any, transaction: Any) -> None:
    """Undo it, or drop the connection, which undoes it too."""
    try:
        async with asyncio.timeout(ANSWERS_WITHIN_S):
            await transaction.rollback()
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
        connection.terminate()
