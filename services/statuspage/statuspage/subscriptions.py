"""Units of work on who hears of what: users and teams subscribe to incidents, services and status pages. Refusals are raised as `Refused`."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from events.accounts import Role
from events.statuspage import Subject
from runtime.access import RANK, Caller
from runtime.refusals import forbidden, granted, missing
from runtime.shell import Shell
from runtime.unit import Unit
from statuspage.announcing import Announcer, subscriptions
from statuspage.domain.announcement import hears
from statuspage.domain.subscription import About, Add, Command, Remove, Replace, Subscribed, Who
from statuspage.incidents import Incidents
from statuspage.references import References
from statuspage.services import services_by_id
from statuspage.showing import pages_of
from statuspage.streams import SUBSCRIPTION

ADDRESSES: Final = {
    Subject.INCIDENT: "/incidents",
    Subject.SERVICE: "/services",
    Subject.STATUS_PAGE: "/status-pages",
}
WORDS: Final = {
    Subject.INCIDENT: "incident",
    Subject.SERVICE: "service",
    Subject.STATUS_PAGE: "status page",
}

ToCommand = Callable[[Unit], Command]


@dataclass(frozen=True)
class Hearing:
    """Who hears of one thing, as a page shows it to one person: `through` names the team by which they hear of it."""

    about: About
    is_told: bool
    is_named: bool
    through: str
    users: tuple[tuple[int, str], ...]
    teams: tuple[tuple[int, str], ...]
    may_add: bool
    choices: tuple[tuple[str, str], ...]
    """Whom the viewer may subscribe as well: `user:7` or `team:3`, and a name."""

    @property
    def address(self) -> str:
        """Of the page of what it is about."""
        return f"{ADDRESSES[self.about.subject]}/{self.about.number}"


class Subscriptions:
    """What can be asked and done about subscriptions, by whom.

    Whoever sees something may subscribe to it and leave it themself; responders and up add and remove others.
    """

    def __init__(self, shell: Shell, references: References, incidents: Incidents, announcer: Announcer) -> None:
        self._shell = shell
        self._references = references
        self._incidents = incidents
        self._announcer = announcer

    async def of(self, about: About, caller: Caller) -> list[Who]:
        """Who subscribed, users first; those who were deleted are not in it."""

        async def find(unit: Unit) -> list[Who]:
            await self._owners(unit, about, caller)
            return self._shown((await subscriptions(unit, [about]))[about])

        return await self._shell.run(find)

    async def heard(self, about: Sequence[About], caller: Caller) -> frozenset[About]:
        """Of which of these the caller is told."""

        async def find(unit: Unit) -> Mapping[About, Subscribed]:
            return await subscriptions(unit, about)

        found = await self._shell.run(find)
        return frozenset(one for one, known in found.items() if self._hears(known, caller))

    async def hearing(self, about: About, caller: Caller) -> Hearing:
        """What a page shows of it."""

        async def find(unit: Unit) -> Hearing:
            owners = await self._owners(unit, about, caller)
            known = (await subscriptions(unit, [about]))[about]
            return self._hearing(about, known, caller, may_add=self._may_add(caller, owners))

        return await self._shell.run(find)

    async def add(self, about: About, who: Sequence[Who], caller: Caller) -> list[Who]:
        """Raises `Refused` for others when the caller may only subscribe themself."""
        await self._check(who)
        return await self._do(about, who, caller, lambda unit: Add(about, tuple(who), caller.user, unit.at))

    async def replace(self, about: About, who: Sequence[Who], caller: Caller) -> list[Who]:
        """These and nobody else; responders and up only."""
        await self._check(who)
        return await self._do(about, None, caller, lambda unit: Replace(about, tuple(who), caller.user, unit.at))

    async def remove(self, about: About, who: Who, caller: Caller) -> list[Who]:
        """Raises `Refused` where there is nobody to remove; leaving oneself is always possible."""

        async def work(unit: Unit) -> list[Who]:
            owners = await self._owners(unit, about, caller)
            self._only_allowed(caller, owners, [who])
            await unit.load(SUBSCRIPTION, [about.key])
            known = unit.state(SUBSCRIPTION, about.key)
            if not known.has(who) and who != Who(user=caller.user):
                kind, number = ("user", who.user) if who.user is not None else ("team", who.team)
                raise missing(f"{kind.capitalize()} {number} is not subscribed")
            granted(unit.decide(SUBSCRIPTION, about.key, Remove(about, who, caller.user, unit.at)))
            return self._shown(unit.state(SUBSCRIPTION, about.key))

        return await self._shell.do(work)

    # -- what is shared

    async def _do(self, about: About, who: Sequence[Who] | None, caller: Caller, command: ToCommand) -> list[Who]:
        async def work(unit: Unit) -> list[Who]:
            self._only_allowed(caller, await self._owners(unit, about, caller), who)
            await unit.load(SUBSCRIPTION, [about.key])
            granted(unit.decide(SUBSCRIPTION, about.key, command(unit)))
            return self._shown(unit.state(SUBSCRIPTION, about.key))

        return await self._shell.do(work)

    async def _check(self, who: Sequence[Who]) -> None:
        await self._references.check_users(
            [(f"{place}.id", one.user) for place, one in enumerate(who) if one.user is not None]
        )
        await self._references.check_teams(
            [(f"{place}.id", one.team) for place, one in enumerate(who) if one.team is not None]
        )

    async def _owners(self, unit: Unit, about: About, caller: Caller) -> list[tuple[int, ...]]:
        """The teams that own it (of an incident: its services'). Raises `Refused` when it is not the caller's to see."""
        match about.subject:
            case Subject.INCIDENT:
                seen = await self._incidents.look(unit, about.number, caller)
                return [one.now.teams for one in seen.services.values()] or [()]
            case Subject.SERVICE:
                found = [one.now.teams for one in (await services_by_id(unit, [about.number])).values()]
            case Subject.STATUS_PAGE:
                found = [page.teams for page in await pages_of(unit, [about.number])]
        if not any(self._references.may_see(caller, teams) for teams in found):
            raise missing(f"There is no {WORDS[about.subject]} {about.number}")
        return found

    def _may_add(self, caller: Caller, owners: Iterable[tuple[int, ...]]) -> bool:
        roles = [self._references.access.role_in(caller, teams) for teams in owners]
        return any(RANK[role] >= RANK[Role.RESPONDER] for role in roles)

    def _only_allowed(self, caller: Caller, owners: Iterable[tuple[int, ...]], who: Sequence[Who] | None) -> None:
        is_own = who is not None and all(one == Who(user=caller.user) for one in who)
        if not is_own and not self._may_add(caller, owners):
            raise forbidden(f"Subscribing others needs the role {Role.RESPONDER}; you have {caller.role}")

    def _hears(self, known: Subscribed, caller: Caller) -> bool:
        return hears(known, caller.user, self._announcer.members_of)

    def _shown(self, known: Subscribed) -> list[Who]:
        access = self._references.access
        return [
            *(Who(user=user) for user in known.users if access.person(user) is not None),
            *(Who(team=team) for team in known.teams if access.team(team) is not None),
        ]

    def _hearing(self, about: About, known: Subscribed, caller: Caller, *, may_add: bool) -> Hearing:
        access = self._references.access
        shown = self._shown(known)
        is_named = caller.user in known.users
        teams = tuple((one.team, access.team_rel(one.team).name or "") for one in shown if one.team is not None)
        through = [name for team, name in teams if caller.user in self._announcer.members_of(team)]
        return Hearing(
            about=about,
            is_told=self._hears(known, caller),
            is_named=is_named,
            through=through[0] if through and not is_named else "",
            users=tuple((one.user, access.name(one.user)) for one in shown if one.user is not None),
            teams=teams,
            may_add=may_add,
            choices=tuple(self._choices(known, caller)) if may_add else (),
        )

    def _choices(self, known: Subscribed, caller: Caller) -> Iterator[tuple[str, str]]:
        access = self._references.access
        for person in access.people():
            if access.may_see_user(caller, person.user) and person.user not in known.users:
                yield f"user:{person.user}", access.name(person.user)
        for team in access.teams():
            if access.may_see(caller, [team.team]) and team.team not in known.teams:
                yield f"team:{team.team}", f"Team {team.name}"
