"""Signing in and out: in come an address and a password, out comes a session, or why not."""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from accounts import indexes
from accounts.domain.session import End, Open
from accounts.people import People
from accounts.streams import SESSION
from accounts.throttle import Throttle, limits_of
from runtime.refusals import granted
from runtime.shell import Shell
from runtime.unit import Unit

LIVES = timedelta(hours=12)


@dataclass(frozen=True)
class SignedIn:
    session: str
    user: int


@dataclass(frozen=True)
class Wrong:
    """No such address, no password yet, or another one: nobody learns which."""


@dataclass(frozen=True)
class TooOften:
    wait: timedelta


class SignIn:
    def __init__(self, shell: Shell, people: People, throttle: Throttle) -> None:
        self._shell, self._people, self._throttle = shell, people, throttle

    async def attempt(self, email: str, password: str, origin: str) -> SignedIn | Wrong | TooOften:
        """`origin` is where the request came from, an IP address."""
        now, limits = self._shell.clock.now(), limits_of(indexes.digest_of(email), origin)
        if wait := self._throttle.wait(limits, now):
            return TooOften(wait)
        self._throttle.failed(limits, now)  # before the check takes its time: attempts at once count as well
        person = await self._people.by_email(email)
        if not await self._people.has_password(person.id if person else 0, password) or person is None:
            return Wrong()
        self._throttle.succeeded(*limits, now)
        return await self.open(person.id)

    async def open(self, user: int) -> SignedIn:
        """A new session of somebody who has shown who they are."""
        session = secrets.token_hex(16)

        async def work(unit: Unit) -> SignedIn:
            unit.fresh(SESSION, session)
            granted(unit.decide(SESSION, session, Open(session, user, unit.at)))
            await _forget_old(unit, user, unit.at - LIVES)
            indexes.enter_session(unit, user, session, unit.at.isoformat())
            return SignedIn(session, user)

        return await self._shell.do(work)

    async def close(self, session: str) -> None:
        """The session is over, everywhere."""

        async def work(unit: Unit) -> None:
            await unit.load(SESSION, [session])
            granted(unit.decide(SESSION, session, End(unit.at)))
            await indexes.leave_session(unit, session)

        await self._shell.do(work)


async def _forget_old(unit: Unit, user: int, before: datetime) -> None:
    """Sessions end by themselves when their cookie is too old; nobody needs to take those away."""
    for key, opened_at in (await unit.scan(indexes.SESSIONS, f"{user}/")).items():
        if datetime.fromisoformat(opened_at) < before:
            await indexes.leave_session(unit, key.partition("/")[2])
