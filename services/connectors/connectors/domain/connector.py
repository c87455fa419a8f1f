"""A connector: the credentials of an outside tool, from its making to its end.

Unmade --Save--> Kept --Save--> Kept --Delete--> Gone (final: its id is never given again)
"""

from dataclasses import dataclass
from datetime import datetime

from events.connectors import ConnectorChanged, ConnectorDeleted
from events.core import Decider, Event, Outcome, Refusal


@dataclass(frozen=True)
class Save:
    """Be so from now on (`connector.at` is when; whether it is new is decided here).

    `fresh_secret`: its cell was sealed anew, which is a change although no field tells it.
    """

    connector: ConnectorChanged
    fresh_secret: bool = False


@dataclass(frozen=True)
class Delete:
    at: datetime


@dataclass(frozen=True)
class Unmade:
    """No such connector."""


@dataclass(frozen=True)
class Kept:
    now: ConnectorChanged
    since: datetime


@dataclass(frozen=True)
class Gone:
    """What it was is kept, for pages and runs that must still call it by its name."""

    last: ConnectorChanged


State = Unmade | Kept | Gone
Command = Save | Delete

NO_CONNECTOR = Refusal("NOT_FOUND", "There is no such connector")


def decide(state: State, command: Command) -> Outcome:
    match state, command:
        case Unmade(), Save(connector):
            return [connector.model_copy(update={"created": True})]
        case Kept(now), Save(connector) if connector.type != now.type:
            return other_type(now)
        case Kept(now), Save(connector, fresh_secret):
            then = connector.model_copy(update={"created": False})
            return [] if _same(now, then) and not fresh_secret else [then]
        case Kept(now), Delete(at):
            return [ConnectorDeleted(connector=now.connector, at=at)]
        case _:
            return NO_CONNECTOR


def evolve(state: State, event: Event) -> State:
    match state, event:
        case Gone(), _:
            return state
        case Kept(), ConnectorChanged():
            return Kept(event, state.since)
        case Unmade(), ConnectorChanged():
            return Kept(event, event.at)
        case Kept(now), ConnectorDeleted():
            return Gone(now)
        case _:
            return state


def other_type(now: ConnectorChanged) -> Refusal:
    return Refusal("VALIDATION_ERROR", f"type: cannot be changed; this connector is of the type {now.type}")


def _same(old: ConnectorChanged, new: ConnectorChanged) -> bool:
    ignored = {"at", "created"}
    return old.model_dump(exclude=ignored) == new.model_dump(exclude=ignored)


connector: Decider[State, Command] = Decider(Unmade(), decide, evolve)
