"""One door for the suite: who answers, what is handed on, and what happens when somebody is away."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.unit.web.serving import closed_port, served
from web.guards import install
from web.live import Hub
from web.router import Router, upstreams_of

Routed = Callable[..., Awaitable[httpx.AsyncClient]]


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with what it was asked."""
    request = Request(scope, receive)
    headers = [[name.decode(), value.decode()] for name, value in scope["headers"]]
    said: dict[str, Any] = {
        "method": request.method,
        "raw_path": scope["raw_path"].decode(),
        "query": scope["query_string"].decode(),
        "headers": headers,
        "body": (await request.body()).decode("latin-1"),
    }
    answer = JSONResponse(said, 207, headers={"X-Own": "kept", "Connection": "X-Private", "X-Private": "dropped"})
    answer.headers.append("set-cookie", "a=1")
    answer.headers.append("set-cookie", "b=2")
    await answer(scope, receive, send)


async def echo_length(request: Request) -> int:
    return len(await request.body())


def named(name: str) -> ASGIApp:
    return Response(name, media_type="text/plain")


@pytest.fixture
async def routed() -> AsyncIterator[Routed]:
    """`await routed(local, upstreams)`: a client of a router behind a real server."""
    async with AsyncExitStack() as stack:

        async def route(local: dict[str, ASGIApp], upstreams: dict[str, ASGIApp | str]) -> httpx.AsyncClient:
            urls = {
                role: app if isinstance(app, str) else await stack.enter_async_context(served(app))
                for role, app in upstreams.items()
            }
            router = await stack.enter_async_context(Router(local, urls))
            base = await stack.enter_async_context(served(router))
            return await stack.enter_async_context(httpx.AsyncClient(base_url=base, trust_env=False, timeout=10))

        yield route


def header(answer: httpx.Response, name: str) -> list[str]:
    return [value for key, value in answer.json()["headers"] if key == name]


class TestWhoAnswers:
    async def test_the_role_of_the_path_does_be_it_here_or_elsewhere(self, routed: Routed) -> None:
        http = await routed({"ingest.web": named("here")}, {"accounts.web": named("there")})
        assert (await http.get("/alerts")).text == "here"
        assert (await http.get("/users")).text == "there"

    async def test_what_nobody_serves_is_not_found(self, routed: Routed) -> None:
        http = await routed({}, {})
        answer = await http.get("/nothing")
        assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")

    async def test_a_browser_gets_a_page_where_nothing_is(self, routed: Routed) -> None:
        http = await routed({}, {})
        answer = await http.get("/nothing", headers={"Accept": "text/html"})
        assert (answer.status_code, answer.headers["content-type"]) == (404, "text/html; charset=utf-8")
        assert "There is nothing here" in answer.text

    async def test_a_role_that_runs_nowhere_is_unavailable(self, routed: Routed) -> None:
        answer = await (await routed({}, {})).get("/api/users")
        assert (answer.status_code, answer.json()["code"]) == (503, "UNAVAILABLE")


