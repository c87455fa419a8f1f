"""A tired person with a phone: sign in, see the alert appear by itself, open it, accept it."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.browser import complaints, looks, page
from tests.e2e.suite import Suite

__all__ = ["complaints", "page"]

pytestmark = pytest.mark.browser

WITHIN_MS = 30_000


@pytest.fixture(scope="module")
def key(suite: Suite) -> str:
    """The key of a source whose alerts wake nobody for long."""
    user = suite.user("browsing")
    policy = suite.policy("Browsing", {"users": [{"id": user["id"]}], "escalationTimeout": 500})
    return str(suite.source("Browsing", policy["id"])["integrationKey"])


def sign_in(suite: Suite, page: Page) -> None:
    page.goto(f"{suite.url}/alerts")
    expect(page).to_have_url(re.compile("/sign-in"))
    page.get_by_label("E-mail").fill(suite.settings["DEMO_EMAIL"])
    page.get_by_label("Password").fill(suite.settings["DEMO_PASSWORD"])
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(re.compile(r"/alerts$"))
    page.wait_for_load_state("load")


def test_an_alert_appears_by_itself_and_is_accepted(suite: Suite, page: Page, key: str) -> None:
    sign_in(suite, page)
    page.evaluate("window.isStillTheSamePage = true")
    suite.event(key, summary="Appears by itself", alertKey="live-1")
    row = page.get_by_role("link", name="Appears by itself")
    expect(row).to_be_visible(timeout=WITHIN_MS)
    assert page.evaluate("window.isStillTheSamePage === true"), "the page was not loaded again"

    row.click()
    expect(page.get_by_role("heading", name="Appears by itself")).to_be_visible()
    page.get_by_role("button", name="Accept").first.click()
    expect(page.locator("main").get_by_text("Accepted").first).to_be_visible(timeout=WITHIN_MS)


def test_no_request_runs_by_the_clock_while_the_stream_is_open(suite: Suite, page: Page, key: str) -> None:
    sign_in(suite, page)
    suite.event(key, summary="The stream is open", alertKey="live-2")
    expect(page.get_by_role("link", name="The stream is open")).to_be_visible(timeout=WITHIN_MS)
    page.wait_for_load_state("load")
    page.wait_for_timeout(1_500)  # what the last event asked for is over; from here on only a clock could ask
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.wait_for_timeout(5_000)  # silence itself is what is looked at
    assert requests == []


def test_every_page_is_clean_for_axe_and_fits(suite: Suite, page: Page, key: str) -> None:
    suite.event(key, summary="Looked at", alertKey="looked-at", details="**Bold** words")
    sign_in(suite, page)
    expect(page.get_by_role("link", name="Looked at")).to_be_visible(timeout=WITHIN_MS)
    page.get_by_role("link", name="Looked at").first.click()
    expect(page.get_by_role("heading", name="Looked at")).to_be_visible()
    found = {"alert": looks(page, "alert")}
    for path in ("alerts", "on-call", "schedules", "policies", "sources", "users", "teams", "me", "styleguide"):
        page.goto(f"{suite.url}/{path}")
        found[path] = looks(page, path)
    assert {path: wrong for path, wrong in found.items() if wrong} == {}
