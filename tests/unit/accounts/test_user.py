"""A user: who may become what, who may leave."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given as for_any
from hypothesis import strategies as st

from accounts.domain.user import (
    EMAIL_TAKEN,
    LAST_ADMIN,
    NO_USER,
    Active,
    Describe,
    Leave,
    Left,
    Profile,
    SetPassword,
    mask,
    user,
)
from events.accounts import Role, UserChanged, UserDeleted, UserPasswordSet

T0 = datetime(2026, 3, 1, 3, tzinfo=UTC)
ADA = 7
RESPONDER = Profile(Role.RESPONDER, "Europe/Berlin", "en", email_mask="a…@example.org")
ADMIN = replace(RESPONDER, role=Role.ADMIN)


def at(minutes):
    return T0 + timedelta(minutes=minutes)


def given(*history):
    return lambda command: user.decide(user.fold(history), command)


def describe(profile=RESPONDER, *, taken=False, last=False, when=0):
    return Describe(ADA, profile, is_email_taken=taken, is_last_admin=last, at=at(when))


def changed(role=Role.RESPONDER, when=0, **fields):
    described = {"timezone": "Europe/Berlin", "language": "en", "email_mask": "a…@example.org", **fields}
    return UserChanged(user=ADA, role=role, at=at(when), **described)


created = changed(created=True)
left = UserDeleted(user=ADA, at=at(5))


class TestDescribing:
    def test_a_new_user_is_created(self):
        assert given()(describe()) == [created]

    def test_a_changed_one_is_told_whole(self):
        assert given(created)(describe(replace(RESPONDER, position="Lead"), when=1)) == [
            changed(when=1, position="Lead")
        ]

    def test_the_same_again_changes_nothing(self):
        assert given(created)(describe(when=1)) == []

    def test_an_address_that_somebody_has_is_refused(self):
        assert given()(describe(taken=True)) == EMAIL_TAKEN
        assert given(created)(describe(taken=True, when=1)) == EMAIL_TAKEN

    def test_the_last_administrator_stays_one(self):
        assert given(changed(Role.ADMIN))(describe(last=True, when=1)) == LAST_ADMIN

    def test_the_last_administrator_may_change_otherwise(self):
        moved = replace(ADMIN, timezone="Asia/Tokyo")
        assert given(changed(Role.ADMIN))(describe(moved, last=True, when=1)) == [
            changed(Role.ADMIN, when=1, timezone="Asia/Tokyo")
        ]

    def test_one_of_several_administrators_may_step_down(self):
        assert given(changed(Role.ADMIN))(describe(when=1)) == [changed(when=1)]

    def test_who_left_never_comes_back_under_this_id(self):
        assert given(created, left)(describe(when=9)) == NO_USER


class TestPassword:
    def test_a_user_gets_one(self):
        password_set = UserPasswordSet(user=ADA, cell="cell-1", at=at(1))
        assert given(created)(SetPassword("cell-1", at(1))) == [password_set]
        state = user.fold([created, password_set])
        assert isinstance(state, Active)
        assert state.password_cell == "cell-1"

    def test_a_changed_profile_keeps_it(self):
        state = user.fold(
            [created, UserPasswordSet(user=ADA, cell="cell-1", at=at(1)), changed(when=2, position="Lead")]
        )
        assert isinstance(state, Active)
        assert (state.password_cell, state.created_at, state.updated_at) == ("cell-1", at(0), at(2))

    def test_nobody_and_who_left_get_none(self):
        assert given()(SetPassword("cell-1", at(1))) == NO_USER
        assert given(created, left)(SetPassword("cell-1", at(9))) == NO_USER


class TestLeaving:
    def test_a_user_leaves(self):
        assert given(created)(Leave(is_last_admin=False, at=at(5))) == [left]

    def test_the_last_administrator_does_not(self):
        assert given(changed(Role.ADMIN))(Leave(is_last_admin=True, at=at(5))) == LAST_ADMIN

    def test_who_is_not_there_does_not_leave_again(self):
        assert given()(Leave(is_last_admin=False, at=at(5))) == []
        assert given(created, left)(Leave(is_last_admin=False, at=at(6))) == []


def test_a_mask_tells_no_local_part():
    assert mask("ada@example.org") == "a***@example.org"
    assert mask("@") == "***@"


profiles = st.builds(
    Profile, st.sampled_from(list(Role)), st.just("UTC"), st.just("en"), position=st.none() | st.just("Lead")
)
commands = st.one_of(
    st.builds(Describe, st.just(ADA), profiles, st.booleans(), st.booleans(), st.just(at(1))),
    st.builds(SetPassword, st.just("cell-1"), st.just(at(2))),
    st.builds(Leave, st.booleans(), st.just(at(3))),
)


def events_of(outcome):
    return outcome if isinstance(outcome, list) else []


class TestLaws:
    @for_any(
        st.lists(commands),
        st.one_of(
            st.builds(Describe, st.just(ADA), profiles, st.booleans(), st.booleans(), st.just(at(1))),
            st.builds(Leave, st.booleans(), st.just(at(3))),
        ),
    )
    def test_the_same_command_twice_decides_nothing_more(self, asked, again):
        state = user.initial
        for command in [*asked, again]:
            state = user.fold(events_of(user.decide(state, command)), state)
        assert events_of(user.decide(state, again)) == []

    @for_any(st.lists(st.sampled_from([created, changed(when=1), left, UserPasswordSet(user=ADA, cell="c", at=at(1))])))
    def test_any_history_folds_and_leaving_is_final(self, history):
        assert isinstance(user.fold(history), Left) == (left in history)
