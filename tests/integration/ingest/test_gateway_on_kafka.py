"""The gateway on real Kafka: a key of a moment ago, and a broker that is frozen under 200 requests a second."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest_asyncio
import structlog
from structlog.stdlib import BoundLogger

from events.envelope import Envelope, decode, encode
from events.ingest import SignalReceived, SourceChanged
from events.topics import SIGNALS, SOURCES
from ingest.gateway import Gateway
from ingest.keys import Keys, digest
from runtime.broker_kafka import KafkaBroker
from runtime.clock import SystemClock
from runtime.ports import Message, Unavailable
from runtime.views import Tail
from tests.backend import Backend
from tests.topics import narrow

KEY = "il1int0123456789abcdef0123456789abcdef"
RATE_PER_S = 200
FROZEN_FOR_S = 4.0


@dataclass(frozen=True)
class Edge:
    broker: KafkaBroker
    log: BoundLogger


@dataclass(frozen=True)
class Told:
    """What one request heard, and when (seconds of the loop's clock)."""

    key: str
    status: int
    code: str
    asked_at: float
    took_s: float


@dataclass
class House:
    broker: KafkaBroker
    client: httpx.AsyncClient
    backend: Backend

    async def know(self, source: int) -> None:
        event = SourceChanged(source=source, name="Shop", key_digest=digest(KEY), key_cell="c", at=datetime.now(UTC))
        envelope = Envelope(event, event.stream, 1, "ingest")
        await self.broker.producer.send([Message(SOURCES.name, event.key, encode(envelope))])

    async def ask(self, key: str) -> Told:
        loop = asyncio.get_running_loop()
        asked_at = loop.time()
        body = {"integrationKey": KEY, "eventType": "ALERT", "summary": "disk full", "alertKey": key}
        answer = await self.client.post("/api/events", json=body)
        return Told(key, answer.status_code, answer.json().get("code", ""), asked_at, loop.time() - asked_at)

    async def _ends(self, reader: Any) -> Any:
        """A broker that was just thawed has much to catch up on before it answers."""
        while True:
            with contextlib.suppress(Unavailable):
                return await reader.end_offsets()

    async def stored(self) -> set[str]:
        """The alert keys of all signals that the topic holds."""
        reader = self.broker.tail([SIGNALS.name])
        await reader.start()
        try:
            left = {place: end for place, end in (await self._ends(reader)).items() if end}
            keys = set[str]()
            while left:
                for record in await reader.poll(1.0):
                    event = decode(record.value or b"").event
                    assert isinstance(event, SignalReceived)
                    keys.add(json.loads(event.body)["alertKey"])
                    if record.offset + 1 >= left.get(record.place, 0):
                        left.pop(record.place, None)
            return keys
        finally:
            await reader.stop()


@pytest_asyncio.fixture
async def house(backend: Backend, topic_prefix: str) -> AsyncIterator[House]:
    broker = KafkaBroker([backend.bootstrap], topic_prefix)
    await broker.start()
    await broker.create(narrow([SIGNALS, SOURCES]))
    keys = Keys()
    tail = Tail(Edge(broker, structlog.get_logger()), keys)
    await tail.start()
    gateway = Gateway(keys, tail.caught_up, lambda: broker.producer, SystemClock(), "https://alarum.example.org")
    transport: Any = httpx.ASGITransport(gateway.app())
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway", timeout=60) as client:
        yield House(broker, client, backend)
    await backend.heal()
    await tail.stop()
    await broker.stop()


async def test_a_key_that_was_made_a_moment_ago_is_known(house: House) -> None:
    await house.know(5)
    told = await house.ask("first")
    assert (told.status, await house.stored()) == (202, {"first"})


async def test_a_frozen_broker_is_told_within_a_second_and_no_2xx_is_lost(house: House) -> None:
    await house.know(5)
    assert (await house.ask("before")).status == 202
    loop = asyncio.get_running_loop()
    await house.backend.freeze_broker()
    frozen_at = loop.time()
    asked: list[asyncio.Task[Told]] = []
    while loop.time() < frozen_at + FROZEN_FOR_S:
        asked.append(asyncio.create_task(house.ask(f"n{len(asked)}")))
        await asyncio.sleep(1 / RATE_PER_S)
    await asyncio.gather(*(one for one in asked if one.done()))
    late = [one.result() for one in asked if one.done() and one.result().asked_at > frozen_at + 1]
    assert late, "those who asked a second after it froze have heard already"
    assert {told.code for told in late} == {"BROKER_BUSY"}
    await house.backend.thaw_broker()

    told = [*await asyncio.gather(*asked)]
    assert {one.status for one in told} <= {202, 503}
    stored = await house.stored()
    accepted = {one.key for one in told if one.status == 202} | {"before"}
    doubted = {one.key for one in told if one.code == "IN_DOUBT"}
    assert accepted <= stored, "every 2xx is stored"
    assert stored <= accepted | doubted, "and besides these only what was handed over when the gate shut"

    async with asyncio.timeout(30):
        while (await house.ask("after")).status != 202:
            await asyncio.sleep(0.1)
