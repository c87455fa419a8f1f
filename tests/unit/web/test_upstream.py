"""The router's connections to other processes: what goes over them byte by byte, when they are used again, and how they break."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import httpx
import pytest
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.unit.web.serving import served
from web.router import Router

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

YES = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes"


class Other:
    """A server that speaks word by word what a test gives it, and remembers what it heard."""

    def __init__(self, *answers: bytes, closes: bool = False) -> None:
        self.answers, self.closes = list(answers), closes
        self.connections = 0
        self.heard: list[bytes] = []

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while self.answers:
                self.heard.append(await self._request(reader))
                writer.write(self.answers.pop(0))
                await writer.drain()
                if self.closes:
                    break
        except asyncio.IncompleteReadError:
            pass
        finally:
            writer.close()

    async def _request(self, reader: asyncio.StreamReader) -> bytes:
        head = await reader.readuntil(b"\r\n\r\n")
        if b"transfer-encoding: chunked" in head:
            return head + await reader.readuntil(b"0\r\n\r\n")
        lengths = [line for line in head.split(b"\r\n") if line.startswith(b"content-length:")]
        return head + await reader.readexactly(int(lengths[0].split()[1]) if lengths else 0)


@asynccontextmanager
async def before(talk: Talk) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a router before this server."""
    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with (
            Router({}, {"accounts.web": url}) as router,
            served(router) as base,
            httpx.AsyncClient(base_url=base, trust_env=False, timeout=10) as http,
        ):
            yield http


async def test_a_connection_is_used_again() -> None:
    other = Other(YES, YES, YES)
    async with before(other.talk) as http:
        for _ in range(3):
            assert (await http.get("/api/users")).text == "yes"
    assert other.connections == 1


async def test_one_that_was_closed_meanwhile_is_not() -> None:
    other = Other(YES, YES, closes=True)
    async with before(other.talk) as http:
        assert (await http.get("/api/users")).text == "yes"
        await asyncio.sleep(0.05)
        assert (await http.get("/api/users")).text == "yes"
    assert other.connections == 2


async def test_one_that_its_server_will_not_keep_is_not() -> None:
    last = b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nConnection: close\r\n\r\nyes"
    other = Other(last, last)
    async with before(other.talk) as http:
        assert (await http.get("/api/users")).text == "yes"
        assert (await http.get("/api/users")).text == "yes"
    assert other.connections == 2


async def test_one_on_which_an_answer_came_twice_is_not_and_the_first_one_counts() -> None:
    other = Other(YES + b"HTTP/1.1 408 Too Slow\r\nContent-Length: 0\r\n\r\n", YES)
    async with before(other.talk) as http:
        first = await http.get("/api/users")
        assert (first.status_code, first.text) == (200, "yes")
        assert (await http.get("/api/users")).text == "yes"
    assert other.connections == 2


async def test_many_at_once_get_their_own_answers() -> None:
    async def late(scope: Scope, receive: Receive, send: Send) -> None:
        body = scope["query_string"]
        await asyncio.sleep(0.001 * (int(body) % 7))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
        await send({"type": "http.response.body", "body": body})

    async with _routed(late) as http:
        answers = await asyncio.gather(*(http.get(f"/api/users?{number}") for number in range(60)))
    assert [answer.text for answer in answers] == [str(number) for number in range(60)]


@asynccontextmanager
async def _routed(app: ASGIApp) -> AsyncIterator[httpx.AsyncClient]:
    async with served(app) as url, Router({}, {"accounts.web": url}) as router, served(router) as base:
        limits = httpx.Limits(max_connections=20)
        async with httpx.AsyncClient(base_url=base, trust_env=False, timeout=10, limits=limits) as http:
            yield http


async def test_an_answer_to_head_has_a_length_and_no_body() -> None:
    other = Other(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n", YES)
    async with before(other.talk) as http:
        answer = await http.head("/api/users")
        assert (answer.status_code, answer.headers["content-length"], answer.content) == (200, "1000", b"")
        assert (await http.get("/api/users")).text == "yes"


@pytest.mark.parametrize("status", [204, 304])
async def test_what_has_no_body_by_its_status_ends_at_once(status: int) -> None:
    other = Other(b"HTTP/1.1 %d Nothing\r\n\r\n" % status, YES)
    async with before(other.talk) as http:
        assert (await http.get("/api/users")).status_code == status
        assert (await http.get("/api/users")).text == "yes"
    assert other.connections == 1


async def test_an_answer_without_a_length_ends_with_its_connection() -> None:
    other = Other(b"HTTP/1.1 200 OK\r\n\r\nall of it", closes=True)
    async with before(other.talk) as http:
        assert (await http.get("/api/users")).text == "all of it"


async def test_go_on_is_not_taken_for_the_answer() -> None:
    other = Other(b"HTTP/1.1 100 Continue\r\n\r\n" + YES)
    async with before(other.talk) as http:
        assert (await http.post("/api/users", content=b"x", headers={"expect": "100-continue"})).text == "yes"
    assert b"expect" not in other.heard[0].lower()


async def test_an_answer_in_chunks_arrives_whole() -> None:
    other = Other(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nyes\r\n2\r\n, \r\n5\r\nagain\r\n0\r\n\r\n"
    )
    async with before(other.talk) as http:
        assert (await http.get("/api/users")).text == "yes, again"


async def test_who_takes_an_answer_slowly_gets_all_of_it() -> None:
    size = 8_000_000
    other = Other(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size)
    async with before(other.talk) as http, http.stream("GET", "/api/users") as answer:
        taken = 0
        async for chunk in answer.aiter_raw():
            taken += len(chunk)
            await asyncio.sleep(0)
    assert taken == size


async def test_a_length_that_is_said_to_concern_one_connection_only_is_replaced() -> None:
    other = Other(YES)
    async with before(other.talk) as http:
        headers = {"connection": "content-length"}
        assert (await http.post("/api/users", content=b"body", headers=headers)).text == "yes"
    assert b"content-length" not in other.heard[0].lower().partition(b"\r\n\r\n")[0].replace(b"connection:", b"")
    assert other.heard[0].endswith(b"\r\n\r\n4\r\nbody\r\n0\r\n\r\n")


async def test_no_http_is_a_bad_gateway() -> None:
    other = Other(b"220 mail.example.org ESMTP\r\n")
    async with before(other.talk) as http:
        answer = await http.get("/api/users")
    assert (answer.status_code, answer.json()["code"]) == (502, "BAD_GATEWAY")


async def test_an_answer_in_the_middle_of_the_body_is_heard() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 Too Long\r\nContent-Length: 2\r\n\r\nno")
        await writer.drain()
        await reader.read()
        writer.close()

    async with before(refuse) as http:
        answer = await http.post("/api/users", content=b"x" * 3_000_000)
    assert (answer.status_code, answer.text) == (413, "no")
