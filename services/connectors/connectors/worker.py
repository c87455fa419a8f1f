"""The deciding half: in come alerts, escalations, answers of the status pages and time, out come runs.

alerts, escalations -> triggers -> matching actions -> queued, planned or skipped      their answers -> the head has ended
time                -> planned actions whose time has come, and heads that were not answered
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from connectors.domain.runs import Plan, Planned, Queue, Skip, Tick, due_plans
from connectors.reactions import Wish, alert_of, call_off, reply, source_of, taken_in
from connectors.running import act, actions_named, actions_of, keep_dossiers, read_dossiers
from connectors.streams import RUNS
from events.connectors import ActionConfigured, AlertPicture
from events.topics import ALERTS, ESCALATIONS, INCIDENTS
from runtime.records import Received
from runtime.ticks import Due
from runtime.unit import Cause, Unit

READER: Final = "connectors.worker"
TOPICS: Final = (ALERTS.name, ESCALATIONS.name, INCIDENTS.name)
GONE: Final = "The alert action was deleted before its time had come"


@dataclass(frozen=True)
class Worker:
    """`policy_name` knows what policies are called (empty: unknown); `minute` is how long a minute of patience lasts."""

    policy_name: Callable[[int], str]
    minute: timedelta

    async def react(self, unit: Unit, batch: Sequence[Received]) -> None:
        """One batch: beliefs first, then everything in the order in which it was said."""
        mine = [(alert, received) for received in batch if (alert := alert_of(received.envelope.event)) is not None]
        alerts = {alert for alert, _ in mine}
        await unit.load(RUNS, alerts)
        known = await read_dossiers(unit, alerts)
        before = dict(known)
        named = {source_of(received.envelope.event) for _, received in mine} | {one.source for one in known.values()}
        actions = await actions_of(unit, [source for source in named if source is not None])
        wished: list[Sequence[Wish]] = []
        for alert, received in mine:
            known[alert], wishes = taken_in(known[alert], received.envelope, actions, self.policy_name)
            wished.append(wishes)
        fresh = iter(await unit.draw("run", sum(len(wishes) for wishes in wished)))
        for (alert, received), some in zip(mine, wished, strict=True):
            _decide(unit, alert, received, [wish.command(next(fresh), unit.at, self.minute) for wish in some])
        keep_dossiers(unit, (one for alert, one in known.items() if one != before[alert]))

    async def believe(self, unit: Unit, batch: Sequence[Received]) -> None:
        """After a restore: what was decided on before it is known again, and no action runs for it."""
        mine = [(alert, received) for received in batch if (alert := alert_of(received.envelope.event)) is not None]
        known = await read_dossiers(unit, {alert for alert, _ in mine})
        for alert, received in mine:
            known[alert], _ = taken_in(known[alert], received.envelope, (), self.policy_name)
        keep_dossiers(unit, known.values())


def _decide(unit: Unit, alert: int, received: Received, wishes: Sequence[Queue | Plan | Skip]) -> None:
    cause = Cause.of(received.envelope)
    if (answer := reply(received.envelope, unit.at)) is not None:
        act(unit, alert, answer[1], cause)
    if (end := call_off(received.envelope.event, unit.at)) is not None:
        act(unit, alert, end, cause)
    for wish in wishes:
        act(unit, alert, wish, cause)


async def tick(unit: Unit, due: Due, _gate: object = None) -> None:
    """Alerts with planned actions whose time has come, or whose head was not answered in time."""
    alerts = [int(number) for kind, number in due if kind is RUNS]
    known = await read_dossiers(unit, alerts)
    plans = {alert: due_plans(unit.state(RUNS, alert), unit.at) for alert in alerts}
    wanted = {plan.action for some in plans.values() for plan in some}
    actions = {action.action: action for action in await actions_named(unit, wanted)}
    fresh = iter(await unit.draw("run", sum(len(some) for some in plans.values())))
    for alert in alerts:
        cause = Cause(None, known[alert].trace)
        act(unit, alert, Tick(unit.at), cause)
        for plan in plans[alert]:
            command = _in_time(unit, alert, plan, actions.get(plan.action), known[alert].picture, next(fresh))
            act(unit, alert, command, cause)


def _in_time(
    unit: Unit, alert: int, plan: Planned, action: ActionConfigured | None, picture: AlertPicture, run: int
) -> Queue | Skip:
    if action is None:
        return Skip(alert, plan.action, plan.name, plan.trigger, plan.trigger_id, GONE, unit.at)
    return Queue(alert, run, action, plan.trigger, plan.trigger_id, picture, unit.at)
