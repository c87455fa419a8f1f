"""What stands before every route: in comes a FastAPI app, out goes the same app behind limits and checks."""

import logging
import secrets
from collections.abc import Awaitable, Callable
from typing import Annotated, Final
from urllib.parse import parse_qsl, urlsplit

from fastapi import FastAPI, Path
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from web.bodies import parse_json
from web.errors import ApiError, ProblemPages, SignInNeeded, answer, error_json, install_errors
from web.paths import EVENT_PATHS, is_event_path

__all__ = ["ApiError", "Id", "SignInNeeded", "error_json", "install", "parse_json"]

log = logging.getLogger("web")

MAX_BODY: Final = 2 * 1024 * 1024
DRAINED: Final = 16 * 1024 * 1024
LONGEST_WORD: Final = len("notification-preferences")
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; manifest-src 'self'; worker-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)

# An id in a path: what the database's bigint can hold, so that nonsense is a 400 and never a failed query.
Id = Annotated[int, Path(ge=1, le=2**63 - 1)]


def install(
    app: FastAPI,
    *,
    pages: ProblemPages | None = None,
    event_paths: tuple[str, ...] = EVENT_PATHS,
    max_body: int = MAX_BODY,
) -> None:
    """Guard the app. `pages` shows problems to browsers; below `event_paths` bodies and origins are left to the
    gateway.

    `max_body` is in bytes; a longer body is answered 413.
    """
    install_errors(app, pages)
    app.add_middleware(SaneInput, event_paths=event_paths)
    app.add_middleware(SameOrigin, event_paths=event_paths)
    app.add_middleware(BodyLimit, max_body=max_body)
    app.add_middleware(GZipMiddleware, minimum_size=1024, compresslevel=5)
    app.add_middleware(Unexpected)
    app.add_middleware(SafeAnswers)


class SafeAnswers:
    """Gives each request an id and each answer the headers that keep a browser safe; the CSP goes with HTML."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                _protect(MutableHeaders(scope=message), request_id)
            await send(message)

        await self._app(scope, receive, with_headers)


def _protect(headers: MutableHeaders, request_id: str) -> None:
    headers.setdefault("X-Request-ID", request_id)
    headers.setdefault("X-Content-Type-Options", "nosniff")
    headers.setdefault("Referrer-Policy", "same-origin")
    headers.setdefault("Cross-Origin-Opener-Policy", "same-origin")
    headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
    if headers.get("content-type", "").startswith("text/html"):
        headers.setdefault("Content-Security-Policy", CSP)
        headers.setdefault("Cache-Control", "no-store")


class Unexpected:
    """A bug becomes one log line and a 500 that tells its request id and nothing else."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def noticing(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, noticing)
        except ClientDisconnect:
            return  # whoever asked went away in the middle: there is nobody to answer, and no bug
        except Exception as error:
            if started or scope["type"] != "http":
                raise
            await _apologise(Request(scope, receive), error)(scope, receive, send)


def _apologise(request: Request, error: Exception) -> Response:
    request_id = request.scope.get("state", {}).get("request_id", "")
    about = {"request_id": request_id, "method": request.method, "path": _without_tokens(request.url.path)}
    log.error("request failed", extra=about, exc_info=error)
    return answer(request, 500, "INTERNAL_ERROR", f"Something went wrong on our side. Request id: {request_id}")


def _without_tokens(path: str) -> str:
    """The path for a log: long segments are keys and tokens of links, and open what they name."""
    return "/".join("…" if len(segment) > LONGEST_WORD else segment for segment in path.split("/"))


class BodyLimit:
    """Refuses what is longer than allowed: by its Content-Length, else when the counted bytes pass the bound.

    The rest of a refused body is read and thrown away, up to DRAINED bytes: who is cut off while sending never sees
    the answer.
    """

    def __init__(self, app: ASGIApp, max_body: int) -> None:
        self._app, self._max_body = app, max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "0")
        try:
            if not _is_within(declared, self._max_body):
                raise _TooLong
            await self._app(scope, self._counted(receive), send)
        except _TooLong as error:
            headers = {} if error.is_read or await _discarded(receive) else {"Connection": "close"}
            message = f"A body may have at most {self._max_body} bytes"
            await error_json(413, "PAYLOAD_TOO_LARGE", message, headers)(scope, receive, send)

    def _counted(self, receive: Receive) -> Receive:
        taken = 0

        async def counting() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._max_body:
                raise _TooLong(not message.get("more_body", False))
            return message

        return counting


