"""A service's status under causes that overlap: what is shown, what ends what, and what is said of it."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given as for_any
from hypothesis import strategies as st

from events.core import Event, Outcome, Refusal
from events.shared import Actor
from events.statuspage import (
    ServiceCausesChanged,
    ServiceChanged,
    ServiceDeleted,
    ServiceStatus,
    ServiceStatusChanged,
)
from statuspage.domain.service import (
    AlertBy,
    Bearing,
    Blank,
    Command,
    Delete,
    Gone,
    ImpactBy,
    Known,
    MaintainBy,
    Set,
    SetStatus,
    State,
    decide,
    evolve,
)
from statuspage.domain.service import service as decider
from statuspage.streams import SERVICE

T0 = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
UP, MAINTAINED, DEGRADED, PARTIAL, MAJOR = ServiceStatus
ADA = Actor.by_user(7, "web")


def at(minutes: float) -> datetime:
    return T0 + timedelta(minutes=minutes)


def described(name: str = "Checkout", minutes: float = 0) -> ServiceChanged:
    return ServiceChanged(service=3, name=name, at=at(minutes))


MADE = described().model_copy(update={"created": True})


def after(*commands: Command) -> State:
    """The state of a service that was given these; none of them is refused."""
    state: State = decider.fold([MADE])
    for command in commands:
        outcome = decide(state, command)
        assert isinstance(outcome, list), outcome
        state = decider.fold(outcome, state)
    return state


def shown(*commands: Command) -> ServiceStatus:
    state = after(*commands)
    assert isinstance(state, Known)
    return state.status


def turns(outcome: Outcome) -> list[ServiceStatusChanged]:
    assert isinstance(outcome, list)
    return [event for event in outcome if isinstance(event, ServiceStatusChanged)]


def hit(minutes: float, impact: ServiceStatus | None, incident: int = 1) -> ImpactBy:
    return ImpactBy(incident, impact, at(minutes), reason=f"Incident {incident}")


def maintained(minutes: float, *, on: bool, maintenance: int = 1) -> MaintainBy:
    return MaintainBy(maintenance, on, at(minutes))


class TestItsWords:
    def test_making_one_says_that_it_is_new_and_operational(self) -> None:
        assert decide(Blank(), Set(described())) == [MADE]
        state = after()
        assert isinstance(state, Known)
        assert (state.status, state.created_at) == (UP, T0)

    def test_the_same_again_is_no_change(self) -> None:
        assert decide(after(), Set(described(minutes=9))) == []
        assert decide(after(), Set(described("Shop", 9))) == [described("Shop", 9)]

    def test_a_new_name_leaves_the_status_as_it_is(self) -> None:
        assert shown(hit(1, MAJOR), Set(described("Shop", 2))) is MAJOR

    def test_what_is_gone_is_refused_but_nothing_need_be_taken_from_it(self) -> None:
        state = after(hit(1, MAJOR), Delete(at(2)))
        assert state == Gone(MADE)
        refused: list[Command] = [Set(described()), SetStatus(UP, at(3)), hit(3, MAJOR), Delete(at(3))]
        refused += [maintained(3, on=True), AlertBy(1, MAJOR, at(3))]
        for one in (state, Blank()):
            for command in refused:
                outcome = decide(one, command)
                assert isinstance(outcome, Refusal) or isinstance(command, Set), command
            for command in (hit(3, None), maintained(3, on=False), AlertBy(1, None, at(3))):
                assert decide(one, command) == []

    def test_deleting_says_so(self) -> None:
        assert decide(after(), Delete(at(1))) == [ServiceDeleted(service=3, at=at(1))]


class TestWhatIsShown:
    def test_what_a_person_says(self) -> None:
        assert shown(SetStatus(DEGRADED, at(1))) is DEGRADED

    def test_an_incident_overrules_it_and_gives_it_back(self) -> None:
        assert shown(SetStatus(DEGRADED, at(1)), hit(2, MAJOR)) is MAJOR
        assert shown(SetStatus(DEGRADED, at(1)), hit(2, MAJOR), hit(3, None)) is DEGRADED

    def test_the_worst_of_several_incidents(self) -> None:
        both = (hit(1, PARTIAL, 1), hit(2, MAJOR, 2))
        assert shown(*both) is MAJOR
        assert shown(*both, hit(3, None, 2)) is PARTIAL
        assert shown(*both, hit(3, DEGRADED, 2)) is PARTIAL

    def test_an_incident_says_it_better_than_the_alert_it_was_opened_for(self) -> None:
        down = AlertBy(42, MAJOR, at(1))
        assert shown(down) is MAJOR
        assert shown(down, hit(2, DEGRADED)) is DEGRADED
        assert shown(down, hit(2, DEGRADED), hit(3, None)) is MAJOR
        assert shown(down, AlertBy(42, None, at(2))) is UP

    def test_an_alert_that_is_over_leaves_what_another_set(self) -> None:
        assert shown(AlertBy(42, MAJOR, at(1)), AlertBy(43, PARTIAL, at(2)), AlertBy(42, None, at(3))) is PARTIAL

    def test_a_person_overrules_alerts(self) -> None:
        assert shown(AlertBy(42, MAJOR, at(1)), SetStatus(UP, at(2))) is UP
        assert shown(AlertBy(42, MAJOR, at(1)), SetStatus(UP, at(2)), AlertBy(42, None, at(3))) is UP

    def test_maintenance_overrules_everything_and_uncovers_what_came_meanwhile(self) -> None:
        under = (maintained(1, on=True), hit(2, MAJOR))
        assert shown(*under) is MAINTAINED
        assert shown(*under, maintained(3, on=False)) is MAJOR
        assert shown(*under, hit(3, None), SetStatus(PARTIAL, at(4)), maintained(5, on=False)) is PARTIAL

    def test_of_two_maintenances_the_last_to_end_ends_it(self) -> None:
        both = (maintained(1, on=True), maintained(2, on=True, maintenance=2), maintained(3, on=False))
        assert shown(*both) is MAINTAINED
        assert shown(*both, maintained(4, on=False, maintenance=2)) is UP

    def test_saying_what_is_shown_is_no_wish(self) -> None:
        """Who reads a service, changes its name and writes it back has said nothing about its status."""
        assert decide(after(hit(1, MAJOR)), SetStatus(MAJOR, at(2))) == []
        assert shown(hit(1, MAJOR), SetStatus(MAJOR, at(2)), hit(3, None)) is UP


class TestWhatIsSaid:
    def test_a_turn_says_what_was_before_and_why(self) -> None:
        outcome = decide(after(), ImpactBy(1, MAJOR, at(5), reason="Incident 1: Down", by=ADA))
        assert isinstance(outcome, list)
        causes, turn = outcome
        assert isinstance(causes, ServiceCausesChanged)
        assert turn == ServiceStatusChanged(
            service=3,
            status=MAJOR,
            before=UP,
            since=at(5),
            reason="Incident 1: Down",
            incident=1,
            by=ADA,
            at=at(5),
        )

    def test_what_does_not_show_is_no_turn_but_is_kept(self) -> None:
        outcome = decide(after(maintained(1, on=True)), hit(2, MAJOR))
        assert isinstance(outcome, list)
        assert [type(event) for event in outcome] == [ServiceCausesChanged]

    def test_a_turn_may_lie_in_the_past_but_not_before_the_last_one(self) -> None:
        early = ImpactBy(1, MAJOR, at(60), since=at(20))
        assert [turn.since for turn in turns(decide(after(), early))] == [at(20)]
        assert [turn.since for turn in turns(decide(after(SetStatus(DEGRADED, at(30))), early))] == [at(30)]
        before_it_was = ImpactBy(1, MAJOR, at(60), since=at(-20))
        assert [turn.since for turn in turns(decide(after(), before_it_was))] == [T0]

    def test_nor_in_the_future(self) -> None:
        assert [turn.since for turn in turns(decide(after(), SetStatus(MAJOR, at(5), since=at(9))))] == [at(5)]


statuses = st.sampled_from(ServiceStatus)
few = st.integers(1, 3)


def _bearings(kinds: Sequence[int], first: ServiceStatus, who: int, minutes: float) -> Bearing:
    match kinds[0] % 5:
        case 0:
            return SetStatus(first, at(minutes))
        case 1:
            return ImpactBy(who, first, at(minutes))
        case 2:
            return ImpactBy(who, None, at(minutes))
        case 3:
            return AlertBy(who, first if kinds[1] % 2 else None, at(minutes))
        case _:
            return MaintainBy(who, kinds[1] % 2 == 0, at(minutes))


wishes = st.lists(st.tuples(st.tuples(st.integers(0, 4), st.integers(0, 1)), statuses, few), max_size=15).map(
    lambda drawn: [_bearings(kinds, status, who, minutes) for minutes, (kinds, status, who) in enumerate(drawn, 1)]
)


class TestLaws:
    @for_any(wishes)
    def test_what_is_said_is_what_is_shown(self, commands: list[Bearing]) -> None:
        state = after(*commands)
        assert isinstance(state, Known)
        assert state.status is state.causes.shown is state.history[-1].status

    @for_any(wishes)
    def test_the_same_twice_decides_nothing_more(self, commands: list[Bearing]) -> None:
        for number in range(1, len(commands) + 1):
            assert decide(after(*commands[:number]), commands[number - 1]) == []

    @for_any(wishes)
    def test_when_all_that_came_is_over_it_is_as_people_set_it(self, commands: list[Bearing]) -> None:
        state = after(*commands)
        assert isinstance(state, Known)
        over: list[Bearing] = [hit(90, None, one) for one in state.causes.incidents]
        over += [AlertBy(one, None, at(90)) for one in state.causes.alerts]
        over += [maintained(90, on=False, maintenance=one) for one in state.causes.maintenances]
        assert shown(*commands, *over) is state.causes.manual

    @for_any(wishes)
    def test_a_state_survives_being_written_down(self, commands: list[Bearing]) -> None:
        state = after(*commands)
        assert SERVICE.codec.load(SERVICE.codec.dump(state)) == state


@pytest.mark.parametrize("state", [Blank(), after(), Gone(MADE)])
def test_any_history_can_be_read(state: State) -> None:
    history: list[Event] = [
        ServiceStatusChanged(service=3, status=MAJOR, since=T0, at=T0),
        ServiceCausesChanged(service=3, manual=UP, at=T0),
        ServiceDeleted(service=3, at=T0),
        MADE,
    ]
    for event in history:
        evolve(state, event)
