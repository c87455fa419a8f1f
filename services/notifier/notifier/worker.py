"""The deciding half: in come people, alerts, escalations and time, out come plans, messages and deliveries.

accounts -> who can be reached      alerts -> what is believed, and halts      escalations -> pages
time     -> due pages join messages, windows end

What others are merely told of (updates, duties ahead, incidents) is `notices.py`'s.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from events.accounts import UserChanged, UserDeleted
from events.escalator import EscalationEvent
from events.ingest import AlertEvent
from events.notifier import Carried, MessageComposed, MessageHeld
from events.topics import ACCOUNTS, ALERTS, ESCALATIONS
from notifier import notices
from notifier.domain import window
from notifier.domain.dossier import Dossier, follow
from notifier.domain.page import (
    Dispatch,
    Drop,
    Fail,
    Halt,
    Held,
    Hold,
    Notification,
    Paging,
    Sent,
    Stop,
    Waiting,
    spare,
    waiting,
)
from notifier.domain.reach import Forgotten, Reachable, Unknown
from notifier.domain.reach import State as Person
from notifier.notices import Notices
from notifier.planning import (
    GONE,
    Newcomer,
    Wish,
    forget,
    introduce,
    keep_dossiers,
    open_dossiers,
    page_number,
    plan,
    read_dossiers,
)
from notifier.reactions import demands
from notifier.streams import PAGE, PERSON, WINDOW
from runtime.breath import breathing
from runtime.ports import Delivery
from runtime.records import Received
from runtime.ticks import Due
from runtime.unit import Cause, Unit

READER: Final = "notifier.worker"
TOPICS: Final = (ALERTS.name, ESCALATIONS.name, ACCOUNTS.name, *notices.TOPICS)
DEADLINE: Final = timedelta(hours=24)
FIRST_PAGES: Final = 0
ALL_OTHERS: Final = 1


@dataclass(frozen=True)
class Worker:
    """`minute` is how long a minute of a preference's delay lasts; `storm` is the length of a window."""

    minute: timedelta
    storm: timedelta

    @property
    def _notices(self) -> Notices:
        return Notices(self.minute, self.storm)

    # -- what others say

    async def react(self, unit: Unit, batch: Sequence[Received]) -> None:
        """Take in one batch: people first, then alerts and who must be told of them."""
        await self._meet(unit, batch)
        known = await open_dossiers(unit, _alerts(batch))
        before = dict(known)
        await _follow(unit, known, batch)
        wishes = [wish for received in batch for wish in _wishes(received)]
        await plan(unit, known, wishes, self.minute)
        keep_dossiers(unit, (one for alert, one in known.items() if one != before[alert]))
        await self._notices.hear(unit, batch, before, known)

    async def believe(self, unit: Unit, batch: Sequence[Received]) -> None:
        """After a restore: what was decided on before it is known again, and told to nobody."""
        known = await open_dossiers(unit, _alerts(batch))
        before = dict(known)
        for received in batch:
            event = received.envelope.event
            if isinstance(event, AlertEvent):
                known[event.alert] = follow(known[event.alert], event, received.envelope.version)
        keep_dossiers(unit, (one for alert, one in known.items() if one != before[alert]))
        notices.know_plans(unit, batch)

    async def _meet(self, unit: Unit, batch: Sequence[Received]) -> None:
        newcomers: dict[int, Newcomer] = {}
        for received in batch:
            match received.envelope.event:
                case UserChanged(user=user, email_mask=mask):
                    newcomers[user] = Newcomer(mask, Cause.of(received.envelope))
                case UserDeleted(user=user):
                    await forget(unit, user, self.minute, Cause.of(received.envelope))
                    await notices.remind_person(unit, user, self.minute)
                case _:
                    pass
        if newcomers:
            await introduce(unit, newcomers, self.minute)

    # -- time

    async def tick(self, unit: Unit, due: Due, _gate: object = None) -> None:
        """Windows that end go first, so that what is due now opens the next one."""
        await _close_windows(unit, [number for kind, number in due if kind.name == WINDOW.name])
        await self._tell_due(unit, [number for kind, number in due if kind.name == PAGE.name])
        await self._notices.tick(unit, due)

    async def _tell_due(self, unit: Unit, pages: Sequence[str]) -> None:
        due = [one for page in pages for one in _due(unit, page)]
        known = await read_dossiers(unit, {one.alert for one in due})
        people = await unit.peek(PERSON, {one.user for one in due})
        wanted = [
            one for one in due if await _still(unit, one, known[one.alert], people[PERSON.stream(one.user)].state)
        ]
        await self._into_windows(unit, sorted(wanted, key=_in_turn), known)

    async def _into_windows(self, unit: Unit, wanted: Sequence["DueOne"], known: dict[int, Dossier]) -> None:
        await unit.load(WINDOW, {one.window for one in wanted})
        async for one, message in breathing(zip(wanted, await unit.draw("message", len(wanted)), strict=True)):
            cause = Cause(None, known[one.alert].trace)
            carried = Carried(notification=one.notification.id, alert=one.alert, user=one.user)
            tell = window.Tell(one.notification.source, one.notification.contact, carried, message, unit.at, self.storm)
            for event in _decided(unit.decide(WINDOW, one.window, tell, cause)):
                await _passed_on(unit, event, cause)


