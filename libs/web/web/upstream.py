"""The router's way to a role in another process: a request goes out as it came, the answer comes back as it is sent.

HTTP/1.1 on kept connections, parsed by the parser that our servers use. A general client costs ten times what the request
costs at the other end (docs/performance.md), and this is on the way of every request.

    Idle --ask--> Asking: head and body go out --the head comes--> Answering: chunks come --the end--> Idle | closed
"""

import asyncio
import ssl
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final, cast
from urllib.parse import urlsplit

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

CONNECT_S: Final = 2.0
READ_S: Final = 60.0  # streams are pinged every 15 s: who is silent for so long is dead
KEPT: Final = 64
KEPT_FOR_S: Final = 60.0  # our servers close what is silent for 75 s
HELD_BYTES: Final = 262_144
BODILESS: Final = frozenset({204, 304})

RawHeaders = Sequence[tuple[bytes, bytes]]


class UpstreamFailed(Exception):
    """The other process did not answer as it should."""


class Unreachable(UpstreamFailed):
    """There was no connection: nothing was handed over, and asking again is safe."""


class Silent(UpstreamFailed):
    """It took the request and then said nothing for too long; it may have acted."""


class Broken(UpstreamFailed):
    """It broke off, or spoke what is no HTTP; it may have acted."""


class Upstream:
    """One base URL, with the connections to it that are kept."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._host, self._is_tls = parts.hostname or "", parts.scheme == "https"
        self._port = parts.port or (443 if self._is_tls else 80)
        self._base = parts.path.rstrip("/").encode()
        self._tls = ssl.create_default_context() if self._is_tls else None
        self._idle: list[tuple[Connection, float]] = []

    @asynccontextmanager
    async def connection(self) -> AsyncIterator["Connection"]:
        """A connection for one request. It is kept for the next one where both sides came to the end. Raises Unreachable."""
        connection = self._kept() or await self._fresh()
        try:
            yield connection
        finally:
            if connection.is_reusable and len(self._idle) < KEPT:
                self._idle.append((connection, time.monotonic()))
            else:
                connection.abort()

    def request(self, method: str, target: bytes, headers: RawHeaders, *, is_chunked: bool) -> bytes:
        """The head of a request, as bytes."""
        lines = [method.encode() + b" " + self._base + target + b" HTTP/1.1"]
        lines += [name + b": " + value for name, value in headers]
        if is_chunked:
            lines.append(b"transfer-encoding: chunked")
        return b"\r\n".join([*lines, b"", b""])

    async def close(self) -> None:
        idle, self._idle = self._idle, []
        for connection, _ in idle:
            connection.abort()

    def _kept(self) -> "Connection | None":
        while self._idle:
            connection, since = self._idle.pop()
            if connection.is_reusable and time.monotonic() - since < KEPT_FOR_S:
                return connection
            connection.abort()
        return None

    async def _fresh(self) -> "Connection":
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_S):
                _, connection = await loop.create_connection(Connection, self._host, self._port, ssl=self._tls)
        except (OSError, TimeoutError) as away:
            raise Unreachable(repr(away)) from away
        return connection


class Connection(asyncio.Protocol):
    """One connection: one request and its answer at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._parser = HttpResponseParser(self)
        self._failure: UpstreamFailed | None = None
        self._news: asyncio.Future[None] | None = None
        self._may_write = asyncio.Event()
        self._may_write.set()
        self._is_idle = True
        self._has_head = self._is_over = False
        self._is_sent = False
        self._ends_with_connection = self._is_head_only = False
        self._chunks: deque[bytes] = deque()
        self._held = 0
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []

    # -- asking

    @property
    def is_reusable(self) -> bool:
        return self._is_idle and self._failure is None

    @property
    def takes_more(self) -> bool:
        """Nothing was answered yet, and nothing broke: the rest of the request is wanted."""
        return not self._has_head and self._failure is None

    def begin(self, head: bytes, *, is_head_only: bool) -> None:
        """A new request goes out; `is_head_only`: its answer has no body, whatever its headers say."""
        self._is_idle = self._has_head = self._is_over = self._is_sent = self._ends_with_connection = False
        self._is_head_only = is_head_only
        self.status, self.headers = 0, []
        self._write(head)

    async def send(self, data: bytes) -> None:
        """More of the body; waits while the other side does not take it. Raises Silent."""
        if data:
            self._write(data)
        if not self._may_write.is_set():
            try:
                async with asyncio.timeout(READ_S):
                    await self._may_write.wait()
            except TimeoutError:
                raise Silent("it takes no more of the body") from None

    def sent(self) -> None:
        """The request is whole."""
        self._is_sent = True
        self._settle()

    def _write(self, data: bytes) -> None:
        if self._transport is not None and self._failure is None:
            self._transport.write(data)

    # -- being answered

    async def answered(self) -> None:
        """Return when `status` and `headers` are there. Raises Silent, Broken."""
        while not self._has_head:
            await self._something()

    async def chunk(self) -> tuple[bytes, bool]:
        """What came of the body, at least something unless it is over; and whether there is more. Raises Silent, Broken."""
        while not self._chunks and not self._is_over:
            await self._something()
        data = self._chunks.popleft() if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        self._held = 0
        if self._transport is not None and not self._is_over:
            self._transport.resume_reading()
        return data, not self._is_over

    async def _something(self) -> None:
        if self._failure is not None:
            raise self._failure
        self._news = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(READ_S):
                await self._news
        except TimeoutError:
            raise Silent("no answer in time") from None
        finally:
            self._news = None

    def abort(self, why: str = "given up") -> None:
        """End it now; who waits hears `Broken`."""
        self._fail(Broken(why))
        if self._transport is not None:
            self._transport.abort()

    # -- what the loop tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        if self._is_idle:
            self.abort("it spoke without being asked")
            return
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as nonsense:
            self.abort(f"no HTTP: {nonsense!r}")
        self._tell()

    def connection_lost(self, error: Exception | None) -> None:
        if self._has_head and self._ends_with_connection:
            self._is_over = True
        self._fail(Broken(repr(error) if error else "it closed the connection"))
        self._may_write.set()

    def pause_writing(self) -> None:
        self._may_write.clear()

    def resume_writing(self) -> None:
        self._may_write.set()

    # -- what the parser tells

    def on_message_begin(self) -> None:
        if self._is_over:
            self._fail(Broken("it answered twice"))

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._has_head:  # trailers concern nobody
            self.headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        if self._is_over:
            return
        self.status = self._parser.get_status_code()
        if self.status < 200:
            return
        names = {name for name, _ in self.headers}
        self._has_head = True
        self._ends_with_connection = not names & {b"content-length", b"transfer-encoding"} and (
            self.status not in BODILESS
        )
        if self._is_head_only:
            self._is_over = True

    def on_body(self, data: bytes) -> None:
        if self._is_over:
            return
        self._chunks.append(data)
        self._held += len(data)
        if self._held > HELD_BYTES and self._transport is not None:
            self._transport.pause_reading()

    def on_message_complete(self) -> None:
        if self._is_over:
            return
        if self.status < 200:  # «go on», and the like: the answer follows
            self.headers = []
            return
        self._is_over = True
        self._settle()

    # -- inside

    def _settle(self) -> None:
        """Both sides are at the end: the next request may use this connection, if the other side keeps it."""
        is_kept = self._is_sent and self._is_over and not self._is_head_only and not self._ends_with_connection
        self._is_idle = is_kept and self._failure is None and bool(self._parser.should_keep_alive())

    def _fail(self, failure: UpstreamFailed) -> None:
        if self._failure is None:
            self._failure = failure
        self._tell()

    def _tell(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)
