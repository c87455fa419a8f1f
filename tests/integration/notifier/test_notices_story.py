"""What people hear without being called, on the shipped machinery in virtual time; what is not expected fails the story."""

from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest

from channels.attempts import Refused
from channels.mail import Mail
from events.escalator import ScheduleDeleted
from events.notifier import (
    DigestComposed,
    NoticeCancelled,
    NoticeFailed,
    NoticeQueued,
    NoticeSent,
    NotificationSent,
    SubscriptionPreferenceChanged,
)
from events.statuspage import Occasion
from notifier.bulletins import Announcer, Bulletin
from notifier.notices import CONTACT_GONE, NOT_PLANNED, TOLD_ANEW
from notifier.planning import GONE
from tests.integration.notifier.house import ADA, BOB, CYD, House, told

WISHES = "/api/users/{user}/notification-preferences/{kind}"


def at_the_edge(story: Callable[[House], Awaitable[None]], **more: Any) -> None:
    """Run a story with a worker and a web role."""

    async def with_web(house: House) -> None:
        await house.start_web()
        await story(house)

    told(with_web, **more)


async def wish(house: House, user: int, kind: str, **body: Any) -> int:
    """This user sets a preference for their first address; its id."""
    key = house.key(user)
    contact = (await house.call("GET", f"/api/users/{user}/contacts/emails", key)).json()[0]["id"]
    path = WISHES.format(user=user, kind=kind)
    made = await house.call("POST", path, key, {"method": "EMAIL", "contact": {"id": contact}, **body})
    assert made.status_code == 201, made.text
    number: int = made.json()["id"]
    return number


async def everybody(house: House, *kinds: str) -> None:
    """Ada, Bob and Cyd are here, and wish for these updates."""
    for user in (ADA, BOB, CYD):
        house.user(user)
        for kind in kinds:
            await wish(house, user, "updates", type=kind)


def updates(house: House) -> list[tuple[str, str]]:
    """(to, subject) of the mails that call nobody, in order."""
    return sorted((mail.to, mail.subject) for _, mail in house.mail.taken if "/answer/" not in mail.text)


def ends(house: House) -> Mapping[int, int]:
    """How many ends each notice has."""
    over = [*house.said(NoticeSent), *house.said(NoticeFailed), *house.said(NoticeCancelled)]
    return Counter(one.notice for one in over)


class TestUpdates:
    def test_the_other_responders_hear_who_accepted_and_what_the_tool_resolved(self) -> None:
        async def story(house: House) -> None:
            await everybody(house, "ALERT_ACCEPTED", "ALERT_RESOLVED")
            house.alert(42)
            house.level(42, ADA, BOB)
            await house.until(lambda: len(house.said(NotificationSent)) == 2)
            house.accepted(42, ADA)
            await house.until(lambda: house.said(NoticeSent))
            assert updates(house) == [("bob@example.org", "Accepted by Ada A: Disk 42 is full")]
            house.resolved(42)
            await house.until(lambda: len(house.said(NoticeSent)) == 3)
            await house.passes(minutes=10)
            assert updates(house) == [
                ("ada@example.org", "Resolved by the monitoring tool: Disk 42 is full"),
                ("bob@example.org", "Accepted by Ada A: Disk 42 is full"),
                ("bob@example.org", "Resolved by the monitoring tool: Disk 42 is full"),
            ]
            assert set(ends(house).values()) == {1}

        at_the_edge(story)

    def test_an_update_is_in_the_thread_of_the_mail_that_called(self) -> None:
        async def story(house: House) -> None:
            await everybody(house, "ALERT_ACCEPTED")
            house.alert(42)
            house.level(42, BOB)
            await house.until(lambda: house.said(NotificationSent))
            house.accepted(42, ADA)
            await house.until(lambda: house.said(NoticeSent))
            (_, page), (_, update) = house.mail.taken
            assert page.thread == update.thread
            assert "http://127.0.0.1:8080/alerts/42" in update.text
            assert "http://127.0.0.1:8080/me" in update.text
            (queued,) = house.said(NoticeQueued)
            assert (queued.alert, queued.key) == (42, "alert-42")
            assert "Ada A" in update.text
            records = house.cluster.records("notifications.v1")
            assert not any(b"Ada A" in record.value for record in records if record.value is not None)

        at_the_edge(story)

    def test_an_escalation_is_told_to_those_who_were_asked_before_and_calls_the_next(self) -> None:
        async def story(house: House) -> None:
            await everybody(house, "ALERT_ESCALATED")
            house.alert(42)
            house.level(42, ADA)
            await house.until(lambda: house.said(NotificationSent))
            house.level(42, BOB, level=1, by=CYD)
            await house.passes(minutes=5)
            assert updates(house) == [("ada@example.org", "Escalated by Cyd C: Disk 42 is full")]
            assert len(house.said(NotificationSent)) == 2

        at_the_edge(story)

    def test_without_a_wish_nobody_hears_of_others(self) -> None:
        async def story(house: House) -> None:
            await everybody(house)
            house.alert(42)
            house.level(42, ADA, BOB)
            await house.until(lambda: len(house.said(NotificationSent)) == 2)
            house.accepted(42, ADA)
            house.resolved(42)
            await house.passes(minutes=10)
            assert house.said(NoticeQueued) == []
            assert len(house.mail.tries) == 2

        at_the_edge(story)

    def test_two_hundred_resolved_at_once_make_four_mails(self) -> None:
        async def story(house: House) -> None:
            await everybody(house, "ALERT_RESOLVED")
            for alert in range(1000, 1200):
                house.alert(alert)
                house.level(alert, ADA)
            await house.passes(minutes=10)
            called = len(house.mail.taken)
            for alert in range(1000, 1200):
                house.resolved(alert)
            await house.passes(minutes=10)
            assert len(house.mail.taken) - called == 4
            assert house.mail.subjects[-1] == "197 updates"
            assert "And 97 more." in house.mail.taken[-1][1].text
            assert len(ends(house)) == 200
            assert set(ends(house).values()) == {1}

        at_the_edge(story)

    def test_an_alert_lists_whom_it_called_and_whom_it_told(self) -> None:
        async def story(house: House) -> None:
            await everybody(house, "ALERT_ACCEPTED")
            house.alert(42)
            house.level(42, ADA, BOB)
            await house.until(lambda: len(house.said(NotificationSent)) == 2)
            house.accepted(42, ADA)
            await house.until(lambda: house.said(NoticeSent))
            listed = (await house.call("GET", "/api/alerts/42/notifications", house.key(ADA))).json()
            *_, update = listed
            assert [one.get("occasion") for one in listed] == [None, None, "ALERT_ACCEPTED"]
            assert len({one["id"] for one in listed}) == 3
            assert (update["user"]["id"], update["status"], update["target"]) == (BOB, "SUCCESS", "b***@example.org")
            assert "level" not in update

        at_the_edge(story)


