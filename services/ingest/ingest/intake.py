"""What a source's words become: the rules of priority, policy and grouping, and the record of what became nothing.

In come a source as it stands and one tool event; out comes an `AlertCreated`, or a `SignalDropped` with its reason.
The stream `intake-<source>` holds what was dropped; its row lock is the boundary of deduplication.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from events.core import Decider, Event, Outcome
from events.ingest import AlertCreated, DropReason, PriorityRule, SignalDropped, SourceChanged
from events.shared import Actor, Priority
from ingest import domain
from ingest.canonical import ToolEvent, kept, key_of

PolicyChoice = tuple[int | None, str]
"""A policy's id (None: there is none at all) and why this one, as a sentence."""

AUTO_RESOLUTIONS = {
    **{f"PT{minutes}M": timedelta(minutes=minutes) for minutes in (10, 20, 30, 40, 50, 60, 90)},
    **{f"PT{hours}H": timedelta(hours=hours) for hours in (1, 2, 3, 4, 5, 6, 12, 24)},
}
"""Reference: the values that the published API takes (PT1H is how some clients write PT60M)."""


class Grouping:
    """The modes of `alertCreation` that are carried out so far; a match on the alert key groups in every mode."""

    EACH = "ONE_ALERT_PER_EMAIL"
    SUBJECT = "ONE_ALERT_PER_EMAIL_SUBJECT"
    PENDING = "ONE_PENDING_ALERT_ALLOWED"
    OPEN = "ONE_OPEN_ALERT_ALLOWED"
    EXTRACTED = "OPEN_RESOLVE_ON_EXTRACTION"
    ALL = (EACH, SUBJECT, PENDING, OPEN, EXTRACTED)


@dataclass(frozen=True)
class Drop:
    """A signal, or a part of it, became nothing."""

    dropped: SignalDropped


@dataclass(frozen=True)
class Intake:
    """Nothing needs to be remembered: the row's lock is what matters."""


def decide(_state: Intake, command: Drop) -> Outcome:
    return [command.dropped]


def evolve(state: Intake, _event: Event) -> Intake:
    return state


intake: Decider[Intake, Drop] = Decider(Intake(), decide, evolve)


def drop(
    source: int,
    signal: str,
    reason: DropReason,
    text: str,
    received_at: datetime,
    at: datetime,
    event: ToolEvent | None = None,
) -> Drop:
    dropped = SignalDropped(
        source=source,
        signal=signal,
        reason=reason,
        text=text,
        event_type=event.type.value if event else "",
        alert_key=event.alert_key if event else None,
        received_at=received_at,
        at=at,
    )
    return Drop(dropped)


def nothing_open(event: ToolEvent) -> str:
    if event.alert_key is None:
        return f"{event.type.value} without an alert key can mean no alert"
    return f"{event.type.value}: no open alert of this source has the key {event.alert_key}"


def group_of(mode: str, source: int, event: ToolEvent) -> str | None:
    """Where the mode's last alert is looked up; None where the mode opens one for each event."""
    return group_by(mode, source, event.summary)


def group_by(mode: str, source: int, summary: str) -> str | None:
    match mode:
        case Grouping.OPEN | Grouping.PENDING:
            return f"{source}/*"
        case Grouping.SUBJECT:
            return f"{source}/{hashlib.sha256(summary.strip().casefold().encode()).hexdigest()}"
        case _:
            return None


def joins(mode: str, last: domain.State) -> bool:
    """Whether a further event belongs to the mode's last alert."""
    if mode == Grouping.PENDING:
        return isinstance(last, domain.Pending) and not isinstance(last, domain.Accepted)
    return isinstance(last, domain.Pending)


def priority_of(source: SourceChanged, event: ToolEvent) -> tuple[Priority, str]:
    """The rule of the source; the event's own wish counts only where the rule is plain HIGH (reference: §3.3)."""
    ruled = Priority(source.priority_rule.value)
    if event.priority is None:
        return ruled, f"the source's rule is {ruled.value}"
    if source.priority_rule is PriorityRule.HIGH:
        return event.priority, f"the event says {event.priority.value}"
    if event.priority is ruled:
        return ruled, f"the event and the source's rule say {ruled.value}"
    return ruled, f"the source's rule is {ruled.value}, whatever the event says"


def auto_resolve_at(source: SourceChanged, at: datetime, minute_s: float) -> datetime | None:
    """Counted from the alert's creation; `minute_s` is how long a minute lasts here (60, less in tests and demos)."""
    length = AUTO_RESOLUTIONS.get(source.auto_resolution or "")
    return None if length is None else at + length * (minute_s / 60)


@dataclass(frozen=True)
class Moment:
    """When and by which signal: `received_at` is the gateway's clock, `at` the ledger's."""

    signal: str
    received_at: datetime
    at: datetime
    minute_s: float = 60.0


def opened(alert: int, source: SourceChanged, event: ToolEvent, policy: PolicyChoice, moment: Moment) -> AlertCreated:
    """The alert that an ALERT event of this source opens."""
    priority, priority_reason = priority_of(source, event)
    return AlertCreated(
        alert=alert,
        source=source.source,
        source_name=source.name,
        policy=policy[0],
        policy_reason=policy[1],
        priority=priority,
        priority_reason=priority_reason,
        summary=event.summary,
        details=event.details,
        alert_key=event.alert_key,
        severity=event.severity or source.severity,
        links=event.links,
        images=event.images,
        labels=event.labels,
        services=event.services,
        teams=source.teams,
        custom_details=kept(event.custom_details),
        auto_resolve_at=auto_resolve_at(source, moment.at, moment.minute_s),
        signal=moment.signal,
        received_at=moment.received_at,
        by=Actor.by_source(source.source),
        at=moment.at,
    )


def open_key(source: int, alert_key: str | None) -> str | None:
    return key_of(source, alert_key) if alert_key else None


ChoosePolicy = Callable[[int | None, str | None], PolicyChoice]
"""(the source's policy, the event's routing key) -> the policy."""
