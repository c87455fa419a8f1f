"""Real Kafka behind TLS and a password: the suite itself comes through it, and others read what they may and no more."""

import asyncio
import json
import os
import re
import secrets
import signal
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import GroupAuthorizationFailedError, TopicAuthorizationFailedError
from pydantic import SecretStr

from events.topics import TOPICS as ALL_TOPICS
from launcher import external
from launcher.native import Kafka
from launcher.processes import free_port
from runtime import topics
from runtime.broker_kafka import KafkaBroker
from runtime.kafka_producer import KafkaProducer
from runtime.kafka_security import Mechanism, Security
from runtime.ports import Unavailable
from tests.authority import Authority
from tests.integration.broker.conftest import NARROW, TOPICS, Seats, messages, reads, values

ROOT = Path(__file__).parents[3]
SAMPLES = ROOT / "tests" / "contract" / "samples"
HOST = "127.0.0.1"
SUITE, SUITES_PASSWORD = "suite", "what-the-suite-knows"
READER, READERS_PASSWORD = "dashboard", "what-a-dashboard-knows"


class SuiteAsUser(external.Listener):
    """A listener through which the suite itself comes too, by any mechanism: what a broker elsewhere may ask of it."""

    def settings(self, listens: str) -> dict[str, str]:
        given = super().settings(listens)
        prefix = f"listener.name.{external.NAME.lower()}"
        plain = f'{given[f"{prefix}.plain.sasl.jaas.config"][:-1]} user_{SUITE}="{SUITES_PASSWORD}";'
        scram = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
        return given | {
            f"{prefix}.sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
            f"{prefix}.plain.sasl.jaas.config": plain,
            f"{prefix}.scram-sha-256.sasl.jaas.config": scram,
            f"{prefix}.scram-sha-512.sasl.jaas.config": scram,
            "super.users": f"{external.OWN};User:{SUITE}",
        }


class ScramKafka(Kafka):
    """A broker that is made with the suite's SCRAM credentials."""

    def _format_command(self) -> list[str | Path]:
        known = [
            word
            for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512")
            for word in ("--add-scram", f"{mechanism}=[name={SUITE},password={SUITES_PASSWORD}]")
        ]
        return [*super()._format_command(), *known]


@dataclass(frozen=True)
class Guarded:
    """A broker with its listener for others."""

    inside: str
    outside: str
    authority: Path

    def security(self, mechanism: Mechanism = "SCRAM-SHA-512") -> Security:
        return Security("SASL_SSL", mechanism, SUITE, SecretStr(SUITES_PASSWORD), self.authority)

    def environment(self, user: str, password: str, mechanism: Mechanism = "PLAIN") -> dict[str, str]:
        return {
            "KAFKA_BOOTSTRAP": self.outside,
            "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
            "KAFKA_SASL_MECHANISM": mechanism,
            "KAFKA_USER": user,
            "KAFKA_PASSWORD": password,
            "KAFKA_CA_FILE": str(self.authority),
        }


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def guarded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Guarded]:
    folder = tmp_path_factory.mktemp("guarded")
    authority, port = Authority(folder), free_port()
    door = SuiteAsUser(HOST, port, str(authority.certificate(HOST)), READER, READERS_PASSWORD)
    kafka = ScramKafka(folder / "data", door=door)
    await kafka.start()
    yield Guarded(kafka.bootstrap, f"{HOST}:{port}", authority.file)
    await kafka.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def opened(guarded: Guarded) -> Guarded:
    """With the suite's topics, and with what its reader may do."""
    broker = KafkaBroker([guarded.inside])
    await broker.start()
    await topics.create(broker)
    await broker.stop()
    for _ in range(2):  # again is no harm
        await external.grant(guarded.inside, READER)
    return guarded


