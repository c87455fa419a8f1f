"""After events were taken in from our topics: indexes and deliveries as if they had been decided here."""

from collections.abc import Iterable, Sequence

from events.envelope import Envelope
from events.notifier import (
    Carried,
    MessageComposed,
    NotificationParked,
    NotificationQueued,
    NotificationUnreachable,
)
from notifier import notices
from notifier.domain.page import Paging, Parked, Underway
from notifier.planning import PARKED, keep_dossiers, page_number, read_dossiers
from notifier.streams import PAGE
from notifier.worker import delivery_of, notification_of
from runtime.unit import Unit

Asked = NotificationParked | NotificationQueued | NotificationUnreachable


async def reindex(unit: Unit, envelopes: Sequence[Envelope]) -> None:
    """Who was to be told of which alert, whose pages are parked, which messages were still on their way; and notices."""
    events = [envelope.event for envelope in envelopes]
    asked = [event for event in events if isinstance(event, Asked)]
    await _remember_who_was_asked(unit, asked)
    await _park_again(unit, {(event.user, event.alert) for event in asked})
    await _deliver_again(unit, [event for event in events if isinstance(event, MessageComposed)])
    await notices.reindex(unit, envelopes)


async def _remember_who_was_asked(unit: Unit, asked: Iterable[Asked]) -> None:
    known = await read_dossiers(unit, {event.alert for event in asked})
    for event in asked:
        known[event.alert] = known[event.alert].told(event.user, None)
    keep_dossiers(unit, known.values())


async def _park_again(unit: Unit, pages: set[tuple[int, int]]) -> None:
    await unit.load(PAGE, {page_number(alert, user) for user, alert in pages})
    parked = {
        f"{user}/{alert}": "parked" if isinstance(unit.state(PAGE, page_number(alert, user)), Parked) else None
        for user, alert in pages
    }
    unit.put(PARKED, parked)


async def _deliver_again(unit: Unit, messages: Sequence[MessageComposed]) -> None:
    """A message of which nothing is known to have become anything goes (again, perhaps) under its own id."""
    await unit.load(PAGE, {page_number(one.alert, one.user) for message in messages for one in message.carries})
    for message in messages:
        if any(_is_underway(unit, one, message.message) for one in message.carries):
            unit.settle([message.message])  # a backup may hold the row already; what is settled first is put in once
            unit.deliver(delivery_of(message))


def _is_underway(unit: Unit, carried: Carried, message: int) -> bool:
    page = page_number(carried.alert, carried.user)
    one = notification_of(unit, page, carried.notification) if isinstance(unit.state(PAGE, page), Paging) else None
    return one is not None and isinstance(one.fate, Underway) and one.fate.message == message
