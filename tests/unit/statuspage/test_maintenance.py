"""A maintenance window from its planning to its end: what time does, what people may still change."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given as for_any
from hypothesis import strategies as st

from events.core import Event, Outcome, Refusal
from events.statuspage import MaintenanceChanged, MaintenanceDeleted, MaintenanceEnded, MaintenanceStarted
from statuspage.domain.maintenance import (
    HAS_BEGUN,
    IN_THE_PAST,
    IS_OVER,
    Command,
    Delete,
    Gone,
    Over,
    Plan,
    Planned,
    Running,
    State,
    Tick,
    Unmade,
    decide,
    due_at,
    maintenance,
    services_of,
)
from statuspage.streams import MAINTENANCE

T0 = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return T0 + timedelta(minutes=minutes)


def window(start: float, end: float, said: float = 0, services: tuple[int, ...] = (3,)) -> MaintenanceChanged:
    return MaintenanceChanged(
        maintenance=5, summary="New disks", start=at(start), end=at(end), services=services, sources=(8,), at=at(said)
    )


def created(planned: MaintenanceChanged) -> MaintenanceChanged:
    return planned.model_copy(update={"created": True})


def started(minutes: float, services: tuple[int, ...] = (3,)) -> MaintenanceStarted:
    return MaintenanceStarted(maintenance=5, sources=(8,), services=services, at=at(minutes))


def ended(minutes: float, services: tuple[int, ...] = (3,)) -> MaintenanceEnded:
    return MaintenanceEnded(maintenance=5, sources=(8,), services=services, at=at(minutes))


PLANNED = Planned(created(window(10, 20)))
RUNNING = Running(created(window(10, 20)))
OVER = Over(created(window(10, 20)))


class TestPlanning:
    def test_one_that_is_coming_is_planned(self) -> None:
        assert decide(Unmade(), Plan(window(10, 20))) == [created(window(10, 20))]

    def test_one_that_has_begun_opens_at_once(self) -> None:
        assert decide(Unmade(), Plan(window(-5, 20))) == [created(window(-5, 20)), started(0)]

    def test_what_is_past_or_backwards_is_refused_with_the_field(self) -> None:
        assert decide(Unmade(), Plan(window(-20, -10))) == IN_THE_PAST
        assert decide(PLANNED, Plan(window(-20, -10))) == IN_THE_PAST
        backwards = decide(Unmade(), Plan(window(20, 10)))
        assert isinstance(backwards, Refusal)
        assert backwards.message.startswith("end: ")

    def test_a_planned_one_may_be_moved_and_opens_when_its_new_start_has_come(self) -> None:
        assert decide(PLANNED, Plan(window(10, 20, said=5))) == []
        assert decide(PLANNED, Plan(window(15, 25, said=5))) == [window(15, 25, said=5)]
        assert decide(PLANNED, Plan(window(3, 25, said=5))) == [window(3, 25, said=5), started(5)]

    def test_a_running_one_may_end_otherwise_or_now_but_not_begin_later(self) -> None:
        assert decide(RUNNING, Plan(window(10, 40, said=15))) == [window(10, 40, said=15)]
        assert decide(RUNNING, Plan(window(10, 14, said=15))) == [window(10, 14, said=15), ended(15)]
        assert decide(RUNNING, Plan(window(16, 40, said=15))) == HAS_BEGUN

    def test_one_that_is_over_stays_as_it_was(self) -> None:
        assert decide(OVER, Plan(window(30, 40, said=25))) == IS_OVER

    def test_who_planned_it_stays_who_planned_it(self) -> None:
        mine = Planned(created(window(10, 20)).model_copy(update={"by": 7}))
        theirs = window(10, 30).model_copy(update={"by": 8})
        assert decide(mine, Plan(theirs)) == [theirs.model_copy(update={"by": 7})]


class TestTime:
    def test_it_waits_for_its_start_then_for_its_end_then_for_nothing(self) -> None:
        assert [due_at(state) for state in (PLANNED, RUNNING, OVER, Unmade())] == [at(10), at(20), None, None]

    def test_it_opens_and_closes(self) -> None:
        assert decide(PLANNED, Tick(at(10))) == [started(10)]
        assert decide(RUNNING, Tick(at(20))) == [ended(20)]

    def test_too_early_is_nothing(self) -> None:
        assert decide(PLANNED, Tick(at(9))) == []
        assert decide(RUNNING, Tick(at(19))) == []
        assert decide(OVER, Tick(at(99))) == []

    def test_with_nobody_at_work_it_is_over_without_having_opened(self) -> None:
        assert decide(PLANNED, Tick(at(25))) == [ended(25)]

    def test_only_while_it_runs_are_its_services_kept(self) -> None:
        assert [services_of(state) for state in (PLANNED, RUNNING, OVER)] == [frozenset(), {3}, frozenset()]


@pytest.mark.parametrize("state", [PLANNED, RUNNING, OVER])
def test_each_may_be_deleted_for_good(state: State) -> None:
    deleted = MaintenanceDeleted(maintenance=5, at=at(1))
    assert decide(state, Delete(at(1))) == [deleted]
    gone = maintenance.evolve(state, deleted)
    assert isinstance(gone, Gone)
    assert due_at(gone) is None
    for command in (Plan(window(10, 20)), Delete(at(2))):
        assert isinstance(decide(gone, command), Refusal)
    assert decide(gone, Tick(at(30))) == []


def events(outcome: Outcome) -> list[Event]:
    return outcome if isinstance(outcome, list) else []


times = st.integers(-30, 60)
wishes = st.lists(
    st.one_of(
        st.tuples(times, times).map(lambda pair: (min(pair), max(pair) + 1)),
        st.sampled_from(["tick", "delete"]),
    ),
    max_size=10,
)


@for_any(wishes)
def test_a_tick_at_the_deadline_always_makes_progress_and_a_state_can_be_written_down(drawn: list[object]) -> None:
    state: State = Unmade()
    for minutes, wish in enumerate(drawn):
        match wish:
            case (int(start), int(end)):
                command: Command = Plan(window(start, end, said=minutes))
            case "tick":
                command = Tick(at(minutes))
            case _:
                command = Delete(at(minutes))
        state = maintenance.fold(events(decide(state, command)), state)
        assert MAINTENANCE.codec.load(MAINTENANCE.codec.dump(state)) == state
        due = due_at(state)
        if due is not None:
            later = maintenance.fold(events(decide(state, Tick(due))), state)
            assert due_at(later) != due