class TestReminders:
    """A minute lasts a second here: the nights are long."""

    def test_a_duty_is_told_the_chosen_minutes_before_in_the_reader_s_zone(self) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            await wish(house, ADA, "duties", beforeMin=60, type="ON_CALL")
            await wish(house, ADA, "duties", beforeMin=0)
            house.planned((ADA, 120, 600), (BOB, 600, 900))
            await house.passes(seconds=59)
            assert house.mail.tries == []
            await house.passes(seconds=2)
            assert house.mail.subjects == ["You are on call from 1 Mar, 03:02: Primary"]
            await house.passes(seconds=60)
            assert house.mail.subjects[1:] == ["You are on call now: Primary"]
            assert "Until Sun 1 Mar 2026, 03:10:00 UTC" in house.mail.taken[-1][1].text
            await house.passes(minutes=24)
            assert len(house.mail.tries) == 2

        at_the_edge(story, minute_s=1.0)

    def test_a_new_plan_cancels_what_does_not_hold_and_keeps_what_stands(self) -> None:
        async def story(house: House) -> None:
            for user in (ADA, BOB):
                house.user(user)
                await wish(house, user, "duties", beforeMin=15)
            house.planned((ADA, 120, 240), (ADA, 600, 700))
            await house.until(lambda: len(house.said(NoticeQueued)) == 2)
            house.planned((BOB, 120, 240), (ADA, 600, 700))
            await house.until(lambda: house.said(NoticeCancelled))
            await house.passes(seconds=700)
            assert updates(house) == [
                ("ada@example.org", "You are on call from 1 Mar, 03:10: Primary"),
                ("bob@example.org", "You are on call from 1 Mar, 03:02: Primary"),
            ]
            assert [one.reason for one in house.said(NoticeCancelled)] == [NOT_PLANNED]
            assert set(ends(house).values()) == {1}

        at_the_edge(story, minute_s=1.0)

    def test_a_duty_that_comes_back_is_told_after_all_and_one_that_was_told_is_not_told_again(self) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            await wish(house, ADA, "duties", beforeMin=15)
            for plan in ([(ADA, 120, 240)], [], [(ADA, 120, 240)]):
                house.planned(*plan)
                await house.passes(seconds=1)
            await house.passes(seconds=104)
            assert len(house.mail.taken) == 1
            house.planned((ADA, 120, 300))
            await house.passes(seconds=300)
            assert len(house.mail.tries) == 1

        at_the_edge(story, minute_s=1.0)

    def test_another_end_is_told_rightly(self) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            await wish(house, ADA, "duties", beforeMin=15)
            house.planned((ADA, 120, 240))
            await house.passes(seconds=1)
            house.planned((ADA, 120, 300))
            await house.passes(seconds=300)
            ((_, mail),) = house.mail.taken
            assert "Until Sun 1 Mar 2026, 03:05:00 UTC" in mail.text
            assert [one.reason for one in house.said(NoticeCancelled)] == [TOLD_ANEW]

        at_the_edge(story, minute_s=1.0)

    def test_a_wish_that_comes_after_the_plan_counts_and_one_that_goes_is_obeyed(self) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            house.planned((ADA, 120, 240), (ADA, 600, 700))
            await house.passes(seconds=1)
            number = await wish(house, ADA, "duties", beforeMin=60)
            path = WISHES.format(user=ADA, kind=f"duties/{number}")
            before = (await house.call("GET", path, house.key(ADA))).json()
            assert (await house.call("PUT", path, house.key(ADA), before | {"beforeMin": 30})).status_code == 200
            await house.passes(seconds=88)
            assert house.mail.tries == []
            await house.passes(seconds=2)
            assert len(house.mail.taken) == 1
            assert (await house.call("DELETE", path, house.key(ADA))).status_code == 204
            await house.passes(seconds=700)
            assert len(house.mail.tries) == 1
            assert set(ends(house).values()) == {1}

        at_the_edge(story, minute_s=1.0)

    def test_who_leaves_is_reminded_no_more(self) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            await wish(house, ADA, "duties", beforeMin=15)
            house.planned((ADA, 120, 240))
            await house.passes(seconds=1)
            house.deleted(ADA)
            await house.passes(seconds=300)
            assert house.mail.tries == []
            assert [one.reason for one in house.said(NoticeCancelled)] == [GONE]

        at_the_edge(story, minute_s=1.0)

    def test_a_deleted_schedule_reminds_nobody(self) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            await wish(house, ADA, "duties", beforeMin=15)
            house.planned((ADA, 120, 240))
            await house.passes(seconds=1)
            house.says(ScheduleDeleted(schedule=3, at=house.now))
            await house.passes(seconds=300)
            assert house.mail.tries == []

        at_the_edge(story, minute_s=1.0)


