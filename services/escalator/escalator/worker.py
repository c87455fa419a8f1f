"""The worker: alerts' events and deadlines come in by batches, escalations climb by them. Only what was decided leaves.

batch -> what is needed (pure) -> escalations locked -> policies and schedules looked up -> World -> decide in order -> commit
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import timedelta

from escalator import indexes
from escalator.domain import policy as policies
from escalator.domain.escalation import Idle, Plan, State, Tick, World
from escalator.lookup import looked_up
from escalator.planning import plan
from escalator.projection import Staff
from escalator.reactions import needs, reaction
from escalator.roster import Seen, roster
from escalator.streams import ESCALATION, POLICY, SHIFTS
from events.escalator import Target
from runtime.gate import GatePassed, GateTimedOut
from runtime.records import Received
from runtime.ticks import Due
from runtime.unit import Cause, Known, Unit


class Worker:
    """Wires the pure rules to a unit of work; holds nothing but its picture of people.

    `staff_is_known` waits until that picture is complete (at the start), `caught_up` until it is as new as now.
    """

    def __init__(
        self,
        staff: Staff,
        *,
        minute: timedelta,
        staff_is_known: Callable[[], Awaitable[None]],
        caught_up: Callable[[], Awaitable[None]],
    ) -> None:
        self._staff = staff
        self._minute = minute
        self._staff_is_known = staff_is_known
        self._caught_up = caught_up

    async def react(self, unit: Unit, batch: Sequence[Received]) -> None:
        """One batch of `alerts`."""
        asked = [(received.envelope, need) for received in batch if (need := needs(received.envelope.event))]
        if not asked:
            return
        alerts = {need.alert for _, need in asked}
        await unit.load(ESCALATION, alerts)
        named = {target for _, need in asked for target in need.targets}
        world = await self._world(unit, alerts, {need.policy for _, need in asked if need.policy is not None}, named)
        for envelope, _ in asked:
            if answer := reaction(envelope.event, envelope.version, world):
                alert, command = answer
                unit.decide(ESCALATION, alert, command, Cause.of(envelope))

    async def tick(self, unit: Unit, due: Due, verdict: GatePassed | GateTimedOut) -> None:
        """Escalations whose patience is spent, and shifts ahead that are to be planned further."""
        await plan(unit, [int(number) for kind, number in due if kind is SHIFTS])
        alerts = {int(number) for kind, number in due if kind is ESCALATION}
        world = await self._world(unit, alerts)
        for alert in sorted(alerts):
            unit.decide(ESCALATION, alert, Tick(world, isinstance(verdict, GateTimedOut)))

    async def _world(
        self, unit: Unit, alerts: set[int], wanted: set[int] | None = None, named: set[Target] | None = None
    ) -> World:
        """What can be known now of everything that these escalations, policies and targets name."""
        await self._staff_is_known()
        states = [unit.state(ESCALATION, alert) for alert in alerts]
        plans = await _plans(unit, (wanted or set()) | _homes(states))
        targets = (named or set()) | _targets_of(states) | _targets_in(plans.values())
        return World(unit.at, self._minute, plans, roster(targets, await self._seen(unit, targets), unit.at))

    async def _seen(self, unit: Unit, targets: set[Target]) -> Seen:
        teams = {target.team for target in targets if target.team is not None}
        if any(self._staff.team(team) is None for team in teams):
            await self._caught_up()  # a team of a second ago must not be taken for none
        schedules = await looked_up(unit, {target.schedule for target in targets if target.schedule is not None})
        return Seen(schedules, {team: self._staff.team(team) for team in teams}, self._staff.gone)


async def _plans(unit: Unit, wanted: set[int]) -> dict[int, Plan]:
    """What these policies ask for as they stand; for one that was deleted the default policy stands in."""
    known = await unit.peek(POLICY, wanted)
    default: Plan | None = None
    plans: dict[int, Plan] = {}
    for policy in sorted(wanted):
        found = known[POLICY.stream(policy)]
        if isinstance(found.state, policies.Kept):
            plans[policy] = plan_of(found)
            continue
        default = default or await _default(unit)
        if default:
            plans[policy] = _standing_in(default, policy, found.state)
    return plans


async def _default(unit: Unit) -> Plan | None:
    """The policy with the lowest id: who has only one has no other."""
    every = await indexes.ids_in(unit, indexes.POLICIES)
    if not every:
        return None
    found = (await unit.peek(POLICY, every[:1]))[POLICY.stream(every[0])]
    return plan_of(found) if isinstance(found.state, policies.Kept) else None


def plan_of(found: Known[policies.State]) -> Plan:
    """A kept policy as a plan."""
    assert isinstance(found.state, policies.Kept)
    now = found.state.now
    rounds = now.frequency if now.repeating else 1
    return Plan(now.policy, found.version, now.name, now.rules, rounds, now.delay_min)


def _standing_in(default: Plan, policy: int, state: policies.State) -> Plan:
    name = f"«{state.last.name}»" if isinstance(state, policies.Gone) else str(policy)
    note = f"Policy {name} is gone; the default policy «{default.name}» stands in"
    return Plan(default.policy, default.version, default.name, default.rules, default.rounds, default.delay_min, note)


def _homes(states: Iterable[State]) -> set[int]:
    return {state.climb.home for state in states if not isinstance(state, Idle) and state.climb.home is not None}


def _targets_of(states: Iterable[State]) -> set[Target]:
    known = (state.climb.levels for state in states if not isinstance(state, Idle))
    return {target for levels in known for rule in levels for target in rule.targets}


def _targets_in(plans: Iterable[Plan]) -> set[Target]:
    return {target for plan in plans for rule in plan.rules for target in rule.targets}
