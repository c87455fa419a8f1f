"""A process serves its roles, tells its health, ends cleanly, and does not outlive a part of it that died."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from importlib.metadata import EntryPoint
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route
from structlog.testing import capture_logs

from runtime import host as hosting
from runtime.host import CannotHost, Host, Plan, plan
from runtime.measured import Measured
from runtime.role import Background, Role
from runtime.settings import Settings


class Toy:
    """A part that is ready when it is told so, and whose background work can be made to die."""

    def __init__(self) -> None:
        self.story: list[str] = []
        self.waits: str | None = None
        self.dies = asyncio.Event()
        self.stops_when = asyncio.Event()
        self.stops_when.set()
        self.starts_when = asyncio.Event()
        self.starts_when.set()
        self._background = Background()

    async def start(self) -> None:
        await self.starts_when.wait()
        self.story.append("started")
        self._background.forever(self._live(), "toy")

    async def stop(self) -> None:
        await self.stops_when.wait()
        await self._background.stop()
        self.story.append("stopped")

    def ready(self) -> str | None:
        return self.waits

    async def _live(self) -> None:
        await self.dies.wait()
        raise ValueError("the toy broke")


def says(text: str) -> Starlette:
    async def answer(_request: Request) -> PlainTextResponse:
        return PlainTextResponse(text)

    return Starlette(routes=[Route("/{path:path}", answer)])


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


class Running:
    def __init__(self, host: Host, settings: Settings, ended: "asyncio.Future[int]") -> None:
        self.host, self.ended = host, ended
        self.ops = f"http://127.0.0.1:{settings.ops_port}"
        self.url = f"http://127.0.0.1:{settings.http_port}"
        self.http = httpx.AsyncClient(trust_env=False, timeout=10)

    async def get(self, url: str) -> httpx.Response:
        """Asked until somebody listens."""
        async with asyncio.timeout(10):
            while True:
                try:
                    return await self.http.get(url)
                except httpx.ConnectError:
                    await asyncio.sleep(0.01)


@asynccontextmanager
async def running(*roles: Role, http: Any = None) -> AsyncIterator[Running]:
    settings = Settings(http_port=free_port(), ops_port=free_port())
    host = Host(Plan(roles, http), settings)
    process = Running(host, settings, asyncio.ensure_future(host.run()))
    yield process
    host.stop("the test is over")
    await asyncio.wait_for(process.ended, 10)
    await process.http.aclose()


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(10):
        while not await condition():
            await asyncio.sleep(0.01)


async def test_it_serves_and_ends_cleanly() -> None:
    toy = Toy()
    async with running(Role("toy", [toy]), http=says("hello")) as process:
        assert (await process.get(process.url + "/any")).text == "hello"
        assert (await process.get(process.ops + "/healthz")).status_code == 200
        process.host.stop("SIGTERM")
        assert await asyncio.wait_for(process.ended, 5) == 0
        assert toy.story == ["started", "stopped"]
        with pytest.raises(httpx.ConnectError):
            await process.http.get(process.ops + "/healthz")


async def test_it_says_what_it_waits_for() -> None:
    toy, other = Toy(), Toy()
    toy.waits = "Kafka is away"
    async with running(Role("toy", [toy]), Role("other", [other])) as process:
        answer = await process.get(process.ops + "/readyz")
        assert answer.status_code == 503
        assert answer.json() == {"ready": False, "waits_for": {"toy": ["Kafka is away"]}}
        toy.waits = None
        answer = await process.get(process.ops + "/readyz")
        assert (answer.status_code, answer.json()) == (200, {"ready": True, "waits_for": {}})


async def test_http_comes_up_though_a_part_takes_its_time() -> None:
    slow = Toy()
    slow.starts_when.clear()
    async with running(Role("slow", [slow]), http=says("here")) as process:
        assert (await process.get(process.url)).text == "here"
        assert slow.story == []
        process.host.stop("SIGTERM")
        assert await asyncio.wait_for(process.ended, 5) == 0


async def test_background_work_that_dies_ends_the_process() -> None:
    toy = Toy()
    async with running(Role("toy", [toy])) as process:
        await process.get(process.ops + "/healthz")
        toy.dies.set()
        assert await asyncio.wait_for(process.ended, 5) == 1
        assert toy.story == ["started", "stopped"]


async def test_a_role_that_cannot_start_ends_the_process() -> None:
    class Broken(Toy):
        async def start(self) -> None:
            raise RuntimeError("no such thing")

    toy = Toy()
    async with running(Role("broken", [Broken()]), Role("toy", [toy])) as process:
        assert await asyncio.wait_for(process.ended, 5) == 1


async def test_a_part_that_does_not_stop_is_left() -> None:
    stuck = Toy()
    stuck.stops_when.clear()
    async with running(Role("stuck", [stuck])) as process:
        await process.get(process.ops + "/healthz")
        process.host.stop("SIGTERM")
        assert await asyncio.wait_for(process.ended, 5) == 0
        assert stuck.story == ["started"]


async def test_an_endless_answer_does_not_hold_the_process() -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"tick\n"
            await asyncio.sleep(0.05)

    async def answer(_request: Request) -> StreamingResponse:
        return StreamingResponse(endless())

    async with running(http=Starlette(routes=[Route("/", answer)])) as process:
        await process.get(process.ops + "/healthz")
        async with process.http.stream("GET", process.url) as stream:
            assert await anext(stream.aiter_bytes()) == b"tick\n"
            process.host.stop("SIGTERM")
            assert await asyncio.wait_for(process.ended, 5) == 0


async def test_a_taken_port_is_told_before_anything_starts() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        toy = Toy()
        host = Host(Plan([Role("toy", [toy])], says("x")), Settings(ops_port=free_port(), http_port=port))
        with capture_logs() as lines:
            assert await asyncio.wait_for(host.run(), 5) == 1
        assert toy.story == []
    assert [line["event"] for line in lines] == ["the process cannot listen"]
    assert f"127.0.0.1:{port}" in lines[0]["reason"]


async def test_its_health_is_told_where_the_setting_says() -> None:
    nobodys = "192.0.2.1"  # an address for documents: no machine has it
    settings = Settings(ops_host=nobodys, ops_port=free_port(), http_port=free_port())
    with capture_logs() as lines:
        assert await asyncio.wait_for(Host(Plan([], says("x")), settings).run(), 5) == 1
    assert f"{nobodys}:{settings.ops_port}" in lines[0]["reason"]


async def test_metrics_name_the_roles_and_the_requests() -> None:
    app = Measured("toy.web", says("x"))
    async with running(Role("toy.web", [Toy()]), http=app) as process:
        await process.get(process.url)
        text = (await process.get(process.ops + "/metrics")).text
        assert 'alarum_role_ready{role="toy.web"} 1.0' in text
        assert 'alarum_http_seconds_count{method="GET",role="toy.web",status="2xx"} 1.0' in text


def offered(monkeypatch: pytest.MonkeyPatch, **roles: str) -> None:
    names = {name.replace("_", "."): value for name, value in roles.items()}
    entries = {name: EntryPoint(name, value, "alarum.roles") for name, value in names.items()}
    monkeypatch.setattr(hosting, "known_roles", lambda: entries)


def web_role(_settings: Settings) -> Role:
    return Role("ingest.web", [], says("alerts"))


def gateway_role(_settings: Settings) -> Role:
    return Role("ingest.gateway", [], says("stored"))


def worker_role(_settings: Settings) -> Role:
    return Role("ingest.worker", [])


def unset_role(_settings: Settings) -> Role:
    raise ValueError("VAULT_KEYS is not set")


@pytest.fixture
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    here = __name__
    offered(
        monkeypatch,
        ingest_web=f"{here}:web_role",
        ingest_gateway=f"{here}:gateway_role",
        ingest_worker=f"{here}:worker_role",
        unset=f"{here}:unset_role",
    )


async def asked(app: Any, path: str) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test") as http:
        return await http.get(path)


@pytest.mark.usefixtures("toys")
class TestPlan:
    async def test_one_role_is_served_as_it_is(self) -> None:
        made = plan(["ingest.web"], Settings())
        assert [role.name for role in made.roles] == ["ingest.web"]
        assert (await asked(made.http, "/anything")).text == "alerts"

    def test_a_worker_has_no_http(self) -> None:
        assert plan(["ingest.worker"], Settings()).http is None

    async def test_several_are_told_apart_by_the_path_table(self) -> None:
        made = plan(["ingest.web", "ingest.gateway", "ingest.worker"], Settings())
        assert (await asked(made.http, "/alerts")).text == "alerts"
        assert (await asked(made.http, "/api/events")).text == "stored"
        assert (await asked(made.http, "/schedules")).status_code == 503

    async def test_a_router_knows_what_is_elsewhere(self) -> None:
        nobody = f"http://127.0.0.1:{free_port()}"
        made = plan(["router", "ingest.gateway"], Settings(upstreams=f"escalator.web={nobody}"))
        assert [role.name for role in made.roles] == ["ingest.gateway"]
        assert (await asked(made.http, "/api/events")).text == "stored"
        answer = await asked(made.http, "/api/schedules")
        assert (answer.status_code, answer.json()["code"]) == (503, "UNAVAILABLE")

    def test_an_unknown_role_is_refused_with_those_there_are(self) -> None:
        with pytest.raises(CannotHost, match="no role ingest.wbe; there are ingest.gateway, ingest.web"):
            plan(["ingest.wbe"], Settings())

    def test_a_missing_setting_is_named(self) -> None:
        with pytest.raises(CannotHost, match="unset: VAULT_KEYS is not set"):
            plan(["unset"], Settings())

    def test_a_role_named_twice_runs_once(self) -> None:
        assert len(plan(["ingest.web", "ingest.web"], Settings()).roles) == 1
