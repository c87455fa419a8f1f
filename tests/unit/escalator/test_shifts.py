"""The shifts ahead: what is planned is who will be on call, nothing is said twice, and time always gets on."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from hypothesis import given as for_any
from hypothesis import settings
from hypothesis import strategies as st

from escalator.domain.shifts import AHEAD, KNOWN_AT_LEAST, Over, Plan, State, due_at, plan
from escalator.oncall import OnCall, who
from events.core import Event
from events.escalator import ScheduleChanged, ShiftsPlanned
from tests.unit.escalator.test_oncall import ADA, BERLIN, BOB, CYD, LORD_HOWE, NEW_YORK, layer, override, schedule, utc

NOON = utc("2026-03-02T12:00")


def after(*events: Event) -> State:
    return plan.fold(events)


def when(state: State, at: datetime, rota: ScheduleChanged | None, version: int = 1) -> list[ShiftsPlanned]:
    decided = plan.decide(state, Plan(3, rota, version, at))
    assert isinstance(decided, list)
    return [event for event in decided if isinstance(event, ShiftsPlanned)]


def first(rota: ScheduleChanged, at: datetime = NOON) -> ShiftsPlanned:
    (said,) = when(after(), at, rota)
    return said


def users(said: ShiftsPlanned) -> list[int]:
    return [shift.user for shift in said.shifts]


class TestPlanning:
    def test_the_first_plan_reaches_three_days_ahead_and_gives_each_reason(self) -> None:
        said = first(schedule(layer(ADA, BOB, rotation="P1D", name="days")))
        assert (said.until, said.schedule_version) == (NOON + AHEAD, 1)
        assert users(said) == [ADA, BOB, ADA, BOB]
        assert said.shifts[0].text == "Schedule «SRE»: turn in layer «days» until Tue 03 Mar 2026 09:00 (Europe/Berlin)"

    def test_the_same_again_says_nothing_also_after_a_shift_went_by(self) -> None:
        rota = schedule(layer(ADA, BOB, rotation="PT8H"))
        said = first(rota)
        assert when(after(said), NOON, rota) == []
        assert when(after(said), NOON + timedelta(hours=20), rota, version=2) == []

    def test_an_override_is_told_at_once_and_keeps_the_horizon(self) -> None:
        said = first(schedule(layer(ADA)))
        put_on_top = override(1, BOB, "2026-03-03T20:00", "2026-03-03T22:00")
        (then,) = when(after(said), NOON + timedelta(hours=1), schedule(layer(ADA), overrides=[put_on_top]), 2)
        assert (users(then), then.until) == ([ADA, BOB, ADA], said.until)
        assert "override" in then.shifts[1].text

    def test_an_override_beyond_the_horizon_is_not_said_yet(self) -> None:
        said = first(schedule(layer(ADA)))
        far = override(1, BOB, "2026-04-03T20:00", "2026-04-03T22:00")
        assert when(after(said), NOON, schedule(layer(ADA), overrides=[far])) == []

    def test_a_day_later_it_is_planned_further(self) -> None:
        rota = schedule(layer(ADA))
        state = after(first(rota))
        due = due_at(state)
        assert due == NOON + timedelta(days=1)
        (further,) = when(state, due, rota)
        assert further.until == due + AHEAD

    def test_a_schedule_that_is_gone_has_no_shifts_ahead_for_good(self) -> None:
        rota = schedule(layer(ADA))
        state = after(first(rota))
        (end,) = when(state, NOON + timedelta(hours=1), None)
        assert end.shifts == ()
        over = plan.evolve(state, end)
        assert over == Over()
        assert due_at(over) is None
        assert when(over, NOON, rota) == []

    def test_a_schedule_that_never_was_says_nothing(self) -> None:
        assert when(after(), NOON, None) == []


ZONES = st.sampled_from((BERLIN, NEW_YORK, LORD_HOWE, "UTC"))
# the nights in which one of these zones changes its clocks lie in both halves
INSTANTS = st.one_of(
    st.datetimes(utc("2026-03-06T00:00").replace(tzinfo=None), utc("2026-04-08T00:00").replace(tzinfo=None)),
    st.datetimes(utc("2026-10-01T00:00").replace(tzinfo=None), utc("2026-11-05T00:00").replace(tzinfo=None)),
).map(lambda at: utc(at.isoformat()))
LAYERS = st.lists(
    st.builds(
        lambda people, turn, start: layer(*people, rotation=turn, start=start),
        st.lists(st.sampled_from((ADA, BOB, CYD)), min_size=1, max_size=3),
        st.sampled_from(("PT1H", "PT7H", "P1D", "P7D")),
        st.sampled_from(("2026-01-05T02:30", "2026-03-30T09:00")),
    ),
    max_size=2,
)


def on_call(said: ShiftsPlanned, at: datetime) -> list[int]:
    return [shift.user for shift in said.shifts if shift.start <= at < shift.end]


@for_any(LAYERS, ZONES, INSTANTS, st.lists(st.integers(0, 3 * 24 * 60 - 1), min_size=1, max_size=20))
@settings(deadline=None, max_examples=60)
def test_whoever_is_planned_for_an_instant_is_on_call_then(
    layers: Sequence[object], zone: str, at: datetime, minutes: list[int]
) -> None:
    rota = schedule(*layers, zone=zone)  # type: ignore[arg-type]
    said = first(rota, at)
    for minute in minutes:
        sampled = at + timedelta(minutes=minute)
        found = who(rota, sampled)
        assert on_call(said, sampled) == ([found.user] if isinstance(found, OnCall) else [])


@for_any(LAYERS, INSTANTS, st.lists(st.timedeltas(timedelta(0), timedelta(days=5)), max_size=6))
@settings(deadline=None, max_examples=60)
def test_a_tick_always_makes_progress_and_a_second_one_says_nothing(
    layers: Sequence[object], at: datetime, pauses: list[timedelta]
) -> None:
    rota = schedule(*layers)  # type: ignore[arg-type]
    state = after(first(rota, at))
    for pause in pauses:
        due = due_at(state)
        assert due is not None
        at = max(at, due) + pause
        (further,) = when(state, at, rota)
        state = plan.evolve(state, further)
        known_until = due_at(state)
        assert known_until is not None
        assert known_until > at
        assert further.until - at > KNOWN_AT_LEAST
        assert when(state, at, rota) == []
