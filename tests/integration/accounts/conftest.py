"""accounts.web as it ships, with an HTTP client before it: in memory, and `everywhere` on real Kafka and Postgres as well."""

import asyncio
import base64
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest
import pytest_asyncio
from argon2 import PasswordHasher

from accounts.app import OWN, shell_of, web_role
from accounts.passwords import Passwords
from events.envelope import Envelope, decode
from runtime.broker_kafka import KafkaBroker
from runtime.broker_memory import MemoryBroker, MemoryCluster
from runtime.clock import SystemClock
from runtime.kafka_producer import KafkaProducer
from runtime.ledger_memory import Base, MemoryLedger
from runtime.ledger_postgres import PostgresLedger
from runtime.migrate import migrate_database
from runtime.ports import Broker, Ledger, Record
from runtime.role import Role
from runtime.settings import Settings
from runtime.topics import create

KEY = "il1api" + "0" * 48
PASSWORD = "correct horse"
EMAIL = "ada@example.org"


def ring(name: str, filling: int) -> str:
    return f"{name}:{base64.b64encode(bytes([filling]) * 32).decode()}"


def settings(**changed: Any) -> Settings:
    return Settings(
        **{
            "people_keys": ring("p1", 1),
            "vault_keys": ring("v1", 2),
            "secret_key": "a secret for these tests only",
            "public_url": "http://127.0.0.1",
            "first_admin_email": EMAIL,
            "first_admin_password": PASSWORD,
            "first_admin_key": KEY,
            **changed,
        }
    )


class MemoryWorld:
    def __init__(self) -> None:
        self.cluster, self.base = MemoryCluster(), Base()

    async def open(self) -> None:
        """Its topics are there."""

    async def broker(self) -> Broker:
        return MemoryBroker(self.cluster)

    async def ledger(self) -> Ledger:
        return MemoryLedger(SystemClock(), self.base)

    async def lose_ledger(self) -> None:
        self.base = Base()

    async def close(self) -> None:
        await self.cluster.stop()


class RealWorld:
    def __init__(self, bootstrap: str, prefix: str, databases: str) -> None:
        self._bootstrap, self._prefix, self._databases, self._number = bootstrap, prefix, databases, 0

    async def open(self) -> None:
        broker = KafkaBroker([self._bootstrap], self._prefix)
        await broker.start()
        await create(broker, OWN)
        await broker.stop()
        await self.lose_ledger()

    async def broker(self) -> Broker:
        return KafkaBroker([self._bootstrap], self._prefix)

    async def ledger(self) -> Ledger:
        return PostgresLedger(self._dsn)

    async def lose_ledger(self) -> None:
        """From now on another, empty database."""
        self._number += 1
        self._dsn = self._databases.replace("{service}", f"accounts{self._number}")
        await migrate_database(self._dsn)

    async def close(self) -> None:
        """The fixtures drop what was made."""


@dataclass
class Process:
    """A process that hosts accounts.web."""

    role: Role
    broker: Broker
    ledger: Any

    async def start(self) -> "Process":
        await self.broker.start()
        await self.ledger.start()
        await self.role.start()
        await until(lambda: not self.role.waits_for())
        return self

    async def stop(self) -> None:
        await self.role.stop()
        await self.ledger.stop()
        await self.broker.stop()

    def client(self, key: str | None = KEY) -> httpx.AsyncClient:
        """With an API key, or as a browser without one (cookies are kept)."""
        headers = {"Authorization": f"Bearer {key}"} if key else {"Accept": "text/html"}
        assert self.role.http is not None
        transport = httpx.ASGITransport(app=self.role.http, client=("192.0.2.1", 40000))
        return httpx.AsyncClient(transport=transport, base_url="https://127.0.0.1", headers=headers)


@dataclass
class Site:
    """Everything in which a test's processes live."""

    world: MemoryWorld | RealWorld
    processes: list[Process] = field(default_factory=list)

    async def begin(self, **changed: Any) -> Process:
        """A new process, not started."""
        broker, ledger = await self.world.broker(), await self.world.ledger()
        shell = shell_of(settings(**changed), ledger, broker, SystemClock())
        hasher = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)  # tests sign in more often than people
        process = Process(web_role(shell, Passwords(hasher)), broker, ledger)
        self.processes.append(process)
        return process

    async def start(self, **changed: Any) -> Process:
        return await (await self.begin(**changed)).start()

    async def end(self, process: Process) -> None:
        self.processes.remove(process)
        await process.stop()

    async def records(self, topic: str) -> list[Record]:
        """Everything on a topic, in order."""
        broker = self.processes[0].broker
        ends = await broker.end_offsets([topic])
        reader = broker.tail([topic])
        await reader.start()
        found: list[Record] = []
        async with asyncio.timeout(30):
            while len(found) < sum(ends.values()):
                found += await reader.poll(1.0)
        await reader.stop()
        return found

    async def said(self, topic: str = "accounts.v1") -> list[Envelope]:
        return [decode(record.value) for record in await self.records(topic) if record.value is not None]

    async def close(self) -> None:
        for process in self.processes:
            await process.stop()
        await self.world.close()


async def until(look: Callable[[], Any]) -> None:
    async with asyncio.timeout(30):
        while not look():
            await asyncio.sleep(0.01)


everywhere = pytest.mark.parametrize("world", ["memory", "real"], indirect=True)
"""For what the adapters could break; rules of the API alone are shown in memory."""


@pytest.fixture
def world(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> MemoryWorld | RealWorld:
    """Not opened yet: asking for a fixture by its name must not happen inside a running loop."""
    if getattr(request, "param", "memory") == "memory":
        return MemoryWorld()
    monkeypatch.setattr(KafkaProducer, "limit", 9)  # one process plays several
    backend = request.getfixturevalue("backend")
    prefix, databases = request.getfixturevalue("topic_prefix"), request.getfixturevalue("database_template")
    return RealWorld(backend.bootstrap, prefix, databases)


@pytest_asyncio.fixture
async def site(world: MemoryWorld | RealWorld) -> AsyncIterator[Site]:
    made = Site(world)
    await world.open()
    yield made
    await made.close()


@pytest_asyncio.fixture
async def process(site: Site) -> Process:
    return await site.start()


@pytest_asyncio.fixture
async def api(process: Process) -> AsyncIterator[httpx.AsyncClient]:
    """The first administrator's programs."""
    async with process.client() as client:
        yield client


@pytest_asyncio.fixture
async def browser(process: Process) -> AsyncIterator[httpx.AsyncClient]:
    """Nobody is signed in yet."""
    async with process.client(None) as client:
        yield client