class TestWhatIsHandedOn:
    async def test_the_raw_path_and_the_query_as_they_came(self, routed: Routed) -> None:
        http = await routed({}, {"ingest.gateway": echo})
        answer = await http.get(httpx.URL("/api/v1/events/x", raw_path=b"/api/v1/events/srv%2Fmail01%20/a+b?q=%2f&q=1"))
        assert answer.json()["raw_path"] == "/api/v1/events/srv%2Fmail01%20/a+b"
        assert answer.json()["query"] == "q=%2f&q=1"

    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
    async def test_method_and_body(self, routed: Routed, method: str) -> None:
        http = await routed({}, {"accounts.web": echo})
        answer = await http.request(method, "/api/users/1", content=b"body")
        assert (answer.status_code, answer.json()["method"], answer.json()["body"]) == (207, method, "body")
        assert header(answer, "content-length") == ["4"]

    async def test_a_body_of_unknown_length(self, routed: Routed) -> None:
        async def chunks() -> AsyncIterator[bytes]:
            for letter in b"abc":
                yield bytes([letter]) * 1000

        http = await routed({}, {"accounts.web": echo})
        answer = await http.post("/api/users", content=chunks())
        assert answer.json()["body"] == "a" * 1000 + "b" * 1000 + "c" * 1000

    async def test_a_large_body_and_answer(self, routed: Routed) -> None:
        http = await routed({}, {"accounts.web": echo})
        answer = await http.post("/api/users", content=b"x" * 3_000_000)
        assert len(answer.json()["body"]) == 3_000_000

    async def test_a_post_without_a_body(self, routed: Routed) -> None:
        http = await routed({}, {"ingest.web": echo})
        answer = await http.post("/api/alerts/1/accept")
        assert (answer.status_code, answer.json()["body"]) == (207, "")

    async def test_the_callers_host_and_where_it_came_from(self, routed: Routed) -> None:
        http = await routed({}, {"accounts.web": echo})
        answer = await http.get("/users", headers={"host": "alarum.example.org"})
        assert header(answer, "host") == ["alarum.example.org"]
        assert header(answer, "x-forwarded-host") == ["alarum.example.org"]
        assert header(answer, "x-forwarded-proto") == ["http"]
        assert header(answer, "x-forwarded-for") == ["127.0.0.1"]

    async def test_what_a_caller_claims_of_itself_is_not_believed(self, routed: Routed) -> None:
        http = await routed({}, {"accounts.web": echo})
        answer = await http.get("/users", headers={"x-forwarded-proto": "https", "x-forwarded-for": "10.0.0.1"})
        assert header(answer, "x-forwarded-proto") == ["http"]
        assert header(answer, "x-forwarded-for") == ["127.0.0.1"]

    async def test_nothing_that_concerns_one_connection_only(self, routed: Routed) -> None:
        http = await routed({}, {"accounts.web": echo})
        answer = await http.get(
            "/users", headers={"connection": "close, x-hop", "x-hop": "1", "te": "trailers", "x-end": "2"}
        )
        assert (header(answer, "x-hop"), header(answer, "te"), header(answer, "x-end")) == ([], [], ["2"])
        assert answer.headers["x-own"] == "kept"
        assert "x-private" not in answer.headers

    async def test_every_cookie_of_the_answer(self, routed: Routed) -> None:
        http = await routed({}, {"accounts.web": echo})
        assert (await http.get("/users")).headers.get_list("set-cookie") == ["a=1", "b=2"]

    async def test_redirects_are_the_callers_to_follow(self, routed: Routed) -> None:
        http = await routed({}, {"accounts.web": Response(status_code=303, headers={"location": "/alerts"})})
        answer = await http.get("/sign-in")
        assert (answer.status_code, answer.headers["location"]) == (303, "/alerts")


class TestStreams:
    async def test_events_arrive_one_by_one(self, routed: Routed) -> None:
        hub, app = Hub(), FastAPI()
        app.add_api_route("/on-call/stream", hub.response, response_class=Response)
        http = await routed({}, {"escalator.web": app})
        async with http.stream("GET", "/on-call/stream") as answer:
            frames = answer.aiter_text()
            assert (await anext(frames)).startswith("id: ")
            for number in range(3):
                hub.publish(f"s@{number}", "shift", {"id": number})
                assert json.dumps({"id": number}, separators=(",", ":")) in await anext(frames)

    async def test_when_the_client_goes_the_upstream_is_left(self, routed: Routed) -> None:
        hub, app = Hub(), FastAPI()
        app.add_api_route("/on-call/stream", hub.response, response_class=Response)
        http = await routed({}, {"escalator.web": app})
        async with http.stream("GET", "/on-call/stream") as answer:
            await anext(answer.aiter_text())
            assert hub.open_streams == 1
        async with asyncio.timeout(5):
            while hub.open_streams:
                await asyncio.sleep(0.01)

    async def test_a_hub_that_closes_ends_them(self, routed: Routed) -> None:
        hub, app = Hub(), FastAPI()
        app.add_api_route("/on-call/stream", hub.response, response_class=Response)
        http = await routed({}, {"escalator.web": app})
        async with http.stream("GET", "/on-call/stream") as answer:
            frames = answer.aiter_text()
            await anext(frames)
            hub.close()
            assert [frame async for frame in frames] == []


