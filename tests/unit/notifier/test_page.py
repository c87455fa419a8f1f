"""One person and one alert: who must be told is told, once, by the first way that works, and not after an answer."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from hypothesis import given as for_any
from hypothesis import strategies as st

from events.core import Event, Outcome, Refusal
from events.notifier import (
    AnswerAction,
    Method,
    NotificationAnswered,
    NotificationDeferred,
    NotificationDispatched,
    NotificationFailed,
    NotificationHeld,
    NotificationParked,
    NotificationQueued,
    NotificationSent,
    NotificationSuppressed,
    NotificationUnreachable,
)
from events.shared import Priority
from notifier.domain.page import (
    Answer,
    Ask,
    Blank,
    Command,
    Defer,
    Demand,
    Dispatch,
    Drop,
    Fail,
    Halt,
    Hold,
    Paging,
    Park,
    Route,
    State,
    Stop,
    Succeed,
    due_at,
    lack,
    page,
    routes,
    spare,
)
from notifier.domain.reach import Contact, Introduce, Reachable, SetContact, SetPreference, reach
from notifier.streams import PAGE

T0 = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ADA, ALERT, DISK = 7, 42, 5

first = Demand(alert_version=1, run=1, level=0, priority=Priority.HIGH, source=DISK, reason="Ada is on call.")
accepted = Stop(version=2, reason="The alert was accepted.")


def at(minutes: float) -> datetime:
    return T0 + timedelta(minutes=minutes)


def route(number: int, contact: int = 1, delay_min: float = 0) -> Route:
    return Route(number, contact, Method.EMAIL, "a***@example.org", delay_min * MINUTE, preference=10)


def ask(*ways: Route, demand: Demand = first, stop: Stop | None = None, minutes: float = 0) -> Ask:
    return Ask(ALERT, ADA, demand, ways, at(minutes), lack="" if ways else "No contact.", stop=stop)


def after(*commands: Command) -> State:
    return run(commands)[0]


def given(*commands: Command) -> Callable[[Command], Outcome]:
    return lambda command: page.decide(after(*commands), command)


def run(commands: tuple[Command, ...] | list[Command]) -> tuple[State, list[Event]]:
    state: State = Blank()
    history: list[Event] = []
    for command in commands:
        outcome = page.decide(state, command)
        if not isinstance(outcome, Refusal):
            state, history = page.fold(outcome, state), [*history, *outcome]
    return state, history


def queued(number: int, contact: int = 1, delay_min: float = 0, demand: Demand = first, minutes: float = 0) -> Event:
    return NotificationQueued(
        alert=ALERT,
        user=ADA,
        notification=number,
        alert_version=demand.alert_version,
        run=demand.run,
        level=demand.level,
        contact=contact,
        method=Method.EMAIL,
        mask="a***@example.org",
        send_at=at(minutes + delay_min),
        source=DISK,
        preference=10,
        reason=demand.reason,
        at=at(minutes),
    )


def suppressed(number: int, minutes: float, reason: str = accepted.reason) -> Event:
    return NotificationSuppressed(alert=ALERT, user=ADA, notification=number, reason=reason, at=at(minutes))


class TestPlanning:
    def test_each_preference_is_a_notification_at_its_own_time(self) -> None:
        assert given()(ask(route(1), route(2, delay_min=5))) == [queued(1), queued(2, delay_min=5)]

    def test_the_earliest_waiting_one_is_due(self) -> None:
        assert due_at(after(ask(route(1, delay_min=3), route(2, delay_min=5)))) == at(3)

    def test_the_same_level_is_planned_once(self) -> None:
        assert given(ask(route(1)))(ask(route(9))) == []

    def test_another_level_is_planned_beside_it(self) -> None:
        second = Demand(1, 1, 3, Priority.HIGH, DISK, "Ada again.")
        assert given(ask(route(1)))(ask(route(2), demand=second, minutes=15)) == [queued(2, demand=second, minutes=15)]

    def test_who_has_no_way_is_unreachable_and_the_reason_is_told(self) -> None:
        unreachable = NotificationUnreachable(
            alert=ALERT, user=ADA, alert_version=1, run=1, level=0, reason="No contact.", at=T0
        )
        assert given()(ask()) == [unreachable]
        assert given(ask())(ask()) == []

    def test_a_level_that_arrives_after_the_answer_is_suppressed_at_once(self) -> None:
        assert given()(ask(route(1), stop=accepted)) == [queued(1), suppressed(1, 0)]

    def test_a_level_decided_after_the_answer_is_told(self) -> None:
        newer = Demand(2, 2, 0, Priority.HIGH, DISK, "Assigned to Ada.")
        assert given()(ask(route(1), demand=newer, stop=accepted)) == [queued(1, demand=newer)]


class TestParking:
    def test_a_stranger_is_parked_not_dropped(self) -> None:
        parked = NotificationParked(
            alert=ALERT, user=ADA, alert_version=1, run=1, level=0, source=DISK, reason="Ada is on call.", at=T0
        )
        assert given()(Park(ALERT, ADA, first, T0)) == [parked]
        assert due_at(after(Park(ALERT, ADA, first, T0))) is None

    def test_the_same_demand_is_parked_once(self) -> None:
        assert given(Park(ALERT, ADA, first, T0))(Park(ALERT, ADA, first, at(1))) == []

    def test_an_introduction_plans_what_was_parked(self) -> None:
        assert given(Park(ALERT, ADA, first, T0))(ask(route(1), minutes=1)) == [queued(1, minutes=1)]


class TestHalting:
    def test_an_answer_suppresses_what_waits_and_what_is_held(self) -> None:
        planned = (ask(route(1), route(2, delay_min=5)), Hold(1, at(3), at(0)))
        assert given(*planned)(Halt(accepted, at(1))) == [suppressed(1, 1), suppressed(2, 1)]

    def test_nothing_is_due_after_a_halt(self) -> None:
        assert due_at(after(ask(route(1), route(2, delay_min=5)), Halt(accepted, at(1)))) is None

    def test_what_is_newer_than_the_answer_goes_on(self) -> None:
        newer = Demand(3, 2, 0, Priority.HIGH, DISK, "Assigned to Ada.")
        assert given(ask(route(1), demand=newer))(Halt(accepted, at(1))) == []

    def test_what_is_inside_a_message_is_left_to_the_one_who_sends_it(self) -> None:
        underway = (ask(route(1)), Dispatch(1, 100, T0))
        assert given(*underway)(Halt(accepted, at(1))) == []
        assert given(*underway)(Drop(1, accepted.reason, at(1))) == [suppressed(1, 1)]

    def test_a_halt_says_it_once(self) -> None:
        assert given(ask(route(1)), Halt(accepted, at(1)))(Halt(accepted, at(2))) == []

    def test_a_stranger_s_page_knows_no_halt(self) -> None:
        assert given()(Halt(accepted, T0)) == []


class TestSending:
    underway = (ask(route(1)), Dispatch(1, 100, T0))
    succeed = Succeed(1, 100, "<100@alarum>", "250 ok", 1, at(1))

    def test_a_due_notification_joins_a_message(self) -> None:
        dispatched = NotificationDispatched(alert=ALERT, user=ADA, notification=1, message=100, at=T0)
        assert given(ask(route(1)))(Dispatch(1, 100, T0)) == [dispatched]
        assert due_at(after(*self.underway)) is None

    def test_a_held_notification_waits_for_its_window(self) -> None:
        held = NotificationHeld(alert=ALERT, user=ADA, notification=1, until=at(3), at=T0)
        assert given(ask(route(1)))(Hold(1, at(3), T0)) == [held]
        assert given(ask(route(1)), Hold(1, at(3), T0))(Hold(1, at(3), T0)) == []

    def test_the_timeline_says_which_message_carried_it(self) -> None:
        sent = NotificationSent(
            alert=ALERT, user=ADA, notification=1, message=100, message_id="<100@alarum>", reply="250 ok", at=at(1)
        )
        assert given(*self.underway)(self.succeed) == [sent]

    def test_a_second_settling_changes_nothing(self) -> None:
        assert given(*self.underway, self.succeed)(self.succeed) == []
        assert given(*self.underway, self.succeed)(Fail(1, "550 no", at(2), 100)) == []
        assert given(*self.underway, Drop(1, "answered", at(1)))(self.succeed) == []

    def test_another_message_cannot_settle_it(self) -> None:
        assert given(*self.underway)(Succeed(1, 101, "", "250", 1, at(1))) == []

    def test_the_same_trouble_is_told_once(self) -> None:
        defer = Defer(1, 100, 1, "connection refused", at(1.1), at(1))
        deferred = NotificationDeferred(
            alert=ALERT,
            user=ADA,
            notification=1,
            message=100,
            attempt=1,
            error="connection refused",
            next_at=at(1.1),
            at=at(1),
        )
        assert given(*self.underway)(defer) == [deferred]
        assert given(*self.underway, defer)(Defer(1, 100, 2, "connection refused", at(1.3), at(1.1))) == []
        assert len(run([*self.underway, defer, Defer(1, 100, 2, "451 busy", at(2), at(1.1))])[1]) == 4

    def test_a_refusal_keeps_the_server_s_words_and_tries_the_next_contact_at_once(self) -> None:
        next_way = Route(2, 2, Method.EMAIL, "b***@example.org", timedelta(0))
        outcome = given(*self.underway)(Fail(1, "550 no such user", at(1), 100, spare=next_way))
        assert isinstance(outcome, list)
        failed, following = outcome
        assert failed == NotificationFailed(
            alert=ALERT, user=ADA, notification=1, message=100, error="550 no such user", at=at(1)
        )
        assert isinstance(following, NotificationQueued)
        assert (following.contact, following.send_at, following.level) == (2, at(1), 0)
        assert "next contact" in following.reason
        assert "Ada is on call." in following.reason

    def test_without_another_contact_it_ends_with_the_failure(self) -> None:
        outcome = given(*self.underway)(Fail(1, "550 no", at(1), 100))
        assert isinstance(outcome, list)
        assert [event.wire_type() for event in outcome] == ["notification.failed"]


class TestAnswering:
    def test_an_answer_is_recorded_each_time(self) -> None:
        answer = Answer(1, AnswerAction.ACCEPT, "email", at(1))
        answered = NotificationAnswered(alert=ALERT, user=ADA, notification=1, action=AnswerAction.ACCEPT, at=at(1))
        assert given(ask(route(1)))(answer) == [answered]
        assert given(ask(route(1)), answer)(answer) == [answered]

    def test_an_answer_to_nothing_is_refused(self) -> None:
        assert isinstance(given()(Answer(1, AnswerAction.ACCEPT, "email", T0)), Refusal)
        assert isinstance(given(ask(route(1)))(Answer(9, AnswerAction.ACCEPT, "email", T0)), Refusal)


def ada(*contacts: int) -> Reachable:
    state = reach.fold(_events(reach.decide(reach.initial, Introduce(ADA, "m1", contacts[0], 10, 11, T0))))
    for number in contacts[1:]:
        state = reach.fold(
            _events(reach.decide(state, SetContact(ADA, number, f"cell-{number}", f"m{number}", T0))), state
        )
    assert isinstance(state, Reachable)
    return state


def _events(outcome: Outcome) -> list[Event]:
    assert isinstance(outcome, list)
    return outcome


class TestRoutes:
    def test_delays_are_in_the_minutes_of_the_setting(self) -> None:
        (way,) = routes(ada(1), Priority.LOW, timedelta(seconds=2), (100, 101))
        assert (way.notification, way.delay, way.preference, way.mask) == (100, timedelta(seconds=10), 11, "m1")

    def test_several_preferences_are_several_routes(self) -> None:
        person = ada(1, 2)
        wish = SetPreference(ADA, 12, person.preferences[0].type, 2, 7, T0)
        person_with_more = reach.fold(_events(reach.decide(person, wish)), person)
        assert isinstance(person_with_more, Reachable)
        ways = routes(person_with_more, Priority.HIGH, MINUTE, (100, 101, 102))
        assert [(way.contact, way.delay) for way in ways] == [(1, timedelta(0)), (2, 7 * MINUTE)]

    def test_the_lack_is_named(self) -> None:
        assert "no contact" in lack(Reachable(ADA), Priority.HIGH)
        assert "LOW" in lack(Reachable(ADA, (Contact(1, Method.EMAIL, None, "m"),)), Priority.LOW)

    def test_the_spare_contact_is_the_next_untried_one(self) -> None:
        failing = after(ask(route(1, contact=1)), Dispatch(1, 100, T0))
        found = spare(failing, ada(1, 2, 3), failed=1, fresh_id=5)
        assert found == Route(5, 2, Method.EMAIL, "m2", timedelta(0))

    def test_a_contact_that_only_waits_for_its_delay_is_not_yet_tried(self) -> None:
        failing = after(ask(route(1, contact=1), route(2, contact=2, delay_min=5)), Dispatch(1, 100, T0))
        found = spare(failing, ada(1, 2), failed=1, fresh_id=5)
        assert found is not None
        assert found.contact == 2

    def test_when_all_were_tried_there_is_none(self) -> None:
        failing = after(ask(route(1, contact=1)), Dispatch(1, 100, T0))
        assert spare(failing, ada(1), failed=1, fresh_id=5) is None
        assert spare(Blank(), ada(1), failed=1, fresh_id=5) is None


ids = st.integers(1, 6)
instants = st.integers(0, 30).map(at)
demands = st.builds(
    Demand,
    st.integers(1, 4),
    st.integers(1, 2),
    st.integers(0, 2),
    st.sampled_from(Priority),
    st.just(DISK),
    st.just("why"),
)


@st.composite
def lives(draw: st.DrawFn) -> list[Command]:
    """Anything the shell may do, in the order of time; ids of new notifications are fresh, as drawn ones are."""
    fresh = iter(range(1, 1000))
    stop = Stop(draw(st.integers(2, 4)), "answered")
    commands: list[Command] = []
    for instant in sorted(draw(st.lists(instants, max_size=15))):
        match draw(st.integers(0, 8)):
            case 0 | 1:
                ways = tuple(
                    route(next(fresh), delay_min=draw(st.integers(0, 5))) for _ in range(draw(st.integers(0, 3)))
                )
                late = draw(st.sampled_from([None, stop]))
                commands.append(Ask(ALERT, ADA, draw(demands), ways, instant, "none", late))
            case 2:
                commands.append(Park(ALERT, ADA, draw(demands), instant))
            case 3:
                commands.append(Halt(stop, instant))
            case 4:
                commands.append(Hold(draw(ids), instant + MINUTE, instant))
            case 5:
                commands.append(Dispatch(draw(ids), draw(ids), instant))
            case 6:
                commands.append(Succeed(draw(ids), draw(ids), "", "250", 1, instant))
            case 7:
                way = route(next(fresh), contact=2) if draw(st.booleans()) else None
                commands.append(Fail(draw(ids), "550", instant, draw(st.sampled_from([None, 1, 2, 3])), way))
            case _:
                commands.append(Drop(draw(ids), "answered", instant))
    return commands


class TestLaws:
    @for_any(lives())
    def test_every_queued_one_ends_once_or_is_still_open(self, life: list[Command]) -> None:
        state, history = run(life)
        ends = (NotificationSent, NotificationFailed, NotificationSuppressed)
        planned = [event.notification for event in history if isinstance(event, NotificationQueued)]
        ended = [event.notification for event in history if isinstance(event, ends)]
        still_open = [one.id for one in state.notifications if one.is_open] if isinstance(state, Paging) else []
        assert sorted(planned) == sorted(ended + still_open)

    @for_any(lives())
    def test_what_waits_has_a_time(self, life: list[Command]) -> None:
        state, _ = run(life)
        waits = isinstance(state, Paging) and any(type(one.fate).__name__ == "Waiting" for one in state.notifications)
        assert (due_at(state) is not None) == waits

    @for_any(lives(), st.integers(2, 4))
    def test_nothing_older_joins_a_message_after_a_halt(self, life: list[Command], version: int) -> None:
        state, _ = run([*life, Halt(Stop(version, "answered"), at(40))])
        if isinstance(state, Paging):
            for one in state.notifications:
                if one.alert_version < version and type(one.fate).__name__ in {"Waiting", "Held"}:
                    raise AssertionError(one)

    @for_any(lives(), st.integers(0, 14))
    def test_the_same_command_twice_decides_nothing_more(self, life: list[Command], which: int) -> None:
        if not life:
            return
        again = life[which % len(life)]
        state, _ = run([*life, again])
        assert page.decide(state, again) == []

    @for_any(lives())
    def test_the_cached_state_reads_back(self, life: list[Command]) -> None:
        state, history = run(life)
        assert PAGE.codec.load(PAGE.codec.dump(state)) == state
        assert page.fold(history) == state
