"""A status page's life: what may change, what is fixed, and what its structure may name."""

from datetime import UTC, datetime
from typing import Any

from events.core import Refusal
from events.statuspage import PageElement, PageGroup, PageLeaf, StatuspageChanged, StatuspageDeleted
from statuspage.domain.statuspage import Delete, DropGroup, Gone, Kept, Set, SetGroup, State, Unmade, statuspage

T0 = datetime(2026, 3, 1, tzinfo=UTC)


def page(**more: Any) -> StatuspageChanged:
    return StatuspageChanged(**{"page": 1, "name": "Acme", "subdomain": "acme", "services": (3, 4), "at": T0} | more)


def after(*commands: Any) -> State:
    state: State = statuspage.initial
    for command in commands:
        outcome = statuspage.decide(state, command)
        assert isinstance(outcome, list), outcome
        state = statuspage.fold(outcome, state)
    return state


def refused(state: State, command: Any) -> str:
    outcome = statuspage.decide(state, command)
    assert isinstance(outcome, Refusal)
    return outcome.code


EUROPE = SetGroup(PageGroup(id=9, name="Europe"), T0)
GROUPED = PageElement(id=9, type="GROUP", children=(PageLeaf(id=3, options=("no-graph",)),))


def test_the_same_wish_twice_decides_nothing_more() -> None:
    assert statuspage.decide(after(Set(page())), Set(page(at=T0.replace(hour=5)))) == []


def test_visibility_is_fixed_from_the_first_activation_on_even_when_that_ended() -> None:
    seen = after(Set(page(activated=True)), Set(page(activated=False)))
    assert refused(seen, Set(page(visibility="PRIVATE"))) == "VISIBILITY_FIXED"
    assert isinstance(after(Set(page()), Set(page(visibility="PRIVATE"))), Kept)


def test_a_structure_names_what_the_page_has_and_each_once() -> None:
    made = after(Set(page()), EUROPE)
    assert refused(made, Set(page(elements=(PageElement(id=8, type="GROUP"),)))) == "VALIDATION_ERROR"
    assert refused(made, Set(page(elements=(PageElement(id=5, type="SERVICE"),)))) == "VALIDATION_ERROR"
    assert refused(made, Set(page(elements=(GROUPED, PageElement(id=3, type="SERVICE"))))) == "VALIDATION_ERROR"
    assert isinstance(after(Set(page()), EUROPE, Set(page(elements=(GROUPED,)))), Kept)


def test_groups_stay_through_a_full_replace_and_leave_their_services_when_they_go() -> None:
    kept = after(Set(page()), EUROPE, Set(page(elements=(GROUPED, PageElement(id=4, type="SERVICE")))))
    assert isinstance(kept, Kept)
    assert kept.now.groups == (PageGroup(id=9, name="Europe"),)
    gone = after(
        Set(page()), EUROPE, Set(page(elements=(GROUPED, PageElement(id=4, type="SERVICE")))), DropGroup(9, T0)
    )
    assert isinstance(gone, Kept)
    assert [(one.type, one.id, one.options) for one in gone.now.elements] == [
        ("SERVICE", 3, ("no-graph",)),
        ("SERVICE", 4, ()),
    ]
    assert refused(gone, DropGroup(9, T0)) == "NOT_FOUND"


def test_what_is_deleted_is_gone_for_good() -> None:
    made = after(Set(page()))
    assert statuspage.decide(made, Delete(T0)) == [StatuspageDeleted(page=1, at=T0)]
    gone = after(Set(page()), Delete(T0))
    assert isinstance(gone, Gone)
    for command in (Set(page()), EUROPE, DropGroup(9, T0), Delete(T0)):
        assert refused(gone, command) == "NOT_FOUND"
    assert refused(Unmade(), Delete(T0)) == "NOT_FOUND"
