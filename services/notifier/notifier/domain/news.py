"""News for those who are not asked to act: in come others' events, out come what happened and whom it concerns.

An update of an alert is for everybody who was asked to answer it, but never for who did it, nor for those whom it asks now.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from events.core import Event
from events.escalator import EscalationEvent, EscalationLevelReached, EscalationResponderAdded
from events.ingest import AlertAccepted, AlertResolved
from events.notifier import NoticeKind, UpdatePreferenceType
from events.shared import Actor
from events.statuspage import AnnouncementMade, Told
from notifier.domain.dossier import Dossier
from notifier.domain.notice import Queue
from notifier.domain.reach import Reachable, subscriptions_wanted, updates_wanted


@dataclass(frozen=True)
class Update:
    """Somebody or something did this with an alert. `asks` are the people whom it asks to answer."""

    alert: int
    kind: UpdatePreferenceType
    by: Actor | None
    asks: frozenset[int]
    at: datetime


def update_of(event: Event) -> Update | None:
    """What an event means for those who were asked before; the first level, reached by rule, is no escalation."""
    match event:
        case AlertAccepted(alert=alert, by=by, at=at):
            return Update(alert, UpdatePreferenceType.ALERT_ACCEPTED, by, frozenset(), at)
        case AlertResolved(alert=alert, by=by, at=at):
            return Update(alert, UpdatePreferenceType.ALERT_RESOLVED, by, frozenset(), at)
        case EscalationLevelReached(alert=alert, level=level, by=by, at=at) if level > 0 or by is not None:
            return Update(alert, UpdatePreferenceType.ALERT_ESCALATED, by, _asked(event), at)
        case _:
            return None


def recipients(events: Iterable[Event], asked: Mapping[int, Iterable[int]]) -> Iterator[tuple[int, tuple[int, ...]]]:
    """By the place of each event that is an update: who hears of it. `asked` are those who were asked before, by alert."""
    before = {alert: list(users) for alert, users in asked.items()}
    for place, event in enumerate(events):
        if (update := update_of(event)) is not None:
            yield place, _others(update, before.get(update.alert, []))
        if isinstance(event, EscalationEvent):
            known = before.setdefault(event.alert, [])
            known.extend(user for user in sorted(_asked(event)) if user not in known)


def update_notices(update: Update, event_id: str, known: Dossier, person: Reachable, at: datetime) -> Iterator[Queue]:
    """One for each contact by which this person wants to hear of it."""
    for wish in updates_wanted(person, update.kind):
        contact = person.contact(wish.contact)
        yield Queue(
            user=person.user,
            kind=NoticeKind.ALERT_UPDATE,
            occasion=update.kind.value,
            occurrence=f"{updates(update.alert)}{event_id}/{person.user}/{wish.contact}",
            contact=wish.contact,
            method=wish.method,
            mask=contact.mask if contact else "",
            send_at=at,
            title=known.summary,
            alert=update.alert,
            path=f"/alerts/{update.alert}",
            preference=wish.id,
            by=update.by,
            reason="You were asked to answer this alert, and wish to hear what others do with it.",
            at=at,
        )


def updates(alert: int) -> str:
    """What the occurrences of an alert's updates begin with."""
    return f"update/{alert}/"


def announcement_notices(event: AnnouncementMade, told: Told, person: Reachable, at: datetime) -> Iterator[Queue]:
    """One for each contact by which this person wants to hear of what they subscribed to."""
    for wish in subscriptions_wanted(person):
        contact = person.contact(wish.contact)
        yield Queue(
            user=person.user,
            kind=NoticeKind.INCIDENT if event.incident is not None else NoticeKind.MAINTENANCE,
            occasion=event.occasion.value,
            occurrence=f"announcement/{event.announcement}/{person.user}/{wish.contact}",
            contact=wish.contact,
            method=wish.method,
            mask=contact.mask if contact else "",
            send_at=at,
            title=event.title,
            text=event.message,
            lines=(*event.services, *event.pages),
            status=event.status,
            path=event.path,
            incident=event.incident,
            maintenance=event.maintenance,
            preference=wish.id,
            reason=told.reason or "You subscribed to it.",
            at=at,
        )


def _others(update: Update, asked: Iterable[int]) -> tuple[int, ...]:
    doer = update.by.user if update.by is not None else None
    return tuple(user for user in asked if user != doer and user not in update.asks)


def _asked(event: EscalationEvent) -> frozenset[int]:
    match event:
        case EscalationLevelReached(responders=responders):
            return frozenset(responder.user for responder in responders)
        case EscalationResponderAdded(responder=responder):
            return frozenset({responder.user})
        case _:
            return frozenset()
