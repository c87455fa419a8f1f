"""The auditor at work: a record that a reader never handled is named, and wakes somebody; a reader that is away loses nothing.

The same story in memory and on real Kafka and Postgres.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio

from events.envelope import Envelope, decode, encode
from events.escalator import EscalationEnded, EscalationStarted
from events.ingest import AlertCreated, AlertResolved, SignalReceived, SourceChanged
from events.topics import TOPICS
from ingest import audit_views
from ingest.app import shell_of, worker_parts
from ingest.audit import HEARD, Auditor, Told
from ingest.keys import digest
from ingest.migrations import MIGRATIONS
from ingest.streams import SOURCE
from runtime.audit import Audit
from runtime.broker_kafka import KafkaBroker
from runtime.broker_memory import MemoryBroker, MemoryCluster
from runtime.clock import SystemClock
from runtime.kafka_producer import KafkaProducer
from runtime.ledger_memory import Base, MemoryLedger
from runtime.ledger_postgres import PostgresLedger
from runtime.migrate import migrate_database
from runtime.ports import Broker, Ledger, Message, Place, Unavailable
from runtime.role import Part
from runtime.settings import Settings
from runtime.shell import Shell
from runtime.unit import NO_CAUSE
from tests.backend import Backend
from tests.topics import narrow

PATIENCE_S = 60.0
GRACE_S = 1.0
READER = "ingest.worker"
NOW = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)


@dataclass
class World:
    """Where processes live: a base and a broker, in memory or for real."""

    ledger: Callable[[], Ledger]
    broker: Callable[[], Broker]
    end: Callable[[], Awaitable[None]]


async def _in_memory() -> World:
    base, cluster = Base(), MemoryCluster()
    return World(lambda: MemoryLedger(SystemClock(), base), lambda: MemoryBroker(cluster), cluster.stop)


async def _for_real(backend: Backend, prefix: str, database: str) -> World:
    await migrate_database(database, "ingest", MIGRATIONS)
    made = KafkaBroker([backend.bootstrap], prefix)
    await made.start()
    await made.create(narrow(TOPICS))
    await made.stop()
    KafkaProducer._alive.clear()
    broker = KafkaBroker([backend.bootstrap], prefix)  # all of this process' parts share it
    await broker.start()
    return World(lambda: PostgresLedger(database), lambda: broker, broker.stop)


Servers = tuple[Backend, str, str] | None
"""A backend, a prefix of topics and a database; None for what is all in memory."""


@pytest.fixture(params=["memory", "servers"])
def servers(request: pytest.FixtureRequest) -> Servers:
    if request.param == "memory":
        return None
    backend: Backend = request.getfixturevalue("backend")
    return backend, request.getfixturevalue("topic_prefix"), request.getfixturevalue("database")


@pytest_asyncio.fixture
async def world(servers: Servers) -> AsyncIterator[World]:
    made = await _in_memory() if servers is None else await _for_real(*servers)
    yield made
    await made.end()


@dataclass
class House:
    """Ingest's worker, which can be stopped and started, and the auditor, which stays."""

    world: World
    settings: Settings = field(
        default_factory=lambda: Settings.model_validate({"audit_grace_s": GRACE_S, "audit_every_s": 0.2})
    )
    shells: list[Shell] = field(default_factory=list)
    worker: Sequence[Part] = ()
    auditor: Auditor | None = None
    others: Sequence[Part] = ()

    async def start(self) -> None:
        shell = await self._shell()
        self.auditor = Auditor(shell, Told())
        self.others = (shell.relay, self.auditor)
        for part in self.others:
            await part.start()
        await self.start_worker()

    async def start_worker(self) -> None:
        shell = await self._shell()
        self.worker = [*worker_parts(shell), Audit(shell, audit_views.LAWS, looks=2)]
        for part in self.worker:
            await part.start()

    async def stop_worker(self) -> None:
        for part in reversed(self.worker):
            await part.stop()
        self.worker = ()

    async def stop(self) -> None:
        await self.stop_worker()
        for part in reversed(self.others):
            await part.stop()
        for shell in self.shells:
            ledger: Any = shell.ledger
            await ledger.stop()

    async def _shell(self) -> Shell:
        ledger: Any = self.world.ledger()
        await ledger.start()
        shell = shell_of(self.settings, ledger, self.world.broker(), SystemClock())
        self.shells.append(shell)
        return shell

    async def know(self, source: int) -> None:
        """The source is written straight into the ledger."""
        now = SourceChanged(source=source, name="Shop", key_digest=digest("k"), key_cell="c", at=datetime.now(UTC))

        async def work(unit: Any) -> None:
            await unit.load(SOURCE, [source])
            unit._record(SOURCE, SOURCE.stream(source), now, NO_CAUSE)

        await self.shells[0].run(work)

    async def post(self, number: int) -> Place:
        signal = SignalReceived(
            signal=f"s{number}",
            source=1,
            integration="api",
            body=json.dumps({"eventType": "ALERT", "summary": f"disk {number} is full", "alertKey": f"k{number}"}),
            at=datetime.now(UTC),
        )
        envelope = Envelope(signal, signal.stream, 0, "ingest")
        [written] = await self.shells[0].broker.producer.send([Message(signal.topic, signal.key, encode(envelope))])
        return written.topic, written.partition

    async def publish(self, *envelopes: Envelope) -> None:
        """Put these into their topics as a relay would."""
        messages = [Message(one.event.topic, one.event.key, encode(one)) for one in envelopes]
        await self.shells[0].broker.producer.send(messages)

    async def second_auditor(self) -> Auditor:
        """One that begins now, with the first one's checkpoint."""
        assert self.auditor is not None
        self.auditor._kept_at = float("-inf")
        await self.auditor._keep()
        await self.auditor.stop()
        again = Auditor(await self._shell(), Told())
        self.others = (*self.others, again)
        await again.start()
        return again

    async def passed_over(self, place: Place) -> None:
        """By hand: the worker's position is behind a record that it never handled."""
        ledger = self.shells[0].ledger
        at = (await ledger.positions(READER))[place]
        async with ledger.begin() as tx:
            await tx.advance(READER, {place: (at, at + 1)})

    async def said(self) -> list[Envelope]:
        """What was said of alerts so far."""
        broker = self.shells[0].broker
        ends = await broker.end_offsets(["alerts.v1"])
        reader, records = broker.tail(["alerts.v1"]), 0
        await reader.start()
        found: list[Envelope] = []
        while records < sum(ends.values()):
            for record in await reader.poll(0.5):
                records += 1
                found.append(decode(record.value or b""))
        await reader.stop()
        return found

    async def troubles(self) -> list[AlertCreated]:
        events = (one.event for one in await self.said())
        return [event for event in events if isinstance(event, AlertCreated) and event.source == 0]


