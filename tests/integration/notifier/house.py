"""The notifier in virtual time: the shipped roles on memory's ledger and broker, other services' facts, and a mail server."""

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import async_solipsism
import httpx

from channels.attempts import Attempt, Later, Sent
from channels.mail import Mail
from events.accounts import ApikeyIssued, Role, UserChanged, UserDeleted
from events.core import Event
from events.envelope import Envelope, decode, encode
from events.escalator import EscalationLevelReached, PlannedShift, Reason, Responder, ShiftsPlanned
from events.ingest import AlertAccepted, AlertAssigned, AlertCreated, AlertResolved
from events.shared import Actor, Priority
from events.statuspage import AnnouncementMade, Occasion, Told
from events.topics import NOTIFICATIONS, PEOPLE, REACH
from notifier.app import shell_of, web_role, worker_parts
from runtime.access import Name, digest, person_cell
from runtime.broker_memory import Faults, MemoryBroker, MemoryCluster
from runtime.clock import LoopClock
from runtime.ledger_memory import Base, MemoryLedger
from runtime.ports import Message
from runtime.role import Part
from runtime.settings import Settings
from runtime.subscription import Deciding
from runtime.vault import Keyring
from web.session import Session, Sessions

T0 = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
ADA, BOB, CYD = 7, 8, 9
NAMES = {
    ADA: Name("Ada", "A", "ada@example.org"),
    BOB: Name("Bob", "B", "bob@example.org"),
    CYD: Name("Cyd", "C", "cyd@example.org"),
}
DISK = 5
KEYS = "k1:" + base64.b64encode(b"0" * 32).decode()
TOOL = Actor.by_source(DISK)
E = TypeVar("E", bound=Event)


@dataclass
class MailServer:
    """What stands outside: takes mails, or says what it is told to say."""

    clock: LoopClock
    answer: Callable[[Mail], Attempt] = lambda _mail: Sent("250 OK queued")
    taken: list[tuple[float, Mail]] = field(default_factory=list)
    tries: list[tuple[float, Mail]] = field(default_factory=list)
    slow_s: float = 0.0

    async def send(self, mail: Mail) -> Attempt:
        at = (self.clock.now() - T0).total_seconds()
        self.tries.append((at, mail))
        await asyncio.sleep(self.slow_s)
        result = self.answer(mail)
        if isinstance(result, Sent):
            self.taken.append((at, mail))
        return result

    def away(self) -> None:
        self.answer = lambda _mail: Later("The mail server cannot be reached")

    def back(self) -> None:
        self.answer = lambda _mail: Sent("250 OK queued")

    @property
    def subjects(self) -> list[str]:
        return [mail.subject for _, mail in self.taken]


def settings(**more: Any) -> Settings:
    given: dict[str, Any] = {"secret_key": "a-secret-of-the-suite", "vault_keys": KEYS, "people_keys": KEYS}
    return Settings(**given | {"public_url": "http://127.0.0.1:8080"} | more)


