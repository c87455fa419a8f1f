"""Who waits for a turn behind a slow mail server ends in time, too: a lease that runs out is given to somebody else."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import async_solipsism
import pytest

from channels import smtp
from channels.attempts import Later
from channels.mail import Mail

MAILS = 5


@asynccontextmanager
async def silent(_self: smtp.SmtpSender) -> AsyncIterator[object]:
    """A connection on which nothing is ever said."""
    await asyncio.sleep(3600)
    yield object()


def test_every_attempt_ends_within_its_time_however_many_wait_before_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp.SmtpSender, "_connection", silent)
    mail = Mail("ada@example.org", "Fire", "Fire", "<p>Fire", "<1@alarum>", datetime(2026, 3, 1, tzinfo=UTC))

    async def story() -> float:
        sender = smtp.SmtpSender("smtp://127.0.0.1:25", "Alarum <alarum@example.org>", connections=1)
        results = await asyncio.gather(*(sender.send(mail) for _ in range(MAILS)))
        assert results == [Later("The mail server did not answer in time")] * MAILS
        return asyncio.get_running_loop().time()

    loop = async_solipsism.EventLoop()
    try:
        assert loop.run_until_complete(story()) == pytest.approx(smtp.ATTEMPT_S)
    finally:
        loop.close()
