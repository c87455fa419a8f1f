"""Ingest's pages in a real browser: axe finds nothing, in light, dark and at 320 px, nothing scrolls sideways; others' parts come and stay away."""

import asyncio
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
from playwright.sync_api import Browser, Route, expect

from events.accounts import Role as Rank
from events.connectors import ActionConfigured, ActionFailed, ActionSucceeded
from events.escalator import PolicyChanged, Rule, Target
from events.shared import Actor
from events.statuspage import IncidentCreated, MaintenanceChanged, ServiceChanged
from ingest.migrations import MIGRATIONS
from runtime.migrate import migrate_database
from tests.backend import Backend
from tests.e2e.browser import Complaints, chromium, complaints, looks, opened
from tests.integration.ingest.test_web import ADA, T0, House, _later, eventually
from tests.rendered import Answers, apart, serve

__all__ = ["chromium", "complaints"]

pytestmark = pytest.mark.browser

URL = "http://127.0.0.1:8080"
NEWCOMER, HALFWAY, ALERT, SOURCE, SOURCES = "/alerts", "/alerts?halfway", "/alerts/1", "/sources/1", "/sources"
NAMES = {NEWCOMER: "newcomer", HALFWAY: "halfway", ALERT: "alert", SOURCE: "source", SOURCES: "sources"}
BUTTONS = (
    "<section><h2>Actions</h2><form method=post action=/actions/1/run/1><button>Restart it</button></form></section>"
)


@pytest.fixture(scope="module")
def pages(backend: Backend) -> Answers:
    """The pages as the shipped role renders them, by address; before playwright's loop begins, and in a thread of their own."""
    return apart(asyncio.run, _on_a_database(backend))


async def _on_a_database(backend: Backend) -> Answers:
    await backend.heal()
    name = f"t_{secrets.token_hex(4)}"
    connection = await asyncpg.connect(backend.dsn)
    try:
        await connection.execute(f"create database {name}")
        return await _rendered(urlsplit(backend.dsn)._replace(path=f"/{name}").geturl())
    finally:
        await connection.execute(f"drop database {name} with (force)")
        await connection.close()


async def _rendered(dsn: str) -> Answers:
    await migrate_database(dsn, "ingest", MIGRATIONS)
    house = House(dsn)
    house.person(ADA, "Ada", Rank.ADMIN)
    await house.start()
    try:
        return await _walk(house)
    finally:
        await house.stop()


async def _walk(house: House) -> Answers:
    found: dict[str, tuple[str, Mapping[str, str]]] = {}

    async def keep(path: str, name: str = "") -> None:
        answer = await house.page(path)
        assert answer.status_code == 200, path
        found[name or path] = (answer.text, dict(answer.headers))

    await keep(NEWCOMER)
    rule = Rule(targets=(Target(user=ADA),), timeout_min=5)
    house.say(
        PolicyChanged(policy=3, name="Nights", rules=(rule,), at=T0),
        ActionConfigured(action=1, name="Restart it", type="webhook", at=T0),
        ServiceChanged(service=1, name="Shop", at=T0),
    )

    async def ticked() -> bool:
        return (await house.page("/alerts")).text.count("Done") == 4

    source = await eventually(lambda: _source(house))
    assert await eventually(ticked)
    await keep(NEWCOMER, HALFWAY)
    number = await house.alert(source["id"], alertKey="K", details="**Disk** full")
    run: dict[str, Any] = {"alert": number, "run": 1, "action": 1, "name": "Ticket", "type": "jira", "at": T0}
    house.say(
        ActionSucceeded(text="SHOP-7 was opened", link="https://jira.example.org/SHOP-7", **run),
        ActionFailed(error="403 you shall not " + "x" * 200, **(run | {"run": 2})),
        IncidentCreated(
            incident=3, summary="Shop down", alert=number, began_at=T0, by=Actor.by_user(ADA, "web"), at=T0
        ),
        MaintenanceChanged(
            maintenance=4, summary="New disks", start=T0, end=_later(hours=2), sources=(source["id"],), at=T0
        ),
    )

    async def told() -> bool:
        return "Shop down" in (await house.page(ALERT)).text and "New disks" in (await house.page(SOURCE)).text

    assert await eventually(told)
    for path in (ALERT, SOURCE, SOURCES):
        await keep(path)
    return found


async def _source(house: House) -> Any:
    """Once the policy is known."""
    body = {"name": "Shop", "integrationType": "API", "escalationPolicy": {"id": 3}}
    headers = {"authorization": f"Bearer il1api{ADA:032}"}
    made = await house.api.post("/api/alert-sources", json=body, headers=headers)
    return made.json() if made.status_code == 201 else None


def test_axe_finds_nothing_and_others_parts_come_or_stay_away(
    pages: Answers, chromium: Browser, complaints: Complaints
) -> None:
    complaints.allowed.append("503")
    for path, name in NAMES.items():
        with opened(chromium, complaints, service_workers="block") as page:
            serve(page, pages, _others)
            page.goto(URL + path)
            if path == ALERT:
                expect(page.get_by_role("button", name="Restart it")).to_be_visible()
                expect(page.locator("#part-incidents > :not(noscript)")).to_have_count(0)
            assert looks(page, f"ingest-{name}") == [], path
    assert complaints.unexpected() == []


def _others(route: Route, path: str) -> bool:
    """Connectors shows a button, statuspage is away."""
    if path.endswith("/actions"):
        route.fulfill(body=BUTTONS, headers={"Content-Type": "text/html; charset=utf-8"})
    elif path.endswith("/incidents"):
        route.fulfill(status=503)
    else:
        return False
    return True
