"""Whom a rule's target yields: in come targets, schedules, people and an instant, out come responders with reasons, or vacancies."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from escalator.domain import schedule as schedules
from escalator.domain.escalation import Found
from escalator.oncall import Gap, OnCall, who
from events.escalator import Reason, Responder, Target


@dataclass(frozen=True)
class ScheduleSeen:
    """A schedule as it stands, and the version of its stream."""

    state: schedules.State
    version: int


@dataclass(frozen=True)
class TeamSeen:
    name: str
    members: tuple[int, ...]


@dataclass(frozen=True)
class Seen:
    """What was known when we looked: our schedules, teams (None: there is none), and who has left.

    A user whom we have not heard of yet is told all the same: the message waits for them, it is not dropped.
    """

    schedules: Mapping[int, ScheduleSeen] = field(default_factory=dict)
    teams: Mapping[int, TeamSeen | None] = field(default_factory=dict)
    gone: frozenset[int] = frozenset()


def roster(targets: Iterable[Target], seen: Seen, at: datetime) -> dict[Target, Found]:
    """What every target yields at this instant."""
    return {target: _found(target, seen, at) for target in targets}


def _found(target: Target, seen: Seen, at: datetime) -> Found:
    match target:
        case Target(user=int(user)):
            return _person(user, seen)
        case Target(schedule=int(schedule)):
            return _on_call(schedule, seen, at)
        case Target(team=int(team)):
            return _members(team, seen)
        case _:
            return Found(vacancy="the rule names nobody")


def _person(user: int, seen: Seen) -> Found:
    if user in seen.gone:
        return Found(vacancy=f"user {user} was deleted")
    return Found((Responder(user=user, reason=Reason(text="named directly")),))


def _on_call(schedule: int, seen: Seen, at: datetime) -> Found:
    known = seen.schedules.get(schedule)
    match known and known.state:
        case schedules.Kept(now):
            duty = who(now, at)
        case schedules.Gone(last):
            return Found(vacancy=f"schedule «{last.name}» was deleted")
        case _:
            return Found(vacancy=f"there is no schedule {schedule}")
    if isinstance(duty, Gap):
        return Found(vacancy=duty.reason)
    if duty.user in seen.gone:
        return Found(vacancy=f"{duty.reason}, but user {duty.user} was deleted")
    return Found((Responder(user=duty.user, reason=_reason(duty, schedule, known.version if known else None)),))


def _reason(duty: OnCall, schedule: int, version: int | None) -> Reason:
    return Reason(
        schedule=schedule,
        schedule_version=version,
        layer=duty.layer,
        override=duty.override,
        shift_end=duty.end,
        text=duty.reason,
    )


def _members(team: int, seen: Seen) -> Found:
    known = seen.teams.get(team)
    if known is None:
        return Found(vacancy=f"there is no team {team}")
    present = [user for user in dict.fromkeys(known.members) if user not in seen.gone]
    if not present:
        return Found(vacancy=f"team «{known.name}» has no members")
    reason = Reason(text=f"member of team «{known.name}»")
    return Found(tuple(Responder(user=user, reason=reason) for user in present))
