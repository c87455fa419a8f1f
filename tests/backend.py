"""Real Kafka and Postgres for tests: natively by default, in containers with BACKEND=docker; tests never know which."""

import asyncio
import os
import secrets
import shutil
import tempfile
from pathlib import Path
from typing import Any, Protocol

import asyncpg
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from launcher.native import BROKER_SETTINGS, Kafka, Postgres, Servers
from launcher.processes import free_port, identify, is_alive, recall, remember

KAFKA_IMAGE = os.environ.get("KAFKA_IMAGE", "apache/kafka:4.4.0")
POSTGRES_IMAGE = os.environ.get("POSTGRES_IMAGE", "postgres:18")
CONTAINER_START_S = 90


class Backend(Protocol):
    """One broker and one Postgres for the whole session. Ports and data outlive kills and restarts.

    `kill_…` is kill -9 and leaves it dead; `restart_…` brings it up again, whatever its state; `freeze_…` keeps
    connections open and answers nothing, until `thaw_…`.
    """

    @property
    def bootstrap(self) -> str: ...  # "127.0.0.1:PORT"

    @property
    def dsn(self) -> str: ...  # of the database `postgres`, as a superuser

    async def start(self) -> None: ...
    async def stop(self) -> None: ...
    async def heal(self) -> None: ...  # up and thawed, whatever an earlier test left
    async def kill_broker(self) -> None: ...
    async def restart_broker(self) -> None: ...
    async def freeze_broker(self) -> None: ...
    async def thaw_broker(self) -> None: ...
    async def kill_postgres(self) -> None: ...
    async def restart_postgres(self) -> None: ...
    async def freeze_postgres(self) -> None: ...
    async def thaw_postgres(self) -> None: ...


def make_backend() -> Backend:
    chosen = os.environ.get("BACKEND", "native")
    match chosen:
        case "native":
            return NativeBackend(_session_folder())
        case "docker":
            return DockerBackend()
        case _:
            raise ValueError(f"BACKEND is «{chosen}»; it can be native or docker")


class NativeBackend:
    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir
        self._servers = Servers(data_dir)
        self._frozen: set[Kafka | Postgres] = set()

    @property
    def bootstrap(self) -> str:
        return self._servers.bootstrap

    @property
    def dsn(self) -> str:
        return self._servers.dsn

    @property
    def broker_pid(self) -> int:
        return self._servers.kafka.pid

    @property
    def postgres_pid(self) -> int:
        return self._servers.postgres.pid

    async def start(self) -> None:
        await _sweep(self.data_dir.parent)
        me = identify(os.getpid())
        assert me is not None
        remember(self.data_dir / "owner.json", me)
        await self._servers.start()

    async def stop(self) -> None:
        await self._servers.stop()
        shutil.rmtree(self.data_dir)

    async def heal(self) -> None:
        for server in (self._servers.kafka, self._servers.postgres):
            if not server.is_running():
                await server.start()
            elif server in self._frozen:
                server.thaw()
        self._frozen.clear()

    async def kill_broker(self) -> None:
        await self._servers.kafka.kill()

    async def restart_broker(self) -> None:
        await self._servers.kafka.restart()

    async def freeze_broker(self) -> None:
        await self._freeze(self._servers.kafka)

    async def thaw_broker(self) -> None:
        self._thaw(self._servers.kafka)

    async def kill_postgres(self) -> None:
        await self._servers.postgres.kill()

    async def restart_postgres(self) -> None:
        await self._servers.postgres.restart()

    async def freeze_postgres(self) -> None:
        await self._freeze(self._servers.postgres)

    async def thaw_postgres(self) -> None:
        self._thaw(self._servers.postgres)

    async def _freeze(self, server: Kafka | Postgres) -> None:
        self._frozen.add(server)
        await server.freeze()

    def _thaw(self, server: Kafka | Postgres) -> None:
        server.thaw()
        self._frozen.discard(server)


def _session_folder() -> Path:
    """A folder of this session, beside those of other sessions of the same user."""
    sessions = Path(tempfile.gettempdir()) / f"alarum-tests-{os.getuid()}"
    sessions.mkdir(mode=0o711, exist_ok=True)
    if sessions.stat().st_uid != os.getuid():
        raise RuntimeError(f"{sessions} belongs to somebody else; set TMPDIR")
    return Path(tempfile.mkdtemp(dir=sessions))


