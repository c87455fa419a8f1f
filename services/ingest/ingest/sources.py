"""An alert source: what is said of it from now on, until it is deleted.

Missing --Save--> Present --Save--> Present --Delete--> Deleted (final: its id and key are never given again)
"""

from dataclasses import dataclass
from datetime import datetime

from events.core import Decider, Event, Outcome, Refusal
from events.ingest import SourceChanged, SourceDeleted


@dataclass(frozen=True)
class Save:
    """The whole source as it shall be."""

    source: SourceChanged


@dataclass(frozen=True)
class Delete:
    at: datetime


@dataclass(frozen=True)
class Missing:
    """No such source."""


@dataclass(frozen=True)
class Present:
    source: SourceChanged


@dataclass(frozen=True)
class Deleted:
    """It was there once."""


State = Missing | Present | Deleted
Command = Save | Delete


def decide(state: State, command: Command) -> Outcome:
    match state, command:
        case Missing(), Save(source):
            return [source.model_copy(update={"created": True})]
        case Present(old), Save(source):
            return [] if _same(old, source) else [source.model_copy(update={"created": False})]
        case Present(old), Delete(at):
            return [SourceDeleted(source=old.source, at=at)]
        case Deleted(), Delete():
            return []
        case _:
            return Refusal("NOT_FOUND", "There is no such alert source")


def evolve(state: State, event: Event) -> State:
    match event:
        case SourceChanged() if not isinstance(state, Deleted):
            return Present(event)
        case SourceDeleted():
            return Deleted()
        case _:
            return state


def _same(old: SourceChanged, new: SourceChanged) -> bool:
    ignored = {"at", "created"}
    return old.model_dump(exclude=ignored) == new.model_dump(exclude=ignored)


source: Decider[State, Command] = Decider(Missing(), decide, evolve)
