"""What a service believes of people, keys and sessions, after these events and no others."""

import base64
from datetime import UTC, datetime, timedelta

from events.accounts import (
    ApikeyIssued,
    ApikeyRevoked,
    Member,
    Role,
    SessionOpened,
    SessionRevoked,
    TeamChanged,
    TeamDeleted,
    UserChanged,
    UserDeleted,
    UserPasswordSet,
    Visibility,
)
from runtime.access import Access, Caller, Name, digest, person_cell
from runtime.vault import Keyring

KEYS = Keyring.parse("k1:" + base64.b64encode(bytes(32)).decode())
T0 = datetime(2026, 3, 1, 3, tzinfo=UTC)
ADA, BOB, CYD = 7, 8, 9


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def stamp(seconds: float) -> int:
    """When a cookie says that it was issued."""
    return int(at(seconds).timestamp())


def given(*events):
    access = Access(KEYS)
    for event in events:
        access.take(event)
    return access


def user(user, role=Role.USER):
    return UserChanged(user=user, role=role, timezone="Europe/Berlin", language="de", at=T0)


def named(user, name):
    return KEYS.seal(person_cell(user), name.dump(), T0)


def key(text, user=ADA, apikey=1):
    return ApikeyIssued(apikey=apikey, user=user, name="ci", digest=digest(text), mask="…", at=T0)


def team(team, *users, visibility=Visibility.PUBLIC, role=Role.RESPONDER):
    members = tuple(Member(user=user, role=role) for user in users)
    return TeamChanged(team=team, name=f"team {team}", visibility=visibility, members=members, at=T0)


def private(number, *users, role=Role.RESPONDER):
    return team(number, *users, visibility=Visibility.PRIVATE, role=role)


def caller(user, role=Role.RESPONDER, *teams):
    return Caller(user, role, frozenset(teams), "web")


ada = Name("Ada", "Example", "ada@example.org")


class TestPeople:
    def test_name_and_address_come_from_the_cell(self):
        access = given(named(ADA, ada), user(ADA))
        person = access.person(ADA)
        assert person is not None
        assert (person.role, person.timezone, person.language, person.name) == (Role.USER, "Europe/Berlin", "de", ada)
        assert (access.name(ADA), access.email(ADA)) == ("Ada Example", "ada@example.org")

    def test_somebody_erased_keeps_a_number_and_no_name(self):
        access = given(named(ADA, ada), user(ADA), UserDeleted(user=ADA, at=T0))
        access.erased("people.v1", "person-7")
        assert access.person(ADA) is None
        assert access.names([ADA]) == {ADA: "user 7"}
        assert access.user_rel(ADA).model_dump(exclude_none=True) == {"id": ADA}

    def test_another_topics_tombstone_erases_no_name(self):
        access = given(named(ADA, ada), user(ADA))
        access.erased("accounts.v1", "person-7")
        assert access.name(ADA) == "Ada Example"


class TestKeys:
    def test_a_key_acts_for_its_person_as_they_are_now(self):
        access = given(user(ADA), key("il1apiX"), user(ADA, Role.ADMIN), team(3, ADA))
        assert access.by_key("il1apiX") == Caller(ADA, Role.ADMIN, frozenset({3}), "api")

    def test_a_revoked_key_acts_for_nobody(self):
        assert given(user(ADA), key("il1apiX"), ApikeyRevoked(apikey=1, at=T0)).by_key("il1apiX") is None

    def test_with_the_person_their_keys_are_gone_and_no_others(self):
        access = given(user(ADA), user(BOB), key("x"), key("y", BOB, 2), UserDeleted(user=ADA, at=T0))
        assert access.by_key("x") is None
        assert access.by_key("y") == Caller(BOB, Role.USER, frozenset(), "api")

    def test_a_digest_is_no_key(self):
        assert given(user(ADA), key("il1apiX")).by_key(digest("il1apiX")) is None


