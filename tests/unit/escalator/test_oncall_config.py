"""Policies and schedules: what may become of them, what is refused, and when nothing is new."""

from datetime import UTC, datetime, timedelta

from hypothesis import given as for_any
from hypothesis import strategies as st

from escalator.domain import policy as policies
from escalator.domain import schedule as schedules
from escalator.streams import POLICY, SCHEDULE
from events.core import Event, Outcome, Refusal
from events.escalator import (
    Layer,
    Override,
    PolicyChanged,
    PolicyDeleted,
    Rule,
    ScheduleChanged,
    ScheduleDeleted,
    ScheduleType,
    Shift,
    Target,
)

T0 = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
ADA, BOB = 7, 8


def at(hours: float) -> datetime:
    return T0 + timedelta(hours=hours)


def events(outcome: Outcome) -> list[Event]:
    assert isinstance(outcome, list)
    return outcome


def refused(outcome: Outcome) -> str:
    assert isinstance(outcome, Refusal)
    return outcome.code


def rule(user: int) -> Rule:
    return Rule(targets=(Target(user=user),), timeout_min=5)


def policy(name: str = "Primary", *rules: Rule, hours: float = 0) -> PolicyChanged:
    return PolicyChanged(policy=2, name=name, rules=rules or (rule(ADA),), at=at(hours))


class TestPolicies:
    made = policy().model_copy(update={"created": True})

    def kept(self, *history: Event) -> policies.State:
        return policies.policy.fold([self.made, *history])

    def test_making_one_says_that_it_is_new(self) -> None:
        assert policies.decide(policies.Unmade(), policies.Set(policy())) == [self.made]

    def test_the_same_again_is_no_change(self) -> None:
        assert policies.decide(self.kept(), policies.Set(policy(hours=1))) == []

    def test_a_change_is_the_full_new_state(self) -> None:
        assert policies.decide(self.kept(), policies.Set(policy("Other", hours=1))) == [policy("Other", hours=1)]

    def test_one_level_is_replaced(self) -> None:
        state = policies.policy.fold([policy("Primary", rule(ADA), rule(ADA))])
        assert policies.decide(state, policies.SetLevel(1, rule(BOB), at(1))) == [
            policy("Primary", rule(ADA), rule(BOB), hours=1)
        ]

    def test_a_level_that_is_not_there_is_refused(self) -> None:
        assert refused(policies.decide(self.kept(), policies.SetLevel(1, rule(BOB), at(1)))) == "NOT_FOUND"

    def test_a_deleted_one_is_gone_for_good(self) -> None:
        gone = self.kept(PolicyDeleted(policy=2, at=at(1)))
        assert policies.decide(self.kept(), policies.Delete(at(1))) == [PolicyDeleted(policy=2, at=at(1))]
        assert refused(policies.decide(gone, policies.Delete(at(2)))) == "NOT_FOUND"
        assert refused(policies.decide(gone, policies.Set(policy()))) == "NOT_FOUND"

    def test_a_state_reads_back_as_it_was_written(self) -> None:
        for state in (policies.Unmade(), self.kept(), self.kept(PolicyDeleted(policy=2, at=at(1)))):
            assert POLICY.codec.load(POLICY.codec.dump(state)) == state


def schedule(
    *, name: str = "SRE", zone: str = "Europe/Berlin", shifts: tuple[Shift, ...] = (), hours: float = 0
) -> ScheduleChanged:
    layers = () if shifts else (Layer(starts_on="2026-01-05T09:00", users=(ADA, BOB), rotation="P7D"),)
    kind = ScheduleType.STATIC if shifts else ScheduleType.RECURRING
    return ScheduleChanged(schedule=3, name=name, timezone=zone, type=kind, layers=layers, shifts=shifts, at=at(hours))


def override(number: int, start: float, end: float, user: int = BOB) -> Override:
    return Override(override=number, user=user, start=at(start), end=at(end))


def shift(start: float, end: float) -> Shift:
    return Shift(user=ADA, start=at(start), end=at(end))


def after(*commands: schedules.Command) -> schedules.State:
    state: schedules.State = schedules.Unmade()
    for command in commands:
        state = schedules.schedule.fold(events(schedules.decide(state, command)), state)
    return state


def overrides(state: schedules.State) -> tuple[Override, ...]:
    assert isinstance(state, schedules.Kept)
    return state.now.overrides


class TestSchedules:
    made = schedules.Set(schedule())

    def test_making_one_says_that_it_is_new(self) -> None:
        (event,) = events(schedules.decide(schedules.Unmade(), self.made))
        assert event == schedule().model_copy(update={"created": True})

    def test_the_same_again_is_no_change(self) -> None:
        assert schedules.decide(after(self.made), schedules.Set(schedule(hours=5))) == []

    def test_its_zone_and_its_type_stay(self) -> None:
        elsewhere = schedules.decide(after(self.made), schedules.Set(schedule(zone="America/New_York")))
        assert isinstance(elsewhere, Refusal)
        assert elsewhere.message.startswith("timezone:")
        other = schedules.decide(after(self.made), schedules.Set(schedule(shifts=(shift(1, 2),))))
        assert isinstance(other, Refusal)
        assert other.message.startswith("type:")

    def test_a_change_leaves_the_overrides_alone(self) -> None:
        added = schedules.AddOverride(override(1, 1, 2), at(0))
        assert overrides(after(self.made, added, schedules.Set(schedule(name="Ops", hours=1)))) == (override(1, 1, 2),)

    def test_a_deleted_one_is_gone_for_good(self) -> None:
        assert schedules.decide(after(self.made), schedules.Delete(at(1))) == [ScheduleDeleted(schedule=3, at=at(1))]
        gone = after(self.made, schedules.Delete(at(1)))
        assert refused(schedules.decide(gone, self.made)) == "NOT_FOUND"
        assert refused(schedules.decide(gone, schedules.AddOverride(override(1, 2, 3), at(1)))) == "NOT_FOUND"


