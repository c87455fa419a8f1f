"""Whatever goes wrong: each (alert, action, trigger) runs exactly once or has a reason, and no tool is told what is not so."""

from collections import Counter
from random import Random
from typing import Any

import httpx
import pytest

from connectors.worker import READER
from events.connectors import (
    ActionFailed,
    ActionPlanned,
    ActionQueued,
    ActionSkipped,
    ActionSucceeded,
)
from events.core import Event
from events.escalator import EscalationEnded, EscalationLevelReached
from events.ingest import AlertAccepted, AlertCommented, AlertResolved
from events.shared import Actor
from events.topics import ACTIONS
from tests.fakes.webhook import Receiver
from tests.integration.connectors.house import ADA, DISK, NET, House, in_virtual_time
from tests.integration.connectors.test_runs import hooked

TOOL = Actor.by_source(DISK)
ALERTS = range(40, 52)
LIFE = ("alert-created", "alert-acknowledged", "alert-resolved", "alert-comment-added", "alert-auto-escalated")
"""What the first two receivers want; a third one wants the last two, after a while."""
PATIENT = ("v-alert-not-resolved", "alert-escalation-ended")


class Moody:
    """A receiver that is away, slow in the head or lost in thought, as chance has it; it never refuses."""

    def __init__(self, receiver: Receiver, chance: Random) -> None:
        self.receiver, self.chance = receiver, chance

    def __call__(self, request: httpx.Request) -> httpx.Response:
        mood = self.chance.random()
        if mood < 0.15:
            raise httpx.ConnectError("away")
        if mood < 0.3:
            return httpx.Response(503, headers={"Retry-After": str(self.chance.randint(1, 20))})
        answer = self.receiver(request)
        if mood < 0.4:
            raise httpx.ReadError("the answer was lost")
        return answer


class Night:
    """A history of alerts, told in chance's order, and what must follow from it, counted by hand."""

    def __init__(self, house: House, chance: Random) -> None:
        self.house, self.chance = house, chance
        self.due: set[tuple[str, str]] = set()
        """(trigger, event) that both of the first receivers must hear of."""
        self.planned: set[tuple[str, str]] = set()

    def begins(self, alert: int) -> None:
        made = self.house.alert(alert, DISK if alert % 4 else NET)
        if alert % 4:
            self.due.add(("alert-created", made.id))
            self.planned.add(("v-alert-not-resolved", made.id))

    def goes_on(self, alert: int) -> None:
        at, by = self.house.now, Actor.by_user(ADA, "web")
        trigger, event = self.chance.choice(
            [
                ("alert-acknowledged", AlertAccepted(alert=alert, by=by, at=at)),
                ("alert-comment-added", AlertCommented(alert=alert, comment=1, content="hm", by=by, at=at)),
                (
                    "alert-auto-escalated",
                    EscalationLevelReached(alert=alert, alert_version=1, level=1, responders=(), at=at),
                ),
                ("alert-escalation-ended", EscalationEnded(alert=alert, alert_version=1, reason="nobody", at=at)),
            ]
        )
        said = self.house.says(event)
        if alert % 4:
            (self.planned if trigger in PATIENT else self.due).add((trigger, said.id))

    def ends(self, alert: int) -> None:
        said = self.house.says(AlertResolved(alert=alert, by=TOOL, at=self.house.now))
        if alert % 4:
            self.due.add(("alert-resolved", said.id))


async def told(house: House, chance: Random) -> Night:
    """Alerts begin, go on and end; the worker dies now and then, and the broker has its troubles."""
    night, worker = Night(house, chance), await house.start_worker()
    open_alerts: list[int] = []
    for alert in ALERTS:
        night.begins(alert)
        open_alerts.append(alert)
        for _ in range(chance.randint(0, 4)):
            night.goes_on(chance.choice(open_alerts))
            await house.passes(seconds=chance.choice([0, 0.1, 1, 30]))
        if chance.random() < 0.4:
            night.ends(open_alerts.pop(chance.randrange(len(open_alerts))))
        if chance.random() < 0.25:
            await house.end(worker)
            worker = await house.start_worker()
    return night


@pytest.mark.parametrize("seed", range(4))
def test_the_books_balance(seed: int) -> None:
    async def story(house: House) -> None:
        chance = Random(seed)
        await house.start_web()
        receivers = {
            1: await hooked(house, *LIFE, host="one.example"),
            2: await hooked(house, *LIFE, host="two.example"),
        }
        receivers[3] = await hooked(
            house, *PATIENT, host="late.example", notResolvedDelaySec=300, escalationEndedDelaySec=30
        )
        for host, receiver in zip(("one.example", "two.example", "late.example"), receivers.values(), strict=True):
            house.tools[host] = Moody(receiver, chance)
        house.faults.random, house.faults.delay_s = Random(seed), 0.3
        house.faults.duplicates, house.faults.send_errors, house.faults.poll_errors = 0.2, 0.05, 0.05
        night = await told(house, chance)
        house.faults.duplicates = house.faults.send_errors = house.faults.poll_errors = 0.0
        await house.passes(hours=1)
        balance(house, night, receivers)

        before = said(house, Event)
        await read_everything_again(house)
        assert said(house, Event) == before

    in_virtual_time(story)


def said(house: House, kind: type[Event]) -> list[Any]:
    """Each event once: a producer whose acknowledgement is lost may write it twice."""
    every = {one.id: one.event for one in house.said(ACTIONS.name)}
    return [event for event in every.values() if isinstance(event, kind)]


def balance(house: House, night: Night, receivers: dict[int, Receiver]) -> None:
    settled = Counter(
        (one.action, one.trigger, one.trigger_id) for kind in (ActionQueued, ActionSkipped) for one in said(house, kind)
    )
    expected = {(action, *one) for action in (1, 2) for one in night.due} | {(3, *one) for one in night.planned}
    assert set(settled) == expected
    assert max(settled.values()) == 1
    planned = {(one.action, one.trigger, one.trigger_id) for one in said(house, ActionPlanned)}
    assert planned == {(3, *one) for one in night.planned}

    queued = {one.run: one for one in said(house, ActionQueued)}
    ends = Counter(one.run for kind in (ActionSucceeded, ActionFailed) for one in said(house, kind))
    assert ends == dict.fromkeys(queued, 1)
    assert said(house, ActionFailed) == []
    for action, receiver in receivers.items():
        assert receiver.complaints == []
        heard = {got.number for got in receiver.taken}
        assert heard == {f"run_{run}" for run, one in queued.items() if one.action == action}
    in_order(house, queued)


def in_order(house: House, queued: dict[int, Any]) -> None:
    """Runs of an alert end in the order in which they were queued."""
    for alert in ALERTS:
        ended = [one.run for one in said(house, ActionSucceeded) if one.alert == alert]
        assert ended == [run for run, one in queued.items() if one.alert == alert]


async def read_everything_again(house: House) -> None:
    """As an operator may ask for: `python -m runtime.positions connectors.worker begin`."""
    while len(house.running) > 1:
        await house.end(house.running[-1])
    async with house.shell().ledger.begin() as tx:
        await tx.forget_reader(READER)
    await house.start_worker()
    await house.passes(minutes=10)
