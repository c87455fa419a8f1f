"""Statuspage in virtual time: the shipped roles on memory's ledger and broker, with other services' facts said to it."""

import asyncio
import base64
import tempfile
import time
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import async_solipsism
import httpx

from channels.attempts import Attempt, Sent
from channels.mail import Mail
from events.accounts import ApikeyIssued, Member, Role, TeamChanged, UserChanged, UserDeleted, Visibility
from events.core import Event
from events.envelope import Envelope, decode, encode
from events.topics import INCIDENTS, PEOPLE, STATUSPAGES
from runtime.access import Name, digest, person_cell
from runtime.broker_memory import Faults, MemoryBroker, MemoryCluster
from runtime.clock import LoopClock
from runtime.ledger_memory import Base, MemoryLedger
from runtime.ports import Message
from runtime.role import Part
from runtime.settings import Settings
from runtime.shell import Shell
from runtime.subscription import Deciding
from runtime.vault import Keyring
from statuspage.app import shell_of, web_role, worker_parts
from web.session import Session, Sessions

T0 = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
"""A Monday, 04:00 in Berlin."""
ROOT, ADA, BOB, CYD = 1, 7, 8, 9
"""An administrator, a user, a responder, a stakeholder."""
NAMES = {
    ROOT: Name("Root", "R", "root@example.org"),
    ADA: Name("Ada", "A", "ada@example.org"),
    BOB: Name("Bob", "B", "bob@example.org"),
    CYD: Name("Cyd", "C", "cyd@example.org"),
}
ROLES = {ROOT: Role.ADMIN, ADA: Role.USER, BOB: Role.RESPONDER, CYD: Role.STAKEHOLDER}
KEYS = "k1:" + base64.b64encode(b"0" * 32).decode()
URL = "http://127.0.0.1:8080"
SECRET = "a-secret-of-the-suite"
T = TypeVar("T")


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
class MailServer:
    """What stands outside: takes mails, or says what it is told to say."""

    answer: Callable[[Mail], Attempt] = lambda _mail: Sent("250 OK queued")
    taken: list[Mail] = field(default_factory=list)

    async def send(self, mail: Mail) -> Attempt:
        result = self.answer(mail)
        if isinstance(result, Sent):
            self.taken.append(mail)
        return result


class House:
    def __init__(self, **more: Any) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="statuspage-")
        given: dict[str, Any] = {"secret_key": SECRET, "vault_keys": KEYS, "people_keys": KEYS, "public_url": URL}
        self.settings = Settings(**given | {"pages_dir": self.folder.name} | more)
        self.clock = LoopClock(T0)
        self.mail = MailServer()
        self.faults = Faults()
        self.cluster = MemoryCluster(faults=self.faults)
        self.base = Base()
        self.people = Keyring.parse(KEYS)
        self.versions: dict[str, int] = {}
        self.running: list[Sequence[Part]] = []
        self.brokers: list[MemoryBroker] = []
        for user, role in ROLES.items():
            self.user(user, role)

    # -- processes

    async def open(self) -> None:
        """Both roles run."""
        await self.start_worker()
        await self.start_web()

    async def start_worker(self, *, deciding: bool = True) -> Sequence[Part]:
        """Without `deciding`, as after a restore: the reader of `actions` waits for a person to say where it goes on."""
        parts = worker_parts(self.shell(), self.mail)
        return await self.start([part for part in parts if deciding or not isinstance(part, Deciding)])

    async def start_web(self) -> Sequence[Part]:
        role = web_role(self.shell())
        self.http: Any = role.http
        return await self.start(role.parts)

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
        self.folder.cleanup()

    def shell(self) -> Shell:
        """A process of its own on the same ledger and broker."""
        broker = MemoryBroker(self.cluster)
        self.brokers.append(broker)
        return shell_of(self.settings, MemoryLedger(self.clock, self.base), broker, self.clock)

    # -- what others say

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def says(self, event: Event) -> Envelope:
        """Publish an event as its owner would."""
        version = self.versions[event.stream] = self.versions.get(event.stream, 0) + 1
        envelope = Envelope(event, event.stream, version, "another")
        self.cluster.write([Message(event.topic or PEOPLE.name, event.key, encode(envelope))])
        return envelope

    def user(self, user: int, role: Role = Role.RESPONDER) -> None:
        self.says(self.people.seal(person_cell(user), NAMES[user].dump(), self.now))
        self.says(UserChanged(user=user, role=role, timezone="Europe/Berlin", at=self.now))
        self.says(
            ApikeyIssued(apikey=user, user=user, name="test", digest=digest(key_of(user)), mask="il1…", at=self.now)
        )

    def deleted(self, user: int) -> None:
        self.says(UserDeleted(user=user, at=self.now))

    def team(self, team: int, *users: int, visibility: Visibility = Visibility.PUBLIC) -> None:
        """Its members are in it what they are everywhere."""
        members = tuple(Member(user=user, role=ROLES[user]) for user in users)
        self.says(TeamChanged(team=team, name=f"Team {team}", visibility=visibility, members=members, at=self.now))

    # -- what people ask

    def asks(self, user: int) -> httpx.AsyncClient:
        """A client with this user's API key."""
        headers = {"Authorization": f"Bearer {key_of(user)}"}
        return httpx.AsyncClient(transport=httpx.ASGITransport(app=self.http), base_url=URL, headers=headers)

    def browses(self, user: int) -> httpx.AsyncClient:
        """A browser in which this user is signed in."""
        token = Sessions(SECRET, URL).sign(
            Session(f"s{user}", user, int(time.time()))
        )  # cookies are read by the real clock
        return httpx.AsyncClient(
            transport=httpx.ASGITransport(app=self.http),
            base_url=URL,
            headers={"Accept": "text/html", "Sec-Fetch-Site": "same-origin"},
            cookies={"__Host-alarum": token},
            follow_redirects=True,
        )

    async def does(
        self, user: int, method: str, path: str, body: Any = None, headers: dict[str, str] | None = None
    ) -> httpx.Response:
        async with self.asks(user) as client:
            return await client.request(method, f"/api{path}", json=body, headers=headers)

    async def makes(self, path: str, body: Any) -> int:
        """The id of what Ada made."""
        made = await self.does(ADA, "POST", path, body)
        assert made.status_code in (200, 201), made.text
        number: int = made.json()["id"]
        return number

    async def reads(self, path: str, user: int = ADA) -> Any:
        """What this user is answered."""
        found = await self.does(user, "GET", path)
        assert found.status_code == 200, found.text
        return found.json()

    # -- what is seen

    def said(self, *topics: str) -> list[Envelope]:
        """What statuspage published, in order of time within a topic."""
        records = [
            record for topic in topics or (STATUSPAGES.name, INCIDENTS.name) for record in self.cluster.records(topic)
        ]
        return [decode(record.value) for record in records if record.value is not None]

    def lines(self, stream: str, *topics: str) -> list[str]:
        """The types of a stream's events, in order."""
        return [envelope.type for envelope in self.said(*topics) if envelope.stream == stream]

    async def passes(self, **length: float) -> None:
        """Time goes by, as much as `timedelta` would have it; a virtual hour costs a few real seconds."""
        await asyncio.sleep(timedelta(**length).total_seconds())

    async def until(self, look: Callable[[], Any], within: timedelta = timedelta(hours=1)) -> Any:
        """What `look` sees once it is truthy."""
        end = self.now + within
        while not (seen := look()):
            assert self.now < end, "it did not happen"
            await asyncio.sleep(0.25)
        return seen


def key_of(user: int) -> str:
    return f"il1api-{user}"
