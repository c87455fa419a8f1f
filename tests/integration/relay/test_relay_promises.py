"""The relay's promises: everything that was decided reaches the broker, in order, whatever dies or is away."""

import asyncio
import contextlib

import pytest

from runtime.ledger_memory import Base, Step
from runtime.ports import Line, StreamRow, Unavailable
from runtime.relay import LIMIT
from tests.integration.relay.conftest import Process, Processes
from tests.integration.relay.wire import Fault, Wire, decide, named

pytestmark = pytest.mark.asyncio


async def test_what_was_decided_goes_out_in_order_and_waits_no_longer(process: Process, wire: Wire) -> None:
    await decide(process.ledger, "1", "2")
    await decide(process.ledger, "3", stream="alert-2")
    process.relay.wake()
    assert await process.relay.acknowledged(30)
    assert wire.bodies == named(1, 2, 3)
    assert [(message.topic, message.key) for message in wire.log] == [("alerts.v1", "alert-1")] * 2 + [
        ("alerts.v1", "alert-2")
    ]
    await _until_drained(process)


async def test_what_was_decided_before_it_started_goes_out_too(processes: Processes, wire: Wire) -> None:
    process = processes.make()
    await decide(process.ledger, "1")
    await process.relay.start()
    await wire.holds(1)


async def test_nothing_decided_is_nothing_sent(process: Process, wire: Wire) -> None:
    with contextlib.suppress(ZeroDivisionError):
        async with process.ledger.begin() as tx:
            await tx.append([Line("alert-1", 1, "alerts.v1", "alert-1", "t", b"1")], [StreamRow("alert-1", 1)])
            raise ZeroDivisionError
    process.relay.wake()
    assert await process.relay.acknowledged(30)
    await decide(process.ledger, "2")
    assert await process.relay.acknowledged(30)
    assert (wire.bodies, process.producer.sends) == (named(2), [1])


async def test_events_travel_as_cloudevents_and_an_erasure_as_a_tombstone(process: Process, wire: Wire) -> None:
    lines = [Line("cell-1", version, "v.v1", "cell-1", "t", body) for version, body in ((1, b"x"), (2, None))]
    async with process.ledger.begin() as tx:
        await tx.append(lines, [StreamRow("cell-1", 2)])
    assert await process.relay.acknowledged(30)
    assert [(message.value, dict(message.headers)) for message in wire.log] == [
        (b"x", {"content-type": b"application/cloudevents+json"}),
        (None, {}),
    ]


async def test_a_long_outbox_goes_out_in_turns_and_in_order(process: Process, wire: Wire) -> None:
    await decide(process.ledger, *(str(number) for number in range(2 * LIMIT + 5)))
    assert await process.relay.acknowledged(60)
    assert wire.bodies == named(*range(2 * LIMIT + 5))
    assert max(process.producer.sends) <= LIMIT


@pytest.mark.parametrize("fault", ["away", "unacknowledged", "half"])
async def test_a_broker_that_fails_costs_neither_an_event_nor_the_order(
    process: Process, wire: Wire, fault: Fault
) -> None:
    faults = [fault] * 3
    process.producer.fault = lambda: faults.pop() if faults else None
    await decide(process.ledger, "1", "2", "3", "4")
    assert await process.relay.acknowledged(60)
    assert wire.first_seen() == named(1, 2, 3, 4)
    assert not faults
    await _until_drained(process)


async def test_while_the_broker_is_away_it_says_so_and_the_outbox_keeps_everything(process: Process) -> None:
    process.producer.fault = lambda: "away"
    await decide(process.ledger, "1")
    assert not await process.relay.acknowledged(0.3)
    assert not await process.relay.drained()
    assert process.relay.ready() == "the broker is away"
    process.producer.fault = lambda: None
    assert await process.relay.acknowledged(30)
    assert process.relay.ready() is None


async def test_nobody_is_told_that_it_is_out_before_the_broker_said_so(process: Process) -> None:
    process.producer.stall.clear()
    await decide(process.ledger, "1")
    waiting = asyncio.create_task(process.relay.acknowledged(30))
    await process.producer.entered.wait()
    assert not await process.relay.acknowledged(0.05)
    assert not waiting.done()
    process.producer.stall.set()
    assert await waiting


async def test_whoever_waits_for_an_earlier_event_does_not_wait_for_later_ones(processes: Processes) -> None:
    """The broker acknowledges one turn and then nothing more: what was in that turn is out."""
    process = processes.make()
    process.producer.stall.clear()
    answers: list[Fault] = [None]
    process.producer.fault = lambda: answers.pop() if answers else "away"
    await decide(process.ledger, "1")
    waiting = asyncio.create_task(process.relay.acknowledged(30))
    await asyncio.sleep(0)  # it waits from now on, so the first turn covers it
    await process.relay.start()
    await process.producer.entered.wait()
    await decide(process.ledger, "2")
    process.producer.stall.set()
    assert await waiting
    assert not await process.relay.acknowledged(0.2)


async def test_killed_between_sending_and_forgetting_leaves_repeats_but_no_loss_and_no_disorder(
    processes: Processes, wire: Wire
) -> None:
    first = await processes.start()
    first.producer.fault = lambda: "unacknowledged"  # it arrives, and the process dies before it hears so
    await decide(first.ledger, "1", "2", "3")
    first.relay.wake()
    await wire.holds(3)
    await first.die()
    heir = await processes.start()
    await decide(heir.ledger, "4")
    heir.relay.wake()
    await wire.holds(4)
    assert wire.first_seen() == named(1, 2, 3, 4)
    assert wire.bodies[-4:] == named(1, 2, 3, 4)
    await _until_drained(heir)


