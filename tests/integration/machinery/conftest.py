"""A bench for the machinery: processes of a toy service on the same ledger and broker, in memory and for real.

Every test runs twice. A process is a shell with its own broker connection; killing one cancels its work and leaves
ledger and topics as they are, as a SIGKILL would.
"""

import asyncio
import os
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol
from urllib.parse import urlsplit

import asyncpg
import pytest
import pytest_asyncio

from events.envelope import Envelope, decode
from events.topics import TOPICS
from runtime.broker_kafka import KafkaBroker
from runtime.broker_memory import MemoryBroker, MemoryCluster
from runtime.clock import SystemClock
from runtime.gate import Gate
from runtime.kafka_producer import KafkaProducer
from runtime.ledger_memory import Base, MemoryLedger
from runtime.ledger_postgres import PostgresLedger
from runtime.migrate import migrate_database
from runtime.ports import Broker, Ledger, Message, Place, Record, Unavailable
from runtime.restore import Restore
from runtime.role import Part
from runtime.settings import Settings
from runtime.shell import Shell
from runtime.subscription import Deciding, React
from runtime.ticks import Ticks
from tests.backend import Backend
from tests.integration.machinery import echo
from tests.topics import narrow

PATIENCE_S = float(os.environ.get("ALARUM_PATIENCE_S", "60"))
READER = "echo.worker"


class World(Protocol):
    """Where processes live."""

    async def ledger(self) -> Ledger:
        """A new process' connection to the service's base."""
        ...

    async def empty_ledger(self) -> Ledger:
        """A new process' connection to a base in which nothing was ever decided, as after a loss."""
        ...

    async def broker(self) -> Broker: ...

    async def lose_topics(self) -> None:
        """Brokers that are asked for from now on have empty topics, as after the loss of the one before."""
        ...

    async def freeze_broker(self) -> None: ...

    async def thaw_broker(self) -> None: ...

    async def close(self) -> None: ...


class MemoryWorld:
    def __init__(self) -> None:
        self._cluster = MemoryCluster()
        self._base = Base()

    async def ledger(self) -> Ledger:
        return MemoryLedger(SystemClock(), self._base)

    async def empty_ledger(self) -> Ledger:
        self._base = Base()
        return await self.ledger()

    async def broker(self) -> Broker:
        return MemoryBroker(self._cluster, patience_s=1.0)

    async def lose_topics(self) -> None:
        await self._cluster.stop()
        self._cluster = MemoryCluster()

    async def freeze_broker(self) -> None:
        self._cluster.faults.freeze()

    async def thaw_broker(self) -> None:
        self._cluster.faults.thaw()

    async def close(self) -> None:
        await self._cluster.stop()


class RealWorld:
    """Real Kafka and Postgres; the topics of this test begin with a prefix of their own."""

    def __init__(self, servers: Backend) -> None:
        self._servers = servers
        self._prefix = f"t{secrets.token_hex(4)}."
        self._brokers: list[KafkaBroker] = []
        self._ledgers: list[PostgresLedger] = []
        self._bases: list[str] = []

    async def start(self) -> None:
        await self._servers.heal()
        await self._make_topics()

    async def lose_topics(self) -> None:
        self._prefix = f"t{secrets.token_hex(4)}."
        await self._make_topics()

    async def _make_topics(self) -> None:
        broker = await self.broker()
        await broker.create(narrow(topic for topic in TOPICS if topic.name in echo.TOPICS))

    async def ledger(self) -> Ledger:
        if not self._bases:
            return await self.empty_ledger()
        ledger = PostgresLedger(self._bases[-1])
        self._ledgers.append(ledger)
        await ledger.start()
        return ledger

    async def empty_ledger(self) -> Ledger:
        base = urlsplit(self._servers.dsn)._replace(path=f"/t_{secrets.token_hex(4)}").geturl()
        await migrate_database(base)
        self._bases.append(base)
        return await self.ledger()

    async def broker(self) -> KafkaBroker:
        broker = KafkaBroker([self._servers.bootstrap], self._prefix, patience_s=3.0)
        self._brokers.append(broker)
        await broker.start()
        return broker

    async def freeze_broker(self) -> None:
        await self._servers.freeze_broker()

    async def thaw_broker(self) -> None:
        await self._servers.thaw_broker()

    async def close(self) -> None:
        await self._servers.heal()
        for ledger in self._ledgers:
            await ledger.stop()
        for broker in self._brokers:
            await broker.stop()
        connection = await asyncpg.connect(self._servers.dsn)
        for base in self._bases:
            await connection.execute(f'drop database "{urlsplit(base).path[1:]}" with (force)')
        await connection.close()


