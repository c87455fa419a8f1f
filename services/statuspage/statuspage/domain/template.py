"""An incident template, from its making to its end, and how its placeholders are filled.

Unmade --Set--> Kept --Set--> Kept --Delete--> Gone (final)
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from events.core import Decider, Event, Outcome, Refusal
from events.statuspage import IncidentStatus, TemplateChanged, TemplateDeleted

PLACEHOLDERS: Final = (
    "serviceId",
    "serviceName",
    "serviceDescription",
    "serviceStatus",
    "serviceStatusOld",
    "teamNames",
    "alertId",
    "alertDetails",
    "alertSummary",
    "alertStatus",
    "alertPriority",
    "alertSourceId",
    "alertSourceName",
    "escalationPolicyId",
    "escalationPolicyName",
)
"""What a text may hold between double braces, as published."""
_PLACE: Final = re.compile(r"\{\{([^{}]*)\}\}")
"""Spaces around a name are taken off afterwards: a pattern that did so would try every way to share them out."""


@dataclass(frozen=True)
class Set:
    """Be so from now on (`template.at` is when; whether it is new is decided here)."""

    template: TemplateChanged


@dataclass(frozen=True)
class Delete:
    at: datetime


@dataclass(frozen=True)
class Unmade:
    pass


@dataclass(frozen=True)
class Kept:
    now: TemplateChanged


@dataclass(frozen=True)
class Gone:
    """What it was is kept, for pages that must still call it by its name."""

    last: TemplateChanged


State = Unmade | Kept | Gone
Command = Set | Delete

NO_TEMPLATE = Refusal("NOT_FOUND", "There is no such incident template")


@dataclass(frozen=True)
class Rendered:
    """A template whose places are filled: an incident's beginning."""

    summary: str
    message: str
    status: IncidentStatus
    send_notification: bool


def decide(state: State, command: Command) -> Outcome:
    match state, command:
        case Unmade(), Set(template):
            return [template.model_copy(update={"created": True})]
        case Kept(now), Set(template):
            return _become(now, template)
        case Kept(now), Delete(at):
            return [TemplateDeleted(template=now.template, at=at)]
        case _:
            return NO_TEMPLATE


def evolve(state: State, event: Event) -> State:
    match state, event:
        case Gone(), _:
            return state
        case _, TemplateChanged():
            return Kept(event)
        case Kept(now), TemplateDeleted():
            return Gone(now)
        case _:
            return state


def unknown_placeholders(text: str) -> list[str]:
    """What stands between double braces and can never be filled, each once, in the order of the text."""
    names = dict.fromkeys(place.strip() for place in _PLACE.findall(text))
    return [name for name in names if name not in PLACEHOLDERS]


def filled(text: str, facts: Mapping[str, str]) -> str:
    """The text with its places filled; a fact that is not known leaves nothing behind. Facts are not filled again."""
    return _PLACE.sub(lambda place: facts.get(place[1].strip(), ""), text)


def render(template: TemplateChanged, facts: Mapping[str, str]) -> Rendered:
    """`facts` by the names of PLACEHOLDERS. A summary that would be empty is the template's name."""
    return Rendered(
        summary=" ".join(filled(template.summary, facts).split()) or template.name,
        message=filled(template.message, facts).strip(),
        status=template.status,
        send_notification=template.send_notification,
    )


def _become(now: TemplateChanged, then: TemplateChanged) -> list[Event]:
    then = then.model_copy(update={"created": False})
    is_same = then == now.model_copy(update={"created": False, "at": then.at})
    return [] if is_same else [then]


template: Decider[State, Command] = Decider(Unmade(), decide, evolve)
