"""Do the teams and services that a body names exist? In come fields with ids, out comes nothing, or a refusal that names the field."""

from collections.abc import Awaitable, Callable, Iterable

from events.accounts import Role
from runtime.access import Access, Caller
from runtime.refusals import forbidden, invalid_field
from runtime.unit import Unit
from statuspage.domain.service import Known
from statuspage.streams import SERVICE

Named = Iterable[tuple[str, int]]
"""(field, id): where in the body which id is named."""


class References:
    """Looks in the picture of people; who is not there may be a second old, so it is read to its end before refusing."""

    def __init__(self, access: Access, caught_up: Callable[[], Awaitable[None]]) -> None:
        self.access = access
        self._caught_up = caught_up

    async def check_teams(self, named: Named) -> None:
        """Raises `Refused`."""
        named = list(named)
        if any(self.access.team(team) is None for _, team in named):
            await self._caught_up()
        for field, team in named:
            if self.access.team(team) is None:
                raise invalid_field(field, f"there is no team {team}")

    async def check_users(self, named: Named) -> None:
        """Raises `Refused`."""
        named = list(named)
        if any(self.access.person(user) is None for _, user in named):
            await self._caught_up()
        for field, user in named:
            if self.access.person(user) is None:
                raise invalid_field(field, f"there is no user {user}")

    def may_see(self, caller: Caller, teams: Iterable[int]) -> bool:
        """Private teams hide what is theirs; stakeholders see what is shared with them: nobody's, or their teams'."""
        teams = frozenset(teams)
        is_shared = caller.role is not Role.STAKEHOLDER or not teams or bool(teams & caller.teams)
        return is_shared and self.access.may_see(caller, teams)

    def sees_sources(self, caller: Caller) -> bool:
        """Stakeholders do not see alert sources, nor what is only about them."""
        return caller.is_at_least(Role.RESPONDER)

    def may_write(self, caller: Caller, *owners: Iterable[int]) -> bool:
        """Users and up, by the role that counts for each set of owning teams."""
        return all(self.access.role_in(caller, teams) in (Role.USER, Role.ADMIN) for teams in owners)

    def only_writers(self, caller: Caller, *owners: Iterable[int]) -> None:
        """Raises `Refused`."""
        if not self.may_write(caller, *owners):
            raise forbidden(f"This needs the role {Role.USER}; you have {caller.role}")


async def check_services(unit: Unit, named: Named) -> None:
    """Raises `Refused` for a service that is not, or no longer, there."""
    named = list(named)
    known = await unit.peek(SERVICE, {service for _, service in named})
    for field, service in named:
        if not isinstance(known[SERVICE.stream(service)].state, Known):
            raise invalid_field(field, f"there is no service {service}")


def places(field: str, ids: Iterable[int]) -> list[tuple[str, int]]:
    """The ids of a list of references with their fields' names: `teams.0.id` …"""
    return [(f"{field}.{number}.id", one) for number, one in enumerate(ids)]
