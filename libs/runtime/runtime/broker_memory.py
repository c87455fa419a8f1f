"""The broker port in memory, for simulations and tests: deterministic, in one loop, in that loop's time.

    MemoryCluster: logs and groups, what Kafka would be     MemoryBroker: one process' way to it
    Faults: what goes wrong, drawn from one seeded generator

It keeps what the real one promises (order per key, static members, positions asked of the assignment) and does
to its users what the real one may do: rebalances, redelivery, silence.
"""

import asyncio
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from random import Random
from typing import TypeVar

from aiokafka.partitioner import murmur2

from events.topics import TOPICS, Topic
from runtime.ports import Assignment, Message, Place, PositionLost, Record, Unavailable, Written
from runtime.role import Background
from runtime.standing import Standing

T = TypeVar("T")

SESSION_TIMEOUT_S = 6.0
REBALANCE_TIMEOUT_S = 6.0
PATIENCE_S = 10.0
ASK_WITHIN_S = 2.0
START = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)


@dataclass
class Faults:
    """What goes wrong. Chances are per call; `delay_s` is the longest an acknowledgement or a fetch takes."""

    random: Random = field(default_factory=lambda: Random(0))  # noqa: S311 -- chance that must repeat itself
    delay_s: float = 0.0
    duplicates: float = 0.0
    poll_errors: float = 0.0
    send_errors: float = 0.0
    """The acknowledgement is lost: the caller sees Unavailable, the messages are written all the same."""
    _thawed: asyncio.Event | None = field(default=None, repr=False)

    def freeze(self) -> None:
        """From now on the broker answers nothing; connections stay."""
        if self._thawed is None or self._thawed.is_set():
            self._thawed = asyncio.Event()

    def thaw(self) -> None:
        if self._thawed is not None:
            self._thawed.set()

    @property
    def frozen(self) -> bool:
        return self._thawed is not None and not self._thawed.is_set()

    async def thawed(self) -> None:
        while self.frozen and self._thawed is not None:
            await self._thawed.wait()

    async def delay(self) -> None:
        """How long the network takes this time."""
        await asyncio.sleep(self.random.uniform(0, self.delay_s) if self.delay_s else 0)

    def strikes(self, chance: float) -> bool:
        return chance > 0 and self.random.random() < chance


@dataclass
class _Log:
    """One partition. `begin` grows when records are deleted; a compacted record leaves a hole."""

    records: list[Record] = field(default_factory=list)
    begin: int = 0
    end: int = 0

    def append(self, topic: str, partition: int, message: Message, at: datetime) -> Written:
        record = Record(topic, partition, self.end, message.key, message.value, at)
        self.records.append(record)
        self.end += 1
        return Written(topic, partition, record.offset)

    def after(self, position: int, limit: int) -> list[Record]:
        if position < self.begin or position > self.end:
            raise PositionLost(f"position {position} is not within {self.begin}–{self.end}")
        first = bisect_left(self.records, position, key=lambda record: record.offset)
        return self.records[first : first + limit]


