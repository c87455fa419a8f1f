"""One door for the suite: in comes any request, out goes the answer of the role that the path table names, here or
elsewhere.

A local role is called as the ASGI app that it is; a role of another process is reached over HTTP, streaming both ways.
The raw path is handed on as it came: `%2F` in an alias is part of a segment and not a separator.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Iterable, Mapping
from types import TracebackType
from typing import Final
from urllib.parse import urlsplit

import httpx
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web.errors import ProblemPages, error_json, wants_page
from web.pages import Pages, environment
from web.paths import role_of

log = logging.getLogger("web.router")

CONNECT_S: Final = 2.0
READ_S: Final = 60.0  # streams are pinged every 15 s: who is silent for so long is dead
HOP_BY_HOP: Final = frozenset({
    b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection", b"te", b"trailer",
    b"transfer-encoding", b"upgrade",
})  # fmt: skip
FORWARDED: Final = frozenset({b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"forwarded"})

RawHeaders = list[tuple[bytes, bytes]]


class Router:
    """An ASGI app. `local` maps roles of this process to their apps, `upstreams` all others to base URLs.

    `trust_forwarded` believes the X-Forwarded-* of whoever connects: only behind a proxy of one's own. Local apps' life
    cycles are their owner's to drive; close the router (or use it as a context manager) to end its connections.
    """

    def __init__(
        self,
        local: Mapping[str, ASGIApp],
        upstreams: Mapping[str, str] | None = None,
        *,
        pages: ProblemPages | None = None,
        trust_forwarded: bool = False,
    ) -> None:
        self._local = dict(local)
        self._upstreams = {role: httpx.URL(url) for role, url in (upstreams or {}).items()}
        self._pages: ProblemPages = pages or Pages(environment("web"))
        self._trust_forwarded = trust_forwarded
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=64)
        timeout = httpx.Timeout(READ_S, connect=CONNECT_S, pool=CONNECT_S)
        self._client = httpx.AsyncClient(limits=limits, timeout=timeout, follow_redirects=False, trust_env=False)

    async def __aenter__(self) -> "Router":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        await self._client.aclose()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope["type"]:
            case "http":
                await self._http(scope, receive, send)
            case "lifespan":
                await self._lifespan(receive, send)
            case _:
                await send({"type": "websocket.close", "code": 1003})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        role = role_of(_raw_path(scope))
        if role in self._local:
            await self._local[role](scope, receive, send)
        elif role is None:
            refusal = self._refusal(scope, 404, "NOT_FOUND", f"There is nothing at {scope['path']}")
            await refusal(scope, receive, send)
        elif role in self._upstreams:
            await self._proxy(role, scope, receive, send)
        else:
            refusal = self._refusal(scope, 503, "UNAVAILABLE", f"{role} is not part of this installation")
            await refusal(scope, receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _proxy(self, role: str, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = _Exchange(receive, send)
        request = self._request(role, scope, exchange.body())
        try:
            await exchange.run(self._client, request)
        except httpx.HTTPError as error:
            log.warning("upstream failed", extra={"role": role, "error": repr(error)})
            if exchange.started:  # the status is out: only a torn connection can say that the rest is missing
                raise
            await self._unanswered(role, error, scope)(scope, receive, send)

    def _request(self, role: str, scope: Scope, body: AsyncIterator[bytes]) -> httpx.Request:
        base = self._upstreams[role]
        target = base.raw_path.rstrip(b"/") + _raw_path(scope).encode("latin-1")
        if scope["query_string"]:
            target += b"?" + scope["query_string"]
        headers = _onward(scope, self._trust_forwarded)
        content = body if _has_body(Headers(scope=scope)) else None
        request = httpx.Request(scope["method"], base, headers=headers, content=content)
        request.headers = httpx.Headers(_framed(headers, request.headers))
        # httpx would quote the path anew: the extension sends the bytes as they are
        request.extensions["target"] = target
        return request

    def _unanswered(self, role: str, error: httpx.HTTPError, scope: Scope) -> Response:
        """503 while nothing was handed over (a retry is safe), 504 or 502 when the upstream may have acted."""
        match error:
            case httpx.ConnectError() | httpx.ConnectTimeout() | httpx.PoolTimeout():
                return self._refusal(
                    scope, 503, "UNAVAILABLE", f"{role} cannot be reached; try again in a moment", {"Retry-After": "2"}
                )
            case httpx.TimeoutException():
                return self._refusal(
                    scope, 504, "TIMED_OUT", f"{role} did not answer in time; the request may have been carried out"
                )
            case _:
                return self._refusal(
                    scope, 502, "BAD_GATEWAY", f"{role} broke off its answer; the request may have been carried out"
                )

    def _refusal(
        self, scope: Scope, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
    ) -> Response:
        request = Request(scope)
        if wants_page(request):
            return self._pages.problem(request, status, message)
        return error_json(status, code, message, headers)


class _Exchange:
    """One request on its way: its body upstream, the answer back; when the client goes away, the upstream's connection
    is closed.
    """

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self._sent = asyncio.Event()
        self.started = False

    async def run(self, client: httpx.AsyncClient, request: httpx.Request) -> None:
        """Raises httpx.HTTPError when the upstream fails."""
        if request.headers.get("content-length", "0") == "0" and "transfer-encoding" not in request.headers:
            self._sent.set()
        answering = asyncio.create_task(self._answer(client, request))
        leaving = asyncio.create_task(self._left())
        try:
            await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _stop(leaving)
            gone = not answering.done()
            await _stop(answering)
        if not gone:
            answering.result()

    async def body(self) -> AsyncIterator[bytes]:
        more = True
        while more:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise httpx.ReadError("the client went away")
            more = message.get("more_body", False)
            if message.get("body"):
                yield message["body"]
        self._sent.set()

    async def _answer(self, client: httpx.AsyncClient, request: httpx.Request) -> None:
        response = await client.send(request, stream=True)
        try:
            await self._begin(response)
            async for chunk in response.aiter_raw():
                await self._send({"type": "http.response.body", "body": chunk, "more_body": True})
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            await response.aclose()

    async def _begin(self, response: httpx.Response) -> None:
        self.started = True
        headers = _end_to_end(response.headers.raw)
        await self._send({"type": "http.response.start", "status": response.status_code, "headers": headers})

    async def _left(self) -> None:
        """Returns when the client is gone. Listens only once the body was read: there is one `receive` for both."""
        await self._sent.wait()
        message: Message = {"type": ""}
        while message["type"] != "http.disconnect":
            message = await self._receive()


async def _stop(task: "asyncio.Task[None]") -> None:
    if not task.done():
        task.cancel()
        await asyncio.wait({task})


def _raw_path(scope: Scope) -> str:
    raw: bytes = scope.get("raw_path") or scope["path"].encode()
    return raw.partition(b"?")[0].decode("latin-1")


def _has_body(headers: Headers) -> bool:
    return headers.get("content-length", "0") != "0" or "transfer-encoding" in headers


def _onward(scope: Scope, trust_forwarded: bool) -> RawHeaders:
    """What the upstream is told: the caller's headers, its Host too (origins are compared with it), and where it came
    from.
    """
    kept = [pair for pair in _end_to_end(scope["headers"]) if trust_forwarded or pair[0] not in FORWARDED]
    said = {name for name, _ in kept}
    client = scope.get("client") or ("unknown", 0)
    host = next((value for name, value in kept if name == b"host"), b"")
    ours = (
        (b"x-forwarded-proto", scope["scheme"].encode()),
        (b"x-forwarded-host", host),
        (b"x-forwarded-for", client[0].encode()),
    )
    return [*kept, *((name, value) for name, value in ours if name not in said)]


def _framed(headers: RawHeaders, framing: httpx.Headers) -> RawHeaders:
    """Our headers and nothing that httpx adds, but chunked transfer where the length is not known."""
    if "transfer-encoding" in framing and not any(name == b"content-length" for name, _ in headers):
        return [*headers, (b"Transfer-Encoding", b"chunked")]
    return headers


def _end_to_end(headers: Iterable[tuple[bytes, bytes]]) -> RawHeaders:
    """Without what concerns one connection only, also by what `Connection` names."""
    pairs = [(name.lower(), value) for name, value in headers]
    named = {token.strip().lower() for name, value in pairs if name == b"connection" for token in value.split(b",")}
    return [(name, value) for name, value in pairs if name not in HOP_BY_HOP and name not in named]


def upstreams_of(setting: str) -> dict[str, str]:
    """`{"accounts.web": "http://127.0.0.1:9001"}` of `accounts.web=http://127.0.0.1:9001,…`. Raises ValueError."""
    pairs = [entry.strip().partition("=") for entry in setting.split(",") if entry.strip()]
    for role, _, url in pairs:
        if not role or urlsplit(url).scheme not in ("http", "https"):
            raise ValueError(f"UPSTREAMS: «{role}={url}» is not role=http://host:port")
    return {role: url for role, _, url in pairs}