class TestSessions:
    def test_a_signed_session_that_nobody_ended_is_good(self):
        access = given(user(ADA), SessionOpened(session="s", user=ADA, at=T0))
        assert access.by_session("s", ADA, stamp(0)) == Caller(ADA, Role.USER, frozenset(), "web")

    def test_one_that_was_not_heard_of_yet_is_good_by_its_signature(self):
        assert given(user(ADA)).by_session("s", ADA, stamp(0)) is not None

    def test_a_revoked_one_is_not(self):
        access = given(user(ADA), SessionOpened(session="s", user=ADA, at=T0), SessionRevoked(session="s", at=at(1)))
        assert access.by_session("s", ADA, stamp(0)) is None

    def test_a_new_password_voids_what_was_opened_before_it_even_in_the_same_second(self):
        access = given(
            user(ADA),
            SessionOpened(session="old", user=ADA, at=at(0.2)),
            UserPasswordSet(user=ADA, cell="cell-1", at=at(0.5)),
            SessionOpened(session="new", user=ADA, at=at(0.7)),
        )
        assert access.by_session("old", ADA, stamp(0)) is None
        assert access.by_session("new", ADA, stamp(0)) is not None

    def test_a_new_password_voids_older_sessions_that_we_never_heard_of(self):
        access = given(user(ADA), UserPasswordSet(user=ADA, cell="cell-1", at=at(60)))
        assert access.by_session("s", ADA, stamp(59)) is None
        assert access.by_session("s", ADA, stamp(60)) is not None

    def test_a_password_voids_nobody_elses_session(self):
        opened = SessionOpened(session="s", user=ADA, at=T0)
        access = given(user(ADA), user(BOB), opened, UserPasswordSet(user=BOB, cell="cell-1", at=at(9)))
        assert access.by_session("s", ADA, stamp(0)) is not None

    def test_who_left_has_no_session(self):
        assert given(user(ADA), UserDeleted(user=ADA, at=T0)).by_session("s", ADA, stamp(0)) is None

    def test_sessions_of_other_days_are_not_kept(self):
        day = timedelta(days=1)
        access = given(*(SessionOpened(session=str(n), user=ADA, at=T0 + n * day) for n in range(50)))
        assert len(access._sessions) == 1


class TestTeams:
    def test_what_no_team_or_a_public_team_owns_is_everybodys_to_see(self):
        access = given(team(1, ADA))
        assert access.may_see(caller(BOB), [])
        assert access.may_see(caller(BOB), [1])

    def test_what_a_private_team_owns_is_for_its_members_and_administrators(self):
        access = given(private(1, ADA))
        assert access.may_see(caller(ADA, Role.RESPONDER, 1), [1])
        assert access.may_see(caller(CYD, Role.ADMIN), [1])
        assert not access.may_see(caller(BOB), [1])

    def test_private_wins_over_public(self):
        access = given(private(1, ADA), team(2, BOB))
        assert not access.may_see(caller(BOB, Role.RESPONDER, 2), [1, 2])

    def test_what_a_deleted_team_owned_is_public(self):
        assert given(private(1, ADA), TeamDeleted(team=1, at=T0)).may_see(caller(BOB), [1])

    def test_members_of_private_teams_are_seen_by_their_own(self):
        access = given(user(ADA), user(BOB), private(1, ADA, CYD))
        assert not access.may_see_user(caller(BOB), ADA)
        assert access.may_see_user(caller(CYD, Role.RESPONDER, 1), ADA)
        assert access.may_see_user(caller(ADA, Role.RESPONDER, 1), ADA)

    def test_a_public_teams_role_only_raises(self):
        assert given(team(1, ADA, role=Role.USER)).role_in(caller(ADA), [1]) is Role.USER
        assert given(team(1, ADA, role=Role.RESPONDER)).role_in(caller(ADA, Role.USER), [1]) is Role.USER

    def test_a_private_teams_role_replaces(self):
        assert given(private(1, ADA, role=Role.RESPONDER)).role_in(caller(ADA, Role.USER), [1]) is Role.RESPONDER

    def test_stakeholders_are_never_raised(self):
        assert given(team(1, ADA, role=Role.ADMIN)).role_in(caller(ADA, Role.STAKEHOLDER), [1]) is Role.STAKEHOLDER