# -- alerts


async def _follow(unit: Unit, known: dict[int, Dossier], batch: Sequence[Received]) -> None:
    """Believe what the alerts say; where one was answered, what waits for it is suppressed."""
    halted: dict[int, Cause] = {}
    for received in batch:
        event = received.envelope.event
        if isinstance(event, AlertEvent):
            before = known[event.alert]
            known[event.alert] = follow(before, event, received.envelope.version)
            if known[event.alert].stop != before.stop:
                halted[event.alert] = Cause.of(received.envelope)
    await unit.load(PAGE, [page_number(alert, user) for alert in halted for user in known[alert].users])
    for alert, cause in halted.items():
        _halt(unit, known[alert], cause)


def _halt(unit: Unit, known: Dossier, cause: Cause) -> None:
    assert known.stop is not None
    for user in known.users:
        unit.decide(PAGE, page_number(known.alert, user), Halt(known.stop, unit.at), cause)


def _alerts(batch: Iterable[Received]) -> set[int]:
    events = (received.envelope.event for received in batch)
    return {event.alert for event in events if isinstance(event, AlertEvent | EscalationEvent)}


def _wishes(received: Received) -> list[Wish]:
    event, cause = received.envelope.event, Cause.of(received.envelope)
    if not isinstance(event, EscalationEvent):
        return []
    return [Wish(event.alert, user, demand, cause) for user, demand in demands(event)]


# -- due pages


@dataclass(frozen=True)
class DueOne:
    """A notification whose time has come."""

    alert: int
    user: int
    notification: Notification

    @property
    def page(self) -> str:
        return page_number(self.alert, self.user)

    @property
    def window(self) -> str:
        return window.stream_number(self.notification.source, self.notification.contact)


def _due(unit: Unit, page: str) -> list[DueOne]:
    state = unit.state(PAGE, page)
    due = [one for one in waiting(state) if isinstance(one.fate, Waiting) and one.fate.send_at <= unit.at]
    return [DueOne(state.alert, state.user, one) for one in due] if isinstance(state, Paging) else []


def _in_turn(one: DueOne) -> tuple[float, int]:
    fate = one.notification.fate
    return (fate.send_at.timestamp() if isinstance(fate, Waiting) else 0.0, one.notification.id)


async def _still(unit: Unit, one: DueOne, known: Dossier, person: Person) -> bool:
    """Whether it is still to be told, and by this contact; where not, that is decided."""
    cause = Cause(None, known.trace)
    if known.halts(one.notification.alert_version):
        stop: Stop = known.stop  # type: ignore[assignment]
        unit.decide(PAGE, one.page, Drop(one.notification.id, stop.reason, unit.at), cause)
        return False
    return await has_contact(unit, one, person, cause)


CONTACT_GONE: Final = "The contact was deleted, or cannot be used, since this was planned."


