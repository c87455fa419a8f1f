"""Storm protection for one contact and one source: in come notifications that are due, out come few messages.

Quiet --Tell--> Open: the message goes at once, the window ends later
Open  --Tell: the second and third--> Open, each goes at once
Open  --Tell: all others--> Open, held until the end
Open  --Close at the end--> Quiet, with one message that names all the held ones which still matter
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from events.core import Decider, Event
from events.notifier import Carried, MessageComposed, MessageHeld, MessageWindowClosed

MOST_AT_ONCE: Final = 3


@dataclass(frozen=True)
class Tell:
    """This notification is due. `message` is the id it goes under if it goes now."""

    source: int | None
    contact: int
    carried: Carried
    message: int
    at: datetime
    length: timedelta


@dataclass(frozen=True)
class Close:
    """The window's end is reached; only `alive` notifications are still to be told, under the id `message`."""

    alive: frozenset[int]
    message: int
    at: datetime


@dataclass(frozen=True)
class Quiet:
    """Nothing was sent lately: the next message goes at once."""


@dataclass(frozen=True)
class Open:
    """`composed` messages went since the window opened; `held`, by notification, waits for its end: it may be thousands."""

    source: int | None
    contact: int
    ends_at: datetime
    composed: int
    held: dict[int, Carried] = field(default_factory=dict)


State = Quiet | Open
Command = Tell | Close


def decide(state: State, command: Command) -> list[Event]:
    match state, command:
        case Quiet(), Tell():
            return [_composed(command, place=1, ends_at=command.at + command.length)]
        case Open(), Tell(carried=carried) if carried.notification in state.held:
            return []
        case Open(), Tell(at=at) if at >= state.ends_at and not state.held:
            closed = MessageWindowClosed(contact=state.contact, source=state.source, at=at)
            return [closed, _composed(command, place=1, ends_at=at + command.length)]
        case Open(), Tell(at=at) if at < state.ends_at and state.composed < MOST_AT_ONCE:
            return [_composed(command, place=state.composed + 1, ends_at=state.ends_at)]
        case Open(), Tell(carried=carried, at=at):
            return [MessageHeld(contact=state.contact, source=state.source, held=carried, until=state.ends_at, at=at)]
        case Open(), Close(alive, message, at) if at >= state.ends_at:
            return _closing(state, alive, message, at)
        case _:
            return []


def evolve(state: State, event: Event) -> State:
    match state, event:
        case Quiet(), MessageComposed(place=1):
            return Open(event.source, event.contact, event.window_ends_at, composed=1)
        case Open(), MessageComposed(place=place) if place:
            return replace(state, composed=place)
        case Open(), MessageComposed(carries=carries):
            told = {one.notification for one in carries}
            return replace(state, held={number: one for number, one in state.held.items() if number not in told})
        case Open(), MessageHeld(held=held):
            return replace(state, held={**state.held, held.notification: held})
        case Open(), MessageWindowClosed():
            return Quiet()
        case _:
            return state


def due_at(state: State) -> datetime | None:
    return state.ends_at if isinstance(state, Open) else None


def _composed(command: Tell, place: int, ends_at: datetime) -> MessageComposed:
    return MessageComposed(
        contact=command.contact,
        source=command.source,
        message=command.message,
        user=command.carried.user,
        carries=(command.carried,),
        place=place,
        window_ends_at=ends_at,
        at=command.at,
    )


def _closing(state: Open, alive: frozenset[int], message: int, at: datetime) -> list[Event]:
    """What was answered while it waited is not named; when nothing remains, no message goes."""
    rest = tuple(one for number, one in state.held.items() if number in alive)
    closed = MessageWindowClosed(contact=state.contact, source=state.source, at=at)
    if not rest:
        return [closed]
    gathered = MessageComposed(
        contact=state.contact,
        source=state.source,
        message=message,
        user=rest[0].user,
        carries=rest,
        place=0,
        window_ends_at=state.ends_at,
        at=at,
    )
    return [gathered, closed]


def stream_number(source: int | None, contact: int) -> str:
    """The id of a window's stream: `window-<source>-<contact>`, source 0 for alerts without one."""
    return f"{source or 0}-{contact}"


window: Decider[State, Command] = Decider(Quiet(), decide, evolve, due_at)
