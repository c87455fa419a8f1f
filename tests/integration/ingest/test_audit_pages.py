"""What people and programs read of the books, on a real Postgres; the suite's own event that nobody sees, and the call outside."""

import asyncio
import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import httpx
from pydantic import SecretStr

from events.core import Event
from events.envelope import Envelope, decode, encode
from events.ingest import AlertCreated, AlertResolved, SignalReceived
from events.machinery import SYNTHETIC, BooksBalanced, BooksUnbalanced
from events.notifier import NotificationSent
from events.shared import Actor
from ingest import synthetic
from ingest.app import shell_of
from ingest.audit import Auditor, Checks, Told
from ingest.audit_lines import Look
from ingest.gateway import Gateway
from ingest.keys import Keys
from runtime.broker_memory import MemoryBroker
from runtime.clock import SystemClock
from runtime.ports import Message
from runtime.settings import Settings
from tests.integration.ingest.test_web import BOB, T0, House, eventually, house

__all__ = ["house"]

SECRET = "sixteen characters"


def say_in(house: House, topic: str, *events: Event) -> None:
    """What a service's machinery says in its quiet topic."""
    for event in events:
        version = house._versions[event.stream] = house._versions.get(event.stream, 0) + 1
        house.cluster.write([Message(topic, event.key, encode(Envelope(event, event.stream, version, "other")))])


def said(house: House, *topics: str) -> list[Envelope]:
    return [
        decode(record.value)
        for topic in topics or ("signals.v1", "alerts.v1")
        for record in house.cluster.records(topic)
        if record.value
    ]


async def missing_of(house: House, service: str) -> list[str]:
    books = await house.call("GET", "/api/audit", 200)
    return [one for account in books["accounts"] if account["service"] == service for one in account["missing"]]


async def test_administrators_read_what_is_missing_and_nobody_else(house: House) -> None:
    await house.call("GET", "/api/audit", 403, user=BOB)
    books = await house.call("GET", "/api/audit", 200)
    assert books["balanced"]
    assert {one["reader"] for one in books["readers"]} >= {"ingest.worker", "escalator.worker", "notifier.worker"}
    head = {"service": "escalator", "account": "heads", "at": T0}
    say_in(house, "oncall.v1", BooksUnbalanced(**head, missing=("escalation-4",), number=1, text="Streams stand"))

    async def told() -> Any:
        return await missing_of(house, "escalator") == ["escalation-4"]

    await eventually(told)
    page = await house.page("/audit")
    assert page.status_code == 200
    assert "escalation-4" in page.text
    assert "Something is missing" in page.text
    assert (await house.page("/audit", BOB)).status_code == 403

    async def alert(state: str) -> Any:
        return await house.call("GET", "/api/alerts", 200, states=state)

    async def raised() -> Any:
        return [one for one in await alert("PENDING") if "«heads»" in one["summary"]]

    await eventually(raised)
    say_in(house, "oncall.v1", BooksBalanced(**head))

    async def over() -> Any:
        return not await missing_of(house, "escalator") and await alert("RESOLVED")

    await eventually(over)
    assert "The books balance" in (await house.page("/audit")).text


async def test_the_suites_own_event_goes_the_whole_way_and_no_list_shows_it(house: House) -> None:
    broker = MemoryBroker(house.cluster)
    own = synthetic.source(SECRET)
    gateway = Gateway(Keys(own), _nothing, lambda: broker.producer, SystemClock(), "http://127.0.0.1:8080")

    async def reads() -> Any:
        """The auditor of a new suite begins at the end: it has said where, once it has a line."""
        books = await house.call("GET", "/api/audit", 200)
        return next(one for one in books["readers"] if one["reader"] == "ingest.worker").get("handledUntil")

    await eventually(reads)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(gateway.app()), base_url="http://gateway") as tool:
        body = synthetic.body(synthetic.key_of(SECRET), datetime.now(UTC))
        assert (await tool.post("/api/events", json=body)).status_code == 202
        assert (await tool.post("/api/events", json=body | {"integrationKey": "another"})).status_code == 403

    async def created() -> Any:
        return [one.event for one in said(house, "alerts.v1") if isinstance(one.event, AlertCreated)]

    [alert] = await eventually(created)
    assert (alert.source, alert.policy, alert.responders) == (SYNTHETIC, None, (SYNTHETIC,))
    assert synthetic.key_of(SECRET) not in json.dumps([one.event.model_dump(mode="json") for one in said(house)])
    house.say(NotificationSent(alert=alert.alert, user=SYNTHETIC, notification=1, message=1, at=datetime.now(UTC)))

    async def resolved() -> Any:
        return [one for one in said(house, "alerts.v1") if isinstance(one.event, AlertResolved)]

    await eventually(resolved)
    assert await house.call("GET", "/api/alerts", 200) == []
    assert (await house.call("GET", "/api/alerts/count", 200))["count"] == 0
    await house.call("GET", f"/api/alerts/{alert.alert}", 404)

    async def measured() -> Any:
        return (await house.call("GET", "/api/audit", 200))["check"].get("seconds")

    assert await eventually(measured) > 0


async def test_the_call_outside_is_made_while_all_is_well_and_not_a_moment_longer(house: House) -> None:
    heard: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        heard.append(str(request.url))
        taken = {"alertUrl": "http://127.0.0.1:8080/alerts", "signal": "s", "responseCode": "EVENT_ACCEPTED"}
        return httpx.Response(202, json=taken)

    settings = Settings(synthetic_every_s=0.05, deadman_url=SecretStr("https://watch.example/ping"))
    shell = shell_of(settings, house.ledgers[0], MemoryBroker(house.cluster), SystemClock())
    auditor = Auditor(shell, Told())
    checks = Checks(shell, auditor, httpx.AsyncClient(transport=httpx.MockTransport(answer)))
    await checks.start()
    try:
        await _until(lambda: len(heard) >= 2)
        assert all(url.endswith("/api/events") for url in heard), "nothing has come through yet"
        _come_through(auditor)
        assert checks.is_well()
        await _until(lambda: _kept_well(auditor) and "https://watch.example/ping" in heard)
        auditor.board.missing = {"signals": ("s1",)}
        assert not checks.is_well()
        auditor.board.missing = {}
        auditor.told.unbalanced["escalator", "heads"] = BooksUnbalanced(
            service="escalator", account="heads", missing=("x",), number=1, text="", at=T0
        )
        assert not checks.is_well()
    finally:
        await checks.stop()


def _come_through(auditor: Auditor) -> None:
    """A check came through this very moment, and the auditor has just looked."""
    now = datetime.now(UTC)
    trips = auditor.board.trips
    trips.take(SignalReceived(signal="c", source=SYNTHETIC, integration="api", body="{}", at=now))
    trips.take(AlertCreated(alert=1, source=SYNTHETIC, summary="c", signal="c", by=Actor.by_source(SYNTHETIC), at=now))
    trips.take(NotificationSent(alert=1, user=SYNTHETIC, notification=1, message=1, at=now))
    auditor.board.looked_at = Look(now, {}).at


def _kept_well(auditor: Auditor) -> bool:
    _come_through(auditor)
    return True


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.01)


async def _nothing() -> None:
    """There is nothing to catch up with."""
