"""How one person is reached: in come introductions and wishes, out come the facts about contacts and preferences.

Unknown --Introduce: first contact, default preferences--> Reachable --Forget--> Forgotten
                                                           Reachable: contacts and preferences come, change and go

There are preferences for four occasions: alerts that call the person, what others do with such an alert (none unless it is
wished for: the tool's own page shows it), duties ahead (none unless wished for), and what the person subscribed to: who
subscribes wants to hear, so the first contact stands in until they say otherwise.
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
    DutyPreferenceChanged,
    DutyPreferenceType,
    Method,
    PreferenceChanged,
    PreferenceDeleted,
    ReachForgotten,
    SubscriptionPreferenceChanged,
    UpdatePreferenceChanged,
    UpdatePreferenceType,
)
from events.shared import Priority

LONGEST_DELAY_MIN: Final = 120
LOW_DELAY_MIN: Final = 5
MOST_CONTACTS: Final = 20
MOST_PREFERENCES: Final = 50
BEFORE_MIN: Final = (0, 15, 30, 60, 180, 360, 720, 1440)
"""How many minutes before a duty somebody can be reminded."""


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
class DutyPreference:
    """Remind me of a duty by this contact, so many minutes before it begins."""

    id: int
    method: Method
    contact: int
    before_min: int
    type: DutyPreferenceType = DutyPreferenceType.ON_CALL


@dataclass(frozen=True)
class UpdatePreference:
    """Tell me by this contact when somebody else did this with an alert that I was asked to answer."""

    id: int
    type: UpdatePreferenceType
    method: Method
    contact: int


@dataclass(frozen=True)
class SubscriptionPreference:
    """Tell me by this contact of incidents and maintenance that I subscribed to."""

    id: int
    method: Method
    contact: int


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
class SetDuty:
    user: int
    preference: int
    contact: int
    before_min: int
    at: datetime
    type: DutyPreferenceType = DutyPreferenceType.ON_CALL
    method: Method = Method.EMAIL


@dataclass(frozen=True)
class SetUpdate:
    user: int
    preference: int
    type: UpdatePreferenceType
    contact: int
    at: datetime
    method: Method = Method.EMAIL


@dataclass(frozen=True)
class SetSubscription:
    user: int
    preference: int
    contact: int
    at: datetime
    method: Method = Method.EMAIL


@dataclass(frozen=True)
class Offer:
    """Who never chose how to hear of subscriptions hears by their first contact; the id was just drawn."""

    user: int
    preference: int
    at: datetime


@dataclass(frozen=True)
class DeletePreference:
    """Of whichever occasion it is: all preferences are counted together."""

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
    """Contacts and preferences in the order in which they were made: the order in which contacts are tried.

    `preferences` are those for alerts. `chose` says that there once was a preference for subscriptions: from then on
    none means silence."""

    user: int
    contacts: tuple[Contact, ...] = field(default=())
    preferences: tuple[Preference, ...] = field(default=())
    duties: tuple[DutyPreference, ...] = field(default=())
    updates: tuple[UpdatePreference, ...] = field(default=())
    subscriptions: tuple[SubscriptionPreference, ...] = field(default=())
    chose: bool = False

    def contact(self, number: int) -> Contact | None:
        return next((contact for contact in self.contacts if contact.id == number), None)

    def preference(self, number: int) -> Preference | None:
        return next((preference for preference in self.preferences if preference.id == number), None)

    def all_preferences(self) -> tuple["AnyPreference", ...]:
        """Those of every occasion."""
        return (*self.preferences, *self.duties, *self.updates, *self.subscriptions)

    def any_preference(self, number: int) -> "AnyPreference | None":
        return next((one for one in self.all_preferences() if one.id == number), None)

    def usable(self) -> tuple[Contact, ...]:
        return tuple(contact for contact in self.contacts if contact.status is ContactStatus.OK)


@dataclass(frozen=True)
class Forgotten:
    """The person left, for good: ids of people are never used again."""

    user: int


AnyPreference = Preference | DutyPreference | UpdatePreference | SubscriptionPreference
T = TypeVar("T", Contact, Preference, DutyPreference, UpdatePreference, SubscriptionPreference)
State = Unknown | Reachable | Forgotten
Setting = SetPreference | SetDuty | SetUpdate | SetSubscription
Command = Introduce | SetContact | DeleteContact | Setting | Offer | DeletePreference | Forget


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
        case Reachable(), SetPreference() | SetDuty() | SetUpdate() | SetSubscription():
            return _set_preference(state, command)
        case Reachable(), Offer():
            return _offer(state, command)
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
        case Reachable(), DutyPreferenceChanged():
            duty = DutyPreference(event.preference, event.method, event.contact, event.before_min, event.type)
            return replace(state, duties=_placed(state.duties, duty))
        case Reachable(), UpdatePreferenceChanged():
            update = UpdatePreference(event.preference, event.type, event.method, event.contact)
            return replace(state, updates=_placed(state.updates, update))
        case Reachable(), SubscriptionPreferenceChanged():
            subscription = SubscriptionPreference(event.preference, event.method, event.contact)
            return replace(state, subscriptions=_placed(state.subscriptions, subscription), chose=True)
        case Reachable(), PreferenceDeleted(preference=gone):
            return replace(
                state,
                preferences=_without(state.preferences, gone),
                duties=_without(state.duties, gone),
                updates=_without(state.updates, gone),
                subscriptions=_without(state.subscriptions, gone),
            )
        case _:
            return state


def wanted_for(state: Reachable, priority: Priority) -> tuple[Preference, ...]:
    """The preferences that apply to an alert of this priority and whose contact can be used, in order."""
    kind = type_of(priority)
    usable = {contact.id for contact in state.usable()}
    return tuple(one for one in state.preferences if one.type is kind and one.contact in usable)


def updates_wanted(state: Reachable, kind: UpdatePreferenceType) -> tuple[UpdatePreference, ...]:
    """The preferences that apply when this happens to an alert, one for each contact that can be used."""
    return _by_contact(state, tuple(one for one in state.updates if one.type is kind))


def subscriptions_wanted(state: Reachable) -> tuple[SubscriptionPreference, ...]:
    """The preferences for what was subscribed to, one for each contact that can be used."""
    return _by_contact(state, state.subscriptions)


def duties_wanted(state: Reachable) -> tuple[DutyPreference, ...]:
    """The preferences for duties whose contact can be used."""
    usable = {contact.id for contact in state.usable()}
    return tuple(one for one in state.duties if one.contact in usable)


W = TypeVar("W", UpdatePreference, SubscriptionPreference)


def _by_contact(state: Reachable, wished: tuple[W, ...]) -> tuple[W, ...]:
    firsts = {one.contact: one for one in reversed(wished)}
    return tuple(firsts[contact.id] for contact in state.usable() if contact.id in firsts)


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
    orphans = [one.id for one in state.all_preferences() if one.contact == command.contact]
    return [
        *(PreferenceDeleted(user=state.user, preference=orphan, at=command.at) for orphan in orphans),
        ContactDeleted(user=state.user, contact=command.contact, at=command.at),
    ]


def _set_preference(state: Reachable, command: Setting) -> Outcome:
    wished, kept = _wished(state, command)
    if (broken := _broken(command)) is not None:
        return Refusal("VALIDATION_ERROR", broken)
    if state.contact(command.contact) is None:
        return Refusal("VALIDATION_ERROR", f"contact.id: this user has no contact {command.contact}")
    before = state.any_preference(command.preference)
    if before is not None and type(before) is not type(wished):
        return Refusal("NOT_FOUND", f"There is no preference {command.preference}")
    if before is None and len(kept) >= MOST_PREFERENCES:
        return Refusal("TOO_MANY", f"A user may have at most {MOST_PREFERENCES} preferences of one kind")
    return [] if wished == before else [_changed(state.user, wished, command.at)]


def _wished(state: Reachable, command: Setting) -> tuple[AnyPreference, tuple[AnyPreference, ...]]:
    """The preference as it is to be, and those of its occasion that there are."""
    number, contact, method = command.preference, command.contact, command.method
    match command:
        case SetPreference(type=kind, delay_min=delay):
            return Preference(number, kind, method, contact, delay), state.preferences
        case SetDuty(type=duty, before_min=before):
            return DutyPreference(number, method, contact, before, duty), state.duties
        case SetUpdate(type=update):
            return UpdatePreference(number, update, method, contact), state.updates
        case SetSubscription():
            return SubscriptionPreference(number, method, contact), state.subscriptions


def _broken(command: Setting) -> str | None:
    """Which limit the command does not keep, as words that name the field."""
    match command:
        case SetPreference(delay_min=delay) if not 0 <= delay <= LONGEST_DELAY_MIN:
            return f"delayMin: must be from 0 to {LONGEST_DELAY_MIN}"
        case SetDuty(before_min=before) if before not in BEFORE_MIN:
            return f"beforeMin: must be one of {', '.join(map(str, BEFORE_MIN))}"
        case _:
            return None


def _changed(user: int, one: AnyPreference, at: datetime) -> Event:
    head = {"user": user, "preference": one.id, "method": one.method, "contact": one.contact, "at": at}
    match one:
        case Preference(type=kind, delay_min=delay):
            return PreferenceChanged.model_validate({**head, "type": kind, "delay_min": delay})
        case DutyPreference(type=duty, before_min=before):
            return DutyPreferenceChanged.model_validate({**head, "type": duty, "before_min": before})
        case UpdatePreference(type=update):
            return UpdatePreferenceChanged.model_validate({**head, "type": update})
        case SubscriptionPreference():
            return SubscriptionPreferenceChanged.model_validate(head)


def _offer(state: Reachable, command: Offer) -> Outcome:
    first = next(iter(state.usable()), None)
    if state.chose or first is None:
        return []
    return _set_preference(state, SetSubscription(state.user, command.preference, first.id, command.at, first.method))


def _delete_preference(state: Reachable, command: DeletePreference) -> Outcome:
    if state.any_preference(command.preference) is None:
        return Refusal("NOT_FOUND", f"There is no preference {command.preference}")
    return [PreferenceDeleted(user=state.user, preference=command.preference, at=command.at)]


def _without(things: tuple[T, ...], gone: int) -> tuple[T, ...]:
    return tuple(kept for kept in things if kept.id != gone)


def _placed(things: tuple[T, ...], thing: T) -> tuple[T, ...]:
    """In the place of the one with its id, or at the end."""
    placed = {one.id: one for one in things} | {thing.id: thing}
    return tuple(placed.values())


reach: Decider[State, Command] = Decider(Unknown(), decide, evolve)
