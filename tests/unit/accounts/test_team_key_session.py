"""Teams, API keys and sessions: short lives with a final end."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given as for_any
from hypothesis import strategies as st

from accounts.domain import apikey, session, team
from accounts.domain.team import NO_TEAM, Admit, Disband, Dismiss, Shape
from events.accounts import (
    ApikeyIssued,
    ApikeyRevoked,
    Member,
    Role,
    SessionOpened,
    SessionRevoked,
    TeamChanged,
    TeamDeleted,
    Visibility,
)

T0 = datetime(2026, 3, 1, 3, tzinfo=UTC)
ADA, BOB = Member(user=7, role=Role.USER), Member(user=8)


def at(minutes):
    return T0 + timedelta(minutes=minutes)


def changed(*members, name="Ops", visibility=Visibility.PUBLIC, when=0):
    return TeamChanged(team=3, name=name, visibility=visibility, members=members, at=at(when))


def shape(*members, name="Ops", when=0):
    return Shape(3, name, Visibility.PUBLIC, members, at(when))


def given(decider, *history):
    return lambda command: decider.decide(decider.fold(history), command)


formed, gone = changed(ADA), TeamDeleted(team=3, at=at(5))


class TestTeam:
    def test_it_is_formed_renamed_and_disbanded(self):
        assert given(team.team)(shape(ADA)) == [formed]
        assert given(team.team, formed)(shape(ADA, name="Web", when=1)) == [changed(ADA, name="Web", when=1)]
        assert given(team.team, formed)(Disband(at(5))) == [gone]

    def test_what_it_is_already_changes_nothing(self):
        assert given(team.team, formed)(shape(ADA, when=1)) == []

    def test_a_member_is_admitted_at_the_end_and_keeps_the_place_with_a_new_role(self):
        assert given(team.team, formed)(Admit(BOB, at(1))) == [changed(ADA, BOB, when=1)]
        raised = Member(user=7, role=Role.ADMIN)
        assert given(team.team, changed(ADA, BOB))(Admit(raised, at(1))) == [changed(raised, BOB, when=1)]
        assert given(team.team, formed)(Admit(ADA, at(1))) == []

    def test_a_member_is_dismissed_and_a_stranger_is_none(self):
        assert given(team.team, changed(ADA, BOB))(Dismiss(7, at(1))) == [changed(BOB, when=1)]
        assert given(team.team, formed)(Dismiss(8, at(1))) == []

    @pytest.mark.parametrize("command", [shape(ADA, when=9), Admit(BOB, at(9))])
    def test_after_its_end_it_takes_nobody(self, command):
        assert given(team.team, formed, gone)(command) == NO_TEAM

    def test_before_it_is_formed_and_after_its_end_there_is_nothing_to_end(self):
        assert given(team.team)(Disband(at(9))) == []
        assert given(team.team, formed, gone)(Disband(at(9))) == []
        assert given(team.team)(Admit(BOB, at(9))) == NO_TEAM

    @for_any(st.lists(st.sampled_from([Admit(ADA, T0), Admit(BOB, T0), Dismiss(7, T0), Dismiss(8, T0), shape(BOB)])))
    def test_nobody_is_a_member_twice_and_nothing_is_said_twice(self, asked):
        state = team.team.fold([formed])
        for command in asked:
            decided = team.team.decide(state, command)
            assert isinstance(decided, list)
            state = team.team.fold(decided, state)
            assert team.team.decide(state, command) == []
        assert isinstance(state, team.Formed)
        users = [member.user for member in state.members]
        assert len(users) == len(set(users))


class TestApikey:
    issue = apikey.Issue(1, 7, "ci", "digest", "il1api…1234", at(0))
    issued = ApikeyIssued(apikey=1, user=7, name="ci", digest="digest", mask="il1api…1234", at=at(0))
    revoked = ApikeyRevoked(apikey=1, at=at(1))

    def test_it_is_issued_once_and_revoked_once(self):
        assert given(apikey.apikey)(self.issue) == [self.issued]
        assert given(apikey.apikey, self.issued)(self.issue) == []
        assert given(apikey.apikey, self.issued)(apikey.Revoke(at(1))) == [self.revoked]
        assert given(apikey.apikey, self.issued, self.revoked)(apikey.Revoke(at(2))) == []
        assert given(apikey.apikey)(apikey.Revoke(at(2))) == []

    def test_a_revoked_one_is_never_issued_again(self):
        assert given(apikey.apikey, self.issued, self.revoked)(self.issue) == []

    def test_the_mask_shows_its_kind_and_its_end(self):
        assert apikey.masked("il1api0123456789abcdef") == "il1api…cdef"


class TestSession:
    opened = SessionOpened(session="s", user=7, at=at(0))
    over = SessionRevoked(session="s", at=at(1))

    def test_it_opens_once_and_ends_once(self):
        assert given(session.session)(session.Open("s", 7, at(0))) == [self.opened]
        assert given(session.session, self.opened)(session.End(at(1))) == [self.over]
        assert given(session.session, self.opened, self.over)(session.End(at(2))) == []

    def test_one_that_never_opened_has_no_end(self):
        assert given(session.session)(session.End(at(1))) == []

    def test_after_its_end_it_does_not_open_again(self):
        assert given(session.session, self.opened, self.over)(session.Open("s", 7, at(2))) == []
