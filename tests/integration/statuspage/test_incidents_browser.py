"""The pages of incidents in a real browser: axe finds nothing, in light, dark and at 320 px, and nothing scrolls sideways."""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Route

from tests.e2e.browser import DESK, PHONE, Complaints, Scheme, axe, chromium, complaints, opened, scrolls_sideways
from tests.integration.statuspage.house import ADA, BOB, URL, House, in_virtual_time
from web.assets import BUILD

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

Pages = Mapping[str, tuple[str, Mapping[str, str]]]


@pytest.fixture(scope="module")
def pages() -> Pages:
    """The pages as the shipped role renders them, by address; in a thread, for playwright's loop runs in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(in_virtual_time, _rendered).result()


async def _rendered(house: House) -> Pages:
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
def test_axe_finds_nothing(chromium: Browser, complaints: Complaints, pages: Pages, path: str) -> None:
    looks: tuple[tuple[tuple[int, int], Scheme], ...] = ((DESK, "light"), (DESK, "dark"), (PHONE, "light"))
    for size, scheme in looks:
        with opened(chromium, complaints, size, scheme, service_workers="block") as page:
            _serve(page, pages)
            page.goto(URL + path)
            assert axe(page) == []
            assert not scrolls_sideways(page)
    assert complaints.unexpected() == []


def _serve(page: Page, pages: Pages) -> None:
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
