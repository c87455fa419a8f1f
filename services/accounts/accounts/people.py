"""Units of work on users: in come wishes, checked against what others hold; out go events, cells and index entries.

gather (locks, indexes, cells) -> decide (`domain.user`) -> apply, in one transaction each
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from accounts import indexes
from accounts.domain import apikey as apikeys
from accounts.domain import session as sessions
from accounts.domain import team as teams
from accounts.domain.user import NO_USER, Active, Describe, Leave, Profile, SetPassword, mask
from accounts.passwords import Passwords
from accounts.streams import APIKEY, SESSION, TEAM, USER
from events.topics import PEOPLE, VAULTS
from runtime.access import Name, person_cell
from runtime.refusals import Refused, granted
from runtime.shell import Shell
from runtime.unit import Unit
from runtime.vault import Keyring, new_cell, read_cell

VAULT: Final = VAULTS["accounts"].name


@dataclass(frozen=True)
class Keys:
    """What seals cells: `people` is the suite's, `vault` is this service's own."""

    people: Keyring
    vault: Keyring


@dataclass(frozen=True)
class Person:
    """A user with the name that is in their cell."""

    state: Active
    name: Name

    @property
    def id(self) -> int:
        return self.state.user


def everybody(_user: int) -> bool:
    """No filter."""
    return True


class People:
    """What can be asked and done about users. Refusals are raised as `Refused`."""

    def __init__(self, shell: Shell, keys: Keys, passwords: Passwords) -> None:
        self._shell, self._keys, self._passwords = shell, keys, passwords

    # -- questions

    async def get(self, user: int) -> Person | None:
        return await self._shell.run(lambda unit: self._find(unit, user))

    async def by_email(self, email: str) -> Person | None:
        async def find(unit: Unit) -> Person | None:
            holder = await indexes.holder_of(unit, email)
            return None if holder is None else await self._find(unit, holder)

        return await self._shell.run(find)

    async def some(self, start: int, size: int, is_visible: Callable[[int], bool] = everybody) -> Sequence[Person]:
        """Those whom the asker may see, by id, `size` of them from `start` on."""

        async def find(unit: Unit) -> list[Person]:
            visible = [user for user in await indexes.ids_in(unit, indexes.USERS) if is_visible(user)]
            found = [await self._find(unit, user) for user in visible[start : start + size]]
            return [person for person in found if person is not None]

        return await self._shell.run(find)

    async def count(self, is_visible: Callable[[int], bool] = everybody) -> int:
        async def find(unit: Unit) -> int:
            return sum(is_visible(user) for user in await indexes.ids_in(unit, indexes.USERS))

        return await self._shell.run(find)

    async def unknown(self, users: Sequence[int]) -> list[int]:
        """Those of the ids that belong to nobody."""

        async def find(unit: Unit) -> list[int]:
            known = await unit.peek(USER, users)
            return [user for user in users if not isinstance(known[USER.stream(user)].state, Active)]

        return await self._shell.run(find)

    # -- changes

    async def create(self, name: Name, profile: Profile, password: str | None = None) -> Person:
        """A new user; with a password, or without one (they then sign in once an administrator gave them one)."""
        hashed = await self._passwords.hash(password) if password else None

        async def work(unit: Unit) -> Person:
            await indexes.lock_roster(unit)
            return await self.begin(unit, name, profile, hashed)

        return await self._shell.do(work)

    async def begin(self, unit: Unit, name: Name, profile: Profile, hashed: str | None) -> Person:
        """Within a unit that holds the roster's lock: a new user."""
        [user] = await unit.draw("user")
        unit.fresh(USER, user)
        await self._describe(unit, user, name, profile)
        if hashed:
            await self._keep_hash(unit, user, hashed)
        return _as_left(unit, user, name)

    async def change(self, user: int, name: Name, profile: Profile) -> Person:
        """Replace everything about a user but their password."""

        async def work(unit: Unit) -> Person:
            await indexes.lock_roster(unit)
            await unit.load(USER, [user])
            await self._describe(unit, user, name, profile)
            return _as_left(unit, user, name)

        return await self._shell.do(work)

    async def set_password(self, user: int, password: str) -> None:
        """From now on this password; sessions that were opened before are void."""
        hashed = await self._passwords.hash(password)

        async def work(unit: Unit) -> None:
            await unit.load(USER, [user])
            await self._keep_hash(unit, user, hashed)

        await self._shell.do(work)

    async def can_sign_in(self, user: int) -> bool:
        """Whether they have a password at all."""

        async def find(unit: Unit) -> bool:
            return await self._hash_of(unit, user) is not None

        return await self._shell.run(find)

    async def has_password(self, user: int, password: str) -> bool:
        """Whether this is the user's password; takes as long when they have none, or do not exist."""

        async def find(unit: Unit) -> str | None:
            return await self._hash_of(unit, user)

        return await self._passwords.verify(await self._shell.run(find), password)

    async def remove(self, user: int) -> None:
        """A user leaves: keys, sessions and memberships end, the cell is erased for good."""

        async def work(unit: Unit) -> None:
            await indexes.lock_roster(unit)
            await unit.load(USER, [user])
            state = unit.state(USER, user)
            if not isinstance(state, Active):
                raise Refused(NO_USER)
            granted(unit.decide(USER, user, Leave(await indexes.is_last_admin(unit, user), unit.at)))
            await self._end_what_they_hold(unit, user)
            await self._erase(unit, state)

        await self._shell.do(work)

    # -- parts of them

    async def _find(self, unit: Unit, user: int) -> Person | None:
        state = (await unit.peek(USER, [user]))[USER.stream(user)].state
        if not isinstance(state, Active):
            return None
        return Person(state, await self._name(unit, user) or Name("", "", state.profile.email_mask))

    async def _name(self, unit: Unit, user: int) -> Name | None:
        sealed = await read_cell(unit.tx, person_cell(user))
        return Name.load(self._keys.people.open(sealed)) if sealed else None

    async def _describe(self, unit: Unit, user: int, name: Name, profile: Profile) -> None:
        """The cell goes before the event that speaks of it."""
        wanted = replace(profile, email_mask=mask(name.email))
        holder, is_last = await indexes.holder_of(unit, name.email), await indexes.is_last_admin(unit, user)
        if await self._name(unit, user) != name:
            await unit.put_cell(PEOPLE.name, self._keys.people.seal(person_cell(user), name.dump(), unit.at))
        is_taken = holder not in (None, user)
        granted(unit.decide(USER, user, Describe(user, wanted, is_taken, is_last, unit.at)))
        await indexes.enter_email(unit, user, name.email)
        indexes.enter_user(unit, user, profile.role)

    async def _keep_hash(self, unit: Unit, user: int, hashed: str) -> None:
        state = unit.state(USER, user)
        cell = (state.password_cell if isinstance(state, Active) else None) or new_cell()
        await unit.put_cell(VAULT, self._keys.vault.seal(cell, hashed, unit.at))
        granted(unit.decide(USER, user, SetPassword(cell, unit.at)))

    async def _hash_of(self, unit: Unit, user: int) -> str | None:
        state = (await unit.peek(USER, [user]))[USER.stream(user)].state
        cell = state.password_cell if isinstance(state, Active) else None
        sealed = await read_cell(unit.tx, cell) if cell else None
        return self._keys.vault.open(sealed).decode() if sealed else None

    async def _end_what_they_hold(self, unit: Unit, user: int) -> None:
        held = [int(number) for number in await indexes.ids_below(unit, indexes.APIKEYS, user)]
        await unit.load(APIKEY, held)
        for number in held:
            unit.decide(APIKEY, number, apikeys.Revoke(unit.at))
            await indexes.leave_apikey(unit, number)
        opened = await indexes.ids_below(unit, indexes.SESSIONS, user)
        await unit.load(SESSION, opened)
        for session in opened:
            unit.decide(SESSION, session, sessions.End(unit.at))
            await indexes.leave_session(unit, session)
        await self._leave_teams(unit, user)

    async def _leave_teams(self, unit: Unit, user: int) -> None:
        every = await indexes.ids_in(unit, indexes.TEAMS)
        await unit.load(TEAM, every)
        for team in every:
            unit.decide(TEAM, team, teams.Dismiss(user, unit.at))

    async def _erase(self, unit: Unit, state: Active) -> None:
        await unit.erase_cell(PEOPLE.name, person_cell(state.user))
        if state.password_cell:
            await unit.erase_cell(VAULT, state.password_cell)
        await indexes.leave_user(unit, state.user)


def _as_left(unit: Unit, user: int, name: Name) -> Person:
    """A user as this unit leaves them."""
    state = unit.state(USER, user)
    assert isinstance(state, Active)
    return Person(state, name)
