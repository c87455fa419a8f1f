"""The mail sink as a process, spoken to over SMTP and HTTP."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from email.message import EmailMessage
from pathlib import Path

import aiosmtplib
import httpx
import pytest
import pytest_asyncio

from launcher.mailsink.mailbox import Mailbox
from launcher.processes import end, free_port, identify, spawn


class Sink:
    """One mail sink that can go away and come back at the same address."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.smtp_port = free_port()
        self.http_port = free_port(taken=[self.smtp_port])
        self.http = httpx.AsyncClient(base_url=f"http://127.0.0.1:{self.http_port}")

    async def start(self) -> None:
        ports = ["--smtp-port", str(self.smtp_port), "--http-port", str(self.http_port)]
        command = [sys.executable, "-m", "launcher.mailsink", *ports, "--folder", str(self.folder)]
        self.process = spawn(command, self.folder / "sink.log")
        async with asyncio.timeout(20):
            while not await self._answers():
                assert self.process.poll() is None, (self.folder / "sink.log").read_text()
                await asyncio.sleep(0.05)

    async def stop(self) -> None:
        who = identify(self.process.pid)
        if who is not None:
            await end(who)
        self.process.wait()

    async def send(self, to: str, subject: str = "Disk full", html: str | None = None) -> None:
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = "alarum@example.org", to, subject
        mail.set_content("See https://alarum.example.org/alerts/42\n")
        if html is not None:
            mail.add_alternative(html, subtype="html")
        await aiosmtplib.send(mail, hostname="127.0.0.1", port=self.smtp_port)

    async def subjects(self) -> list[str]:
        return [mail["subject"] for mail in (await self.http.get("/api/messages")).json()]

    async def _answers(self) -> bool:
        with contextlib.suppress(httpx.TransportError):
            return (await self.http.get("/healthz")).status_code == 200
        return False


@pytest_asyncio.fixture
async def sink(tmp_path: Path) -> AsyncIterator[Sink]:
    made = Sink(tmp_path)
    await made.start()
    yield made
    await made.http.aclose()
    await made.stop()


class TestKeeping:
    async def test_a_mail_is_told_with_envelope_headers_and_both_bodies(self, sink: Sink) -> None:
        await sink.send("ada@example.org", "Plattenplatz knapp – größer", "<p>See <b>alert 42</b></p>")
        [mail] = (await sink.http.get("/api/messages")).json()
        assert mail["id"] == 1
        assert mail["from"] == "alarum@example.org"
        assert mail["to"] == ["ada@example.org"]
        assert mail["subject"] == "Plattenplatz knapp – größer"
        assert mail["headers"]["To"] == "ada@example.org"
        assert mail["text"] == "See https://alarum.example.org/alerts/42\n"
        assert mail["html"].strip() == "<p>See <b>alert 42</b></p>"
        assert (await sink.http.get("/api/messages/1")).json() == mail

    async def test_the_newest_comes_first_and_a_recipient_narrows(self, sink: Sink) -> None:
        await sink.send("ada@example.org", "first")
        await sink.send("bob@example.org", "second")
        assert await sink.subjects() == ["second", "first"]
        narrowed = (await sink.http.get("/api/messages", params={"to": "ada@"})).json()
        assert [mail["subject"] for mail in narrowed] == ["first"]

    async def test_a_restart_keeps_the_mails_and_counts_on(self, sink: Sink) -> None:
        await sink.send("ada@example.org", "before")
        await sink.stop()
        with pytest.raises(aiosmtplib.SMTPConnectError):
            await sink.send("ada@example.org", "meanwhile")
        await sink.start()
        await sink.send("ada@example.org", "after")
        assert [(mail["id"], mail["subject"]) for mail in (await sink.http.get("/api/messages")).json()] == [
            (2, "after"),
            (1, "before"),
        ]

    async def test_cleared_mails_are_gone_for_good_and_their_numbers_too(self, sink: Sink) -> None:
        await sink.send("ada@example.org")
        assert (await sink.http.delete("/api/messages")).status_code == 204
        assert await sink.subjects() == []
        assert (await sink.http.get("/api/messages/1")).status_code == 404
        await sink.stop()
        await sink.start()
        await sink.send("ada@example.org")
        assert [mail["id"] for mail in (await sink.http.get("/api/messages")).json()] == [2]

    def test_only_the_last_ones_are_kept(self, tmp_path: Path) -> None:
        mailbox = Mailbox(tmp_path, kept=2)
        for number in range(3):
            mailbox.add("", ["ada@example.org"], f"Subject: {number}\r\n\r\n".encode())
        assert [mail.header("Subject") for mail in Mailbox(tmp_path, kept=2).newest()] == ["2", "1"]

    def test_what_cannot_be_decoded_is_kept_and_shown_as_it_came(self, tmp_path: Path) -> None:
        raw = b"Subject: =?nonsense?q?x?=\r\nTo: ,,\xff\r\nContent-Type: text/plain; charset=klingon\r\n\r\nQapla' \xff\r\n"
        described = Mailbox(tmp_path).add("", ["ada@example.org"], raw).described
        assert described["text"].startswith("Qapla'")
        assert described["subject"] == "x"
        assert "To" in described["headers"]


