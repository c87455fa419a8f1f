"""One transaction of the Postgres ledger: the port's calls go in, set-wise statements go out, one for each call."""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from typing import Any

import asyncpg

from runtime import ids
from runtime.ids import checked
from runtime.ports import Conflict, Delivery, Fenced, Line, Parked, Place, StreamRow

IDS_LOCK, RESTORE_LOCK = 4_100_002, 4_100_003

LOCK = "select * from lock_streams($1)"

PEEK = "select * from streams where stream = any($1) and version > 0"

HISTORY = "select * from events where stream = $1 order by version"

HISTORIES = "select * from events where stream = any($1) order by stream, version"

# Numbers are given in the order of the lines, and while the streams are locked: a visible version n+1 implies a
# visible n with a smaller number. The relay's order stands on this.
APPEND = """
with line as (
    insert into events (stream, version, topic, key, type, body)
    select stream, version, topic, key, type, body
    from unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::bytea[])
        with ordinality as given (stream, version, topic, key, type, body, place)
    order by place
    returning seq
), waiting as (
    insert into outbox (seq) select seq from line
), head as (
    insert into streams (stream, version, state, state_rev, due_at, parked)
    select * from unnest($7::text[], $8::bigint[], $9::bytea[], $10::integer[], $11::timestamptz[], $12::text[])
    on conflict (stream) do update set
        version = excluded.version, state = excluded.state, state_rev = excluded.state_rev,
        due_at = excluded.due_at, parked = excluded.parked
)
select max(seq) from line
"""

ADOPT_LINES = """
insert into events (stream, version, topic, key, type, body)
select stream, version, topic, key, type, body
from unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::bytea[])
    with ordinality as given (stream, version, topic, key, type, body, place)
order by place
on conflict (stream, version) do nothing
returning stream, version, topic, key, type, body
"""

# What was erased here is blank; its content elsewhere is no contradiction.
CONTRADICTION = """
select e.stream, e.version from events e
join unnest($1::text[], $2::bigint[], $3::bytea[]) as given (stream, version, body)
    on e.stream = given.stream and e.version = given.version
where e.body is not null and e.body is distinct from given.body
limit 1
"""

# The cached state is older than the stream now: without a revision it is folded again.
ADOPT_HEADS = """
insert into streams (stream, version)
select stream, max(version) from unnest($1::text[], $2::bigint[]) as taken (stream, version)
group by stream order by stream
on conflict (stream) do update set
    version = greatest(streams.version, excluded.version), state = null, state_rev = 0
"""

ADOPT_IDS = """
insert into ids (name, used) select * from unnest($1::text[], $2::bigint[])
on conflict (name) do update set used = greatest(ids.used, excluded.used)
"""

# A sequence that has not been drawn from yet would give its start.
RAISE_SEQUENCES = """
select setval(to_regclass('ids_' || name), greatest(used, nextval(to_regclass('ids_' || name))))
from ids where name = any($1) and to_regclass('ids_' || name) is not null
"""

ERASE = "update events set body = null where stream = $1"

DUE = """
select * from streams where due_at <= $1 and parked is null
order by due_at, stream limit $2 for update skip locked
"""

POSITIONS = "select topic, partition, next from positions where reader = $1"

ADVANCE = """
with move as (
    select * from unnest($2::text[], $3::integer[], $4::bigint[], $5::bigint[]) as m (topic, partition, expected, next)
), first as (
    insert into positions (reader, topic, partition, next)
    select $1, topic, partition, next from move where expected is null
    on conflict do nothing returning 1
), later as (
    update positions p set next = m.next from move m
    where p.reader = $1 and p.topic = m.topic and p.partition = m.partition and p.next = m.expected
    returning 1
)
select (select count(*) from first) + (select count(*) from later)
"""

SEEN = "select stream, version from seen where reader = $1 and stream = any($2)"

NOTE_SEEN = """
insert into seen (reader, stream, version) select $1, * from unnest($2::text[], $3::bigint[])
on conflict (reader, stream) do update set version = greatest(seen.version, excluded.version)
"""

INDEX_GET = "select key, value from entries where name = $1 and key = any($2)"

INDEX_SCAN = "select key, value from entries where name = $1 and key >= $2 and key < $3 order by key"