class TestSubscriptions:
    def test_who_subscribed_hears_by_their_first_address_though_they_chose_nothing(self) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            house.announced(1, ADA)
            await house.until(lambda: house.said(NoticeSent))
            ((at, mail),) = house.mail.taken
            assert at < 2
            assert (mail.to, mail.subject) == ("ada@example.org", "[Investigating] Payments fail")
            for part in ("Checkout: Major outage", "We look into it.", "/incidents/3", "You follow Checkout."):
                assert part in mail.text
                assert part in mail.html
            house.announced(2, ADA, occasion=Occasion.INCIDENT_RESOLVED, status="RESOLVED")
            await house.until(lambda: len(house.mail.taken) == 2)
            assert house.mail.taken[1][1].thread == mail.thread
            await house.passes(minutes=10)
            assert len(house.mail.tries) == 2

        told(story)

    def test_who_is_not_known_yet_is_met_then(self) -> None:
        async def story(house: House) -> None:
            house.announced(1, ADA)
            await house.passes(minutes=1)
            assert house.mail.tries == []
            house.user(ADA)
            await house.until(lambda: house.said(NoticeSent))
            assert [mail.to for _, mail in house.mail.taken] == ["ada@example.org"]
            assert len(house.said(SubscriptionPreferenceChanged)) == 1

        told(story)

    def test_who_was_introduced_before_there_were_subscriptions_hears_as_newcomers_do(self) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            await house.until(lambda: house.said(SubscriptionPreferenceChanged))
            house.forget_the_last_event(f"reach-{ADA}")
            house.announced(1, ADA)
            await house.until(lambda: house.said(NoticeSent))
            assert [mail.to for _, mail in house.mail.taken] == ["ada@example.org"]

        told(story)

    def test_who_chose_silence_hears_nothing(self) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            path = WISHES.format(user=ADA, kind="subscriptions")
            ((first),) = (await house.call("GET", path, house.key(ADA))).json()
            assert (await house.call("DELETE", f"{path}/{first['id']}", house.key(ADA))).status_code == 204
            house.announced(1, ADA)
            await house.passes(minutes=5)
            assert house.mail.tries == []

        at_the_edge(story)

    def test_what_was_announced_long_ago_is_news_no_more(self) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            house.announced(1, ADA, age=timedelta(hours=25))
            house.announced(2, ADA, age=timedelta(hours=23))
            await house.passes(minutes=5)
            assert len(house.mail.taken) == 1

        told(story)

    def test_an_announcement_that_is_redelivered_is_told_once(self) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            house.announced(1, ADA)
            await house.until(lambda: house.said(NoticeSent))
            house.announced(1, ADA)
            await house.passes(minutes=5)
            assert len(house.mail.tries) == 1

        told(story)


