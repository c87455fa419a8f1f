"""Who is to be told of an incident or a maintenance, each once and with the reason; and what was announced.

subscriptions of the incident, its services, the pages that show them -> everybody in them -> minus who left, minus who wrote it
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from events.core import Decider, Event
from events.statuspage import AnnouncementMade, Told
from statuspage.domain.subscription import Subscribed

Members = Callable[[int], Iterable[int]]
"""Who is in a team now; nobody when it is gone."""


@dataclass(frozen=True)
class Heard:
    """One thing that people subscribe to, named as in «because you subscribed to …», and who did."""

    name: str
    subscribed: Subscribed


def audience(
    heard: Sequence[Heard], members_of: Members, team_name: Callable[[int], str], *, without: Iterable[int] = ()
) -> tuple[Told, ...]:
    """Everybody once, by id, with the first reason found: what they subscribed to by name goes before their teams.

    Who left one thing is still told by another that they did not leave.
    """
    reasons: dict[int, str] = {}
    for one in heard:
        for user in one.subscribed.users:
            reasons.setdefault(user, f"You subscribed to {one.name}")
    for one in heard:
        for user, team in _through_teams(one.subscribed, members_of).items():
            reasons.setdefault(user, f"Your team «{team_name(team)}» subscribed to {one.name}")
    silent = set(without)
    return tuple(Told(user=user, reason=reasons[user]) for user in sorted(reasons) if user not in silent)


def hears(subscribed: Subscribed, user: int, members_of: Members) -> bool:
    """Whether somebody hears of one thing, by name or through a team."""
    return user in subscribed.users or user in _through_teams(subscribed, members_of)


def _through_teams(subscribed: Subscribed, members_of: Members) -> Mapping[int, int]:
    """Users with the first team that brings them; those who left are not brought back."""
    found: dict[int, int] = {}
    for team in subscribed.teams:
        for user in members_of(team):
            if user not in subscribed.left:
                found.setdefault(user, team)
    return found


# -- an announcement is made once


@dataclass(frozen=True)
class Make:
    made: AnnouncementMade


@dataclass(frozen=True)
class Unmade:
    pass


@dataclass(frozen=True)
class Made:
    """What was said is on the topic; nothing more is decided on it."""


State = Unmade | Made


def decide(state: State, command: Make) -> list[Event]:
    return [command.made] if isinstance(state, Unmade) else []


def evolve(state: State, event: Event) -> State:
    return Made() if isinstance(event, AnnouncementMade) else state


announcement: Decider[State, Make] = Decider(Unmade(), decide, evolve)
