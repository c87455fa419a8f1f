"""What accounts looks up by another key than the stream's: addresses, administrators, who holds what.

Indexes change in the transaction of the events, and can be rebuilt from them (`reindex`). An address is kept as a
digest only: the index must not hold what erasing a person has to remove.
"""

import hashlib
from collections.abc import Sequence

from accounts.domain.user import Left
from accounts.streams import USER
from events.accounts import (
    ApikeyIssued,
    ApikeyRevoked,
    Role,
    SessionOpened,
    SessionRevoked,
    TeamChanged,
    TeamDeleted,
    UserChanged,
    UserDeleted,
)
from events.cells import CellSealed
from events.envelope import Envelope
from runtime.access import Name, person_cell
from runtime.unit import Unit
from runtime.vault import Keyring

USERS = "users"
"""`<padded user>` -> role: everybody who is here, in the order of their ids."""
ADMINS = "admins"
"""`<user>` -> ``: those who may administer."""
EMAILS = "emails"
"""digest of an address -> user."""
EMAIL_OF = "email_of"
"""`<user>` -> digest of their address."""
TEAMS = "teams"
"""`<padded team>` -> name."""
APIKEYS = "apikeys"
"""`<user>/<padded apikey>` -> name."""
APIKEY_HOLDERS = "apikey_holders"
"""`<apikey>` -> user."""
SESSIONS = "sessions"
"""`<user>/<session>` -> when it was opened."""
SESSION_HOLDERS = "session_holders"
"""`<session>` -> user."""

ROSTER = "roster-1"


async def lock_roster(unit: Unit) -> None:
    """One change of users at a time: an address stays unique, and two administrators cannot demote each other."""
    await unit.tx.lock([ROSTER])


def padded(number: int) -> str:
    """So that the order of keys is the order of ids."""
    return f"{number:019d}"


def digest_of(email: str) -> str:
    """Addresses that differ in letter case only are one."""
    return hashlib.sha256(email.strip().casefold().encode()).hexdigest()


async def holder_of(unit: Unit, email: str) -> int | None:
    """Who signs in with this address."""
    digest = digest_of(email)
    found = (await unit.index(EMAILS, [digest])).get(digest)
    return int(found) if found else None


async def is_last_admin(unit: Unit, user: int) -> bool:
    return (await unit.scan(ADMINS, "")).keys() == {str(user)}


async def ids_in(unit: Unit, index: str) -> list[int]:
    """All ids of an index with padded keys, ascending."""
    return [int(key) for key in await unit.scan(index, "")]


async def ids_below(unit: Unit, index: str, user: int) -> list[str]:
    """What follows `<user>/` in the keys of an index."""
    return [key.partition("/")[2] for key in await unit.scan(index, f"{user}/")]


# -- bringing them up to date


def enter_user(unit: Unit, user: int, role: Role) -> None:
    unit.put(USERS, {padded(user): role})
    unit.put(ADMINS, {str(user): "" if role is Role.ADMIN else None})


async def enter_email(unit: Unit, user: int, email: str) -> None:
    await _leave_email(unit, user)
    digest = digest_of(email)
    unit.put(EMAILS, {digest: str(user)})
    unit.put(EMAIL_OF, {str(user): digest})


async def leave_user(unit: Unit, user: int) -> None:
    unit.put(USERS, {padded(user): None})
    unit.put(ADMINS, {str(user): None})
    await _leave_email(unit, user)


async def _leave_email(unit: Unit, user: int) -> None:
    known = (await unit.index(EMAIL_OF, [str(user)])).get(str(user))
    if known is not None:
        unit.put(EMAILS, {known: None})
        unit.put(EMAIL_OF, {str(user): None})


def enter_apikey(unit: Unit, user: int, apikey: int, name: str) -> None:
    unit.put(APIKEYS, {f"{user}/{padded(apikey)}": name})
    unit.put(APIKEY_HOLDERS, {str(apikey): str(user)})


async def leave_apikey(unit: Unit, apikey: int) -> None:
    held = (await unit.index(APIKEY_HOLDERS, [str(apikey)])).get(str(apikey))
    if held is not None:
        unit.put(APIKEYS, {f"{held}/{padded(apikey)}": None})
        unit.put(APIKEY_HOLDERS, {str(apikey): None})


def enter_session(unit: Unit, user: int, session: str, opened_at: str) -> None:
    unit.put(SESSIONS, {f"{user}/{session}": opened_at})
    unit.put(SESSION_HOLDERS, {session: str(user)})


async def leave_session(unit: Unit, session: str) -> None:
    held = (await unit.index(SESSION_HOLDERS, [session])).get(session)
    if held is not None:
        unit.put(SESSIONS, {f"{held}/{session}": None})
        unit.put(SESSION_HOLDERS, {session: None})


class Reindex:
    """After events were taken in from our topics: the indexes as if they had been decided here."""

    def __init__(self, people_keys: Keyring) -> None:
        self._keys = people_keys

    async def __call__(self, unit: Unit, envelopes: Sequence[Envelope]) -> None:
        for envelope in envelopes:
            await self._one(unit, envelope)

    async def _one(self, unit: Unit, envelope: Envelope) -> None:
        match envelope.event:
            case UserChanged(user=user, role=role):
                enter_user(unit, user, role)
            case UserDeleted(user=user):
                await leave_user(unit, user)
                await unit.tx.erase(person_cell(user))
            case TeamChanged(team=team, name=name):
                unit.put(TEAMS, {padded(team): name})
            case TeamDeleted(team=team):
                unit.put(TEAMS, {padded(team): None})
            case ApikeyIssued(apikey=apikey, user=user, name=name):
                enter_apikey(unit, user, apikey, name)
            case ApikeyRevoked(apikey=apikey):
                await leave_apikey(unit, apikey)
            case SessionOpened(session=session, user=user, at=at):
                enter_session(unit, user, session, at.isoformat())
            case SessionRevoked(session=session):
                await leave_session(unit, session)
            case CellSealed(cell=cell) as sealed if cell.startswith("person-"):
                await self._cell(unit, int(cell.removeprefix("person-")), sealed)
            case _:
                pass

    async def _cell(self, unit: Unit, user: int, sealed: CellSealed) -> None:
        """A broker that has not compacted yet still shows the cells of those who left: they stay erased here."""
        known = (await unit.peek(USER, [user]))[USER.stream(user)]
        if isinstance(known.state, Left):
            await unit.tx.erase(sealed.cell)
        else:
            await enter_email(unit, user, Name.load(self._keys.open(sealed)).email)
