"""Connectors in virtual time: the shipped roles on memory's ledger and broker, other services' facts, other tools' servers."""

import asyncio
import base64
import time
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any, TypeVar

import async_solipsism
import httpx

from channels.attempts import Attempt, Sent
from channels.mail import Mail
from connectors.app import shell_of, web_role, worker_parts
from connectors.outside import Outside
from events.accounts import ApikeyIssued, Member, Role, TeamChanged, UserChanged, Visibility
from events.core import Event
from events.envelope import Envelope, decode, encode
from events.escalator import PolicyChanged
from events.ingest import AlertCreated, SourceChanged
from events.shared import Actor, Priority
from events.statuspage import ServiceChanged, TemplateChanged
from events.topics import ACTIONS, CONNECTORS, PEOPLE, VAULTS
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
ROOT, ADA, BOB, CYD = 1, 7, 8, 9
NAMES = {
    ROOT: Name("Root", "R", "root@example.org"),
    ADA: Name("Ada", "A", "ada@example.org"),
    BOB: Name("Bob", "B", "bob@example.org"),
    CYD: Name("Cyd", "C", "cyd@example.org"),
}
ROLES = {ROOT: Role.ADMIN, ADA: Role.USER, BOB: Role.RESPONDER, CYD: Role.STAKEHOLDER}
DISK, NET = 5, 6
KEYS = "k1:" + base64.b64encode(b"0" * 32).decode()
URL = "http://127.0.0.1:8080"
SECRET = "a-secret-of-the-suite"
PUBLIC = "93.184.216.34"
T = TypeVar("T")
Tool = Callable[[httpx.Request], httpx.Response]


def in_virtual_time(story: Callable[["House"], Coroutine[Any, Any, T]], **settings: Any) -> T:
    """Tell a story in a loop whose clock jumps to the next timer when nothing is ready."""
    loop = async_solipsism.EventLoop()
    try:
        told: T = loop.run_until_complete(_told(story, settings))
        return told
    finally:
        loop.close()


async def _told(story: Callable[["House"], Coroutine[Any, Any, T]], settings: dict[str, Any]) -> T:
    house = House(**settings)
    try:
        return await story(house)
    finally:
        await house.stop()


@dataclass
class Mailbox:
    """The mail server: takes mails, or says what it is told to say (`answers`, one to each attempt)."""

    taken: list[Mail] = field(default_factory=list)
    answers: deque[Attempt] = field(default_factory=deque)

    async def send(self, mail: Mail) -> Attempt:
        answer = self.answers.popleft() if self.answers else Sent("250 OK")
        if isinstance(answer, Sent):
            self.taken.append(mail)
        return answer


