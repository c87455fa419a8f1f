"""A person's contacts and preferences: introduced once, changed at will, forgotten for good."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given as for_any
from hypothesis import strategies as st

from events.core import Event, Outcome, Refusal
from events.notifier import (
    AlertPreferenceType,
    ContactChanged,
    ContactDeleted,
    PreferenceDeleted,
    ReachForgotten,
    SubscriptionPreferenceChanged,
    UpdatePreferenceType,
)
from events.shared import Priority
from notifier.domain.reach import (
    Command,
    DeleteContact,
    DeletePreference,
    Forget,
    Forgotten,
    Introduce,
    Offer,
    Reachable,
    SetContact,
    SetDuty,
    SetPreference,
    SetSubscription,
    SetUpdate,
    State,
    Unknown,
    duties_wanted,
    reach,
    subscriptions_wanted,
    updates_wanted,
    wanted_for,
)

T0 = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
ADA = 7
HIGH, LOW = AlertPreferenceType.HIGH_PRIORITY, AlertPreferenceType.LOW_PRIORITY
ACCEPTED = UpdatePreferenceType.ALERT_ACCEPTED

introduce = Introduce(ADA, "a***@example.org", contact=1, high=10, low=11, at=T0)
second = SetContact(ADA, 2, "cell-2", "b***@example.org", T0)


def after(*commands: Command) -> State:
    state: State = Unknown()
    for command in commands:
        outcome = reach.decide(state, command)
        assert not isinstance(outcome, Refusal)
        state = reach.fold(outcome, state)
    return state


def given(*commands: Command) -> Callable[[Command], Outcome]:
    return lambda command: reach.decide(after(*commands), command)


class TestIntroduction:
    def test_the_sign_in_address_is_the_first_contact(self) -> None:
        state = after(introduce)
        assert isinstance(state, Reachable)
        assert [(contact.id, contact.cell, contact.mask) for contact in state.contacts] == [
            (1, None, "a***@example.org")
        ]

    def test_high_is_told_at_once_and_low_after_five_minutes(self) -> None:
        state = after(introduce)
        assert isinstance(state, Reachable)
        wishes = [(one.type, one.contact, one.delay_min) for one in state.preferences]
        assert wishes == [(HIGH, 1, 0), (LOW, 1, 5)]

    def test_a_second_introduction_changes_nothing(self) -> None:
        assert given(introduce)(introduce) == []

    def test_a_new_sign_in_address_shows_in_its_contact_only(self) -> None:
        renamed = Introduce(ADA, "ada***@example.org", contact=5, high=15, low=16, at=T0)
        assert given(introduce, second)(renamed) == [
            ContactChanged(user=ADA, contact=1, cell=None, mask="ada***@example.org", at=T0)
        ]


class TestContacts:
    def test_a_contact_of_a_stranger_is_refused(self) -> None:
        assert given()(second) == Refusal("NOT_FOUND", "There is no user 7")

    def test_deleting_a_contact_deletes_the_preferences_that_used_it(self) -> None:
        assert given(introduce, second)(DeleteContact(ADA, 1, T0)) == [
            PreferenceDeleted(user=ADA, preference=10, at=T0),
            PreferenceDeleted(user=ADA, preference=11, at=T0),
            ContactDeleted(user=ADA, contact=1, at=T0),
        ]

    def test_the_same_address_again_changes_nothing(self) -> None:
        assert given(introduce, second)(second) == []

    def test_a_changed_contact_keeps_its_place(self) -> None:
        moved = SetContact(ADA, 1, "cell-9", "c***@example.org", T0)
        state = after(introduce, second, moved)
        assert isinstance(state, Reachable)
        assert [contact.cell for contact in state.contacts] == ["cell-9", "cell-2"]

    def test_there_is_an_end_to_contacts(self) -> None:
        many = [SetContact(ADA, number, f"cell-{number}", "x", T0) for number in range(2, 21)]
        assert isinstance(given(introduce, *many)(SetContact(ADA, 99, "cell-99", "x", T0)), Refusal)


class TestPreferences:
    def test_a_preference_needs_a_contact_of_the_same_person(self) -> None:
        outcome = given(introduce)(SetPreference(ADA, 12, HIGH, contact=9, delay_min=0, at=T0))
        assert outcome == Refusal("VALIDATION_ERROR", "contact.id: this user has no contact 9")

    def test_a_delay_is_at_most_two_hours(self) -> None:
        assert isinstance(given(introduce)(SetPreference(ADA, 12, HIGH, 1, 121, T0)), Refusal)
        assert isinstance(given(introduce)(SetPreference(ADA, 12, HIGH, 1, -1, T0)), Refusal)
        assert not isinstance(given(introduce)(SetPreference(ADA, 12, HIGH, 1, 120, T0)), Refusal)

    def test_low_alerts_may_be_silent(self) -> None:
        state = after(introduce, DeletePreference(ADA, 11, T0))
        assert isinstance(state, Reachable)
        assert wanted_for(state, Priority.LOW) == ()
        assert [one.id for one in wanted_for(state, Priority.HIGH)] == [10]

    def test_an_unknown_preference_cannot_be_deleted(self) -> None:
        assert given(introduce)(DeletePreference(ADA, 99, T0)) == Refusal("NOT_FOUND", "There is no preference 99")


class TestOtherOccasions:
    def test_who_never_chose_hears_of_subscriptions_by_their_first_contact(self) -> None:
        assert given(introduce, second)(Offer(ADA, 12, T0)) == [
            SubscriptionPreferenceChanged(user=ADA, preference=12, contact=1, at=T0)
        ]

    def test_who_chose_silence_is_not_offered_it_again(self) -> None:
        silent = (introduce, Offer(ADA, 12, T0), DeletePreference(ADA, 12, T0))
        assert given(*silent)(Offer(ADA, 13, T0)) == []

    def test_without_a_contact_nothing_is_offered(self) -> None:
        assert given(introduce, DeleteContact(ADA, 1, T0))(Offer(ADA, 13, T0)) == []

    @pytest.mark.parametrize("minutes", [-15, 1, 45, 1441])
    def test_a_reminder_has_one_of_the_leads(self, minutes: int) -> None:
        refused = given(introduce)(SetDuty(ADA, 12, contact=1, before_min=minutes, at=T0))
        assert refused == Refusal("VALIDATION_ERROR", "beforeMin: must be one of 0, 15, 30, 60, 180, 360, 720, 1440")

    @pytest.mark.parametrize(
        "wish",
        [
            SetDuty(ADA, 12, contact=9, before_min=15, at=T0),
            SetUpdate(ADA, 12, ACCEPTED, contact=9, at=T0),
            SetSubscription(ADA, 12, contact=9, at=T0),
        ],
    )
    def test_each_needs_a_contact_of_the_same_person(self, wish: Command) -> None:
        assert given(introduce)(wish) == Refusal("VALIDATION_ERROR", "contact.id: this user has no contact 9")

    def test_a_preference_never_changes_its_occasion(self) -> None:
        duty = SetDuty(ADA, 12, contact=1, before_min=15, at=T0)
        refused = given(introduce, duty)(SetUpdate(ADA, 12, ACCEPTED, contact=1, at=T0))
        assert refused == Refusal("NOT_FOUND", "There is no preference 12")

    def test_with_a_contact_go_the_preferences_of_every_occasion(self) -> None:
        state = after(
            introduce,
            second,
            SetDuty(ADA, 12, contact=2, before_min=15, at=T0),
            SetUpdate(ADA, 13, ACCEPTED, contact=2, at=T0),
            SetSubscription(ADA, 14, contact=2, at=T0),
            DeleteContact(ADA, 2, T0),
        )
        assert isinstance(state, Reachable)
        assert [one.id for one in state.all_preferences()] == [10, 11]
        assert (duties_wanted(state), updates_wanted(state, ACCEPTED), subscriptions_wanted(state)) == ((), (), ())


class TestForgetting:
    def test_who_left_is_forgotten_once(self) -> None:
        assert given(introduce)(Forget(ADA, T0)) == [ReachForgotten(user=ADA, at=T0)]
        assert given(introduce, Forget(ADA, T0))(Forget(ADA, T0)) == []

    def test_an_introduction_that_comes_late_does_not_bring_them_back(self) -> None:
        assert given(Forget(ADA, T0))(introduce) == []
        assert after(Forget(ADA, T0), introduce) == Forgotten(ADA)


numbers = st.integers(1, 4)
commands: st.SearchStrategy[Command] = st.one_of(
    st.just(introduce),
    st.builds(
        SetContact, st.just(ADA), numbers, st.sampled_from([None, "cell-1", "cell-2"]), st.just("m"), st.just(T0)
    ),
    st.builds(DeleteContact, st.just(ADA), numbers, st.just(T0)),
    st.builds(
        SetPreference,
        st.just(ADA),
        st.integers(1, 12),
        st.sampled_from([HIGH, LOW]),
        numbers,
        st.integers(-1, 121),
        st.just(T0),
    ),
    st.builds(SetDuty, st.just(ADA), st.integers(1, 12), numbers, st.sampled_from([0, 15, 17]), st.just(T0)),
    st.builds(SetUpdate, st.just(ADA), st.integers(1, 12), st.sampled_from(UpdatePreferenceType), numbers, st.just(T0)),
    st.builds(SetSubscription, st.just(ADA), st.integers(1, 12), numbers, st.just(T0)),
    st.builds(Offer, st.just(ADA), st.integers(13, 15), st.just(T0)),
    st.builds(DeletePreference, st.just(ADA), st.integers(1, 12), st.just(T0)),
    st.just(Forget(ADA, T0 + timedelta(hours=1))),
)


def run(asked: list[Command]) -> tuple[State, list[Event]]:
    state: State = Unknown()
    history: list[Event] = []
    for command in asked:
        outcome = reach.decide(state, command)
        if not isinstance(outcome, Refusal):
            state, history = reach.fold(outcome, state), [*history, *outcome]
    return state, history


class TestLaws:
    @for_any(st.lists(commands, max_size=12))
    def test_every_preference_has_its_contact(self, asked: list[Command]) -> None:
        state, _ = run(asked)
        if isinstance(state, Reachable):
            assert {one.contact for one in state.all_preferences()} <= {contact.id for contact in state.contacts}

    @for_any(st.lists(commands, max_size=12), commands)
    def test_the_same_command_twice_decides_nothing_more(self, asked: list[Command], again: Command) -> None:
        state, _ = run([*asked, again])
        outcome = reach.decide(state, again)
        assert isinstance(outcome, Refusal) or outcome == []

    @for_any(st.lists(commands, max_size=12))
    def test_the_history_gives_the_state_back(self, asked: list[Command]) -> None:
        state, history = run(asked)
        assert reach.fold(history) == state
