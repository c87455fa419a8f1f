"""The escalation of one alert: given events, when a command comes, then these events and no others; and laws over any history."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given as for_any
from hypothesis import strategies as st

from escalator.domain.escalation import (
    ACCEPTED,
    ASSIGNED,
    EXHAUSTED,
    NO_FURTHER_LEVEL,
    NO_POLICY,
    NOBODY,
    RESOLVED,
    STALE,
    AddResponder,
    Assign,
    Climbing,
    Command,
    Escalate,
    Exhausted,
    Found,
    Halt,
    Plan,
    Start,
    State,
    Tick,
    Waiting,
    World,
    escalation,
)
from escalator.streams import ESCALATION
from events.core import Event
from events.escalator import (
    EscalationEnded,
    EscalationHalted,
    EscalationLevelReached,
    EscalationLevelSkipped,
    EscalationResponderAdded,
    EscalationStarted,
    Reason,
    Responder,
    Rule,
    Target,
)
from events.shared import Actor, Priority

T0 = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
ADA, BOB, CYD = 7, 8, 9
NIGHT, EMPTY = Target(schedule=3), Target(schedule=4)
BY_ADA = Actor.by_user(ADA, "web")
PRIMARY = 2
FOUND = {
    **{
        Target(user=user): Found((Responder(user=user, reason=Reason(text="named directly")),))
        for user in (ADA, BOB, CYD)
    },
    NIGHT: Found(
        (Responder(user=BOB, reason=Reason(schedule=3, layer="weeks", text="Schedule «SRE»: turn in layer «weeks»")),)
    ),
    EMPTY: Found(vacancy="Schedule «Day»: nobody is on call"),
}


def at(minutes: float) -> datetime:
    return T0 + timedelta(minutes=minutes)


def rule(*targets: Target, patience: int = 5) -> Rule:
    return Rule(targets=targets, timeout_min=patience)


def user(number: int) -> Target:
    return Target(user=number)


def plan(*rules: Rule, rounds: int = 1, delay: int = 0) -> Plan:
    return Plan(PRIMARY, 4, "Primary", rules, rounds, delay)


ADA_THEN_BOB = plan(rule(user(ADA)), rule(NIGHT))


def world(minutes: float, of: Plan | None = ADA_THEN_BOB, minute: timedelta = timedelta(minutes=1)) -> World:
    return World(at(minutes), minute, {PRIMARY: of} if of else {}, FOUND)


def start(
    of: Plan | None = ADA_THEN_BOB,
    *,
    priority: Priority = Priority.HIGH,
    by_hand: tuple[int, ...] = (),
    minute: timedelta = timedelta(minutes=1),
) -> Start:
    return Start(42, 1, PRIMARY if of else None, at(0), world(0, of, minute), by_hand, priority, source=5)


def tick(minutes: float, of: Plan | None = ADA_THEN_BOB) -> Tick:
    return Tick(world(minutes, of))


def run(*commands: Command) -> State:
    """The state after these commands."""
    state: State = escalation.initial
    for command in commands:
        state = escalation.fold(decided(state, command), state)
    return state


def decided(state: State, command: Command) -> list[Event]:
    outcome = escalation.decide(state, command)
    assert isinstance(outcome, list)
    return outcome


def given(*commands: Command) -> Callable[[Command], list[Event]]:
    """After what was done, what is decided on this."""
    return lambda command: decided(run(*commands), command)


def story(events: list[Event]) -> list[tuple[object, ...]]:
    return [told(event) for event in events]


def told(event: Event) -> tuple[object, ...]:
    """The event's name and what matters of it."""
    match event:
        case EscalationStarted(run=number, levels=levels):
            return "started", number, len(levels)
        case EscalationLevelReached(level=level, responders=responders):
            return "reached", level, *(responder.user for responder in responders)
        case EscalationLevelSkipped(level=level):
            return "skipped", level
        case EscalationEnded(reason=reason):
            return "ended", reason
        case EscalationHalted(reason=reason):
            return "halted", reason
        case EscalationResponderAdded(responder=responder):
            return "added", responder.user
    raise AssertionError(event)


def reached(events: list[Event]) -> EscalationLevelReached:
    (found,) = [event for event in events if isinstance(event, EscalationLevelReached)]
    return found


