"""Calls over real sockets: pinned to what was checked, under the name that was asked for, never longer than allowed."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest

from connectors import outside as outsides
from connectors.outside import Away, Call, Outside
from connectors.targets import TargetRefused
from runtime.settings import Settings
from tests.authority import Authority
from tests.fakes.standing import standing

LOOPBACK = Settings(private_targets="127.0.0.0/8,::1/128")


class Names:
    """Answers with one address after the other, as somebody who rebinds a name would."""

    def __init__(self, *addresses: str) -> None:
        self.addresses, self.asked = list(addresses), 0

    async def resolve(self, _host: str, _port: int) -> Sequence[str]:
        self.asked += 1
        return [self.addresses.pop(0) if len(self.addresses) > 1 else self.addresses[0]]


def echo(request: httpx.Request) -> httpx.Response:
    said = {"host": request.headers["host"], "method": request.method, "body": request.content.decode()}
    return httpx.Response(200, json=said | {"agent": request.headers["user-agent"]})


async def test_the_address_that_was_checked_is_called_under_the_name_that_was_asked_for() -> None:
    names = Names("127.0.0.1", "10.0.0.1")
    with standing(echo) as url:
        port = httpx.URL(url).port
        out = Outside(LOOPBACK, resolve=names.resolve)
        answer = await out.call(Call("POST", f"http://hook.test:{port}/x", {}, b"hello"))
        await out.stop()
    assert answer.json() == {"host": f"hook.test:{port}", "method": "POST", "body": "hello", "agent": "Alarum"}
    assert names.asked == 1


async def test_a_redirect_is_resolved_and_checked_anew() -> None:
    with standing(lambda request: httpx.Response(307, headers={"Location": "http://inside.test/"})) as url:
        out = Outside(LOOPBACK, resolve=Names("127.0.0.1", "169.254.169.254").resolve)
        with pytest.raises(TargetRefused, match=r"169\.254\.169\.254"):
            await out.call(Call("POST", f"http://hook.test:{httpx.URL(url).port}/x", {}))


async def test_nobody_is_there() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}/"
        with pytest.raises(Away, match="cannot be reached"):
            await Outside(LOOPBACK).call(Call("GET", url, {}))


@pytest.mark.parametrize("says", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"])
async def test_who_answers_too_slowly_is_left(says: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outsides, "TIMEOUT_S", 0.4)
    done = asyncio.Event()

    async def slow(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(says)
        await done.wait()
        writer.close()

    server = await asyncio.start_server(slow, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    with pytest.raises(Away):
        await Outside(LOOPBACK).call(Call("GET", url, {}))
    done.set()
    server.close()


@pytest.mark.parametrize(
    "says", [b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"]
)
async def test_who_does_not_speak_http_is_away(says: bytes) -> None:
    async def rude(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(says)
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(rude, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    with pytest.raises(Away):
        await Outside(LOOPBACK).call(Call("GET", url, {}))
    server.close()


@contextmanager
def over_tls(certificate: Path) -> Iterator[int]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@pytest.mark.parametrize(("host", "is_good"), [("hook.test", True), ("other.test", False), ("127.0.0.1", False)])
async def test_a_certificate_is_checked_for_the_name_and_not_for_the_address(
    host: str, is_good: bool, tmp_path: Path
) -> None:
    authority = Authority(tmp_path)
    trusting = httpx.AsyncHTTPTransport(verify=ssl.create_default_context(cafile=str(authority.file)))
    out = Outside(LOOPBACK, trusting, Names("127.0.0.1").resolve)
    with over_tls(authority.certificate("hook.test")) as port:
        call = Call("GET", f"https://{host}:{port}/", {})
        if is_good:
            assert (await out.call(call)).status == 204
        else:
            with pytest.raises(Away, match=r"(?i)certificate"):
                await out.call(call)


async def test_the_systems_own_proxies_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    with standing(echo) as url:
        assert (await Outside(LOOPBACK).call(Call("GET", f"{url}/x", {}))).status == 200
