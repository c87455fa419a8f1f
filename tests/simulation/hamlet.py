"""A small town for many short nights: three people, a process of its own for each replica, and everything that can break."""

import asyncio
import gc
import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, lru_cache
from logging import CRITICAL
from random import Random
from typing import Any

import structlog

import accounts.app
import escalator.app
import ingest.app
from channels import attempts
from channels.mail import Mail
from escalator import indexes
from escalator.domain import policy as policies
from escalator.domain import schedule as schedules
from escalator.streams import POLICY, SCHEDULE
from events.escalator import Layer, PolicyChanged, Rule, ScheduleChanged
from events.ingest import AlertCreated
from ingest.desk import DIGESTS, SOURCES
from notifier import mails
from runtime import deliveries, gate, relay, subscription, ticks, views
from runtime.ledger_memory import Base, MemoryLedger, Step
from runtime.ports import Place
from runtime.records import Received
from runtime.restore import Restore
from runtime.role import Part
from runtime.settings import Settings
from runtime.shell import Shell, Wakes
from runtime.subscription import Deciding
from runtime.unit import Unit
from tests.simulation.town import START, Disk, Mailbox, Nets, Town, _own_topics, nets
from tests.simulation.weather import Doom, DoomedBroker, Outbox, Watch, Weather

NET_S, SWEEP_S = 60.0, 30.0
"""The nets under wake-ups are wide here: they cost little, and whoever forgets to wake somebody is seen to be late."""
NETS: Nets = {
    relay: {"LOOK_AGAIN_S": NET_S, "LEAD_RETRY_S": SWEEP_S, "BEAT_S": NET_S, "FOLLOW_S": 0.1},
    subscription: {"POLL_S": NET_S, "LOOK_FOR_REPLAYS_S": 3600.0, "TELL_AT_LEAST_EVERY_S": 600.0},
    views: {"POLL_S": NET_S},
    ticks: {"SWEEP_S": SWEEP_S},
    deliveries: {"SWEEP_S": SWEEP_S},
    gate: {"LOOK_AGAIN_S": 0.25},
    mails: {"templates": cache(mails.templates)},  # compiled once, not in every process of every night
}


@contextmanager
def wide_nets_and_no_log() -> Iterator[None]:
    """While random nights are lived through, nothing else runs in the process; afterwards all is as it was."""
    logging = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(CRITICAL))
    gc.freeze()
    gc.disable()  # a night leaves little, and looking for it takes longer than living through it
    try:
        with nets(NETS):
            yield
    finally:
        gc.enable()
        gc.unfreeze()
        structlog.configure(**logging)


@lru_cache(maxsize=8)
def _replica(settings: Settings, replica: str) -> Settings:
    return settings.model_copy(update={"replica": replica})


class Letters:
    """A process' way to the post office: it may die before a mail is taken, or before it hears that it was."""

    def __init__(self, mailbox: Mailbox, doom: Doom) -> None:
        self._mailbox, self._doom = mailbox, doom

    async def send(self, mail: Mail) -> attempts.Attempt:
        self._doom.come("mail")
        attempt = await self._mailbox.send(mail)
        self._doom.come("mailed")
        return attempt


@dataclass
class Process:
    """One replica of a worker: it can be told when to die, and be started again with nothing but what its base holds."""

    town: "Hamlet"
    app: Any
    service: str
    replica: str
    watch: Watch
    shell: Shell | None = None
    parts: Sequence[Part] = ()
    doom: Doom | None = None

    async def start(self) -> None:
        if self.runs:
            return
        self.doom = Doom()
        self.shell = self.town.shell_of(self.app, self.service, self.watch, self.doom, self.replica)
        self.parts = self.app.worker_parts(self.shell, *self.town.around(self.service, self.doom))
        for part in self.parts:
            await part.start()

    async def kill(self) -> None:
        """Nothing of it goes on; of two who kill it at once one does."""
        shell, self.shell = self.shell, None
        if shell is None or self.doom is None:
            return
        self.doom.met.set()
        await _gone(shell)
        for part in reversed(self.parts):
            await part.stop()

    @property
    def runs(self) -> bool:
        return self.shell is not None