class TestBeginning:
    def test_the_levels_are_frozen_and_the_first_is_told_at_once(self) -> None:
        started, first = given()(start())
        assert started == EscalationStarted(
            alert=42,
            alert_version=1,
            run=1,
            policy=PRIMARY,
            policy_version=4,
            policy_name="Primary",
            levels=ADA_THEN_BOB.rules,
            begins_at=at(0),
            source=5,
            at=at(0),
        )
        assert first == EscalationLevelReached(
            alert=42,
            alert_version=1,
            level=0,
            responders=(
                Responder(
                    user=ADA,
                    reason=Reason(
                        policy=PRIMARY, policy_version=4, rule=0, text="Policy «Primary», level 1: named directly"
                    ),
                ),
            ),
            next_at=at(5),
            source=5,
            at=at(0),
        )

    def test_a_delay_tells_nobody_before_it_is_over(self) -> None:
        delayed = plan(rule(user(ADA)), delay=3)
        assert story(given()(start(delayed))) == [("started", 1, 1)]
        assert escalation.due_at(run(start(delayed))) == at(3)
        assert given(start(delayed))(tick(2.99)) == []
        assert story(given(start(delayed))(tick(3))) == [("reached", 0, ADA)]

    def test_of_an_alert_heard_late_nobody_is_told_before_what_was_answered_is_known(self) -> None:
        for since in (at(-60), at(0) - STALE, at(60)):
            old = replace(start(), since=since)
            assert story(given()(old)) == [("started", 1, 2)]
            assert escalation.due_at(run(old)) == at(0)
            assert story(given(old)(tick(0))) == [("reached", 0, ADA)]
            assert given(old, Halt(2, ACCEPTED, at(0)))(tick(0)) == []

    def test_of_an_assignment_heard_late_nobody_is_told_before_what_was_answered_is_known(self) -> None:
        old = Assign(2, None, user(CYD), BY_ADA, at(0), world(1))
        assert [name for name, *_ in story(given(start())(old))] == ["halted", "started"]
        assert story(given(start(), old)(tick(1))) == [("reached", 0, CYD)]
        assert given(start(), old, Halt(3, RESOLVED, at(1)))(tick(1)) == []

    def test_resolved_within_the_delay_tells_nobody_ever(self) -> None:
        delayed = plan(rule(user(ADA)), delay=3)
        assert given(start(delayed), Halt(2, RESOLVED, at(1)))(tick(3)) == []

    def test_low_priority_has_the_first_rule_only_and_once(self) -> None:
        repeating = plan(rule(user(ADA)), rule(NIGHT), rounds=3)
        assert story(given()(start(repeating, priority=Priority.LOW))) == [("started", 1, 1), ("reached", 0, ADA)]

    def test_people_chosen_by_hand_are_told_and_nothing_follows(self) -> None:
        assert story(given()(start(by_hand=(BOB, CYD)))) == [("started", 1, 1), ("reached", 0, BOB, CYD)]
        assert escalation.due_at(run(start(by_hand=(BOB, CYD)))) is None
        assert given(start(by_hand=(BOB,)))(tick(999)) == []

    def test_without_a_policy_it_ends_and_says_so(self) -> None:
        assert story(given()(start(None))) == [("started", 1, 0), ("ended", NO_POLICY)]

    def test_a_short_minute_shortens_patience(self) -> None:
        assert reached(given()(start(minute=timedelta(seconds=1)))).next_at == T0 + timedelta(seconds=5)

    def test_a_minute_is_frozen_at_the_start(self) -> None:
        begun = start(minute=timedelta(seconds=1))
        assert reached(given(begun)(Tick(world(5 / 60)))).level == 1