@dataclass
class Process:
    """One process of the toy service."""

    shell: Shell
    parts: list[Part]

    async def start(self) -> "Process":
        for part in self.parts:
            await part.start()
        return self

    async def stop(self) -> None:
        for part in reversed(self.parts):
            await part.stop()


@dataclass
class Bench:
    world: World
    processes: list[Process] = field(default_factory=list)
    versions: dict[int, int] = field(default_factory=dict)
    author: Broker | None = None

    async def process(
        self,
        replica: str = "0",
        react: React = echo.react,
        ledger: Ledger | None = None,
        *,
        reads: bool = True,
        ticks: bool = True,
        topics: Sequence[str] = (echo.HEARD,),
    ) -> Process:
        """Start a process with everything: restore, relay, reader, ticks behind their gate."""
        shell = await self.shell(replica, ledger)
        parts: list[Part] = [Restore(shell, [echo.SAID]), shell.relay]
        if reads:
            parts.append(Deciding(shell, reader=READER, topics=topics, react=react))
        if ticks:
            parts.append(Ticks(shell, echo.tick, Gate(shell, READER, [echo.HEARD])))
        process = Process(shell, parts)
        self.processes.append(process)
        return await process.start()

    async def shell(self, replica: str = "0", ledger: Ledger | None = None) -> Shell:
        return Shell(
            "echo",
            settings=Settings(replica=replica),
            ledger=ledger or await self.world.ledger(),
            broker=await self.world.broker(),
            clock=SystemClock(),
            kinds=[echo.ECHO],
        )

    async def say(self, alert: int, *texts: str, version: int | None = None) -> None:
        """Publish comments on an alert as ingest would."""
        for text in texts:
            number = version or self.versions.get(alert, 0) + 1
            self.versions[alert] = max(number, self.versions.get(alert, 0))
            await self.publish([echo.comment(alert, number, text, datetime.now(UTC))])

    async def publish(self, messages: Sequence[Message]) -> None:
        if self.author is None:
            self.author = await self.world.broker()
        await self.author.producer.send(messages)

    async def said(self) -> list[Envelope]:
        """Everything that the toy service has published, in the order of its topic."""
        return [decode(record.value) for record in await self.records(echo.SAID) if record.value is not None]

    async def reasons(self, alert: int) -> list[str]:
        return [envelope.event.reason for envelope in await self.said() if envelope.event.alert == alert]  # type: ignore[attr-defined]

    async def records(self, topic: str) -> list[Record]:
        if self.author is None:
            self.author = await self.world.broker()
        ends = {place: end for place, end in (await self.author.end_offsets([topic])).items() if end}
        reader = self.author.tail([topic])
        await reader.start()
        found: list[Record] = []
        reached: dict[Place, int] = {}
        while any(reached.get(place, 0) < end for place, end in ends.items()):
            for record in await reader.poll(10.0):
                found.append(record)
                reached[record.place] = record.offset + 1
        await reader.stop()
        return sorted(found, key=lambda record: (record.partition, record.offset))

    async def until(self, look: Callable[[], Awaitable[Any]], what: str = "") -> Any:
        """What `look` sees once it is truthy. A broker that takes its time is asked again."""
        loop = asyncio.get_running_loop()
        until = loop.time() + PATIENCE_S
        while not (seen := await self._seen(look)):
            if loop.time() > until:
                pytest.fail(f"{what or 'it'} did not happen; seen last: {seen!r}")
            await asyncio.sleep(0.02)
        return seen

    async def _seen(self, look: Callable[[], Awaitable[Any]]) -> Any:
        try:
            return await look()
        except Unavailable as away:
            print(f"the bench waits: {away}")
            return None

    async def until_said(self, alert: int, *reasons: str) -> None:
        """The toy service has published exactly these about an alert."""

        async def complete() -> bool:
            return await self.reasons(alert) == list(reasons)

        await self.until(complete, f"{reasons} about alert {alert}")

    async def close(self) -> None:
        for process in self.processes:
            await process.stop()
        await self.world.close()


@pytest.fixture(params=["memory", "real"])
def servers(request: pytest.FixtureRequest) -> Backend | None:
    """Real ones, which are only started when a test with them is among those asked for."""
    if request.param == "memory":
        return None
    backend: Backend = request.getfixturevalue("backend")
    return backend


@pytest_asyncio.fixture
async def bench(servers: Backend | None, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    monkeypatch.setattr(KafkaProducer, "limit", 9)  # one process plays several
    world: MemoryWorld | RealWorld = MemoryWorld()
    if servers is not None:
        world = RealWorld(servers)
        await world.start()
    made = Bench(world)
    yield made
    await made.close()
