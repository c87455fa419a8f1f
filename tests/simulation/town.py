"""The whole suite in one loop in virtual time: the shipped gateway, relays, readers, ticks, gates, deliveries and cores.

Only adapters are replaced: ledgers and broker are in memory, the clock follows the loop, and mails land in a mailbox. A
night of eight hours takes a second, and equal seeds tell equal stories.
"""

import asyncio
import base64
import hashlib
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from random import Random
from typing import Any, ClassVar, TypeVar

import async_solipsism
import httpx

import accounts.app
import escalator.app
import ingest.app
import notifier.app
from accounts.domain.user import Profile
from accounts.passwords import Passwords
from accounts.people import People
from channels import attempts
from channels.mail import Mail
from escalator.domain import policy as policies
from escalator.streams import POLICY
from events.accounts import Role as PersonRole
from events.envelope import Envelope, decode
from events.escalator import PolicyChanged, Rule, Target
from events.ingest import SourceChanged
from events.shared import Actor
from ingest import alerts, sources
from ingest import domain as alert_commands
from ingest.streams import SOURCE
from runtime import deliveries, relay, subscription, ticks, views
from runtime.access import Name
from runtime.broker_memory import Faults, MemoryBroker, MemoryCluster
from runtime.clock import LoopClock
from runtime.ledger_memory import Base, MemoryLedger, Step
from runtime.ports import Record, Unavailable
from runtime.records import Received
from runtime.restore import Restore
from runtime.role import Part
from runtime.settings import Settings
from runtime.shell import Shell, Wakes
from runtime.unit import Unit

T = TypeVar("T")

Nets = Mapping[Any, Mapping[str, Any]]
NETS_S, SWEEP_S = 10.0, 3.0
NETS: Nets = {
    relay: {"LOOK_AGAIN_S": NETS_S, "LEAD_RETRY_S": NETS_S, "BEAT_S": NETS_S},
    subscription: {"POLL_S": NETS_S, "LOOK_FOR_REPLAYS_S": NETS_S},
    views: {"POLL_S": NETS_S},
    ticks: {"SWEEP_S": SWEEP_S},
    deliveries: {"SWEEP_S": SWEEP_S},
}
"""Sweeps are the nets under wake-ups. Slower ones change no story, they only make a night cheaper to live through."""

PASSWORDS = Passwords()  # hashing is dear on purpose, and nobody signs in at night

