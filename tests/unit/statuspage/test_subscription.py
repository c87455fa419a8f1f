"""Who hears of what: by name, through a team, and not at all after leaving."""

from collections.abc import Iterable
from datetime import UTC, datetime

from hypothesis import given as for_any
from hypothesis import strategies as st

from events.core import Event
from events.statuspage import Subject, SubscriptionAdded, SubscriptionRemoved, Told
from statuspage.domain.announcement import Heard, audience, hears
from statuspage.domain.subscription import (
    MOST,
    TOO_MANY,
    About,
    Add,
    Command,
    Remove,
    Replace,
    Subscribed,
    Who,
    decide,
    evolve,
)
from statuspage.domain.subscription import subscription as decider
from statuspage.streams import SUBSCRIPTION

T0 = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
CHECKOUT = About(Subject.SERVICE, 3)
ADA, BOB, CYD = 7, 8, 9
OPS, WEB = 1, 2
TEAMS = {OPS: (ADA, BOB), WEB: (BOB, CYD)}


def user(number: int) -> Who:
    return Who(user=number)


def team(number: int) -> Who:
    return Who(team=number)


def add(*who: Who, by: int = BOB) -> Add:
    return Add(CHECKOUT, who, by, T0)


def leave(who: int) -> Remove:
    return Remove(CHECKOUT, user(who), who, T0)


def after(*commands: Command) -> Subscribed:
    state = Subscribed()
    for command in commands:
        outcome = decide(state, command)
        assert isinstance(outcome, list), outcome
        state = decider.fold(outcome, state)
    return state


def members_of(number: int) -> Iterable[int]:
    return TEAMS.get(number, ())


def told(*heard: Heard, without: Iterable[int] = ()) -> dict[int, str]:
    found = audience(heard, members_of, lambda number: f"T{number}", without=without)
    return {one.user: one.reason for one in found}


class TestSubscribing:
    def test_each_is_there_once_users_and_teams_apart(self) -> None:
        assert after(add(user(1), team(1), user(1)), add(user(1))) == Subscribed(users=(1,), teams=(1,))

    def test_who_is_there_already_is_no_news(self) -> None:
        assert decide(after(add(user(ADA))), add(user(ADA))) == []

    def test_who_is_removed_by_others_comes_back_with_their_team(self) -> None:
        removed = after(add(user(ADA), team(OPS)), Remove(CHECKOUT, user(ADA), BOB, T0))
        assert removed == Subscribed(teams=(OPS,))
        assert hears(removed, ADA, members_of)

    def test_leaving_beats_the_team_and_coming_back_beats_leaving(self) -> None:
        left = after(add(team(OPS)), leave(ADA))
        assert left == Subscribed(teams=(OPS,), left=(ADA,))
        assert not hears(left, ADA, members_of)
        assert not hears(after(add(team(OPS)), leave(ADA), add(team(WEB))), ADA, members_of)
        assert hears(after(add(team(OPS)), leave(ADA), add(user(ADA))), ADA, members_of)

    def test_leaving_twice_is_no_news(self) -> None:
        assert decide(after(leave(ADA)), leave(ADA)) == []

    def test_others_cannot_be_removed_who_are_not_there(self) -> None:
        assert decide(Subscribed(), Remove(CHECKOUT, user(ADA), BOB, T0)) == []
        assert decide(Subscribed(), Remove(CHECKOUT, team(OPS), BOB, T0)) == []

    def test_a_list_replaces_the_one_before_and_keeps_who_left(self) -> None:
        replaced = after(add(user(ADA), team(OPS)), leave(CYD), Replace(CHECKOUT, (user(BOB), team(OPS)), ADA, T0))
        assert replaced == Subscribed(users=(BOB,), teams=(OPS,), left=(CYD,))

    def test_there_is_a_limit_by_name(self) -> None:
        everybody = tuple(user(number) for number in range(1, MOST + 1))
        full = after(Replace(CHECKOUT, everybody, ADA, T0))
        assert decide(full, add(user(MOST + 1))) == TOO_MANY
        assert decide(full, Replace(CHECKOUT, (*everybody[1:], user(MOST + 1)), ADA, T0)) != TOO_MANY
        assert isinstance(decide(full, leave(1)), list)