async def has_contact(unit: Unit, one: DueOne, person: Person, cause: Cause, message: int | None = None) -> bool:
    """Whether the person and the contact are still there; where not, the person's next contact is tried."""
    if isinstance(person, Forgotten | Unknown):
        unit.decide(PAGE, one.page, Drop(one.notification.id, GONE, unit.at), cause)
        return False
    if one.notification.contact in {contact.id for contact in person.usable()}:
        return True
    await fail(unit, one, person, CONTACT_GONE, cause, message)
    return False


async def fail(unit: Unit, one: DueOne, person: Person, error: str, cause: Cause, message: int | None) -> None:
    """It cannot be sent this way: said so, and the person's next contact is asked."""
    (fresh,) = await unit.draw("notification")
    state = unit.state(PAGE, one.page)
    way = spare(state, person, one.notification.id, fresh) if isinstance(person, Reachable) else None
    unit.decide(PAGE, one.page, Fail(one.notification.id, error, unit.at, message, way), cause)


# -- windows and messages


async def _close_windows(unit: Unit, numbers: Sequence[str]) -> None:
    held = {number: _held(unit, number) for number in numbers}
    everything = [one for waits in held.values() for one in waits]
    await unit.load(PAGE, {page_number(one.alert, one.user) for one in everything})
    known = await read_dossiers(unit, {one.alert for one in everything})
    for number, message in zip(numbers, await unit.draw("message", len(numbers)), strict=True):
        alive = frozenset(one.notification for one in held[number] if _is_alive(unit, one, known[one.alert]))
        cause = Cause(None, next((known[one.alert].trace for one in held[number]), None))
        for event in _decided(unit.decide(WINDOW, number, window.Close(alive, message, unit.at), cause)):
            await _passed_on(unit, event, cause)


def _held(unit: Unit, number: str) -> tuple[Carried, ...]:
    state = unit.state(WINDOW, number)
    return tuple(state.held.values()) if isinstance(state, window.Open) else ()


def _is_alive(unit: Unit, carried: Carried, known: Dossier) -> bool:
    """Whether it still waits for this window; one that was answered meanwhile is suppressed, if it was not yet."""
    page = page_number(carried.alert, carried.user)
    one = notification_of(unit, page, carried.notification)
    if one is None or not isinstance(one.fate, Held):
        return False
    if known.halts(one.alert_version):
        assert known.stop is not None
        unit.decide(PAGE, page, Drop(one.id, known.stop.reason, unit.at), Cause(None, known.trace))
        return False
    return True


def notification_of(unit: Unit, page: str, number: int) -> Notification | None:
    """One notification of a loaded page."""
    state = unit.state(PAGE, page)
    return state.notification(number) if isinstance(state, Paging) else None


async def _passed_on(unit: Unit, event: object, cause: Cause) -> None:
    """What a window decided, told to the pages; a message that is composed is on its way."""
    match event:
        case MessageHeld(held=held, until=until):
            unit.decide(PAGE, page_number(held.alert, held.user), Hold(held.notification, until, unit.at), cause)
        case MessageComposed(message=message, carries=carries):
            lane = FIRST_PAGES if _is_first_page(unit, event) else ALL_OTHERS
            async for one in breathing(carries):
                unit.decide(PAGE, page_number(one.alert, one.user), Dispatch(one.notification, message, unit.at), cause)
            unit.deliver(delivery_of(event, lane))
        case _:
            pass


def _is_first_page(unit: Unit, composed: MessageComposed) -> bool:
    """Whether nothing was sent to this person of this alert before: such a message overtakes repeats."""
    if composed.place == 0:
        return False
    (one,) = composed.carries
    state = unit.state(PAGE, page_number(one.alert, one.user))
    return isinstance(state, Paging) and not any(isinstance(other.fate, Sent) for other in state.notifications)


def delivery_of(composed: MessageComposed, lane: int = ALL_OTHERS) -> Delivery:
    """The way out of a composed message: one in flight per contact, tried for a day."""
    return Delivery(
        id=composed.message,
        channel="email",
        stream=composed.stream,
        target=f"contact-{composed.contact}",
        not_before=composed.at,
        deadline=composed.at + DEADLINE,
        payload=composed.model_dump_json().encode(),
        lane=lane,
    )


def _decided(outcome: object) -> Sequence[object]:
    return outcome if isinstance(outcome, list) else ()