START = datetime(2026, 3, 1, 1, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
DESKS: Mapping[str, Any] = {"accounts": accounts.app, "ingest": ingest.app, "escalator": escalator.app}
STORY_TOPICS = ("alerts.v1", "escalations.v1", "notifications.v1")


@contextmanager
def nets(values: Nets) -> Iterator[None]:
    """While these are spread nothing else may run in the process; afterwards all is as it was."""
    before = {module: {name: getattr(module, name) for name in names} for module, names in values.items()}
    _set(values)
    try:
        yield
    finally:
        _set(before)


def _set(values: Nets) -> None:
    for module, names in values.items():
        for name, value in names.items():
            setattr(module, name, value)


def _wide_enough() -> Nets:
    """Whoever has spread wider ones keeps them."""
    return {
        module: {name: max(getattr(module, name), value) for name, value in names.items()}
        for module, names in NETS.items()
    }


def in_virtual_time(story: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a story in a loop whose clock jumps to the next timer when nothing is ready."""
    with nets(_wide_enough()):
        return _run(story, async_solipsism.EventLoop())


def _run(story: Callable[[], Coroutine[Any, Any, T]], loop: asyncio.AbstractEventLoop) -> T:
    try:
        return loop.run_until_complete(story())
    finally:
        left = asyncio.all_tasks(loop)
        for task in left:
            task.cancel()
        if left:
            loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
        loop.close()


@dataclass
class Mailbox:
    """Where mails end. It can be away, and refuse some addresses for good."""

    clock: LoopClock
    taken: list[tuple[datetime, Mail]] = field(default_factory=list)
    away: bool = False
    refuses: set[str] = field(default_factory=set)

    async def send(self, mail: Mail) -> attempts.Attempt:
        await asyncio.sleep(0.05)
        if self.away:
            return attempts.Later("connection refused")
        if mail.to in self.refuses:
            return attempts.Refused("550 no such person")
        self.taken.append((self.clock.now(), mail))
        return attempts.Sent("250 taken")

    def to(self, address: str) -> list[str]:
        """The subjects of what an address was sent, in order."""
        return [mail.subject for _, mail in self.taken if mail.to == address]


@dataclass
class Disk:
    """One service's base, which may be away for a while."""

    base: Base = field(default_factory=Base)
    away: bool = False

    def fault(self, _step: Step) -> None:
        if self.away:
            raise Unavailable("the base is away")


@dataclass
class Node:
    """A process of a service, which can be killed between any two steps and started again."""

    make: Callable[[], tuple[Sequence[Any], MemoryLedger]]
    parts: Sequence[Part] = ()
    ledger: MemoryLedger | None = None

    async def start(self) -> None:
        self.parts, self.ledger = self.make()
        for part in self.parts:
            await part.start()

    async def kill(self) -> None:
        for part in reversed(self.parts):
            await part.stop()
        if self.ledger is not None:
            await self.ledger.stop()
        self.parts = ()


class Town:
    """The suite, its people and what happens to them."""

    workers: ClassVar[Mapping[str, Any]] = {"ingest": ingest.app, "escalator": escalator.app, "notifier": notifier.app}

    def __init__(self, seed: int = 0, **settings: Any) -> None:
        self.random = Random(seed)
        self.settings = _settings(**settings)
        self.clock = LoopClock(START)
        self.faults = Faults(random=Random(seed + 1))
        self.cluster = MemoryCluster(faults=self.faults, start=START)
        self.disks = {service: Disk() for service in ("accounts", *self.workers)}
        self.mailbox = Mailbox(self.clock)
        self.nodes: dict[str, Node] = {}
        self.desks: dict[str, Shell] = {}
        self.accepted: dict[int, datetime] = {}
        self.posted: dict[str, str] = {}
        self._read: dict[tuple[str, int, int], Envelope] = {}

    # -- running

    async def start(self) -> None:
        for service in DESKS:
            await self.open_desk(service)
        self._edge = ingest.app.gateway_role(self.desks["ingest"], self.settings, self.clock)
        await self._edge.start()
        for service, app in self.workers.items():
            self.nodes[service] = Node(self._worker(app, service))
            await self.nodes[service].start()

    async def open_desk(self, service: str) -> None:
        """Where people's wishes are written down; a new one where its base was replaced."""
        desk = self.desks[service] = self._shell(DESKS[service], service)
        own = {topic if isinstance(topic, str) else topic.name for topic in _own_topics(DESKS[service])}
        for part in (desk.relay, Restore(desk, sorted(own)), Wakes(desk)):
            await part.start()

    async def stop(self) -> None:
        for node in self.nodes.values():
            await node.kill()
        await self._edge.stop()
        for desk in self.desks.values():
            await desk.relay.stop()
        await self.cluster.stop()

    def _worker(self, app: Any, service: str) -> Callable[[], tuple[Sequence[Any], MemoryLedger]]:
        def make() -> tuple[Sequence[Any], MemoryLedger]:
            shell = self._shell(app, service)
            ledger = shell.ledger
            assert isinstance(ledger, MemoryLedger)
            return app.worker_parts(shell, *self.outside(service)), ledger

        return make

    def outside(self, service: str) -> Sequence[Any]:
        """What stands for the world around a service."""
        return (self.mailbox,) if service == "notifier" else ()

    def _shell(self, app: Any, service: str) -> Shell:
        disk = self.disks[service]
        ledger = MemoryLedger(self.clock, disk.base, disk.fault)
        shell: Shell = app.shell_of(self.settings, ledger, MemoryBroker(self.cluster), self.clock)
        return shell

    # -- setting up

    async def user(self, name: str) -> int:
        """Somebody who may be on call, with a sign-in address of their own."""
        desk = self.desks["accounts"]
        people = People(desk, accounts.app.keys_from(self.settings), PASSWORDS)
        profile = Profile(role=PersonRole.RESPONDER, timezone="Europe/Berlin", language="en")
        person = await people.create(Name(name, "Example", f"{name.lower()}@example.org"), profile)
        return person.id

    async def policy(self, *levels: tuple[int, Sequence[int]], **more: Any) -> int:
        """A policy of (minutes, users) levels."""

        async def work(unit: Unit) -> int:
            [number] = await unit.draw("policy")
            rules = tuple(
                Rule(targets=tuple(Target(user=user) for user in users), timeout_min=minutes)
                for minutes, users in levels
            )
            unit.fresh(POLICY, number)
            changed = PolicyChanged(policy=number, name=f"Policy {number}", rules=rules, at=unit.at, **more)
            unit.decide(POLICY, number, policies.Set(changed))
            return number

        return await self.desks["escalator"].do(work)

    async def source(self, policy: int) -> str:
        """A source for API events; its key."""

        async def work(unit: Unit) -> str:
            [number] = await unit.draw("source")
            key = f"il1int{number:030d}"
            unit.fresh(SOURCE, number)
            changed = SourceChanged(
                source=number,
                name=f"Source {number}",
                key_digest=hashlib.sha256(key.encode()).hexdigest(),
                key_cell=f"cell-source-{number}",
                policy=policy,
                at=unit.at,
            )
            unit.decide(SOURCE, number, sources.Save(changed))
            return key

        return await self.desks["ingest"].do(work)

    # -- what happens

    async def post(self, key: str, **event: Any) -> str | None:
        """A tool posts; the id of the stored signal, None when it was told to come again."""
        transport = httpx.ASGITransport(app=self._edge.http)  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://alarum.example.org") as client:
            answer = await client.post("/api/events", json={"integrationKey": key, "eventType": "ALERT"} | event)
        if answer.status_code == 503:
            return None
        assert answer.status_code == 202, answer.text
        signal = str(answer.json()["signal"])
        self.posted[signal] = str(event.get("alertKey", ""))
        return signal

    async def post_until_taken(self, key: str, **event: Any) -> str:
        """As a tool that comes again after a 503."""
        while (signal := await self.post(key, **event)) is None:
            await asyncio.sleep(2)
        return signal

    async def accept(self, alert: int, user: int) -> None:
        """Somebody accepts; `accepted` says since when the broker has it."""

        async def work(unit: Unit) -> None:
            await alerts.command(unit, alert, alert_commands.Accept(Actor.by_user(user, "web"), unit.at))

        desk = self.desks["ingest"]
        await desk.run(work)
        while not await desk.relay.acknowledged(10):
            await asyncio.sleep(1)
        self.accepted.setdefault(alert, self.clock.now())

    # -- what can be seen

    def events(self, *topics: str) -> list[Received]:
        """Everything published, first publications only, by the instant of writing."""
        known: set[str] = set()
        story: list[Received] = []
        for topic in topics or STORY_TOPICS:
            for record in self.cluster.records(topic):
                if record.value is not None and (envelope := self._decoded(record)).id not in known:
                    known.add(envelope.id)
                    story.append(Received(envelope, topic, record.partition, record.offset, record.timestamp))
        return sorted(story, key=lambda received: (received.timestamp, received.topic, received.envelope.id))

    def _decoded(self, record: Record) -> Envelope:
        """Each record is decoded once, however often the story is looked at."""
        known = self._read.get((record.topic, record.partition, record.offset))
        if known is None:
            assert record.value is not None
            known = self._read[record.topic, record.partition, record.offset] = decode(record.value)
        return known

    def envelopes(self, *topics: str) -> list[Envelope]:
        return [received.envelope for received in self.events(*topics)]

    def minutes(self, at: datetime, since: datetime) -> int:
        """Whole minutes on the night's clock."""
        return round((at - since) / MINUTE)

    async def until(self, is_so: Callable[[], Any], within: timedelta = timedelta(hours=2)) -> None:
        """Let virtual time pass until something is so."""
        until = self.clock.now() + within
        while not is_so():
            assert self.clock.now() < until, "it did not happen"
            await asyncio.sleep(1)


@cache
def _settings(**more: Any) -> Settings:
    """Reading the environment and the system's certificates is dear, and a night has none of its own."""
    key = base64.b64encode(bytes(32)).decode()
    return Settings(people_keys=f"k1:{key}", vault_keys=f"k1:{key}", **more)


def _own_topics(app: Any) -> Sequence[Any]:
    topics: Sequence[Any] = getattr(app, "OWN_TOPICS", None) or app.OWN
    return topics
