"""Units of work on how a person is reached: in come wishes, out go events and sealed addresses.

A person of a second ago may not have been introduced here yet: then that is done first, as the worker would do it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from channels.mail import is_address, mask
from events.core import Refusal
from events.notifier import AlertPreferenceType
from notifier.domain.reach import (
    Contact,
    DeleteContact,
    DeletePreference,
    Preference,
    Reachable,
    SetContact,
    SetPreference,
    Unknown,
)
from notifier.planning import VAULT, Newcomer, introduce
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
    """A preference as somebody wants it."""

    type: AlertPreferenceType
    contact: int
    delay_min: int


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

        await self._shell.do(work)

    # -- preferences

    async def preferences(self, user: int) -> tuple[Sequence[Preference], dict[int, Address]]:
        """The preferences in order, and the addresses that they name."""
        await self._exists(user)

        async def find(unit: Unit) -> tuple[Sequence[Preference], dict[int, Address]]:
            person = await self._person(unit, user)
            return person.preferences, {one.contact.id: one for one in await self._addresses(unit, person)}

        return await self._shell.do(find)

    async def prefer(self, user: int, wish: Wish, preference: int | None = None) -> int:
        """Set a preference, a new one when none is named; gives its id."""
        await self._exists(user)

        async def work(unit: Unit) -> int:
            person = await self._person(unit, user)
            if preference is not None and person.preference(preference) is None:
                raise Refused(Refusal("NOT_FOUND", f"There is no preference {preference}"))
            number = preference or (await unit.draw("preference"))[0]
            command = SetPreference(user, number, wish.type, wish.contact, wish.delay_min, unit.at)
            granted(unit.decide(PERSON, user, command))
            return number

        return await self._shell.do(work)

    async def drop(self, user: int, preference: int) -> None:
        await self._exists(user)

        async def work(unit: Unit) -> None:
            await self._person(unit, user)
            granted(unit.decide(PERSON, user, DeletePreference(user, preference, unit.at)))

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
