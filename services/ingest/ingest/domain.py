"""The life of one alert, from a tool's or a person's word to its end.

    Absent --Open--> Pending --Accept--> Accepted --Resolve, Tick: open too long--> Resolved (final)
                        |  ^                 |
                        |  +-Assign, RequestEscalation
                        +--Resolve, Tick: open too long--> Resolved

A person's answer that comes too late changes nothing, but is noted: the timeline tells who tried and what was so already.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from events.core import Decider, Event, Outcome, Refusal
from events.ingest import (
    AlertAccepted,
    AlertAnswerNoted,
    AlertAssigned,
    AlertCommented,
    AlertCreated,
    AlertEscalationRequested,
    AlertRepeated,
    AlertRerouteRefused,
    AlertResolved,
    AlertResponderRequested,
)
from events.shared import Actor, ActorType

AUTO_RESOLUTION = "auto-resolution"


@dataclass(frozen=True)
class Open:
    """The alert as it shall be; its id was drawn just before."""

    alert: AlertCreated


@dataclass(frozen=True)
class Repeat:
    """The tool said it again, `count` times."""

    count: int
    signals: tuple[str, ...]
    summary: str
    received_at: datetime
    at: datetime


@dataclass(frozen=True)
class Accept:
    by: Actor
    at: datetime
    signal: str | None = None
    notification: int | None = None


@dataclass(frozen=True)
class Resolve:
    by: Actor
    at: datetime
    reason: str = ""
    signal: str | None = None
    notification: int | None = None


@dataclass(frozen=True)
class Comment:
    """A note with an id of its own; notes are welcome after the end, too."""

    comment: int
    content: str
    by: Actor
    at: datetime
    creator: str = ""
    resolve_comment: bool = False
    signal: str | None = None


@dataclass(frozen=True)
class Assign:
    """To exactly one of user, policy and schedule."""

    by: Actor
    at: datetime
    user: int | None = None
    policy: int | None = None
    schedule: int | None = None


@dataclass(frozen=True)
class RequestEscalation:
    """To the next level, or to `level` (zero-based). `is_answer`: given through a message, where nobody is told a refusal."""

    by: Actor
    at: datetime
    level: int | None = None
    notification: int | None = None
    is_answer: bool = False


@dataclass(frozen=True)
class Reroute:
    """An alert action asks that `policy` takes over; None when there is no such policy. `wanted` is its id in any case."""

    run: int
    wanted: int | None
    policy: int | None
    by: Actor
    at: datetime


@dataclass(frozen=True)
class RequestResponder:
    user: int
    by: Actor
    at: datetime


@dataclass(frozen=True)
class Tick:
    at: datetime


@dataclass(frozen=True)
class Absent:
    """No such alert."""


@dataclass(frozen=True)
class Pending:
    """Open, and nobody takes care of it yet. `escalated_by` are the notifications whose escalation was carried out."""

    alert: int
    source: int
    alert_key: str | None
    policy: int | None
    auto_resolve_at: datetime | None
    escalated_by: tuple[int, ...] = ()


@dataclass(frozen=True)
class Accepted(Pending):
    """Open, and somebody takes care of it; `users` said so, in this order."""

    users: tuple[int, ...] = ()


@dataclass(frozen=True)
class Resolved:
    """Over. `users` are the people who said so, in time or late."""

    alert: int
    source: int
    alert_key: str | None
    users: tuple[int, ...] = ()


State = Absent | Pending | Accepted | Resolved
Command = Open | Repeat | Accept | Resolve | Comment | Assign | Reroute | RequestEscalation | RequestResponder | Tick

OVER = "ALERT_RESOLVED"
UNKNOWN = "NOT_FOUND"


def decide(state: State, command: Command) -> Outcome:
    match state, command:
        case Absent(), Open(alert):
            return [alert]
        case Absent(), _:
            return Refusal(UNKNOWN, "There is no such alert")
        case _, Open():
            return []
        case _, Comment():
            return [_commented(_alert(state), command)]
        case Resolved(), _:
            return _too_late(state, command)
        case Pending(), _:
            return _open(state, command)


def evolve(state: State, event: Event) -> State:
    match state, event:
        case Absent(), AlertCreated():
            return Pending(event.alert, event.source, event.alert_key, event.policy, event.auto_resolve_at)
        case Pending(), AlertAccepted():
            return _accepted(state, event.by)
        case Accepted(), AlertAnswerNoted(answer="ACCEPT"):
            return _accepted(state, event.by)
        case Pending(), AlertAssigned():
            return replace(_pending(state), policy=event.policy or state.policy)
        case Pending(), AlertEscalationRequested():
            return replace(_pending(state), escalated_by=_noted(state.escalated_by, event.notification))
        case Pending(), AlertResolved():
            return Resolved(state.alert, state.source, state.alert_key, _noted((), event.by.user))
        case Resolved(), AlertAnswerNoted():
            return replace(state, users=_noted(state.users, event.by.user))
        case _:
            return state


def due_at(state: State) -> datetime | None:
    return state.auto_resolve_at if isinstance(state, Pending) else None


def _open(state: Pending, command: Command) -> Outcome:
    """What is asked of an alert that is pending or accepted."""
    match command:
        case Repeat(count, signals, summary, received_at, at):
            return [
                AlertRepeated(
                    alert=state.alert, count=count, signals=signals, summary=summary, received_at=received_at, at=at
                )
            ]
        case Accept():
            return _accept(state, command)
        case Resolve(by, at, reason, signal, notification):
            return [
                AlertResolved(alert=state.alert, by=by, reason=reason, signal=signal, notification=notification, at=at)
            ]
        case Assign(by, at, user, policy, schedule):
            return _assign(state.alert, by, at, user, policy, schedule)
        case Reroute(policy=int(policy), by=by, at=at):
            return [AlertAssigned(alert=state.alert, policy=policy, by=by, at=at)]
        case Reroute(wanted=wanted):
            reason = "the action names no escalation policy" if wanted is None else f"there is no policy {wanted}"
            return [_refused(state.alert, command, reason)]
        case RequestEscalation(by, at, level, notification):
            if notification in state.escalated_by:
                return []
            return [AlertEscalationRequested(alert=state.alert, level=level, by=by, notification=notification, at=at)]
        case RequestResponder(user, by, at):
            return [AlertResponderRequested(alert=state.alert, user=user, by=by, at=at)]
        case Tick(at) if state.auto_resolve_at is not None and at >= state.auto_resolve_at:
            by = Actor.by_system(AUTO_RESOLUTION)
            return [
                AlertResolved(alert=state.alert, by=by, reason="It was open for as long as its source allows", at=at)
            ]
        case _:
            return []


def _accept(state: Pending, command: Accept) -> Outcome:
    """The first acceptance counts; a second person's is noted once, a tool's each time it says so (no signal is lost)."""
    by, at, signal, notification = command.by, command.at, command.signal, command.notification
    if not isinstance(state, Accepted):
        return [AlertAccepted(alert=state.alert, by=by, signal=signal, notification=notification, at=at)]
    if by.type is ActorType.USER and by.user in state.users:
        return []
    return [_note(state.alert, "ACCEPT", "ALREADY_ACCEPTED", command)]


def _assign(alert: int, by: Actor, at: datetime, user: int | None, policy: int | None, schedule: int | None) -> Outcome:
    if sum(target is not None for target in (user, policy, schedule)) != 1:
        return Refusal("VALIDATION_ERROR", "Name exactly one of user, policy and schedule")
    return [AlertAssigned(alert=alert, user=user, policy=policy, schedule=schedule, by=by, at=at)]


def _too_late(state: Resolved, command: Command) -> Outcome:
    """Resolved is final: answers are noted once per person, wishes are refused, everything else is silent."""
    match command:
        case Accept() | Resolve() if command.signal is None and command.by.user in state.users:
            return []
        case Accept():
            return [_note(state.alert, "ACCEPT", "ALREADY_RESOLVED", command)]
        case Resolve():
            return [_note(state.alert, "RESOLVE", "ALREADY_RESOLVED", command)]
        case Reroute():
            return [_refused(state.alert, command, "the alert is resolved")]
        case RequestEscalation(is_answer=True):
            if command.by.user in state.users:
                return []
            return [_note(state.alert, "ESCALATE", "ALREADY_RESOLVED", command)]
        case Assign() | RequestEscalation() | RequestResponder():
            return Refusal(OVER, f"Alert {state.alert} is resolved, and a resolved alert is never opened again")
        case _:
            return []


def _refused(alert: int, command: Reroute, reason: str) -> AlertRerouteRefused:
    return AlertRerouteRefused(
        alert=alert, run=command.run, policy=command.wanted, reason=reason, by=command.by, at=command.at
    )


def _note(alert: int, answer: str, outcome: str, command: Accept | Resolve | RequestEscalation) -> AlertAnswerNoted:
    return AlertAnswerNoted(
        alert=alert,
        answer=answer,
        outcome=outcome,
        by=command.by,
        notification=command.notification,
        signal=None if isinstance(command, RequestEscalation) else command.signal,
        at=command.at,
    )


def _commented(alert: int, command: Comment) -> AlertCommented:
    return AlertCommented(
        alert=alert,
        comment=command.comment,
        content=command.content,
        creator=command.creator,
        resolve_comment=command.resolve_comment,
        by=command.by,
        signal=command.signal,
        at=command.at,
    )


def _accepted(state: Pending, by: Actor) -> Accepted:
    users = state.users if isinstance(state, Accepted) else ()
    return Accepted(**vars(_pending(state)), users=_noted(users, by.user))


def _pending(state: Pending) -> Pending:
    """The same alert, and nobody takes care of it any more."""
    return Pending(state.alert, state.source, state.alert_key, state.policy, state.auto_resolve_at, state.escalated_by)


def _noted(known: tuple[int, ...], one: int | None) -> tuple[int, ...]:
    return known if one is None or one in known else (*known, one)


def _alert(state: State) -> int:
    return 0 if isinstance(state, Absent) else state.alert


alert: Decider[State, Command] = Decider(Absent(), decide, evolve, due_at)
