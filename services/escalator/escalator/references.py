"""Do the people and teams that a body names exist? In come fields with ids, out comes nothing, or a refusal that names the field."""

from collections.abc import Awaitable, Callable, Iterable

from escalator.domain import schedule as schedules
from escalator.streams import SCHEDULE
from events.accounts import Role
from events.escalator import Layer, Rule, Shift
from runtime.access import Access
from runtime.refusals import invalid_field
from runtime.unit import Unit

Named = Iterable[tuple[str, int]]
"""(field, id): where in the body which id is named."""


class References:
    """Looks in the picture of people; who is not there may be a second old, so it is read to its end before refusing."""

    def __init__(self, access: Access, caught_up: Callable[[], Awaitable[None]]) -> None:
        self.access = access
        self._caught_up = caught_up

    async def check_users(self, named: Named, *, on_schedule: bool = False) -> None:
        """Raises `Refused`; for who is not there, and (`on_schedule`) for stakeholders, who take no duty."""
        named = list(named)
        await self._look(user for _, user in named if self.access.person(user) is None)
        for field, user in named:
            person = self.access.person(user)
            if person is None:
                raise invalid_field(field, f"there is no user {user}")
            if on_schedule and person.role is Role.STAKEHOLDER:
                raise invalid_field(field, f"user {user} is a stakeholder, who cannot be on call")

    async def check_teams(self, named: Named) -> None:
        """Raises `Refused`."""
        named = list(named)
        await self._look(team for _, team in named if self.access.team(team) is None)
        for field, team in named:
            if self.access.team(team) is None:
                raise invalid_field(field, f"there is no team {team}")

    async def _look(self, unknown: Iterable[int]) -> None:
        if next(iter(unknown), None) is not None:
            await self._caught_up()


async def check_schedules(unit: Unit, named: Named) -> None:
    """Raises `Refused` for a schedule that is not, or no longer, there."""
    named = list(named)
    known = await unit.peek(SCHEDULE, {schedule for _, schedule in named})
    for field, schedule in named:
        if not isinstance(known[SCHEDULE.stream(schedule)].state, schedules.Kept):
            raise invalid_field(field, f"there is no schedule {schedule}")


def users_in(rules: Iterable[Rule]) -> list[tuple[str, int]]:
    return _named(rules, "user")


def schedules_in(rules: Iterable[Rule]) -> list[tuple[str, int]]:
    return _named(rules, "schedule")


def teams_in(rules: Iterable[Rule]) -> list[tuple[str, int]]:
    return _named(rules, "team")


def _named(rules: Iterable[Rule], kind: str) -> list[tuple[str, int]]:
    """Every target of one kind, with its field's name in the API."""
    found: list[tuple[str, int]] = []
    for number, rule in enumerate(rules):
        ids = [one for target in rule.targets if (one := getattr(target, kind)) is not None]
        found += [(f"escalationRules.{number}.{kind}s.{place}.id", one) for place, one in enumerate(ids)]
    return found


def users_of_layers(layers: Iterable[Layer]) -> list[tuple[str, int]]:
    return [
        (f"scheduleLayers.{number}.users.{place}.id", user)
        for number, layer in enumerate(layers)
        for place, user in enumerate(layer.users)
    ]


def users_of_shifts(shifts: Iterable[Shift]) -> list[tuple[str, int]]:
    return [(f"shifts.{number}.user.id", shift.user) for number, shift in enumerate(shifts)]


def owners(teams: Iterable[int]) -> list[tuple[str, int]]:
    return [(f"teams.{number}.id", team) for number, team in enumerate(teams)]
