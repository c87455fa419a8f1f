"""SMTP against a real server: connections are kept, refusals keep the server's words, what is away is tried again."""

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import default

import pytest
from aiosmtpd import smtp
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session

from channels.attempts import Later, Refused, Sent
from channels.mail import Mail
from channels.smtp import Server, SmtpSender

FROM = "Alarum <alarum@example.org>"


@dataclass
class Inbox:
    """A mail server's memory, and what it is told to say."""

    port: int = 0
    sessions: int = 0
    mails: list[bytes] = field(default_factory=list)
    recipients: list[str] = field(default_factory=list)
    on_rcpt: str = "250 OK"
    on_data: str = "250 2.0.0 queued as 7F3A"

    async def handle_RCPT(  # noqa: N802
        self, _server: object, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self.on_rcpt.startswith("250"):
            envelope.rcpt_tos.append(address)
        return self.on_rcpt

    async def handle_DATA(self, _server: object, _session: Session, envelope: Envelope) -> str:  # noqa: N802
        if self.on_data.startswith("250"):
            assert isinstance(envelope.content, bytes)
            self.mails.append(envelope.content)
            self.recipients.extend(envelope.rcpt_tos)
        return self.on_data


def authenticator(
    _server: object, _session: object, _envelope: object, _mechanism: object, given: LoginPassword
) -> AuthResult:
    return AuthResult(success=given.login == b"ada" and given.password == b"p@ss", handled=False)


class Listening:
    """A real SMTP server on a free port of loopback."""

    def __init__(self, inbox: Inbox, port: int = 0, *, sign_in: bool = False) -> None:
        self.inbox, self.wanted, self.sign_in = inbox, port, sign_in
        self.transports: list[asyncio.BaseTransport] = []

    async def __aenter__(self) -> Inbox:
        loop = asyncio.get_running_loop()
        self.server = await loop.create_server(self._protocol, "127.0.0.1", self.wanted)
        self.inbox.port = self.server.sockets[0].getsockname()[1]
        return self.inbox

    async def __aexit__(self, *_: object) -> None:
        self.server.close()
        for transport in self.transports:
            transport.close()
        await self.server.wait_closed()

    def _protocol(self) -> smtp.SMTP:
        inbox, transports = self.inbox, self.transports
        inbox.sessions += 1

        class Kept(smtp.SMTP):
            def connection_made(self, transport: asyncio.BaseTransport) -> None:
                transports.append(transport)
                super().connection_made(transport)

        return Kept(
            inbox,
            hostname="mail.example.org",
            auth_require_tls=False,
            auth_required=self.sign_in,
            authenticator=authenticator if self.sign_in else None,
        )


@pytest.fixture
async def inbox() -> AsyncIterator[Inbox]:
    async with Listening(Inbox()) as listening:
        yield listening


def mail(number: int = 1, to: str = "ada@example.org") -> Mail:
    when = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
    return Mail(to, f"[HIGH] Disk {number} full", "text", "<p>html</p>", f"<{number}@alarum>", when)


def sender_for(inbox: Inbox) -> SmtpSender:
    return SmtpSender(f"smtp://127.0.0.1:{inbox.port}", FROM)


async def test_a_mail_arrives_and_the_server_s_words_are_kept(inbox: Inbox) -> None:
    sender = sender_for(inbox)
    assert await sender.send(mail()) == Sent("2.0.0 queued as 7F3A")
    await sender.stop()
    (received,) = inbox.mails
    assert message_from_bytes(received, policy=default)["Subject"] == "[HIGH] Disk 1 full"
    assert inbox.recipients == ["ada@example.org"]


async def test_one_connection_carries_many_mails(inbox: Inbox) -> None:
    sender = sender_for(inbox)
    for number in range(5):
        assert isinstance(await sender.send(mail(number)), Sent)
    await sender.stop()
    assert (len(inbox.mails), inbox.sessions) == (5, 1)


async def test_many_mails_at_once_share_few_connections(inbox: Inbox) -> None:
    sender = SmtpSender(f"smtp://127.0.0.1:{inbox.port}", FROM, connections=3)
    results = await asyncio.gather(*(sender.send(mail(number)) for number in range(20)))
    await sender.stop()
    assert all(isinstance(result, Sent) for result in results)
    assert len(inbox.mails) == 20
    assert inbox.sessions <= 3


async def test_a_permanent_refusal_keeps_the_server_s_words_without_the_address(inbox: Inbox) -> None:
    inbox.on_rcpt = "550 5.1.1 <ada@example.org>: no such user"
    sender = sender_for(inbox)
    assert await sender.send(mail()) == Refused("550 5.1.1 <a***@example.org>: no such user")
    inbox.on_rcpt, inbox.on_data = "250 OK", "554 5.7.1 looks like spam"
    assert await sender.send(mail()) == Refused("554 5.7.1 looks like spam")
    await sender.stop()
    assert inbox.mails == []


async def test_a_refused_mail_does_not_cost_the_connection(inbox: Inbox) -> None:
    sender = sender_for(inbox)
    inbox.on_rcpt = "550 no"
    await sender.send(mail())
    inbox.on_rcpt = "250 OK"
    assert isinstance(await sender.send(mail()), Sent)
    await sender.stop()
    assert inbox.sessions == 1


async def test_a_passing_refusal_is_tried_later(inbox: Inbox) -> None:
    sender = sender_for(inbox)
    inbox.on_rcpt = "450 4.2.1 greylisted"
    assert await sender.send(mail()) == Later("450 4.2.1 greylisted")
    inbox.on_rcpt, inbox.on_data = "250 OK", "452 4.3.1 no space"
    assert await sender.send(mail()) == Later("452 4.3.1 no space")
    await sender.stop()


async def test_a_server_that_is_away_is_tried_later_and_its_return_is_noticed() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    sender = SmtpSender(f"smtp://127.0.0.1:{port}", FROM)
    away = await sender.send(mail())
    assert isinstance(away, Later)
    assert "cannot be reached" in away.error
    async with Listening(Inbox(), port) as inbox:
        assert isinstance(await sender.send(mail()), Sent)
        assert len(inbox.mails) == 1
    assert isinstance(await sender.send(mail()), Later)
    async with Listening(Inbox(), port) as back:
        assert isinstance(await sender.send(mail()), Sent)
        assert len(back.mails) == 1
    await sender.stop()


async def test_signing_in_with_a_wrong_password_is_somebody_s_to_mend() -> None:
    async with Listening(Inbox(), sign_in=True) as inbox:
        right = SmtpSender(f"smtp://ada:p%40ss@127.0.0.1:{inbox.port}", FROM)
        wrong = SmtpSender(f"smtp://ada:guess@127.0.0.1:{inbox.port}", FROM)
        assert isinstance(await right.send(mail()), Sent)
        refused = await wrong.send(mail())
        assert isinstance(refused, Later)
        assert refused.error.startswith("535")
        await right.stop()
        await wrong.stop()


async def test_what_is_no_address_never_reaches_the_server(inbox: Inbox) -> None:
    sender = sender_for(inbox)
    assert isinstance(await sender.send(mail(to="ada@example.org\r\nRCPT TO:<bob@example.org>")), Refused)
    assert inbox.sessions == 0


class TestServer:
    def test_the_scheme_gives_port_and_protection(self) -> None:
        assert Server.parse("smtp://mail.example.org") == Server("mail.example.org", 25)
        assert Server.parse("smtps://u:p%40@mail.example.org") == Server("mail.example.org", 465, "smtps", "u", "p@")
        assert Server.parse("starttls://mail.example.org:2525") == Server("mail.example.org", 2525, "starttls")

    @pytest.mark.parametrize("url", ["", "mail.example.org:25", "http://mail.example.org", "smtp://"])
    def test_nonsense_is_refused_in_words(self, url: str) -> None:
        with pytest.raises(ValueError, match="SMTP_URL must be"):
            Server.parse(url)

    def test_the_password_is_not_shown(self) -> None:
        assert "secret" not in repr(Server.parse("smtp://ada:secret@mail.example.org"))
