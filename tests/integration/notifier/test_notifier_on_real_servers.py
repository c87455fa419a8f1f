"""The same on real Kafka, Postgres and SMTP: one story and one storm, with the roles as they are shipped."""

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

import httpx
import pytest
import pytest_asyncio
from aiosmtpd.smtp import SMTP

from events.accounts import ApikeyIssued, UserChanged
from events.core import Event
from events.envelope import Envelope, decode, encode
from events.escalator import EscalationLevelReached, PlannedShift, Reason, Responder, ShiftsPlanned
from events.ingest import AlertCreated, AlertResolved
from events.notifier import NoticeSent, NotificationAnswered, NotificationSent
from events.statuspage import AnnouncementMade, Occasion, Told
from events.topics import NOTIFICATIONS, PEOPLE
from notifier.app import shell_of, web_role, worker_role
from runtime import topics
from runtime.access import digest, person_cell
from runtime.broker_kafka import KafkaBroker
from runtime.clock import SystemClock
from runtime.kafka_producer import KafkaProducer
from runtime.ledger_postgres import PostgresLedger
from runtime.migrate import migrate
from runtime.ports import Message
from runtime.role import Role
from runtime.settings import Settings
from runtime.vault import Keyring
from tests.backend import Backend
from tests.integration.notifier.house import ADA, DISK, KEYS, NAMES, TOOL, settings


