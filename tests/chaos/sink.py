"""Where mails and webhooks arrive: a receiver that is told to be fine, busy, silent, rude or away, and logs every attempt."""

import asyncio
import json
import re
import threading
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from email import message_from_bytes
from enum import StrEnum
from itertools import count
from typing import Any, Final

from aiosmtpd.smtp import SMTP

from launcher.processes import free_port

FOREVER_S: Final = 3600.0


class Mood(StrEnum):
    """What it does to whoever comes."""

    FINE = "fine"
    BUSY = "answers 500 (mail: 451)"
    ASKING = "answers 429 with Retry-After (mail: 421)"
    SILENT = "hangs"
    RUDE = "resets"
    AWAY = "away"


RETRY_AFTER_S: Final = 3
REPLIES: Final = {Mood.BUSY: "451 4.3.0 not now", Mood.ASKING: "421 4.7.0 try again later"}


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail that was taken. Instants are seconds since the epoch: its envelope began, and it was answered with 250."""

    to: str
    message_id: str
    is_repeat: bool
    alert_keys: tuple[str, ...]
    begun: float
    taken: float


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the webhook, taken or not."""

    id: str
    alert_key: str
    at: float
    is_taken: bool


@dataclass
class Sink:
    """`mark` begins the alert keys to look for in mails. Runs in a thread of its own while it is entered."""

    mark: str
    mood: Mood = Mood.FINE
    mails: list[Mail] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    attempts: int = 0

    def __post_init__(self) -> None:
        self.smtp_port, self.http_port = free_port(), free_port()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="sink")
        self._key = re.compile(rf"\b{re.escape(self.mark)}[a-z]?-\d{{6,}}")
        self._turn = count()
        self._servers: list[asyncio.Server] = []
        self.open: set[asyncio.BaseTransport] = set()

    @property
    def smtp_url(self) -> str:
        return f"smtp://127.0.0.1:{self.smtp_port}"

    @property
    def http_url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    def __enter__(self) -> "Sink":
        self._thread.start()
        self._do(self._listen())
        return self

    def __exit__(self, *_: object) -> None:
        self._do(self._leave())
        self._do(self._end_tasks())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def become(self, mood: Mood) -> None:
        """From now on; who hangs on a silent receiver is cut off when it changes its mood."""
        was, self.mood = self.mood, mood
        if was in {Mood.SILENT, Mood.AWAY} or mood is Mood.AWAY:
            self._do(self._leave())
        if mood is not Mood.AWAY:
            self._do(self._listen())

    def mails_of(self, mark: str) -> list[Mail]:
        """Those of one run: no mail tells of two."""
        return [mail for mail in list(self.mails) if mail.alert_keys and mail.alert_keys[0].startswith(f"{mark}-")]

    def calls_of(self, mark: str) -> list[Call]:
        return [call for call in list(self.calls) if call.alert_key.startswith(f"{mark}-")]

    def keys_in(self, text: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self._key.findall(text)))

    def _do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    async def _listen(self) -> None:
        if not self._servers:
            smtp = await self._loop.create_server(lambda: _Session(self), "127.0.0.1", self.smtp_port)
            http = await asyncio.start_server(self._called, "127.0.0.1", self.http_port)
            self._servers = [smtp, http]

    async def _leave(self) -> None:
        servers, self._servers = self._servers, []
        for server in servers:
            server.close()
        for transport in list(self.open):
            transport.abort()  # type: ignore[attr-defined]

    async def _end_tasks(self) -> None:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    # -- mail

    def next_turn(self) -> bool:
        """Whether the next mail is refused only when it was handed over, every second time."""
        return next(self._turn) % 2 == 0

    async def refusal(self, transport: Any) -> str | None:
        """What is said instead of «250 OK»; a silent or rude receiver says nothing at all."""
        mood = self.mood
        if mood is Mood.FINE:
            return None
        if mood is Mood.RUDE:
            transport.abort()
        if mood in REPLIES:
            return REPLIES[mood]
        return await asyncio.sleep(FOREVER_S, "421 4.4.2 bye")

    def keep(self, to: str, raw: bytes, begun: float) -> None:
        message = message_from_bytes(raw)
        part = next(part for part in message.walk() if part.get_content_type() == "text/plain")
        body = part.get_payload(decode=True)
        assert isinstance(body, bytes)
        keys = self.keys_in(body.decode())
        self.mails.append(Mail(to, str(message["Message-ID"]), "X-Alarum-Repeat" in message, keys, begun, time.time()))

    # -- webhooks

    async def _called(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open.add(writer.transport)
        try:
            await self._answer(reader, writer)
        except (OSError, asyncio.IncompleteReadError):
            return
        finally:
            self.open.discard(writer.transport)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        headers = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head.split("\r\n"))
        }
        said = json.loads(await reader.readexactly(int(headers["content-length"])))
        mood = self.mood
        self.attempts += 1
        taken = mood is Mood.FINE
        self.calls.append(Call(headers.get("webhook-id", ""), str(said.get("alertKey", "")), time.time(), taken))
        if mood is Mood.RUDE:
            writer.transport.abort()
            return
        if mood in {Mood.SILENT, Mood.AWAY}:
            await reader.read()  # until the caller gives up
            return
        writer.write(_HTTP[mood])
        await writer.drain()


_HTTP: Final = {
    Mood.FINE: b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    Mood.BUSY: b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    Mood.ASKING: b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: %d\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    % RETRY_AFTER_S,
}


class _Session(SMTP):
    """One SMTP connection, known to its sink while it is open."""

    def __init__(self, sink: Sink) -> None:
        super().__init__(_Talk(sink), hostname="chaos.localhost", ident="chaos", data_size_limit=32 * 1024 * 1024)
        self._open = sink.open

    def connection_made(self, transport: Any) -> None:
        self._open.add(transport)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._open.discard(self.transport)
        super().connection_lost(error)


class _Talk:
    """What is said on one SMTP connection: aiosmtpd calls these by name, and what they return is the reply."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._begun = 0.0
        self._refuses_at_data = False

    async def handle_MAIL(self, _server: Any, _session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        self._begun, self._refuses_at_data = time.time(), self._sink.next_turn()
        self._sink.attempts += 1
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(self, server: Any, _session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        if not self._refuses_at_data and (refusal := await self._sink.refusal(server.transport)):
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        if refusal := await self._sink.refusal(server.transport):
            return refusal
        self._sink.keep(envelope.rcpt_tos[0], envelope.content, self._begun)
        return "250 OK"
