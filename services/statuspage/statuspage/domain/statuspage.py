"""A status page, from its making to its end.

Unmade --Set--> Kept --Set, SetGroup, DropGroup--> Kept --Delete--> Gone (final)

Who may look (PUBLIC or PRIVATE) is fixed from its first activation on: what was said in private stays so.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from events.core import Decider, Event, Outcome, Refusal
from events.statuspage import PageElement, PageGroup, StatuspageChanged, StatuspageDeleted

MOST_GROUPS: Final = 100


@dataclass(frozen=True)
class Set:
    """Be so from now on (`page.at` is when; whether it is new is decided here). Groups are what they were."""

    page: StatuspageChanged


@dataclass(frozen=True)
class SetGroup:
    """Have this group, or call it so from now on."""

    group: PageGroup
    at: datetime


@dataclass(frozen=True)
class DropGroup:
    """Have this group no more; its services stay on the page, where the group was."""

    group: int
    at: datetime


@dataclass(frozen=True)
class Delete:
    at: datetime


@dataclass(frozen=True)
class Unmade:
    pass


@dataclass(frozen=True)
class Kept:
    """`was_activated`: it was seen by somebody, so that its visibility is fixed."""

    now: StatuspageChanged
    was_activated: bool = False


@dataclass(frozen=True)
class Gone:
    """What it was is kept, for those who must still call it by its name."""

    last: StatuspageChanged


State = Unmade | Kept | Gone
Command = Set | SetGroup | DropGroup | Delete

NO_PAGE: Final = Refusal("NOT_FOUND", "There is no such status page")
NO_GROUP: Final = Refusal("NOT_FOUND", "This status page has no such group")


def decide(state: State, command: Command) -> Outcome:
    match state, command:
        case Unmade(), Set(page):
            return _checked(page.model_copy(update={"created": True, "groups": (), "group": None}))
        case Kept(now, was_activated), Set(page):
            if was_activated and page.visibility != now.visibility:
                return Refusal(
                    "VISIBILITY_FIXED", f"visibility: it is {now.visibility} since the page was activated, and stays so"
                )
            return _become(now, page.model_copy(update={"groups": now.groups, "group": None}))
        case Kept(now), SetGroup(group, at):
            return _with_group(now, group, at)
        case Kept(now), DropGroup(group, at):
            return _without_group(now, group, at)
        case Kept(now), Delete(at):
            return [StatuspageDeleted(page=now.page, at=at)]
        case _:
            return NO_PAGE


def evolve(state: State, event: Event) -> State:
    match state, event:
        case Gone(), _:
            return state
        case Kept(_, was_activated), StatuspageChanged():
            return Kept(event, was_activated or event.activated)
        case _, StatuspageChanged():
            return Kept(event, event.activated)
        case Kept(now), StatuspageDeleted():
            return Gone(now)
        case _:
            return state


def _become(now: StatuspageChanged, then: StatuspageChanged) -> Outcome:
    then = then.model_copy(update={"created": False})
    is_same = then == now.model_copy(update={"created": False, "group": then.group, "at": then.at})
    return [] if is_same else _checked(then)


def _with_group(now: StatuspageChanged, group: PageGroup, at: datetime) -> Outcome:
    is_known = any(one.id == group.id for one in now.groups)
    if not is_known and len(now.groups) >= MOST_GROUPS:
        return Refusal("VALIDATION_ERROR", f"a status page may have at most {MOST_GROUPS} groups")
    groups = tuple(group if one.id == group.id else one for one in now.groups) if is_known else (*now.groups, group)
    return _become(now, now.model_copy(update={"groups": groups, "group": group.id, "at": at}))


def _without_group(now: StatuspageChanged, group: int, at: datetime) -> Outcome:
    if all(one.id != group for one in now.groups):
        return NO_GROUP
    groups = tuple(one for one in now.groups if one.id != group)
    elements = tuple(inner for one in now.elements for inner in _released(one, group))
    return _become(now, now.model_copy(update={"groups": groups, "elements": elements, "group": group, "at": at}))


def _released(element: PageElement, group: int) -> tuple[PageElement, ...]:
    if element.type != "GROUP" or element.id != group:
        return (element,)
    return tuple(PageElement(id=leaf.id, type="SERVICE", options=leaf.options) for leaf in element.children)


def _checked(page: StatuspageChanged) -> Outcome:
    """A structure names only groups and services that the page has, and each once."""
    groups, services = {one.id for one in page.groups}, set(page.services)
    seen: set[tuple[str, int]] = set()
    for place, type_, number in _named(page.elements):
        if (type_, number) in seen:
            return Refusal("VALIDATION_ERROR", f"{place}: the {type_.lower()} {number} is there twice")
        if number not in (groups if type_ == "GROUP" else services):
            return Refusal("VALIDATION_ERROR", f"{place}: the page has no {type_.lower()} {number}")
        seen.add((type_, number))
    return [page]


def _named(elements: tuple[PageElement, ...]) -> list[tuple[str, str, int]]:
    """(field in the API, type, id) of everything that a structure names."""
    found: list[tuple[str, str, int]] = []
    for number, element in enumerate(elements):
        field = f"structure.elements.{number}"
        found.append((f"{field}.id", element.type, element.id))
        found += [(f"{field}.children.{place}.id", "SERVICE", leaf.id) for place, leaf in enumerate(element.children)]
    return found


statuspage: Decider[State, Command] = Decider(Unmade(), decide, evolve)
