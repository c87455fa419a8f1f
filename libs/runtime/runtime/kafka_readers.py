"""Readers of topics: a static member of a group that is told where to read, and a tail that reads everything alone.

Neither ever takes a position from the broker: a member asks its assignment, a tail begins at the start or the end.
A connection that breaks is made again; until then `poll` raises Unavailable or gives nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.errors import IllegalStateError, KafkaError, NoOffsetForPartitionError, OffsetOutOfRangeError

from runtime import metrics
from runtime.kafka_link import Link, Names
from runtime.kafka_security import OPEN, Security
from runtime.ports import Assignment, Place, PositionLost, Record, Unavailable

REQUEST_TIMEOUT_MS = 10_000  # longer than a rebalance, for which a join waits
SESSION_TIMEOUT_MS = 6_000
HEARTBEAT_MS = 1_500
FETCH_MAX_WAIT_MS = 500
FETCH_MAX_BYTES = 8 * 1024 * 1024  # what is decoded in one stretch
COMMIT_WITHIN_S = 5.0
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Offsets = Callable[[Sequence[str]], Awaitable[dict[Place, int]]]


class _Wire:
    """Places and records, ours and the broker's."""

    def __init__(self, names: Names) -> None:
        self.names = names

    def partition(self, place: Place) -> TopicPartition:
        return TopicPartition(self.names.wire(place[0]), place[1])

    def place(self, partition: TopicPartition) -> Place:
        return (self.names.ours(partition.topic), partition.partition)

    def behind(self, consumer: AIOKafkaConsumer | None, reached: Mapping[Place, int]) -> float:
        """Records that the broker had at the last fetch and that were not given out yet."""
        if consumer is None:
            return 0.0
        ends = {place: _highwater(consumer, self.partition(place)) for place in reached}
        return float(sum(max(0, end - reached[place]) for place, end in ends.items() if end is not None))

    def records(self, fetched: Mapping[TopicPartition, Sequence[Any]]) -> list[Record]:
        return [self._record(self.names.ours(tp.topic), raw) for tp, raws in fetched.items() for raw in raws]

    @staticmethod
    def _record(topic: str, raw: Any) -> Record:
        key = raw.key.decode(errors="replace") if raw.key is not None else ""
        return Record(topic, raw.partition, raw.offset, key, raw.value, EPOCH + timedelta(milliseconds=raw.timestamp))


def _highwater(consumer: AIOKafkaConsumer, partition: TopicPartition) -> int | None:
    try:
        end: int | None = consumer.highwater(partition)
    except (IllegalStateError, AssertionError):  # taken from us in this moment
        return None
    return end


