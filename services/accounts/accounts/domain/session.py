"""A session: somebody signed in here. It ends when its cookie is twelve hours old, or is taken away before.

Unopened --Open--> Opened --End--> Ended (final)
"""

from dataclasses import dataclass
from datetime import datetime

from events.accounts import SessionOpened, SessionRevoked
from events.core import Decider, Event, Outcome


@dataclass(frozen=True)
class Open:
    session: str
    user: int
    at: datetime


@dataclass(frozen=True)
class End:
    at: datetime


@dataclass(frozen=True)
class Unopened:
    pass


@dataclass(frozen=True)
class Opened:
    session: str
    user: int


@dataclass(frozen=True)
class Ended:
    session: str


State = Unopened | Opened | Ended
Command = Open | End


def decide(state: State, command: Command) -> Outcome:
    match state, command:
        case Unopened(), Open(session, user, at):
            return [SessionOpened(session=session, user=user, at=at)]
        case Opened(session=session), End(at):
            return [SessionRevoked(session=session, at=at)]
    return []


def evolve(state: State, event: Event) -> State:
    match state, event:
        case Unopened(), SessionOpened(session=session, user=user):
            return Opened(session, user)
        case Opened(session=session), SessionRevoked():
            return Ended(session)
    return state


session: Decider[State, Command] = Decider(Unopened(), decide, evolve)
