"""The pages of connectors in a real browser: axe finds nothing, in light, dark and at 320 px, and nothing scrolls sideways."""

from collections.abc import Mapping
from urllib.parse import parse_qs

import httpx
import pytest
from playwright.sync_api import Browser, Route, expect

from tests.e2e.browser import DESK, Complaints, chromium, complaints, opened
from tests.integration.connectors.house import DISK, NET, ROOT, URL, House, in_virtual_time
from tests.integration.connectors.test_pages import HOOK, JIRA
from tests.rendered import Answers, apart, flaws, serve

__all__ = ["chromium", "complaints"]

pytestmark = pytest.mark.browser
PATHS = (
    "/actions",
    "/actions/new",
    *(f"/actions/new?kind={kind}" for kind in ("webhook", "automation_rule")),
    "/actions/1",
    "/actions/1/edit",
    "/connectors",
    "/connectors/new",
    "/connectors/new?kind=jira",
    "/connectors/1",
    "/connectors/1/edit",
    "/fragments/alerts/42/actions",
)
TRIAL = "/connectors/new of a trial"
WRONG = (
    ("/actions/new", {**HOOK, "name": "", "params.headers": "no header", "alertSources.99": "true"}),
    ("/connectors/new", {**JIRA, "params.url": "jira", "params.password": ""}),
    ("/connectors/new", {**JIRA, "op": "test"}),
)


@pytest.fixture(scope="module")
def pages() -> Answers:
    """The pages as the shipped role renders them, by address; in a thread, for playwright's loop runs in this one."""
    return apart(in_virtual_time, _rendered)


async def _rendered(house: House) -> dict[str, tuple[str, Mapping[str, str]]]:
    house.tools["bus.example.org"] = lambda _request: httpx.Response(400, text="The bus is full, try it another time")
    house.team(4, ROOT)
    house.policy(3)
    house.service(11)
    house.service(12, "Sign-in")
    house.template(13)
    await house.open()
    found: dict[str, tuple[str, Mapping[str, str]]] = {}
    async with house.browses(ROOT) as browser:
        for path in ("/actions", "/connectors", "/actions/new?kind=slack"):
            found[_name(f"{path}#empty")] = _taken(await browser.get(path))
        await browser.post("/connectors/new", data=JIRA)
        await browser.post("/actions/new", data={**HOOK, f"alertSources.{NET}": "true", "teams.4": "true"})
        await browser.post("/actions/new", data={**HOOK, "name": "Restart the disk", "triggerMode": "MANUAL"})
        issue = {"connectorType": "jira", "connectorId": "1", "name": "Open an issue", "params.project": "OPS"}
        await browser.post("/actions/new", data={**HOOK, **issue})
        house.alert(42, DISK)
        await house.does(ROOT, "POST", "/alerts/42/actions", {"alertActionId": "2"})
        for path in PATHS:
            found[path] = _taken(await browser.get(path))
        for number, (path, form) in enumerate(WRONG):
            found[_name(f"{path}#wrong-{number}")] = _taken(
                await browser.post(path, data=form), 422 if number < 2 else 200
            )
        part = await browser.post("/connectors/new", data={**JIRA, "op": "test"}, headers={"HX-Request": "true"})
        found[TRIAL] = _taken(part)
        found[_name("/actions/1#secret")] = _taken(await browser.post("/actions/1/signing-secret"))
    return found


def _name(address: str) -> str:
    """A page of its own for each situation."""
    return address.replace("#", "&" if "?" in address else "?")


def _taken(answer: httpx.Response, status: int = 200) -> tuple[str, Mapping[str, str]]:
    assert answer.status_code == status, answer.url
    return answer.text, dict(answer.headers)


ADDRESSES = (
    *PATHS,
    *(_name(f"{path}#empty") for path in ("/actions", "/connectors", "/actions/new?kind=slack")),
    *(_name(f"{path}#wrong-{number}") for number, (path, _form) in enumerate(WRONG)),
    _name("/actions/1#secret"),
)


@pytest.mark.parametrize("path", ADDRESSES)
def test_axe_finds_nothing(chromium: Browser, complaints: Complaints, pages: Answers, path: str) -> None:
    assert flaws(chromium, complaints, pages, URL + path) == []


def test_a_trial_leaves_what_was_typed_where_it_is(chromium: Browser, complaints: Complaints, pages: Answers) -> None:
    """The answer takes its place in the form; the secret that was typed is still there to be saved."""
    sent: list[dict[str, list[str]]] = []

    def trial(route: Route) -> None:
        if route.request.method == "POST":
            sent.append(parse_qs(route.request.post_data or ""))
            route.fulfill(body=pages[TRIAL][0], headers={"Content-Type": "text/html; charset=utf-8"})
        else:
            route.fallback()

    with opened(chromium, complaints, DESK, "light", service_workers="block") as page:
        serve(page, pages)
        page.route("**/connectors/new*", trial)
        page.goto(f"{URL}/connectors/new?kind=jira")
        page.get_by_label("Address", exact=True).fill("https://jira.example.org")
        page.get_by_label("E-mail address").fill("bot@example.org")
        page.get_by_label("API token").fill("the-token")
        page.get_by_role("button", name="Test the connection").click()
        expect(page.locator("#trial")).to_contain_text("cannot be reached")
        expect(page.get_by_label("API token")).to_have_value("the-token")
        assert [(form["op"], form["params.password"]) for form in sent] == [(["test"], ["the-token"])]
    assert complaints.unexpected() == []
