"""Who people are and what they may do, in every service on its own: in come `accounts` and `people`, out comes a Caller.

    request -> Authorization: Bearer … -> key known?  --no--> barrier, look again --no--> 403 KEY_ERROR
            -> session cookie          -> still good? --no--> sign in
            -> neither                 -> sign in (a program is told 401)

With `accounts` stopped, or the broker away, whoever was known stays known. How a cookie is read and how a refusal
looks is the edge's business (`libs/web`), so `Door` takes both as parameters.
"""

import hashlib
import json
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from fastapi import FastAPI, Request

from events.accounts import (
    ApikeyIssued,
    ApikeyRevoked,
    Member,
    Role,
    SessionOpened,
    SessionRevoked,
    TeamChanged,
    TeamDeleted,
    UserChanged,
    UserDeleted,
    UserPasswordSet,
    Visibility,
)
from events.cells import CellSealed
from events.core import Event
from events.topics import ACCOUNTS, PEOPLE
from runtime.ports import Unavailable
from runtime.records import Received
from runtime.resources import TeamRel, UserRel
from runtime.vault import Keyring
from runtime.views import Tail, View

RANK: Final = {role: rank for rank, role in enumerate((Role.STAKEHOLDER, Role.RESPONDER, Role.USER, Role.ADMIN))}
SESSIONS_LIVE_FOR: Final = timedelta(hours=13)
"""A cookie is good for twelve hours; what is older need not be remembered."""


@dataclass(frozen=True)
class Name:
    """What the cell `person-<user>` holds."""

    first: str
    last: str
    email: str

    @property
    def full(self) -> str:
        return f"{self.first} {self.last}".strip()

    def dump(self) -> str:
        return json.dumps({"firstName": self.first, "lastName": self.last, "email": self.email}, ensure_ascii=False)

    @classmethod
    def load(cls, content: bytes) -> "Name":
        fields = json.loads(content)
        return cls(fields["firstName"], fields["lastName"], fields["email"])


def person_cell(user: int) -> str:
    return f"person-{user}"


@dataclass(frozen=True)
class Person:
    """Somebody who may sign in. `name` is None while the cell was not read or cannot be."""

    user: int
    role: Role
    timezone: str
    language: str
    name: Name | None


@dataclass(frozen=True)
class Caller:
    """Who is asking: `teams` are those of which they are a member; `channel` is `api` or `web`."""

    user: int
    role: Role
    teams: frozenset[int]
    channel: str

    def is_at_least(self, role: Role) -> bool:
        return RANK[self.role] >= RANK[role]


def digest(key: str) -> str:
    """What an API key is known by."""
    return hashlib.sha256(key.encode()).hexdigest()


