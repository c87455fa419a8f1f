"""The ledger in Postgres: a service's own database, one transaction for each unit of work.

A pool for the work; a direct connection that holds the relay's leadership (and loses it when it dies); another that
hears what other processes of the service committed.
"""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from typing import Any

import structlog

from runtime.ports import Line, OutboxLine, Place, Transaction, Unavailable
from runtime.postgres import KEY_LOOKUPS, Connections, connect, translated
from runtime.role import Background
from runtime.transaction_postgres import IDS_LOCK, POSITIONS, PostgresTransaction, line, places

POOL = 4
RELAY_LOCK = 4_100_001
CHANNEL = "alarum"
NOTIFY_EVERY_S = 0.01
RETRY_S = 0.2

RELAY_SESSION = KEY_LOOKUPS | {
    "synchronous_commit": "off",  # what it deletes was acknowledged; a lost delete is a duplicate, and readers drop it
    # A leader that froze or vanished from the network must not keep others from leading.
    "idle_session_timeout": "10000",
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
}

OUTBOX = """
with gone as (delete from outbox where seq = any($1::bigint[]) returning seq)
select o.seq, e.stream, e.version, e.topic, e.key, e.type, e.body
from outbox o join events e on e.seq = o.seq
where o.seq not in (select seq from gone)
order by o.seq limit $2
"""

LAG = "select count(*) as waiting, coalesce(extract(epoch from now() - min(at)), 0)::float8 as age_s from outbox"

EARLIEST_DUE = "select min(due_at) from streams where due_at is not null and parked is null"

# A target is free again when its lease ends: none of its deliveries may go before.
EARLIEST_DELIVERY = """
select min(at) from (
    select greatest(min(not_before), max(leased_until)) as at
    from deliveries where target <> all($1::text[]) group by target
) free
"""

PUBLISHED = "select topic, partition, next from published"

NOTE_PUBLISHED = """
insert into published (topic, partition, next) select * from unnest($1::text[], $2::integer[], $3::bigint[])
on conflict (topic, partition) do update set next = greatest(published.next, excluded.next)
"""

FORGET_PUBLISHED = "delete from published where topic = any($1)"

LINES = """
select seq, stream, version, topic, key, type, body from events
where seq > $2 and topic = any($1) order by seq limit $3
"""

# Not by a cast of its name: a session remembers in its transaction that there was none.
SEQUENCE = """
select oid from pg_class
where relname = $1 and relkind = 'S' and relnamespace = current_schema()::regnamespace
"""


