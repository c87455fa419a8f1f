"""From an escalation to a mail, on the shipped machinery in virtual time; what is not expected fails the story."""

from datetime import timedelta
from typing import Any

import pytest

from channels.attempts import Refused, Sent
from channels.mail import Mail
from events.notifier import (
    AlertPreferenceType,
    ContactChanged,
    MessageComposed,
    MessageHeld,
    NotificationFailed,
    NotificationQueued,
    NotificationSent,
    NotificationSuppressed,
    PreferenceChanged,
    ReachForgotten,
)
from events.shared import Priority
from notifier.mails import Letter, Writer
from tests.integration.notifier.house import ADA, BOB, T0, House, told


class TestReaching:
    def test_a_person_on_call_gets_one_mail_at_once(self) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            house.alert(42)
            house.level(42, ADA)
            await house.until(lambda: house.said(NotificationSent))
            ((at, mail),) = house.mail.taken
            assert at < 2
            assert (mail.to, mail.subject) == ("ada@example.org", "[HIGH] Disk 42 is full")
            assert house.story(42, ADA) == ["queued", "dispatched", "sent"]
            (sent,) = house.said(NotificationSent)
            assert (sent.reply, sent.message_id) == ("250 OK queued", mail.message_id)
            await house.passes(minutes=10)
            assert len(house.mail.tries) == 1

        told(story)

    def test_the_mail_says_why_who_else_and_how_to_answer(self) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            house.user(BOB)
            house.alert(42, details="See the **runbook**.")
            house.level(42, ADA, BOB)
            await house.until(lambda: len(house.mail.taken) == 2)
            mail = next(mail for _, mail in house.mail.taken if mail.to == "ada@example.org")
            for form in (mail.text, mail.html):
                assert "Ada is on call." in form
                assert "Bob B" in form
                assert "Ada A" not in form
                assert form.count("http://127.0.0.1:8080/answer/") == 3
                assert "http://127.0.0.1:8080/alerts/42" in form
            assert "<strong>runbook</strong>" in mail.html

        told(story)

    def test_a_low_alert_waits_five_minutes(self) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            house.alert(42, priority=Priority.LOW)
            house.level(42, ADA, priority=Priority.LOW)
            await house.passes(minutes=4, seconds=58)
            assert house.mail.tries == []
            await house.passes(seconds=5)
            assert house.mail.subjects == ["[LOW] Disk 42 is full"]

        told(story)

    def test_minutes_are_as_long_as_the_setting_says(self) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            house.alert(42, priority=Priority.LOW)
            house.level(42, ADA, priority=Priority.LOW)
            await house.passes(seconds=7)
            assert len(house.mail.taken) == 1

        told(story, minute_s=1.0)

    def test_a_level_that_is_redelivered_is_told_once(self) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            house.alert(42)
            house.level(42, ADA)
            await house.until(lambda: house.mail.taken)
            house.level(42, ADA)
            await house.passes(minutes=5)
            assert len(house.mail.tries) == 1

        told(story)

    def test_a_page_for_a_stranger_waits_until_they_are_introduced(self) -> None:
        async def story(house: House) -> None:
            house.alert(42)
            house.level(42, ADA)
            await house.passes(minutes=1)
            assert house.story(42, ADA) == ["parked"]
            house.user(ADA)
            await house.until(lambda: house.said(NotificationSent))
            assert house.story(42, ADA) == ["parked", "queued", "dispatched", "sent"]
            assert len(house.mail.taken) == 1

        told(story)

    def test_the_alert_may_be_heard_of_last(self) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            house.level(42, ADA, version=1)
            house.alert(42)
            await house.until(lambda: house.mail.taken)
            await house.passes(minutes=5)
            assert house.mail.subjects == ["[HIGH] Disk 42 is full"]

        told(story)


