"""The gateway on a broker in memory and in virtual time: what senders hear, and what is stored."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import async_solipsism
import httpx
import pytest
import structlog
from structlog.stdlib import BoundLogger

from events.envelope import Envelope, decode, encode
from events.ingest import SignalReceived, SourceChanged
from events.topics import SIGNALS, SOURCES
from ingest.gateway import Gateway
from ingest.keys import Keys, digest
from runtime.broker_memory import Faults, MemoryBroker, MemoryCluster
from runtime.clock import LoopClock
from runtime.ports import Message
from runtime.views import Tail

KEY = "il1int0123456789abcdef0123456789abcdef"
T0 = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
ALERT = {"integrationKey": KEY, "eventType": "ALERT", "summary": "disk full", "alertKey": "k"}


@dataclass(frozen=True)
class Surroundings:
    broker: MemoryBroker
    log: BoundLogger


class House:
    """A gateway, its broker, and a client."""

    def __init__(self) -> None:
        self.faults = Faults()
        self.cluster = MemoryCluster(faults=self.faults)
        self.broker = MemoryBroker(self.cluster)
        self.tail = Tail(Surroundings(self.broker, structlog.get_logger()), Keys())
        keys = self.tail.view
        assert isinstance(keys, Keys)
        gateway = Gateway(
            keys, self.tail.caught_up, lambda: self.broker.producer, LoopClock(T0), "https://alarum.example.org"
        )
        transport = httpx.ASGITransport(gateway.app())
        self.client = httpx.AsyncClient(transport=transport, base_url="http://gateway")

    def know(self, source: int = 5, key: str = KEY, *, active: bool = True) -> None:
        """A source is created: its event is in Kafka, and nothing waits until it was read."""
        event = SourceChanged(source=source, name="Shop", key_digest=digest(key), key_cell="c", active=active, at=T0)
        self.cluster.write([Message(SOURCES.name, event.stream, encode(Envelope(event, event.stream, 1, "ingest")))])

    @property
    def stored(self) -> list[SignalReceived]:
        records = self.cluster.records(SIGNALS.name)
        events = [decode(record.value).event for record in records if record.value is not None]
        return [event for event in events if isinstance(event, SignalReceived)]

    async def post(self, path: str, body: Any, **headers: str) -> httpx.Response:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return await self.client.post(path, content=content, headers={"content-type": "application/json", **headers})


@asynccontextmanager
async def open_house() -> AsyncIterator[House]:
    house = House()
    await house.tail.start()
    try:
        yield house
    finally:
        await house.client.aclose()
        await house.tail.stop()
        await house.broker.stop()


def told(story: Callable[[House], Awaitable[None]]) -> None:
    """Run a story in virtual time."""

    async def main() -> None:
        async with open_house() as house:
            await story(house)

    with asyncio.Runner(loop_factory=async_solipsism.EventLoop) as runner:
        runner.run(main())


class TestDialects:
    def test_the_published_path_answers_202_with_an_object_and_stores_the_event_without_its_key(self) -> None:
        async def story(house: House) -> None:
            house.know()
            answer = await house.post("/api/events", ALERT)
            assert (answer.status_code, answer.json()["alertKey"]) == (202, "k")
            (signal,) = house.stored
            assert signal.source == 5
            assert signal.signal == answer.json()["signal"]
            assert json.loads(signal.body) == ALERT | {"integrationKey": "source-5"}
            assert KEY not in signal.model_dump_json()

        told(story)

    def test_older_clients_hear_exactly_200(self) -> None:
        async def story(house: House) -> None:
            house.know()
            older = {"apiKey": KEY, "eventType": "RESOLVE", "incidentKey": "k"}
            for answer in (
                await house.post("/api/v1/events", older),
                await house.post(f"/api/v1/events/api/{KEY}", {"eventType": "RESOLVE", "alertKey": "k"}),
            ):
                assert answer.status_code == 200
                assert answer.json()["incidentKey"] == answer.json()["alertKey"] == "k"

        told(story)

    def test_alertmanager_posts_to_a_path_with_the_key(self) -> None:
        async def story(house: House) -> None:
            house.know()
            body = {"version": "4", "groupKey": "g", "alerts": [{"labels": {"alertname": "A"}}]}
            answer = await house.post(f"/api/v1/events/prometheus/{KEY}", body)
            assert (answer.status_code, answer.json()["alertKey"]) == (200, "g")
            assert [signal.integration for signal in house.stored] == ["prometheus"]

        told(story)

    def test_pagerduty_clients_get_a_dedup_key_that_is_the_same_for_the_same_body(self) -> None:
        async def story(house: House) -> None:
            house.know()
            link = {"href": f"https://x/{KEY}"}
            body = {
                "routing_key": KEY,
                "event_action": "trigger",
                "payload": {"summary": "disk full", "source": "web-01", "severity": "critical"},
                "links": [link],
            }
            answers = [await house.post("/v2/enqueue", body) for _ in range(2)]
            assert [answer.status_code for answer in answers] == [202, 202]
            assert {answer.json()["status"] for answer in answers} == {"success"}
            assert len({answer.json()["dedup_key"] for answer in answers}) == 1
            assert KEY not in house.stored[0].body

        told(story)


class TestKeys:
    def test_a_key_of_a_moment_ago_is_known(self) -> None:
        async def story(house: House) -> None:
            assert (await house.post("/api/events", ALERT)).status_code == 403
            house.know()
            assert (await house.post("/api/events", ALERT)).status_code == 202

        told(story)

    def test_a_missing_an_unknown_and_a_broken_key_are_told_apart_and_tell_nothing_of_others(self) -> None:
        async def story(house: House) -> None:
            house.know()
            missing = await house.post("/api/events", {"eventType": "ALERT", "summary": "x"})
            assert (missing.status_code, missing.json()["code"]) == (401, "UNAUTHORIZED")
            assert "integrationKey" in missing.json()["message"]
            unknown = await house.post("/api/events", ALERT | {"integrationKey": "nope"})
            almost = await house.post("/api/events", ALERT | {"integrationKey": KEY[:-1]})
            assert (unknown.status_code, unknown.json()["code"]) == (403, "KEY_ERROR")
            assert unknown.json() == almost.json()
            broken = await house.post("/api/events", ALERT | {"integrationKey": 5})
            assert broken.status_code == 400
            assert house.stored == []

        told(story)

    def test_a_disabled_source_is_answered_as_ever(self) -> None:
        async def story(house: House) -> None:
            house.know(active=False)
            assert (await house.post("/api/events", ALERT)).status_code == 202
            assert len(house.stored) == 1

        told(story)

    def test_while_the_broker_is_away_an_unknown_key_is_not_denied(self) -> None:
        async def story(house: House) -> None:
            house.faults.freeze()
            answer = await house.post("/api/events", ALERT)
            assert (answer.status_code, answer.json()["code"]) == (503, "UNAVAILABLE")

        told(story)


DEEP = b'{"integrationKey": "' + KEY.encode() + b'", "customDetails": ' + b"[" * 10_000 + b"]" * 10_000 + b"}"
BAD = [
    ("not JSON", b"{", 400),
    ("no object", b"[1]", 400),
    ("null", b"null", 400),
    ("NUL", json.dumps(ALERT | {"summary": "a\x00b"}).encode(), 400),
    ("half a surrogate", json.dumps(ALERT | {"summary": "\ud800"}).encode(), 400),
    ("not UTF-8", b'{"integrationKey": "\xff"}', 400),
    ("deep", DEEP, 400),
    ("10 MB", b'{"summary": "' + b"x" * 10_000_000 + b'"}', 413),
    ("wrong type", json.dumps(ALERT | {"severity": "SEV1"}).encode(), 400),
    ("no type", json.dumps({"integrationKey": KEY, "summary": "x"}).encode(), 400),
    ("empty", b"", 400),
]


class TestBadInput:
    @pytest.mark.parametrize(
        ("body", "status"), [(body, status) for _, body, status in BAD], ids=[bad[0] for bad in BAD]
    )
    def test_it_is_a_4xx_with_status_message_and_code_and_nothing_is_stored(self, body: bytes, status: int) -> None:
        async def story(house: House) -> None:
            house.know()
            answer = await house.post("/api/events", body)
            assert answer.status_code == status
            assert set(answer.json()) == {"status", "message", "code"}
            assert answer.json()["status"] == status
            assert house.stored == []

        told(story)

    def test_the_field_is_named(self) -> None:
        async def story(house: House) -> None:
            house.know()
            answer = await house.post("/api/events", ALERT | {"severity": 9})
            assert answer.json() == {
                "status": 400,
                "message": "severity: must be at most 5",
                "code": "VALIDATION_ERROR",
            }

        told(story)

    def test_another_content_type_a_wrong_method_and_an_unknown_path(self) -> None:
        async def story(house: House) -> None:
            house.know()
            wrong = await house.post("/api/events", ALERT, **{"content-type": "application/xml"})
            assert (wrong.status_code, wrong.json()["code"]) == (415, "UNSUPPORTED_MEDIA_TYPE")
            read = await house.client.get("/api/events")
            assert (read.status_code, read.json()["code"]) == (405, "METHOD_NOT_ALLOWED")
            lost = await house.post(f"/api/v1/events/telex/{KEY}", {})
            assert (lost.status_code, lost.json()["code"]) == (404, "NOT_FOUND")

        told(story)


class TestRepeats:
    def test_a_sender_who_names_its_event_names_the_same_signal_again(self) -> None:
        async def story(house: House) -> None:
            house.know()
            for _ in range(2):
                await house.post("/api/events", ALERT, **{"idempotency-key": "e-1"})
            await house.post("/api/events", ALERT, **{"idempotency-key": "e-2"})
            first, second, other = (signal.signal for signal in house.stored)
            assert first == second != other

        told(story)

    def test_a_structured_cloudevent_is_unwrapped_and_its_id_taken(self) -> None:
        async def story(house: House) -> None:
            house.know()
            event = {"specversion": "1.0", "id": "7", "source": "/x", "type": "t", "data": ALERT}
            headers = {"content-type": "application/cloudevents+json"}
            answers = [await house.post("/api/events", event, **headers) for _ in range(2)]
            assert [answer.status_code for answer in answers] == [202, 202]
            assert len({signal.signal for signal in house.stored}) == 1
            empty = await house.post("/api/events", event | {"data": None}, **headers)
            assert empty.status_code == 400

        told(story)


class TestHonesty:
    def test_a_frozen_broker_is_told_within_a_second_and_every_2xx_is_stored(self) -> None:
        async def story(house: House) -> None:
            house.know()
            await house.post("/api/events", ALERT)
            house.faults.freeze()
            asked = [asyncio.ensure_future(_at(house, number)) for number in range(400)]
            await asyncio.sleep(7)
            house.faults.thaw()
            answers = await asyncio.gather(*asked)
            busy = [number for number, status, code, took in answers if code == "BROKER_BUSY"]
            doubt = [number for number, status, code, took in answers if code == "IN_DOUBT"]
            assert len(busy) + len(doubt) == 400
            assert all(took == 0 for _, _, code, took in answers if code == "BROKER_BUSY")
            assert all(number * 0.005 > 0.3 for number in busy)
            assert max(doubt) * 0.005 <= 1
            assert all(took <= 5.1 for _, _, _, took in answers)
            await house.broker.producer.send([])
            await asyncio.sleep(1)
            stored = {json.loads(signal.body)["alertKey"] for signal in house.stored}
            assert stored <= {"k"} | {f"n{number}" for number in doubt}

        told(story)

    def test_it_opens_again_by_itself(self) -> None:
        async def story(house: House) -> None:
            house.know()
            await house.post("/api/events", ALERT)
            house.faults.freeze()
            first = asyncio.ensure_future(house.post("/api/events", ALERT))
            await asyncio.sleep(0.4)
            assert (await house.post("/api/events", ALERT)).status_code == 503
            house.faults.thaw()
            assert (await first).status_code == 202
            assert (await house.post("/api/events", ALERT)).status_code == 202
            assert len(house.stored) == 3

        told(story)


async def _at(house: House, number: int) -> tuple[int, int, str, float]:
    """One request of 200 a second: its answer and how long it took."""
    loop = asyncio.get_running_loop()
    await asyncio.sleep(number * 0.005)
    since = loop.time()
    answer = await house.post("/api/events", ALERT | {"alertKey": f"n{number}"})
    return number, answer.status_code, answer.json().get("code", ""), loop.time() - since