class Hamlet(Town):
    """`replicas` processes of each worker over one base; `processes` by `service-replica`."""

    cluster: Weather

    def __init__(self, seed: int, replicas: int = 1) -> None:
        super().__init__(seed)
        self.cluster = Weather(self.faults, START, Random(seed + 2))
        self.disks = {service: Disk(Base(outbox=Outbox())) for service in self.disks}
        self.processes = {
            f"{service}-{replica}": Process(self, app, service, str(replica), Watch(self.clock))
            for service, app in self.workers.items()
            for replica in range(replicas)
        }
        self.numbers: dict[str, int] = {}
        self._heard = 0

    @property
    def story(self) -> list[Received]:
        """Everything published, first publications only, as it was written."""
        return self.cluster.story

    def decided_at(self, event_id: str) -> datetime:
        """When an event was committed, by the time that truly is."""
        for disk in self.disks.values():
            outbox = disk.base.outbox
            assert isinstance(outbox, Outbox)
            if event_id in outbox.decided:
                return outbox.decided[event_id]
        raise KeyError(event_id)

    # -- running

    async def start(self) -> None:
        for service, app in (("accounts", accounts.app), ("ingest", ingest.app), ("escalator", escalator.app)):
            desk = self.desks[service] = self.shell_of(app, service, Watch(self.clock), Doom(), "desk")
            own = sorted({topic if isinstance(topic, str) else topic.name for topic in _own_topics(app)})
            for part in (desk.relay, Restore(desk, own), Wakes(desk)):
                await part.start()
        self._edge = ingest.app.gateway_role(self.desks["ingest"], self.settings, self.clock)
        await self._edge.start()

    async def open(self) -> None:
        """The workers come, and lead their relays: who set things up goes, but for who takes what people do."""
        for service in ("accounts", "escalator"):
            desk = self.desks[service]
            await desk.relay.acknowledged(60)
            if service == "escalator":
                await desk.relay.stop()
                await _gone(desk)
        await self.desks["ingest"].relay.stop()
        for process in self.processes.values():
            await process.start()
        await asyncio.sleep(1)
        await self.desks["ingest"].relay.start()

    async def stop(self) -> None:
        for process in self.processes.values():
            await process.kill()
        await self._edge.stop()
        for desk in self.desks.values():
            await desk.relay.stop()
            await _gone(desk)
        await self.cluster.stop()

    def shell_of(self, app: Any, service: str, watch: Watch, doom: Doom, replica: str) -> Shell:
        disk = self.disks[service]

        def fault(step: Step) -> None:
            disk.fault(step)
            doom.come(step)

        ledger = MemoryLedger(self.clock, disk.base, fault)
        settings = _replica(self.settings, replica)
        shell: Shell = app.shell_of(settings, ledger, DoomedBroker(self.cluster, doom), watch)
        return shell

    def around(self, service: str, doom: Doom) -> Sequence[Any]:
        """What stands for the world around a service."""
        return (Letters(self.mailbox, doom),) if service == "notifier" else ()

    # -- setting up

    async def source(self, policy: int) -> str:
        """As in a town, with the entries by which its desk finds it."""
        key = await super().source(policy)
        number, digest = int(key[6:]), hashlib.sha256(key.encode()).hexdigest()

        async def entered(unit: Unit) -> None:
            unit.put(SOURCES, {str(number): digest})
            unit.put(DIGESTS, {digest: str(number)})

        await self.desks["ingest"].do(entered)
        return key

    async def rules(self, *rules: Rule, delay_min: int = 0, repeats: int = 1) -> int:
        """A policy of these rules."""

        async def work(unit: Unit) -> int:
            [number] = await unit.draw("policy")
            unit.fresh(POLICY, number)
            changed = PolicyChanged(
                policy=number,
                name=f"Policy {number}",
                rules=rules,
                delay_min=delay_min,
                repeating=repeats > 1,
                frequency=repeats,
                at=unit.at,
            )
            unit.decide(POLICY, number, policies.Set(changed))
            unit.put(indexes.POLICIES, {indexes.padded(number): changed.name})
            return number

        return await self.desks["escalator"].do(work)

    async def schedule(self, users: Sequence[int], turn: str = "PT1H") -> int:
        """A schedule on which people take turns."""

        async def work(unit: Unit) -> int:
            [number] = await unit.draw("schedule")
            unit.fresh(SCHEDULE, number)
            layer = Layer(name="All", starts_on="2026-02-01T00:30", users=tuple(users), rotation=turn)
            changed = ScheduleChanged(
                schedule=number, name=f"Schedule {number}", timezone="Europe/Berlin", layers=(layer,), at=unit.at
            )
            unit.decide(SCHEDULE, number, schedules.Set(changed))
            unit.put(indexes.SCHEDULES, {indexes.padded(number): changed.name})
            return number

        return await self.desks["escalator"].do(work)

    # -- what happens

    async def post(self, key: str, **event: Any) -> str | None:
        """As in a town, spoken to the gateway without a client; `once` names the event to who may hear it again."""
        once = str(event.pop("once", ""))
        body = json.dumps({"integrationKey": key, "eventType": "ALERT"} | event).encode()
        status, answer = await _spoken(self._edge.http, body, once)
        if status == 503:
            return None
        assert status == 202, answer
        signal = str(json.loads(answer)["signal"])
        self.posted[signal] = str(event.get("alertKey", ""))
        return signal

    def number_of(self, alert_key: str) -> int | None:
        """The alert that was opened for a key."""
        while self._heard < len(self.story):
            event = self.story[self._heard].envelope.event
            self._heard += 1
            if isinstance(event, AlertCreated) and event.alert_key is not None:
                self.numbers.setdefault(event.alert_key, event.alert)
        return self.numbers.get(alert_key)

    # -- what can be seen

    def services(self) -> Iterator[tuple[str, Shell]]:
        """(service, the shell of one of its processes)."""
        for service in self.workers:
            shell = self.processes[f"{service}-0"].shell
            assert shell is not None, f"{service} does not run"
            yield service, shell

    def standings(self) -> list[tuple[str, Place, int, int]]:
        """(reader, place, how far it has come, where the place ends), for every reader of every service."""
        stood = []
        for service in self.workers:
            parts = self.processes[f"{service}-0"].parts
            for reader in (part for part in parts if isinstance(part, Deciding)):
                stored = self.disks[service].base.positions
                ends = self.cluster.ends(reader.topics)
                stood += [(reader.name, place, stored.get((reader.name, place), 0), end) for place, end in ends.items()]
        return stood


async def _gone(shell: Shell) -> None:
    """What a process had in hand goes with it: unsent publications, and its hold on the base."""
    assert isinstance(shell.broker, DoomedBroker)
    assert isinstance(shell.ledger, MemoryLedger)
    await shell.broker.producer.stop()
    await shell.ledger.stop()


async def _spoken(app: Any, body: bytes, once: str) -> tuple[int, bytes]:
    headers = [(b"content-type", b"application/json"), (b"idempotency-key", once.encode())]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/api/events",
        "raw_path": b"/api/events",
        "query_string": b"",
        "headers": headers if once else headers[:1],
        "client": ("192.0.2.1", 1),
        "server": ("alarum.example.org", 80),
    }
    heard: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        heard.append(message)

    await app(scope, receive, send)
    return int(heard[0]["status"]), b"".join(message.get("body", b"") for message in heard[1:])


LEAP = timedelta(minutes=10)
"""The most by which a clock is ever wrong."""