class TestTooLong:
    @pytest.mark.parametrize("is_local", [True, False])
    @pytest.mark.parametrize("is_declared", [True, False])
    async def test_ten_megabytes_get_their_refusal_and_no_reset(
        self, routed: Routed, is_local: bool, is_declared: bool
    ) -> None:
        async def chunks() -> AsyncIterator[bytes]:
            for _ in range(160):
                yield b"x" * 65536

        app = FastAPI()
        app.add_api_route("/api/users", echo_length, methods=["POST"])
        install(app)
        http = await (routed({"accounts.web": app}, {}) if is_local else routed({}, {"accounts.web": app}))
        body = b"x" * 160 * 65536 if is_declared else chunks()
        answer = await http.post("/api/users", content=body, headers={"content-type": "application/json"})
        assert (answer.status_code, answer.json()["code"]) == (413, "PAYLOAD_TOO_LARGE")


class TestSomebodyIsAway:
    async def test_nobody_listens(self, routed: Routed) -> None:
        http = await routed({}, {"accounts.web": f"http://127.0.0.1:{closed_port()}"})
        answer = await http.post("/api/users", json={})
        assert (answer.status_code, answer.json()["code"]) == (503, "UNAVAILABLE")
        assert answer.headers["retry-after"] == "2"

    async def test_the_answer_breaks_off_before_it_began(self, routed: Routed) -> None:
        async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readline()
            writer.close()

        async with await asyncio.start_server(hang_up, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            http = await routed({}, {"accounts.web": f"http://127.0.0.1:{port}"})
            answer = await http.get("/api/users")
        assert (answer.status_code, answer.json()["code"]) == (502, "BAD_GATEWAY")

    async def test_an_answer_torn_in_the_middle_is_torn_for_the_caller_too(self, routed: Routed) -> None:
        async def tear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readline()
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
            await writer.drain()
            writer.close()

        async with await asyncio.start_server(tear, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            http = await routed({}, {"accounts.web": f"http://127.0.0.1:{port}"})
            with pytest.raises(httpx.RemoteProtocolError):
                await http.get("/api/users")

    async def test_others_are_served_all_the_same(self, routed: Routed) -> None:
        away = f"http://127.0.0.1:{closed_port()}"
        http = await routed({"ingest.web": named("here")}, {"accounts.web": away})
        assert (await http.get("/users")).status_code == 503
        assert (await http.get("/alerts")).text == "here"

    async def test_an_upstream_that_answers_without_reading_the_body_is_heard(self, routed: Routed) -> None:
        async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
            await JSONResponse({"code": "PAYLOAD_TOO_LARGE"}, 413)(scope, receive, send)

        http = await routed({}, {"accounts.web": refuse})
        assert (await http.post("/api/users", content=b"x" * 1000)).status_code == 413


class TestUpstreams:
    def test_the_setting_is_read(self) -> None:
        setting = "accounts.web=http://127.0.0.1:9001, notifier.web=https://n.example.org:1"
        assert upstreams_of(setting) == {
            "accounts.web": "http://127.0.0.1:9001",
            "notifier.web": "https://n.example.org:1",
        }
        assert upstreams_of("") == {}

    @pytest.mark.parametrize("setting", ["accounts.web", "=http://x", "accounts.web=127.0.0.1:1"])
    def test_nonsense_is_refused_at_start(self, setting: str) -> None:
        with pytest.raises(ValueError, match="UPSTREAMS"):
            upstreams_of(setting)
