"""The pages of incidents in a real browser: axe finds nothing, in light, dark and at 320 px, and nothing scrolls sideways."""

from collections.abc import Mapping

import pytest
from playwright.sync_api import Browser

from tests.e2e.browser import Complaints, chromium, complaints
from tests.integration.statuspage.house import ADA, BOB, URL, House, in_virtual_time
from tests.rendered import Answers, apart, flaws

__all__ = ["chromium", "complaints"]

pytestmark = pytest.mark.browser
PATHS = (
    "/incidents",
    "/incidents?state=RESOLVED",
    "/incidents?state=ALL&service=1",
    "/incidents/1",
    "/incidents/2",
    "/incidents/new?alert=42&summary=Disk%20full&service=1",
)
OTHERS = ("/incidents?nothing", "/incidents?calm", "/incidents/new?wrong", "/incidents/new?forecast")
LONG = "A service whose name is so long that it must be broken somewhere on a small screen"
MESSAGE = "**We** look into it.\n\n- first this\n- then that\n\n`" + "x" * 200 + "`"


@pytest.fixture(scope="module")
def pages() -> Answers:
    """The pages as the shipped role renders them, by address; in a thread, for playwright's loop runs in this one."""
    return apart(in_virtual_time, _rendered)


async def _rendered(house: House) -> Answers:
    house.team(4, ADA, BOB)
    await house.open()
    found: dict[str, tuple[str, Mapping[str, str]]] = {}
    async with house.browses(ADA) as browser:
        nothing = await browser.get("/incidents")
        found["/incidents?nothing"] = (nothing.text, dict(nothing.headers))
        shop = await house.makes("/services", {"name": "Shop"})
        calm = await browser.get("/incidents")
        found["/incidents?calm"] = (calm.text, dict(calm.headers))
        await _furnish(house, shop)
        for path in PATHS:
            answer = await browser.get(path)
            assert answer.status_code == 200, path
            found[path] = (answer.text, dict(answer.headers))
        wrong = await browser.post("/incidents/new", data={"summary": ""})
        found["/incidents/new?wrong"] = (wrong.text, dict(wrong.headers))
        asked = {"summary": "Slow", "op": "forecast", f"impact.{shop}": "DEGRADED", "sendNotification": "true"}
        forecast = await browser.post("/incidents/new", data=asked)
        found["/incidents/new?forecast"] = (forecast.text, dict(forecast.headers))
    return found


async def _furnish(house: House, shop: int) -> None:
    """One open incident with everything, and one that is over."""
    other = await house.makes("/services", {"name": LONG})
    await house.makes("/incident-templates", {"name": "Down", "summary": "Down", "message": "", "status": "IDENTIFIED"})
    page = {"name": "Shop status", "subdomain": "shop", "activated": True, "services": [{"id": shop}]}
    await house.makes("/status-pages", page)
    affected = [
        {"impact": "PARTIAL_OUTAGE", "service": {"id": shop}},
        {"impact": "MAJOR_OUTAGE", "service": {"id": other}},
    ]
    words = {"summary": "Checkout is slow", "message": MESSAGE, "sendNotification": True, "affectedServices": affected}
    first = await house.makes("/incidents", words)
    await house.does(ADA, "PUT", f"/incidents/{first}", words | {"status": "IDENTIFIED", "message": "It is the cache"})
    people = [{"id": ADA, "type": "USER"}, {"id": BOB, "type": "USER"}, {"id": 4, "type": "TEAM"}]
    await house.does(ADA, "POST", f"/incidents/{first}/private-subscribers", people)
    async with house.browses(ADA) as browser:
        await browser.post(f"/incidents/{first}/alerts", data={"alert": "42"})
    await house.makes("/incidents", words | {"status": "RESOLVED"})


@pytest.mark.parametrize("path", [*PATHS, *OTHERS])
def test_axe_finds_nothing(chromium: Browser, complaints: Complaints, pages: Answers, path: str) -> None:
    assert flaws(chromium, complaints, pages, URL + path) == []