class MemoryCluster:
    """What all processes of a simulation share."""

    def __init__(
        self, topics: Sequence[Topic] = TOPICS, *, faults: Faults | None = None, start: datetime = START
    ) -> None:
        self.faults = faults or Faults()
        self._start = start
        self._topics = {topic.name: topic for topic in topics}
        self._logs = {(topic.name, number): _Log() for topic in topics for number in range(topic.partitions)}
        self._groups: dict[str, _Group] = {}
        self._grown = asyncio.Event()

    def places(self, topics: Iterable[str]) -> list[Place]:
        """All partitions, in order. Raises Unavailable for a topic that does not exist."""
        missing = [topic for topic in topics if topic not in self._topics]
        if missing:
            raise Unavailable(f"there is no topic {', '.join(missing)}")
        return [(topic, number) for topic in topics for number in range(self._topics[topic].partitions)]

    def place(self, topic: str, key: str) -> Place:
        """Where a key goes: the same partition as on Kafka."""
        return (topic, _hash(key) % self._topics[topic].partitions)

    def write(self, messages: Sequence[Message]) -> list[Written]:
        """Append in order and wake the readers."""
        at = self._start + timedelta(seconds=asyncio.get_running_loop().time())
        written = [self._append(message, at) for message in messages]
        self.wake()
        return written

    def wake(self) -> None:
        """Let every waiting reader look again."""
        grown, self._grown = self._grown, asyncio.Event()
        grown.set()

    def read(self, positions: Mapping[Place, int], limit: int) -> list[Record]:
        records: list[Record] = []
        for place, position in positions.items():
            if len(records) < limit:
                records += self._logs[place].after(position, limit - len(records))
        return records

    def records(self, topic: str) -> list[Record]:
        """Everything that a topic holds, by partition and offset; for assertions."""
        return [record for place in self.places([topic]) for record in self._logs[place].records]

    def ends(self, topics: Sequence[str]) -> dict[Place, int]:
        return {place: self._logs[place].end for place in self.places(topics)}

    def begins(self, topics: Sequence[str]) -> dict[Place, int]:
        return {place: self._logs[place].begin for place in self.places(topics)}

    async def grows(self) -> None:
        """Wait until something is written, or an assignment changes."""
        await self._grown.wait()

    def compact(self, topic: str) -> None:
        """Keep only the last record of each key, as compaction does to all but the newest segment."""
        for place in self.places([topic]):
            log = self._logs[place]
            last = {record.key: record.offset for record in log.records}
            log.records = [record for record in log.records if last[record.key] == record.offset]

    def truncate(self, place: Place, begin: int) -> None:
        """Delete what is before `begin`, as retention does."""
        log = self._logs[place]
        log.begin, log.records = begin, [record for record in log.records if record.offset >= begin]

    def group(self, name: str) -> "_Group":
        return self._groups.setdefault(name, _Group(self))

    async def stop(self) -> None:
        """End what groups still have to do."""
        for group in self._groups.values():
            await group.background.stop()

    async def describe(self, topics: Sequence[str]) -> dict[str, tuple[int, dict[str, str]]]:
        known = [self._topics[name] for name in topics if name in self._topics]
        return {topic.name: (topic.partitions, topic.config()) for topic in known}

    async def create(self, topics: Sequence[Topic]) -> list[str]:
        missing = [topic for topic in topics if topic.name not in self._topics]
        for topic in missing:
            self._topics[topic.name] = topic
            self._logs |= {(topic.name, number): _Log() for number in range(topic.partitions)}
        return [topic.name for topic in missing]

    def _append(self, message: Message, at: datetime) -> Written:
        self.places([message.topic])
        place = self.place(message.topic, message.key)
        return self._logs[place].append(*place, message, at)


class MemoryBroker:
    """One process' broker (ports.Broker). Several on one cluster play several processes."""

    def __init__(self, cluster: MemoryCluster | None = None, *, patience_s: float = PATIENCE_S) -> None:
        self.cluster = cluster or MemoryCluster()
        self._producer = MemoryProducer(self.cluster, patience_s)

    @property
    def producer(self) -> "MemoryProducer":
        return self._producer

    def member(self, topics: Sequence[str], group: str, instance: str, assignment: Assignment) -> "MemoryMember":
        """See ports.Broker."""
        return MemoryMember(self.cluster, topics, group, instance, assignment)

    def tail(self, topics: Sequence[str], from_end: bool = False) -> "MemoryTail":
        """See ports.Broker."""
        return MemoryTail(self.cluster, topics, from_end=from_end)

    async def end_offsets(self, topics: Sequence[str]) -> dict[Place, int]:
        return await _ask(self.cluster, lambda: self.cluster.ends(topics))

    async def begin_offsets(self, topics: Sequence[str]) -> dict[Place, int]:
        return await _ask(self.cluster, lambda: self.cluster.begins(topics))

    async def describe(self, topics: Sequence[str]) -> dict[str, tuple[int, dict[str, str]]]:
        return await self.cluster.describe(topics)

    async def create(self, topics: Sequence[Topic]) -> list[str]:
        return await self.cluster.create(topics)

    async def standings(self, groups: Sequence[str]) -> dict[str, Standing]:
        """See standing.Standings."""
        return await _ask(self.cluster, lambda: {group: self.cluster.group(group).standing() for group in groups})

    async def start(self) -> None:
        """Nothing to connect to."""

    async def stop(self) -> None:
        await self._producer.stop()

    def ready(self) -> str | None:
        return None


@dataclass(eq=False)
class _Call:
    """A call of `send`: since when it waits, for its caller and for its acknowledgement."""

    since: float
    messages: Sequence[Message]
    acknowledged: "asyncio.Future[list[Written]]"


