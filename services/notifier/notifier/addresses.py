"""Where a mail goes: in come a person and the cell of a contact, out comes the address in the clear."""

from dataclasses import dataclass

from events.cells import CellSealed
from notifier.domain.reach import Reachable
from notifier.domain.reach import State as Person
from runtime.access import Access
from runtime.ports import Unavailable
from runtime.unit import Unit
from runtime.vault import Keyring, Unreadable, read_cell
from runtime.views import Tail


@dataclass(frozen=True)
class Whither:
    """A contact's address, still sealed. `cell` None: the address that the person signs in with."""

    user: int
    cell: str | None
    sealed: CellSealed | None


async def whither(unit: Unit, user: int, contact: int, person: Person) -> Whither:
    """Look a contact's address up, in the transaction that claims what goes there."""
    found = person.contact(contact) if isinstance(person, Reachable) else None
    cell = found.cell if found is not None else None
    return Whither(user, cell, await read_cell(unit.tx, cell) if cell is not None else None)


class Addresses:
    """Opens addresses. `access` knows those that people sign in with, and `tail` keeps it up to date."""

    def __init__(self, access: Access, tail: Tail, keyring: Keyring) -> None:
        self._access, self._tail, self._keyring = access, tail, keyring

    async def of(self, there: Whither) -> str | None:
        """The address; None when it is not known here yet. Raises `Unreadable` when it was erased."""
        if there.cell is None:
            return await self._sign_in_address(there.user)
        if there.sealed is None:
            raise Unreadable("The address was erased")
        return self._keyring.open(there.sealed).decode()

    async def _sign_in_address(self, user: int) -> str | None:
        """Somebody of a second ago may not be in our picture yet: read to the end before saying so."""
        if self._access.email(user) is None:
            try:
                await self._tail.caught_up()
            except Unavailable:
                return None
        return self._access.email(user)