INDEX_SCAN_TO_THE_END = "select key, value from entries where name = $1 and key >= $2 order by key"

INDEX_PUT = """
insert into entries (name, key, value) select $1, * from unnest($2::text[], $3::text[])
on conflict (name, key) do update set value = excluded.value
"""

INDEX_REMOVE = "delete from entries where name = $1 and key = any($2)"

DRAW = "select nextval($1::oid::regclass) from generate_series(1, $2)"

ENQUEUE = """
insert into deliveries
    (id, channel, stream, target, not_before, deadline, payload, lane, attempts, created_at)
select id, channel, stream, target, not_before, deadline, payload, lane, attempts, coalesce(created_at, now())
from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::timestamptz[], $6::timestamptz[], $7::bytea[],
    $8::integer[], $9::integer[], $10::timestamptz[])
    as d (id, channel, stream, target, not_before, deadline, payload, lane, attempts, created_at)
"""

# First choose one delivery for each target and take the target (nobody waits: a target that another process is
# choosing for is passed over), then look again at what that other process may have leased in between. Which targets are
# leased is asked once: asked of each delivery, a plan that was made while the table was small walks the target's others.
CHOOSE = """
with leased as materialized (
    select target from deliveries where leased_until > $1
), head as materialized (
    select * from (
        select distinct on (target) id, target, lane > 0 as late,
            case when lane = 0 then -extract(epoch from created_at) else extract(epoch from created_at) end as age,
            case when lane = 0 then -id else id end as place
        from deliveries d
        where not_before <= $1 and target <> all($2::text[]) and target not in (select target from leased)
        order by target, late, age, place
    ) first
    order by late, age, place limit $3
)
select id from head where pg_try_advisory_xact_lock(1, hashtext(target))
"""

LEASE = """
with free as (
    select * from deliveries d
    where id = any($3::bigint[]) and not_before <= $1 and (leased_until is null or leased_until <= $1)
        and not exists (select from deliveries other where other.target = d.target and other.leased_until > $1)
    for update skip locked
)
update deliveries d set leased_until = $2 from free where d.id = free.id returning free.*
"""

SETTLE = "delete from deliveries where id = any($1::bigint[])"

POSTPONE = "update deliveries set leased_until = null, not_before = $2, attempts = $3 where id = $1"

PARK = """
insert into parked (reader, stream, topic, partition, place, body, error) values ($1, $2, $3, $4, $5, $6, $7)
on conflict (reader, topic, partition, place) do nothing
"""

PARKED = "select distinct stream from parked where reader = $1 and stream = any($2)"

PARKED_RECORDS = """
select reader, stream, topic, partition, place, body, error from parked
where ($1::text is null or reader = $1) and ($2::text is null or stream = $2)
order by reader collate "C", topic collate "C", partition, place
"""

UNPARK = """
delete from parked p using unnest($2::text[], $3::integer[], $4::bigint[]) as r (topic, partition, place)
where p.reader = $1 and p.topic = r.topic and p.partition = r.partition and p.place = r.place
"""

FORGET_POSITIONS = "delete from positions where reader = $1"

FORGET_SEEN = "delete from seen where reader = $1"