@pytest_asyncio.fixture
async def house(world: World) -> AsyncIterator[House]:
    made = House(world)
    await made.start()
    yield made
    await made.stop()


async def until(holds: Callable[[], Awaitable[Any]]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while True:
            with suppress(Unavailable):  # topics of a moment ago have no leaders yet
                if await holds():
                    return
            await asyncio.sleep(0.1)


async def test_a_reader_that_is_away_loses_nothing_and_a_record_passed_over_is_named(house: House) -> None:
    assert house.auditor is not None
    board = house.auditor.board
    await house.know(1)

    async def handled() -> bool:
        line = board.lines.get(READER)
        return line is not None and not board.books.open()["signals"] and board.books.open()["escalations"] > 0

    await house.post(1)
    await until(handled)

    await house.stop_worker()
    place = await house.post(2)
    await house.post(3)

    async def seen() -> bool:
        return board.books.open()["signals"] == 2

    await until(seen)
    looked_at = board.looked_at
    assert looked_at is not None

    async def several_graces_later() -> bool:
        assert board.looked_at is not None
        return (board.looked_at - looked_at).total_seconds() > 3 * GRACE_S

    await until(several_graces_later)
    assert board.missing.get("signals", ()) == (), "a reader that stands still closes nothing"

    await house.passed_over(place)
    await house.start_worker()

    async def named() -> bool:
        return board.missing.get("signals") == ("s2",)

    await until(named)

    async def told() -> bool:
        return any(
            "«suite.signals»" in trouble.summary and "s2" in trouble.details for trouble in await house.troubles()
        )

    await until(told)
    created = [one.event for one in await house.said() if isinstance(one.event, AlertCreated)]
    assert {event.alert_key for event in created if event.source == 1} == {"k1", "k3"}
    assert not any(isinstance(one.event, AlertResolved) for one in await house.said())


@pytest.mark.parametrize("servers", ["memory"], indirect=True)
async def test_a_restarted_auditor_remembers_what_waits(house: House) -> None:
    auditor = house.auditor
    assert auditor is not None
    await house.stop_worker()

    async def looks() -> bool:
        return bool(auditor._next)

    await until(looks)
    await house.know(1)
    await house.post(1)

    async def seen() -> bool:
        return auditor.board.books.open()["signals"] == 1

    await until(seen)
    auditor._kept_at = float("-inf")
    await auditor._keep()
    again = Auditor(house.shells[0], Told())
    assert await again._restored() == auditor._next
    assert again.board.books.open()["signals"] == 1


async def test_what_a_relay_says_again_after_it_was_done_opens_nothing(house: House) -> None:
    """An alert is created and its escalation begins; the creation is published once more, also to an auditor that began since."""
    auditor = house.auditor
    assert auditor is not None
    await house.know(1)
    await house.post(1)

    async def created() -> Sequence[Envelope]:
        return [one for one in await house.said() if isinstance(one.event, AlertCreated) and one.event.source == 1]

    await until(created)
    [creation] = await created()
    alert: dict[str, Any] = {"alert": creation.event.alert, "alert_version": 1, "at": NOW}  # type: ignore[attr-defined]
    begun = EscalationStarted(levels=(), begins_at=NOW, **alert)
    ended = EscalationEnded(reason="nobody", **alert)
    await house.publish(Envelope(begun, begun.stream, 1, "escalator"), Envelope(ended, ended.stream, 2, "escalator"))

    async def balances() -> bool:
        return not any(auditor.board.books.open()[account] for account in ("escalations", "deadlines", "signals"))

    await until(balances)
    await house.publish(creation, Envelope(begun, begun.stream, 1, "escalator"))
    later = await house.post(2)

    async def read() -> bool:
        return auditor._next.get(later, 0) > 0 and await caught_up(auditor)

    async def caught_up(reader: Auditor) -> bool:
        ends = await house.shells[0].broker.end_offsets(HEARD)
        return all(reader._next.get(place, 0) >= end for place, end in ends.items())

    await until(read)
    open_now = dict(auditor.board.books.waiting)
    assert ("escalations", creation.event.stream) not in open_now
    assert ("deadlines", begun.stream) not in open_now

    again = await house.second_auditor()
    await until(lambda: caught_up(again))
    await house.publish(creation)
    await until(lambda: caught_up(again))
    assert ("escalations", creation.event.stream) not in again.board.books.waiting


REMOVED: Sequence[Mapping[str, tuple[str, str]]] = (
    {
        "rows": ("delete from alerts where id = {alert}", "alert-{alert}"),
        "timelines": ("delete from timeline where alert = {alert}", "alert-{alert}@1"),
        "index": ("delete from entries where name = 'open'", "alert-{alert}"),
    },
    {"heads": ("delete from streams where stream = 'alert-{alert}'", "alert-{alert}")},
)
"""By account how it is removed and what is then missing; what others are judged by goes last."""


@pytest.mark.parametrize("servers", ["servers"], indirect=True)
async def test_what_is_removed_by_hand_from_a_picture_is_named(house: House) -> None:
    await house.know(1)
    await house.post(1)

    async def created() -> list[int]:
        events = (one.event for one in await house.said())
        return [event.alert for event in events if isinstance(event, AlertCreated) and event.source == 1]

    await until(created)
    [alert] = await created()
    for removed in REMOVED:
        async with house.shells[0].ledger.begin() as tx:
            for removal, _ in removed.values():
                await tx.sql.execute(removal.format(alert=alert))

        async def named(removed: Mapping[str, tuple[str, str]] = removed) -> bool:
            troubles = [(one.summary, one.details) for one in await house.troubles()]
            return all(
                any(
                    f"«{account}»" in summary and missing.format(alert=alert) in details
                    for summary, details in troubles
                )
                for account, (_, missing) in removed.items()
            )

        await until(named)
