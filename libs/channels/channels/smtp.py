"""Mail over SMTP: in comes a mail, out comes what the server made of it.

Connections are kept and used again. 4xx and everything about the connection itself (it is away, it does not know us)
is `Later`: somebody will mend it. 5xx to the mail is `Refused`, in the server's words with addresses masked.
"""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import unquote, urlsplit

from aiosmtplib import (
    SMTP,
    SMTPDataError,
    SMTPException,
    SMTPNotSupported,
    SMTPRecipientsRefused,
    SMTPResponseException,
    SMTPSenderRefused,
)

from channels.attempts import Attempt, Later, Refused, Sent
from channels.mail import Mail, compose, envelope_sender, masked, one_line

CONNECTIONS: Final = 8
TIMEOUT_S: Final = 8.0
ATTEMPT_S: Final = 3 * TIMEOUT_S
"""The whole of an attempt, its turn included: who waits behind a slow server must still end within a lease."""
LONGEST_ERROR: Final = 500
PORTS: Final = {"smtp": 25, "starttls": 587, "smtps": 465}


@dataclass(frozen=True)
class Server:
    """`smtp://` is plain, `starttls://` upgrades first, `smtps://` is TLS from the start; `user:password@` signs in."""

    host: str
    port: int
    scheme: str = "smtp"
    user: str | None = None
    password: str | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, url: str) -> "Server":
        """Read `scheme://[user:password@]host[:port]`. Raises ValueError that tells no password."""
        parts = urlsplit(url)
        if parts.scheme not in PORTS or not parts.hostname:
            raise ValueError("SMTP_URL must be smtp://, starttls:// or smtps://, then [user:password@]host[:port]")
        user = unquote(parts.username) if parts.username else None
        password = unquote(parts.password) if parts.password else None
        return cls(parts.hostname, parts.port or PORTS[parts.scheme], parts.scheme, user, password)

    def client(self) -> SMTP:
        return SMTP(
            hostname=self.host,
            port=self.port,
            username=self.user,
            password=self.password,
            use_tls=self.scheme == "smtps",
            start_tls=self.scheme == "starttls",
            timeout=TIMEOUT_S,
        )


class SmtpSender:
    """Sends mails as `sender` (`Alarum <alarum@example.org>`), over at most `connections` connections at once. A part of a role."""

    def __init__(self, url: str, sender: str, connections: int = CONNECTIONS) -> None:
        self._server = Server.parse(url)
        self._sender = sender
        self._turns = asyncio.Semaphore(connections)
        self._idle: list[SMTP] = []

    async def send(self, mail: Mail) -> Attempt:
        """One attempt; ends by itself in less than half a minute."""
        try:
            message = compose(mail, self._sender).as_bytes()
        except ValueError as error:
            return Refused(f"This mail cannot be written: {error}")
        try:
            async with asyncio.timeout(ATTEMPT_S), self._turns, self._connection() as client:
                _, reply = await client.sendmail(envelope_sender(self._sender), [mail.to], message)
        except (SMTPException, OSError, ssl.SSLError, TimeoutError) as error:
            return _judged(error)
        return Sent(_words(reply))

    async def start(self) -> None:
        """Connections are made when there is something to send."""

    async def stop(self) -> None:
        """Say goodbye on the connections that are kept."""
        idle, self._idle = self._idle, []
        for client in idle:
            with contextlib.suppress(SMTPException, OSError):
                await client.quit()

    def ready(self) -> str | None:
        """It waits for nothing: a server that is away is a delivery's trouble."""
        return None

    @contextlib.asynccontextmanager
    async def _connection(self) -> AsyncIterator[SMTP]:
        """A connection that works; it is kept when nothing went wrong on it, or when only the mail was refused."""
        client = await self._kept() or await self._fresh()
        try:
            yield client
        except (SMTPRecipientsRefused, SMTPSenderRefused, SMTPDataError):
            self._keep(client)
            raise
        except BaseException:
            client.close()
            raise
        self._keep(client)

    async def _kept(self) -> SMTP | None:
        """One that still answers: servers close what is idle for long."""
        while self._idle:
            client = self._idle.pop()
            with contextlib.suppress(SMTPException, OSError):
                await client.rset()
                return client
            client.close()
        return None

    async def _fresh(self) -> SMTP:
        client = self._server.client()
        try:
            await client.connect()
        except BaseException:
            client.close()
            raise
        return client

    def _keep(self, client: SMTP) -> None:
        if client.is_connected:
            self._idle.append(client)


def _judged(error: Exception) -> Attempt:
    match error:
        case SMTPRecipientsRefused(recipients=[first, *_]):
            return _by_code(first.code, first.message)
        case SMTPSenderRefused() | SMTPDataError():
            return _by_code(error.code, error.message)
        case SMTPNotSupported():
            return Refused(_words(str(error)))
        case SMTPResponseException():
            return Later(_words(f"{error.code} {error.message}"))
        case TimeoutError():
            return Later("The mail server did not answer in time")
        case _:
            return Later(f"The mail server cannot be reached: {_words(str(error)) or type(error).__name__}")


def _by_code(code: int, message: str) -> Attempt:
    text = _words(f"{code} {message}")
    return Refused(text) if code >= 500 else Later(text)


def _words(text: str) -> str:
    return one_line(masked(text), LONGEST_ERROR)