class PostgresLedger:
    """See `ports.Ledger`. Connects when it is asked; also a part: `ready` once the base has answered."""

    def __init__(self, dsn: str, *, pool: int = POOL, log: Any = None) -> None:
        self._dsn = dsn
        self._connections = Connections(dsn, pool)
        self._log = log or structlog.get_logger("runtime.ledger")
        self._background = Background()
        self._written = 0
        self._sequences: dict[str, int] = {}
        self._relay: Any = None
        self._leads = False
        self._me = secrets.token_hex(4)
        self._listeners: list[Callable[[], None]] = []
        self._news = asyncio.Event()
        self._notifies = False
        self._waits: str | None = "the base was not reached yet"

    async def start(self) -> None:
        self._background.once(self._reach(), "ledger")

    async def stop(self) -> None:
        await self._background.stop()
        self._drop_relay()
        await self._connections.close()

    def ready(self) -> str | None:
        return self._waits

    # -- transactions

    def begin(self) -> AbstractAsyncContextManager[Transaction]:
        return self._begin()

    @asynccontextmanager
    async def _begin(self) -> AsyncIterator[PostgresTransaction]:
        async with self._connections.transaction() as connection:
            tx = PostgresTransaction(connection, self._sequence)
            yield tx
        self._written = max(self._written, tx.written)

    async def _sequence(self, connection: Any, name: str) -> int:
        """The sequence of a name's ids. It is made outside of the transaction: what is drawn stays drawn."""
        if name not in self._sequences:
            number = await connection.fetchval(SEQUENCE, f"ids_{name}")
            if number is None:
                await self._make_sequence(name)
                number = await connection.fetchval(SEQUENCE, f"ids_{name}")
            self._sequences[name] = number
        return self._sequences[name]

    async def _make_sequence(self, name: str) -> None:
        connection = await connect(self._dsn, KEY_LOOKUPS)
        try:
            async with connection.transaction():
                await connection.execute("select pg_advisory_xact_lock($1)", IDS_LOCK)
                used = await connection.fetchval("select used from ids where name = $1", name)
                await connection.execute(f"create sequence if not exists ids_{name} start {(used or 0) + 1}")
        finally:
            await connection.close()

    # -- the relay's

    async def lead(self) -> bool:
        """Also a sign of life: a leader that is silent for ten seconds is dropped by the base."""
        if self._relay is None or self._relay.is_closed():
            self._drop_relay()
            self._relay = await connect(self._dsn, RELAY_SESSION)
        if self._leads:
            await self._as_relay(lambda relay: relay.fetchval("select 1"))
        else:
            self._leads = await self._as_relay(
                lambda relay: relay.fetchval("select pg_try_advisory_lock($1)", RELAY_LOCK)
            )
        return self._leads

    async def resign(self) -> None:
        self._drop_relay()

    async def outbox(self, acknowledged: Sequence[int], limit: int) -> list[OutboxLine]:
        """One round trip, on the connection that holds the leadership: who lost it can neither read nor delete."""
        if not self._leads:
            raise Unavailable("this process does not lead the relay")
        rows = await self._as_relay(lambda relay: relay.fetch(OUTBOX, list(acknowledged), limit))
        return [OutboxLine(row["seq"], line(row)) for row in rows]

    async def _as_relay(self, ask: Callable[[Any], Awaitable[Any]]) -> Any:
        try:
            with translated():
                return await ask(self._relay)
        except BaseException:
            self._drop_relay()  # interrupted or broken: nobody can say what it still does
            raise

    def _drop_relay(self) -> None:
        relay, self._relay, self._leads = self._relay, None, False
        if relay is not None:
            relay.terminate()

    def written(self) -> int:
        return self._written

    async def first_waiting(self) -> int | None:
        number: int | None = await self._value("select min(seq) from outbox")
        return number

    async def last_waiting(self) -> int | None:
        number: int | None = await self._value("select max(seq) from outbox")
        return number

    async def outbox_lag(self) -> tuple[int, float]:
        [row] = await self._rows(LAG)
        return row["waiting"], max(0.0, row["age_s"])

    # -- questions

    async def earliest_due(self) -> datetime | None:
        at: datetime | None = await self._value(EARLIEST_DUE)
        return at

    async def earliest_delivery(self, busy: Iterable[str] = ()) -> datetime | None:
        at: datetime | None = await self._value(EARLIEST_DELIVERY, sorted(busy))
        return at

    async def positions(self, reader: str) -> dict[Place, int]:
        return places(await self._rows(POSITIONS, reader))

    async def is_empty(self) -> bool:
        return not await self._value("select exists (select from events)")

    async def ping(self) -> None:
        async with self._connections.lent() as connection, asyncio.timeout(2):
            await connection.fetchval("select 1")

    async def _value(self, statement: str, *values: Any) -> Any:
        async with self._connections.lent() as connection:
            return await connection.fetchval(statement, *values)

    async def _rows(self, statement: str, *values: Any) -> list[Any]:
        async with self._connections.lent() as connection:
            rows: list[Any] = await connection.fetch(statement, *values)
            return rows

    # -- restore

    async def last_published(self) -> dict[Place, int]:
        return places(await self._rows(PUBLISHED))

    async def note_published(self, places: Mapping[Place, int]) -> None:
        rows = sorted((topic, partition, end) for (topic, partition), end in places.items())
        if rows:
            await self._rows(NOTE_PUBLISHED, *(list(column) for column in zip(*rows, strict=True)))

    async def forget_published(self, topics: Sequence[str]) -> None:
        await self._rows(FORGET_PUBLISHED, sorted(topics))

    async def adopt(self, lines: Sequence[Line]) -> int:
        async with self.begin() as tx:
            return await tx.adopt(lines)

    async def lines(self, topics: Sequence[str], after: int, limit: int) -> list[OutboxLine]:
        return [OutboxLine(row["seq"], line(row)) for row in await self._rows(LINES, sorted(topics), after, limit)]

    # -- the other processes of this service

    async def notify(self) -> None:
        """At most every 10 ms, never in a transaction (it would serialise all commits of the cluster)."""
        if not self._notifies:
            self._notifies = True
            self._background.forever(self._tell_others(), "ledger.notify")
        self._news.set()

    async def _tell_others(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            try:
                await self._value("select pg_notify($1, $2)", CHANNEL, self._me)
            except Unavailable as away:
                self._log.info("ledger.not_notified", reason=str(away))  # the others look by themselves, a little later
            await asyncio.sleep(NOTIFY_EVERY_S)

    async def listen(self, woken: Callable[[], None]) -> None:
        self._listeners.append(woken)
        if len(self._listeners) == 1:
            self._background.forever(self._hear_others(), "ledger.listen")

    async def _hear_others(self) -> None:
        while True:
            try:
                await self._hear_until_lost()
                self._log.info("ledger.listening_lost")
            except Unavailable as away:
                self._log.info("ledger.not_listening", reason=str(away))
            await asyncio.sleep(RETRY_S)

    async def _hear_until_lost(self) -> None:
        connection = await connect(self._dsn, KEY_LOOKUPS)
        lost = asyncio.Event()
        try:
            connection.add_termination_listener(lambda _connection: lost.set())
            with translated():
                await connection.add_listener(CHANNEL, self._heard)
            self._wake()  # something may have been said while nobody listened
            await lost.wait()
        finally:
            connection.terminate()

    def _heard(self, _connection: Any, _pid: int, _channel: str, speaker: object) -> None:
        if speaker != self._me:
            self._wake()

    def _wake(self) -> None:
        for woken in self._listeners:
            woken()

    async def _reach(self) -> None:
        while self._waits is not None:
            try:
                await self.ping()
                self._waits = None
            except Unavailable as away:
                self._waits = str(away)
                await asyncio.sleep(RETRY_S)