class House:
    def __init__(self, **more: Any) -> None:
        self.settings = settings(**more)
        self.clock = LoopClock(T0)
        self.faults = Faults()
        self.cluster = MemoryCluster(faults=self.faults)
        self.base = Base()
        self.mail = MailServer(self.clock)
        self.people = Keyring.parse(KEYS)
        self.versions: dict[str, int] = {}
        self.workers: list[list[Part]] = []
        self.brokers: list[MemoryBroker] = []

    # -- processes

    async def start_worker(self, *, deciding: bool = True) -> list[Part]:
        """`deciding` False: without the reader, which refuses to go on in a restored ledger until a person has decided."""
        made = worker_parts(self._shell(), self.mail)
        parts = [part for part in made if deciding or not isinstance(part, Deciding)]
        self.workers.append(parts)
        for part in parts:
            await part.start()
        return parts

    async def stop_worker(self, parts: Sequence[Part]) -> None:
        """As far as the ledger can tell killed: what runs is cancelled in the middle."""
        for part in reversed(parts):
            await part.stop()

    async def lose_the_ledger(self) -> None:
        """The worker dies and its database is empty."""
        await self.stop_worker(self.workers.pop())
        self.base = Base()

    def forget_the_last_event(self, stream: str) -> None:
        """The database is a backup from before this stream's last event."""
        *older, _ = self.base.events[stream]
        self.base.events[stream] = tuple(older)
        self.base.heads[stream] = replace(self.base.heads[stream], version=len(older), state=None)

    async def start_web(self) -> None:
        self.web = web_role(self._shell(), self.mail)
        await self.web.start()
        assert self.web.http is not None
        transport = httpx.ASGITransport(app=self.web.http)
        self.client = httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080")

    async def stop(self) -> None:
        for parts in self.workers:
            await self.stop_worker(parts)
        if hasattr(self, "web"):
            await self.client.aclose()
            await self.web.stop()
        for broker in self.brokers:
            await broker.stop()
        await self.cluster.stop()

    def _shell(self) -> Any:
        broker = MemoryBroker(self.cluster)
        self.brokers.append(broker)
        ledger = MemoryLedger(self.clock, self.base)
        return shell_of(self.settings, ledger, broker, self.clock)

    # -- what others say

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def says(self, event: Event, causation: str | None = None) -> Envelope:
        """Publish an event as its owner would."""
        version = self.versions[event.stream] = self.versions.get(event.stream, 0) + 1
        envelope = Envelope(event, event.stream, version, "another", causation)
        topic = event.topic or PEOPLE.name
        self.cluster.write([Message(topic, event.key, encode(envelope))])
        return envelope

    def user(self, user: int, role: Role = Role.RESPONDER, **more: Any) -> None:
        name = NAMES[user]
        self.says(self.people.seal(person_cell(user), name.dump(), self.now))
        mask = f"{name.first[0].lower()}***@example.org"
        self.says(UserChanged(user=user, role=role, email_mask=mask, timezone="UTC", at=self.now, **more))

    def key(self, user: int) -> str:
        """An API key that acts for this user."""
        key = f"il1api-{user}"
        self.says(ApikeyIssued(apikey=user, user=user, name="test", digest=digest(key), mask="il1…", at=self.now))
        return key

    def deleted(self, user: int) -> None:
        self.says(UserDeleted(user=user, at=self.now))

    def alert(self, alert: int, summary: str = "", priority: Priority = Priority.HIGH, **more: Any) -> None:
        created = AlertCreated(
            alert=alert,
            source=DISK,
            source_name="Disks",
            summary=summary or f"Disk {alert} is full",
            priority=priority,
            by=TOOL,
            at=self.now,
            **more,
        )
        self.says(created)

    def level(self, alert: int, *users: int, level: int = 0, run: int = 1, version: int | None = None, priority: Priority = Priority.HIGH, by: int | None = None) -> None:  # fmt: skip
        """These people are to be told, by the version of the alert that is the newest unless another is given."""
        reached = EscalationLevelReached(
            alert=alert,
            alert_version=version or self.versions.get(f"alert-{alert}", 1),
            run=run,
            level=level,
            responders=tuple(
                Responder(user=user, reason=Reason(text=f"{NAMES[user].first} is on call.")) for user in users
            ),
            priority=priority,
            source=DISK,
            by=Actor.by_user(by, "web") if by is not None else None,
            at=self.now,
        )
        self.says(reached)

    def accepted(self, alert: int, by: int = ADA, causation: str | None = None) -> None:
        self.says(AlertAccepted(alert=alert, by=Actor.by_user(by, "web"), at=self.now), causation)

    def resolved(self, alert: int) -> None:
        self.says(AlertResolved(alert=alert, by=TOOL, at=self.now))

    def assigned(self, alert: int, user: int) -> None:
        self.says(AlertAssigned(alert=alert, user=user, by=Actor.by_user(BOB, "web"), at=self.now))

    def planned(self, *shifts: tuple[int, float, float], schedule: int = 3, name: str = "Primary") -> None:
        """A schedule's plan: (user, begin, end), in minutes of a preference from T0."""
        minute = timedelta(seconds=self.settings.minute_s)
        ahead = tuple(
            PlannedShift(user=user, start=T0 + start * minute, end=T0 + end * minute) for user, start, end in shifts
        )
        until = self.now + timedelta(days=3)
        self.says(ShiftsPlanned(schedule=schedule, name=name, shifts=ahead, until=until, at=self.now))

    def announced(self, announcement: int, *users: int, age: timedelta = timedelta(0), **more: Any) -> None:
        """These users are to be told of incident 3."""
        told = tuple(Told(user=user, reason="You follow Checkout.") for user in users)
        given: dict[str, Any] = {"occasion": Occasion.INCIDENT_CREATED, "incident": 3, "title": "Payments fail"}
        given |= {"message": "We look into it.", "status": "INVESTIGATING", "path": "/incidents/3"}
        given |= {"services": ("Checkout: Major outage",)}
        self.says(AnnouncementMade(announcement=announcement, users=told, at=self.now - age, **given | more))

    # -- what is seen

    def said(self, kind: type[E]) -> list[E]:
        """Our published events of this type, in order."""
        records = [*self.cluster.records(REACH.name), *self.cluster.records(NOTIFICATIONS.name)]
        events = [decode(record.value).event for record in records if record.value is not None]
        return [event for event in events if isinstance(event, kind)]

    def story(self, alert: int, user: int) -> list[str]:
        """What happened on one page, as wire types without their noun."""
        return [
            self._verb(record.value) for record in self._records() if self._of(record.value, f"page-{alert}-{user}")
        ]

    def _records(self) -> list[Any]:
        return [record for record in self.cluster.records(NOTIFICATIONS.name) if record.value is not None]

    def _of(self, body: bytes, stream: str) -> bool:
        return decode(body).stream == stream

    def _verb(self, body: bytes) -> str:
        return decode(body).type.partition(".")[2]

    async def passes(self, **length: float) -> None:
        """Let time go by."""
        await asyncio.sleep(timedelta(**length).total_seconds())

    async def until(self, question: Callable[[], Any]) -> None:
        """Let things happen until it is so."""
        async with asyncio.timeout(600):
            while not question():
                await asyncio.sleep(0.05)

    # -- the edge

    async def call(self, method: str, path: str, key: str, body: Any = None) -> httpx.Response:
        return await self.client.request(method, path, json=body, headers={"Authorization": f"Bearer {key}"})

    def signs_in(self, user: int) -> None:
        secret = self.settings.secret_key.get_secret_value()
        sessions = Sessions(secret, self.settings.public_url, clock=self.now.timestamp)
        token = sessions.sign(Session("s-1", user, int(self.now.timestamp())))
        self.client.cookies.set("__Host-alarum", token)


@asynccontextmanager
async def open_house(**more: Any) -> AsyncIterator[House]:
    house = House(**more)
    try:
        yield house
    finally:
        await house.stop()


def told(story: Callable[[House], Awaitable[None]], **more: Any) -> None:
    """Run a story in virtual time, with a worker."""

    async def main() -> None:
        async with open_house(**more) as house:
            await house.start_worker()
            await story(house)

    with asyncio.Runner(loop_factory=async_solipsism.EventLoop) as runner:
        runner.run(main())
