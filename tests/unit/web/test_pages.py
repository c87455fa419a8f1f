"""What a page is made of: the whole or a part, the look, the viewer's zone and language, what was typed."""

from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request, Response
from jinja2 import ChoiceLoader, DictLoader, UndefinedError

from web import assets, styleguide
from web.guards import ApiError, install
from web.pages import Pages, Viewer, environment

BROWSER = {"accept": "text/html"}
HTMX = {"hx-request": "true"}
ADA = Viewer(7, "Ada", zone="Europe/Berlin")
LIST = """{% extends "layout.html" %}{% set nav = "alerts" %}{% block title %}{{ _("Alerts") }}{% endblock %}
{% block main %}<h1>{{ _("Alerts") }}</h1>{% block list %}<ul id="list">{% for name in names %}<li>{{ name }} {{ ui.state("PENDING") }}</li>
{% endfor %}</ul>{% endblock %}{% endblock %}"""
WHEN = """{% extends "bare.html" %}{% block main %}{{ ui.time(at) }}{% endblock %}"""


@pytest.fixture(autouse=True)
def built(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A bundle of our own files, so that these tests need no npm."""
    modules = tmp_path_factory.mktemp("node_modules")
    for file in sum(assets.VENDORED.values(), ()):
        (modules / file).parent.mkdir(parents=True, exist_ok=True)
        (modules / file).write_text("/* somebody else's */")
    target = tmp_path_factory.mktemp("build")
    monkeypatch.setattr(assets, "BUILD", target)
    assets.build(modules, target=target)
    yield
    assets.bundle.cache_clear()


@pytest.fixture
def pages() -> Pages:
    env = environment("web")
    assert env.loader is not None
    env.loader = ChoiceLoader([DictLoader({"list.html": LIST, "when.html": WHEN}), env.loader])
    return Pages(env)


@pytest.fixture
async def http(pages: Pages) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    install(app, pages=pages)
    app.include_router(styleguide.routes(pages))

    @app.get("/alerts")
    async def alerts(request: Request) -> Response:
        return pages.render(request, "list.html", ADA, block="list", names=["<db-1>"])

    @app.get("/when")
    async def when(request: Request, zone: str = "UTC", locale: str = "en") -> Response:
        at = datetime(2026, 10, 25, 1, 30, 12, tzinfo=UTC)
        return pages.render(request, "when.html", Viewer(1, "Ada", zone=zone, locale=locale), at=at)

    @app.get("/missing")
    async def missing(request: Request) -> Response:
        return pages.render(request, "list.html", ADA)

    @app.post("/accept")
    async def accept(request: Request) -> Response:
        return pages.redirect(request, "/alerts", flash="Accepted; «now» & here")

    @app.get("/refused")
    @app.get("/api/refused")
    async def refused() -> None:
        raise ApiError(404, "NOT_FOUND", "There is no alert <42>")

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://127.0.0.1") as client:
        yield client


class TestTheWholeAndThePart:
    async def test_a_browser_gets_the_whole_page(self, http: httpx.AsyncClient) -> None:
        page = (await http.get("/alerts", headers=BROWSER)).text
        assert page.startswith("<!doctype html>")
        assert "<title>Alerts · Alarum</title>" in page
        assert '<a href="/alerts" aria-current="page">Alerts</a>' in page

    async def test_htmx_gets_the_block_with_its_components(self, http: httpx.AsyncClient) -> None:
        part = (await http.get("/alerts", headers=HTMX)).text
        assert part.startswith('<ul id="list">')
        assert "Pending" in part
        assert "<html" not in part

    async def test_htmx_gets_the_whole_where_it_replaces_the_whole(self, http: httpx.AsyncClient) -> None:
        assert "<html" in (await http.get("/alerts", headers={**HTMX, "hx-request-type": "full"})).text

    async def test_neither_is_stored_nor_taken_for_the_other(self, http: httpx.AsyncClient) -> None:
        headers = (await http.get("/alerts", headers=HTMX)).headers
        assert headers["cache-control"] == "no-store"
        assert "HX-Request" in headers["vary"]

    async def test_values_are_escaped(self, http: httpx.AsyncClient) -> None:
        page = (await http.get("/alerts")).text
        assert "&lt;db-1&gt;" in page
        assert "<db-1>" not in page

    async def test_a_missing_value_is_an_error_and_not_a_gap(self, http: httpx.AsyncClient, pages: Pages) -> None:
        assert (await http.get("/missing")).status_code == 500
        with pytest.raises(UndefinedError):
            pages.env.from_string("{{ nobody_gave_this }}").render()


class TestSafety:
    async def test_only_our_own_scripts_and_styles_run(self, http: httpx.AsyncClient) -> None:
        policy = (await http.get("/alerts")).headers["content-security-policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
        assert "unsafe" not in policy

    async def test_no_component_needs_what_the_policy_refuses(self, http: httpx.AsyncClient) -> None:
        page = (await http.get("/styleguide")).text
        for refused in (" style=", "hx-on", "js:", "javascript:", "<script>", " onclick="):
            assert refused not in page

    async def test_markdown_does_no_harm(self, http: httpx.AsyncClient) -> None:
        assert "<script>alert" not in (await http.get("/styleguide")).text


class TestTimes:
    @pytest.mark.parametrize(
        ("zone", "short", "exact"),
        [
            ("UTC", "25 Oct, 01:30", "Sun 25 Oct 2026, 01:30:12 UTC"),
            ("Europe/Berlin", "25 Oct, 02:30 CET", "Sun 25 Oct 2026, 02:30:12 CET"),
            ("America/New_York", "24 Oct, 21:30", "Sat 24 Oct 2026, 21:30:12 EDT"),
            ("America/Sao_Paulo", "24 Oct, 22:30", "Sat 24 Oct 2026, 22:30:12 UTC-03"),
            ("Nowhere/Land", "25 Oct, 01:30", "Sun 25 Oct 2026, 01:30:12 UTC"),
        ],
    )
    async def test_they_are_in_the_viewers_zone_and_say_it(
        self, http: httpx.AsyncClient, zone: str, short: str, exact: str
    ) -> None:
        page = (await http.get("/when", params={"zone": zone})).text
        assert f">{short}</time>" in page
        assert f'title="{exact}"' in page
        assert 'datetime="2026-10-25T01:30:12+00:00"' in page

    @pytest.mark.parametrize("locale", ["xx", "de_AT", "../etc", "*", "en-GB"])
    async def test_any_language_is_answered(self, http: httpx.AsyncClient, locale: str) -> None:
        assert (await http.get("/when", params={"locale": locale})).status_code == 200


class TestAfterAnAction:
    async def test_the_next_page_says_once_what_happened(self, http: httpx.AsyncClient) -> None:
        answer = await http.post("/accept")
        assert (answer.status_code, answer.headers["location"]) == (303, "/alerts")
        assert "Accepted; «now» &amp; here" in (await http.get("/alerts")).text
        assert "Accepted" not in (await http.get("/alerts")).text

    async def test_a_part_does_not_use_it_up(self, http: httpx.AsyncClient) -> None:
        await http.post("/accept")
        await http.get("/alerts", headers=HTMX)
        assert "Accepted" in (await http.get("/alerts")).text

    async def test_htmx_is_told_where_to_go(self, http: httpx.AsyncClient) -> None:
        answer = await http.post("/accept", headers=HTMX)
        assert (answer.status_code, answer.headers["hx-redirect"]) == (200, "/alerts")


class TestProblems:
    async def test_a_browser_sees_a_page(self, http: httpx.AsyncClient) -> None:
        answer = await http.get("/refused", headers=BROWSER)
        assert answer.status_code == 404
        assert "There is no alert &lt;42&gt;" in answer.text
        assert "There is nothing here" in answer.text

    async def test_htmx_gets_a_toast_and_leaves_the_list_alone(self, http: httpx.AsyncClient) -> None:
        answer = await http.get("/refused", headers=HTMX)
        assert (answer.status_code, answer.headers["hx-retarget"]) == (404, "#toasts")
        assert answer.text.strip().startswith('<div class="toast bad">')

    async def test_a_program_gets_json(self, http: httpx.AsyncClient) -> None:
        expected: dict[str, Any] = {"status": 404, "message": "There is no alert <42>", "code": "NOT_FOUND"}
        assert (await http.get("/refused")).json() == expected
        assert (await http.get("/api/refused", headers=BROWSER)).json() == expected

    async def test_a_bug_is_a_page_too(self, http: httpx.AsyncClient) -> None:
        answer = await http.get("/missing", headers=BROWSER)
        assert answer.status_code == 500
        assert answer.headers["x-request-id"] in answer.text
        assert "content-security-policy" in answer.headers
