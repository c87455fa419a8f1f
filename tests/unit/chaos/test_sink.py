"""The hostile receiver is as hostile as it says: asked by the suite's own mail transport, and by HTTP."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest

from channels import smtp
from channels.attempts import Attempt, Later, Sent
from channels.mail import Mail
from tests.chaos.sink import RETRY_AFTER_S, Mood, Sink

KEYS = ("cafe-000001", "cafe-000002")
MAIL = Mail(
    "ada@example.org",
    "Fire",
    f"Chaos {KEYS[0]}.\nChaos {KEYS[1]}.",
    "<p>Fire",
    "<1@alarum>",
    datetime(2026, 3, 1, tzinfo=UTC),
)


@pytest.fixture
def sink() -> Iterator[Sink]:
    with Sink("cafe") as made:
        yield made


def post(sink: Sink, mail: Mail = MAIL, *, times: int = 1) -> list[Attempt]:
    async def send() -> list[Attempt]:
        sender = smtp.SmtpSender(sink.smtp_url, "Alarum <alarum@example.org>")
        try:
            return [await sender.send(mail) for _ in range(times)]
        finally:
            await sender.stop()

    return asyncio.run(send())


def call(sink: Sink) -> httpx.Response:
    headers = {"webhook-id": "run_1"}
    return httpx.post(sink.http_url, json={"alertKey": KEYS[0]}, headers=headers, timeout=1, trust_env=False)


def test_it_keeps_what_a_mail_tells_of(sink: Sink) -> None:
    assert isinstance(post(sink)[0], Sent)
    [kept] = sink.mails
    assert (kept.to, kept.message_id, kept.is_repeat, kept.alert_keys) == (MAIL.to, "<1@alarum>", False, KEYS)
    assert kept.begun <= kept.taken


@pytest.mark.parametrize("mood", [Mood.BUSY, Mood.ASKING, Mood.RUDE, Mood.AWAY])
def test_a_receiver_in_a_bad_mood_takes_nothing_and_may_be_asked_again(sink: Sink, mood: Mood) -> None:
    sink.become(mood)
    assert all(isinstance(attempt, Later) for attempt in post(sink, times=4)), "by turns before and after the mail"
    assert sink.mails == []
    sink.become(Mood.FINE)
    assert isinstance(post(sink)[0], Sent)


def test_a_silent_receiver_says_nothing_before_or_after_the_mail(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "TIMEOUT_S", 0.3)
    sink.become(Mood.SILENT)
    assert post(sink, times=2) == [Later("The mail server did not answer in time")] * 2
    with pytest.raises(httpx.ReadTimeout):
        call(sink)
    assert sink.mails == []


def test_webhooks_hear_the_mood(sink: Sink) -> None:
    assert call(sink).status_code == 200
    sink.become(Mood.BUSY)
    assert call(sink).status_code == 500
    sink.become(Mood.ASKING)
    asked = call(sink)
    assert (asked.status_code, asked.headers["retry-after"]) == (429, str(RETRY_AFTER_S))
    sink.become(Mood.RUDE)
    with pytest.raises(httpx.TransportError):
        call(sink)
    sink.become(Mood.AWAY)
    with pytest.raises(httpx.ConnectError):
        call(sink)
    assert [(one.id, one.alert_key, one.is_taken) for one in sink.calls] == [
        ("run_1", KEYS[0], taken) for taken in (True, False, False, False)
    ]