class KafkaMember:
    """A static member of a consumer group (ports.Reader)."""

    def __init__(
        self,
        bootstrap: Sequence[str],
        names: Names,
        ends: Offsets,
        topics: Sequence[str],
        group: str,
        instance: str,
        assignment: Assignment,
        *,
        security: Security = OPEN,
    ) -> None:
        self._bootstrap, self._wire, self._ends = list(bootstrap), _Wire(names), ends
        self._topics, self._group, self._instance = list(topics), group, instance
        self._assignment, self._security = assignment, security
        self._link: Link[AIOKafkaConsumer] = Link(f"member {instance} of {group}", self._open, self._close)
        self._held: set[Place] = set()
        self._unsettled: set[Place] = set()
        self._moving = True  # between a revocation and the next assignment nothing can be read
        self._turn = 0  # grows with every change of the assignment
        self._changed = asyncio.Event()
        self._stopping = False
        self._reached: dict[Place, int] = {}

    async def start(self) -> None:
        lag = metrics.READER_LAG.labels(self._group)
        lag.set_function(lambda: self._wire.behind(self._link.held, self._reached))
        await self._link.start()

    async def stop(self) -> None:
        """The group keeps our partitions for us until the session times out: we may be back soon."""
        self._stopping = True
        await self._link.stop()

    async def poll(self, timeout_s: float, limit: int = 500) -> list[Record]:
        """See ports.Reader. Asks the assignment for positions first, where partitions came anew."""
        consumer = await self._link.get(timeout_s)
        try:
            if not self._moving:
                await self._settle(consumer)
            fetched = await self._fetch(consumer, timeout_s, limit)
        except (OffsetOutOfRangeError, NoOffsetForPartitionError) as lost:
            raise PositionLost(await _out_of_range(lost, self._wire, self._group)) from lost
        except IllegalStateError:
            return []  # the assignment changed under our hands; the next poll sees the new one
        except KafkaError as error:
            self._link.lost(consumer, repr(error))
            raise Unavailable(f"{self._group}: {error!r}") from error
        records = [record for record in self._wire.records(fetched) if record.place not in self._unsettled]
        for record in records:
            self._reached[record.place] = record.offset + 1
        return records

    async def commit(self, offsets: Mapping[Place, int]) -> None:
        """Tell the group, as far as the partitions are ours. Raises Unavailable."""
        consumer = self._link.held
        mine = {self._wire.partition(place): offset for place, offset in offsets.items() if place in self._held}
        if consumer is None or self._moving or not mine:
            return
        try:
            async with asyncio.timeout(COMMIT_WITHIN_S):
                await consumer.commit(mine)
        except IllegalStateError:
            return  # not ours any more: whoever has them now tells
        except (KafkaError, TimeoutError) as error:
            raise Unavailable(f"{self._group}: the offsets were not taken: {error!r}") from error

    async def end_offsets(self) -> dict[Place, int]:
        return await self._ends(self._topics)

    def forget(self, places: Iterable[Place]) -> None:
        """See ports.Reader: the next poll asks the assignment again."""
        consumer = self._link.held
        if consumer is not None and not self._moving:
            self._hold_back(consumer, [place for place in places if place in self._held])

    # -- the assignment

    async def _settle(self, consumer: AIOKafkaConsumer) -> None:
        """Read on only from where the assignment says. It may change again while we ask."""
        while self._unsettled and not self._moving:
            turn, places = self._turn, sorted(self._unsettled)
            positions = await self._assignment.assigned(places)
            if turn == self._turn:
                for place in places:
                    consumer.seek(self._wire.partition(place), positions[place])
                    self._reached[place] = positions[place]
                consumer.resume(*map(self._wire.partition, places))
                self._unsettled.difference_update(places)

    async def _revoked(self, consumer: AIOKafkaConsumer) -> None:
        if self._link.held not in {None, consumer}:
            return  # an old connection's last words
        self._moving = True
        self._turn += 1
        self._changed.set()
        await self._give_up()

    def _assigned(self, consumer: AIOKafkaConsumer, partitions: Iterable[TopicPartition]) -> None:
        """Runs before anything is fetched: with a position set and paused, the group's offset is never used."""
        self._held = {self._wire.place(partition) for partition in partitions}
        self._turn += 1
        self._hold_back(consumer, self._held)
        self._moving = False
        self._changed.set()

    def _hold_back(self, consumer: AIOKafkaConsumer, places: Iterable[Place]) -> None:
        for place in places:
            consumer.pause(self._wire.partition(place))
            consumer.seek(self._wire.partition(place), 0)
            self._unsettled.add(place)

    async def _give_up(self) -> None:
        places, self._held = sorted(self._held), set()
        self._unsettled.clear()
        self._reached.clear()
        if places and not self._stopping:
            await self._assignment.revoked(places)

    # -- reading

    async def _fetch(self, consumer: AIOKafkaConsumer, timeout_s: float, limit: int) -> Mapping[TopicPartition, Any]:
        """What is there, at once; else wait for records or for another assignment, whichever comes first."""
        self._changed.clear()
        if not self._moving:
            fetched: Mapping[TopicPartition, Any] = await consumer.getmany(timeout_ms=0, max_records=limit)
            if fetched or not timeout_s:
                return fetched
        change = asyncio.ensure_future(self._changed.wait())
        getting = asyncio.ensure_future(_get(consumer, timeout_s, limit, moving=self._moving))
        try:
            await asyncio.wait({change, getting}, timeout=timeout_s + 0.1, return_when=asyncio.FIRST_COMPLETED)
        finally:
            change.cancel()
            if not getting.done():
                getting.cancel()
        await asyncio.wait({getting})
        return {} if getting.cancelled() else getting.result()

    # -- the connection

    async def _open(self) -> AIOKafkaConsumer:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap,
            group_id=self._wire.names.wire(self._group),
            group_instance_id=self._wire.names.wire(self._instance),
            partition_assignment_strategy=(RangePartitionAssignor,),  # a key's partitions of all topics go together
            enable_auto_commit=False,
            session_timeout_ms=SESSION_TIMEOUT_MS,
            heartbeat_interval_ms=HEARTBEAT_MS,
            **_options(self._security),
        )
        try:
            await consumer.start()
            consumer.subscribe(
                [self._wire.names.wire(topic) for topic in self._topics], listener=_Listener(self, consumer)
            )
        except BaseException:
            await _end(consumer)
            raise
        return consumer

    async def _close(self, consumer: AIOKafkaConsumer) -> None:
        self._moving = True
        self._turn += 1
        try:
            await self._give_up()
        finally:
            await _end(consumer)


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka has no types
    def __init__(self, member: KafkaMember, consumer: AIOKafkaConsumer) -> None:
        self._member, self._consumer = member, consumer

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        await self._member._revoked(self._consumer)  # noqa: SLF001 -- the other half of the same thing

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        self._member._assigned(self._consumer, assigned)  # noqa: SLF001


