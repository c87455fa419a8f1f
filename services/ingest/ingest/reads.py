"""Questions to the pictures in SQL: alerts by filter, one alert, its timeline and comments, what became of a source's signals."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from events.machinery import SYNTHETIC
from ingest.canonical import key_of

MANY = 1_000
"""What is counted no further on pages."""

COLUMNS = """id, version, status, source, source_name, policy, policy_reason, priority, priority_reason, severity, summary,
    alert_key, links, images, labels, services, teams, created_by, created_at, accepted_by, accepted_at, resolved_by,
    resolved_at, resolve_reason, auto_resolve_at, repeats, last_event_at, assigned_user, climb, climb_reason, levels,
    level, next_at, (select incident from incident_links where alert = alerts.id and linked
        order by at desc, incident desc limit 1) as incident"""
RESPONDERS = "select * from responders where alert = any($1::bigint[]) order by told_at, user_id"
TIMELINE = """
select id, event_id, type, at, body from timeline
where alert = $1 and ($2::text[] is null or type = any($2)) order by at {order}, id {order} offset $3 limit $4
"""
SOURCE_LOG = "select * from source_log where source = $1 order by id desc offset $2 limit $3"
SOURCE_STATES = """
select source, bool_or(status = 'PENDING') as pending from alerts
where status in ('PENDING', 'ACCEPTED') and source = any($1::bigint[]) group by source
"""


@dataclass(frozen=True)
class Sight:
    """What somebody may see: `private` are all private teams, `own` those of them whose member they are."""

    user: int
    sees_all: bool
    private: tuple[int, ...] = ()
    own: tuple[int, ...] = ()


@dataclass(frozen=True)
class Wanted:
    """Which alerts; empty means any. `key` is an alert key within exactly one source."""

    sight: Sight
    states: tuple[str, ...] = ()
    sources: tuple[int, ...] = ()
    policies: tuple[int, ...] = ()
    responders: tuple[int, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    key: str | None = None


@dataclass(frozen=True)
class Answerer:
    """A person on an alert, as the pictures know them."""

    user: int
    status: str
    accepted_at: datetime | None


@dataclass(frozen=True)
class AlertRow:
    """One alert as lists and pages show it; `details` and `custom_details` only where one alert was asked for."""

    id: int
    version: int
    status: str
    source: int
    source_name: str
    policy: int | None
    policy_reason: str
    priority: str
    priority_reason: str
    severity: int | None
    summary: str
    alert_key: str | None
    links: list[dict[str, str]]
    images: list[dict[str, str]]
    labels: dict[str, str]
    services: list[str]
    teams: list[int]
    created_by: dict[str, Any]
    created_at: datetime
    accepted_by: dict[str, Any] | None
    accepted_at: datetime | None
    resolved_by: dict[str, Any] | None
    resolved_at: datetime | None
    resolve_reason: str
    auto_resolve_at: datetime | None
    repeats: int
    last_event_at: datetime
    assigned_user: int | None
    climb: str
    climb_reason: str
    levels: list[dict[str, Any]]
    level: int | None
    next_at: datetime | None
    incident: int | None
    details: str = ""
    custom_details: dict[str, Any] | None = None
    responders: tuple[Answerer, ...] = ()

    @property
    def next_level(self) -> int | None:
        """Zero-based; None when nobody more will be told by time."""
        if self.next_at is None:
            return None
        return 0 if self.level is None else self.level + 1


@dataclass(frozen=True)
class CommentRow:
    id: int
    alert: int
    content: str
    creator: str
    by: dict[str, Any]
    resolves: bool
    created_at: datetime


@dataclass(frozen=True)
class LogRow:
    id: int
    type: str
    body: dict[str, Any]


@dataclass(frozen=True)
class FateRow:
    """What became of one signal of a source."""

    signal: str
    outcome: str
    alert: int | None
    text: str
    received_at: datetime


@dataclass
class _Where:
    """Conditions and their parameters, numbered as Postgres wants them."""

    conditions: list[str] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)

    def add(self, condition: str, *values: Any) -> None:
        """`{}` in the condition stands for each value."""
        marks = []
        for value in values:
            self.values.append(value)
            marks.append(f"${len(self.values)}")
        self.conditions.append(condition.format(*marks))

    @property
    def text(self) -> str:
        return " and ".join(self.conditions) or "true"


async def some_alerts(sql: Any, wanted: Wanted, start: int, size: int) -> list[AlertRow]:
    """A window on the list, newest first."""
    where = _where(wanted)
    where.values += [start, size]
    window = f"offset ${len(where.values) - 1} limit ${len(where.values)}"
    found = await sql.fetch(f"select {COLUMNS} from alerts where {where.text} order by id desc {window}", *where.values)
    return await _with_responders(sql, found)


async def count_alerts(sql: Any, wanted: Wanted) -> int:
    where = _where(wanted)
    return int(await sql.fetchval(f"select count(*) from alerts where {where.text}", *where.values))


async def counts_by_state(sql: Any, wanted: Wanted) -> dict[str, int]:
    """How many there are of each state, whatever states are wanted; of resolved ones, whose number only grows, at most `MANY`."""
    where = _where(Wanted(**{**vars(wanted), "states": ()}))
    open_ones = f"select status, count(*) as number from alerts where {where.text} and status in ('PENDING', 'ACCEPTED') group by 1"
    resolved = f"select 1 from alerts where {where.text} and status = 'RESOLVED' limit {MANY}"
    query = f"{open_ones} union all select 'RESOLVED', count(*) from ({resolved}) as counted"
    return {row["status"]: row["number"] for row in await sql.fetch(query, *where.values)}


async def one_alert(sql: Any, alert: int, sight: Sight) -> AlertRow | None:
    """With its details; None when it is not there or not theirs to see."""
    where = _where(Wanted(sight))
    where.add("id = {}", alert)
    found = await sql.fetch(f"select {COLUMNS}, details, custom_details from alerts where {where.text}", *where.values)
    rows = await _with_responders(sql, found)
    return rows[0] if rows else None


async def timeline(
    sql: Any, alert: int, types: Sequence[str] | None, start: int, size: int, *, newest_first: bool = False
) -> list[LogRow]:
    query = TIMELINE.format(order="desc" if newest_first else "asc")
    found = await sql.fetch(query, alert, None if types is None else list(types), start, size)
    return [LogRow(row["id"], row["type"], json.loads(row["body"])) for row in found]


async def comments(sql: Any, alert: int, start: int, size: int) -> list[CommentRow]:
    query = "select * from comments where alert = $1 order by id offset $2 limit $3"
    return [_comment(row) for row in await sql.fetch(query, alert, start, size)]


async def one_comment(sql: Any, comment: int) -> CommentRow | None:
    row = await sql.fetchrow("select * from comments where id = $1", comment)
    return _comment(row) if row else None


async def fates(sql: Any, source: int, start: int, size: int) -> list[FateRow]:
    """What became of a source's signals, newest first."""
    found = await sql.fetch(SOURCE_LOG, source, start, size)
    return [FateRow(row["signal"], row["outcome"], row["alert"], row["text"], row["received_at"]) for row in found]