class TestClimbing:
    def test_patience_not_yet_spent_tells_nobody(self) -> None:
        assert given(start())(tick(4.99)) == []

    def test_spent_patience_reaches_the_next_level_with_its_reason(self) -> None:
        next_level = reached(given(start())(tick(5)))
        assert (next_level.level, next_level.alert_version, next_level.next_at) == (1, 1, None)
        assert next_level.responders[0] == Responder(
            user=BOB,
            reason=Reason(
                policy=PRIMARY,
                policy_version=4,
                rule=1,
                schedule=3,
                layer="weeks",
                text="Policy «Primary», level 2: Schedule «SRE»: turn in layer «weeks»",
            ),
        )

    def test_the_patience_of_a_level_begins_when_it_is_reached(self) -> None:
        three = plan(rule(user(ADA)), rule(user(BOB)), rule(user(CYD)))
        assert reached(given(start(three))(tick(60, three))).next_at == at(65)

    def test_after_the_last_level_it_ends(self) -> None:
        assert story(given(start(), tick(5))(tick(10))) == [("ended", EXHAUSTED)]
        assert given(start(), tick(5), tick(10))(tick(99)) == []

    def test_an_empty_level_falls_through_at_once_and_says_so(self) -> None:
        gap = plan(rule(user(ADA)), rule(EMPTY), rule(user(CYD)))
        skipped, third = given(start(gap))(tick(5, gap))
        assert told(skipped) == ("skipped", 1)
        assert told(third) == ("reached", 2, CYD)
        assert isinstance(skipped, EscalationLevelSkipped)
        assert skipped.vacancies[0].text == "Policy «Primary», level 2: Schedule «Day»: nobody is on call"

    def test_nobody_anywhere_ends_at_once_and_says_so(self) -> None:
        assert story(given()(start(plan(rule(EMPTY), rule(EMPTY))))) == [
            ("started", 1, 2),
            ("skipped", 0),
            ("skipped", 1),
            ("ended", NOBODY),
        ]

    def test_a_half_empty_level_is_reached_and_names_the_vacancy(self) -> None:
        half = reached(given()(start(plan(rule(EMPTY, user(ADA))))))
        assert [responder.user for responder in half.responders] == [ADA]
        assert [vacancy.target for vacancy in half.vacancies] == [EMPTY]

    def test_somebody_named_twice_in_a_level_is_told_once(self) -> None:
        assert story(given()(start(plan(rule(user(BOB), NIGHT)))))[1] == ("reached", 0, BOB)

    def test_a_target_that_was_not_looked_up_is_a_vacancy_and_not_a_crash(self) -> None:
        unknown = plan(rule(Target(team=1)), rule(user(ADA)))
        assert story(given()(start(unknown)))[1:] == [("skipped", 0), ("reached", 1, ADA)]

    def test_a_level_without_patience_does_not_hold_the_next_one_up(self) -> None:
        hasty = plan(rule(user(ADA), patience=0), rule(user(BOB)))
        assert story(given()(start(hasty))) == [("started", 1, 2), ("reached", 0, ADA), ("reached", 1, BOB)]

    def test_repeating_goes_through_the_rules_so_many_times_in_all(self) -> None:
        twice = plan(rule(user(ADA)), rule(user(BOB)), rounds=2)
        commands: list[Command] = [start(twice), tick(5, twice), tick(10, twice), tick(15, twice)]
        assert story(given(*commands[:2])(commands[2])) == [("reached", 2, ADA)]
        assert story(given(*commands[:3])(commands[3])) == [("reached", 3, BOB)]
        assert story(given(*commands)(tick(20, twice))) == [("ended", EXHAUSTED)]
        again = reached(given(*commands[:2])(commands[2])).responders[0].reason
        assert (again.rule, again.text) == (0, "Policy «Primary», level 1, round 2: named directly")

    def test_what_could_not_be_awaited_is_said(self) -> None:
        late = reached(given(start())(Tick(world(5), gate_timed_out=True)))
        assert late.gate_timed_out
        assert not reached(given(start())(tick(5))).gate_timed_out


class TestHalting:
    def test_an_acceptance_halts_it_and_no_tick_wakes_it_again(self) -> None:
        assert given(start())(Halt(2, ACCEPTED, at(1))) == [
            EscalationHalted(alert=42, alert_version=2, reason=ACCEPTED, at=at(1))
        ]
        assert given(start(), Halt(2, ACCEPTED, at(1)))(tick(99)) == []

    def test_a_resolution_after_the_end_is_noted(self) -> None:
        assert story(given(start(), tick(5), tick(10))(Halt(2, RESOLVED, at(60)))) == [("halted", RESOLVED)]

    def test_an_unknown_alert_has_nothing_to_halt(self) -> None:
        assert given()(Halt(2, ACCEPTED, at(1))) == []

    def test_a_resolved_alert_stays_over_whatever_is_asked(self) -> None:
        over = given(start(), Halt(2, RESOLVED, at(1)))
        assert over(Escalate(3, None, BY_ADA, world(2))) == []
        assert over(Assign(3, PRIMARY, None, BY_ADA, at(2), world(2))) == []
        assert over(AddResponder(3, BOB, BY_ADA, world(2))) == []