class TestAnswers:
    def test_an_acceptance_stops_everybody_s_delayed_mails(self) -> None:
        async def story(house: House) -> None:
            for user in (ADA, BOB):
                house.user(user)
            house.alert(42, priority=Priority.LOW)
            house.level(42, ADA, BOB, priority=Priority.LOW)
            await house.passes(minutes=3)
            house.accepted(42, by=ADA)
            await house.passes(minutes=10)
            assert house.mail.tries == []
            assert house.story(42, ADA) == house.story(42, BOB) == ["queued", "suppressed"]
            assert {one.reason for one in house.said(NotificationSuppressed)} == {"The alert was accepted."}

        told(story)

    def test_the_next_level_does_not_stop_the_delayed_mails_of_the_first(self) -> None:
        async def story(house: House) -> None:
            for user in (ADA, BOB):
                house.user(user)
            house.alert(42, priority=Priority.LOW)
            house.level(42, ADA, priority=Priority.LOW)
            await house.passes(minutes=3)
            house.level(42, BOB, level=1, priority=Priority.LOW)
            await house.passes(minutes=10)
            assert [mail.to for _, mail in house.mail.taken] == ["ada@example.org", "bob@example.org"]

        told(story)

    def test_a_level_that_arrives_after_the_answer_is_not_told(self) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            house.alert(42)
            house.accepted(42)
            house.level(42, ADA, version=1)
            await house.passes(minutes=5)
            assert house.mail.tries == []
            assert house.story(42, ADA) == ["queued", "suppressed"]

        told(story)

    def test_who_is_assigned_afterwards_is_told(self) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            house.alert(42)
            house.accepted(42)
            house.assigned(42, ADA)
            house.level(42, ADA, run=2, version=3)
            await house.until(lambda: house.mail.taken)
            assert house.story(42, ADA) == ["queued", "dispatched", "sent"]

        told(story)

    def test_an_answer_while_the_mail_server_is_away_cancels_the_mail(self) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            house.mail.away()
            house.alert(42)
            house.level(42, ADA)
            await house.passes(seconds=20)
            house.resolved(42)
            house.mail.back()
            await house.passes(minutes=5)
            assert house.mail.taken == []
            assert house.story(42, ADA) == ["queued", "dispatched", "deferred", "suppressed"]
            assert not house.base.deliveries

        told(story)


class TestTheMailServer:
    def test_it_is_away_and_what_waited_goes_within_fifteen_seconds_of_its_return(self) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            house.mail.away()
            house.alert(42)
            house.level(42, ADA)
            await house.passes(seconds=150)
            house.mail.back()
            returned = (house.now - T0).total_seconds()
            await house.until(lambda: house.mail.taken)
            assert house.mail.taken[0][0] - returned <= 15
            await house.until(lambda: house.said(NotificationSent))
            assert house.story(42, ADA) == ["queued", "dispatched", "deferred", "sent"]
            (sent,) = house.said(NotificationSent)
            assert sent.attempt > 5

        told(story)

    def test_a_refusal_is_kept_in_the_server_s_words_and_the_next_contact_is_tried_at_once(self) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            await house.start_web()
            key = house.key(ADA)
            made = await house.call(
                "POST", f"/api/users/{ADA}/contacts/emails", key, {"target": "ada@second.example.org"}
            )
            assert made.status_code == 201
            house.mail.answer = lambda mail: (
                Sent("250 OK") if "second" in mail.to else Refused("550 5.1.1 no such user")
            )
            house.alert(42)
            house.level(42, ADA)
            await house.until(lambda: house.said(NotificationSent))
            assert house.story(42, ADA) == ["queued", "dispatched", "failed", "queued", "dispatched", "sent"]
            assert [one.error for one in house.said(NotificationFailed)] == ["550 5.1.1 no such user"]
            assert [mail.to for _, mail in house.mail.tries] == ["ada@example.org", "ada@second.example.org"]
            assert "next contact" in house.said(NotificationQueued)[-1].reason

        told(story)

    def test_a_refusal_without_another_contact_ends_there(self) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            house.mail.answer = lambda _mail: Refused("550 no")
            house.alert(42)
            house.level(42, ADA)
            await house.passes(minutes=10)
            assert house.story(42, ADA) == ["queued", "dispatched", "failed"]
            assert len(house.mail.tries) == 1

        told(story)

    def test_a_mail_that_cannot_be_written_fails_alone(self, monkeypatch: pytest.MonkeyPatch) -> None:
        write = Writer.write

        def refusing(writer: Writer, letter: Letter, *rest: Any, **more: Any) -> Mail:
            if letter.carries[0][1].alert == 42:
                raise LookupError("a template that broke")
            return write(writer, letter, *rest, **more)

        async def story(house: House) -> None:
            monkeypatch.setattr(Writer, "write", refusing)
            house.user(ADA)
            for alert in (42, 43):
                house.alert(alert)
                house.level(alert, ADA)
            await house.until(lambda: house.said(NotificationSent))
            await house.until(lambda: house.said(NotificationFailed))
            assert house.mail.subjects == ["[HIGH] Disk 43 is full"]
            assert house.story(42, ADA) == ["queued", "dispatched", "failed"]

        told(story)

    def test_a_worker_that_dies_while_sending_sends_again_under_the_same_id_and_says_so(self) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            house.mail.slow_s = 5.0
            house.alert(42)
            house.level(42, ADA)
            await house.until(lambda: house.mail.tries)
            await house.stop_worker(house.workers.pop())
            house.mail.slow_s = 0.0
            await house.start_worker()
            await house.until(lambda: house.said(NotificationSent))
            first, second = [mail for _, mail in house.mail.tries]
            assert first.message_id == second.message_id
            assert (first.is_repeat, second.is_repeat) == (False, True)
            assert house.story(42, ADA) == ["queued", "dispatched", "sent"]

        told(story)


