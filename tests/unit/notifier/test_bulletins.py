"""Mails that ask nothing: what a subject says, what many share, and that nobody's text becomes markup or a header."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from channels.mail import Mail, compose
from events.notifier import DigestComposed, NoticeKind, NoticeQueued
from events.shared import Actor
from notifier.bulletins import Announcer, Bulletin
from notifier.domain.dossier import Dossier
from notifier.mails import Writer
from web.session import AnswerLinks
from web.words import Tongue

T0 = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
ADA, BOB = 7, 8
NAMES = {ADA: "Ada A", BOB: "Bob B"}
letters = Writer("https://alarum.example.org", AnswerLinks("a-secret-of-the-suite", T0.timestamp))
announcer = Announcer("https://alarum.example.org", letters)


def notice(number: int = 1, **more: Any) -> NoticeQueued:
    given: dict[str, Any] = {
        "kind": NoticeKind.ALERT_UPDATE,
        "occasion": "ALERT_ACCEPTED",
        "alert": 42,
        "title": "Disk full",
        "path": "/alerts/42",
        "by": Actor.by_user(BOB, "web"),
        "reason": "You were asked.",
    }
    head = {"notice": number, "notification": number, "user": ADA, "contact": 1, "send_at": T0, "at": T0}
    return NoticeQueued.model_validate(head | given | more)


def incident(number: int = 1, **more: Any) -> NoticeQueued:
    given: dict[str, Any] = {"kind": NoticeKind.INCIDENT, "occasion": "INCIDENT_CREATED", "alert": None, "by": None}
    return notice(number, **given | {"incident": 3, "title": "Payments fail", "path": "/incidents/3"} | more)


def duty(**more: Any) -> NoticeQueued:
    given: dict[str, Any] = {"kind": NoticeKind.DUTY, "occasion": "ON_CALL", "alert": None, "by": None}
    begins = {"begins_at": T0 + timedelta(hours=1), "ends_at": T0 + timedelta(hours=9)}
    return notice(**given | {"schedule": 3, "title": "Primary", "path": "/schedules/3"} | begins | more)


def written(*notices: NoticeQueued, zone: str = "UTC", minutes: float = 0) -> Mail:
    composed = DigestComposed(
        contact=1,
        user=ADA,
        message=100,
        carries=tuple(one.notice for one in notices),
        place=1,
        window_ends_at=T0,
        at=T0,
    )
    known = Dossier(42, 2, summary="Disk 42 is full", created_at=T0)
    bulletin = Bulletin(composed, notices, {42: known})
    return announcer.write(bulletin, "ada@example.org", T0 + timedelta(minutes=minutes), Tongue(zone), NAMES)


@pytest.mark.parametrize(
    ("told", "subject"),
    [
        (notice(), "Accepted by Bob B: Disk 42 is full"),
        (notice(occasion="ALERT_RESOLVED", by=Actor.by_source(5)), "Resolved by the monitoring tool: Disk 42 is full"),
        (notice(occasion="ALERT_ESCALATED", by=None), "Escalated by a rule: Disk 42 is full"),
        (notice(by=Actor.by_user(99, "web")), "Accepted by user 99: Disk 42 is full"),
        (incident(), "Payments fail"),
        (incident(status="INVESTIGATING"), "[Investigating] Payments fail"),
        (duty(), "You are on call from 1 Mar, 04:00: Primary"),
        (duty(begins_at=T0), "You are on call now: Primary"),
    ],
)
def test_the_subject_says_what_happened(told: NoticeQueued, subject: str) -> None:
    assert written(told).subject == subject


def test_a_duty_is_told_in_the_reader_s_zone() -> None:
    mail = written(duty(), zone="Europe/Berlin")
    assert mail.subject == "You are on call from 1 Mar, 05:00: Primary"
    assert "From Sun 1 Mar 2026, 05:00:00 CET" in mail.text
    assert "Until Sun 1 Mar 2026, 13:00:00 CET" in mail.text
    assert "Until" not in written(duty(ends_at=None)).text


def test_it_says_why_and_where_to_read_on_and_where_to_choose() -> None:
    for form in (written(notice()).text, written(notice()).html):
        for part in ("You were asked.", "https://alarum.example.org/alerts/42", "https://alarum.example.org/me"):
            assert part in form
        assert "/answer/" not in form


def test_a_later_attempt_is_the_same_mail() -> None:
    first, second = written(notice()), written(notice(), minutes=30)
    assert (first.message_id, first.text, first.html) == (second.message_id, second.text, second.html)
    assert first.date != second.date


def test_what_is_about_one_thing_is_one_thread() -> None:
    assert written(incident()).thread == written(incident(status="RESOLVED")).thread
    assert written(incident()).thread != written(incident(incident=4)).thread
    assert written(incident()).thread != written(incident(incident=None, maintenance=3)).thread
    assert written(notice()).thread == letters.thread(Dossier(42, 9, created_at=T0))
    assert written(duty()).thread is None


def test_many_share_a_mail_that_names_the_most_and_counts_the_rest() -> None:
    mail = written(*(notice(number, path=f"/alerts/{number}") for number in range(1, 251)))
    assert mail.subject == "250 updates"
    assert mail.text.count("Accepted by Bob B") == 100
    for form in (mail.text, mail.html):
        assert "/alerts/100\n" in form or '/alerts/100"' in form
        assert "And 150 more." in form
    assert mail.thread is None


def test_nobody_s_text_becomes_markup_or_a_header() -> None:
    evil = incident(
        title="<script>alert(1)</script>\r\nBcc: bob@example.org",
        text="<img src=x onerror=alert(1)> [x](javascript:alert(1)) **bold**",
        lines=("<b>Checkout</b>",),
        reason="<i>",
    )
    for mail in (written(evil), written(evil, notice(2))):
        for markup in ("<script", "<img", "<b>", "<i>", 'href="javascript'):
            assert markup not in mail.html
        assert "<strong>bold</strong>" in mail.html
        assert "Bcc" not in compose(mail, "Alarum <alarum@example.org>")
