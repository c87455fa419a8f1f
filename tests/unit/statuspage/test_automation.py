"""What an alert's actions did: each run is answered once, each action opens once, and what is closed stays closed."""

from datetime import UTC, datetime

from hypothesis import given as for_any
from hypothesis import strategies as st

from events.statuspage import AutomationApplied, AutomationRefused, ServiceStatus
from statuspage.domain.automation import Apply, Book, Close, Command, Refuse, decide
from statuspage.domain.automation import automation as decider
from statuspage.streams import AUTOMATION

T0 = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
DEGRADED, MAJOR = ServiceStatus.DEGRADED, ServiceStatus.MAJOR_OUTAGE


def apply(run: int = 1, action: int = 5, status: ServiceStatus | None = MAJOR, incident: int | None = None) -> Apply:
    return Apply(42, run, action, (3,), status, incident, "done", T0)


def close(run: int = 2, action: int = 5) -> Close:
    return Close(42, run, action, "over", T0)


def refuse(run: int = 1, action: int = 5) -> Refuse:
    return Refuse(42, run, action, "no such template", T0)


def after(*commands: Command) -> Book:
    book = Book()
    for command in commands:
        book = decider.fold(decide(book, command), book)
    return book


def test_what_was_done_is_said_and_kept() -> None:
    assert decide(Book(), apply(incident=7)) == [
        AutomationApplied(
            alert=42, run=1, action=5, services=(3,), service_status=MAJOR, incident=7, text="done", at=T0
        )
    ]
    assert after(apply(incident=7)).of(5).incident == 7


def test_what_is_closed_names_what_it_was() -> None:
    assert decide(after(apply(incident=7)), close()) == [
        AutomationApplied(alert=42, run=2, action=5, services=(3,), incident=7, resolved=True, text="over", at=T0)
    ]
    assert after(apply(incident=7), close()).of(5).is_closed


def test_a_refusal_is_an_answer_too() -> None:
    assert decide(Book(), refuse()) == [AutomationRefused(alert=42, run=1, action=5, reason="no such template", at=T0)]
    assert decide(after(refuse()), apply()) == []


def test_without_an_incident_open_actions_bear_on_the_service_the_worst_of_them() -> None:
    both = after(apply(1, 5, DEGRADED), apply(2, 6, MAJOR))
    assert both.bears_on(3) is MAJOR
    assert both.bears_on(3, besides=6) is DEGRADED
    assert both.bears_on(4) is None
    assert after(apply(1, 5), close(2, 5)).bears_on(3) is None
    assert after(apply(1, 5, MAJOR, incident=7)).bears_on(3) is None, "the incident says it"


@for_any(
    st.lists(
        st.one_of(
            st.builds(apply, st.integers(1, 6), st.integers(5, 6), st.sampled_from([MAJOR, None]), st.none() | st.just(7)),
            st.builds(close, st.integers(1, 6), st.integers(5, 6)),
            st.builds(refuse, st.integers(1, 6), st.integers(5, 6)),
        )
    )
)  # fmt: skip
def test_each_run_is_answered_once_however_often_it_comes(commands: list[Command]) -> None:
    book, answers = Book(), []
    for command in commands:
        events = decide(book, command)
        book = decider.fold(events, book)
        answers += events
        assert decide(book, command) == []
    runs = [event.run for event in answers if isinstance(event, AutomationApplied | AutomationRefused)]
    assert sorted(runs) == sorted({command.run for command in commands})
    assert AUTOMATION.codec.load(AUTOMATION.codec.dump(book)) == book
