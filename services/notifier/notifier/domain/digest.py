"""Notices for one contact: in come those whose time has come, out come few mails.

Quiet --Tell--> Open: the mail goes at once, the window ends later
Open  --Tell: the second and third--> Open, each goes at once
Open  --Tell: all others--> Open, held until the end, or until there are as many as one mail carries
Open  --Close at the end--> Quiet, with one mail that names all the held ones which still matter
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from events.core import Decider, Event
from events.notifier import DigestComposed, DigestHeld, DigestWindowClosed
from notifier.domain.window import MOST_AT_ONCE

MOST_IN_ONE: Final = 1000
"""How many notices one mail carries: claiming and settling it stays short."""


@dataclass(frozen=True)
class Tell:
    """This notice is due. `message` is the id that it goes under if it goes now."""

    contact: int
    user: int
    notice: int
    message: int
    at: datetime
    length: timedelta


@dataclass(frozen=True)
class Close:
    """The window's end is reached; only `alive` notices are still to be told, under the id `message`."""

    alive: frozenset[int]
    message: int
    at: datetime


@dataclass(frozen=True)
class Quiet:
    """Nothing was sent lately: the next notice goes at once."""


@dataclass(frozen=True)
class Open:
    """`composed` mails went since the window opened; `held` waits for its end."""

    contact: int
    user: int
    ends_at: datetime
    composed: int
    held: tuple[int, ...] = ()


State = Quiet | Open
Command = Tell | Close


def decide(state: State, command: Command) -> list[Event]:
    match state, command:
        case Quiet(), Tell():
            return [_composed(command, 1, command.at + command.length)]
        case Open(), Tell(notice=number) if number in state.held:
            return []
        case Open(held=()), Tell(at=at) if at >= state.ends_at:
            return [_closed(state, at), _composed(command, 1, at + command.length)]
        case Open(), Tell(at=at) if at < state.ends_at and state.composed < MOST_AT_ONCE:
            return [_composed(command, state.composed + 1, state.ends_at)]
        case Open(), Tell():
            return _held(state, command)
        case Open(), Close(at=at) if at >= state.ends_at:
            return _closing(state, command)
        case _:
            return []


def evolve(state: State, event: Event) -> State:
    match state, event:
        case Quiet(), DigestComposed(place=1):
            return Open(event.contact, event.user, event.window_ends_at, composed=1)
        case Open(), DigestComposed(place=place) if place:
            return replace(state, composed=place)
        case Open(), DigestComposed(carries=carries):
            gone = frozenset(carries)
            return replace(state, held=tuple(one for one in state.held if one not in gone))
        case Open(), DigestHeld(notice=number):
            return replace(state, held=(*state.held, number))
        case Open(), DigestWindowClosed():
            return Quiet()
        case _:
            return state


def due_at(state: State) -> datetime | None:
    return state.ends_at if isinstance(state, Open) else None


def _composed(command: Tell, place: int, ends_at: datetime) -> DigestComposed:
    return DigestComposed(
        contact=command.contact,
        user=command.user,
        message=command.message,
        carries=(command.notice,),
        place=place,
        window_ends_at=ends_at,
        at=command.at,
    )


def _held(state: Open, command: Tell) -> list[Event]:
    held = DigestHeld(contact=state.contact, user=state.user, notice=command.notice, until=state.ends_at, at=command.at)
    full = (*state.held, command.notice)
    return [held] if len(full) < MOST_IN_ONE else [held, _gathered(state, full, command.message, command.at)]


def _closing(state: Open, command: Close) -> list[Event]:
    """What was cancelled while it waited is not named; when nothing remains, no mail goes."""
    rest = tuple(number for number in state.held if number in command.alive)
    closed = _closed(state, command.at)
    return [_gathered(state, rest, command.message, command.at), closed] if rest else [closed]


def _gathered(state: Open, rest: tuple[int, ...], message: int, at: datetime) -> DigestComposed:
    return DigestComposed(
        contact=state.contact,
        user=state.user,
        message=message,
        carries=rest,
        place=0,
        window_ends_at=state.ends_at,
        at=at,
    )


def _closed(state: Open, at: datetime) -> DigestWindowClosed:
    return DigestWindowClosed(contact=state.contact, user=state.user, at=at)


digest: Decider[State, Command] = Decider(Quiet(), decide, evolve, due_at)
