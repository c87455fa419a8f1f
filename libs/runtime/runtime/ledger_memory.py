"""The ledger in memory: the same promises as Postgres, one transaction at a time, no real time; for tests and simulation.

A transaction writes into drafts over the tables; its end puts them into place, or drops them. Processes of one
service are ledgers over one `Base`.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, TypeVar

from runtime import ids
from runtime.ports import (
    Clock,
    Conflict,
    Delivery,
    Fenced,
    Line,
    OutboxLine,
    Parked,
    Place,
    StreamRow,
    Transaction,
    Unavailable,
)

K = TypeVar("K")
V = TypeVar("V")

Step = Literal["begin", "commit", "committed", "relay", "ask"]
Fault = Callable[[Step], None]
"""Called before each step (`committed`: after it, before anybody knows); what it raises is what the step meets."""


@dataclass(frozen=True)
class _Waiting:
    line: Line
    since: datetime


@dataclass(frozen=True)
class _Sending:
    delivery: Delivery
    leased_until: datetime | None = None

    def is_leased(self, now: datetime) -> bool:
        return self.leased_until is not None and self.leased_until > now


@dataclass
class Base:
    """What one service has stored, whichever of its processes asks."""

    events: dict[str, tuple[Line, ...]] = field(default_factory=dict)
    heads: dict[str, StreamRow] = field(default_factory=dict)
    outbox: dict[int, _Waiting] = field(default_factory=dict)
    positions: dict[tuple[str, Place], int] = field(default_factory=dict)
    seen: dict[tuple[str, str], int] = field(default_factory=dict)
    entries: dict[tuple[str, str], str] = field(default_factory=dict)
    deliveries: dict[int, _Sending] = field(default_factory=dict)
    parked: dict[tuple[str, Place, int], tuple[str, bytes, str]] = field(default_factory=dict)
    published: dict[Place, int] = field(default_factory=dict)
    drawn: dict[str, int] = field(default_factory=dict)
    order: dict[int, tuple[str, int]] = field(default_factory=dict)
    last_seq: int = 0
    leader: "MemoryLedger | None" = None
    processes: "list[MemoryLedger]" = field(default_factory=list)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    whose: "asyncio.Task[Any] | None" = None


class _Draft(MutableMapping[K, V]):
    """A table as one transaction sees it: what is committed, and its own changes over that."""

    def __init__(self, table: dict[K, V]) -> None:
        self._table = table
        self._changes: dict[K, V | None] = {}

    def __getitem__(self, key: K) -> V:
        value = self._changes[key] if key in self._changes else self._table[key]
        if value is None:
            raise KeyError(key)
        return value

    def __setitem__(self, key: K, value: V) -> None:
        self._changes[key] = value

    def __delitem__(self, key: K) -> None:
        self[key]
        self._changes[key] = None

    def __iter__(self) -> Iterator[K]:
        yield from (key for key in self._table if key not in self._changes)
        yield from (key for key, value in self._changes.items() if value is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def commit(self) -> None:
        for key, value in self._changes.items():
            if value is None:
                self._table.pop(key, None)
            else:
                self._table[key] = value


class MemoryTransaction:
    """See `ports.Transaction`."""

    sql: Any = None

    def __init__(self, base: Base, clock: Clock) -> None:
        self.written = 0
        self._base = base
        self._clock = clock
        self._events = _Draft(base.events)
        self._order = _Draft(base.order)
        self._heads = _Draft(base.heads)
        self._outbox = _Draft(base.outbox)
        self._positions = _Draft(base.positions)
        self._seen = _Draft(base.seen)
        self._entries = _Draft(base.entries)
        self._deliveries = _Draft(base.deliveries)
        self._parked = _Draft(base.parked)

    def commit(self) -> None:
        self._events.commit()
        self._order.commit()
        self._heads.commit()
        self._outbox.commit()
        self._positions.commit()
        self._seen.commit()
        self._entries.commit()
        self._deliveries.commit()
        self._parked.commit()

    # -- streams

    async def lock(self, streams: Iterable[str]) -> dict[str, StreamRow]:
        return {stream: self._heads.get(stream, StreamRow(stream)) for stream in sorted(set(streams))}

    async def peek(self, streams: Iterable[str]) -> dict[str, StreamRow]:
        return {stream: head for stream, head in (await self.lock(streams)).items() if head.version > 0}

    async def history(self, stream: str) -> list[Line]:
        return list(self._events.get(stream, ()))

    async def histories(self, streams: Iterable[str]) -> dict[str, list[Line]]:
        return {stream: list(self._events[stream]) for stream in sorted(set(streams)) if self._events.get(stream)}

    async def append(self, lines: Sequence[Line], heads: Sequence[StreamRow]) -> None:
        for line in lines:
            self._insert(line)
            self._outbox[self._base.last_seq] = _Waiting(line, self._clock.now())
            self.written = self._base.last_seq
        for head in heads:
            self._heads[head.stream] = head

    async def adopt(self, lines: Sequence[Line]) -> int:
        taken = [line for line in lines if self._lacks(line)]
        for line in taken:
            head = self._heads.get(line.stream, StreamRow(line.stream))
            version = max(head.version, line.version)
            self._heads[line.stream] = replace(head, version=version, state=None, state_rev=0)
        for name, number in ids.used(taken).items():
            self._base.drawn[name] = max(number + ids.GAP, self._base.drawn.get(name, 0))
        return len(taken)

    def _lacks(self, line: Line) -> bool:
        here = next((each for each in self._events.get(line.stream, ()) if each.version == line.version), None)
        if here is None:
            self._insert(line)
        elif here.body is not None and here.body != line.body:
            raise ValueError(f"{line.stream}@{line.version} is here with another body")
        return here is None

    def _insert(self, line: Line) -> None:
        history = self._events.get(line.stream, ())
        if any(line.version == each.version for each in reversed(history)):
            raise Conflict(f"somebody else has written this version: {line.stream}@{line.version}")
        in_order = not history or history[-1].version < line.version
        longer = (*history, line)
        self._base.last_seq += 1
        self._order[self._base.last_seq] = (line.stream, line.version)
        self._events[line.stream] = longer if in_order else tuple(sorted(longer, key=lambda each: each.version))

    async def erase(self, stream: str) -> None:
        self._events[stream] = tuple(replace(line, body=None) for line in self._events.get(stream, ()))
        for seq, waiting in list(self._outbox.items()):
            if waiting.line.stream == stream:
                self._outbox[seq] = replace(waiting, line=replace(waiting.line, body=None))

    async def due(self, now: datetime, limit: int) -> list[StreamRow]:
        ripe = [(at, head.stream, head) for at, head in _dated(self._heads.values()) if at <= now]
        return [head for _, _, head in sorted(ripe, key=lambda each: each[:2])[:limit]]

    # -- readers

    async def positions(self, reader: str) -> dict[Place, int]:
        return {place: offset for (name, place), offset in self._positions.items() if name == reader}

    async def advance(self, reader: str, moves: Mapping[Place, tuple[int | None, int]]) -> None:
        for place, (expected, offset) in moves.items():
            if self._positions.get((reader, place)) != expected:
                raise Fenced(f"the position of {reader} was moved by somebody else")
            self._positions[reader, place] = offset

    async def seen(self, reader: str, streams: Iterable[str]) -> dict[str, int]:
        return {stream: self._seen[reader, stream] for stream in set(streams) if (reader, stream) in self._seen}

    async def note_seen(self, reader: str, versions: Mapping[str, int]) -> None:
        for stream, version in versions.items():
            self._seen[reader, stream] = max(version, self._seen.get((reader, stream), 0))

    async def park(self, reader: str, stream: str, place: Place, offset: int, body: bytes, error: str) -> None:
        self._parked.setdefault((reader, place, offset), (stream, body, error))

    async def parked(self, reader: str, streams: Iterable[str]) -> set[str]:
        aside = {stream for (name, _, _), (stream, _, _) in self._parked.items() if name == reader}
        return aside & set(streams)

    async def parked_records(self, reader: str | None = None, stream: str | None = None) -> list[Parked]:
        aside = [
            Parked(name, of, place, offset, body, error)
            for (name, place, offset), (of, body, error) in sorted(self._parked.items())
        ]
        return [one for one in aside if reader in {None, one.reader} and stream in {None, one.stream}]

    async def unpark(self, reader: str, records: Iterable[tuple[Place, int]]) -> None:
        for place, offset in records:
            self._parked.pop((reader, place, offset), None)

    async def forget_reader(self, reader: str) -> None:
        for place in [place for name, place in self._positions if name == reader]:
            del self._positions[reader, place]
        for stream in [stream for name, stream in self._seen if name == reader]:
            del self._seen[reader, stream]

    # -- indexes and ids

    async def index_get(self, name: str, keys: Iterable[str]) -> dict[str, str]:
        return {key: self._entries[name, key] for key in sorted(set(keys)) if (name, key) in self._entries}

    async def index_scan(self, name: str, prefix: str) -> dict[str, str]:
        found = {key: value for (index, key), value in self._entries.items() if index == name}
        return {key: value for key, value in sorted(found.items()) if key.startswith(prefix)}

    async def index_put(self, name: str, entries: Mapping[str, str | None]) -> None:
        for key, value in entries.items():
            _check_text(key, value)
            if value is not None:
                self._entries[name, key] = value
            else:
                self._entries.pop((name, key), None)

    async def draw(self, name: str, count: int) -> list[int]:
        last = self._base.drawn.get(ids.checked(name), 0)  # what is drawn stays drawn, whatever becomes of us
        self._base.drawn[name] = last + count
        return list(range(last + 1, last + count + 1))

    # -- deliveries

    async def enqueue(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            created_at = delivery.created_at or self._clock.now()
            self._deliveries[delivery.id] = _Sending(replace(delivery, created_at=created_at, leased_before=False))

    async def claim(self, now: datetime, lease_until: datetime, limit: int, busy: Iterable[str]) -> list[Delivery]:
        taken = set(busy) | {each.delivery.target for each in self._deliveries.values() if each.is_leased(now)}
        claimed = list[Delivery]()
        for sending in sorted(self._deliveries.values(), key=lambda each: _rank(each.delivery)):
            delivery = sending.delivery
            if len(claimed) == limit or delivery.not_before > now or delivery.target in taken:
                continue
            taken.add(delivery.target)
            claimed.append(replace(delivery, leased_before=sending.leased_until is not None))
            self._deliveries[delivery.id] = _Sending(delivery, lease_until)
        return claimed

    async def settle(self, ids: Iterable[int]) -> None:
        for number in ids:
            self._deliveries.pop(number, None)

    async def postpone(self, delivery: int, not_before: datetime, attempts: int) -> None:
        if (sending := self._deliveries.get(delivery)) is not None:
            later = replace(sending.delivery, not_before=not_before, attempts=attempts)
            self._deliveries[delivery] = _Sending(later)


class MemoryLedger:
    """See `ports.Ledger`. One process' way to its service's base; `fault` lets a test or a simulation hurt it."""

    def __init__(self, clock: Clock, base: Base | None = None, fault: Fault = lambda _step: None) -> None:
        self.base = base or Base()
        self.fault = fault
        self._clock = clock
        self._written = 0
        self._listeners: list[Callable[[], None]] = []
        self.base.processes.append(self)

    async def start(self) -> None:
        """There is nothing to connect to."""

    async def stop(self) -> None:
        """The process ends: it leads and hears nothing any more. What is stored stays."""
        await self.resign()
        self._listeners.clear()
        if self in self.base.processes:
            self.base.processes.remove(self)

    def ready(self) -> str | None:
        return None

    def begin(self) -> AbstractAsyncContextManager[Transaction]:
        return self._begin()

    @asynccontextmanager
    async def _begin(self) -> AsyncIterator[MemoryTransaction]:
        if self.base.whose is not None and self.base.whose is asyncio.current_task():
            raise RuntimeError("a transaction within a transaction would wait for itself")
        self.fault("begin")
        async with self.base.turn:
            self.base.whose = asyncio.current_task()
            try:
                tx = MemoryTransaction(self.base, self._clock)
                yield tx
                self.fault("commit")
                tx.commit()
            finally:
                self.base.whose = None
        self._written = max(self._written, tx.written)
        self.fault("committed")

    # -- the relay's

    async def lead(self) -> bool:
        self.fault("relay")
        if self.base.leader is None:
            self.base.leader = self
        return self.base.leader is self

    async def resign(self) -> None:
        if self.base.leader is self:
            self.base.leader = None

    async def outbox(self, acknowledged: Sequence[int], limit: int) -> list[OutboxLine]:
        self.fault("relay")
        if self.base.leader is not self:
            raise Unavailable("this process does not lead the relay")
        for seq in acknowledged:
            self.base.outbox.pop(seq, None)
        return [OutboxLine(seq, self.base.outbox[seq].line) for seq in sorted(self.base.outbox)[:limit]]

    def written(self) -> int:
        return self._written

    async def first_waiting(self) -> int | None:
        self.fault("ask")
        return min(self.base.outbox, default=None)

    async def last_waiting(self) -> int | None:
        self.fault("ask")
        return max(self.base.outbox, default=None)

    async def outbox_lag(self) -> tuple[int, float]:
        self.fault("ask")
        now = self._clock.now()
        since = min((waiting.since for waiting in self.base.outbox.values()), default=now)
        return len(self.base.outbox), max(0.0, (now - since).total_seconds())

    # -- questions

    async def earliest_due(self) -> datetime | None:
        self.fault("ask")
        return min((at for at, _ in _dated(self.base.heads.values())), default=None)

    async def earliest_delivery(self, busy: Iterable[str] = ()) -> datetime | None:
        self.fault("ask")
        avoided, free = set(busy), dict[str, datetime]()
        for sending in self.base.deliveries.values():
            target, at = sending.delivery.target, sending.delivery.not_before
            free[target] = min(at, free.get(target, at))
        for sending in self.base.deliveries.values():
            if sending.leased_until is not None:  # none of a target's deliveries goes before its lease ends
                target = sending.delivery.target
                free[target] = max(free[target], sending.leased_until)
        return min((at for target, at in free.items() if target not in avoided), default=None)

    async def positions(self, reader: str) -> dict[Place, int]:
        self.fault("ask")
        return {place: offset for (name, place), offset in self.base.positions.items() if name == reader}

    async def is_empty(self) -> bool:
        self.fault("ask")
        return not self.base.events

    async def ping(self) -> None:
        self.fault("ask")

    # -- restore

    async def last_published(self) -> dict[Place, int]:
        self.fault("ask")
        return dict(self.base.published)

    async def note_published(self, places: Mapping[Place, int]) -> None:
        self.fault("ask")
        for place, end in places.items():
            self.base.published[place] = max(end, self.base.published.get(place, 0))

    async def forget_published(self, topics: Sequence[str]) -> None:
        self.fault("ask")
        for place in [place for place in self.base.published if place[0] in topics]:
            del self.base.published[place]

    async def adopt(self, lines: Sequence[Line]) -> int:
        async with self._begin() as tx:
            return await tx.adopt(lines)

    async def lines(self, topics: Sequence[str], after: int, limit: int) -> list[OutboxLine]:
        self.fault("ask")
        found = [(seq, self._line(*place)) for seq, place in sorted(self.base.order.items()) if seq > after]
        return [OutboxLine(seq, line) for seq, line in found if line.topic in topics][:limit]

    def _line(self, stream: str, version: int) -> Line:
        return next(line for line in self.base.events[stream] if line.version == version)

    # -- the other processes of this service

    async def notify(self) -> None:
        for process in self.base.processes:
            if process is not self:
                for woken in process._listeners:  # noqa: SLF001 -- the other end of the same wire
                    asyncio.get_running_loop().call_soon(woken)

    async def listen(self, woken: Callable[[], None]) -> None:
        self._listeners.append(woken)
        asyncio.get_running_loop().call_soon(woken)


def _dated(heads: Iterable[StreamRow]) -> Iterator[tuple[datetime, StreamRow]]:
    return ((head.due_at, head) for head in heads if head.due_at is not None and head.parked is None)


def _rank(delivery: Delivery) -> tuple[bool, float, int]:
    """Lane 0 first, its newest first; then the rest, oldest first."""
    assert delivery.created_at is not None
    age, place = delivery.created_at.timestamp(), delivery.id
    return (False, -age, -place) if delivery.lane == 0 else (True, age, place)


def _check_text(*texts: str | None) -> None:
    """Refuse what Postgres could not hold: half a surrogate pair (a UnicodeEncodeError is a ValueError), a NUL."""
    if any(b"\0" in text.encode() for text in texts if text is not None):
        raise ValueError("not a text for the ledger: it holds a NUL")
