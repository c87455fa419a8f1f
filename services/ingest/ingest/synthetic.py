"""The suite's own event: every minute one goes the whole way, from the gateway to a message that is taken by a sink.

    POST (reserved key) -> signal -> alert for the reserved person -> page -> message -> the notifier's sink -> resolved

Source and person are nobody's (`SYNTHETIC`): no list, count, report or mail to people shows them. The key is derived from
the suite's secret, so that it is nowhere kept.
"""

import hashlib
import hmac
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from events.core import Event
from events.ingest import AlertCreated, SignalReceived, SourceChanged
from events.machinery import SYNTHETIC
from events.notifier import NotificationSent
from ingest.keys import digest

NAME: Final = "Alarum's own check"
SUMMARY: Final = "The suite checks its own way from an event to a message"
REMEMBERED: Final = 100


def key_of(secret: str) -> str:
    """The reserved integration key of a suite with this secret."""
    return hmac.new(secret.encode(), b"alarum synthetic source", hashlib.sha256).hexdigest()


def source(secret: str = "") -> SourceChanged:
    """The reserved source; nobody wrote it down, every role knows it."""
    made_at = datetime.fromisoformat("2026-01-01T00:00:00+00:00")
    return SourceChanged(
        source=SYNTHETIC,
        name=NAME,
        key_digest=digest(key_of(secret)),
        key_cell="",
        at=made_at,
    )


def for_nobody(created: AlertCreated) -> AlertCreated:
    """The alert as the check wants it: no policy, so that no person is asked, and the reserved person instead."""
    told = {
        "policy": None,
        "policy_reason": "the check asks nobody",
        "responders": (SYNTHETIC,),
        "auto_resolve_at": None,
    }
    return created.model_copy(update=told)


def body(key: str, at: datetime) -> dict[str, Any]:
    """What is posted; the alert's key is new each time."""
    return {"integrationKey": key, "eventType": "ALERT", "summary": SUMMARY, "alertKey": f"check {at.isoformat()}"}


@dataclass
class RoundTrips:
    """What was sent and has not come through yet, in whatever order it is heard of, and how long the last one took."""

    sent: dict[str, datetime] = field(default_factory=dict)
    alerts: dict[int, str] = field(default_factory=dict)
    came: dict[int, datetime] = field(default_factory=dict)
    last_at: datetime | None = None
    last_s: float | None = None

    def take(self, event: Event) -> float | None:
        """How long a check took that is complete with this event, in seconds."""
        match event:
            case SignalReceived(source=number, signal=signal) if number == SYNTHETIC:
                self.sent[signal] = event.at
            case AlertCreated(source=number, alert=alert, signal=str(signal)) if number == SYNTHETIC:
                self.alerts[alert] = signal
            case NotificationSent(user=user, alert=alert) if user == SYNTHETIC:
                self.came[alert] = event.at
            case _:
                return None
        return self._completed()

    def _completed(self) -> float | None:
        took: float | None = None
        for alert in [alert for alert in self.came if self.alerts.get(alert) in self.sent]:
            at = self.came.pop(alert)
            took = (at - self.sent.pop(self.alerts.pop(alert))).total_seconds()
            self.last_at, self.last_s = at, took
        _forget_oldest(self.sent)
        _forget_oldest(self.alerts)
        _forget_oldest(self.came)
        return took


def _forget_oldest(known: dict[Any, Any]) -> None:
    for old in [*known][:-REMEMBERED]:
        del known[old]