wishes = st.lists(
    st.one_of(
        st.builds(add, st.builds(user, st.integers(1, 4)), by=st.integers(1, 4)),
        st.builds(add, st.builds(team, st.integers(1, 4))),
        st.builds(leave, st.integers(1, 4)),
        st.builds(Remove, st.just(CHECKOUT), st.builds(team, st.integers(1, 4)), st.just(1), st.just(T0)),
        st.builds(
            Replace, st.just(CHECKOUT), st.tuples(st.builds(user, st.integers(1, 4))), st.integers(1, 4), st.just(T0)
        ),
    )
)


class TestLaws:
    @for_any(wishes)
    def test_the_same_wish_twice_is_no_news_and_nobody_is_both_there_and_gone(self, commands: list[Command]) -> None:
        state = Subscribed()
        for command in commands:
            outcome = decide(state, command)
            assert isinstance(outcome, list)
            state = decider.fold(outcome, state)
            assert decide(state, command) == []
            assert not set(state.users) & set(state.left)
            assert len(set(state.users)) == len(state.users)
            assert len(set(state.teams)) == len(state.teams)
            assert SUBSCRIPTION.codec.load(SUBSCRIPTION.codec.dump(state)) == state

    @for_any(
        st.lists(
            st.builds(
                SubscriptionAdded, subject=st.just(Subject.SERVICE), number=st.just(3), user=st.integers(1, 3), at=st.just(T0)
            )
            | st.builds(
                SubscriptionRemoved,
                subject=st.just(Subject.SERVICE),
                number=st.just(3),
                user=st.integers(1, 3),
                left=st.booleans(),
                at=st.just(T0),
            )
        )
    )  # fmt: skip
    def test_any_history_can_be_told(self, events: list[Event]) -> None:
        state = Subscribed()
        for event in events:
            state = evolve(state, event)
        assert isinstance(state, Subscribed)

    @for_any(st.lists(wishes, min_size=1, max_size=3), st.integers(1, 4))
    def test_everybody_is_told_once_and_only_who_hears_of_one_of_them(
        self, histories: list[list[Command]], author: int
    ) -> None:
        heard = [Heard(str(place), after(*commands)) for place, commands in enumerate(histories)]
        found = audience(heard, members_of, str, without=[author])
        people = [one.user for one in found]
        assert people == sorted(set(people))
        assert set(people) == {
            number
            for number in {*range(1, 5), ADA, BOB, CYD} - {author}
            if any(hears(one.subscribed, number, members_of) for one in heard)
        }


class TestAudience:
    service, page = "the service «Checkout»", "the status page «Shop»"

    def test_each_hears_the_reason_that_is_nearest_to_them(self) -> None:
        by_team = Heard(self.service, Subscribed(teams=(OPS,)))
        by_name = Heard(self.page, Subscribed(users=(ADA,)))
        assert told(by_team, by_name) == {
            ADA: "You subscribed to the status page «Shop»",
            BOB: "Your team «T1» subscribed to the service «Checkout»",
        }

    def test_who_left_one_thing_is_told_by_another(self) -> None:
        left = Heard(self.service, Subscribed(teams=(OPS,), left=(ADA,)))
        assert set(told(left)) == {BOB}
        assert set(told(left, Heard(self.page, Subscribed(users=(ADA,))))) == {ADA, BOB}

    def test_who_wrote_it_is_not_told(self) -> None:
        assert set(told(Heard(self.service, Subscribed(users=(ADA, BOB))), without=[ADA])) == {BOB}

    def test_nobody_is_told_of_what_nobody_subscribed_to(self) -> None:
        assert audience([], members_of, str) == ()
        assert audience([Heard(self.service, Subscribed(teams=(99,)))], members_of, str) == ()
        assert audience([Heard(self.service, Subscribed(users=(ADA,)))], members_of, str) == (
            Told(user=ADA, reason="You subscribed to the service «Checkout»"),
        )