async def source_states(sql: Any, sources: Sequence[int]) -> dict[int, str]:
    """PENDING or ALL_ACCEPTED for sources with open alerts."""
    found = await sql.fetch(SOURCE_STATES, list(sources))
    return {row["source"]: "PENDING" if row["pending"] else "ALL_ACCEPTED" for row in found}


def _where(wanted: Wanted) -> _Where:
    where = _Where()
    where.add("source <> {}", SYNTHETIC)
    _visible(where, wanted.sight)
    if wanted.states:
        where.add("status = any({}::text[])", list(wanted.states))
    if wanted.sources:
        where.add("source = any({}::bigint[])", list(wanted.sources))
    if wanted.policies:
        where.add("policy = any({}::bigint[])", list(wanted.policies))
    if wanted.responders:
        where.add(
            "exists (select from responders r where r.alert = alerts.id and r.user_id = any({}::bigint[]))",
            list(wanted.responders),
        )
    if wanted.since:
        where.add("created_at >= {}", wanted.since)
    if wanted.until:
        where.add("created_at < {}", wanted.until)
    if wanted.key is not None:
        where.add("open_key = any({}::text[])", [key_of(source, wanted.key) for source in wanted.sources])
    return where


def _visible(where: _Where, sight: Sight) -> None:
    """Only private teams hide an alert; those who are asked to answer see it all the same (product map §1.11)."""
    if sight.sees_all or not sight.private:
        return
    where.add(
        "(not teams && {}::bigint[] or teams && {}::bigint[]"
        " or exists (select from responders r where r.alert = alerts.id and r.user_id = {}))",
        list(sight.private),
        list(sight.own),
        sight.user,
    )


JSON_COLUMNS = ("links", "images", "labels", "services", "created_by", "accepted_by", "resolved_by", "levels")


async def _with_responders(sql: Any, found: Sequence[Any]) -> list[AlertRow]:
    if not found:
        return []
    told: dict[int, list[Answerer]] = {}
    for row in await sql.fetch(RESPONDERS, [row["id"] for row in found]):
        told.setdefault(row["alert"], []).append(Answerer(row["user_id"], row["status"], row["accepted_at"]))
    return [_alert(row, tuple(told.get(row["id"], ()))) for row in found]


def _alert(row: Any, responders: tuple[Answerer, ...]) -> AlertRow:
    values = dict(row)
    for name in (*JSON_COLUMNS, "custom_details"):
        values[name] = None if values.get(name) is None else json.loads(values[name])
    return AlertRow(**values, responders=responders)


def _comment(row: Any) -> CommentRow:
    values = dict(row)
    values["by"] = json.loads(values["by"])
    return CommentRow(**values)
