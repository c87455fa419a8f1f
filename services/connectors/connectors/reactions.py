"""What others' events mean for an alert's actions: in come an event, what is believed of the alert and the actions of
its source, out come the new belief and the wishes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from connectors.domain.dossier import Dossier, Occurrence, follow
from connectors.domain.runs import CallOff, Plan, Planned, Queue, Reply, Skip
from connectors.domain.triggers import ASSIGNED, ESCALATION_ENDED, NOT_RESOLVED, REROUTE, matches, occurrences, patience
from events.connectors import ActionConfigured, AlertPicture
from events.core import Event
from events.envelope import Envelope
from events.escalator import EscalationEvent
from events.ingest import AlertAccepted, AlertAssigned, AlertCreated, AlertEvent, AlertRerouteRefused, AlertResolved
from events.statuspage import AutomationApplied, AutomationEvent, AutomationRefused

MINUTE: Final = timedelta(minutes=1)
ROUTED_ALREADY: Final = "An action assigned this alert; no action routes it on from there"
WAS_RESOLVED: Final = "The alert was resolved before the time had come"
WAS_ANSWERED: Final = "Somebody took care of the alert before the time had come"


@dataclass(frozen=True)
class Wish:
    """An action whose trigger was met at `since`; it becomes a command with a fresh run id."""

    alert: int
    action: ActionConfigured
    occurrence: Occurrence
    picture: AlertPicture
    since: datetime

    def command(self, run: int, at: datetime, minute: timedelta = MINUTE) -> Queue | Plan | Skip:
        """`minute` is how long a minute of patience lasts."""
        action, trigger, trigger_id = self.action, self.occurrence.name, self.occurrence.id
        if trigger == ASSIGNED and action.type == REROUTE and self.occurrence.by_action:
            return Skip(self.alert, action.action, action.name, trigger, trigger_id, ROUTED_ALREADY, at)
        wait = patience(action, trigger)
        if wait or trigger == NOT_RESOLVED:
            planned = Planned(action.action, action.name, trigger, trigger_id, self.since + wait * (minute / MINUTE))
            return Plan(self.alert, planned, at)
        return Queue(self.alert, run, action, trigger, trigger_id, self.picture, at)


def alert_of(event: Event) -> int | None:
    """The alert that an event is about, if it is one that we follow."""
    return event.alert if isinstance(event, AlertEvent | EscalationEvent | AutomationEvent) else None


def source_of(event: Event) -> int | None:
    """The source that an event names first."""
    return event.source if isinstance(event, AlertCreated) else None


def taken_in(
    dossier: Dossier, envelope: Envelope, actions: Sequence[ActionConfigured], policy_name: Callable[[int], str]
) -> tuple[Dossier, tuple[Wish, ...]]:
    """The dossier after this event, and what it wishes; `actions` are all that may concern the alert's source.

    What an escalation triggers before the alert itself was read is wished when it is.
    """
    now = follow(dossier, envelope.event)
    name = now.policy_name or ("" if now.policy is None else policy_name(now.policy))
    now = now.model_copy(update={"trace": envelope.traceparent or now.trace, "policy_name": name})
    met = occurrences(envelope)
    if not now.known:
        return now.model_copy(update={"early": (*now.early, *met)}), ()
    met, now = (*met, *now.early), now.model_copy(update={"early": ()})
    wishes = tuple(
        Wish(now.alert, action, one, now.picture, envelope.event.at)
        for one in met
        for action in sorted(actions, key=lambda action: action.action)
        if now.source in action.sources and matches(action, one.name)
    )
    return now, wishes


def call_off(event: Event, at: datetime) -> CallOff | None:
    """What waits for its time and is not wanted any more."""
    match event:
        case AlertResolved(alert=alert):
            return CallOff(alert, frozenset({NOT_RESOLVED, ESCALATION_ENDED}), WAS_RESOLVED, at)
        case AlertAccepted(alert=alert) | AlertAssigned(alert=alert):
            return CallOff(alert, frozenset({ESCALATION_ENDED}), WAS_ANSWERED, at)
        case _:
            return None


def reply(envelope: Envelope, at: datetime) -> tuple[int, Reply] | None:
    """What another service says of what it was asked to do: (alert, command)."""
    match envelope.event:
        case AlertAssigned(alert=alert) as event:
            version = _asked_by(alert, envelope.causation)
            return None if version is None else (alert, Reply(at, version=version, text=_assigned(event)))
        case AlertRerouteRefused(alert=alert, run=run, reason=reason):
            return alert, Reply(at, run=run, error=reason)
        case AutomationApplied(alert=alert, run=run, text=text, incident=incident):
            link = f"/incidents/{incident}" if incident is not None else None
            reference = str(incident) if incident is not None else None
            return alert, Reply(at, run=run, text=text, reference=reference, link=link)
        case AutomationRefused(alert=alert, run=run, reason=reason):
            return alert, Reply(at, run=run, error=reason)
        case _:
            return None


def _asked_by(alert: int, causation: str | None) -> int | None:
    """The version of our event that led to it: `actions-42@7` is 7."""
    stream, _, version = (causation or "").rpartition("@")
    return int(version) if stream == f"actions-{alert}" and version.isdecimal() else None


def _assigned(event: AlertAssigned) -> str:
    return (
        f"The alert was handed to the escalation policy {event.policy}" if event.policy else "The alert was handed on"
    )
