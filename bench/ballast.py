"""A large base without waiting for it: alerts that are there are copied, in every service's ledger and pictures.

Copies are resolved alerts with streams of their own names: lists, searches, indexes and inserts meet them as real ones;
nothing is ever decided on them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import asyncpg

from bench.suites import Suite

SAMPLE: Final = 1_000
SERVICES: Final = ("ingest", "escalator", "notifier")
LEDGER: Final = """
with sample as (select * from events where stream in (select stream from streams where {kinds} order by stream desc limit {streams})),
     copy as (select generate_series(1, {copies}) as n)
insert into events (stream, version, topic, key, type, body)
select stream || '~' || {turn} || '.' || n, version, topic, key, type, body from sample, copy
"""
HEADS: Final = """
with sample as (select * from streams where {kinds} order by stream desc limit {streams}),
     copy as (select generate_series(1, {copies}) as n)
insert into streams (stream, version, state, state_rev)
select stream || '~' || {turn} || '.' || n, version, state, state_rev from sample, copy
"""
PICTURES: Final = (
    """
    insert into alerts
    select copied.* from (
        select a as original, {first} + row_number() over () - 1 as number
        from (select * from alerts where source > 0 order by id desc limit {alerts}) a, generate_series(1, {copies})
    ) numbered, lateral jsonb_populate_record(numbered.original, jsonb_build_object(
        'id', numbered.number, 'status', 'RESOLVED', 'next_at', null, 'resolved_at', (numbered.original).created_at
    )) copied
    """,
    """
    insert into responders (alert, user_id, status, accepted_at, told_at)
    select alerts.id, r.user_id, r.status, r.accepted_at, r.told_at
    from alerts cross join (select * from responders order by alert desc limit 1) r where alerts.id >= {first}
    on conflict do nothing
    """,
    """
    insert into timeline (alert, event_id, type, at, body)
    select alerts.id, t.event_id || '~' || alerts.id, t.type, t.at, t.body
    from alerts cross join (select * from timeline where alert = (select max(alert) from timeline)) t where alerts.id >= {first}
    """,
    """
    insert into source_log (source, signal, event_id, outcome, alert, text, received_at)
    select source, 'copy-' || id, 'alert-' || id || '@1', 'CREATED', id, summary, created_at from alerts where id >= {first}
    """,
)


@dataclass(frozen=True)
class Bytes:
    """What the suite holds on disk."""

    postgres: int
    kafka: int


async def bytes_of(suite: Suite) -> Bytes:
    connection = await asyncpg.connect(suite.dsn("postgres"))
    try:
        bases = await connection.fetchval("select sum(pg_database_size(oid))::bigint from pg_database")
    finally:
        await connection.close()
    logs = (suite.data_dir / "kafka" / "data").glob("*/*.log")
    return Bytes(bases, sum(_size(log) for log in logs if not log.parent.name.startswith("__")))


def _size(log: Path) -> int:
    return log.stat().st_blocks * 512


async def fill(suite: Suite, wanted: int) -> None:
    """Bring the base to so many alerts. Raises ValueError where there are not enough to copy."""
    alerts = await _alone(suite, "ingest", "select count(*) from alerts")
    copies = (wanted - alerts) // SAMPLE
    if alerts < SAMPLE:
        raise ValueError(f"there are only {alerts} alerts to copy")
    for turn in range(0, copies, 100):
        await _copy(suite, turn, min(100, copies - turn))
    for service in SERVICES:
        await _alone(suite, service, "vacuum analyze")


async def _copy(suite: Suite, turn: int, copies: int) -> None:
    """So many copies of the sample; ids are drawn as a service would draw them."""
    first = await _alone(suite, "ingest", "select nextval('ids_alert')")
    await _alone(suite, "ingest", f"select setval('ids_alert', {first + SAMPLE * copies})")
    words: Mapping[str, Any] = {"first": first, "copies": copies, "alerts": SAMPLE, "turn": turn}
    for service in SERVICES:
        for statement in _statements(service):
            await _alone(suite, service, statement.format(**words, streams=SAMPLE, kinds=KINDS[service]))


KINDS: Final = {
    "ingest": "stream like 'alert-%' and stream not like '%~%'",
    "escalator": "stream like 'escalation-%' and stream not like '%~%'",
    "notifier": "stream like 'page-%' and stream not like '%~%'",
}


def _statements(service: str) -> Sequence[str]:
    return (LEDGER, HEADS, *(PICTURES if service == "ingest" else ()))


async def _alone(suite: Suite, service: str, statement: str) -> Any:
    """One statement outside of any other's transaction."""
    connection = await asyncpg.connect(suite.dsn(service), timeout=10, command_timeout=1800)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()