class TestStaticShifts:
    def test_a_shift_that_is_over_cannot_be_made(self) -> None:
        late = schedules.Set(schedule(shifts=(shift(-2, -1),)))
        assert refused(schedules.decide(schedules.Unmade(), late)) == "SHIFT_IN_THE_PAST"

    def test_what_is_past_stays_although_it_is_left_out(self) -> None:
        state = after(
            schedules.Set(schedule(shifts=(shift(1, 2), shift(3, 4)))),
            schedules.Set(schedule(shifts=(shift(5, 6),), hours=2.5)),
        )
        assert isinstance(state, schedules.Kept)
        assert state.now.shifts == (shift(1, 2), shift(5, 6))

    def test_what_is_past_may_be_written_again(self) -> None:
        state = after(schedules.Set(schedule(shifts=(shift(1, 2), shift(3, 4)))))
        assert schedules.decide(state, schedules.Set(schedule(shifts=(shift(1, 2), shift(3, 4)), hours=2.5))) == []


class TestOverrides:
    made = schedules.Set(schedule())

    def test_one_goes_on_top(self) -> None:
        state = after(
            self.made,
            schedules.AddOverride(override(1, 1, 4), at(0)),
            schedules.AddOverride(override(2, 2, 3, ADA), at(0)),
        )
        assert [one.override for one in overrides(state)] == [1, 2]

    def test_one_may_have_begun_but_not_ended(self) -> None:
        assert overrides(after(self.made, schedules.AddOverride(override(1, -1, 1), at(0))))
        late = schedules.AddOverride(override(1, -2, -1), at(0))
        assert refused(schedules.decide(after(self.made), late)) == "OVERRIDE_IN_THE_PAST"

    def test_one_must_end_after_it_begins(self) -> None:
        nothing = schedules.AddOverride(override(1, 2, 2), at(0))
        assert refused(schedules.decide(after(self.made), nothing)) == "VALIDATION_ERROR"

    def test_a_retry_adds_no_second_one(self) -> None:
        state = after(self.made, schedules.AddOverride(override(1, 1, 2), at(0)))
        assert schedules.decide(state, schedules.AddOverride(override(2, 1, 2), at(0))) == []

    def test_one_that_has_not_begun_is_taken_away(self) -> None:
        state = after(self.made, schedules.AddOverride(override(1, 1, 2), at(0)), schedules.RemoveOverride(1, at(0.5)))
        assert overrides(state) == ()

    def test_one_that_has_begun_ends_now(self) -> None:
        state = after(self.made, schedules.AddOverride(override(1, 1, 3), at(0)), schedules.RemoveOverride(1, at(2)))
        assert overrides(state) == (override(1, 1, 2),)

    def test_one_that_is_over_stays(self) -> None:
        state = after(self.made, schedules.AddOverride(override(1, 1, 2), at(0)))
        assert refused(schedules.decide(state, schedules.RemoveOverride(1, at(3)))) == "OVERRIDE_IN_THE_PAST"

    def test_an_unknown_one_is_refused(self) -> None:
        assert refused(schedules.decide(after(self.made), schedules.RemoveOverride(1, at(3)))) == "NOT_FOUND"

    def test_old_ones_leave_the_present_state(self) -> None:
        state = after(
            self.made,
            schedules.AddOverride(override(1, 1, 2), at(0)),
            schedules.AddOverride(override(2, 24 * 99, 24 * 100), at(24 * 90)),
        )
        assert [one.override for one in overrides(state)] == [2]

    @for_any(
        st.lists(
            st.one_of(
                st.builds(
                    lambda number, start, length, now: schedules.AddOverride(
                        override(number, start, start + length), at(now)
                    ),
                    st.integers(1, 3),
                    st.integers(-3, 5),
                    st.integers(0, 4),
                    st.integers(0, 3),
                ),
                st.builds(schedules.RemoveOverride, st.integers(1, 4), st.integers(0, 5).map(at)),
            ),
            max_size=6,
        )
    )
    def test_the_same_command_twice_decides_nothing_more(self, asked: list[schedules.Command]) -> None:
        state = after(self.made)
        for command in asked:
            first = schedules.decide(state, command)
            state = schedules.schedule.fold([] if isinstance(first, Refusal) else first, state)
            again = schedules.decide(state, command)
            assert again == [] or isinstance(again, Refusal)
            assert SCHEDULE.codec.load(SCHEDULE.codec.dump(state)) == state
