"""How one person is reached: in come introductions and wishes, out come the facts about contacts and preferences.

Unknown --Introduce: first contact, default preferences--> Reachable --Forget--> Forgotten
                                                           Reachable: contacts and preferences come, change and go
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final, TypeVar

from events.core import Decider, Event, Outcome, Refusal
from events.notifier import (
    AlertPreferenceType,
    ContactChanged,
    ContactDeleted,
    ContactStatus,
    Method,
    PreferenceChanged,
    PreferenceDeleted,
    ReachForgotten,
)
from events.shared import Priority

LONGEST_DELAY_MIN: Final = 120
LOW_DELAY_MIN: Final = 5
MOST_CONTACTS: Final = 20
MOST_PREFERENCES: Final = 50


@dataclass(frozen=True)
class Contact:
    """An address: in the vault `cell`, or the sign-in address where there is none. `mask` is what may be shown."""

    id: int
    method: Method
    cell: str | None
    mask: str
    status: ContactStatus = ContactStatus.OK


@dataclass(frozen=True)
class Preference:
    """Tell me of alerts of this type by this contact, so many minutes after I was asked."""

    id: int
    type: AlertPreferenceType
    method: Method
    contact: int
    delay_min: int


@dataclass(frozen=True)
class Introduce:
    """A person exists: `mask` is their sign-in address made unreadable. The ids were just drawn."""

    user: int
    mask: str
    contact: int
    high: int
    low: int
    at: datetime


@dataclass(frozen=True)
class SetContact:
    user: int
    contact: int
    cell: str | None
    mask: str
    at: datetime
    method: Method = Method.EMAIL


@dataclass(frozen=True)
class DeleteContact:
    user: int
    contact: int
    at: datetime


@dataclass(frozen=True)
class SetPreference:
    user: int
    preference: int
    type: AlertPreferenceType
    contact: int
    delay_min: int
    at: datetime
    method: Method = Method.EMAIL


@dataclass(frozen=True)
class DeletePreference:
    user: int
    preference: int
    at: datetime


@dataclass(frozen=True)
class Forget:
    user: int
    at: datetime


@dataclass(frozen=True)
class Unknown:
    """Nobody told us of this person yet."""


@dataclass(frozen=True)
class Reachable:
    """Contacts and preferences in the order in which they were made: the order in which contacts are tried."""

    user: int
    contacts: tuple[Contact, ...] = field(default=())
    preferences: tuple[Preference, ...] = field(default=())

    def contact(self, number: int) -> Contact | None:
        return next((contact for contact in self.contacts if contact.id == number), None)

    def preference(self, number: int) -> Preference | None:
        return next((preference for preference in self.preferences if preference.id == number), None)

    def usable(self) -> tuple[Contact, ...]:
        return tuple(contact for contact in self.contacts if contact.status is ContactStatus.OK)


@dataclass(frozen=True)
class Forgotten:
    """The person left, for good: ids of people are never used again."""

    user: int


T = TypeVar("T", Contact, Preference)
State = Unknown | Reachable | Forgotten
Command = Introduce | SetContact | DeleteContact | SetPreference | DeletePreference | Forget


def decide(state: State, command: Command) -> Outcome:
    match state, command:
        case Unknown(), Introduce():
            return _introduction(command)
        case Reachable(), Introduce(mask=mask, at=at):
            return _readdressed(state, mask, at)
        case Forgotten(), Introduce():
            return []
        case ((Unknown() | Reachable()), Forget(user, at)):
            return [ReachForgotten(user=user, at=at)]
        case Forgotten(), Forget():
            return []
        case Reachable(), SetContact():
            return _set_contact(state, command)
        case Reachable(), DeleteContact():
            return _delete_contact(state, command)
        case Reachable(), SetPreference():
            return _set_preference(state, command)
        case Reachable(), DeletePreference():
            return _delete_preference(state, command)
        case _:
            return Refusal("NOT_FOUND", f"There is no user {command.user}")


def evolve(state: State, event: Event) -> State:
    match state, event:
        case ((Unknown() | Reachable()), ReachForgotten(user=user)):
            return Forgotten(user)
        case Unknown(), ContactChanged(user=user) | PreferenceChanged(user=user):
            return evolve(Reachable(user), event)
        case Reachable(), ContactChanged():
            contact = Contact(event.contact, event.method, event.cell, event.mask, event.status)
            return replace(state, contacts=_placed(state.contacts, contact))
        case Reachable(), ContactDeleted(contact=gone):
            return replace(state, contacts=tuple(contact for contact in state.contacts if contact.id != gone))
        case Reachable(), PreferenceChanged():
            preference = Preference(event.preference, event.type, event.method, event.contact, event.delay_min)
            return replace(state, preferences=_placed(state.preferences, preference))
        case Reachable(), PreferenceDeleted(preference=gone):
            return replace(state, preferences=tuple(kept for kept in state.preferences if kept.id != gone))
        case _:
            return state


def wanted_for(state: Reachable, priority: Priority) -> tuple[Preference, ...]:
    """The preferences that apply to an alert of this priority and whose contact can be used, in order."""
    kind = type_of(priority)
    usable = {contact.id for contact in state.usable()}
    return tuple(one for one in state.preferences if one.type is kind and one.contact in usable)


def type_of(priority: Priority) -> AlertPreferenceType:
    return AlertPreferenceType.HIGH_PRIORITY if priority is Priority.HIGH else AlertPreferenceType.LOW_PRIORITY


def _introduction(command: Introduce) -> list[Event]:
    """The first contact is the sign-in address: HIGH at once, LOW after five minutes, so that nobody is unreachable."""
    user, contact, at = command.user, command.contact, command.at
    high, low = AlertPreferenceType.HIGH_PRIORITY, AlertPreferenceType.LOW_PRIORITY
    return [
        ContactChanged(user=user, contact=contact, cell=None, mask=command.mask, at=at),
        PreferenceChanged(user=user, preference=command.high, type=high, contact=contact, delay_min=0, at=at),
        PreferenceChanged(user=user, preference=command.low, type=low, contact=contact, delay_min=LOW_DELAY_MIN, at=at),
    ]


def _readdressed(state: Reachable, mask: str, at: datetime) -> list[Event]:
    """The sign-in address changed: contacts that stand for it show the new mask."""
    return [
        ContactChanged(
            user=state.user, contact=contact.id, method=contact.method, mask=mask, status=contact.status, at=at
        )
        for contact in state.contacts
        if contact.cell is None and contact.mask != mask
    ]


def _set_contact(state: Reachable, command: SetContact) -> Outcome:
    before = state.contact(command.contact)
    if before is None and len(state.contacts) >= MOST_CONTACTS:
        return Refusal("TOO_MANY", f"A user may have at most {MOST_CONTACTS} contacts")
    if before is not None and (before.cell, before.mask) == (command.cell, command.mask):
        return []
    made = ContactChanged(
        user=state.user,
        contact=command.contact,
        method=command.method,
        cell=command.cell,
        mask=command.mask,
        at=command.at,
    )
    return [made]


def _delete_contact(state: Reachable, command: DeleteContact) -> Outcome:
    if state.contact(command.contact) is None:
        return Refusal("NOT_FOUND", f"There is no contact {command.contact}")
    orphans = [one.id for one in state.preferences if one.contact == command.contact]
    return [
        *(PreferenceDeleted(user=state.user, preference=orphan, at=command.at) for orphan in orphans),
        ContactDeleted(user=state.user, contact=command.contact, at=command.at),
    ]


def _set_preference(state: Reachable, command: SetPreference) -> Outcome:
    if not 0 <= command.delay_min <= LONGEST_DELAY_MIN:
        return Refusal("VALIDATION_ERROR", f"delayMin: must be from 0 to {LONGEST_DELAY_MIN}")
    if state.contact(command.contact) is None:
        return Refusal("VALIDATION_ERROR", f"contact.id: this user has no contact {command.contact}")
    if state.preference(command.preference) is None and len(state.preferences) >= MOST_PREFERENCES:
        return Refusal("TOO_MANY", f"A user may have at most {MOST_PREFERENCES} preferences")
    wished = Preference(command.preference, command.type, command.method, command.contact, command.delay_min)
    if wished == state.preference(command.preference):
        return []
    changed = PreferenceChanged(
        user=state.user,
        preference=wished.id,
        type=wished.type,
        method=wished.method,
        contact=wished.contact,
        delay_min=wished.delay_min,
        at=command.at,
    )
    return [changed]


def _delete_preference(state: Reachable, command: DeletePreference) -> Outcome:
    if state.preference(command.preference) is None:
        return Refusal("NOT_FOUND", f"There is no preference {command.preference}")
    return [PreferenceDeleted(user=state.user, preference=command.preference, at=command.at)]


def _placed(things: tuple[T, ...], thing: T) -> tuple[T, ...]:
    """In the place of the one with its id, or at the end."""
    placed = {one.id: one for one in things} | {thing.id: thing}
    return tuple(placed.values())


reach: Decider[State, Command] = Decider(Unknown(), decide, evolve)
