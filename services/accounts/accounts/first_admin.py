"""The first administrator of an empty suite: in come FIRST_ADMIN_* settings, out goes a user, once, whoever starts first."""

import asyncio
from dataclasses import dataclass
from typing import Final

from accounts import indexes
from accounts.apikeys import Apikeys
from accounts.domain.user import Profile
from accounts.passwords import Passwords
from accounts.people import People
from events.accounts import Role
from runtime.access import Name
from runtime.ports import Unavailable
from runtime.role import Background
from runtime.settings import Settings
from runtime.shell import Shell
from runtime.unit import Unit

RETRY_S: Final = 0.3


@dataclass(frozen=True)
class Wanted:
    """Password and key are optional; without a password they sign in with nothing but the key."""

    email: str
    password: str
    key: str

    @classmethod
    def from_settings(cls, settings: Settings) -> "Wanted | None":
        if not settings.first_admin_email:
            return None
        password, key = settings.first_admin_password, settings.first_admin_key
        return cls(settings.first_admin_email, password.get_secret_value(), key.get_secret_value())


class FirstAdmin:
    """A part of accounts.web. Does nothing where there is, or ever was, a user."""

    def __init__(
        self, shell: Shell, wanted: Wanted | None, people: People, apikeys: Apikeys, passwords: Passwords
    ) -> None:
        self._shell, self._wanted = shell, wanted
        self._people, self._apikeys, self._passwords = people, apikeys, passwords
        self._waits: str | None = "the first administrator is not there yet" if wanted else None
        self._background = Background()

    async def start(self) -> None:
        if self._wanted is not None:
            self._background.once(self._until_done(self._wanted), "first administrator")

    async def stop(self) -> None:
        await self._background.stop()

    def ready(self) -> str | None:
        return self._waits

    async def _until_done(self, wanted: Wanted) -> None:
        while True:
            try:
                await self._ensure(wanted)
                break
            except Unavailable as away:
                self._shell.log.info("first administrator waits", reason=str(away))
                await asyncio.sleep(RETRY_S)
        self._waits = None

    async def _ensure(self, wanted: Wanted) -> None:
        hashed = await self._passwords.hash(wanted.password) if wanted.password else None

        async def work(unit: Unit) -> None:
            await indexes.lock_roster(unit)
            if await indexes.ids_in(unit, indexes.USERS):
                return
            name = Name(wanted.email.partition("@")[0].capitalize(), "", wanted.email)
            person = await self._people.begin(unit, name, Profile(Role.ADMIN, "UTC", "en"), hashed)
            if wanted.key:
                await self._apikeys.begin(unit, person.id, "first administrator", wanted.key)

        await self._shell.do(work)
