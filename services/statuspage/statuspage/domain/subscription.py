"""Which users and teams want to hear of one incident, service or status page.

`users` are there by name, `teams` with everybody in them; who left by their own wish is in `left`: a team's subscription
does not bring them back, only a subscription by name does.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from events.core import Decider, Event, Outcome, Refusal
from events.statuspage import Subject, SubscriptionAdded, SubscriptionRemoved

MOST: Final = 1000
"""How many users and teams one subject may have."""


@dataclass(frozen=True)
class About:
    """What is subscribed to: the id of an incident, a service or a page."""

    subject: Subject
    number: int

    @property
    def key(self) -> str:
        """The id of its stream of subscriptions."""
        return f"{self.subject.value.lower()}-{self.number}"


@dataclass(frozen=True)
class Who:
    """A user or a team; exactly one is set."""

    user: int | None = None
    team: int | None = None


@dataclass(frozen=True)
class Add:
    about: About
    who: tuple[Who, ...]
    by: int | None
    at: datetime


@dataclass(frozen=True)
class Remove:
    """Somebody leaves when they ask for it themself."""

    about: About
    who: Who
    by: int | None
    at: datetime

    @property
    def is_leaving(self) -> bool:
        return self.who.user is not None and self.who.user == self.by


@dataclass(frozen=True)
class Replace:
    """These and nobody else."""

    about: About
    who: tuple[Who, ...]
    by: int | None
    at: datetime


Command = Add | Remove | Replace


@dataclass(frozen=True)
class Subscribed:
    users: tuple[int, ...] = ()
    teams: tuple[int, ...] = ()
    left: tuple[int, ...] = ()

    def has(self, who: Who) -> bool:
        """By name, whatever their teams are."""
        return who.user in self.users if who.user is not None else who.team in self.teams


State = Subscribed

TOO_MANY = Refusal("TOO_MANY_SUBSCRIBERS", f"At most {MOST} users and teams can be subscribed to one thing by name")


def decide(state: State, command: Command) -> Outcome:
    match command:
        case Add(about, who, by, at):
            return _bounded(state, [_added(about, one, by, at) for one in dict.fromkeys(who) if not state.has(one)])
        case Remove(about, who, by, at):
            is_new = state.has(who) or (command.is_leaving and who.user not in state.left)
            return [_removed(about, who, by, at, left=command.is_leaving)] if is_new else []
        case Replace(about, who, by, at):
            gone = [_removed(about, one, by, at) for one in _everybody(state) if one not in who]
            came = [_added(about, one, by, at) for one in dict.fromkeys(who) if not state.has(one)]
            return _bounded(state, [*gone, *came])


def evolve(state: State, event: Event) -> State:
    match event:
        case SubscriptionAdded(user=int(user)):
            return Subscribed((*state.users, user), state.teams, _without(state.left, user))
        case SubscriptionAdded(team=int(team)):
            return Subscribed(state.users, (*state.teams, team), state.left)
        case SubscriptionRemoved(user=int(user), left=has_left):
            left = (*_without(state.left, user), user) if has_left else state.left
            return Subscribed(_without(state.users, user), state.teams, left)
        case SubscriptionRemoved(team=int(team)):
            return Subscribed(state.users, _without(state.teams, team), state.left)
        case _:
            return state


def _bounded(state: State, events: list[Event]) -> Outcome:
    after = len(state.users) + len(state.teams)
    after += sum(1 if isinstance(event, SubscriptionAdded) else -1 for event in events)
    return TOO_MANY if after > MOST and any(isinstance(event, SubscriptionAdded) for event in events) else events


def _everybody(state: State) -> Iterator[Who]:
    yield from (Who(user=user) for user in state.users)
    yield from (Who(team=team) for team in state.teams)


def _added(about: About, who: Who, by: int | None, at: datetime) -> Event:
    return SubscriptionAdded(subject=about.subject, number=about.number, user=who.user, team=who.team, by=by, at=at)


def _removed(about: About, who: Who, by: int | None, at: datetime, *, left: bool = False) -> Event:
    return SubscriptionRemoved(
        subject=about.subject, number=about.number, user=who.user, team=who.team, left=left, by=by, at=at
    )


def _without(numbers: tuple[int, ...], number: int) -> tuple[int, ...]:
    return tuple(one for one in numbers if one != number)


subscription: Decider[State, Command] = Decider(Subscribed(), decide, evolve)