class House:
    """`tools` answer by host name; a host that nobody plays cannot be reached, and every call is remembered."""

    def __init__(self, **more: Any) -> None:
        given: dict[str, Any] = {"secret_key": SECRET, "vault_keys": KEYS, "people_keys": KEYS, "public_url": URL}
        self.settings = Settings(**given | more)
        self.clock = LoopClock(T0)
        self.faults = Faults()
        self.cluster = MemoryCluster(faults=self.faults)
        self.base = Base()
        self.keyring = Keyring.parse(KEYS)
        self.versions: dict[str, int] = {}
        self.running: list[Sequence[Part]] = []
        self.brokers: list[MemoryBroker] = []
        self.tools: dict[str, Tool] = {}
        self.calls: list[httpx.Request] = []
        self.slow_s: dict[str, float] = {}
        self.mails = Mailbox()
        for user, role in ROLES.items():
            self.user(user, role)
        self.source(DISK, "Disks")
        self.source(NET, "Network")

    # -- processes

    async def open(self) -> None:
        """Both roles run."""
        await self.start_worker()
        await self.start_web()

    async def start_worker(self) -> Sequence[Part]:
        return await self.start(worker_parts(self.shell(), self.outside(), self.mails))

    async def start_sender(self) -> Sequence[Part]:
        """The worker without its reader, which refuses to go on in a restored ledger until a person has decided."""
        parts = worker_parts(self.shell(), self.outside(), self.mails)
        return await self.start([part for part in parts if not isinstance(part, Deciding)])

    async def start_web(self) -> None:
        role = web_role(self.shell(), self.outside())
        await self.start(role.parts)
        self.http: Any = role.http

    async def start(self, parts: Sequence[Part]) -> Sequence[Part]:
        self.running.append(parts)
        for part in parts:
            await part.start()
        await self.until(lambda: all(part.ready() is None for part in parts))
        return parts

    async def end(self, parts: Sequence[Part]) -> None:
        """As far as the ledger can tell killed: what runs is cancelled in the middle."""
        self.running.remove(parts)
        for part in reversed(parts):
            await part.stop()

    async def lose_the_ledger(self) -> None:
        """Everything ends, and the database is empty."""
        for parts in list(self.running):
            await self.end(parts)
        self.base = Base()

    async def stop(self) -> None:
        for parts in list(self.running):
            await self.end(parts)
        for broker in self.brokers:
            await broker.stop()
        await self.cluster.stop()

    def shell(self) -> Any:
        broker = MemoryBroker(self.cluster)
        self.brokers.append(broker)
        return shell_of(self.settings, MemoryLedger(self.clock, self.base), broker, self.clock)

    def outside(self) -> Outside:
        """The network: every name is at one public address, and `tools` stand behind it."""

        async def resolve(host: str, _port: int) -> Sequence[str]:
            return [host if _is_number(host) else PUBLIC]

        return Outside(self.settings, httpx.MockTransport(self._answer), resolve)

    async def _answer(self, request: httpx.Request) -> httpx.Response:
        self.calls.append(request)
        host = request.headers["host"]
        await asyncio.sleep(self.slow_s.get(host, 0.0))
        if host not in self.tools:
            raise httpx.ConnectError("nobody is there")
        return self.tools[host](request)

    # -- what others say

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def says(self, event: Event, causation: str | None = None) -> Envelope:
        """Publish an event as its owner would."""
        version = self.versions[event.stream] = self.versions.get(event.stream, 0) + 1
        envelope = Envelope(event, event.stream, version, "another", causation)
        self.cluster.write([Message(event.topic or PEOPLE.name, event.key, encode(envelope))])
        return envelope

    def user(self, user: int, role: Role = Role.RESPONDER) -> None:
        self.says(self.keyring.seal(person_cell(user), NAMES[user].dump(), self.now))
        self.says(UserChanged(user=user, role=role, timezone="UTC", at=self.now))
        key = ApikeyIssued(apikey=user, user=user, name="test", digest=digest(key_of(user)), mask="il1…", at=self.now)
        self.says(key)

    def team(self, team: int, *users: int, visibility: Visibility = Visibility.PUBLIC) -> None:
        members = tuple(Member(user=user) for user in users)
        self.says(TeamChanged(team=team, name=f"Team {team}", visibility=visibility, members=members, at=self.now))

    def source(self, source: int, name: str, *teams: int) -> None:
        self.says(
            SourceChanged(source=source, name=name, key_digest="0", key_cell="c", policy=3, teams=teams, at=self.now)
        )

    def policy(self, policy: int, name: str = "Second line") -> None:
        self.says(PolicyChanged(policy=policy, name=name, rules=(), at=self.now))

    def service(self, service: int, name: str = "Checkout") -> None:
        self.says(ServiceChanged(service=service, name=name, at=self.now))

    def template(self, template: int, name: str = "Outage") -> None:
        self.says(TemplateChanged(template=template, name=name, summary="We look into it", at=self.now))

    def alert(self, alert: int, source: int = DISK, **more: Any) -> Envelope:
        created = AlertCreated(
            alert=alert,
            source=source,
            source_name="Disks",
            priority=Priority.HIGH,
            summary=f"Disk {alert} is full",
            by=Actor.by_source(source),
            at=self.now,
            **more,
        )
        return self.says(created)

    # -- what people ask

    def asks(self, user: int) -> httpx.AsyncClient:
        """A client with this user's API key."""
        transport = httpx.ASGITransport(app=self.http)
        return httpx.AsyncClient(transport=transport, base_url=URL, headers={"Authorization": f"Bearer {key_of(user)}"})

    def browses(self, user: int) -> httpx.AsyncClient:
        """A browser in which this user is signed in; it follows redirects."""
        token = Sessions(SECRET, URL).sign(Session(f"s{user}", user, int(time.time())))  # read by the real clock
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(app=self.http),
            base_url=URL,
            headers={"Accept": "text/html", "Sec-Fetch-Site": "same-origin"},
            cookies={"__Host-alarum": token},
            follow_redirects=True,
        )

    async def does(self, user: int, method: str, path: str, body: Any = None) -> httpx.Response:
        async with self.asks(user) as client:
            return await client.request(method, f"/api{path}", json=body)

    async def makes(self, path: str, body: Any, user: int = ROOT) -> Any:
        """What was made, as it was answered."""
        made = await self.does(user, "POST", path, body)
        assert made.status_code == 201, made.text
        return made.json()

    # -- what is seen

    def said(self, *topics: str) -> list[Envelope]:
        """What connectors published, in order of time within a topic."""
        names = topics or (CONNECTORS.name, ACTIONS.name)
        records = [record for topic in names for record in self.cluster.records(topic)]
        return [decode(record.value) for record in records if record.value is not None]

    def published(self) -> str:
        """All that anybody could read of us, in one text, without what is sealed."""
        records = [record for topic in (CONNECTORS.name, ACTIONS.name) for record in self.cluster.records(topic)]
        return "\n".join(record.value.decode() for record in records if record.value is not None)

    def cells(self) -> dict[str, bool]:
        """The vault's cells: whether they hold something now."""
        return {record.key: record.value is not None for record in self.cluster.records(VAULTS["connectors"].name)}

    async def passes(self, **length: float) -> None:
        end = self.now + timedelta(**length)
        await self.until(lambda: self.now >= end, timedelta(days=30))

    async def until(self, look: Callable[[], Any], within: timedelta = timedelta(hours=1)) -> Any:
        """What `look` sees once it is truthy."""
        end = self.now + within
        while not (seen := look()):
            assert self.now < end, "it did not happen"
            await asyncio.sleep(0.25)
        return seen


def _is_number(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def key_of(user: int) -> str:
    return f"il1api-{user}"
