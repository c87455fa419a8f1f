"""The life of one alert: given events, when a command comes, then these events and no others."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from hypothesis import given as for_any
from hypothesis import strategies as st

from events.core import Event, Outcome, Refusal
from events.ingest import (
    AlertAccepted,
    AlertAnswerNoted,
    AlertAssigned,
    AlertCommented,
    AlertCreated,
    AlertEscalationRequested,
    AlertRepeated,
    AlertResolved,
)
from events.shared import Actor
from ingest.domain import (
    Accept,
    Accepted,
    Assign,
    Command,
    Comment,
    Open,
    Pending,
    Repeat,
    RequestEscalation,
    RequestResponder,
    Reroute,
    Resolve,
    Resolved,
    State,
    Tick,
    alert,
)
from ingest.streams import ALERT

T0 = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
ADA, BOB = Actor.by_user(7, "web"), Actor.by_user(8, "email")
TOOL = Actor.by_source(5)


def at(minutes: float) -> datetime:
    return T0 + timedelta(minutes=minutes)


def given(*history: Event) -> Callable[[Command], Outcome]:
    """Fold what happened, decide what is asked."""
    return lambda command: alert.decide(alert.fold(history), command)


created = AlertCreated(
    alert=42, source=5, policy=3, summary="disk full", alert_key="k", auto_resolve_at=at(60), by=TOOL, at=at(0)
)
accepted = AlertAccepted(alert=42, by=ADA, at=at(1))
resolved = AlertResolved(alert=42, by=ADA, at=at(2))


class TestOpening:
    def test_it_is_created_as_it_was_planned(self) -> None:
        assert given()(Open(created)) == [created]

    def test_an_alert_that_is_there_is_not_created_again(self) -> None:
        assert given(created)(Open(created)) == []

    def test_nothing_else_can_be_said_of_an_alert_that_is_not_there(self) -> None:
        assert isinstance(given()(Accept(ADA, at(1))), Refusal)
        assert isinstance(given()(Comment(1, "x", ADA, at(1))), Refusal)


class TestAccepting:
    def test_the_first_acceptance_counts(self) -> None:
        assert given(created)(Accept(ADA, at(1), notification=9)) == [
            AlertAccepted(alert=42, by=ADA, notification=9, at=at(1))
        ]

    def test_the_same_persons_second_one_is_silent(self) -> None:
        assert given(created, accepted)(Accept(ADA, at(2))) == []

    def test_a_second_persons_is_noted_once(self) -> None:
        noted = AlertAnswerNoted(alert=42, answer="ACCEPT", outcome="ALREADY_ACCEPTED", by=BOB, at=at(2))
        assert given(created, accepted)(Accept(BOB, at(2))) == [noted]
        assert given(created, accepted, noted)(Accept(BOB, at(3))) == []

    def test_a_tools_acceptance_of_an_accepted_alert_loses_no_signal(self) -> None:
        decided = given(created, accepted)(Accept(TOOL, at(2), signal="s1"))
        assert decided == [
            AlertAnswerNoted(alert=42, answer="ACCEPT", outcome="ALREADY_ACCEPTED", by=TOOL, signal="s1", at=at(2))
        ]

    def test_after_the_end_it_is_noted_once(self) -> None:
        decided = given(created, resolved)(Accept(BOB, at(3)))
        assert decided == [AlertAnswerNoted(alert=42, answer="ACCEPT", outcome="ALREADY_RESOLVED", by=BOB, at=at(3))]
        assert given(created, resolved, *decided)(Accept(BOB, at(4))) == []


class TestResolving:
    def test_a_pending_and_an_accepted_alert_can_be_resolved(self) -> None:
        for history in ([created], [created, accepted]):
            assert given(*history)(Resolve(ADA, at(2))) == [resolved]

    def test_resolved_is_final(self) -> None:
        over = given(created, resolved)
        assert over(Resolve(ADA, at(3))) == []
        assert over(Repeat(1, ("s",), "x", at(3), at(3))) == []
        assert over(Tick(at(99))) == []
        for wish in (Assign(ADA, at(3), user=8), RequestEscalation(ADA, at(3)), RequestResponder(8, ADA, at(3))):
            refused = over(wish)
            assert isinstance(refused, Refusal)
            assert refused.code == "ALERT_RESOLVED"

    def test_notes_are_welcome_after_the_end(self) -> None:
        assert given(created, resolved)(Comment(1, "It was the disk", ADA, at(9))) == [
            AlertCommented(alert=42, comment=1, content="It was the disk", by=ADA, at=at(9))
        ]


class TestAskingForMore:
    def test_a_repeat_leaves_the_state_as_it_is(self) -> None:
        decided = given(created, accepted)(Repeat(3, ("a", "b", "c"), "still full", at(4), at(5)))
        assert decided == [
            AlertRepeated(alert=42, count=3, signals=("a", "b", "c"), summary="still full", received_at=at(4), at=at(5))
        ]
        assert isinstance(alert.fold([created, accepted, *decided]), Accepted)

    def test_assigned_or_escalated_it_is_pending_again(self) -> None:
        for wish in (Assign(BOB, at(3), policy=4), RequestEscalation(BOB, at(3), level=1)):
            decided = given(created, accepted)(wish)
            assert isinstance(decided, list)
            state = alert.fold([created, accepted, *decided])
            assert isinstance(state, Pending)
            assert not isinstance(state, Accepted)

    def test_exactly_one_target_is_named(self) -> None:
        assert given(created)(Assign(ADA, at(1), policy=4)) == [AlertAssigned(alert=42, policy=4, by=ADA, at=at(1))]
        assert isinstance(given(created)(Assign(ADA, at(1))), Refusal)
        assert isinstance(given(created)(Assign(ADA, at(1), user=1, policy=4)), Refusal)

    def test_one_link_escalates_once_however_often_it_is_used(self) -> None:
        asked = RequestEscalation(BOB, at(1), notification=9)
        decided = given(created)(asked)
        assert decided == [AlertEscalationRequested(alert=42, by=BOB, notification=9, at=at(1))]
        assert given(created, *decided)(asked) == []


class TestAutoResolution:
    def test_not_before_its_time(self) -> None:
        assert given(created)(Tick(at(59.9))) == []

    def test_at_its_time_pending_or_accepted(self) -> None:
        for history in ([created], [created, accepted]):
            outcome = given(*history)(Tick(at(60)))
            assert isinstance(outcome, list)
            (decided,) = outcome
            assert isinstance(decided, AlertResolved)
            assert decided.by == Actor.by_system("auto-resolution")

    def test_without_a_time_it_waits_for_nothing(self) -> None:
        assert alert.due_at(alert.fold([created.model_copy(update={"auto_resolve_at": None})])) is None
        assert alert.due_at(alert.fold([created, resolved])) is None


people = st.sampled_from([ADA, BOB])
commands = st.one_of(
    st.just(Open(created)),
    st.builds(Accept, people, st.just(at(3))),
    st.builds(Resolve, people, st.just(at(4))),
    st.builds(RequestEscalation, people, st.just(at(5)), notification=st.integers(1, 3)),
    st.builds(Tick, st.sampled_from([at(1), at(60), at(99)])),
)
# what means more when it is said again: a repeat is counted, an assignment wakes anew
every_command = commands | st.one_of(
    st.just(Repeat(1, ("s",), "x", at(3), at(3))),
    st.just(Assign(ADA, at(3), user=8)),
    st.builds(Reroute, st.just(5), st.just(8), st.sampled_from([8, None]), people, st.just(at(6))),
    st.just(Comment(1, "x", ADA, at(3))),
)


def after(asked: list[Command]) -> State:
    state = alert.initial
    for command in asked:
        decided = alert.decide(state, command)
        state = state if isinstance(decided, Refusal) else alert.fold(decided, state)
    return state


class TestLaws:
    @for_any(st.lists(every_command, max_size=8), commands)
    def test_the_same_command_twice_decides_nothing_more(self, asked: list[Command], again: Command) -> None:
        outcome = alert.decide(after([*asked, again]), again)
        assert outcome == [] or isinstance(outcome, Refusal)

    @for_any(st.lists(every_command, max_size=8))
    def test_a_tick_at_the_deadline_makes_progress(self, asked: list[Command]) -> None:
        state = after(asked)
        due = alert.due_at(state)
        if due is not None:
            assert isinstance(after([*asked, Tick(due)]), Resolved)

    @for_any(st.lists(every_command, max_size=8), st.lists(every_command, max_size=4))
    def test_what_is_resolved_stays_resolved(self, asked: list[Command], more: list[Command]) -> None:
        if isinstance(after(asked), Resolved):
            assert isinstance(after([*asked, *more]), Resolved)

    @for_any(st.lists(every_command, max_size=8))
    def test_a_state_is_the_same_after_it_was_written_and_read(self, asked: list[Command]) -> None:
        state = after(asked)
        assert ALERT.codec.load(ALERT.codec.dump(state)) == state
