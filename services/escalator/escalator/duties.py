"""Who has which duty in a window: in come policies and schedules, out come duties by policy, level, person and time. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from escalator.oncall import OnCall, duty_end, shifts, who
from events.escalator import PolicyChanged, Rule, ScheduleChanged, Target


@dataclass(frozen=True)
class Window:
    """From `start` up to `end`; an instant when both are the same."""

    start: datetime
    end: datetime

    def duties(self, schedule: ScheduleChanged) -> list[OnCall]:
        if self.start < self.end:
            return shifts(schedule, self.start, self.end)
        duty = who(schedule, self.start)
        return [duty] if isinstance(duty, OnCall) else []


@dataclass(frozen=True)
class Duty:
    """Somebody who is told when `level` (zero-based) of `policy` is reached. `end` None: until somebody changes it.

    `schedule` is the one that put them there; named directly or as a member of `team`, a person is always on duty.
    """

    user: int
    start: datetime
    end: datetime | None
    policy: PolicyChanged | None = None
    level: int | None = None
    schedule: ScheduleChanged | None = None
    team: int | None = None
    reason: str = ""


@dataclass(frozen=True)
class Staffing:
    """What is needed to answer: schedules by id, members of teams by id (those who left are left out)."""

    schedules: dict[int, ScheduleChanged]
    teams: dict[int, tuple[int, ...]]


def duties_of(policy: PolicyChanged, staffing: Staffing, window: Window) -> Iterator[Duty]:
    """Everybody whom the policy's levels name in the window."""
    for level, rule in enumerate(policy.rules):
        yield from level_duties(policy, level, rule, staffing, window)


def level_duties(policy: PolicyChanged, level: int, rule: Rule, staffing: Staffing, window: Window) -> Iterator[Duty]:
    for target in rule.targets:
        yield from _duties(policy, level, target, staffing, window)


def schedule_duties(schedule: ScheduleChanged, window: Window) -> Iterator[Duty]:
    """The duties of a schedule by itself."""
    for duty in window.duties(schedule):
        yield Duty(duty.user, duty.start, duty.end, schedule=schedule, reason=duty.reason)


def _duties(policy: PolicyChanged, level: int, target: Target, staffing: Staffing, window: Window) -> Iterator[Duty]:
    match target:
        case Target(user=int(user)):
            yield Duty(user, policy.at, None, policy, level, reason="named directly")
        case Target(team=int(team)):
            for member in staffing.teams.get(team, ()):
                yield Duty(member, policy.at, None, policy, level, team=team, reason="member of the team")
        case Target(schedule=int(schedule)) if known := staffing.schedules.get(schedule):
            for duty in window.duties(known):
                yield Duty(duty.user, duty.start, duty.end, policy, level, known, reason=duty.reason)


def on_call_until(user: int, schedules: Iterable[ScheduleChanged], at: datetime, horizon: datetime) -> list[OnCall]:
    """The person's present duties, each with the end at which somebody else takes over (None: not before `horizon`)."""
    present = [(schedule, who(schedule, at)) for schedule in schedules]
    return [
        OnCall(duty.user, duty.start, duty_end(schedule, duty, horizon), duty.reason, duty.layer, duty.override)
        for schedule, duty in present
        if isinstance(duty, OnCall) and duty.user == user
    ]
