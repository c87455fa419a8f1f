"""The same on real Kafka, Postgres and HTTP: one story, in the middle of which the worker is started anew."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
import pytest_asyncio

from connectors.app import shell_of, web_role, worker_role
from connectors.tokens import hook_path
from events.accounts import ApikeyIssued, Role, UserChanged
from events.connectors import ActionAnswered, ActionFailed, ActionSucceeded
from events.core import Event
from events.envelope import Envelope, decode, encode
from events.ingest import AlertAccepted, AlertCreated, AlertResolved, SourceChanged
from events.shared import Actor
from events.topics import ACTIONS, PEOPLE
from runtime import role as roles
from runtime import topics
from runtime.access import digest, person_cell
from runtime.broker_kafka import KafkaBroker
from runtime.clock import SystemClock
from runtime.kafka_producer import KafkaProducer
from runtime.ledger_postgres import PostgresLedger
from runtime.migrate import migrate
from runtime.ports import Message
from runtime.settings import Settings
from runtime.vault import Keyring
from tests.backend import Backend
from tests.fakes.jira import Jira
from tests.fakes.standing import standing
from tests.fakes.webhook import Receiver
from tests.integration.connectors.house import DISK, KEYS, NAMES, ROOT, SECRET, URL, key_of

LIFE = ["alert-created", "alert-acknowledged", "alert-resolved"]
TOOL = Actor.by_source(DISK)


class Running:
    """Both roles in one process, and somebody who speaks for the other services."""

    def __init__(self, broker: KafkaBroker, given: Settings) -> None:
        self.broker, self.given = broker, given
        self.roles: list[tuple[PostgresLedger, roles.Role]] = []
        self.versions: dict[str, int] = {}

    async def run(self, role_of: Callable[..., roles.Role]) -> roles.Role:
        ledger = PostgresLedger(self.given.database_of("connectors"))
        await ledger.start()
        role = role_of(shell_of(self.given, ledger, self.broker, SystemClock()))
        await role.start()
        self.roles.append((ledger, role))
        await self.until(lambda: not role.waits_for())
        return role

    async def end(self, place: int = -1) -> None:
        ledger, role = self.roles.pop(place)
        await role.stop()
        await ledger.stop()

    async def say(self, *events: Event) -> None:
        messages = []
        for event in events:
            version = self.versions[event.stream] = self.versions.get(event.stream, 0) + 1
            body = encode(Envelope(event, event.stream, version, "another"))
            messages.append(Message(event.topic or PEOPLE.name, event.key, body))
        await self.broker.producer.send(messages)

    async def said(self) -> list[Event]:
        """Everything in `actions`."""
        ends = await self.broker.end_offsets([ACTIONS.name])
        missing = {place for place, end in ends.items() if end}
        reader, found = self.broker.tail([ACTIONS.name]), list[Event]()
        await reader.start()
        while missing:
            for record in await reader.poll(1.0):
                found.extend([decode(record.value).event] if record.value is not None else [])
                missing -= {record.place} if record.offset + 1 >= ends[record.place] else set()
        await reader.stop()
        return found

    async def until(self, question: Callable[[], Any]) -> None:
        async with asyncio.timeout(60):
            while not question():
                await asyncio.sleep(0.02)


@pytest_asyncio.fixture
async def running(
    backend: Backend, topic_prefix: str, database_template: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Running]:
    monkeypatch.setattr(KafkaProducer, "limit", 9)  # other tests' brokers may not have been collected yet
    broker = KafkaBroker([backend.bootstrap], topic_prefix)
    await broker.start()
    await topics.create(broker)
    await migrate(database_template, ["connectors"])
    given: dict[str, Any] = {"secret_key": SECRET, "vault_keys": KEYS, "people_keys": KEYS, "public_url": URL}
    where = {"database_url": database_template, "topic_prefix": topic_prefix, "private_targets": "127.0.0.0/8"}
    made = Running(broker, Settings(**given | where))
    yield made
    while made.roles:
        await made.end()
    await broker.stop()


def now() -> datetime:
    return datetime.now(UTC)


def root() -> Iterable[Event]:
    yield Keyring.parse(KEYS).seal(person_cell(ROOT), NAMES[ROOT].dump(), now())
    yield UserChanged(user=ROOT, role=Role.ADMIN, timezone="UTC", at=now())
    yield ApikeyIssued(apikey=1, user=ROOT, name="test", digest=digest(key_of(ROOT)), mask="il1…", at=now())
    yield SourceChanged(source=DISK, name="Disks", key_digest="0", key_cell="c", policy=3, at=now())


async def test_tools_are_told_across_a_restart_and_one_of_them_answers(running: Running) -> None:
    receiver, jira = Receiver(), Jira()
    with standing(receiver) as hook, standing(jira) as tracker:
        await running.run(worker_role)
        app = (await running.run(web_role)).http
        assert app is not None
        await running.say(*root())
        transport, headers = httpx.ASGITransport(app=app), {"Authorization": f"Bearer {key_of(ROOT)}"}
        async with httpx.AsyncClient(transport=transport, base_url=URL, headers=headers) as client:
            params = {"url": tracker, "email": jira.email, "password": jira.token}
            connector = (
                await client.post("/api/connectors", json={"name": "J", "type": "jira", "params": params})
            ).json()
            common = {"alertSources": [{"id": DISK}], "triggerTypes": LIFE}
            ticket = {
                "name": "Ticket",
                "connectorType": "jira",
                "connectorId": connector["id"],
                "params": {"project": "OPS"},
            }
            tell = {"name": "Tell", "connectorType": "webhook", "params": {"webhookUrl": f"{hook}/x"}}
            receiver.secret = (await client.post("/api/alert-actions", json=tell | common)).json()["signingSecret"]
            assert (await client.post("/api/alert-actions", json=ticket | common)).status_code == 201

            receiver.refuses(503, 503)
            created = AlertCreated(alert=42, source=DISK, source_name="Disks", summary="Disk full", by=TOOL, at=now())
            await running.say(created)
            await running.until(lambda: receiver.attempts)
            await running.end(0)
            await running.run(worker_role)
            await running.until(lambda: jira.issues)

            path = hook_path("jira", int(connector["id"]), SECRET)
            assert (await client.post(path, json=jira.move("OPS-1", "In Progress"))).status_code == 200
        accepted = AlertAccepted(alert=42, by=Actor.by_somebody("Grace Hopper", "jira"), at=now())
        await running.say(accepted, AlertResolved(alert=42, by=TOOL, at=now()))
        await running.until(lambda: jira.issues["OPS-1"].status == "Done")
    assert (receiver.events, receiver.complaints) == (LIFE, [])
    story: list[Event] = []
    async with asyncio.timeout(30):
        while sum(isinstance(one, ActionSucceeded) for one in story) < 6:
            story = await running.said()
    assert [one for one in story if isinstance(one, ActionFailed)] == []
    assert [one.who for one in story if isinstance(one, ActionAnswered)] == ["Grace Hopper"]
