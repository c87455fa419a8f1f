"""Mails at 3 a.m.: what a subject says, what a storm names, and that nobody's text becomes markup or a header."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from channels.mail import Mail, compose
from events.notifier import Carried, MessageComposed, Method
from events.shared import Link, Priority
from notifier.domain.dossier import Dossier
from notifier.domain.page import Notification, Underway
from notifier.mails import MOST_IN_FULL, Letter, Writer
from web.session import Answer, AnswerLinks
from web.session import AnswerAction as LinkAction
from web.words import Tongue

T0 = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
ADA, BOB = 7, 8
NAMES = {ADA: "Ada A", BOB: "Bob B"}
links = AnswerLinks("a-secret-of-the-suite", T0.timestamp)
writer = Writer("https://alarum.example.org", links)


def known(alert: int = 42, **changes: object) -> Dossier:
    made = Dossier(alert, 1, summary=f"Disk {alert} is full", source_name="Disks", created_at=T0, users=(ADA, BOB))
    return replace(made, **changes)  # type: ignore[arg-type]


def letter(*dossiers: Dossier) -> Letter:
    carries = tuple(Carried(notification=one.alert + 1000, alert=one.alert, user=ADA) for one in dossiers)
    composed = MessageComposed(
        contact=1,
        source=5,
        message=100,
        user=ADA,
        carries=carries,
        place=1,
        window_ends_at=T0 + timedelta(minutes=3),
        at=T0,
    )
    notifications = [
        Notification(
            one.alert + 1000, 1, Method.EMAIL, "a***", 1, 1, 0, 5, "Ada is on call until 08:00.", Underway(100, T0)
        )
        for one in dossiers
    ]
    return Letter(composed, tuple(zip(notifications, dossiers, strict=True)))


def written(*dossiers: Dossier, minutes: float = 0, zone: str = "UTC") -> Mail:
    at = T0 + timedelta(minutes=minutes)
    return writer.write(letter(*dossiers), "ada@example.org", at, Tongue(zone), NAMES)


class TestOneAlert:
    def test_the_subject_is_priority_and_summary(self) -> None:
        assert written(known()).subject == "[HIGH] Disk 42 is full"
        assert written(known(priority=Priority.LOW)).subject == "[LOW] Disk 42 is full"

    def test_it_says_why_and_who_else_and_when_in_the_reader_s_zone(self) -> None:
        text = written(known(), zone="Europe/Berlin").text
        assert "Why you: Ada is on call until 08:00." in text
        assert "Also told: Bob B" in text
        assert "04:00:00 CET" in text

    def test_its_links_answer_for_this_reader_and_notification(self) -> None:
        text = written(known()).text
        token = text.split("/answer/")[1].split()[0]
        assert links.read(token) == Answer(42, ADA, "1042", LinkAction.ACCEPT)

    def test_a_later_attempt_is_the_same_mail(self) -> None:
        first, second = written(known()), written(known(), minutes=30)
        assert (first.message_id, first.thread, first.text, first.html) == (
            second.message_id,
            second.thread,
            second.text,
            second.html,
        )
        assert first.date != second.date

    def test_mails_of_one_alert_are_one_thread(self) -> None:
        assert written(known()).thread == written(known(state="ACCEPTED")).thread
        assert written(known()).thread != written(known(43)).thread

    def test_nobody_s_text_becomes_markup_or_a_header(self) -> None:
        evil = known(
            summary="<script>alert(1)</script>\r\nBcc: bob@example.org",
            details="<img src=x onerror=alert(1)> [x](javascript:alert(1))",
            source_name="<b>",
            links=(
                Link(href="javascript:alert(1)", text="press"),
                Link(href="https://wiki.example.org/disk", text="<i>"),
            ),
        )
        mail = written(evil)
        assert "<script" not in mail.html
        assert "<img" not in mail.html
        assert 'href="javascript' not in mail.html
        assert "<b>" not in mail.html
        assert "https://wiki.example.org/disk" in mail.html
        assert "Bcc" not in compose(mail, "Alarum <alarum@example.org>")

    def test_an_alert_that_was_not_read_yet_is_told_by_its_number(self) -> None:
        mail = written(Dossier(42, users=(ADA,)))
        assert mail.subject == "[HIGH] Alert 42"
        assert "https://alarum.example.org/alerts/42" in mail.text


class TestAStorm:
    def test_the_subject_counts_and_the_text_names_them_all(self) -> None:
        mail = written(*(known(number) for number in range(1, 198)))
        assert mail.subject == "[HIGH] 197 more alerts from Disks"
        for number in range(1, 198):
            assert f"https://alarum.example.org/alerts/{number}\n" in mail.text
            assert f'/alerts/{number}"' in mail.html
        assert mail.text.count("/answer/") == 197

    def test_one_high_alert_makes_it_high(self) -> None:
        low = [known(number, priority=Priority.LOW) for number in (1, 2)]
        assert written(*low).subject.startswith("[LOW]")
        assert written(*low, known(3)).subject.startswith("[HIGH]")

    def test_it_belongs_to_no_alert_s_thread(self) -> None:
        assert written(known(1), known(2)).thread is None


class TestAStormOfThousands:
    many = tuple(known(number) for number in range(1, 4001))

    def test_every_alert_is_named_though_not_each_in_full(self) -> None:
        mail = written(*self.many)
        for body in (mail.text, mail.html):
            assert all(f"Disk {number} is full" in body for number in (1, MOST_IN_FULL, MOST_IN_FULL + 1, 4000))
        assert mail.text.count("Accept") == MOST_IN_FULL
        assert mail.subject == "[HIGH] 4000 more alerts from Disks"

    def test_a_phone_can_open_it(self) -> None:
        assert len(written(*self.many).html) < 1_000_000

    def test_one_high_alert_among_those_named_last_makes_it_high(self) -> None:
        quiet = [replace(one, priority=Priority.LOW) for one in self.many]
        assert written(*quiet).subject.startswith("[LOW]")
        assert written(*quiet[:-1], self.many[-1]).subject.startswith("[HIGH]")


def test_a_test_mail_says_what_it_is() -> None:
    mail = writer.write_test("ada@example.org", 3, T0, Tongue())
    assert mail.subject == "Test from Alarum"
    assert "reach this address" in mail.text
