"""A mail server that takes everything at once and remembers when: mails come in, recipients and instants come out."""

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from email import policy
from email.parser import BytesParser
from typing import Final, cast

LOOK_S: Final = 0.005
TOKEN: Final = re.compile(r"Bench ([a-z0-9]+-\d+)")
REPLIES: Final = {
    b"EHLO": b"250-bench\r\n250 8BITMIME\r\n",
    b"HELO": b"250 bench\r\n",
    b"DATA": b"354 go on\r\n",
    b"QUIT": b"221 bye\r\n",
}


@dataclass(frozen=True)
class Mail:
    """One mail as it came; `at` is the instant at which it was taken, in seconds since the epoch."""

    to: tuple[str, ...]
    raw: bytes
    at: float

    @property
    def tokens(self) -> set[str]:
        """The alerts that it names."""
        mail = BytesParser(policy=policy.default).parsebytes(self.raw)
        body = mail.get_body(("plain",))
        text = "" if body is None else body.get_content()
        return set(TOKEN.findall(f"{mail['Subject']}\n{text}"))


class Sink:
    """What was taken, in order; `port` once it listens."""

    def __init__(self) -> None:
        self.mails: list[Mail] = []
        self.port = 0
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(lambda: _Session(self.mails), "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()

    @property
    def url(self) -> str:
        return f"smtp://127.0.0.1:{self.port}"

    async def until(self, happened: Callable[[], bool], within_s: float) -> bool:
        """Whether it happened in time; asked at every new mail."""
        until, told = time.monotonic() + within_s, -1
        while time.monotonic() < until:
            if len(self.mails) != told:
                told = len(self.mails)
                if happened():
                    return True
            await asyncio.sleep(LOOK_S)
        return False


class _Session(asyncio.Protocol):
    """One client. Commands come one by one: nobody is promised pipelining."""

    def __init__(self, mails: list[Mail]) -> None:
        self._mails = mails
        self._seen = bytearray()
        self._to: list[str] = []
        self._in_data = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(b"220 bench\r\n")

    def data_received(self, data: bytes) -> None:
        self._seen += data
        while self._step():
            pass

    def _step(self) -> bool:
        """Take one command, or one mail; False while it is not whole."""
        end = self._seen.find(b"\r\n.\r\n" if self._in_data else b"\r\n")
        if end < 0:
            return False
        taken, length = bytes(self._seen[:end]), end + (5 if self._in_data else 2)
        del self._seen[:length]
        if self._in_data:
            self._keep(taken)
        else:
            self._obey(taken)
        return True

    def _keep(self, raw: bytes) -> None:
        self._mails.append(Mail(tuple(self._to), raw, time.time()))
        self._in_data, self._to = False, []
        self._say(b"250 taken\r\n")

    def _obey(self, command: bytes) -> None:
        word = command[:4].upper()
        if word == b"RCPT":
            self._to.append(command[command.find(b"<") + 1 : command.find(b">")].decode())
        self._in_data = word == b"DATA"
        self._say(REPLIES.get(word, b"250 so be it\r\n"))
        if word == b"QUIT" and self._transport is not None:
            self._transport.close()

    def _say(self, reply: bytes) -> None:
        assert self._transport is not None
        self._transport.write(reply)