class Access(View):
    """The picture of people, teams, keys and sessions. Questions are answered at once, from memory."""

    topics = (ACCOUNTS.name, PEOPLE.name)

    def __init__(self, people_keys: Keyring) -> None:
        self._keyring = people_keys
        self._users: dict[int, UserChanged] = {}
        self._names: dict[int, Name] = {}
        self._teams: dict[int, TeamChanged] = {}
        self._keys: dict[str, ApikeyIssued] = {}
        self._digests: dict[int, str] = {}
        self._passwords: dict[int, datetime] = {}
        self._sessions: dict[str, SessionOpened] = {}
        self._revoked: dict[str, datetime] = {}

    # -- questions

    def person(self, user: int) -> Person | None:
        """None when there is no such user (any more)."""
        known = self._users.get(user)
        return Person(user, known.role, known.timezone, known.language, self._names.get(user)) if known else None

    def people(self) -> list[Person]:
        """Everybody, by id."""
        return [person for user in sorted(self._users) if (person := self.person(user))]

    def name(self, user: int) -> str:
        """How a person is called on pages; somebody who was erased is «user 7»."""
        known = self._names.get(user)
        return (known and (known.full or known.email)) or f"user {user}"

    def names(self, users: Iterable[int]) -> dict[int, str]:
        return {user: self.name(user) for user in users}

    def email(self, user: int) -> str | None:
        """The address that somebody signs in with."""
        known = self._names.get(user)
        return known.email if known else None

    def user_rel(self, user: int) -> UserRel:
        known = self._names.get(user)
        return UserRel(id=user, first_name=known and known.first, last_name=known and known.last)

    def team(self, team: int) -> TeamChanged | None:
        return self._teams.get(team)

    def teams(self) -> list[TeamChanged]:
        """All teams, by id."""
        return [self._teams[team] for team in sorted(self._teams)]

    def team_rel(self, team: int) -> TeamRel:
        known = self._teams.get(team)
        return TeamRel(id=team, name=known and known.name)

    def teams_of(self, user: int) -> frozenset[int]:
        return frozenset(team for team, known in self._teams.items() if _has(known.members, user))

    def may_see(self, caller: Caller, teams: Iterable[int]) -> bool:
        """Whether a resource that these teams own is the caller's to see: only private teams hide it, and they win."""
        private = {team for team in teams if self._is_private(team)}
        return not private or caller.role is Role.ADMIN or bool(private & caller.teams)

    def may_see_user(self, caller: Caller, user: int) -> bool:
        """Members of private teams are seen by themselves, by their team and by administrators."""
        return user == caller.user or self.may_see(caller, self.teams_of(user))

    def role_in(self, caller: Caller, teams: Iterable[int]) -> Role:
        """The role that counts for a resource of these teams.

        A public team's role can only raise; a private team's replaces; stakeholders are never raised (product map §1.11).
        """
        if caller.role in (Role.ADMIN, Role.STAKEHOLDER):
            return caller.role
        known = [self._teams[team] for team in teams if team in self._teams]
        private = [team for team in known if team.visibility is Visibility.PRIVATE]
        roles = [member.role for team in private or known for member in team.members if member.user == caller.user]
        return max(roles if private and roles else [caller.role, *roles], key=RANK.__getitem__)

    def by_key(self, key: str) -> Caller | None:
        """Who an API key acts for."""
        issued = self._keys.get(digest(key))
        return self._caller(issued.user, "api") if issued else None

    def by_session(self, session: str, user: int, issued_at: int) -> Caller | None:
        """Who a session (with a good signature) acts for, unless it was ended, or a password was set since it began.

        A session that we have not heard of yet is younger than everything we know: its signature is enough.
        """
        if session in self._revoked:
            return None
        password_set = self._passwords.get(user)
        if session not in self._sessions and password_set and issued_at < int(password_set.timestamp()):
            return None
        return self._caller(user, "web")

    def _caller(self, user: int, channel: str) -> Caller | None:
        known = self._users.get(user)
        return Caller(user, known.role, self.teams_of(user), channel) if known else None

    def _is_private(self, team: int) -> bool:
        known = self._teams.get(team)
        return known is not None and known.visibility is Visibility.PRIVATE

    # -- what happened

    def apply(self, received: Received) -> None:
        self.take(received.envelope.event)

    def take(self, event: Event) -> None:
        """Take in one event (of one partition, so what precedes is older)."""
        match event:
            case UserChanged(user=user):
                self._users[user] = event
            case UserDeleted(user=user):
                self._forget_user(user)
            case UserPasswordSet(user=user, at=at):
                self._passwords[user] = at
                self._end_sessions(user, at)
            case TeamChanged(team=team):
                self._teams[team] = event
            case TeamDeleted(team=team):
                self._teams.pop(team, None)
            case ApikeyIssued(apikey=apikey):
                self._keys[event.digest] = event
                self._digests[apikey] = event.digest
            case ApikeyRevoked(apikey=apikey):
                self._keys.pop(self._digests.pop(apikey, ""), None)
            case SessionOpened(session=session, at=at):
                self._sessions[session] = event
                self._forget_sessions_before(at - SESSIONS_LIVE_FOR)
            case SessionRevoked(session=session, at=at):
                self._revoke(session, at)
            case CellSealed(cell=cell):
                self._names[_user_of(cell)] = Name.load(self._keyring.open(event))
            case _:
                pass

    def erased(self, topic: str, key: str) -> None:
        if topic == PEOPLE.name:
            self._names.pop(_user_of(key), None)

    def _forget_user(self, user: int) -> None:
        self._users.pop(user, None)
        self._passwords.pop(user, None)
        for apikey in [issued.apikey for issued in self._keys.values() if issued.user == user]:
            self._keys.pop(self._digests.pop(apikey), None)

    def _end_sessions(self, user: int, at: datetime) -> None:
        for session in [opened.session for opened in self._sessions.values() if opened.user == user]:
            self._revoke(session, at)

    def _revoke(self, session: str, at: datetime) -> None:
        self._sessions.pop(session, None)
        self._revoked[session] = at

    def _forget_sessions_before(self, instant: datetime) -> None:
        """Both are in the order in which it happened; the oldest come first."""
        while self._sessions and next(iter(self._sessions.values())).at < instant:
            self._sessions.pop(next(iter(self._sessions)))
        while self._revoked and next(iter(self._revoked.values())) < instant:
            self._revoked.pop(next(iter(self._revoked)))