class TestWhatPeopleAsk:
    def test_the_next_level_at_once(self) -> None:
        asked = given(start())(Escalate(2, None, BY_ADA, world(1)))
        assert story(asked) == [("reached", 1, BOB)]
        assert (reached(asked).by, reached(asked).alert_version) == (BY_ADA, 2)

    def test_from_there_it_goes_on_by_itself(self) -> None:
        three = plan(rule(user(ADA)), rule(user(BOB)), rule(user(CYD)))
        assert story(given(start(three), Escalate(2, None, BY_ADA, world(1, three)))(tick(6, three))) == [
            ("reached", 2, CYD)
        ]

    def test_the_next_level_before_the_delay_is_the_first(self) -> None:
        delayed = plan(rule(user(ADA)), delay=3)
        assert story(given(start(delayed))(Escalate(2, None, BY_ADA, world(1, delayed)))) == [("reached", 0, ADA)]

    def test_an_accepted_alert_that_is_escalated_is_climbed_on(self) -> None:
        assert story(given(start(), Halt(2, ACCEPTED, at(1)))(Escalate(3, None, BY_ADA, world(2)))) == [
            ("reached", 1, BOB)
        ]

    def test_going_back_to_a_level_begins_a_new_run(self) -> None:
        assert story(given(start(), tick(5))(Escalate(2, 0, BY_ADA, world(6)))) == [
            ("started", 2, 2),
            ("reached", 0, ADA),
        ]

    def test_past_the_end_it_begins_anew(self) -> None:
        assert story(given(start(), tick(5), tick(10))(Escalate(2, None, BY_ADA, world(11)))) == [
            ("started", 2, 2),
            ("reached", 0, ADA),
        ]

    def test_a_low_alert_reaches_the_policys_second_level_when_asked_to(self) -> None:
        assert story(given(start(priority=Priority.LOW))(Escalate(2, None, BY_ADA, world(1)))) == [
            ("started", 2, 2),
            ("reached", 1, BOB),
        ]

    def test_without_a_policy_there_is_no_further_level(self) -> None:
        assert story(given(start(by_hand=(BOB,)))(Escalate(2, None, BY_ADA, world(1, None)))) == [
            ("ended", NO_FURTHER_LEVEL)
        ]

    def test_one_more_person_is_told_and_the_climb_goes_on(self) -> None:
        (added,) = given(start())(AddResponder(2, CYD, BY_ADA, world(1)))
        assert isinstance(added, EscalationResponderAdded)
        assert (added.responder, added.by) == (Responder(user=CYD, reason=Reason(text="Asked for by hand")), BY_ADA)
        assert story(given(start(), AddResponder(2, CYD, BY_ADA, world(1)))(tick(5))) == [("reached", 1, BOB)]

    def test_assigned_to_a_user_only_they_are_told(self) -> None:
        assert story(given(start())(Assign(2, None, user(CYD), BY_ADA, at(1), world(1)))) == [
            ("halted", ASSIGNED),
            ("started", 2, 1),
            ("reached", 0, CYD),
        ]
        assert given(start(), Assign(2, None, user(CYD), BY_ADA, at(1), world(1)))(tick(99)) == []

    def test_assigned_to_a_schedule_whoever_is_on_call_is_told(self) -> None:
        assert story(given(start())(Assign(2, None, NIGHT, BY_ADA, at(1), world(1))))[-1] == ("reached", 0, BOB)

    def test_assigned_to_a_policy_it_climbs_from_the_first_level_without_delay(self) -> None:
        delayed = plan(rule(user(CYD)), rule(user(ADA)), delay=5)
        assigned = Assign(2, PRIMARY, None, BY_ADA, at(1), world(1, delayed))
        assert story(given(start())(assigned)) == [("halted", ASSIGNED), ("started", 2, 2), ("reached", 0, CYD)]
        assert story(given(start(), assigned)(tick(6, delayed))) == [("reached", 1, ADA)]

    def test_after_an_assignment_by_hand_the_next_level_is_the_policys_first(self) -> None:
        asked = given(start(), Assign(2, None, user(CYD), BY_ADA, at(1), world(1)))(Escalate(3, None, BY_ADA, world(2)))
        assert story(asked) == [("started", 3, 2), ("reached", 0, ADA)]

    def test_a_version_that_was_heard_before_says_nothing_new(self) -> None:
        assert given(start(), Escalate(2, None, BY_ADA, world(1)))(Escalate(2, None, BY_ADA, world(1))) == []


