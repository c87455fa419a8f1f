"""A team, from its naming to its end.

Unformed --Shape--> Formed --Shape, Admit, Dismiss--> Formed --Disband--> Disbanded (final)
"""

from dataclasses import dataclass, replace
from datetime import datetime

from events.accounts import Member, TeamChanged, TeamDeleted, Visibility
from events.core import Decider, Event, Outcome, Refusal


@dataclass(frozen=True)
class Shape:
    """Be so from now on."""

    team: int
    name: str
    visibility: Visibility
    members: tuple[Member, ...]
    at: datetime


@dataclass(frozen=True)
class Admit:
    """Have this member, with this role, whether they were one before or not."""

    member: Member
    at: datetime


@dataclass(frozen=True)
class Dismiss:
    user: int
    at: datetime


@dataclass(frozen=True)
class Disband:
    at: datetime


@dataclass(frozen=True)
class Unformed:
    pass


@dataclass(frozen=True)
class Formed:
    team: int
    name: str
    visibility: Visibility
    members: tuple[Member, ...]
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True)
class Disbanded:
    team: int


State = Unformed | Formed | Disbanded
Command = Shape | Admit | Dismiss | Disband

NO_TEAM = Refusal("NOT_FOUND", "There is no such team")


def decide(state: State, command: Command) -> Outcome:
    match state, command:
        case Disbanded(), Shape():
            return NO_TEAM
        case ((Unformed() | Disbanded()), Admit()):
            return NO_TEAM
        case Unformed(), Shape(team, name, visibility, members, at):
            return [TeamChanged(team=team, name=name, visibility=visibility, members=members, at=at)]
        case Formed(), Shape(_, name, visibility, members, at):
            return _become(state, replace(state, name=name, visibility=visibility, members=members), at)
        case Formed(), Admit(member, at):
            return _become(state, replace(state, members=_with(state.members, member)), at)
        case Formed(), Dismiss(user, at):
            return _become(state, replace(state, members=_without(state.members, user)), at)
        case Formed(team=team), Disband(at):
            return [TeamDeleted(team=team, at=at)]
    return []


def evolve(state: State, event: Event) -> State:
    match state, event:
        case Disbanded(), _:
            return state
        case Formed(), TeamChanged(name=name, visibility=visibility, members=members, at=at):
            return replace(state, name=name, visibility=visibility, members=members, updated_at=at)
        case _, TeamChanged(team=team, name=name, visibility=visibility, members=members, at=at):
            return Formed(team, name, visibility, members, created_at=at, updated_at=at)
        case _, TeamDeleted(team=team):
            return Disbanded(team)
    return state


def _become(was: Formed, wanted: Formed, at: datetime) -> list[Event]:
    if wanted == was:
        return []
    team, name, visibility, members = wanted.team, wanted.name, wanted.visibility, wanted.members
    return [TeamChanged(team=team, name=name, visibility=visibility, members=members, at=at)]


def _with(members: tuple[Member, ...], member: Member) -> tuple[Member, ...]:
    """In the member's old place, or at the end."""
    if all(known.user != member.user for known in members):
        return (*members, member)
    return tuple(member if known.user == member.user else known for known in members)


def _without(members: tuple[Member, ...], user: int) -> tuple[Member, ...]:
    return tuple(member for member in members if member.user != user)


team: Decider[State, Command] = Decider(Unformed(), decide, evolve)
