"""The escalator's pages in a real browser: axe finds nothing, in light, dark and at 320 px, and nothing scrolls sideways."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Route

from tests.e2e.browser import DESK, PHONE, Complaints, Scheme, axe, chromium, complaints, opened, scrolls_sideways
from tests.integration.escalator.duty_room import ADA, BOB, URL, DutyRoom, in_virtual_time
from tests.integration.escalator.test_escalator_api import LAYER, SCHEDULE
from web.assets import BUILD

__all__ = ["chromium", "complaints"]

pytestmark = pytest.mark.browser
PATHS = (
    "/on-call",
    "/schedules",
    "/schedules/1?week=2026-03-25",
    "/schedules/1/edit",
    "/schedules/new?type=STATIC",
    "/policies",
    "/policies/1",
    "/policies/1/edit",
    "/policies/new",
)


@pytest.fixture(scope="module")
def pages() -> Mapping[str, tuple[str, Mapping[str, str]]]:
    """The pages as the shipped role renders them, by address; in a thread, for playwright's loop runs in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(in_virtual_time, _rendered).result()


async def _rendered(room: DutyRoom) -> dict[str, tuple[str, Mapping[str, str]]]:
    room.team(4, ADA, BOB)
    await room.open()
    layers = [{**LAYER, "restrictions": []}, LAYER]
    schedule = await room.makes("/schedules", {**SCHEDULE, "scheduleLayers": layers, "teams": [{"id": 4}]})
    override = {"user": {"id": ADA}, "start": "2026-03-24T08:00:00Z", "end": "2026-03-24T20:00:00Z"}
    await room.does(ADA, "PUT", f"/schedules/{schedule}/overrides", override)
    rules: list[dict[str, Any]] = [
        {"escalationTimeout": 5, "schedules": [{"id": schedule}]},
        {"escalationTimeout": 5},
        {"escalationTimeout": 15, "users": [{"id": ADA}], "teams": [{"id": 4}]},
    ]
    body = {"name": "Primary", "escalationRules": rules, "repeating": True, "frequency": 2, "routingKey": "db"}
    await room.makes("/escalation-policies", body)
    found: dict[str, tuple[str, Mapping[str, str]]] = {}
    for path in PATHS:
        async with room.browses(ADA) as browser:
            answer = await browser.get(path)
        assert answer.status_code == 200, path
        found[path] = (answer.text, dict(answer.headers))
    async with room.browses(ADA) as browser:
        wrong = await browser.post("/policies/new", data={"name": "", "escalationRules.0.escalationTimeout": "soon"})
    found["/policies/new?wrong"] = (wrong.text, dict(wrong.headers))
    return found


@pytest.mark.parametrize("path", [*PATHS, "/policies/new?wrong"])
def test_axe_finds_nothing(
    chromium: Browser, complaints: Complaints, pages: Mapping[str, tuple[str, Mapping[str, str]]], path: str
) -> None:
    looks: tuple[tuple[tuple[int, int], Scheme], ...] = ((DESK, "light"), (DESK, "dark"), (PHONE, "light"))
    for size, scheme in looks:
        with opened(chromium, complaints, size, scheme, service_workers="block") as page:
            _serve(page, pages)
            page.goto(URL + path)
            assert axe(page) == []
            assert not scrolls_sideways(page)
    assert complaints.unexpected() == []


def _serve(page: Page, pages: Mapping[str, tuple[str, Mapping[str, str]]]) -> None:
    """What was rendered, and the bundle's files; fragments of others are empty."""

    def answer(route: Route) -> None:
        address = urlsplit(route.request.url)
        here = address.path + (f"?{address.query}" if address.query else "")
        if here in pages:
            html, headers = pages[here]
            policy = {name: headers[name] for name in headers if name == "content-security-policy"}
            route.fulfill(body=html, headers={"Content-Type": "text/html; charset=utf-8", **policy})
        elif address.path.startswith("/static/"):
            route.fulfill(path=BUILD / address.path.removeprefix("/static/"))
        else:
            route.fulfill(status=204)

    page.route("**/*", answer)
