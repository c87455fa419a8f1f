"""An API key: a person's stand-in for programs. The key itself is shown once; only its digest is known here.

Unissued --Issue--> Issued --Revoke--> Revoked (final)
"""

from dataclasses import dataclass
from datetime import datetime

from events.accounts import ApikeyIssued, ApikeyRevoked
from events.core import Decider, Event, Outcome


@dataclass(frozen=True)
class Issue:
    apikey: int
    user: int
    name: str
    digest: str
    mask: str
    at: datetime


@dataclass(frozen=True)
class Revoke:
    at: datetime


@dataclass(frozen=True)
class Unissued:
    pass


@dataclass(frozen=True)
class Issued:
    apikey: int
    user: int
    name: str
    mask: str
    created_at: datetime


@dataclass(frozen=True)
class Revoked:
    apikey: int
    user: int


State = Unissued | Issued | Revoked
Command = Issue | Revoke


def decide(state: State, command: Command) -> Outcome:
    match state, command:
        case Unissued(), Issue(apikey, user, name, digest, mask, at):
            return [ApikeyIssued(apikey=apikey, user=user, name=name, digest=digest, mask=mask, at=at)]
        case Issued(apikey=apikey), Revoke(at):
            return [ApikeyRevoked(apikey=apikey, at=at)]
    return []


def evolve(state: State, event: Event) -> State:
    match state, event:
        case Unissued(), ApikeyIssued(apikey=apikey, user=user, name=name, mask=mask, at=at):
            return Issued(apikey, user, name, mask, created_at=at)
        case Issued(apikey, user), ApikeyRevoked():
            return Revoked(apikey, user)
    return state


def masked(key: str) -> str:
    """`il1api…3f9c`: enough to tell keys apart."""
    return f"{key[:6]}…{key[-4:]}"


apikey: Decider[State, Command] = Decider(Unissued(), decide, evolve)