class KafkaTail:
    """Reads all partitions without a group (ports.Reader); a new connection goes on where the old one was."""

    def __init__(
        self,
        bootstrap: Sequence[str],
        names: Names,
        begins: Offsets,
        ends: Offsets,
        topics: Sequence[str],
        *,
        from_end: bool,
        security: Security = OPEN,
    ) -> None:
        self._bootstrap, self._wire = list(bootstrap), _Wire(names)
        self._begins, self._ends, self._topics, self._from_end = begins, ends, list(topics), from_end
        self._security = security
        self._link: Link[AIOKafkaConsumer] = Link(f"tail of {', '.join(topics)}", self._open, _end)
        self._next: dict[Place, int] = {}

    async def start(self) -> None:
        behind = metrics.VIEW_BEHIND.labels(",".join(self._topics))
        behind.set_function(lambda: self._wire.behind(self._link.held, self._next))
        await self._link.start()

    async def stop(self) -> None:
        await self._link.stop()

    async def poll(self, timeout_s: float, limit: int = 500) -> list[Record]:
        """See ports.Reader."""
        consumer = await self._link.get(timeout_s)
        try:
            records = self._wire.records(await consumer.getmany(timeout_ms=int(timeout_s * 1000), max_records=limit))
        except (OffsetOutOfRangeError, NoOffsetForPartitionError) as lost:
            raise PositionLost(await _out_of_range(lost, self._wire, "this view")) from lost
        except KafkaError as error:
            self._link.lost(consumer, repr(error))
            raise Unavailable(repr(error)) from error
        for record in records:
            self._next[record.place] = record.offset + 1
        return records

    async def commit(self, offsets: Mapping[Place, int]) -> None:
        """A tail has no group to tell."""

    async def end_offsets(self) -> dict[Place, int]:
        return await self._ends(self._topics)

    def forget(self, places: Iterable[Place]) -> None:
        """Read these again from where this tail began: with the next connection."""
        for place in places:
            self._next.pop(place, None)
        if self._link.held is not None:
            self._link.lost(self._link.held, "asked to read again")

    async def _open(self) -> AIOKafkaConsumer:
        consumer = AIOKafkaConsumer(bootstrap_servers=self._bootstrap, group_id=None, **_options(self._security))
        try:
            await consumer.start()
            starts = await (self._ends if self._from_end else self._begins)(self._topics)
            self._next = starts | self._next
            consumer.assign([self._wire.partition(place) for place in starts])
            for place in starts:
                consumer.seek(self._wire.partition(place), self._next[place])
        except BaseException:
            await _end(consumer)
            raise
        return consumer


def _options(security: Security) -> dict[str, Any]:
    return security.options() | {
        "auto_offset_reset": "none",
        "request_timeout_ms": REQUEST_TIMEOUT_MS,
        "fetch_max_wait_ms": FETCH_MAX_WAIT_MS,
        "fetch_max_bytes": FETCH_MAX_BYTES,
    }


async def _get(
    consumer: AIOKafkaConsumer, timeout_s: float, limit: int, *, moving: bool
) -> Mapping[TopicPartition, Any]:
    if moving:  # aiokafka would wait here for the assignment, however long it takes
        await asyncio.sleep(timeout_s)
        return {}
    fetched: Mapping[TopicPartition, Any] = await consumer.getmany(timeout_ms=int(timeout_s * 1000), max_records=limit)
    return fetched


async def _out_of_range(lost: KafkaError, wire: _Wire, reader: str) -> str:
    places = lost.args[0] if lost.args and isinstance(lost.args[0], dict) else {}
    where = ", ".join(f"{topic}/{number} at {places[tp]}" for tp in places for topic, number in [wire.place(tp)])
    return (
        f"{reader}: the broker no longer has, or not yet, what comes next ({where or lost!r}). The topic was re-created, "
        "or records were deleted before they were read. Nothing is skipped by itself: restore the topic, or set "
        "this reader's positions by hand and start again."
    )


async def _end(consumer: AIOKafkaConsumer) -> None:
    """Stop; when the broker does not answer, let go of the connections and of the tasks that wait for them."""
    stopping = asyncio.ensure_future(consumer.stop())
    await asyncio.wait({stopping}, timeout=0.5)
    if stopping.done():
        stopping.exception()
        return
    stopping.cancel()
    for part, name in ((consumer._coordinator, "_coordination_task"), (consumer._fetcher, "_fetch_task")):  # noqa: SLF001
        task = getattr(part, name, None)
        if task is not None:
            task.cancel()
    await consumer._client.close()  # noqa: SLF001