class MemoryProducer:
    """The writer of one process (ports.Producer). What was handed over to a frozen broker is written when it thaws."""

    def __init__(self, cluster: MemoryCluster, patience_s: float) -> None:
        self._cluster, self._faults, self._patience_s = cluster, cluster.faults, patience_s
        self._calls: dict[_Call, None] = {}
        self._wire: asyncio.Queue[_Call] = asyncio.Queue()
        self._background = Background()
        self._task: asyncio.Task[None] | None = None

    async def stop(self) -> None:
        await self._background.stop()
        self._task = None

    def oldest_unacknowledged_s(self) -> float:
        oldest = next(iter(self._calls), None)
        return 0.0 if oldest is None else asyncio.get_running_loop().time() - oldest.since

    async def send(self, messages: Sequence[Message]) -> list[Written]:
        """See ports.Producer."""
        if not messages:
            return []
        loop = asyncio.get_running_loop()
        call = _Call(loop.time(), tuple(messages), loop.create_future())
        self._calls[call] = None
        call.acknowledged.add_done_callback(lambda _: self._calls.pop(call, None))
        self._carry(call)
        await asyncio.wait({call.acknowledged}, timeout=self._patience_s)
        if not call.acknowledged.done():
            raise Unavailable(f"the broker acknowledged nothing for {self._patience_s:g} s")
        await self._faults.delay()
        if self._faults.strikes(self._faults.send_errors):
            raise Unavailable("the acknowledgement was lost")
        return call.acknowledged.result()

    def _carry(self, call: _Call) -> None:
        self._wire.put_nowait(call)
        if self._task is None:
            self._task = self._background.forever(self._deliver(), "memory producer")

    async def _deliver(self) -> None:
        while True:
            call = await self._wire.get()
            await self._faults.thawed()
            try:
                call.acknowledged.set_result(self._cluster.write(call.messages))
            except Unavailable as unknown_topic:
                call.acknowledged.set_exception(unknown_topic)
                call.acknowledged.exception()
                continue
            if self._faults.strikes(self._faults.duplicates):
                self._cluster.write(call.messages)


class MemoryTail:
    """Reads all partitions without a group (ports.Reader)."""

    def __init__(self, cluster: MemoryCluster, topics: Sequence[str], *, from_end: bool) -> None:
        self._cluster, self._topics, self._from_end = cluster, list(topics), from_end
        self._next: dict[Place, int] = {}

    async def start(self) -> None:
        self._next = self._starts()

    async def stop(self) -> None:
        self._next = {}

    async def poll(self, timeout_s: float, limit: int = 500) -> list[Record]:
        """See ports.Reader."""
        return await _poll(self._cluster, self._next, timeout_s, limit)

    async def commit(self, offsets: Mapping[Place, int]) -> None:
        """A tail has no group to tell."""

    async def end_offsets(self) -> dict[Place, int]:
        return await _ask(self._cluster, lambda: self._cluster.ends(self._topics))

    def forget(self, places: Iterable[Place]) -> None:
        """Read these again from where this tail began."""
        starts = self._starts()
        self._next.update({place: starts[place] for place in places})

    def _starts(self) -> dict[Place, int]:
        return self._cluster.ends(self._topics) if self._from_end else self._cluster.begins(self._topics)


class MemoryMember:
    """A static member of a group (ports.Reader)."""

    def __init__(
        self, cluster: MemoryCluster, topics: Sequence[str], group: str, instance: str, assignment: Assignment
    ) -> None:
        self.topics, self.instance = list(topics), instance
        self._cluster, self._group, self._assignment = cluster, cluster.group(group), assignment
        self._next: dict[Place, int] = {}
        self._held: set[Place] = set()
        self._unsettled: set[Place] = set()
        self._turn = 0

    async def start(self) -> None:
        self._group.join(self)

    async def stop(self) -> None:
        """The seat is kept until the session times out."""
        self._drop()
        self._group.leave(self)

    async def poll(self, timeout_s: float, limit: int = 500) -> list[Record]:
        """See ports.Reader."""
        await self._settle()
        return await _poll(self._cluster, self._next, timeout_s, limit)

    async def commit(self, offsets: Mapping[Place, int]) -> None:
        mine = {place: offset for place, offset in offsets.items() if place in self._held}
        await _ask(self._cluster, lambda: self._group.committed.update(mine))

    async def end_offsets(self) -> dict[Place, int]:
        return await _ask(self._cluster, lambda: self._cluster.ends(self.topics))

    def forget(self, places: Iterable[Place]) -> None:
        """See ports.Reader."""
        for place in self._held.intersection(places):
            self._next.pop(place, None)
            self._unsettled.add(place)

    # -- what the group does to its members

    async def revoke(self) -> None:
        """Take everything away; returns once the assignment says that nothing is in flight."""
        places = sorted(self._held)
        self._drop()
        if places:
            await self._assignment.revoked(places)

    def assign(self, places: Iterable[Place]) -> None:
        self._drop()
        self._held = set(places)
        self._unsettled = set(places)
        self._cluster.wake()

    def _drop(self) -> None:
        self._turn += 1
        self._held, self._unsettled = set(), set()
        self._next.clear()

    async def _settle(self) -> None:
        while self._unsettled:
            turn, places = self._turn, sorted(self._unsettled)
            positions = await self._assignment.assigned(places)
            if turn == self._turn:
                self._next.update({place: positions[place] for place in places})
                self._unsettled.difference_update(places)


