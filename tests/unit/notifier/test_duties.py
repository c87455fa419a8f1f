"""Reminders of duties ahead: what a plan and a person's wishes say."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import get_args

import pytest
from hypothesis import given as for_any
from hypothesis import strategies as st

from events.escalator import PlannedShift, ShiftsPlanned
from events.notifier import Method, NoticeKind
from notifier.domain import duties
from notifier.domain.duties import Plan, plan_of, reminders
from notifier.domain.notice import Queue
from notifier.domain.reach import BEFORE_MIN, Contact, DutyPreference, Reachable
from notifier.shapes import DutyBody

T0 = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
ADA, BOB = 7, 8


def shift(user: int, start: float, end: float) -> PlannedShift:
    """Hours from now."""
    return PlannedShift(user=user, start=T0 + start * HOUR, end=T0 + end * HOUR, text="Layer Primary")


def planned(*shifts: PlannedShift, name: str = "Primary") -> Plan:
    return plan_of(ShiftsPlanned(schedule=3, name=name, shifts=shifts, until=T0 + 72 * HOUR, at=T0))


def ada(*before: int, contact: int = 1) -> Reachable:
    contacts = (Contact(1, Method.EMAIL, None, "a***"), Contact(2, Method.EMAIL, "cell", "n***"))
    wishes = tuple(DutyPreference(10 + place, Method.EMAIL, contact, minutes) for place, minutes in enumerate(before))
    return Reachable(ADA, contacts, duties=wishes)


def told(plan: Plan, person: Reachable, at: datetime = T0) -> list[tuple[timedelta, timedelta]]:
    """(when it is told, when the duty begins), from now."""
    made = reminders(plan, person, MINUTE, at)
    return [(one.send_at - T0, one.begins_at - T0) for one in made if one.begins_at]


def test_each_duty_is_told_the_chosen_minutes_before() -> None:
    plan = planned(shift(ADA, 5, 13), shift(BOB, 13, 21), shift(ADA, 29, 37))
    assert told(plan, ada(60, 0)) == [
        (5 * HOUR, 5 * HOUR),
        (4 * HOUR, 5 * HOUR),
        (29 * HOUR, 29 * HOUR),
        (28 * HOUR, 29 * HOUR),
    ]


def test_without_a_wish_nobody_is_reminded() -> None:
    assert told(planned(shift(ADA, 5, 13)), ada()) == []


def test_a_minute_is_as_long_as_the_setting_says() -> None:
    (one,) = reminders(planned(shift(ADA, 5, 13)), ada(60), timedelta(seconds=1), T0)
    assert one.send_at == T0 + 5 * HOUR - timedelta(seconds=60)


def test_a_hand_over_to_oneself_is_no_new_duty() -> None:
    plan = planned(shift(ADA, 5, 13), shift(ADA, 13, 21), shift(ADA, 22, 23))
    assert [start for _, start in told(plan, ada(15))] == [5 * HOUR, 22 * HOUR]
    (first, _) = reminders(plan, ada(15), MINUTE, T0)
    assert first.ends_at == T0 + 21 * HOUR


def test_a_duty_that_has_begun_is_told_of_no_more_nor_what_follows_it_at_once() -> None:
    assert told(planned(shift(ADA, -3, 5), shift(ADA, 5, 13)), ada(15)) == []
    assert told(planned(shift(ADA, 0, 5)), ada(0)) == []


def test_of_moments_that_passed_only_the_nearest_is_told_now() -> None:
    assert told(planned(shift(ADA, 0.5, 8)), ada(1440, 60, 15)) == [
        (timedelta(0), HOUR / 2),
        (HOUR / 2 - 15 * MINUTE, HOUR / 2),
    ]


def test_two_wishes_for_one_moment_and_contact_are_one_reminder() -> None:
    assert len(told(planned(shift(ADA, 5, 13)), ada(60, 60))) == 1


def test_a_shift_without_an_end_has_none() -> None:
    endless = PlannedShift(user=ADA, start=T0 + HOUR, end=datetime(9000, 1, 1, tzinfo=UTC))
    (one,) = reminders(planned(endless), ada(15), MINUTE, T0)
    assert one.ends_at is None


def test_it_says_what_it_is_about_and_why() -> None:
    (one,) = reminders(planned(shift(ADA, 5, 13)), ada(60), MINUTE, T0)
    assert (one.kind, one.occasion, one.schedule, one.path) == (NoticeKind.DUTY, "ON_CALL", 3, "/schedules/3")
    assert (one.title, one.text, one.mask) == ("Primary", "Layer Primary", "a***")


@pytest.mark.parametrize(
    ("before", "words"),
    [
        (0, "You wish to be told when your duty begins."),
        (15, "You wish to be reminded 15 minutes before your duty begins."),
        (60, "You wish to be reminded 1 hour before your duty begins."),
        (1440, "You wish to be reminded 24 hours before your duty begins."),
    ],
)
def test_the_reason_says_the_wish(before: int, words: str) -> None:
    (one,) = reminders(planned(shift(ADA, 30, 38)), ada(before), MINUTE, T0)
    assert one.reason == words


def test_an_occurrence_tells_its_schedule_user_and_start() -> None:
    (one,) = reminders(planned(shift(ADA, 5, 13)), ada(60), MINUTE, T0)
    assert one.occurrence.startswith(duties.occurrences(3, ADA))
    assert one.occurrence.startswith(duties.occurrences(3))
    assert (duties.user_of(one.occurrence), duties.start_of(one.occurrence)) == (ADA, T0 + 5 * HOUR)


def test_the_leads_of_the_api_are_those_of_the_rule() -> None:
    assert get_args(DutyBody.model_fields["before_min"].annotation) == BEFORE_MIN


hours = st.integers(-12, 72)
shifts = st.lists(
    st.builds(
        lambda user, start, length: shift(user, start, start + length),
        st.sampled_from([ADA, BOB]),
        hours,
        st.integers(1, 24),
    ),
    max_size=6,
)
wishes = st.lists(st.sampled_from(BEFORE_MIN), max_size=4).map(lambda before: ada(*before))


@for_any(shifts, wishes)
def test_nobody_is_told_twice_of_one_thing_nor_after_it_began(given: list[PlannedShift], person: Reachable) -> None:
    made = reminders(planned(*given), person, MINUTE, T0)
    assert len({one.occurrence for one in made}) == len(made)
    assert all(one.begins_at is not None and T0 <= one.send_at <= one.begins_at for one in made)
    assert all(one.user == ADA for one in made)


@for_any(shifts, wishes)
def test_the_same_plan_gives_the_same_reminders_whatever_the_order(
    given: list[PlannedShift], person: Reachable
) -> None:
    def once(plan: Plan) -> set[Queue]:
        return {replace(one, text="") for one in reminders(plan, person, MINUTE, T0)}

    assert once(planned(*given)) == once(planned(*reversed(given)))


@for_any(shifts)
def test_a_plan_is_kept_as_it_is(given: list[PlannedShift]) -> None:
    plan = planned(*given)
    assert duties.load(duties.dump(plan)) == plan


@for_any(shifts)
def test_duties_of_one_person_never_touch(given: list[PlannedShift]) -> None:
    mine = planned(*given).of(ADA)
    assert all(one.end is not None and one.end < other.start for one, other in pairwise(mine))
