"""The pages of services, templates and maintenance in a real browser: axe finds nothing, in light, dark and at 320 px."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest
from playwright.sync_api import Browser

from events.ingest import SourceChanged
from tests.e2e.browser import Complaints, chromium, complaints
from tests.integration.statuspage.house import ADA, BOB, URL, House, in_virtual_time
from tests.rendered import Answers, apart, flaws

__all__ = ["chromium", "complaints"]

pytestmark = pytest.mark.browser
PATHS = (
    "/services",
    "/services/1",
    "/services/1/edit",
    "/services/new",
    "/templates",
    "/templates/1",
    "/templates/new",
    "/maintenance",
    "/maintenance?state=CLOSED",
    "/maintenance/1",
    "/maintenance/1/edit",
    "/maintenance/new",
)
WRONG: dict[str, dict[str, str]] = {
    "/services/new": {"name": "", "alias": "checkout"},
    "/templates/new": {"name": "", "summary": "{{nothing}}"},
    "/maintenance/new": {"summary": "", "timezone": "Mars", "start": "", "end": "", "services.99": "true"},
}
EVERY = [*PATHS, *(f"{path}?wrong" for path in WRONG), "/services?empty", "/templates?empty", "/maintenance?empty"]


@pytest.fixture(scope="module")
def pages() -> Answers:
    """The pages as the shipped role renders them, by address; in a thread, for playwright's loop runs in this one."""
    return apart(in_virtual_time, _rendered)


async def _rendered(house: House) -> Answers:
    house.team(4, ADA, BOB)
    house.says(SourceChanged(source=5, name="Disks", key_digest="0", key_cell="c", at=house.now))
    await house.open()
    found: dict[str, tuple[str, Mapping[str, str]]] = {}
    async with house.browses(ADA) as browser:
        for path in ("/services", "/templates", "/maintenance"):
            empty = await browser.get(path)
            found[f"{path}?empty"] = (empty.text, dict(empty.headers))
    await _furnish(house)
    async with house.browses(ADA) as browser:
        for path in PATHS:
            answer = await browser.get(path)
            assert answer.status_code == 200, path
            found[path] = (answer.text, dict(answer.headers))
        for path, form in WRONG.items():
            wrong = await browser.post(path, data=form)
            assert wrong.status_code == 422, path
            found[f"{path}?wrong"] = (wrong.text, dict(wrong.headers))
    return found


async def _furnish(house: House) -> None:
    """A service in trouble and one that is well, a template, a window that runs, one that is coming and one that is over."""
    checkout: dict[str, Any] = {"name": "Checkout", "alias": "checkout", "description": "Carts *and* payment"}
    service = await house.makes("/services", checkout | {"teams": [{"id": 4}], "status": "PARTIAL_OUTAGE"})
    await house.makes("/services", {"name": "Search for everything that anybody ever bought in our shops"})
    template = {"name": "Outage", "summary": "{{alertSummary}} in {{serviceName}}", "message": "We look at it"}
    await house.makes("/incident-templates", template)
    affected = [{"impact": "MAJOR_OUTAGE", "service": {"id": service}}]
    await house.makes("/incidents", {"summary": "Carts are lost", "affectedServices": affected})

    def window(start: float, end: float) -> dict[str, Any]:
        times = {"start": house.now + timedelta(minutes=start), "end": house.now + timedelta(minutes=end)}
        told = {"atStart": True, "atEnd": True}
        about = {"services": [{"id": service}], "alertSources": [{"id": 5}], "notifications": told}
        spoken = {name: at.isoformat() for name, at in times.items()}
        return {"summary": "New disks", "description": "- slow\n- slower", **about, **spoken}

    await house.makes("/maintenance-windows", window(-5, 60))
    await house.makes("/maintenance-windows", window(60, 90))
    await house.makes("/maintenance-windows", window(-5, 1))
    await house.passes(minutes=2)


@pytest.mark.parametrize("path", EVERY)
def test_axe_finds_nothing(chromium: Browser, complaints: Complaints, pages: Answers, path: str) -> None:
    assert flaws(chromium, complaints, pages, URL + path) == []