class TestRefusing:
    async def test_a_recipient_can_be_refused_and_others_are_not(self, sink: Sink) -> None:
        await sink.http.post("/api/behaviour", json={"rcpt_reply": "550 no such person", "match": "bob@"})
        with pytest.raises(aiosmtplib.SMTPRecipientsRefused) as refused:
            await sink.send("bob@example.org")
        assert refused.value.recipients[0].code == 550
        assert refused.value.recipients[0].message == "no such person"
        await sink.send("ada@example.org", "through")
        assert await sink.subjects() == ["through"]

    async def test_a_mail_can_be_deferred_a_number_of_times(self, sink: Sink) -> None:
        await sink.http.post("/api/behaviour", json={"data_reply": "451 greylisted", "times": 2})
        for _ in range(2):
            with pytest.raises(aiosmtplib.SMTPDataError, match="greylisted"):
                await sink.send("ada@example.org")
        await sink.send("ada@example.org", "third time")
        assert await sink.subjects() == ["third time"]

    async def test_a_slow_answer_is_an_answer(self, sink: Sink) -> None:
        await sink.http.post("/api/behaviour", json={"delay_s": 0.4, "times": 1})
        sending = asyncio.create_task(sink.send("ada@example.org", "late"))
        done, _ = await asyncio.wait([sending], timeout=0.2)
        assert not done
        await sending
        assert await sink.subjects() == ["late"]

    async def test_forgotten_wishes_have_no_effect(self, sink: Sink) -> None:
        await sink.http.post("/api/behaviour", json={"data_reply": "554 never"})
        assert (await sink.http.delete("/api/behaviour")).json() == []
        await sink.send("ada@example.org", "kept")
        assert await sink.subjects() == ["kept"]

    @pytest.mark.parametrize(
        "wish", [{"rcpt_reply": "no"}, {"data_reply": "550 x\r\n250 y"}, {"unknown": 1}, {"times": "x"}]
    )
    async def test_a_wish_that_makes_no_sense_is_refused(self, sink: Sink, wish: dict[str, object]) -> None:
        answer = await sink.http.post("/api/behaviour", json=wish)
        assert answer.status_code == 400
        assert next(iter(wish)) in answer.json()["message"]
        assert (await sink.http.get("/api/behaviour")).json() == []


class TestPage:
    async def test_it_lists_and_shows_what_came_with_everything_foreign_escaped(self, sink: Sink) -> None:
        await sink.send("ada@example.org", "<script>alert(1)</script>", "<script>alert(2)</script><p>hello</p>")
        listed = (await sink.http.get("/")).text
        shown = (await sink.http.get("/messages/1")).text
        for page in (listed, shown):
            assert "&lt;script&gt;alert(1)" in page
            assert "<script>alert" not in page
        assert 'href="https://alarum.example.org/alerts/42"' in shown

    async def test_the_html_of_a_mail_runs_nothing_and_fetches_nothing(self, sink: Sink) -> None:
        await sink.send("ada@example.org", "x", "<script>alert(2)</script>")
        policy = (await sink.http.get("/messages/1/html")).headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "sandbox" in policy
        assert "allow-scripts" not in policy

    async def test_a_foreign_name_for_this_address_gets_nothing(self, sink: Sink) -> None:
        assert (await sink.http.get("/api/messages", headers={"host": "evil.example.org"})).status_code == 400