async def test_killed_in_the_middle_of_a_send_loses_nothing(processes: Processes, wire: Wire) -> None:
    first = await processes.start()
    first.producer.stall.clear()
    await decide(first.ledger, "1")
    first.relay.wake()
    await first.producer.entered.wait()
    await first.die()
    assert wire.bodies == []
    await processes.start()
    await wire.holds(1)


async def test_of_two_relays_one_leads_and_the_other_sends_nothing(processes: Processes, wire: Wire) -> None:
    leader, follower = await processes.start(), await processes.start()
    await decide(leader.ledger, "1")
    assert await leader.relay.acknowledged(30)
    await decide(follower.ledger, "2")
    follower.relay.wake()
    assert await follower.relay.acknowledged(30)
    assert wire.bodies == named(1, 2)
    assert (leader.relay.leads, follower.relay.leads) == (True, False)
    assert follower.producer.sends == []
    assert (leader.relay.ready(), follower.relay.ready()) == (None, None)


async def test_who_follows_waits_until_the_broker_has_its_events(processes: Processes) -> None:
    leader, follower = await processes.start(), await processes.start()
    await decide(leader.ledger, "1")
    assert await leader.relay.acknowledged(30)
    leader.producer.stall.clear()
    await decide(follower.ledger, "2")
    follower.relay.wake()
    assert not await follower.relay.acknowledged(0.3)
    leader.producer.stall.set()
    assert await follower.relay.acknowledged(30)


async def test_when_the_leader_dies_the_other_goes_on(processes: Processes, wire: Wire) -> None:
    leader, follower = await processes.start(), await processes.start()
    await decide(leader.ledger, "1")
    await wire.holds(1)
    await leader.die()
    await decide(follower.ledger, "2")
    assert await follower.relay.acknowledged(30)
    assert wire.first_seen() == named(1, 2)
    assert follower.relay.leads


async def test_a_stop_ends_its_turn_so_that_nothing_is_sent_twice(processes: Processes, wire: Wire, base: Base) -> None:
    first, second = await processes.start(), processes.make()
    await decide(first.ledger, "1")
    first.producer.stall.clear()
    first.relay.wake()
    await first.producer.entered.wait()
    stopping = asyncio.create_task(first.relay.stop())
    await asyncio.sleep(0)
    first.producer.stall.set()
    await stopping
    assert base.leader is None
    await second.relay.start()
    await decide(second.ledger, "2")
    assert await second.relay.acknowledged(30)
    assert wire.bodies == named(1, 2)


async def test_a_stop_is_not_held_up_by_a_broker_that_never_answers(processes: Processes, base: Base) -> None:
    process = await processes.start()
    process.producer.stall.clear()
    await decide(process.ledger, "1")
    process.relay.wake()
    await process.producer.entered.wait()
    async with asyncio.timeout(30):
        await process.relay.stop()
    assert base.leader is None


async def test_while_the_base_is_away_it_waits_and_then_goes_on(process: Process, wire: Wire) -> None:
    await decide(process.ledger, "1")
    assert await process.relay.acknowledged(30)
    away = True

    def fault(step: Step) -> None:
        if away and step in {"relay", "ask"}:
            raise Unavailable("the base is away")

    process.ledger.fault = fault
    await decide(process.ledger, "2")
    assert not await process.relay.acknowledged(0.5)
    assert process.relay.ready() == "the base is away"
    assert not await process.relay.drained()
    away = False
    assert await process.relay.acknowledged(30)
    assert wire.first_seen() == named(1, 2)


async def test_followers_do_not_wake_each_other_for_ever(processes: Processes, monkeypatch: pytest.MonkeyPatch) -> None:
    """One word for what was committed, though everybody who hears it is woken, and nothing gets out."""
    spoken: list[object] = []
    followers: list[Process] = []
    for _ in range(4):
        process = await processes.start()
        tell = process.ledger.notify

        async def notify(tell: object = tell, process: Process = process) -> None:
            spoken.append(process)
            await tell()  # type: ignore[operator]

        monkeypatch.setattr(process.ledger, "notify", notify)
        followers.append(process)
    leader, writer = followers[0], followers[1]
    await decide(leader.ledger, "1")
    assert await leader.relay.acknowledged(30)
    leader.producer.stall.clear()
    await decide(writer.ledger, "2")
    writer.relay.wake()
    assert not await writer.relay.acknowledged(0.5)
    assert spoken == [writer]


async def test_where_topics_end_is_remembered_for_a_restore(process: Process) -> None:
    await decide(process.ledger, "1", "2")
    assert await process.relay.acknowledged(30)
    async with asyncio.timeout(30):
        while await process.ledger.last_published() != {("alerts.v1", 0): 2}:
            await asyncio.sleep(0.02)


async def test_its_figures_tell_how_far_it_is_behind(process: Process) -> None:
    process.producer.stall.clear()
    await decide(process.ledger, "1", "2")
    process.relay.wake()
    async with asyncio.timeout(30):
        while process.relay.waiting != 2 or process.relay.oldest_s <= 0:
            await asyncio.sleep(0.02)
        process.producer.stall.set()
        while process.relay.waiting:
            await asyncio.sleep(0.02)
    assert (process.relay.sent, process.relay.oldest_s) == (2, 0.0)
    assert process.relay.last_sent_at is not None


async def _until_drained(process: Process) -> None:
    async with asyncio.timeout(30):
        while not await process.relay.drained():
            await asyncio.sleep(0.01)
