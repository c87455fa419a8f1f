"""Units of work on teams: in come wishes, out go events and index entries. Refusals are raised as `Refused`."""

from collections.abc import Sequence

from accounts import indexes
from accounts.domain.team import NO_TEAM, Admit, Disband, Dismiss, Formed, Shape
from accounts.domain.user import Active
from accounts.streams import TEAM, USER
from events.accounts import Member, Visibility
from events.core import Refusal
from runtime.refusals import Refused, granted
from runtime.shell import Shell
from runtime.unit import Unit


class Teams:
    """What can be asked and done about teams."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    async def get(self, team: int) -> Formed | None:
        async def find(unit: Unit) -> Formed | None:
            state = (await unit.peek(TEAM, [team]))[TEAM.stream(team)].state
            return state if isinstance(state, Formed) else None

        return await self._shell.run(find)

    async def all(self) -> Sequence[Formed]:
        """Every team, by id."""

        async def find(unit: Unit) -> list[Formed]:
            every = await indexes.ids_in(unit, indexes.TEAMS)
            known = await unit.peek(TEAM, every)
            states = [known[TEAM.stream(team)].state for team in every]
            return [state for state in states if isinstance(state, Formed)]

        return await self._shell.run(find)

    async def create(self, name: str, visibility: Visibility, members: tuple[Member, ...]) -> Formed:
        async def work(unit: Unit) -> Formed:
            await _refuse_strangers(unit, members)
            [team] = await unit.draw("team")
            unit.fresh(TEAM, team)
            return _shape(unit, team, name, visibility, members)

        return await self._shell.do(work)

    async def change(self, team: int, name: str, visibility: Visibility, members: tuple[Member, ...]) -> Formed:
        """Replace everything about a team."""

        async def work(unit: Unit) -> Formed:
            await _refuse_strangers(unit, members)
            await _load(unit, team)
            return _shape(unit, team, name, visibility, members)

        return await self._shell.do(work)

    async def admit(self, team: int, member: Member) -> None:
        async def work(unit: Unit) -> None:
            await _refuse_strangers(unit, (member,))
            await _load(unit, team)
            granted(unit.decide(TEAM, team, Admit(member, unit.at)))

        await self._shell.do(work)

    async def dismiss(self, team: int, user: int) -> None:
        """Without complaint when they are no member."""

        async def work(unit: Unit) -> None:
            await _load(unit, team)
            granted(unit.decide(TEAM, team, Dismiss(user, unit.at)))

        await self._shell.do(work)

    async def remove(self, team: int) -> None:
        async def work(unit: Unit) -> None:
            await _load(unit, team)
            granted(unit.decide(TEAM, team, Disband(unit.at)))
            unit.put(indexes.TEAMS, {indexes.padded(team): None})

        await self._shell.do(work)


async def _load(unit: Unit, team: int) -> None:
    await unit.load(TEAM, [team])
    if not isinstance(unit.state(TEAM, team), Formed):
        raise Refused(NO_TEAM)


def _shape(unit: Unit, team: int, name: str, visibility: Visibility, members: tuple[Member, ...]) -> Formed:
    granted(unit.decide(TEAM, team, Shape(team, name, visibility, members, unit.at)))
    unit.put(indexes.TEAMS, {indexes.padded(team): name})
    state = unit.state(TEAM, team)
    assert isinstance(state, Formed)
    return state


async def _refuse_strangers(unit: Unit, members: Sequence[Member]) -> None:
    """Members are locked, so that nobody leaves between this look and the event that names them."""
    users = [member.user for member in members]
    await unit.load(USER, users)
    for number, user in enumerate(users):
        if not isinstance(unit.state(USER, user), Active):
            raise Refused(Refusal("VALIDATION_ERROR", f"members.{number}.user.id: there is no user {user}"))
        if user in users[:number]:
            raise Refused(Refusal("VALIDATION_ERROR", f"members.{number}.user.id: user {user} is named twice"))