def _has(members: Iterable[Member], user: int) -> bool:
    return any(member.user == user for member in members)


def _user_of(cell: str) -> int:
    return int(cell.removeprefix("person-"))


# -- the edge


class SignedSession(Protocol):
    """A session cookie whose signature and age are good: `issued_at` in seconds since 1970."""

    @property
    def id(self) -> str: ...
    @property
    def user(self) -> int: ...
    @property
    def issued_at(self) -> int: ...


ReadSession = Callable[[Request], SignedSession | None]
Refusal = Callable[[int, str, str], Exception]
"""(HTTP status, code for programs, sentence for people) -> what the edge raises to say so."""

Dependency = Callable[[Request], Awaitable[Caller]]


class Door:
    """FastAPI dependencies that say who is asking, or raise what the edge gave for it.

    door = Door(access, tail, session_of=sessions.read, refusal=ApiError, sign_in=SignInNeeded)
    caller: Annotated[Caller, Depends(door.require(Role.USER))]
    """

    def __init__(
        self,
        access: Access,
        tail: Tail,
        *,
        session_of: ReadSession,
        refusal: Refusal,
        sign_in: Callable[[], Exception],
    ) -> None:
        self.access = access
        self._tail, self._session_of, self._refusal, self._sign_in = tail, session_of, refusal, sign_in

    def install(self, app: FastAPI) -> None:
        """From now on `caller` and `require` in this app's routes ask here."""
        app.state.door = self

    async def caller(self, request: Request) -> Caller:
        """Who is asking, whatever they may do.

        401 `UNAUTHORIZED` without credentials (a browser is led to /sign-in), 403 `KEY_ERROR` for a key that acts for
        nobody, 503 `UNAVAILABLE` when that cannot be known because the broker is away.
        """
        credentials = request.headers.get("authorization")
        if credentials is not None:
            return await self._by_key(credentials)
        session = self._session_of(request)
        caller = session and await self._sought(
            lambda: self.access.by_session(session.id, session.user, session.issued_at),
            is_worth_waiting=lambda: self.access.person(session.user) is None,
        )
        if not caller:
            raise self._sign_in()
        return caller

    async def caller_with(self, role: Role, request: Request) -> Caller:
        """Who is asking, provided that they have this role or a higher one; else 403 `FORBIDDEN`."""
        caller = await self.caller(request)
        if not caller.is_at_least(role):
            raise self._refusal(403, "FORBIDDEN", f"This needs the role {role}; you have {caller.role}")
        return caller

    async def _by_key(self, credentials: str) -> Caller:
        scheme, _, key = credentials.partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            raise self._refusal(401, "UNAUTHORIZED", "Send an API key: Authorization: Bearer …")
        caller = await self._sought(lambda: self.access.by_key(key.strip()))
        if caller is None:
            raise self._refusal(403, "KEY_ERROR", "This API key is unknown or was revoked")
        return caller

    async def _sought(
        self,
        find: Callable[[], Caller | None],
        is_worth_waiting: Callable[[], bool] = lambda: True,
    ) -> Caller | None:
        """What was issued a moment ago may not have been read yet: read to the end before saying no."""
        found = find()
        if found is not None or not is_worth_waiting():
            return found
        try:
            await self._tail.caught_up()
        except Unavailable:
            raise self._refusal(503, "UNAVAILABLE", "Who you are cannot be checked right now; try again") from None
        return find()


def door_of(request: Request) -> Door:
    door: Door = request.app.state.door
    return door


async def caller(request: Request) -> Caller:
    """A FastAPI dependency: who is asking, whatever they may do."""
    return await door_of(request).caller(request)


def require(role: Role) -> Dependency:
    """A FastAPI dependency: `Annotated[Caller, Depends(require(Role.USER))]`."""

    async def caller_with_role(request: Request) -> Caller:
        return await door_of(request).caller_with(role, request)

    return caller_with_role
