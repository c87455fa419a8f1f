"""The suite's own troubles wake somebody too: what a reader sets aside is an alert until it has been handled."""

from collections.abc import Sequence

import pytest

from escalator.worker import Worker
from events.ingest import AlertResolved
from events.machinery import StreamParked
from runtime import parked
from runtime.ports import Message
from runtime.records import Received
from runtime.unit import Unit
from tests.simulation.town import Town, in_virtual_time


def test_a_record_that_cannot_be_handled_is_an_alert_that_reaches_somebody_once() -> None:
    async def night() -> tuple[list[str], list[str]]:
        town = Town()
        await town.start()
        ada = await town.user("Ada")
        await town.policy((5, [ada]))
        nonsense = Message("alerts.v1", "alert-1", b"no event at all")
        await town.desks["accounts"].broker.producer.send([nonsense])
        await town.until(lambda: town.mailbox.to("ada@example.org"))
        await town.nodes["ingest"].kill()
        await town.nodes["ingest"].start()
        key = await town.source(1)
        await town.post(key, summary="Life goes on")
        await town.until(lambda: len(town.mailbox.to("ada@example.org")) >= 3)
        told = [
            one.event.parked for one in town.envelopes("oncall.v1", "reach.v1") if isinstance(one.event, StreamParked)
        ]
        await town.stop()
        return town.mailbox.to("ada@example.org"), told

    mails, told = in_virtual_time(night)
    assert len(told) == 2, "the escalator and the notifier both read this topic"
    assert sum("set malformed-" in mail for mail in mails) == 2
    assert sum("Life goes on" in mail for mail in mails) == 1


def test_what_is_handled_after_all_resolves_the_alert(monkeypatch: pytest.MonkeyPatch) -> None:
    react, sick = Worker.react, [True]

    async def weak(self: Worker, unit: Unit, batch: Sequence[Received]) -> None:
        if sick and any(received.envelope.stream == "alert-1" for received in batch):
            raise ValueError("too much")
        await react(self, unit, batch)

    monkeypatch.setattr(Worker, "react", weak)

    async def night() -> list[type]:
        town = Town()
        await town.start()
        ada = await town.user("Ada")
        key = await town.source(await town.policy((5, [ada])))
        await town.post(key, summary="Too much for the escalator")
        await town.until(lambda: town.mailbox.to("ada@example.org"))
        assert "has set alert-1 aside" in town.mailbox.to("ada@example.org")[0]
        sick.clear()
        ledger = town.nodes["escalator"].ledger
        assert ledger is not None
        await parked.ask(ledger, "escalator.worker", "alert-1", town.clock.now())
        await town.until(lambda: any(isinstance(one.event, AlertResolved) for one in town.envelopes("alerts.v1")))
        await town.until(lambda: len(town.mailbox.to("ada@example.org")) == 2)
        await town.stop()
        return [type(one.event) for one in town.envelopes("alerts.v1")]

    assert in_virtual_time(night).count(AlertResolved) == 1
