"""An alert action: what is done when alerts of its sources reach a trigger, from its making to its end.

Blank --Save--> Configured --Save--> Configured --Remove--> Removed (final: its id is never given again)
"""

from dataclasses import dataclass
from datetime import datetime

from events.connectors import ActionConfigured, ActionRemoved
from events.core import Decider, Event, Outcome, Refusal


@dataclass(frozen=True)
class Save:
    """Be so from now on (`action.at` is when; whether it is new is decided here).

    `fresh_secret`: its cell was sealed anew, which is a change although no field tells it.
    """

    action: ActionConfigured
    fresh_secret: bool = False


@dataclass(frozen=True)
class Remove:
    at: datetime


@dataclass(frozen=True)
class Blank:
    """No such action."""


@dataclass(frozen=True)
class Configured:
    now: ActionConfigured
    since: datetime


@dataclass(frozen=True)
class Removed:
    """What it was is kept, for timelines that must still call it by its name."""

    last: ActionConfigured


State = Blank | Configured | Removed
Command = Save | Remove

NO_ACTION = Refusal("NOT_FOUND", "There is no such alert action")


def decide(state: State, command: Command) -> Outcome:
    match state, command:
        case Blank(), Save(action):
            return [action.model_copy(update={"created": True})]
        case Configured(now), Save(action) if action.type != now.type:
            return other_type(now)
        case Configured(now), Save(action, fresh_secret):
            then = action.model_copy(update={"created": False})
            return [] if _same(now, then) and not fresh_secret else [then]
        case Configured(now), Remove(at):
            return [ActionRemoved(action=now.action, at=at)]
        case _:
            return NO_ACTION


def evolve(state: State, event: Event) -> State:
    match state, event:
        case Removed(), _:
            return state
        case Configured(), ActionConfigured():
            return Configured(event, state.since)
        case Blank(), ActionConfigured():
            return Configured(event, event.at)
        case Configured(now), ActionRemoved():
            return Removed(now)
        case _:
            return state


def other_type(now: ActionConfigured) -> Refusal:
    return Refusal("VALIDATION_ERROR", f"connectorType: cannot be changed; this alert action is of the type {now.type}")


def _same(old: ActionConfigured, new: ActionConfigured) -> bool:
    ignored = {"at", "created"}
    return old.model_dump(exclude=ignored) == new.model_dump(exclude=ignored)


action: Decider[State, Command] = Decider(Blank(), decide, evolve)
