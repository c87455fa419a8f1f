"""An incident from its first word to its last: who holds it open, what ends it, and what stays as it was."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given as for_any
from hypothesis import strategies as st

from events.core import Event, Refusal
from events.shared import Actor
from events.statuspage import (
    Affected,
    IncidentCreated,
    IncidentLinked,
    IncidentReleased,
    IncidentStatus,
    IncidentUnlinked,
    IncidentUpdated,
    ServiceStatus,
)
from statuspage.domain.incident import (
    MOST_ALERTS,
    MOST_WORDS,
    NO_INCIDENT,
    TOO_MANY_ALERTS,
    TOO_MUCH_SAID,
    Begin,
    Command,
    Holder,
    Join,
    Link,
    Open,
    Release,
    Resolved,
    Say,
    State,
    Story,
    Unlink,
    Unopened,
    decide,
    evolve,
    story_of,
    worst_of,
)
from statuspage.domain.incident import incident as decider
from statuspage.streams import INCIDENT

T0 = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
UP, MAINTAINED, DEGRADED, PARTIAL, MAJOR = ServiceStatus
INVESTIGATING, IDENTIFIED, MONITORING, RESOLVED = IncidentStatus
ADA, TOOL = Actor.by_user(7, "web"), Actor.by_system("Tell users")


def at(minutes: float) -> datetime:
    return T0 + timedelta(minutes=minutes)


def hit(service: int = 3, impact: ServiceStatus = PARTIAL) -> Affected:
    return Affected(service=service, impact=impact)


def created(**more: object) -> IncidentCreated:
    fields = {"incident": 1, "summary": "Slow", "affected": (hit(),), "began_at": T0, "by": ADA, "at": T0}
    return IncidentCreated.model_validate(fields | more)


def say(status: IncidentStatus = IDENTIFIED, *affected: Affected, message: str = "", minutes: float = 1) -> Say:
    return Say("Slow", status, message, affected or (hit(),), False, ADA, at(minutes))


def join(alert: int = 42, action: int = 5, *affected: Affected) -> Join:
    return Join(alert, action, affected or (hit(),), False, TOOL, at(2))


def release(alert: int = 42, action: int = 5) -> Release:
    return Release(alert, action, "It is over.", False, TOOL, at(3))


def after(*commands: Command) -> State:
    """The state after these commands; none of them is refused."""
    state: State = Unopened()
    for command in commands:
        outcome = decide(state, command)
        assert isinstance(outcome, list), outcome
        state = decider.fold(outcome, state)
    return state


def story(*commands: Command) -> Story:
    found = story_of(after(*commands))
    assert found is not None
    return found


def types(outcome: object) -> list[str]:
    assert isinstance(outcome, list), outcome
    return [event.wire_type() for event in outcome]


OPENED = Begin(created())
BY_ALERT = Begin(created(alert=42, action=5, by=TOOL))


class TestWhatIsSaid:
    def test_it_begins_as_it_was_said_to_be(self) -> None:
        begun = story(Begin(created(status=MONITORING, message="We look", said_at=at(9))))
        assert (begun.status, begun.message, begun.began_at, begun.said_at) == (MONITORING, "We look", T0, at(9))
        assert [word.update for word in begun.words] == [0]

    def test_every_word_is_appended_even_when_it_says_the_same(self) -> None:
        told = story(OPENED, say(), say())
        assert [word.update for word in told.words] == [0, 1, 2]
        assert told.status is IDENTIFIED

    def test_it_affects_what_was_said_last(self) -> None:
        assert story(OPENED, say(IDENTIFIED, hit(4, MAJOR))).services == (4,)

    def test_before_it_began_nothing_can_be_said(self) -> None:
        assert decide(Unopened(), say()) == NO_INCIDENT

    def test_it_begins_once(self) -> None:
        assert decide(after(OPENED), OPENED) == []

    def test_the_history_has_a_limit(self) -> None:
        full = after(OPENED, *(say() for _ in range(MOST_WORDS - 1)))
        assert decide(full, say()) == TOO_MUCH_SAID
        assert decide(full, join(42, 5, hit(9))) == TOO_MUCH_SAID

    def test_one_of_the_past_is_over_as_it_begins(self) -> None:
        past = after(Begin(created(status=RESOLVED, said_at=at(5))))
        assert isinstance(past, Resolved)
        assert past.story.resolved_on == at(5)


class TestResolved:
    over = staticmethod(lambda: after(OPENED, say(RESOLVED, minutes=7)))

    def test_it_is_over_since_it_was_said_so_first(self) -> None:
        state = self.over()
        assert isinstance(state, Resolved)
        assert state.story.resolved_on == at(7)
        assert story(OPENED, say(RESOLVED, minutes=7), say(RESOLVED, minutes=9)).resolved_on == at(7)

    def test_its_words_can_be_put_right(self) -> None:
        outcome = decide(self.over(), say(RESOLVED, message="It was the cache", minutes=9))
        assert types(outcome) == ["incident.updated"]

    @pytest.mark.parametrize(
        "command",
        [say(MONITORING), say(RESOLVED, hit(3, MAJOR)), say(RESOLVED, hit(3), hit(4)), join(), Link(1, ADA, at(9))],
    )
    def test_it_is_not_opened_again_and_affects_what_it_affected(self, command: Command) -> None:
        outcome = decide(self.over(), command)
        assert isinstance(outcome, Refusal)
        assert outcome.code == "INCIDENT_RESOLVED"

    def test_the_order_of_services_does_not_matter_to_a_correction(self) -> None:
        both = after(Begin(created(affected=(hit(3), hit(4)))), say(RESOLVED, hit(3), hit(4)))
        assert types(decide(both, say(RESOLVED, hit(4), hit(3)))) == ["incident.updated"]


class TestAlerts:
    def test_an_alert_is_linked_once_and_unlinked_once(self) -> None:
        assert decide(after(OPENED), Link(42, ADA, T0)) == [IncidentLinked(incident=1, alert=42, by=ADA, at=T0)]
        linked = after(OPENED, Link(42, ADA, T0))
        assert decide(linked, Link(42, ADA, T0)) == []
        assert decide(linked, Unlink(42, ADA, T0)) == [IncidentUnlinked(incident=1, alert=42, by=ADA, at=T0)]
        assert decide(after(OPENED), Unlink(42, ADA, T0)) == []

    def test_an_alert_linked_by_hand_holds_nothing_open(self) -> None:
        assert decide(after(OPENED, Link(42, ADA, T0)), release()) == []

    def test_there_is_a_limit(self) -> None:
        full = after(OPENED, *(Link(alert, ADA, T0) for alert in range(1, MOST_ALERTS + 1)))
        assert decide(full, Link(9999, ADA, T0)) == TOO_MANY_ALERTS
        assert decide(full, join(9999)) == TOO_MANY_ALERTS


class TestHolders:
    def test_what_an_action_opened_ends_when_the_alert_does(self) -> None:
        assert story(BY_ALERT).holders == (Holder(42, 5),)
        ended = after(BY_ALERT, release())
        assert isinstance(ended, Resolved)
        assert ended.story.message == "It is over."
        assert ended.story.alerts == (42,)

    def test_it_goes_on_while_another_alert_holds_it(self) -> None:
        both = (BY_ALERT, join(43, 5))
        assert decide(after(*both), release()) == [IncidentReleased(incident=1, alert=42, action=5, by=TOOL, at=at(3))]
        assert isinstance(after(*both, release()), Open)
        assert isinstance(after(*both, release(), release(43)), Resolved)
        assert isinstance(after(*both, release(43), release()), Resolved)

    def test_what_a_person_opened_is_ended_by_a_person(self) -> None:
        joined = (OPENED, join())
        assert isinstance(after(*joined, release()), Open)

    def test_an_alert_that_was_unlinked_holds_it_no_more(self) -> None:
        assert decide(after(BY_ALERT, Unlink(42, ADA, at(1))), release()) == []

    def test_a_holder_lets_go_of_what_a_person_resolved_without_another_word(self) -> None:
        over = after(BY_ALERT, say(RESOLVED))
        assert types(decide(over, release())) == ["incident.released"]
        assert decide(after(BY_ALERT, say(RESOLVED), release()), release()) == []

    def test_who_joins_makes_it_worse_or_leaves_it(self) -> None:
        assert types(decide(after(OPENED), join(42, 5, hit(3, MAJOR)))) == ["incident.updated", "incident.linked"]
        assert types(decide(after(OPENED), join(42, 5, hit(3, DEGRADED)))) == ["incident.linked"]
        assert story(OPENED, join(42, 5, hit(4))).affected == (hit(3), hit(4))

    def test_joining_twice_says_nothing_more(self) -> None:
        assert decide(after(OPENED, join(42, 5, hit(3, MAJOR))), join(42, 5, hit(3, MAJOR))) == []


commands = st.one_of(
    st.builds(say, st.sampled_from(IncidentStatus), st.builds(hit, st.integers(3, 5), st.sampled_from(ServiceStatus))),
    st.builds(join, st.integers(42, 44), st.integers(5, 6), st.builds(hit, st.integers(3, 5))),
    st.builds(release, st.integers(42, 44), st.integers(5, 6)),
    st.builds(Link, st.integers(42, 44), st.just(ADA), st.just(T0)),
    st.builds(Unlink, st.integers(42, 44), st.just(ADA), st.just(T0)),
)


class TestLaws:
    @for_any(st.lists(commands, max_size=20), st.sampled_from([OPENED, BY_ALERT]))
    def test_it_is_resolved_exactly_when_the_last_word_says_so_and_stays_so(
        self, wishes: list[Command], begun: Begin
    ) -> None:
        state: State = after(begun)
        for wish in wishes:
            was_over = isinstance(state, Resolved)
            outcome = decide(state, wish)
            if isinstance(outcome, list):
                state = decider.fold(outcome, state)
            known = story_of(state)
            assert known is not None
            assert isinstance(state, Resolved) == (known.status is RESOLVED)
            assert not was_over or isinstance(state, Resolved)
            assert [word.update for word in known.words] == list(range(len(known.words)))
            assert {holder.alert for holder in known.holders} <= set(known.alerts)
            assert INCIDENT.codec.load(INCIDENT.codec.dump(state)) == state

    @for_any(st.lists(commands, max_size=20))
    def test_joining_linking_and_letting_go_are_done_once(self, wishes: list[Command]) -> None:
        state: State = after(BY_ALERT)
        for wish in wishes:
            outcome = decide(state, wish)
            state = decider.fold(outcome, state) if isinstance(outcome, list) else state
            if isinstance(outcome, list) and not isinstance(wish, Say) and isinstance(state, Open):
                assert decide(state, wish) == []

    @for_any(st.lists(st.sampled_from([created(), created(alert=42, action=5)]) | st.sampled_from(
        [
            IncidentUpdated(incident=1, update=1, summary="x", status=RESOLVED, said_at=T0, by=ADA, at=T0),
            IncidentLinked(incident=1, alert=42, action=5, by=TOOL, at=T0),
            IncidentUnlinked(incident=1, alert=42, by=ADA, at=T0),
            IncidentReleased(incident=1, alert=42, action=5, by=TOOL, at=T0),
        ]
    )))  # fmt: skip
    def test_any_history_can_be_told(self, events: list[Event]) -> None:
        state: State = Unopened()
        for event in events:
            state = evolve(state, event)
        assert isinstance(state, Unopened | Open | Resolved)

    @for_any(
        st.lists(st.builds(hit, st.integers(1, 4), st.sampled_from(ServiceStatus))),
        st.lists(st.builds(hit, st.integers(1, 4), st.sampled_from(ServiceStatus))),
    )
    def test_two_impacts_together_are_the_worse_one_of_each_service(
        self, one: list[Affected], other: list[Affected]
    ) -> None:
        together = worst_of(one, other)
        order = [UP, MAINTAINED, DEGRADED, PARTIAL, MAJOR]
        assert {affected.service for affected in together} == {affected.service for affected in (*one, *other)}
        assert len({affected.service for affected in together}) == len(together)
        for affected in together:
            met = [each.impact for each in (*one, *other) if each.service == affected.service]
            assert order.index(affected.impact) == max(map(order.index, met))
