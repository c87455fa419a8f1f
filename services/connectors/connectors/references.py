"""Does what an action names exist, and may the caller see it? In come fields with ids, out comes nothing, or a refusal."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from connectors.projection import POLICY, SERVICE, SOURCE, TEMPLATE, Others, Thing
from runtime.access import Access, Caller
from runtime.refusals import invalid_field

Named = Sequence[tuple[str, int]]
"""(field, id): where in the body which id is named."""


class References:
    """Looks in the pictures of others; what is not there may be a second old, so they are read to their ends first."""

    def __init__(
        self,
        access: Access,
        others: Others,
        *,
        people_caught_up: Callable[[], Awaitable[None]],
        others_caught_up: Callable[[], Awaitable[None]],
    ) -> None:
        self.access, self.others = access, others
        self._people_caught_up, self._others_caught_up = people_caught_up, others_caught_up

    async def check_teams(self, teams: Sequence[int]) -> None:
        """Raises `Refused`."""
        if any(self.access.team(team) is None for team in teams):
            await self._people_caught_up()
        for place, team in enumerate(teams):
            if self.access.team(team) is None:
                raise invalid_field(f"teams.{place}.id", f"there is no team {team}")

    async def check_sources(self, sources: Named, caller: Caller) -> None:
        await self._check(SOURCE, sources, caller)

    async def check_params(self, params: dict[str, Any], caller: Caller) -> None:
        """The policy, services and template that an action's parameters name."""
        if "escalationPolicyId" in params:
            named = [("params.escalationPolicyId", params["escalationPolicyId"])]
            await self._check(POLICY, named, caller)
        if "serviceIds" in params:
            services = [(f"params.serviceIds.{place}", one) for place, one in enumerate(params["serviceIds"])]
            await self._check(SERVICE, services, caller)
        if "templateId" in params:
            await self._check(TEMPLATE, [("params.templateId", params["templateId"])], caller)

    def visible(self, kind: str, caller: Caller) -> list[Thing]:
        """What the caller may see of a kind, by name."""
        return [thing for thing in self.others.all(kind) if self.access.may_see(caller, thing.teams)]

    async def source(self, number: int) -> Thing | None:
        """An alert source, also one that was made a moment ago."""
        if self.others.find(SOURCE, number) is None:
            await self._others_caught_up()
        return self.others.find(SOURCE, number)

    async def _check(self, kind: str, named: Named, caller: Caller) -> None:
        """Raises `Refused` for the first that is not there, or not the caller's to see."""
        if any(self.others.find(kind, number) is None for _, number in named):
            await self._others_caught_up()
        for field, number in named:
            thing = self.others.find(kind, number)
            if thing is None or not self.access.may_see(caller, thing.teams):
                raise invalid_field(field, f"there is no {kind} {number}")
