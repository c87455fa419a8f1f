"""A public subscriber of a status page: double opt-in, from the asking to the leaving.

Nobody --Ask--> Pending --Confirm--> Confirmed --Leave--> Left (final)
                Pending --Leave, seven days without a word--> Left

Whoever has not confirmed is reminded once, a day after the asking. Asked for again, a mail goes at most once an hour.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from events.core import Decider, Event, Outcome, Refusal
from events.statuspage import (
    SubscriberAsked,
    SubscriberChanged,
    SubscriberConfirmed,
    SubscriberLeft,
    SubscriberMailed,
    SubscriberReminded,
)

REMINDED_AFTER: Final = timedelta(hours=24)
FORGOTTEN_AFTER: Final = timedelta(days=7)
BETWEEN_MAILS: Final = timedelta(hours=1)


@dataclass(frozen=True)
class Ask:
    """Somebody wants to hear of the page; what was confirmed elsewhere (`imported`) is confirmed at once."""

    asked: SubscriberAsked


@dataclass(frozen=True)
class AskAgain:
    """Somebody typed this address once more: the mail with their link, under this number."""

    mail: int
    at: datetime


@dataclass(frozen=True)
class Confirm:
    at: datetime


@dataclass(frozen=True)
class Choose:
    """Of these services only; none: of all on the page."""

    services: tuple[int, ...]
    at: datetime


@dataclass(frozen=True)
class Leave:
    reason: str
    at: datetime


@dataclass(frozen=True)
class Tell:
    """What became of a mail to them."""

    mail: int
    occasion: str
    incident: int | None
    maintenance: int | None
    error: str
    at: datetime


@dataclass(frozen=True)
class Tick:
    """Time has come: `mail` is the number of the reminder, should there be one."""

    mail: int
    at: datetime


@dataclass(frozen=True)
class Nobody:
    pass


@dataclass(frozen=True)
class Pending:
    """Asked, and not confirmed yet. `mailed_at`: when the last mail with their link was wanted."""

    subscriber: int
    page: int
    cell: str
    mask: str
    services: tuple[int, ...]
    asked_at: datetime
    mailed_at: datetime
    is_reminded: bool = False


@dataclass(frozen=True)
class Confirmed:
    subscriber: int
    page: int
    cell: str
    mask: str
    services: tuple[int, ...]
    since: datetime
    mailed_at: datetime


@dataclass(frozen=True)
class Left:
    page: int


State = Nobody | Pending | Confirmed | Left
Command = Ask | AskAgain | Confirm | Choose | Leave | Tell | Tick

NO_SUBSCRIBER: Final = Refusal("NOT_FOUND", "There is no such subscriber, or they have left")


def decide(state: State, command: Command) -> Outcome:
    match state, command:
        case Nobody(), Ask(asked):
            return _asked(asked)
        case Pending(), Confirm(at):
            return [SubscriberConfirmed(subscriber=state.subscriber, page=state.page, at=at)]
        case Confirmed(), Confirm():
            return []
        case Pending() | Confirmed(), AskAgain(mail, at):
            is_due = at - state.mailed_at >= BETWEEN_MAILS
            return [_reminded(state, mail, at)] if is_due else []
        case Pending() | Confirmed(), Choose(services, at) if services != state.services:
            return [SubscriberChanged(subscriber=state.subscriber, page=state.page, services=services, at=at)]
        case Pending() | Confirmed(), Choose():
            return []
        case Pending() | Confirmed(), Leave(reason, at):
            return [SubscriberLeft(subscriber=state.subscriber, page=state.page, reason=reason, at=at)]
        case Pending() | Confirmed(), Tell():
            return [_mailed(state, command)]
        case Pending(), Tick(mail, at):
            return _ticked(state, mail, at)
        case ((Nobody() | Confirmed() | Left()), Tick()):
            return []
        case Left(), (Tell() | Leave()):
            return []
        case _:
            return NO_SUBSCRIBER


def evolve(state: State, event: Event) -> State:
    match state, event:
        case Left(), _:
            return state
        case Nobody(), SubscriberAsked(subscriber=subscriber, page=page, cell=cell, mask=mask, services=services):
            return Pending(subscriber, page, cell, mask, services, event.at, event.at)
        case Pending(), SubscriberConfirmed(at=at):
            return Confirmed(state.subscriber, state.page, state.cell, state.mask, state.services, at, state.mailed_at)
        case Pending(), SubscriberReminded(by_time=by_time, at=at):
            return _pending(state, state.services, at, is_reminded=state.is_reminded or by_time)
        case Confirmed(), SubscriberReminded(at=at):
            return _confirmed(state, state.services, at)
        case Pending(), SubscriberChanged(services=services):
            return _pending(state, services, state.mailed_at, is_reminded=state.is_reminded)
        case Confirmed(), SubscriberChanged(services=services):
            return _confirmed(state, services, state.mailed_at)
        case Pending() | Confirmed(), SubscriberLeft():
            return Left(state.page)
        case _:
            return state


def due_at(state: State) -> datetime | None:
    match state:
        case Pending(asked_at=asked_at, is_reminded=is_reminded):
            return asked_at + (FORGOTTEN_AFTER if is_reminded else REMINDED_AFTER)
        case _:
            return None


def _asked(asked: SubscriberAsked) -> list[Event]:
    confirmed = SubscriberConfirmed(subscriber=asked.subscriber, page=asked.page, at=asked.at)
    return [asked, confirmed] if asked.imported else [asked]


def _ticked(state: Pending, mail: int, at: datetime) -> list[Event]:
    if at >= state.asked_at + FORGOTTEN_AFTER:
        return [SubscriberLeft(subscriber=state.subscriber, page=state.page, reason="never confirmed", at=at)]
    if not state.is_reminded and at >= state.asked_at + REMINDED_AFTER:
        return [_reminded(state, mail, at, by_time=True)]
    return []


def _reminded(state: Pending | Confirmed, mail: int, at: datetime, *, by_time: bool = False) -> Event:
    return SubscriberReminded(subscriber=state.subscriber, page=state.page, mail=mail, by_time=by_time, at=at)


def _mailed(state: Pending | Confirmed, told: Tell) -> Event:
    return SubscriberMailed(
        subscriber=state.subscriber,
        page=state.page,
        mail=told.mail,
        occasion=told.occasion,
        incident=told.incident,
        maintenance=told.maintenance,
        error=told.error,
        at=told.at,
    )


def _pending(state: Pending, services: tuple[int, ...], mailed_at: datetime, *, is_reminded: bool) -> Pending:
    return Pending(
        state.subscriber, state.page, state.cell, state.mask, services, state.asked_at, mailed_at, is_reminded
    )


def _confirmed(state: Confirmed, services: tuple[int, ...], mailed_at: datetime) -> Confirmed:
    return Confirmed(state.subscriber, state.page, state.cell, state.mask, services, state.since, mailed_at)


subscriber: Decider[State, Command] = Decider(Nobody(), decide, evolve, due_at)