class TestTheSuiteItself:
    """Producer, members, tails, questions and topics of one process: everything of ours that talks to a broker."""

    @pytest.mark.parametrize("mechanism", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
    async def test_every_client_signs_in_over_tls(self, guarded: Guarded, mechanism: Mechanism) -> None:
        prefix = f"t{secrets.token_hex(4)}."
        broker = KafkaBroker([guarded.outside], prefix, security=guarded.security(mechanism))
        await broker.start()
        assert set(await broker.create(TOPICS)) == {topic.name for topic in TOPICS}
        await broker.producer.send(messages(NARROW, ("a", "1"), ("a", "2")))
        assert await broker.end_offsets([NARROW.name]) == {(NARROW.name, 0): 2}
        seats = Seats()
        member, tail = broker.member([NARROW.name], "g", "g-0", seats), broker.tail([NARROW.name])
        for reader in (member, tail):
            await reader.start()
            assert values(await reads(reader, lambda taken: len(taken) == 2)) == ["1", "2"]
        await member.commit({(NARROW.name, 0): 2})
        for reader in (member, tail):
            await reader.stop()
        await broker.stop()

    @pytest.mark.parametrize(
        "wrong",
        [
            pytest.param(lambda given: replace(given, password=SecretStr("guessed")), id="another password"),
            pytest.param(lambda given: replace(given, ca_file=None), id="an authority that nobody here trusts"),
            pytest.param(lambda given: replace(given, protocol="PLAINTEXT"), id="no TLS"),
            pytest.param(lambda given: replace(given, ca_file=Path("/nowhere")), id="a file that is gone"),
        ],
    )
    async def test_who_may_not_come_in_waits_and_is_told(self, guarded: Guarded, wrong) -> None:
        broker = KafkaBroker([guarded.outside], patience_s=1.0, security=wrong(guarded.security()))
        await broker.start()
        with pytest.raises(Unavailable):
            await broker.producer.send(messages(NARROW, ("a", "1")))
        with pytest.raises(Unavailable):
            await broker.end_offsets([NARROW.name])
        assert "away" in (broker.ready() or "")
        await broker.stop()

    async def test_a_broker_whose_certificate_names_another_host_is_not_believed(self, guarded: Guarded) -> None:
        elsewhere = guarded.outside.replace(HOST, "localhost")
        broker = KafkaBroker([elsewhere], patience_s=1.0, security=guarded.security())
        await broker.start()
        with pytest.raises(Unavailable):
            await broker.producer.send(messages(NARROW, ("a", "1")))
        await broker.stop()

    async def test_processes_take_it_from_their_settings(self, guarded: Guarded) -> None:
        prefix = f"t{secrets.token_hex(4)}."
        given = guarded.environment(SUITE, SUITES_PASSWORD, "SCRAM-SHA-256") | {"TOPIC_PREFIX": prefix}
        made = await asyncio.to_thread(run, ["-m", "runtime.topics"], given)
        assert made.returncode == 0, made.stderr
        http, ops = free_port(), free_port()
        given |= {"HTTP_PORT": str(http), "OPS_PORT": str(ops), "SECRET_KEY": "k" * 32}
        with running(["-m", "runtime.host", "ingest.gateway"], given):
            assert await is_ready(f"http://127.0.0.1:{ops}/readyz")


class TestOthers:
    @pytest.mark.parametrize("topic", [topic.name for topic in ALL_TOPICS if topic.public])
    async def test_they_read_every_public_topic(self, opened: Guarded, topic: str) -> None:
        async with reading(opened, topic, group=f"{READER}-1") as consumer:
            await consumer.seek_to_beginning()
            assert consumer.assignment()

    @pytest.mark.parametrize("topic", [topic.name for topic in ALL_TOPICS if not topic.public])
    async def test_they_read_no_private_topic(self, opened: Guarded, topic: str) -> None:
        with pytest.raises(TopicAuthorizationFailedError):
            async with reading(opened, topic, group=None) as consumer, asyncio.timeout(30):
                await consumer.getone()

    async def test_they_write_nothing(self, opened: Guarded) -> None:
        async with AIOKafkaProducer(**client(opened)) as producer:
            with pytest.raises(TopicAuthorizationFailedError):
                await producer.send_and_wait("alerts.v1", b"{}", b"alert-1")

    @pytest.mark.parametrize("group", ["ingest.worker", "dashboard", "dashboards-1"])
    async def test_they_join_no_group_but_their_own(self, opened: Guarded, group: str) -> None:
        with pytest.raises(GroupAuthorizationFailedError):
            async with reading(opened, "alerts.v1", group=group) as consumer, asyncio.timeout(30):
                await consumer.getone()

    async def test_the_program_in_the_docs_reads_from_outside(self, opened: Guarded, tmp_path: Path) -> None:
        (block,) = re.findall(
            r"^```py\n(.*?)^```$", (ROOT / "docs" / "events.md").read_text(), re.DOTALL | re.MULTILINE
        )
        program = tmp_path / "consumer.py"
        program.write_text(block)
        sample = json.loads((SAMPLES / "alert.created.1.json").read_text())
        async with AIOKafkaProducer(bootstrap_servers=opened.inside) as producer:
            await producer.send_and_wait("alerts.v1", json.dumps(sample).encode(), sample["subject"].encode())
        with running([str(program)], opened.environment(READER, READERS_PASSWORD)) as process:
            assert process.stdout is not None
            line = await asyncio.wait_for(asyncio.to_thread(process.stdout.readline), 60)
        assert line.decode().split() == ["alert.created", sample["id"]]


async def test_a_broker_of_a_suite_gets_its_door_later_and_loses_nothing(tmp_path: Path) -> None:
    """`make up` again, this time with EXTERNAL_LISTENER: the same data, and the own way in as before."""
    before = Kafka(tmp_path / "data")
    await before.start()
    broker = KafkaBroker([before.bootstrap])
    await broker.start()
    await broker.create([NARROW])
    await broker.producer.send(messages(NARROW, ("a", "1")))
    await broker.stop()
    await before.stop()
    KafkaProducer._alive.clear()  # the next process
    authority, port = Authority(tmp_path), free_port()
    door = external.Listener(HOST, port, str(authority.certificate(HOST)), READER, READERS_PASSWORD)
    after = Kafka(tmp_path / "data", door=door)
    await after.start()
    try:
        again = KafkaBroker([after.bootstrap])
        await again.start()
        assert await again.end_offsets([NARROW.name]) == {(NARROW.name, 0): 1}
        await again.producer.send(messages(NARROW, ("a", "2")))
        await again.stop()
        await external.grant(after.bootstrap, READER)
        assert READERS_PASSWORD in (after.folder / "server.properties").read_text()
        assert (after.folder / "server.properties").stat().st_mode & 0o077 == 0
    finally:
        await after.stop()


def client(guarded: Guarded) -> dict[str, object]:
    return {
        "bootstrap_servers": guarded.outside,
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "PLAIN",
        "sasl_plain_username": READER,
        "sasl_plain_password": READERS_PASSWORD,
        "ssl_context": ssl.create_default_context(cafile=guarded.authority),
    }


def reading(guarded: Guarded, topic: str, group: str | None) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(topic, **client(guarded), group_id=group, auto_offset_reset="earliest")


def run(arguments: list[str], given: dict[str, str]) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, *arguments], env={"PATH": os.environ["PATH"]} | given, capture_output=True, check=False
    )


@contextmanager
def running(arguments: list[str], given: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        [sys.executable, *arguments], env={"PATH": os.environ["PATH"]} | given, stdout=subprocess.PIPE
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=30)


async def is_ready(url: str) -> bool:
    async with httpx.AsyncClient(trust_env=False) as http, asyncio.timeout(60):
        while True:
            try:
                if (await http.get(url)).status_code == 200:
                    return True
            except httpx.TransportError:
                pass
            await asyncio.sleep(0.1)