class Inbox:
    """A real mail server on a free port."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []

    async def start(self) -> int:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: SMTP(self, hostname="mail.example.org"), "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def stop(self) -> None:
        self._server.close()

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        self.mails.append(message_from_bytes(envelope.content, policy=default))
        return "250 2.0.0 queued"


class Running:
    """Both roles in one process, and somebody who speaks for the other services."""

    def __init__(self, broker: KafkaBroker, given: Settings) -> None:
        self.broker, self.given, self.inbox = broker, given, Inbox()
        self.roles: list[tuple[PostgresLedger, Role]] = []
        self.versions: dict[str, int] = {}

    async def run(self, role_of: Callable[..., Role]) -> Role:
        ledger = PostgresLedger(self.given.database_of("notifier"))
        await ledger.start()
        role = role_of(shell_of(self.given, ledger, self.broker, SystemClock()))
        await role.start()
        self.roles.append((ledger, role))
        await self.until(lambda: not role.waits_for())
        return role

    async def stop(self) -> None:
        for ledger, role in self.roles:
            await role.stop()
            await ledger.stop()
        await self.inbox.stop()

    async def say(self, events: Iterable[Event]) -> None:
        messages = []
        for event in events:
            version = self.versions[event.stream] = self.versions.get(event.stream, 0) + 1
            body = encode(Envelope(event, event.stream, version, "another"))
            messages.append(Message(event.topic or PEOPLE.name, event.key, body))
        await self.broker.producer.send(messages)

    async def eventually(self, kind: type[Event], count: int) -> list[Event]:
        """Our published events of this type, once there are so many."""
        async with asyncio.timeout(60):
            while len(found := await self.said(kind)) < count:
                await asyncio.sleep(0.1)
        return found

    async def said(self, kind: type[Event]) -> list[Event]:
        ends = await self.broker.end_offsets([NOTIFICATIONS.name])
        missing = {place for place, end in ends.items() if end}
        reader, found = self.broker.tail([NOTIFICATIONS.name]), list[Event]()
        await reader.start()
        while missing:
            for record in await reader.poll(1.0):
                event = decode(record.value).event if record.value is not None else None
                found.extend([event] if isinstance(event, kind) else [])
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
    await migrate(database_template, ["notifier"])
    given = settings(database_url=database_template, topic_prefix=topic_prefix, storm_window_s=6.0)
    made = Running(broker, given)
    port = await made.inbox.start()
    made.given = given.model_copy(update={"smtp_url": type(given.smtp_url)(f"smtp://127.0.0.1:{port}")})
    yield made
    await made.stop()
    await broker.stop()


def now() -> datetime:
    return datetime.now(UTC)


def ada() -> list[Event]:
    sealed = Keyring.parse(KEYS).seal(person_cell(ADA), NAMES[ADA].dump(), now())
    return [sealed, UserChanged(user=ADA, role="RESPONDER", email_mask="a***@example.org", timezone="UTC", at=now())]


def ring(alert: int) -> list[Event]:
    created = AlertCreated(alert=alert, source=DISK, source_name="Disks", summary=f"Disk {alert}", by=TOOL, at=now())
    told = (Responder(user=ADA, reason=Reason(text="Ada is on call.")),)
    reached = EscalationLevelReached(alert=alert, alert_version=1, level=0, responders=told, source=DISK, at=now())
    return [created, reached]


async def test_a_person_is_told_answers_from_the_mail_and_a_restarted_worker_tells_nothing_twice(
    running: Running,
) -> None:
    await running.run(worker_role)
    app = (await running.run(web_role)).http
    assert app is not None
    await running.say([*ada(), *ring(42)])
    await running.until(lambda: running.inbox.mails)
    (mail,) = running.inbox.mails
    assert mail["Subject"] == "[HIGH] Disk 42"
    plain = mail.get_body(("plain",))
    assert plain is not None
    (link,) = re.findall(r"Accept: +http://127.0.0.1:8080(\S+)", plain.get_content())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://127.0.0.1:8080") as client:
        assert (await client.get(link)).status_code == 200
        assert (await client.post(link, data={"action": "ACCEPT"})).status_code == 200
    assert len(await running.said(NotificationAnswered)) == 1

    ledger, worker = running.roles.pop(0)
    await worker.stop()
    await ledger.stop()
    await running.run(worker_role)
    await running.say(ring(43))
    await running.until(lambda: len(running.inbox.mails) > 1)
    assert [one["Subject"] for one in running.inbox.mails] == ["[HIGH] Disk 42", "[HIGH] Disk 43"]


async def test_two_hundred_alerts_at_once_make_four_mails(running: Running) -> None:
    await running.run(worker_role)
    await running.say([*ada(), *(event for alert in range(1, 201) for event in ring(alert))])
    await running.until(lambda: len(running.inbox.mails) >= 4)
    sent: list[Event] = []
    async with asyncio.timeout(30):
        while len(sent) < 200:
            sent = await running.said(NotificationSent)
    assert len({event.message for event in sent if isinstance(event, NotificationSent)}) == 4
    assert len(running.inbox.mails) == 4


async def test_updates_reminders_and_announcements_reach_who_wished_for_them_once(running: Running) -> None:
    running.given = running.given.model_copy(update={"minute_s": 0.1})
    await running.run(worker_role)
    app = (await running.run(web_role)).http
    assert app is not None
    key = "il1api-ada"
    issued = ApikeyIssued(apikey=1, user=ADA, name="test", digest=digest(key), mask="il1", at=now())
    await running.say([*ada(), issued])
    transport, headers = httpx.ASGITransport(app=app), {"Authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080", headers=headers) as client:
        (contact,) = (await client.get(f"/api/users/{ADA}/contacts/emails")).json()
        body = {"method": "EMAIL", "contact": contact}
        wishes = f"/api/users/{ADA}/notification-preferences"
        assert (await client.post(f"{wishes}/updates", json=body | {"type": "ALERT_RESOLVED"})).status_code == 201
        assert (await client.post(f"{wishes}/duties", json=body | {"beforeMin": 15})).status_code == 201

    await running.say(ring(42))
    await running.eventually(NotificationSent, 1)
    begins = now() + timedelta(seconds=6)
    duty = PlannedShift(user=ADA, start=begins, end=begins + timedelta(hours=8))
    plan = ShiftsPlanned(schedule=3, name="Primary", shifts=(duty,), until=begins + timedelta(days=3), at=now())
    made = AnnouncementMade(
        announcement=1,
        occasion=Occasion.INCIDENT_CREATED,
        incident=3,
        users=(Told(user=ADA),),
        title="Payments fail",
        at=now(),
    )
    await running.say([AlertResolved(alert=42, by=TOOL, at=now()), plan, made])
    assert len(await running.eventually(NoticeSent, 3)) == 3
    first, second, third, fourth = sorted(one["Subject"] for one in running.inbox.mails)
    assert (first, second) == ("Payments fail", "Resolved by the monitoring tool: Disk 42")
    assert third.startswith("You are on call from ")
    assert fourth == "[HIGH] Disk 42"

    ledger, worker = running.roles.pop(0)
    await worker.stop()
    await ledger.stop()
    await running.run(worker_role)
    await running.say(ring(43))
    await running.eventually(NotificationSent, 2)
    assert len(running.inbox.mails) == 5
