"""What we believe of one alert: in come the events of `alerts` and `escalations`, out comes what actions are told of it.

Alerts and escalations are two topics: what an escalation says of an alert that was not read yet is kept (`early`)
until the alert is.
"""

from typing import Final

from pydantic import TypeAdapter

from events.connectors import AlertPicture
from events.core import Event, Value
from events.escalator import EscalationStarted
from events.ingest import (
    AlertAccepted,
    AlertAssigned,
    AlertCreated,
    AlertEscalationRequested,
    AlertRepeated,
    AlertResolved,
)

LONGEST_DETAILS: Final = 4000
LONGEST_SUMMARY: Final = 500
MOST_LINKS: Final = 10
MOST_LABELS: Final = 50

PENDING: Final = "PENDING"
ACCEPTED: Final = "ACCEPTED"
RESOLVED: Final = "RESOLVED"


class Occurrence(Value):
    """A trigger that was met: its published name, and the id of the event that says so."""

    name: str
    id: str
    by_action: bool = False
    """An action of ours led to it."""


class Dossier(AlertPicture):
    """`known`: the alert itself was read. `trace` is the trace of the newest event about it."""

    alert: int
    known: bool = False
    early: tuple[Occurrence, ...] = ()
    trace: str | None = None

    @property
    def picture(self) -> AlertPicture:
        """The alert as it stands now."""
        return AlertPicture.model_validate({name: getattr(self, name) for name in AlertPicture.model_fields})


def follow(dossier: Dossier, event: Event) -> Dossier:
    """The dossier after one more event; those that say nothing about the alert change nothing."""
    match event:
        case AlertCreated():
            return _opened(dossier, event)
        case AlertRepeated(summary=summary) if summary:
            return _with(dossier, summary=summary[:LONGEST_SUMMARY])
        case AlertAccepted(by=by):
            return _with(dossier, status=ACCEPTED, assignee=by.user or dossier.assignee)
        case AlertResolved():
            return _with(dossier, status=RESOLVED)
        case AlertAssigned(user=user, policy=None):
            return _with(dossier, status=PENDING, assignee=user)
        case AlertAssigned(policy=policy):
            return _with(dossier, status=PENDING, assignee=None, policy=policy, policy_name="")
        case AlertEscalationRequested():
            return _with(dossier, status=PENDING, assignee=None)
        case EscalationStarted(policy=policy, policy_name=name) if policy is not None:
            return _with(dossier, policy=policy, policy_name=name)
        case _:
            return dossier


def restored(alert: int, picture: AlertPicture) -> Dossier:
    """What an action was told is what was believed: where nothing else is left, it is believed again."""
    return Dossier.model_validate(
        {"alert": alert, "known": True, **{name: getattr(picture, name) for name in AlertPicture.model_fields}}
    )


def dump(dossier: Dossier) -> str:
    return dossier.model_dump_json(exclude_defaults=True)


def load(text: str) -> Dossier:
    return _adapter.validate_json(text)


def _opened(dossier: Dossier, event: AlertCreated) -> Dossier:
    return _with(
        dossier,
        known=True,
        summary=event.summary[:LONGEST_SUMMARY],
        details=event.details[:LONGEST_DETAILS],
        priority=event.priority,
        severity=event.severity,
        alert_key=event.alert_key,
        source=event.source,
        source_name=event.source_name,
        policy=event.policy if dossier.policy is None else dossier.policy,
        links=event.links[:MOST_LINKS],
        labels=dict(list(event.labels.items())[:MOST_LABELS]),
        reported_at=event.received_at or event.at,
    )


def _with(dossier: Dossier, **news: object) -> Dossier:
    return dossier.model_copy(update=news)


_adapter: Final = TypeAdapter(Dossier)
