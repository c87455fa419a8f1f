"""The common look in a real browser, without the suite: the styleguide in light, dark and at 320 px; a list that lives."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest
from fastapi import FastAPI, Request, Response
from jinja2 import ChoiceLoader, DictLoader
from playwright.sync_api import Browser, Page, expect

from tests.e2e.browser import PHONE, Complaints, complaints, looks, opened, page
from tests.unit.web.serving import served
from web import assets, styleguide
from web.guards import install
from web.live import Hub
from web.pages import Pages, Viewer, environment

__all__ = ["complaints", "page"]

pytestmark = pytest.mark.browser

LIST = """{% extends "layout.html" %}{% set nav = "alerts" %}
{% block main %}<h1 tabindex="-1">Alerts</h1>{{ ui.live("/alerts/stream", after=position) }}
{% block list %}<div id="alerts" {{ ui.refresh("alerts", "/alerts") }}>
{% call(name) ui.table(["Alert"], names, caption="Open alerts") %}
<tr id="row-{{ name }}"><td data-label="Alert"><a href="/alerts/{{ name }}">{{ name }}</a></td></tr>
{% endcall %}</div>{% endblock %}{% endblock %}"""


@dataclass
class Site:
    """A service with one list, and its server in a thread of its own."""

    url: str = ""
    names: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    hub: Hub = field(default_factory=Hub)
    loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)
    refuses: bool = False  # the stream answers 503
    gives_position: bool = True

    def tell(self, name: str) -> None:
        """Another process decided: the list has one more, and the hub says so."""
        self.names.append(name)
        self.loop.call_soon_threadsafe(self.hub.publish, f"{name}@1", "alerts", {"id": name, "version": 1})

    def drop(self) -> None:
        """End every open stream, as a restart does."""
        self.loop.call_soon_threadsafe(self.hub.close)

    def app(self) -> FastAPI:
        env = environment("web")
        assert env.loader is not None
        env.loader = ChoiceLoader([DictLoader({"list.html": LIST}), env.loader])
        pages, app = Pages(env), FastAPI()
        install(app, pages=pages)
        app.include_router(styleguide.routes(pages))
        app.router.routes.extend(assets.static_routes())

        @app.get("/alerts")
        async def alerts(request: Request) -> Response:
            self.requests.append("list")
            position = self.hub.position if self.gives_position else ""
            return pages.render(
                request, "list.html", Viewer(1, "Ada"), block="list", names=self.names, position=position
            )

        @app.get("/alerts/stream")
        async def stream(request: Request) -> Response:
            self.requests.append("stream")
            return Response(status_code=503) if self.refuses else self.hub.response(request)

        @app.get("/fragments/on-call-badge")
        async def badge() -> Response:
            return Response('<a href="/on-call">You are on call until 18:00</a>', media_type="text/html")

        return app


@pytest.fixture
def site() -> Iterator[Site]:
    made = Site()
    ready, stop = threading.Event(), asyncio.Event()

    async def serve() -> None:
        async with served(made.app()) as made.url:
            ready.set()
            await stop.wait()

    def run() -> None:
        with asyncio.Runner(loop_factory=lambda: made.loop) as runner:
            runner.run(serve())

    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait(10)
    yield made
    made.loop.call_soon_threadsafe(stop.set)
    thread.join()


def test_the_styleguide_is_clean_for_axe_and_fits(site: Site, page: Page) -> None:
    page.goto(f"{site.url}/styleguide")
    expect(page.get_by_text("You are on call until 18:00")).to_be_visible()
    assert looks(page, "styleguide") == []


def test_what_can_be_pressed_is_large_enough_for_a_thumb(site: Site, chromium: Browser, complaints: Complaints) -> None:
    with opened(chromium, complaints, PHONE) as page:
        page.goto(f"{site.url}/styleguide")
        boxes = [
            button.bounding_box() for button in page.locator("button:visible, .button:visible, nav a:visible").all()
        ]
    assert len(boxes) > 8
    assert [box for box in boxes if box is None or box["height"] < 44 or box["width"] < 44] == []


def test_the_menu_and_the_dialog_open_without_javascript(site: Site, chromium: Browser, complaints: Complaints) -> None:
    with opened(chromium, complaints, PHONE, java_script_enabled=False) as page:
        page.goto(f"{site.url}/styleguide")
        schedules = page.get_by_role("link", name="Schedules")
        expect(schedules).to_be_hidden()
        page.get_by_role("button", name="Menu").click()
        expect(schedules).to_be_visible()
        page.keyboard.press("Escape")
        page.get_by_role("button", name="Delete", exact=True).click()
        expect(page.get_by_role("button", name="Delete it")).to_be_visible()


def test_a_skip_link_is_the_first_stop(site: Site, page: Page) -> None:
    page.goto(f"{site.url}/styleguide")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()


class TestALiveList:
    def opened(self, site: Site, page: Page) -> None:
        site.names.append("first")
        page.goto(f"{site.url}/alerts")
        expect(page.get_by_role("link", name="first")).to_be_visible()
        with_stream(site, page)

    def test_a_new_row_appears_within_a_second_and_the_page_is_not_loaded_again(self, site: Site, page: Page) -> None:
        self.opened(site, page)
        page.evaluate("window.sameDocument = true")
        site.tell("second")
        expect(page.get_by_role("link", name="second")).to_be_visible(timeout=1000)
        assert page.evaluate("window.sameDocument") is True

    def test_the_focus_stays_where_it_was(self, site: Site, page: Page) -> None:
        self.opened(site, page)
        page.get_by_role("link", name="first").focus()
        site.tell("second")
        expect(page.get_by_role("link", name="second")).to_be_visible()
        expect(page.get_by_role("link", name="first")).to_be_focused()

    def test_a_storm_is_fetched_a_few_times_and_nothing_is_missing(self, site: Site, page: Page) -> None:
        self.opened(site, page)
        before = site.requests.count("list")
        for number in range(50):
            site.tell(f"storm-{number}")
        expect(page.locator("tbody tr")).to_have_count(51)
        assert site.requests.count("list") - before <= 3

    def test_while_the_stream_is_open_nothing_is_asked(self, site: Site, page: Page) -> None:
        self.opened(site, page)
        site.requests.clear()
        page.wait_for_timeout(4000)  # longer than the trigger that heals a first failure
        assert site.requests == []

    def test_a_first_connection_that_fails_is_tried_again_and_said(
        self, site: Site, page: Page, complaints: Complaints
    ) -> None:
        complaints.allowed += ["503", "/alerts/stream", "htmx"]
        site.refuses = True
        page.goto(f"{site.url}/alerts")
        expect(page.get_by_text("Connection lost")).to_be_visible()
        site.refuses = False
        expect(page.get_by_text("Connection lost")).to_be_hidden(timeout=8000)
        site.tell("second")
        expect(page.get_by_role("link", name="second")).to_be_visible(timeout=1000)

    @pytest.mark.parametrize("gives_position", [True, False])
    def test_what_happened_between_the_page_and_its_stream_is_not_lost(
        self, site: Site, page: Page, complaints: Complaints, gives_position: bool
    ) -> None:
        complaints.allowed += ["503", "htmx"]
        site.refuses, site.gives_position = True, gives_position
        page.goto(f"{site.url}/alerts")
        expect(page.get_by_text("Connection lost")).to_be_visible()
        site.tell("meanwhile")
        site.refuses = False
        expect(page.get_by_role("link", name="meanwhile")).to_be_visible(timeout=8000)

    def test_what_happened_while_the_connection_was_lost_is_caught_up(self, site: Site, page: Page) -> None:
        self.opened(site, page)
        site.drop()
        site.tell("meanwhile")
        expect(page.get_by_role("link", name="meanwhile")).to_be_visible(timeout=5000)


def with_stream(site: Site, page: Page) -> None:
    """Until the page's stream is open: what is told before is not live."""
    for _ in range(500):
        if site.hub.open_streams:
            return
        page.wait_for_timeout(10)
    raise AssertionError("no stream was opened")
