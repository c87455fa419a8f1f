"""Notices for one contact: the first ones at once, all others in one mail at the end of the window."""

from datetime import UTC, datetime, timedelta

from hypothesis import given as for_any
from hypothesis import strategies as st

from events.core import Event
from events.notifier import DigestComposed, DigestHeld, DigestWindowClosed
from notifier.domain.digest import MOST_IN_ONE, Close, Command, Open, Quiet, State, Tell, digest

T0 = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
WINDOW = timedelta(minutes=3)


def tell(number: int, seconds: float = 0) -> Tell:
    return Tell(1, 7, number, 1000 + number, T0 + timedelta(seconds=seconds), WINDOW)


def close(*alive: int, seconds: float = 180) -> Close:
    return Close(frozenset(alive), 9000, T0 + timedelta(seconds=seconds))


def run(commands: list[Command]) -> tuple[State, list[Event]]:
    state, history = digest.initial, list[Event]()
    for command in commands:
        decided = digest.decide(state, command)
        assert isinstance(decided, list)
        state, history = digest.fold(decided, state), [*history, *decided]
    return state, history


def mails(history: list[Event]) -> list[tuple[int, ...]]:
    return [event.carries for event in history if isinstance(event, DigestComposed)]


def test_the_first_goes_at_once_and_opens_a_window() -> None:
    state, history = run([tell(1)])
    assert mails(history) == [(1,)]
    assert digest.due_at(state) == T0 + WINDOW


def test_three_go_at_once_and_the_rest_share_one_mail_at_the_end() -> None:
    _, history = run([*(tell(number) for number in range(1, 8)), close(4, 5, 6, 7)])
    assert mails(history) == [(1,), (2,), (3,), (4, 5, 6, 7)]
    assert [event.place for event in history if isinstance(event, DigestComposed)] == [1, 2, 3, 0]


def test_what_was_cancelled_while_it_was_held_is_not_named() -> None:
    state, history = run([*(tell(number) for number in range(1, 6)), close(5)])
    assert mails(history)[-1] == (5,)
    assert state == Quiet()


def test_when_nothing_remains_no_mail_goes() -> None:
    _, history = run([*(tell(number) for number in range(1, 6)), close()])
    assert len(mails(history)) == 3
    assert isinstance(history[-1], DigestWindowClosed)


def test_a_window_is_not_closed_before_its_end() -> None:
    state, history = run([tell(1), close(1, seconds=179)])
    assert isinstance(state, Open)
    assert len(history) == 1


def test_a_mail_carries_only_so_many_and_the_next_one_the_rest() -> None:
    many = [tell(number) for number in range(1, MOST_IN_ONE + 14)]
    _, history = run([*many, close(*range(1, 2000))])
    assert [len(carried) for carried in mails(history)] == [1, 1, 1, MOST_IN_ONE, 10]
    assert len({number for carried in mails(history) for number in carried}) == MOST_IN_ONE + 13


def test_after_a_quiet_window_the_next_goes_at_once() -> None:
    _, history = run([tell(1), close(), tell(2, seconds=181)])
    assert mails(history) == [(1,), (2,)]


asked = st.lists(
    st.one_of(
        st.builds(tell, st.integers(1, 9), st.sampled_from([0, 60, 180, 400])),
        st.builds(
            lambda alive, at: close(*alive, seconds=at), st.sets(st.integers(1, 9)), st.sampled_from([60, 180, 400])
        ),
    ),
    max_size=14,
)


@for_any(asked)
def test_what_is_held_is_carried_once_or_cancelled(commands: list[Command]) -> None:
    state, history = run(commands)
    held = [event.notice for event in history if isinstance(event, DigestHeld)]
    gathered = [
        number for event in history if isinstance(event, DigestComposed) if not event.place for number in event.carries
    ]
    assert len(gathered) <= len(held)
    assert set(gathered) <= set(held)
    if isinstance(state, Open):
        assert set(state.held) <= set(held)


@for_any(asked)
def test_the_end_of_a_window_makes_progress(commands: list[Command]) -> None:
    state, _ = run(commands)
    due = digest.due_at(state)
    if due is not None:
        decided = digest.decide(state, Close(frozenset(), 1, due))
        assert isinstance(decided, list)
        assert digest.fold(decided, state) == Quiet()


@for_any(asked)
def test_the_history_gives_the_state_back(commands: list[Command]) -> None:
    state, history = run(commands)
    assert digest.fold(history) == state
