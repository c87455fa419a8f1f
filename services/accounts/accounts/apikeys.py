"""Units of work on API keys: a new key is drawn by chance and shown once; what is kept is its digest."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from accounts import indexes
from accounts.domain.apikey import Issue, Issued, Revoke, masked
from accounts.domain.user import NO_USER, Active
from accounts.streams import APIKEY, USER
from events.core import Refusal
from runtime.access import digest
from runtime.refusals import Refused, granted
from runtime.shell import Shell
from runtime.unit import Unit

PREFIX = "il1api"
NO_KEY = Refusal("NOT_FOUND", "There is no such API key")


@dataclass(frozen=True)
class NewKey:
    """The only time that `key` is known."""

    issued: Issued
    key: str


def new_key() -> str:
    """192 bits of chance behind the prefix that clients expect."""
    return PREFIX + secrets.token_hex(24)


class Apikeys:
    """What can be asked and done about API keys. Refusals are raised as `Refused`."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    async def of(self, user: int | None = None) -> Sequence[Issued]:
        """The keys that act for this user, or all, by id."""

        async def find(unit: Unit) -> list[Issued]:
            prefix = "" if user is None else f"{user}/"
            held = [int(key.partition("/")[2]) for key in await unit.scan(indexes.APIKEYS, prefix)]
            states = [known.state for known in (await unit.peek(APIKEY, held)).values()]
            return sorted((s for s in states if isinstance(s, Issued)), key=lambda issued: issued.apikey)

        return await self._shell.run(find)

    async def get(self, apikey: int) -> Issued | None:
        async def find(unit: Unit) -> Issued | None:
            state = (await unit.peek(APIKEY, [apikey]))[APIKEY.stream(apikey)].state
            return state if isinstance(state, Issued) else None

        return await self._shell.run(find)

    async def issue(self, user: int, name: str) -> NewKey:
        async def work(unit: Unit) -> NewKey:
            await unit.load(USER, [user])
            return await self.begin(unit, user, name, new_key())

        return await self._shell.do(work)

    async def begin(self, unit: Unit, user: int, name: str, key: str) -> NewKey:
        """Within a unit that has the user loaded: this key acts for them."""
        if not isinstance(unit.state(USER, user), Active):
            raise Refused(NO_USER)
        [apikey] = await unit.draw("apikey")
        unit.fresh(APIKEY, apikey)
        granted(unit.decide(APIKEY, apikey, Issue(apikey, user, name, digest(key), masked(key), unit.at)))
        indexes.enter_apikey(unit, user, apikey, name)
        issued = unit.state(APIKEY, apikey)
        assert isinstance(issued, Issued)
        return NewKey(issued, key)

    async def revoke(self, apikey: int) -> None:
        async def work(unit: Unit) -> None:
            await unit.load(APIKEY, [apikey])
            if not isinstance(unit.state(APIKEY, apikey), Issued):
                raise Refused(NO_KEY)
            granted(unit.decide(APIKEY, apikey, Revoke(unit.at)))
            await indexes.leave_apikey(unit, apikey)

        await self._shell.do(work)
