"""What the machinery needs from the outside, as ports: a ledger, a broker, a clock.

Each port has two adapters that pass one suite: Postgres and memory for the ledger, Kafka and memory for the
broker, real and virtual for the clock. Everything else in this package is written against these ports, so the
same code runs in production and in simulation.
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

Place = tuple[str, int]
"""A partition: (topic, number)."""


class Unavailable(Exception):
    """The broker or the base cannot be reached right now: wait and try again."""


class Conflict(Exception):
    """The transaction met another one (deadlock, serialisation failure): run the whole batch again."""


class Fenced(Exception):
    """Another replica moved this reader's position: this one is a zombie and must give its partitions up."""


class PositionLost(Exception):
    """A reader's position does not fit the topic: a person must say what to do; the text says the choices."""


class Clock(Protocol):
    def now(self) -> datetime:
        """The present instant, in UTC."""
        ...


# -- the ledger ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class StreamRow:
    """A stream's head. `state` is a cache of its fold, valid only for the code whose `state_rev` it carries."""

    stream: str
    version: int = 0
    state: bytes | None = None
    state_rev: int = 0
    due_at: datetime | None = None
    parked: str | None = None


@dataclass(frozen=True)
class Line:
    """One event in the ledger: exactly the bytes that are published. `body` None is a tombstone."""

    stream: str
    version: int
    topic: str
    key: str
    type: str
    body: bytes | None


@dataclass(frozen=True)
class OutboxLine:
    seq: int
    line: Line


@dataclass(frozen=True)
class Delivery:
    """Something to be sent outside. `lane` 0 goes first, newest first; others oldest first.

    `target` names whom a circuit or a limit would count (a host, an address' digest): one in flight per target.
    `payload` is the sender's own JSON. The row lives until it is settled.
    """

    id: int
    channel: str
    stream: str
    target: str
    not_before: datetime
    deadline: datetime
    payload: bytes
    lane: int = 0
    attempts: int = 0
    created_at: datetime | None = None
    leased_before: bool = False
    gate_timed_out: bool = False
    """Of this claim, not of the row: the newest news could not be awaited. Whoever sends it must say so."""

    @property
    def may_have_arrived(self) -> bool:
        """Whether the other side may have it: a sender died with it, or was not told what became of an attempt."""
        return self.leased_before or self.attempts > 0


@dataclass(frozen=True)
class Parked:
    """A record that a reader set aside: where it was read, what it held, and why."""

    reader: str
    stream: str
    place: Place
    offset: int
    body: bytes
    error: str


