"""Kafka and Postgres as tests and `make up` get them: faults leave data and addresses as they were."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from launcher.native import Postgres
from launcher.processes import identify, recall, remember, spawn
from tests.backend import Backend, NativeBackend, make_backend


async def append(bootstrap: str, topic: str, *values: bytes) -> None:
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all") as producer:
        for value in values:
            await producer.send_and_wait(topic, value, partition=0)


async def read(bootstrap: str, topic: str, count: int) -> list[bytes | None]:
    async with AIOKafkaConsumer(bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        async with asyncio.timeout(30):
            return [(await consumer.getone()).value for _ in range(count)]


async def create(bootstrap: str, topic: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, num_partitions=1, replication_factor=1)])
    finally:
        await admin.close()


async def query(dsn: str, statement: str) -> object:
    connection = await asyncpg.connect(dsn, timeout=5)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


class TestBroker:
    async def test_a_killed_broker_comes_back_at_its_address_with_what_it_acknowledged(
        self, backend: Backend, topic_prefix: str
    ) -> None:
        address, topic = backend.bootstrap, topic_prefix + "kept"
        await create(address, topic)
        await append(address, topic, b"before")
        await backend.kill_broker()
        with pytest.raises(OSError, match="refused|failed"):
            await asyncio.open_connection(*address.split(":"))
        await backend.restart_broker()
        assert backend.bootstrap == address
        await append(address, topic, b"after")
        assert await read(address, topic, 2) == [b"before", b"after"]

    async def test_a_frozen_broker_takes_connections_and_answers_nothing_until_it_is_thawed(
        self, backend: Backend, topic_prefix: str
    ) -> None:
        topic = topic_prefix + "frozen"
        await create(backend.bootstrap, topic)
        async with AIOKafkaProducer(bootstrap_servers=backend.bootstrap, acks="all") as producer:
            await producer.partitions_for(topic)
            await backend.freeze_broker()
            sent = await producer.send(topic, b"patience", partition=0)
            _, writer = await asyncio.open_connection(*backend.bootstrap.split(":"))
            writer.close()
            done, _ = await asyncio.wait([sent], timeout=0.5)
            assert not done
            await backend.thaw_broker()
            assert (await asyncio.wait_for(sent, 30)).offset == 0

    async def test_an_unknown_topic_is_not_made_by_asking_for_it(self, backend: Backend, topic_prefix: str) -> None:
        admin = AIOKafkaAdminClient(bootstrap_servers=backend.bootstrap)
        await admin.start()
        try:
            await admin.describe_topics([topic_prefix + "nobody"])
            assert topic_prefix + "nobody" not in await admin.list_topics()
        finally:
            await admin.close()


class TestPostgres:
    async def test_a_killed_postgres_comes_back_at_its_address_with_what_it_committed(
        self, backend: Backend, database: str
    ) -> None:
        await query(database, "create table kept as select 42 as answer")
        await backend.kill_postgres()
        with pytest.raises(OSError, match="refused|failed|Connect"):
            await query(database, "select 1")
        await backend.restart_postgres()
        assert await query(database, "select answer from kept") == 42

    async def test_a_frozen_postgres_finishes_its_query_after_it_is_thawed(
        self, backend: Backend, database: str
    ) -> None:
        connection = await asyncpg.connect(database)
        await backend.freeze_postgres()
        asked = asyncio.create_task(connection.fetchval("select 42"))
        done, _ = await asyncio.wait([asked], timeout=0.5)
        assert not done
        await backend.thaw_postgres()
        assert await asyncio.wait_for(asked, 30) == 42
        await connection.close()

    async def test_nobody_without_the_password_gets_in(self, backend: Backend) -> None:
        _, _, rest = backend.dsn.partition("@")
        with pytest.raises(asyncpg.InvalidPasswordError):
            await query(f"postgresql://postgres:guess@{rest}", "select 1")

    async def test_each_test_has_a_database_of_its_own(self, database: str) -> None:
        assert await query(database, "select count(*) from pg_class where relname = 'kept'") == 0


class TestLeftovers:
    async def test_what_a_crash_left_running_is_ended_and_its_data_found(self, tmp_path: Path) -> None:
        crashed = Postgres(tmp_path / "data")
        await crashed.start()
        left = crashed.pid
        await query(crashed.dsn, "create table kept as select 42 as answer")
        after = Postgres(tmp_path / "data")
        await after.start()
        try:
            assert identify(left) is None
            assert after.dsn == crashed.dsn
            assert await query(after.dsn, "select answer from kept") == 42
        finally:
            await after.stop()

    async def test_a_recorded_pid_that_somebody_else_has_by_now_is_left_alone(self, tmp_path: Path) -> None:
        stranger = spawn([sys.executable, "-c", "import time; time.sleep(600)"], tmp_path / "stranger.log")
        now = identify(stranger.pid)
        assert now is not None
        remember(tmp_path / "data" / "run" / "postgres.json", type(now)(now.pid, now.started - 3600))
        server = Postgres(tmp_path / "data")
        await server.start()
        await server.stop()
        try:
            assert identify(stranger.pid) == now
        finally:
            stranger.send_signal(signal.SIGKILL)
            stranger.wait()

    async def test_a_stopped_server_leaves_no_process_and_no_record(self, tmp_path: Path) -> None:
        server = Postgres(tmp_path / "data")
        await server.start()
        pid = server.pid
        await server.stop()
        assert identify(pid) is None
        assert recall(tmp_path / "data" / "run" / "postgres.json") is None


class TestChoice:
    def test_docker_without_an_engine_says_so(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("BACKEND", "docker")
        monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
        with pytest.raises(RuntimeError, match="no Docker engine answers"):
            make_backend()

    def test_an_unknown_backend_is_named(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("BACKEND", "podman")
        with pytest.raises(ValueError, match="podman"):
            make_backend()

    def test_the_jars_are_those_of_the_lock(self) -> None:
        said = subprocess.run(
            [sys.executable, "-m", "launcher.jars", "--where"],
            capture_output=True,
            text=True,
            check=True,
            env=os.environ,
        )
        assert len(list(Path(said.stdout.strip()).glob("*.jar"))) == 45


def test_native_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("BACKEND", raising=False)
    made = make_backend()
    assert isinstance(made, NativeBackend)
    made.data_dir.rmdir()
