"""When an action runs: in comes an event about an alert, out come the published names of the triggers that it meets.

`alert-raised`, `alert-responder-removed` and the two of chat channels are names that may be configured; nothing meets
them yet.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from connectors.domain.dossier import Occurrence
from events.connectors import ActionConfigured, TriggerMode
from events.core import Event
from events.envelope import Envelope
from events.escalator import EscalationEnded, EscalationLevelReached, EscalationResponderAdded
from events.ingest import AlertAccepted, AlertAssigned, AlertCommented, AlertCreated, AlertResolved
from events.shared import ActorType

CREATED: Final = "alert-created"
ASSIGNED: Final = "alert-assigned"
AUTO_ESCALATED: Final = "alert-auto-escalated"
ACKNOWLEDGED: Final = "alert-acknowledged"
COMMENT_ADDED: Final = "alert-comment-added"
ESCALATION_ENDED: Final = "alert-escalation-ended"
RESOLVED: Final = "alert-resolved"
AUTO_RESOLVED: Final = "alert-auto-resolved"
RESPONDER_ADDED: Final = "alert-responder-added"
NOT_RESOLVED: Final = "v-alert-not-resolved"
MANUAL: Final = "manual"

ENDINGS: Final = frozenset({RESOLVED, AUTO_RESOLVED})
AUTOMATION: Final = "automation_rule"
REROUTE: Final = "reroute"
DISPATCHED: Final = frozenset({AUTOMATION, REROUTE})
"""Types of actions that another service carries out."""


def occurrences(envelope: Envelope) -> tuple[Occurrence, ...]:
    """What an event of `alerts` or `escalations` triggers."""
    by_action = (envelope.causation or "").startswith("actions-")
    if isinstance(envelope.event, AlertCreated):
        return tuple(Occurrence(name=name, id=envelope.id) for name in (CREATED, NOT_RESOLVED))
    name = _name(envelope.event)
    return (Occurrence(name=name, id=envelope.id, by_action=by_action),) if name else ()


def _name(event: Event) -> str | None:
    match event:
        case AlertAssigned():
            return ASSIGNED
        case AlertAccepted():
            return ACKNOWLEDGED
        case AlertCommented(resolve_comment=False):
            return COMMENT_ADDED
        case AlertResolved(by=by):
            return AUTO_RESOLVED if by.type is ActorType.SYSTEM else RESOLVED
        case EscalationLevelReached(level=level, by=None) if level > 0:
            return AUTO_ESCALATED
        case EscalationResponderAdded():
            return RESPONDER_ADDED
        case EscalationEnded():
            return ESCALATION_ENDED
        case _:
            return None


def closes(kind: str, trigger: str) -> bool:
    """Whether this run takes back what the same action opened: the status page's automation, at the alert's end."""
    return kind == AUTOMATION and trigger in ENDINGS


def matches(action: ActionConfigured, trigger: str) -> bool:
    """Whether the action runs by itself at this trigger.

    An automation takes back at the alert's end what it did, whatever its triggers and its mode are: the incident where
    it says so (`resolveIncident`), the services where it changed nothing else.
    """
    if closes(action.type, trigger):
        return bool(action.params.get("resolveIncident")) or not action.params.get("templateId")
    return action.mode is TriggerMode.AUTOMATIC and trigger in _wanted(action)


def _wanted(action: ActionConfigured) -> Sequence[str]:
    """An automation for accepted alerts says so in a parameter of its own (§ automation_rule of the published API)."""
    if action.type == AUTOMATION and action.params.get("alertType") == "ACCEPTED":
        return [ACKNOWLEDGED if name == CREATED else name for name in action.triggers]
    return action.triggers


def patience(action: ActionConfigured, trigger: str) -> timedelta:
    """How long after the trigger the action waits."""
    match trigger:
        case "alert-escalation-ended":
            return timedelta(seconds=action.escalation_ended_delay_s)
        case "v-alert-not-resolved":
            return timedelta(seconds=action.not_resolved_delay_s)
        case _:
            return timedelta(0)