class Transaction(Protocol):
    """One atomic step of the ledger. Everything that is written becomes visible together, or nothing does."""

    sql: Any
    """The asyncpg connection, for inline projections in SQL; None in memory."""

    async def lock(self, streams: Iterable[str]) -> dict[str, StreamRow]:
        """Lock these streams in sorted order, and give their heads (version 0 where there was none)."""
        ...

    async def peek(self, streams: Iterable[str]) -> dict[str, StreamRow]:
        """The heads of those streams that exist, without locking them."""
        ...

    async def history(self, stream: str) -> list[Line]:
        """All events of one stream, in order."""
        ...

    async def histories(self, streams: Iterable[str]) -> dict[str, list[Line]]:
        """All events of each of these streams, in order; streams without any are left out."""
        ...

    async def append(self, lines: Sequence[Line], heads: Sequence[StreamRow]) -> None:
        """Append events, put them into the outbox in this order, and set the heads of their streams."""
        ...

    async def adopt(self, lines: Sequence[Line]) -> int:
        """Restore: append lines of our own topics that the ledger lacks, not into the outbox; the number taken.
        Raises ValueError when a line is here with another body. Ids restart above what the lines use."""
        ...

    async def erase(self, stream: str) -> None:
        """Blank the bodies of a cell's earlier versions: the one exception to append-only, for personal data."""
        ...

    async def due(self, now: datetime, limit: int) -> list[StreamRow]:
        """Lock and give streams that are due, earliest first, passing over those that others hold."""
        ...

    async def positions(self, reader: str) -> dict[Place, int]:
        """The next offset to read, by partition."""
        ...

    async def advance(self, reader: str, moves: Mapping[Place, tuple[int | None, int]]) -> None:
        """Compare-and-set positions from the first to the second offset; `Fenced` when one is not as expected."""
        ...

    async def seen(self, reader: str, streams: Iterable[str]) -> dict[str, int]:
        """The highest version that this reader has taken in, by foreign stream."""
        ...

    async def note_seen(self, reader: str, versions: Mapping[str, int]) -> None: ...

    async def index_get(self, name: str, keys: Iterable[str]) -> dict[str, str]:
        """The values of an index of ours, by key; keys without a value are left out."""
        ...

    async def index_scan(self, name: str, prefix: str) -> dict[str, str]:
        """All entries of an index whose key begins with `prefix`, in key order."""
        ...

    async def index_put(self, name: str, entries: Mapping[str, str | None]) -> None:
        """Set entries; None removes one."""
        ...

    async def draw(self, name: str, count: int) -> list[int]:
        """Fresh ids, ascending, never drawn before (gaps are possible)."""
        ...

    async def enqueue(self, deliveries: Sequence[Delivery]) -> None: ...

    async def claim(self, now: datetime, lease_until: datetime, limit: int, busy: Iterable[str]) -> list[Delivery]:
        """Lease deliveries that may go now: lane 0 newest first, then by age; at most one per target, none of
        `busy` targets, none leased to others. An expired lease is given again with `leased_before` set."""
        ...

    async def settle(self, ids: Iterable[int]) -> None:
        """Deliveries that are over, however they ended."""
        ...

    async def postpone(self, delivery: int, not_before: datetime, attempts: int) -> None:
        """Give a lease back: try again then."""
        ...

    async def park(self, reader: str, stream: str, place: Place, offset: int, body: bytes, error: str) -> None:
        """Set a record aside that could not be handled, behind those of its stream that were set aside before."""
        ...

    async def parked(self, reader: str, streams: Iterable[str]) -> set[str]:
        """Those of the streams that have records set aside."""
        ...

    async def parked_records(self, reader: str | None = None, stream: str | None = None) -> list[Parked]:
        """Records set aside, of every reader and stream unless one is named; those of a stream in their order."""
        ...

    async def unpark(self, reader: str, records: Iterable[tuple[Place, int]]) -> None:
        """These records, by place and offset, are not set aside any more."""
        ...

    async def forget_reader(self, reader: str) -> None:
        """Drop a reader's positions and the versions it took in; what it set aside stays."""
        ...


class Ledger(Protocol):
    """One service's own log of what it decided, and everything that must change together with it."""

    def begin(self) -> AbstractAsyncContextManager[Transaction]:
        """A transaction: commits at the end, rolls back when the body raises. May raise Conflict or Unavailable."""
        ...

    async def lead(self) -> bool:
        """Become, or still be, the one relay of this service."""
        ...

    async def resign(self) -> None: ...

    async def outbox(self, acknowledged: Sequence[int], limit: int) -> list[OutboxLine]:
        """Forget what the broker has acknowledged and give the next lines, in order."""
        ...

    def written(self) -> int:
        """The highest outbox number that this process has committed; 0 when it has committed none."""
        ...

    async def first_waiting(self) -> int | None:
        """The lowest outbox number that the broker has not acknowledged; None when none waits."""
        ...

    async def last_waiting(self) -> int | None:
        """The highest outbox number that the broker has not acknowledged; None when none waits."""
        ...

    async def outbox_lag(self) -> tuple[int, float]:
        """(lines waiting, age of the oldest in seconds)."""
        ...

    async def earliest_due(self) -> datetime | None: ...

    async def earliest_delivery(self, busy: Iterable[str] = ()) -> datetime | None:
        """When the next delivery may be claimed (leases included), those to `busy` targets left aside."""
        ...

    async def positions(self, reader: str) -> dict[Place, int]: ...

    async def is_empty(self) -> bool:
        """Nothing was ever decided here."""
        ...

    async def last_published(self) -> dict[Place, int]:
        """Where this service's own topics were known to end, by partition (next offset)."""
        ...

    async def note_published(self, places: Mapping[Place, int]) -> None:
        """They end there, or later: what was noted higher stays."""
        ...

    async def forget_published(self, topics: Sequence[str]) -> None:
        """These topics were made anew: where they ended before says nothing of them."""
        ...

    async def adopt(self, lines: Sequence[Line]) -> int:
        """`Transaction.adopt` in a transaction of its own."""
        ...

    async def lines(self, topics: Sequence[str], after: int, limit: int) -> list[OutboxLine]:
        """What was ever decided for these topics, numbered above `after`, in the order in which it was published."""
        ...

    async def notify(self) -> None:
        """Wake this service's other processes (they may lead the relay or hold the clock)."""
        ...

    async def listen(self, woken: Any) -> None:
        """Call `woken()` whenever another process of this service notified, and once it is heard from now on."""
        ...

    async def ping(self) -> None:
        """Raises Unavailable when the base does not answer."""
        ...


