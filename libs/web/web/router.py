"""One door for the suite: in comes any request, out goes the answer of the role that the path table names, here or
elsewhere.

A local role is called as the ASGI app that it is; a role of another process is reached over HTTP, streaming both ways.
The raw path is handed on as it came: `%2F` in an alias is part of a segment and not a separator.
"""

import asyncio
import logging
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Final
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from web.errors import ProblemPages, error_json, wants_page
from web.pages import Pages, environment
from web.paths import role_of
from web.upstream import Connection, Silent, Unreachable, Upstream, UpstreamFailed

log = logging.getLogger("web.router")

HOP_BY_HOP: Final = frozenset({
    b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection", b"te", b"trailer",
    b"transfer-encoding", b"upgrade",
    b"expect",  # who waits for «go on» hears it from the server before this app
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
        self._upstreams = {role: Upstream(url) for role, url in (upstreams or {}).items()}
        self._pages: ProblemPages = pages or Pages(environment("web"))
        self._trust_forwarded = trust_forwarded
        self._watching: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> "Router":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        for upstream in self._upstreams.values():
            await upstream.close()

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
        exchange, upstream = _Exchange(receive, send), self._upstreams[role]
        headers = _onward(scope, self._trust_forwarded)
        try:
            await exchange.read_first(scope)
            async with upstream.connection() as connection:
                await exchange.ask(upstream, connection, scope, headers)
                self._watch(exchange, connection)
                await exchange.answer(connection)
        except UpstreamFailed as error:
            if exchange.is_left:
                return
            log.warning("upstream failed", extra={"role": role, "error": repr(error)})
            if exchange.started:  # the status is out: only a torn connection can say that the rest is missing
                raise
            await self._unanswered(role, error, scope)(scope, receive, send)
        finally:
            exchange.unwatched()

    def _watch(self, exchange: "_Exchange", connection: Connection) -> None:
        """When the client goes away, the upstream is left."""
        watching = exchange.watching = asyncio.create_task(exchange.until_left(connection))
        self._watching.add(watching)
        watching.add_done_callback(self._watching.discard)

    def _unanswered(self, role: str, error: UpstreamFailed, scope: Scope) -> Response:
        """503 while nothing was handed over (a retry is safe), 504 or 502 when the upstream may have acted."""
        match error:
            case Unreachable():
                return self._refusal(
                    scope, 503, "UNAVAILABLE", f"{role} cannot be reached; try again in a moment", {"Retry-After": "2"}
                )
            case Silent():
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
    """One request on its way: its body upstream, the answer back."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive, self._send = receive, send
        self.watching: asyncio.Task[None] | None = None
        self.started = self.is_left = self._is_over = False
        self._has_body = self._more = False
        self._body = b""

    async def read_first(self, scope: Scope) -> None:
        """What came of the body so far; no connection waits for a client that is slow to begin. Raises UpstreamFailed."""
        self._has_body = self._more = _has_body(Headers(scope=scope))
        if self._has_body:
            await self._read()

    async def ask(self, upstream: Upstream, connection: Connection, scope: Scope, headers: RawHeaders) -> None:
        """Hand the request on. An answer that comes before its end ends it: the rest is not asked for. Raises UpstreamFailed."""
        is_chunked = self._has_body and not any(name == b"content-length" for name, _ in headers)
        target = _raw_path(scope).encode("latin-1")
        if scope["query_string"]:
            target += b"?" + scope["query_string"]
        head = upstream.request(scope["method"], target, headers, is_chunked=is_chunked)
        connection.begin(head + _framed(self._body, is_chunked), is_head_only=scope["method"] == "HEAD")
        while self._more and connection.takes_more:
            await self._read()
            await connection.send(_framed(self._body, is_chunked))
        if not self._more:
            await connection.send(b"0\r\n\r\n" if is_chunked else b"")
            connection.sent()

    async def answer(self, connection: Connection) -> None:
        """Hand the answer on. Raises UpstreamFailed."""
        await connection.answered()
        self.started = True
        headers = _end_to_end(connection.headers)
        await self._send({"type": "http.response.start", "status": connection.status, "headers": headers})
        more = True
        while more:
            chunk, more = await connection.chunk()
            self._is_over = not more  # from here on the connection may be another request's
            await self._send({"type": "http.response.body", "body": chunk, "more_body": more})

    async def until_left(self, connection: Connection) -> None:
        """Returns when the client is gone. Listens only once the body was read: there is one `receive` for both."""
        while (await self._receive())["type"] != "http.disconnect":
            pass
        if not self._is_over:
            self.is_left = True
            connection.abort("the client went away")

    def unwatched(self) -> None:
        if self.watching is not None:
            self.watching.cancel()

    async def _read(self) -> None:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            self.is_left = True
            raise UpstreamFailed("the client went away")
        self._more, self._body = message.get("more_body", False), message.get("body", b"")


def _framed(body: bytes, is_chunked: bool) -> bytes:
    """A piece of a body on its way; an empty chunk would end it."""
    return b"%x\r\n%b\r\n" % (len(body), body) if is_chunked and body else body


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