async def _sweep(sessions: Path) -> None:
    """End and remove what sessions that were killed left behind."""
    for folder in sessions.iterdir():
        owner = recall(folder / "owner.json")
        if owner is not None and not is_alive(owner):
            servers = Servers(folder)
            await asyncio.gather(servers.kafka.end_leftover(), servers.postgres.end_leftover())
            shutil.rmtree(folder, ignore_errors=True)


class DockerBackend:
    """The same servers in containers, on fixed host ports, so that a restart keeps the address."""

    def __init__(self) -> None:
        _ping_engine()
        from testcontainers.core.container import DockerContainer

        self._kafka_port = free_port()
        self._postgres_port = free_port(taken=[self._kafka_port])
        self._password = secrets.token_hex(8)
        broker = BROKER_SETTINGS | {
            "controller.quorum.voters": "1@localhost:9093",
            "listeners": "PLAINTEXT://:9092,CONTROLLER://:9093",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self._kafka_port}",
        }
        self._kafka: Any = DockerContainer(KAFKA_IMAGE).with_bind_ports(9092, self._kafka_port)
        for name, value in broker.items():
            self._kafka.with_env("KAFKA_" + name.upper().replace(".", "_"), value)
        self._postgres: Any = (
            DockerContainer(POSTGRES_IMAGE)
            .with_bind_ports(5432, self._postgres_port)
            .with_env("POSTGRES_PASSWORD", self._password)
            .with_command("postgres -c max_connections=300")
        )

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self._kafka_port}"

    @property
    def dsn(self) -> str:
        return f"postgresql://postgres:{self._password}@127.0.0.1:{self._postgres_port}/postgres"

    async def start(self) -> None:
        await asyncio.gather(asyncio.to_thread(self._kafka.start), asyncio.to_thread(self._postgres.start))
        await asyncio.gather(self._broker_answers(), self._postgres_answers())

    async def stop(self) -> None:
        await asyncio.gather(asyncio.to_thread(self._kafka.stop), asyncio.to_thread(self._postgres.stop))

    async def heal(self) -> None:
        for container, answers in ((self._kafka, self._broker_answers), (self._postgres, self._postgres_answers)):
            wrapped = container.get_wrapped_container()
            await asyncio.to_thread(wrapped.reload)
            if wrapped.status == "paused":
                await asyncio.to_thread(wrapped.unpause)
            elif wrapped.status != "running":
                await asyncio.to_thread(wrapped.start)
            await answers()

    async def kill_broker(self) -> None:
        await asyncio.to_thread(self._kafka.get_wrapped_container().kill)

    async def restart_broker(self) -> None:
        await asyncio.to_thread(self._kafka.get_wrapped_container().restart)
        await self._broker_answers()

    async def freeze_broker(self) -> None:
        await asyncio.to_thread(self._kafka.get_wrapped_container().pause)

    async def thaw_broker(self) -> None:
        await asyncio.to_thread(self._kafka.get_wrapped_container().unpause)

    async def kill_postgres(self) -> None:
        await asyncio.to_thread(self._postgres.get_wrapped_container().kill)

    async def restart_postgres(self) -> None:
        await asyncio.to_thread(self._postgres.get_wrapped_container().restart)
        await self._postgres_answers()

    async def freeze_postgres(self) -> None:
        await asyncio.to_thread(self._postgres.get_wrapped_container().pause)

    async def thaw_postgres(self) -> None:
        await asyncio.to_thread(self._postgres.get_wrapped_container().unpause)

    async def _broker_answers(self) -> None:
        async with asyncio.timeout(CONTAINER_START_S):
            while not await _has_brokers(self.bootstrap):
                await asyncio.sleep(0.2)

    async def _postgres_answers(self) -> None:
        async with asyncio.timeout(CONTAINER_START_S):
            while not await _accepts(self.dsn):
                await asyncio.sleep(0.2)


def _ping_engine() -> None:
    """The client alone proves nothing: ask the engine. Raises RuntimeError with what to do."""
    import docker

    try:
        docker.from_env().ping()
    except docker.errors.DockerException as error:
        raise RuntimeError(
            f"BACKEND=docker, but no Docker engine answers ({error}). Start one, set DOCKER_HOST, or leave BACKEND unset."
        ) from error


async def _has_brokers(bootstrap: str) -> bool:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=2_000)
    try:
        await admin.start()
        return bool((await admin.describe_cluster())["brokers"])
    except (KafkaError, OSError):
        return False
    finally:
        await admin.close()


async def _accepts(dsn: str) -> bool:
    try:
        connection = await asyncpg.connect(dsn, timeout=2)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
        return False
    await connection.close()
    return True