def _is_within(declared: str, most: int) -> bool:
    """A length that was declared, in bytes; one that is no number is within nothing."""
    return declared.isascii() and declared.isdecimal() and len(declared) < 19 and int(declared) <= most


async def _discarded(receive: Receive) -> bool:
    """Whether the rest of the body came to its end within DRAINED bytes."""
    taken = 0
    while taken <= DRAINED:
        message = await receive()
        taken += len(message.get("body", b""))
        if not message.get("more_body", False):
            return True
    return False


class _TooLong(BaseException):
    """Passes through handlers that swallow exceptions while they read a body. `is_read`: nothing of the body is left."""

    def __init__(self, is_read: bool = False) -> None:
        super().__init__()
        self.is_read = is_read


class SameOrigin:
    """Refuses what another site made a browser send: a session's cookie proves who, this proves from where.

    Unsafe methods need `Sec-Fetch-Site: same-origin` or `none`; older browsers an `Origin` that equals `Host`. Who
    sends neither header is no browser. A request with `Authorization` does not lean on the cookie, and nobody is signed
    in on event paths.
    """

    def __init__(self, app: ASGIApp, event_paths: tuple[str, ...] = EVENT_PATHS) -> None:
        self._app, self._event_paths = app, event_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not self._is_trusted(scope):
            refusal = answer(Request(scope), 403, "CROSS_ORIGIN", "Another site sent this request; it is refused")
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _is_trusted(self, scope: Scope) -> bool:
        headers = Headers(scope=scope)
        if (
            scope["method"] in SAFE_METHODS
            or "authorization" in headers
            or is_event_path(scope["path"], self._event_paths)
        ):
            return True
        site, origin = headers.get("sec-fetch-site"), headers.get("origin")
        if site is not None:
            return site in ("same-origin", "none")
        return origin is None or _host_of(origin) == headers.get("host")


def _host_of(origin: str) -> str | None:
    """`host:port`; None for what no browser says."""
    try:
        return urlsplit(origin).netloc
    except ValueError:
        return None


class SaneInput:
    """Refuses what no route should see: NULs, bodies of another kind than the API speaks, JSON that is torn or nested
    too deep.
    """

    def __init__(self, app: ASGIApp, event_paths: tuple[str, ...] = EVENT_PATHS) -> None:
        self._app, self._event_paths = app, event_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            replay = await self._checked(scope, receive)
        except ApiError as error:
            refusal = answer(Request(scope), error.status, error.code, error.message)
            await refusal(scope, receive, send)
            return
        await self._app(scope, replay, send)

    async def _checked(self, scope: Scope, receive: Receive) -> Receive:
        _refuse_nul_in_url(scope)
        if scope["method"] in SAFE_METHODS or is_event_path(scope["path"], self._event_paths):
            return receive
        check = _check_of(scope)
        if check is None:
            return receive
        body = await _whole(receive)
        if body:
            check(body)
        return _again(body, receive)


def _refuse_nul_in_url(scope: Scope) -> None:
    if "\x00" in scope["path"]:
        raise ApiError(400, "VALIDATION_ERROR", "the path: must not contain NUL characters")
    if b"%00" in scope["query_string"]:
        _refuse_nul_in_pairs(scope["query_string"])


def _check_of(scope: Scope) -> Callable[[bytes], object] | None:
    """What a body of this content type at this path must pass; None where it is not ours to read (files, streams)."""
    kind = Headers(scope=scope).get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json")):
        return parse_json
    if scope["path"].startswith("/api/"):
        return _refuse_kind(kind)
    return _refuse_nul_in_pairs if kind == "application/x-www-form-urlencoded" else None


def _refuse_kind(kind: str) -> Callable[[bytes], object]:
    def refuse(_body: bytes) -> None:
        said = f"not {kind}" if kind else "and say so in Content-Type"
        raise ApiError(415, "UNSUPPORTED_MEDIA_TYPE", f"Send application/json, {said}")

    return refuse


def _refuse_nul_in_pairs(pairs: bytes) -> None:
    if b"%00" not in pairs and b"\x00" not in pairs:
        return
    for name, value in parse_qsl(pairs.decode("latin-1"), keep_blank_values=True):
        if "\x00" in name or "\x00" in value:
            shown = name.replace("\x00", "")
            raise ApiError(400, "VALIDATION_ERROR", f"{shown}: must not contain NUL characters")


async def _whole(receive: Receive) -> bytes:
    chunks, more = [], True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            break
        chunks.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(chunks)


def _again(body: bytes, receive: Receive) -> Callable[[], Awaitable[Message]]:
    """Gives the body once, then what the server says (the disconnect)."""
    given = False

    async def replay() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