# -- the broker ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Record:
    """A message as read."""

    topic: str
    partition: int
    offset: int
    key: str
    value: bytes | None
    timestamp: datetime

    @property
    def place(self) -> Place:
        return (self.topic, self.partition)


@dataclass(frozen=True)
class Message:
    """A message to be written."""

    topic: str
    key: str
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = field(default=())


@dataclass(frozen=True)
class Written:
    topic: str
    partition: int
    offset: int


class Producer(Protocol):
    """The one idempotent writer of a process (acks=all). Messages of one key stay in the order given."""

    async def send(self, messages: Sequence[Message]) -> list[Written]:
        """Hand over in order and wait for all acknowledgements. Raises Unavailable when one is not to be had;
        what was handed over may still arrive."""
        ...

    def oldest_unacknowledged_s(self) -> float:
        """How long the oldest send has waited for its acknowledgement; 0 when none waits."""
        ...


class Assignment(Protocol):
    """Told when a group member's partitions change, before reading goes on."""

    async def assigned(self, places: Sequence[Place]) -> Mapping[Place, int]:
        """The next offset to read of each partition."""
        ...

    async def revoked(self, places: Sequence[Place]) -> None:
        """Called before they are given up; returns once nothing of them is in flight."""
        ...


class Reader(Protocol):
    """Reads topics: as a member of a group, or without one (every partition, for views)."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def poll(self, timeout_s: float, limit: int = 500) -> list[Record]:
        """What is there, at once; waits up to `timeout_s` only when nothing is. Order holds within a partition."""
        ...

    async def commit(self, offsets: Mapping[Place, int]) -> None:
        """Tell the group how far outputs are acknowledged (for people and lag monitors; we never resume from it)."""
        ...

    async def end_offsets(self) -> dict[Place, int]:
        """Where every partition of the topics ends now. Raises Unavailable."""
        ...

    def forget(self, places: Iterable[Place]) -> None:
        """Drop what was fetched of these partitions and read again from where `assigned` would say."""
        ...


class Broker(Protocol):
    """Makes readers, knows topics. One per process."""

    @property
    def producer(self) -> Producer: ...

    def member(self, topics: Sequence[str], group: str, instance: str, assignment: Assignment) -> Reader:
        """A static member of a consumer group."""
        ...

    def tail(self, topics: Sequence[str], from_end: bool = False) -> Reader:
        """A reader of all partitions without a group: from the start, or only what comes from now on."""
        ...

    async def end_offsets(self, topics: Sequence[str]) -> dict[Place, int]: ...

    async def begin_offsets(self, topics: Sequence[str]) -> dict[Place, int]: ...

    async def start(self) -> None: ...

    async def stop(self) -> None: ...
