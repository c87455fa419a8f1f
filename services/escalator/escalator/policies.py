"""Units of work on escalation policies: in come wishes of people, out go events and index entries. Refusals are raised as `Refused`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from escalator import indexes
from escalator.bodies import PolicyBody, ids
from escalator.domain.policy import Delete, Kept, Set, SetLevel
from escalator.lookup import every_policy, every_schedule, schedules_of
from escalator.projection import Sources
from escalator.references import References, check_schedules, owners, schedules_in, teams_in, users_in
from escalator.streams import POLICY
from events.accounts import Role
from events.core import Refusal
from events.escalator import PolicyChanged, Rule, ScheduleChanged
from runtime.access import Access, Caller
from runtime.refusals import Refused, forbidden, granted, missing
from runtime.shell import Shell
from runtime.unit import Unit
from runtime.views import Tail


@dataclass(frozen=True)
class Duties:
    """Every policy and every schedule that there is, seen at one instant."""

    policies: Sequence[PolicyChanged]
    schedules: Sequence[ScheduleChanged]
    at: datetime

    def policy(self, policy: int) -> PolicyChanged | None:
        return next((one for one in self.policies if one.policy == policy), None)

    def schedule(self, schedule: int) -> ScheduleChanged | None:
        return next((one for one in self.schedules if one.schedule == schedule), None)

    def of_schedule(self, schedule: int) -> list[PolicyChanged]:
        """The policies that name a schedule."""
        return [one for one in self.policies if schedule in schedules_of(one)]


class Policies:
    """What can be asked and done about escalation policies, by whom."""

    def __init__(self, shell: Shell, references: References, sources: Sources, sources_tail: Tail) -> None:
        self._shell = shell
        self._references = references
        self._sources = sources
        self._sources_tail = sources_tail

    @property
    def access(self) -> Access:
        return self._references.access

    async def duties(self, caller: Caller | None = None) -> Duties:
        """Everything, or what the caller may see."""

        async def find(unit: Unit) -> Duties:
            return Duties(await every_policy(unit), await every_schedule(unit), unit.at)

        found = await self._shell.run(find)
        if caller is None:
            return found
        return Duties(
            [one for one in found.policies if self.access.may_see(caller, one.teams)],
            [one for one in found.schedules if self.access.may_see(caller, one.teams)],
            found.at,
        )

    async def get(self, policy: int, caller: Caller) -> PolicyChanged:
        """Raises `Refused` when it is not there, or not the caller's to see."""

        async def find(unit: Unit) -> PolicyChanged | None:
            state = (await unit.peek(POLICY, [policy]))[POLICY.stream(policy)].state
            return state.now if isinstance(state, Kept) else None

        found = await self._shell.run(find)
        if found is None or not self.access.may_see(caller, found.teams):
            raise missing(f"There is no escalation policy {policy}")
        return found

    async def create(self, body: PolicyBody, caller: Caller) -> PolicyChanged:
        self._only_writers(caller, ids(body.teams))
        await self._check(body.rules, ids(body.teams))

        async def work(unit: Unit) -> PolicyChanged:
            [policy] = await unit.draw("policy")
            unit.fresh(POLICY, policy)
            return await _set(unit, _policy_of(policy, body, unit.at))

        return await self._shell.do(work)

    async def change(self, policy: int, body: PolicyBody, caller: Caller) -> PolicyChanged:
        """Replace everything about a policy."""
        self._only_writers(caller, (await self.get(policy, caller)).teams, ids(body.teams))
        await self._check(body.rules, ids(body.teams))

        async def work(unit: Unit) -> PolicyChanged:
            await unit.load(POLICY, [policy])
            return await _set(unit, _policy_of(policy, body, unit.at))

        return await self._shell.do(work)

    async def set_level(self, policy: int, level: int, rule: Rule, caller: Caller) -> Rule:
        self._only_writers(caller, (await self.get(policy, caller)).teams)
        await self._check((rule,), ())

        async def work(unit: Unit) -> Rule:
            await check_schedules(unit, schedules_in((rule,)))
            await unit.load(POLICY, [policy])
            granted(unit.decide(POLICY, policy, SetLevel(level, rule, unit.at)))
            return rule

        return await self._shell.do(work)

    async def remove(self, policy: int, caller: Caller) -> None:
        """Refused with the list while alert sources use it; a source of a second ago counts too."""
        self._only_writers(caller, (await self.get(policy, caller)).teams)
        await self._sources_tail.caught_up()
        if used := self.used_by(policy):
            raise Refused(Refusal("IN_USE", f"Alert sources use this policy: {', '.join(used)}"))

        async def work(unit: Unit) -> None:
            await unit.load(POLICY, [policy])
            granted(unit.decide(POLICY, policy, Delete(unit.at)))
            unit.put(indexes.POLICIES, {indexes.padded(policy): None})

        await self._shell.do(work)

    def used_by(self, policy: int) -> list[str]:
        """The sources that use a policy, each by name and id."""
        return [f"«{source.name}» ({source.source})" for source in self._sources.of_policy(policy)]

    def may_write(self, caller: Caller, *owners: tuple[int, ...]) -> bool:
        """Users and up, by the role that counts for each set of owning teams."""
        return all(self.access.role_in(caller, teams) in (Role.USER, Role.ADMIN) for teams in owners)

    def _only_writers(self, caller: Caller, *owners: tuple[int, ...]) -> None:
        if not self.may_write(caller, *owners):
            raise forbidden(f"This needs the role {Role.USER}; you have {caller.role}")

    async def _check(self, rules: Sequence[Rule], teams: tuple[int, ...]) -> None:
        await self._references.check_users(users_in(rules))
        await self._references.check_teams([*teams_in(rules), *owners(teams)])


async def _set(unit: Unit, policy: PolicyChanged) -> PolicyChanged:
    await check_schedules(unit, schedules_in(policy.rules))
    granted(unit.decide(POLICY, policy.policy, Set(policy)))
    unit.put(indexes.POLICIES, {indexes.padded(policy.policy): policy.name})
    return policy


def _policy_of(policy: int, body: PolicyBody, at: datetime) -> PolicyChanged:
    return PolicyChanged(
        policy=policy,
        name=body.name,
        rules=body.rules,
        repeating=bool(body.repeating),
        frequency=body.frequency or 1,
        delay_min=body.delay_min or 0,
        routing_key=body.routing_key or None,
        teams=ids(body.teams),
        at=at,
    )
