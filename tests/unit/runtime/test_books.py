"""What is missing is told once, and what only seems to be is not told at all."""

from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from events.machinery import BooksBalanced, BooksUnbalanced
from runtime.audit import Patience
from runtime.books import NAMED, Balanced, Found, State, Unbalanced, decide, evolve

AT = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
missing_sets = st.sets(st.integers(0, 40).map(str), max_size=30)


def found(*missing: str) -> Found:
    return Found("ingest", "heads", missing, "Every stream stands where its events say", AT)


def after(state: State, command: Found) -> State:
    for event in decide(state, command):
        state = evolve(state, event)
    return state


def test_an_imbalance_is_told_with_its_ids() -> None:
    [told] = decide(Balanced(), found("alert-7", "alert-3"))
    assert isinstance(told, BooksUnbalanced)
    assert (told.missing, told.number) == (("alert-3", "alert-7"), 2)


def test_the_same_is_not_told_again_but_more_is() -> None:
    state = Unbalanced(("alert-3", "alert-7"))
    assert decide(state, found("alert-7")) == []
    assert [type(one) for one in decide(state, found("alert-3", "alert-9"))] == [BooksUnbalanced]


def test_the_end_of_an_imbalance_is_told_once() -> None:
    assert [type(one) for one in decide(Unbalanced(("alert-3",)), found())] == [BooksBalanced]
    assert decide(Balanced(), found()) == []


@given(st.lists(missing_sets, max_size=8))
def test_deciding_twice_tells_nothing_more_and_names_are_few(nights: list[set[str]]) -> None:
    state: State = Balanced()
    for missing in nights:
        told = decide(state, found(*missing))
        assert all(len(one.missing) <= NAMED for one in told if isinstance(one, BooksUnbalanced))
        state = after(state, found(*missing))
        assert decide(state, found(*missing)) == []
        assert isinstance(state, Unbalanced) == bool(missing)


@given(st.lists(missing_sets, min_size=1, max_size=10), st.integers(1, 4))
def test_only_what_was_missing_in_every_one_of_the_last_looks_is_named(looks: list[set[str]], needed: int) -> None:
    patience = Patience()
    for look in looks:
        patience = patience.after(look)
    enough = looks[-needed:] if len(looks) >= needed else []
    always = set.intersection(*enough) if enough else set[str]()
    assert set(patience.spent(needed)) == always
