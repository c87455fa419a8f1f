"""The escalator's pages in a real browser: axe finds nothing, in light, dark and at 320 px, and nothing scrolls sideways."""

from collections.abc import Mapping
from typing import Any

import pytest
from playwright.sync_api import Browser

from tests.e2e.browser import Complaints, chromium, complaints
from tests.integration.escalator.duty_room import ADA, BOB, URL, DutyRoom, in_virtual_time
from tests.integration.escalator.test_escalator_api import LAYER, SCHEDULE
from tests.rendered import Answers, apart, flaws

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
def pages() -> Answers:
    """The pages as the shipped role renders them, by address; in a thread, for playwright's loop runs in this one."""
    return apart(in_virtual_time, _rendered)


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
def test_axe_finds_nothing(chromium: Browser, complaints: Complaints, pages: Answers, path: str) -> None:
    assert flaws(chromium, complaints, pages, URL + path) == []