async def held(house: House) -> list[int]:
    """Six alerts at once, a minute later: those three whose mail waits for the window's end (partitions have no order)."""
    house.user(ADA)
    for alert in range(1, 7):
        house.alert(alert)
        house.level(alert, ADA)
    await house.passes(minutes=1)
    return [one.held.alert for one in house.said(MessageHeld)]


class TestStorms:
    def test_two_hundred_alerts_in_ten_seconds_make_four_mails_that_name_them_all(self) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            for alert in range(1000, 1200):
                house.alert(alert)
                house.level(alert, ADA)
                await house.passes(milliseconds=50)
            await house.passes(minutes=10)
            assert len(house.mail.taken) == 4
            gathered = house.mail.taken[-1][1]
            assert gathered.subject == "[HIGH] 197 more alerts from Disks"
            texts = " ".join(mail.text for _, mail in house.mail.taken)
            assert all(f"/alerts/{alert}\n" in texts for alert in range(1000, 1200))
            carriers = {sent.alert: sent.message for sent in house.said(NotificationSent)}
            assert sorted(carriers) == list(range(1000, 1200))
            messages = {composed.message: composed.place for composed in house.said(MessageComposed)}
            assert sorted(messages[message] for message in set(carriers.values())) == [0, 1, 2, 3]

        told(story)

    def test_what_is_answered_while_it_is_held_is_not_named(self) -> None:
        async def story(house: House) -> None:
            first, answered, third = await held(house)
            house.accepted(answered)
            await house.passes(minutes=10)
            assert len(house.mail.taken) == 4
            gathered = house.mail.taken[-1][1].text
            assert f"/alerts/{first}\n" in gathered
            assert f"/alerts/{third}\n" in gathered
            assert f"/alerts/{answered}\n" not in gathered
            assert house.story(answered, ADA) == ["queued", "held", "suppressed"]

        told(story)

    def test_when_all_held_are_answered_there_is_no_fourth_mail(self) -> None:
        async def story(house: House) -> None:
            for alert in await held(house):
                house.resolved(alert)
            await house.passes(minutes=10)
            assert len(house.mail.tries) == 3

        told(story)

    def test_the_window_is_as_long_as_the_setting_says(self) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            for alert in range(1, 6):
                house.alert(alert)
                house.level(alert, ADA)
            await house.passes(seconds=9)
            assert len(house.mail.taken) == 3
            await house.passes(seconds=3)
            assert len(house.mail.taken) == 4

        told(story, storm_window_s=10.0)


class TestLeaving:
    def test_who_leaves_is_forgotten_and_not_told_any_more(self) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            house.alert(42, priority=Priority.LOW)
            house.level(42, ADA, priority=Priority.LOW)
            await house.passes(minutes=1)
            house.deleted(ADA)
            await house.passes(minutes=10)
            assert len(house.said(ReachForgotten)) == 1
            assert house.mail.tries == []
            assert house.story(42, ADA) == ["queued", "suppressed"]

        told(story)

    def test_a_page_for_who_left_says_that_they_cannot_be_reached(self) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            house.deleted(ADA)
            house.alert(42)
            house.level(42, ADA)
            await house.passes(minutes=1)
            assert house.story(42, ADA) == ["unreachable"]

        told(story)


class TestARestore:
    def test_a_mail_that_was_on_its_way_goes_from_an_empty_ledger_under_its_own_id(self) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            house.mail.away()
            house.alert(42)
            house.level(42, ADA)
            await house.passes(seconds=5)
            await house.lose_the_ledger()
            house.mail.back()
            await house.start_worker(deciding=False)
            await house.until(lambda: house.said(NotificationSent))
            assert len(house.mail.taken) == 1
            assert len({mail.message_id for _, mail in house.mail.tries}) == 1
            assert house.story(42, ADA) == ["queued", "dispatched", "deferred", "sent"]

        told(story)

    def test_a_backup_that_holds_the_mail_already_sends_it_once(self) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            house.mail.away()
            house.alert(42)
            house.level(42, ADA)
            await house.passes(seconds=5)
            await house.stop_worker(house.workers.pop())
            house.base.published.clear()
            house.forget_the_last_event(f"page-42-{ADA}")
            house.mail.back()
            await house.start_worker(deciding=False)
            await house.until(lambda: house.said(NotificationSent))
            await house.passes(minutes=1)
            assert len(house.mail.taken) == 1

        told(story)


def test_a_new_person_can_be_reached_at_once() -> None:
    async def story(house: House) -> None:
        house.user(ADA)
        await house.until(lambda: len(house.said(PreferenceChanged)) == 2)
        (contact,) = house.said(ContactChanged)
        assert (contact.cell, contact.mask) == (None, "a***@example.org")
        wishes = [(one.type, one.delay_min) for one in house.said(PreferenceChanged)]
        assert wishes == [(AlertPreferenceType.HIGH_PRIORITY, 0), (AlertPreferenceType.LOW_PRIORITY, 5)]
        assert house.now - T0 < timedelta(seconds=5)

    told(story)