class _Group:
    """Seats of static members, and what each is assigned: ranges of each topic, in the order of their names."""

    def __init__(self, cluster: MemoryCluster) -> None:
        self.background = Background()
        self.committed: dict[Place, int] = {}
        self._cluster = cluster
        self._seats: dict[str, MemoryMember] = {}
        self._places: dict[str, list[Place]] = {}
        self._leaving: dict[str, asyncio.TimerHandle] = {}
        self._one_at_a_time = asyncio.Lock()

    def join(self, member: MemoryMember) -> None:
        """Take a new seat, or one's own back: then nobody else is disturbed, and one has what one had, whatever one reads now."""
        known = self._seats.get(member.instance)
        self._seats[member.instance] = member
        if leaving := self._leaving.pop(member.instance, None):
            leaving.cancel()
        if known is not None and not self._one_at_a_time.locked():
            member.assign(self._places[member.instance])
        else:
            self.background.once(self._rebalance(), "rebalance")

    def leave(self, member: MemoryMember) -> None:
        if self._seats.get(member.instance) is member:
            loop = asyncio.get_running_loop()
            self._leaving[member.instance] = loop.call_later(SESSION_TIMEOUT_S, self._expire, member)

    def standing(self) -> Standing:
        """What its members told, and how many hold their seat."""
        return Standing(dict(self.committed), len(self._seats) - len(self._leaving))

    def _expire(self, member: MemoryMember) -> None:
        if self._seats.get(member.instance) is member:
            del self._seats[member.instance], self._leaving[member.instance]
            self.background.once(self._rebalance(), "rebalance")

    async def _rebalance(self) -> None:
        async with self._one_at_a_time:
            await asyncio.gather(*(self._revoke(member) for _, member in sorted(self._seats.items())))
            self._places = self._ranges()
            for instance, member in sorted(self._seats.items()):
                if instance not in self._leaving:
                    member.assign(self._places.get(instance, []))

    async def _revoke(self, member: MemoryMember) -> None:
        """A member that does not let go in time loses its partitions all the same."""
        try:
            async with asyncio.timeout(REBALANCE_TIMEOUT_S):
                await member.revoke()
        except TimeoutError:
            return

    def _ranges(self) -> dict[str, list[Place]]:
        ranges: dict[str, list[Place]] = {instance: [] for instance in self._seats}
        for topic in sorted({topic for member in self._seats.values() for topic in member.topics}):
            readers = sorted(instance for instance, member in self._seats.items() if topic in member.topics)
            places = self._cluster.places([topic])
            share, more = divmod(len(places), len(readers))
            for number, instance in enumerate(readers):
                first = number * share + min(number, more)
                ranges[instance] += places[first : first + share + (number < more)]
        return ranges


async def _poll(cluster: MemoryCluster, positions: dict[Place, int], timeout_s: float, limit: int) -> list[Record]:
    """Read on from `positions` and move them; they may be changed by others while nothing is there."""
    if cluster.faults.strikes(cluster.faults.poll_errors):
        raise Unavailable("the fetch failed")
    records: list[Record] = []
    try:
        async with asyncio.timeout(timeout_s):
            await cluster.faults.thawed()
            if not (records := cluster.read(positions, limit)):
                await cluster.grows()
                await cluster.faults.thawed()
                records = cluster.read(positions, limit)
    except TimeoutError:
        return []
    await cluster.faults.delay()
    read = [record for record in records if positions.get(record.place, record.offset + 1) <= record.offset]
    positions.update({record.place: record.offset + 1 for record in read})
    return read


async def _ask(cluster: MemoryCluster, answer: Callable[[], T]) -> T:
    try:
        async with asyncio.timeout(ASK_WITHIN_S):
            await cluster.faults.thawed()
            await cluster.faults.delay()
            return answer()
    except TimeoutError:
        raise Unavailable(f"the broker did not answer within {ASK_WITHIN_S:g} s") from None


@lru_cache(maxsize=10_000)
def _hash(key: str) -> int:
    return int(murmur2(key.encode())) & 0x7FFFFFFF