minutes = st.integers(0, 30)
plans = st.builds(
    lambda rules, rounds, delay: plan(*rules, rounds=rounds, delay=delay),
    st.lists(
        st.builds(
            lambda targets, patience: rule(*targets, patience=patience),
            st.lists(st.sampled_from([user(ADA), user(BOB), NIGHT, EMPTY, Target(team=1)]), max_size=3),
            st.integers(0, 3),
        ),
        max_size=4,
    ),
    st.integers(1, 3),
    st.integers(0, 2),
)
worlds = st.builds(world, minutes, st.none() | plans)
versions = st.integers(1, 6)
starts = st.builds(
    lambda of, priority, by_hand, since: replace(start(of, priority=priority, by_hand=by_hand), since=since),
    st.none() | plans,
    st.sampled_from(list(Priority)),
    st.sampled_from([(), (BOB,)]),
    st.sampled_from([at(0), at(-60)]),
)
wishes = st.one_of(
    st.builds(Escalate, versions, st.none() | st.integers(0, 5), st.just(BY_ADA), worlds),
    st.builds(
        Assign,
        versions,
        st.none() | st.just(PRIMARY),
        st.none() | st.just(user(CYD)),
        st.just(BY_ADA),
        minutes.map(at),
        worlds,
    ),
    st.builds(AddResponder, versions, st.just(CYD), st.just(BY_ADA), worlds),
    st.builds(Halt, versions, st.sampled_from([ACCEPTED, RESOLVED]), st.just(at(3))),
    starts,
)
commands = st.lists(st.one_of(wishes, st.builds(Tick, worlds)), max_size=8)


class TestLaws:
    @for_any(commands)
    def test_a_tick_at_the_deadline_makes_progress(self, asked: list[Command]) -> None:
        state = run(*asked)
        due = escalation.due_at(state)
        if due is not None:
            later = escalation.due_at(escalation.fold(decided(state, Tick(World(due, found=FOUND))), state))
            assert later is None or later > due

    @for_any(commands)
    def test_it_comes_to_an_end_by_itself(self, asked: list[Command]) -> None:
        state, steps = run(*asked), 0
        while (due := escalation.due_at(state)) is not None:
            state, steps = escalation.fold(decided(state, Tick(World(due, found=FOUND))), state), steps + 1
            assert steps <= 1 + 4 * 3

    @for_any(commands, wishes)
    def test_the_same_command_twice_decides_nothing_more(self, asked: list[Command], again: Command) -> None:
        state = run(*asked, again)
        assert decided(state, again) == []

    @for_any(commands, worlds)
    def test_nobody_is_told_by_time_after_a_halt(self, asked: list[Command], later: World) -> None:
        halted = run(*asked, Halt(99, ACCEPTED, at(3)))
        assert decided(halted, Tick(later)) == []

    @for_any(commands)
    def test_a_level_is_told_once_in_a_run(self, asked: list[Command]) -> None:
        state: State = escalation.initial
        seen: list[tuple[int, int]] = []
        for command in asked:
            events = decided(state, command)
            seen += [(event.run, event.level) for event in events if isinstance(event, EscalationLevelReached)]
            state = escalation.fold(events, state)
        assert len(seen) == len(set(seen))

    @for_any(commands)
    def test_everybody_who_is_told_is_told_why(self, asked: list[Command]) -> None:
        state: State = escalation.initial
        for command in asked:
            for event in decided(state, command):
                if isinstance(event, EscalationLevelReached):
                    assert all(responder.reason.text for responder in event.responders)
                    assert event.responders
                state = escalation.evolve(state, event)

    @for_any(commands, commands)
    def test_evolve_takes_any_history(self, one: list[Command], other: list[Command]) -> None:
        state: State = escalation.initial
        events: list[Event] = []
        for command in other:
            made = decided(state, command)
            events += made
            state = escalation.fold(made, state)
        mixed = escalation.fold(reversed(events), run(*one))
        assert escalation.due_at(mixed) is None or isinstance(mixed, Waiting | Climbing)

    @for_any(commands)
    def test_what_is_kept_of_a_state_gives_the_same_state(self, asked: list[Command]) -> None:
        state = run(*asked)
        assert ESCALATION.codec.load(ESCALATION.codec.dump(state)) == state

    def test_an_exhausted_alert_waits_for_nothing(self) -> None:
        assert isinstance(run(start(), tick(5), tick(10)), Exhausted)
        assert escalation.due_at(run(start(), tick(5), tick(10))) is None