class TestFates:
    def test_the_server_s_refusal_ends_it_in_its_words(self) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            house.mail.answer = lambda _mail: Refused("550 5.1.1 no such user")
            house.announced(1, ADA)
            await house.until(lambda: house.said(NoticeFailed))
            await house.passes(minutes=5)
            assert [one.error for one in house.said(NoticeFailed)] == ["550 5.1.1 no such user"]
            assert len(house.mail.tries) == 1

        told(story)

    def test_a_server_that_is_away_is_waited_for(self) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            house.mail.away()
            house.announced(1, ADA)
            await house.passes(minutes=30)
            assert ends(house) == {}
            house.mail.back()
            await house.until(lambda: house.said(NoticeSent))
            assert len({mail.message_id for _, mail in house.mail.tries}) == 1
            assert set(ends(house).values()) == {1}

        told(story)

    def test_a_page_does_not_wait_for_a_notice_to_the_same_contact(self) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            house.mail.slow_s = 20.0
            house.announced(1, ADA)
            await house.until(lambda: house.mail.tries)
            house.mail.slow_s = 0.0
            house.alert(42)
            house.level(42, ADA)
            await house.until(lambda: house.said(NotificationSent))
            assert house.said(NoticeSent) == []

        told(story)

    def test_a_contact_that_goes_meanwhile_is_said(self) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            house.mail.away()
            house.announced(1, ADA)
            await house.passes(minutes=1)
            key = house.key(ADA)
            ((contact),) = (await house.call("GET", f"/api/users/{ADA}/contacts/emails", key)).json()
            gone = await house.call("DELETE", f"/api/users/{ADA}/contacts/emails/{contact['id']}", key)
            assert gone.status_code == 204
            house.mail.back()
            await house.until(lambda: house.said(NoticeCancelled))
            assert [one.reason for one in house.said(NoticeCancelled)] == [CONTACT_GONE]
            assert house.mail.taken == []

        at_the_edge(story)

    def test_a_mail_that_cannot_be_written_fails_and_the_next_one_goes(self, monkeypatch: pytest.MonkeyPatch) -> None:
        write = Announcer.write

        def refusing(announcer: Announcer, bulletin: Bulletin, *rest: Any, **more: Any) -> Mail:
            if bulletin.notices[0].incident == 3:
                raise LookupError("a template that broke")
            return write(announcer, bulletin, *rest, **more)

        async def story(house: House) -> None:
            monkeypatch.setattr(Announcer, "write", refusing)
            house.user(ADA)
            house.announced(1, ADA)
            house.announced(2, ADA, incident=4)
            await house.until(lambda: house.said(NoticeSent) and house.said(NoticeFailed))
            assert len(house.mail.taken) == 1

        told(story)

    def test_a_worker_that_dies_while_sending_sends_again_under_the_same_id_and_says_so(self) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            house.mail.slow_s = 5.0
            house.announced(1, ADA)
            await house.until(lambda: house.mail.tries)
            await house.stop_worker(house.workers.pop())
            house.mail.slow_s = 0.0
            await house.start_worker()
            await house.until(lambda: house.said(NoticeSent))
            first, second = [mail for _, mail in house.mail.tries]
            assert first.message_id == second.message_id
            assert (first.is_repeat, second.is_repeat) == (False, True)

        told(story)

    def test_from_an_empty_ledger_what_was_on_its_way_goes_and_nothing_is_told_twice(self) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            house.announced(1, ADA)
            await house.until(lambda: house.said(NoticeSent))
            house.mail.away()
            house.announced(2, ADA)
            await house.until(lambda: len(house.said(DigestComposed)) == 2)
            await house.passes(seconds=5)
            await house.lose_the_ledger()
            house.mail.back()
            await house.start_worker(deciding=False)
            await house.until(lambda: len(house.said(NoticeSent)) == 2)
            await house.passes(minutes=10)
            assert len(house.mail.taken) == 2
            assert len({mail.message_id for _, mail in house.mail.tries}) == 2
            assert set(ends(house).values()) == {1}

        told(story)

    def test_a_reader_that_never_read_these_topics_tells_of_nothing_that_is_over(self) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            await wish(house, ADA, "duties", beforeMin=60)
            await house.stop_worker(house.workers.pop())
            house.base.positions = {
                (reader, place): position
                for (reader, place), position in house.base.positions.items()
                if place[0] not in {"oncall.v1", "incidents.v1"}
            }
            house.planned((ADA, 90, 120))
            await house.passes(minutes=3)
            house.announced(1, ADA, age=timedelta(days=2))
            house.planned((ADA, 300, 360))
            await house.start_worker()
            await house.passes(minutes=5)
            assert house.mail.subjects == ["You are on call from 1 Mar, 03:05: Primary"]

        at_the_edge(story, minute_s=1.0)
