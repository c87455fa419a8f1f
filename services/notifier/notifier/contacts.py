"""Units of work on how a person is reached: in come wishes, out go events and sealed addresses.

A person of a second ago may not have been introduced here yet: then that is done first, as the worker would do it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from channels.mail import is_address, mask
from events.core import Refusal
from events.notifier import AlertPreferenceType, DutyPreferenceType, UpdatePreferenceType
from notifier.domain.reach import (
    AnyPreference,
    Contact,
    DeleteContact,
    DeletePreference,
    DutyPreference,
    Preference,
    Reachable,
    SetContact,
    SetDuty,
    SetPreference,
    SetSubscription,
    Setting,
    SetUpdate,
    SubscriptionPreference,
    Unknown,
    UpdatePreference,
)
from notifier.notices import remind_person
from notifier.planning import VAULT, Newcomer, introduce, offer
from notifier.streams import PERSON
from runtime.access import Access
from runtime.refusals import Refused, granted
from runtime.shell import Shell
from runtime.unit import Unit
from runtime.vault import Keyring, new_cell, read_cell
from runtime.views import Tail

NO_ADDRESS: Final = "target: must be an e-mail address"


@dataclass(frozen=True)
class Address:
    """A contact with its address in the clear: for its owner and administrators only."""

    contact: Contact
    target: str


@dataclass(frozen=True)
class Wish:
    """A preference for alerts as somebody wants it."""

    type: AlertPreferenceType
    contact: int
    delay_min: int

    kind = Preference

    def command(self, user: int, preference: int, at: datetime) -> Setting:
        return SetPreference(user, preference, self.type, self.contact, self.delay_min, at)


@dataclass(frozen=True)
class DutyWish:
    """A preference for duties ahead as somebody wants it."""

    contact: int
    before_min: int
    type: DutyPreferenceType = DutyPreferenceType.ON_CALL

    kind = DutyPreference

    def command(self, user: int, preference: int, at: datetime) -> Setting:
        return SetDuty(user, preference, self.contact, self.before_min, at, self.type)


@dataclass(frozen=True)
class UpdateWish:
    """A preference for updates of alerts as somebody wants it."""

    type: UpdatePreferenceType
    contact: int

    kind = UpdatePreference

    def command(self, user: int, preference: int, at: datetime) -> Setting:
        return SetUpdate(user, preference, self.type, self.contact, at)


@dataclass(frozen=True)
class SubscriptionWish:
    """A preference for what was subscribed to, as somebody wants it."""

    contact: int

    kind = SubscriptionPreference

    def command(self, user: int, preference: int, at: datetime) -> Setting:
        return SetSubscription(user, preference, self.contact, at)


AnyWish = Wish | DutyWish | UpdateWish | SubscriptionWish
Kind = type[AnyPreference]


@dataclass(frozen=True)
class Choices:
    """How somebody is reached: the person with all preferences in order, and the addresses that these name."""

    person: Reachable
    addresses: Mapping[int, Address]


class Contacts:
    """What can be asked and done about how people are reached. Refusals are raised as `Refused`."""

    def __init__(self, shell: Shell, keyring: Keyring, access: Access, tail: Tail, minute: timedelta) -> None:
        self._shell, self._keyring, self._minute = shell, keyring, minute
        self._access, self._tail = access, tail

    # -- addresses

    async def addresses(self, user: int) -> Sequence[Address]:
        """All contacts, in the order in which they are tried."""
        await self._exists(user)

        async def find(unit: Unit) -> list[Address]:
            return await self._addresses(unit, await self._person(unit, user))

        return await self._shell.do(find)

    async def address(self, user: int, contact: int) -> Address:
        found = next((one for one in await self.addresses(user) if one.contact.id == contact), None)
        if found is None:
            raise Refused(Refusal("NOT_FOUND", f"There is no contact {contact}"))
        return found

    async def add(self, user: int, target: str) -> Address:
        await self._exists(user)

        async def work(unit: Unit) -> Address:
            person = await self._person(unit, user)
            (contact,) = await unit.draw("contact")
            return await self._set(unit, person, contact, target.strip())

        return await self._shell.do(work)

    async def change(self, user: int, contact: int, target: str) -> Address:
        await self._exists(user)

        async def work(unit: Unit) -> Address:
            person = await self._person(unit, user)
            before = person.contact(contact)
            if before is None:
                raise Refused(Refusal("NOT_FOUND", f"There is no contact {contact}"))
            if (await self._target(unit, user, before)) == target.strip():
                return Address(before, target.strip())
            changed = await self._set(unit, person, contact, target.strip())
            if before.cell is not None:
                await unit.erase_cell(VAULT, before.cell)
            return changed

        return await self._shell.do(work)

    async def remove(self, user: int, contact: int) -> None:
        """The contact goes, and the preferences that used it; its address is erased."""
        await self._exists(user)

        async def work(unit: Unit) -> None:
            before = (await self._person(unit, user)).contact(contact)
            granted(unit.decide(PERSON, user, DeleteContact(user, contact, unit.at)))
            if before is not None and before.cell is not None:
                await unit.erase_cell(VAULT, before.cell)
            await remind_person(unit, user, self._minute)

        await self._shell.do(work)

    # -- preferences

    async def choices(self, user: int) -> Choices:
        """The preferences of every kind, and the addresses that they name."""
        await self._exists(user)

        async def find(unit: Unit) -> Choices:
            person = await self._person(unit, user)
            return Choices(person, {one.contact.id: one for one in await self._addresses(unit, person)})

        return await self._shell.do(find)

    async def prefer(self, user: int, wish: AnyWish, preference: int | None = None) -> int:
        """Set a preference, a new one when none is named; gives its id. Reminders that are planned follow it."""
        await self._exists(user)

        async def work(unit: Unit) -> int:
            person = await self._person(unit, user)
            if preference is not None:
                _known(person, preference, wish.kind)
            number = preference or (await unit.draw("preference"))[0]
            granted(unit.decide(PERSON, user, wish.command(user, number, unit.at)))
            if isinstance(wish, DutyWish):
                await remind_person(unit, user, self._minute)
            return number

        return await self._shell.do(work)

    async def drop(self, user: int, preference: int, kind: Kind = Preference) -> None:
        await self._exists(user)

        async def work(unit: Unit) -> None:
            _known(await self._person(unit, user), preference, kind)
            granted(unit.decide(PERSON, user, DeletePreference(user, preference, unit.at)))
            if kind is DutyPreference:
                await remind_person(unit, user, self._minute)

        await self._shell.do(work)

    # -- parts of them

    async def _exists(self, user: int) -> None:
        """Raises `Refused` for who is not in accounts, `Unavailable` when that cannot be known."""
        if self._access.person(user) is None:
            await self._tail.caught_up()
        if self._access.person(user) is None:
            raise Refused(Refusal("NOT_FOUND", f"There is no user {user}"))

    async def _person(self, unit: Unit, user: int) -> Reachable:
        """The person, locked; introduced first if need be."""
        await unit.load(PERSON, [user])
        if isinstance(unit.state(PERSON, user), Unknown):
            await introduce(unit, {user: Newcomer(mask(self._access.email(user) or ""))}, self._minute)
        await offer(unit, [user])
        state = unit.state(PERSON, user)
        if not isinstance(state, Reachable):
            raise Refused(Refusal("NOT_FOUND", f"There is no user {user}"))
        return state

    async def _addresses(self, unit: Unit, person: Reachable) -> list[Address]:
        return [Address(one, await self._target(unit, person.user, one)) for one in person.contacts]

    async def _target(self, unit: Unit, user: int, contact: Contact) -> str:
        if contact.cell is None:
            return self._access.email(user) or contact.mask
        sealed = await read_cell(unit.tx, contact.cell)
        return self._keyring.open(sealed).decode() if sealed else contact.mask

    async def _set(self, unit: Unit, person: Reachable, contact: int, target: str) -> Address:
        """A new cell for each address: what was erased once stays erased. The cell goes before the event that names it."""
        if not is_address(target):
            raise Refused(Refusal("VALIDATION_ERROR", NO_ADDRESS))
        others = [one.target.casefold() for one in await self._addresses(unit, person) if one.contact.id != contact]
        if target.casefold() in others:
            raise Refused(Refusal("DUPLICATE", "target: this user has this address already"))
        cell = new_cell()
        await unit.put_cell(VAULT, self._keyring.seal(cell, target, unit.at))
        granted(unit.decide(PERSON, person.user, SetContact(person.user, contact, cell, mask(target), unit.at)))
        changed = unit.state(PERSON, person.user)
        assert isinstance(changed, Reachable)
        made = changed.contact(contact)
        assert made is not None
        return Address(made, target)


def _known(person: Reachable, preference: int, kind: Kind) -> None:
    """Raises `Refused` where this person has no such preference of this kind."""
    if not isinstance(person.any_preference(preference), kind):
        raise Refused(Refusal("NOT_FOUND", f"There is no preference {preference}"))
