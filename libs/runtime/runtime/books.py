"""One account of a service's books, as events: an imbalance is told once, with ids, and again when more is missing.

Balanced --Found(something)--> Unbalanced --Found(more)--> Unbalanced --Found(nothing)--> Balanced
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from events.core import Decider, Event
from events.machinery import BooksBalanced, BooksUnbalanced
from events.topics import CONFIGURATION
from runtime.streams import Kind

NAMED: Final = 20
LONGEST_ID: Final = 200


@dataclass(frozen=True)
class Found:
    """What an audit found missing in an account, after all patience; nothing: it balances."""

    service: str
    account: str
    missing: tuple[str, ...]
    text: str
    at: datetime


@dataclass(frozen=True)
class Balanced:
    """Nothing is missing."""


@dataclass(frozen=True)
class Unbalanced:
    """These were named."""

    named: tuple[str, ...]


State = Balanced | Unbalanced
Command = Found


def decide(state: State, command: Command) -> list[Event]:
    named = state.named if isinstance(state, Unbalanced) else ()
    missing = tuple(sorted({one[:LONGEST_ID] for one in command.missing}))
    head = {"service": command.service, "account": command.account, "at": command.at}
    if not missing:
        return [BooksBalanced.model_validate(head)] if named else []
    if set(missing[:NAMED]) <= set(named):
        return []
    told = head | {"missing": missing[:NAMED], "number": len(missing), "text": command.text}
    return [BooksUnbalanced.model_validate(told)]


def evolve(state: State, event: Event) -> State:
    match event:
        case BooksUnbalanced(missing=missing):
            return Unbalanced(missing)
        case BooksBalanced():
            return Balanced()
        case _:
            return state


def kind_of(service: str) -> Kind[State, Command]:
    """The kind of stream in which this service says it."""
    return Kind("books", CONFIGURATION[service].name, Decider(Balanced(), decide, evolve), State)