class PostgresTransaction:
    """See `ports.Transaction`. `sql` is the connection, for projections in the same transaction."""

    def __init__(self, sql: Any, sequence_of: Callable[[Any, str], Awaitable[int]]) -> None:
        self.sql = sql
        self.written = 0
        self._sequence_of = sequence_of

    async def lock(self, streams: Iterable[str]) -> dict[str, StreamRow]:
        rows = await self.sql.fetch(LOCK, sorted(set(streams)))
        return {row["stream"]: stream_row(row) for row in rows}

    async def peek(self, streams: Iterable[str]) -> dict[str, StreamRow]:
        rows = await self.sql.fetch(PEEK, sorted(set(streams)))
        return {row["stream"]: stream_row(row) for row in rows}

    async def history(self, stream: str) -> list[Line]:
        return [line(row) for row in await self.sql.fetch(HISTORY, stream)]

    async def histories(self, streams: Iterable[str]) -> dict[str, list[Line]]:
        rows = await self.sql.fetch(HISTORIES, sorted(set(streams)))
        return {stream: list(map(line, some)) for stream, some in groupby(rows, itemgetter("stream"))}

    async def append(self, lines: Sequence[Line], heads: Sequence[StreamRow]) -> None:
        try:
            written = await self.sql.fetchval(APPEND, *line_columns(lines), *_head_columns(heads))
        except asyncpg.UniqueViolationError as met:
            raise Conflict(f"somebody else has written this version: {met.detail}") from met
        self.written = max(self.written, written or 0)

    async def adopt(self, lines: Sequence[Line]) -> int:
        # Roles of a service read the same topics at once, each in an order of its own: one batch after the other.
        await self.sql.execute("select pg_advisory_xact_lock($1)", RESTORE_LOCK)
        rows = await self.sql.fetch(ADOPT_LINES, *line_columns(lines))
        await self._refuse_contradiction(lines)
        taken = [line(row) for row in rows]
        streams, versions = [each.stream for each in taken], [each.version for each in taken]
        await self.sql.execute(ADOPT_HEADS, streams, versions)
        await self._raise_ids(ids.used(taken))
        return len(taken)

    async def _refuse_contradiction(self, lines: Sequence[Line]) -> None:
        columns = [each.stream for each in lines], [each.version for each in lines], [each.body for each in lines]
        other = await self.sql.fetchrow(CONTRADICTION, *columns)
        if other is not None:
            raise ValueError(f"{other['stream']}@{other['version']} is here with another body")

    async def _raise_ids(self, used: Mapping[str, int]) -> None:
        # Who waits for this lock (somebody's first draw of a name) holds nothing that we still want.
        await self.sql.execute("select pg_advisory_xact_lock($1)", IDS_LOCK)
        await self.sql.execute(ADOPT_IDS, list(used), [number + ids.GAP for number in used.values()])
        await self.sql.execute(RAISE_SEQUENCES, list(used))

    async def erase(self, stream: str) -> None:
        await self.sql.execute(ERASE, stream)

    async def due(self, now: datetime, limit: int) -> list[StreamRow]:
        return [stream_row(row) for row in await self.sql.fetch(DUE, now, limit)]

    async def positions(self, reader: str) -> dict[Place, int]:
        return places(await self.sql.fetch(POSITIONS, reader))

    async def advance(self, reader: str, moves: Mapping[Place, tuple[int | None, int]]) -> None:
        # Sorted, so that two who move the same places wait for each other instead of locking each other out.
        rows = sorted((topic, partition, *move) for (topic, partition), move in moves.items())
        if await self.sql.fetchval(ADVANCE, reader, *_columns(rows, 4)) != len(moves):
            raise Fenced(f"the position of {reader} was moved by somebody else")

    async def seen(self, reader: str, streams: Iterable[str]) -> dict[str, int]:
        rows = await self.sql.fetch(SEEN, reader, sorted(set(streams)))
        return {row["stream"]: row["version"] for row in rows}

    async def note_seen(self, reader: str, versions: Mapping[str, int]) -> None:
        if versions:
            await self.sql.execute(NOTE_SEEN, reader, *_columns(sorted(versions.items()), 2))

    async def index_get(self, name: str, keys: Iterable[str]) -> dict[str, str]:
        rows = await self.sql.fetch(INDEX_GET, name, sorted(set(keys)))
        return {row["key"]: row["value"] for row in rows}

    async def index_scan(self, name: str, prefix: str) -> dict[str, str]:
        end = _behind(prefix)
        if end is None:
            rows = await self.sql.fetch(INDEX_SCAN_TO_THE_END, name, prefix)
        else:
            rows = await self.sql.fetch(INDEX_SCAN, name, prefix, end)
        return {row["key"]: row["value"] for row in rows}

    async def index_put(self, name: str, entries: Mapping[str, str | None]) -> None:
        kept = sorted((key, value) for key, value in entries.items() if value is not None)
        removed = sorted(key for key, value in entries.items() if value is None)
        if kept:
            await self.sql.execute(INDEX_PUT, name, *_columns(kept, 2))
        if removed:
            await self.sql.execute(INDEX_REMOVE, name, removed)

    async def draw(self, name: str, count: int) -> list[int]:
        sequence = await self._sequence_of(self.sql, checked(name))
        return [row[0] for row in await self.sql.fetch(DRAW, sequence, count)]

    async def enqueue(self, deliveries: Sequence[Delivery]) -> None:
        rows = [(*_delivery_columns(delivery),) for delivery in deliveries]
        if rows:
            await self.sql.execute(ENQUEUE, *_columns(rows, 10))

    async def claim(self, now: datetime, lease_until: datetime, limit: int, busy: Iterable[str]) -> list[Delivery]:
        chosen = [row["id"] for row in await self.sql.fetch(CHOOSE, now, sorted(busy), limit)]
        if not chosen:
            return []
        leased = {row["id"]: _delivery(row) for row in await self.sql.fetch(LEASE, now, lease_until, chosen)}
        return [leased[number] for number in chosen if number in leased]

    async def settle(self, ids: Iterable[int]) -> None:
        await self.sql.execute(SETTLE, sorted(ids))

    async def postpone(self, delivery: int, not_before: datetime, attempts: int) -> None:
        await self.sql.execute(POSTPONE, delivery, not_before, attempts)

    async def park(self, reader: str, stream: str, place: Place, offset: int, body: bytes, error: str) -> None:
        await self.sql.execute(PARK, reader, stream, *place, offset, body, _readable(error))

    async def parked(self, reader: str, streams: Iterable[str]) -> set[str]:
        return {row["stream"] for row in await self.sql.fetch(PARKED, reader, sorted(set(streams)))}

    async def parked_records(self, reader: str | None = None, stream: str | None = None) -> list[Parked]:
        return [_parked(row) for row in await self.sql.fetch(PARKED_RECORDS, reader, stream)]

    async def unpark(self, reader: str, records: Iterable[tuple[Place, int]]) -> None:
        rows = sorted((*place, offset) for place, offset in records)
        await self.sql.execute(UNPARK, reader, *_columns(rows, 3))

    async def forget_reader(self, reader: str) -> None:
        await self.sql.execute(FORGET_POSITIONS, reader)
        await self.sql.execute(FORGET_SEEN, reader)


