"""Both brokers behind one face: real Kafka from the session's servers, and the one in memory."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import pytest
import pytest_asyncio

from events.topics import Topic
from runtime.broker_kafka import KafkaBroker
from runtime.broker_memory import MemoryBroker, MemoryCluster
from runtime.kafka_producer import KafkaProducer
from runtime.ports import Broker, Message, Place, Reader, Record, Unavailable
from tests.backend import Backend

WIDE = Topic("wide.v1", "test", "Four partitions.", partitions=4)
NARROW = Topic("narrow.v1", "test", "One partition.")
CELLS = Topic("cells.v1", "test", "Compacted.", compacted=True)
TOPICS = (WIDE, NARROW, CELLS)


class World(Protocol):
    """A broker with the topics above, and what can be done to it."""

    async def process(self) -> Broker: ...  # another process' broker, started
    async def freeze(self) -> None: ...
    async def thaw(self) -> None: ...


class KafkaWorld:
    def __init__(self, backend: Backend, prefix: str) -> None:
        self._backend, self._prefix = backend, prefix
        self._brokers: list[KafkaBroker] = []

    async def process(self) -> KafkaBroker:
        broker = KafkaBroker([self._backend.bootstrap], self._prefix, patience_s=3.0)
        await broker.start()
        self._brokers.append(broker)
        return broker

    async def freeze(self) -> None:
        await self._backend.freeze_broker()

    async def thaw(self) -> None:
        await self._backend.thaw_broker()

    async def stop(self) -> None:
        await self._backend.heal()
        for broker in self._brokers:
            await broker.stop()


class MemoryWorld:
    def __init__(self) -> None:
        self.cluster = MemoryCluster(TOPICS)
        self._brokers: list[MemoryBroker] = []

    async def process(self) -> MemoryBroker:
        self._brokers.append(MemoryBroker(self.cluster, patience_s=3.0))
        return self._brokers[-1]

    async def freeze(self) -> None:
        self.cluster.faults.freeze()

    async def thaw(self) -> None:
        self.cluster.faults.thaw()

    async def stop(self) -> None:
        self.cluster.faults.thaw()
        for broker in self._brokers:
            await broker.stop()
        await self.cluster.stop()


@pytest.fixture(params=["memory", "kafka"])
def servers(request: pytest.FixtureRequest) -> Backend | None:
    """Real ones, which are only started when a test with Kafka is among those asked for."""
    if request.param == "memory":
        return None
    backend: Backend = request.getfixturevalue("backend")
    return backend


@pytest_asyncio.fixture
async def world(servers: Backend | None, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    monkeypatch.setattr(KafkaProducer, "limit", 9)  # one process plays several
    made: KafkaWorld | MemoryWorld
    if servers is None:
        made = MemoryWorld()
    else:
        await servers.heal()
        made = KafkaWorld(servers, f"t{secrets.token_hex(4)}.")
        await (await made.process()).create(TOPICS)
    yield made
    await made.stop()


@pytest_asyncio.fixture
async def broker(world: World) -> Broker:
    return await world.process()


@dataclass
class Seats:
    """An assignment that writes down what happens, and gives the positions it was told."""

    positions: dict[Place, int] = field(default_factory=dict)
    held: set[Place] = field(default_factory=set)
    story: list[str] = field(default_factory=list)
    let_go: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.let_go.set()

    async def assigned(self, places: Sequence[Place]) -> Mapping[Place, int]:
        self.held.update(places)
        self.story.append("assigned")
        return {place: self.positions.get(place, 0) for place in places}

    async def revoked(self, places: Sequence[Place]) -> None:
        await self.let_go.wait()
        self.held.difference_update(places)
        self.story.append("revoked")

    def moved(self, records: Sequence[Record]) -> None:
        self.positions.update({record.place: record.offset + 1 for record in records})


async def reads(
    reader: Reader, enough: Callable[[list[Record]], bool], *, moved: Callable[[Sequence[Record]], None] | None = None
) -> list[Record]:
    """Poll until it is enough; a broker that is away for a moment is polled again."""
    taken: list[Record] = []
    async with asyncio.timeout(60):
        while not enough(taken):
            records = await polled(reader)
            taken += records
            if moved:
                moved(records)
    return taken


async def polled(reader: Reader, timeout_s: float = 0.2) -> list[Record]:
    try:
        return await reader.poll(timeout_s)
    except Unavailable:
        await asyncio.sleep(0.05)
        return []


async def until(condition: Callable[[], bool | Awaitable[bool]], *, meanwhile: Callable[[], Awaitable[object]]) -> None:
    """Do `meanwhile` again and again until the condition holds."""
    async with asyncio.timeout(60):
        while True:
            held = condition()
            if held if isinstance(held, bool) else await held:
                return
            await meanwhile()


def messages(topic: Topic, *pairs: tuple[str, str | None]) -> list[Message]:
    return [Message(topic.name, key, None if value is None else value.encode()) for key, value in pairs]


def values(records: Sequence[Record], key: str | None = None) -> list[str | None]:
    return [
        None if record.value is None else record.value.decode()
        for record in records
        if key is None or record.key == key
    ]
