"""The SMTP side: envelopes come in, mails in the mailbox come out, unless the mood says otherwise."""

import asyncio
from typing import Any

from aiosmtpd.smtp import SMTP

from launcher.mailsink.behaviour import Mood
from launcher.mailsink.mailbox import Mailbox

SIZE_LIMIT = 32 * 1024 * 1024


class _Handler:
    """aiosmtpd calls these by name; what they return is the reply."""

    def __init__(self, mailbox: Mailbox, mood: Mood) -> None:
        self._mailbox = mailbox
        self._mood = mood

    async def handle_RCPT(self, _server: Any, _session: Any, envelope: Any, address: str, options: list[str]) -> str:  # noqa: N802
        wish = self._mood.at_rcpt(address)
        if wish is not None and wish.rcpt_reply is not None:
            await asyncio.sleep(wish.delay_s)
            if not wish.rcpt_reply.startswith("2"):
                return wish.rcpt_reply
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802
        wish = self._mood.at_data(envelope.rcpt_tos)
        if wish is not None:
            await asyncio.sleep(wish.delay_s)
            if wish.data_reply is not None and not wish.data_reply.startswith("2"):
                return wish.data_reply
        mail = self._mailbox.add(envelope.mail_from or "", envelope.rcpt_tos, envelope.content)
        return f"250 OK, kept as {mail.id}"


async def serve(mailbox: Mailbox, mood: Mood, host: str, port: int) -> asyncio.Server:
    """Listen. Raises OSError when the port is taken."""
    loop = asyncio.get_running_loop()
    handler = _Handler(mailbox, mood)

    def protocol() -> asyncio.Protocol:
        made: asyncio.Protocol = SMTP(
            handler, hostname="mailsink.localhost", ident="Alarum mail sink", data_size_limit=SIZE_LIMIT, loop=loop
        )
        return made

    return await loop.create_server(protocol, host, port)