# -- rows and columns


def stream_row(row: Any) -> StreamRow:
    return StreamRow(row["stream"], row["version"], row["state"], row["state_rev"], row["due_at"], row["parked"])


def line(row: Any) -> Line:
    return Line(row["stream"], row["version"], row["topic"], row["key"], row["type"], row["body"])


def places(rows: Iterable[Any]) -> dict[Place, int]:
    return {(row["topic"], row["partition"]): row["next"] for row in rows}


def line_columns(lines: Sequence[Line]) -> list[list[Any]]:
    return _columns([(each.stream, each.version, each.topic, each.key, each.type, each.body) for each in lines], 6)


def _head_columns(heads: Sequence[StreamRow]) -> list[list[Any]]:
    rows = [(head.stream, head.version, head.state, head.state_rev, head.due_at, head.parked) for head in heads]
    return _columns(sorted(rows, key=lambda row: row[0]), 6)


def _delivery_columns(of: Delivery) -> tuple[Any, ...]:
    return (
        *(of.id, of.channel, of.stream, of.target, of.not_before, of.deadline),
        *(of.payload, of.lane, of.attempts, of.created_at),
    )


def _delivery(row: Any) -> Delivery:
    return Delivery(
        id=row["id"],
        channel=row["channel"],
        stream=row["stream"],
        target=row["target"],
        not_before=row["not_before"],
        deadline=row["deadline"],
        payload=row["payload"],
        lane=row["lane"],
        attempts=row["attempts"],
        created_at=row["created_at"],
        leased_before=row["leased_until"] is not None,
    )


def _parked(row: Any) -> Parked:
    place = (row["topic"], row["partition"])
    return Parked(row["reader"], row["stream"], place, row["place"], row["body"], row["error"])


def _columns(rows: Sequence[tuple[Any, ...]], width: int) -> list[list[Any]]:
    """Rows turned into the arrays that unnest wants, also when there are none."""
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(width)]


def _behind(prefix: str) -> str | None:
    """The first text that sorts behind all that begin with `prefix`; None when nothing does."""
    head = prefix.rstrip("\U0010ffff")
    if not head:
        return None
    successor = ord(head[-1]) + 1
    return head[:-1] + chr(0xE000 if successor == 0xD800 else successor)  # surrogates are no characters


def _readable(error: str) -> str:
    """Text that Postgres can hold: what went wrong may quote anything."""
    return re.sub(r"[\x00\ud800-\udfff]", "�", error)
