"""Seeded nights: forty alerts, six people, ten faults. Whatever goes wrong, the laws hold when morning comes."""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from events.escalator import EscalationEnded, EscalationHalted, EscalationLevelReached, EscalationStarted
from events.ingest import (
    AlertAccepted,
    AlertCommented,
    AlertCreated,
    AlertRepeated,
    AlertResolved,
    SignalDropped,
)
from events.notifier import (
    MessageComposed,
    NotificationFailed,
    NotificationQueued,
    NotificationSent,
    NotificationSuppressed,
)
from tests.simulation.town import Town, in_virtual_time

ALERTS, PEOPLE, FAULTS = 40, 6, 10
NIGHT = timedelta(hours=4)
SECOND = timedelta(seconds=1)

# From the gate's question to the commit that follows it: what is acknowledged in between, nobody can have known.
GATES_BLINK = timedelta(seconds=2)
# What a level may be late by without a fault: a sweep, a gate and a broker that takes its time.
LATE = timedelta(seconds=5)

Fault = Callable[[Town], Awaitable[None]]


async def kill_a_process(town: Town) -> None:
    node = town.nodes[town.random.choice(sorted(town.nodes))]
    await node.kill()
    await asyncio.sleep(town.random.uniform(0, 90))
    await node.start()


async def freeze_the_broker(town: Town) -> None:
    town.faults.freeze()
    await asyncio.sleep(town.random.uniform(1, 40))
    town.faults.thaw()


async def take_a_base_away(town: Town) -> None:
    disk = town.disks[town.random.choice(["ingest", "escalator", "notifier"])]
    disk.away = True
    await asyncio.sleep(town.random.uniform(1, 60))
    disk.away = False


async def close_the_post_office(town: Town) -> None:
    town.mailbox.away = True
    await asyncio.sleep(town.random.uniform(10, 150))
    town.mailbox.away = False


async def lose_acknowledgements(town: Town) -> None:
    town.faults.send_errors = 0.2
    await asyncio.sleep(town.random.uniform(5, 60))
    town.faults.send_errors = 0.0


MENU: tuple[Fault, ...] = (
    kill_a_process,
    freeze_the_broker,
    take_a_base_away,
    close_the_post_office,
    lose_acknowledgements,
)


@dataclass
class Night:
    """What a night left behind."""

    town: Town
    troubles: list[tuple[datetime, datetime]]

    def of(self, *kinds: type) -> Iterator[object]:
        return (one.event for one in self.town.envelopes() if isinstance(one.event, kinds))

    def troubled(self, start: datetime, end: datetime) -> bool:
        return any(began <= end and start <= ended + LATE for began, ended in self.troubles)


async def live_through(seed: int) -> Night:
    town = Town(seed)
    town.faults.delay_s, town.faults.poll_errors = 0.2, 0.01
    await town.start()
    people = [await town.user(f"Person{number}") for number in range(PEOPLE)]
    keys = [
        await town.source(
            await town.policy(*((town.random.randint(1, 5), [town.random.choice(people)]) for _ in range(3)))
        )
        for _ in range(4)
    ]
    night = Night(town, [])
    lives = [asyncio.create_task(one_alert(town, keys, people, number)) for number in range(ALERTS)]
    troubles = [asyncio.create_task(one_trouble(night)) for _ in range(FAULTS)]
    await asyncio.gather(*lives, *troubles)
    await morning(town)
    return night


async def one_alert(town: Town, keys: list[str], people: list[int], number: int) -> None:
    """A tool complains, perhaps again; somebody may accept; it may recover."""
    await asyncio.sleep(town.random.uniform(0, NIGHT.total_seconds() / 2))
    key, name = town.random.choice(keys), f"alert-{number}"
    await town.post_until_taken(key, summary=name, alertKey=name)
    for _ in range(town.random.choice([0, 0, 1, 3])):
        await asyncio.sleep(town.random.uniform(0, 60))
        await town.post_until_taken(key, summary=name, alertKey=name)
    if town.random.random() < 0.6:
        await asyncio.sleep(town.random.uniform(0, 600))
        await accept(town, name, town.random.choice(people))
    if town.random.random() < 0.5:
        await asyncio.sleep(town.random.uniform(0, 600))
        await town.post_until_taken(key, eventType="RESOLVE", alertKey=name)


async def accept(town: Town, name: str, user: int) -> None:
    created = [one for one in town.envelopes("alerts.v1") if isinstance(one.event, AlertCreated)]
    for one in created:
        if isinstance(one.event, AlertCreated) and one.event.alert_key == name:
            while True:
                try:
                    await town.accept(one.event.alert, user)
                    return
                except ConnectionError:
                    await asyncio.sleep(1)


async def one_trouble(night: Night) -> None:
    town = night.town
    await asyncio.sleep(town.random.uniform(60, NIGHT.total_seconds() / 2))
    began = town.clock.now()
    await town.random.choice(MENU)(town)
    night.troubles.append((began, town.clock.now()))


async def morning(town: Town) -> None:
    """Until nothing is left to do: every climb over, every queued notification at its end."""
    await asyncio.sleep(NIGHT.total_seconds() / 2)

    def quiet() -> bool:
        story = town.envelopes()
        queued = {one.event.notification for one in story if isinstance(one.event, NotificationQueued)}
        ended = {
            one.event.notification
            for one in story
            if isinstance(one.event, NotificationSent | NotificationFailed | NotificationSuppressed)
        }
        return queued == ended

    await town.until(quiet)


@pytest.mark.parametrize("seed", range(5))
def test_whatever_goes_wrong_the_laws_hold(seed: int) -> None:
    async def through() -> None:
        night = await live_through(seed)
        try:
            every_signal_is_in_one_alert_or_has_a_reason(night)
            no_level_after_an_acceptance_was_acknowledged(night)
            no_message_after_an_acceptance_was_acknowledged(night)
            every_level_comes_at_its_time(night)
            every_notification_ends_once(night)
            every_person_reached_is_told_or_it_is_said_why_not(night)
        finally:
            await night.town.stop()

    in_virtual_time(through)


def every_signal_is_in_one_alert_or_has_a_reason(night: Night) -> None:
    found: Counter[str] = Counter()
    for event in night.of(AlertCreated, AlertRepeated, AlertAccepted, AlertResolved, AlertCommented, SignalDropped):
        match event:
            case AlertRepeated(signals=signals):
                found.update(signals)
            case AlertCreated(signal=str(signal)) | AlertResolved(signal=str(signal)) | SignalDropped(signal=signal):
                found[signal] += 1
            case _:
                pass
    lost = {signal: key for signal, key in night.town.posted.items() if signal not in found}
    assert not lost, f"lost: {lost}"
    assert [signal for signal, times in found.items() if times > 1] == []


def no_level_after_an_acceptance_was_acknowledged(night: Night) -> None:
    late = [
        event
        for event in night.of(EscalationLevelReached)
        if isinstance(event, EscalationLevelReached)
        and not event.gate_timed_out
        and event.alert in night.town.accepted
        and event.at > night.town.accepted[event.alert] + GATES_BLINK
    ]
    assert late == []


def no_message_after_an_acceptance_was_acknowledged(night: Night) -> None:
    late = [
        (event, carried)
        for event in night.of(MessageComposed)
        if isinstance(event, MessageComposed)
        for carried in event.carries
        if carried.alert in night.town.accepted and event.at > night.town.accepted[carried.alert] + GATES_BLINK
    ]
    assert late == []


def every_level_comes_at_its_time(night: Night) -> None:
    """Never early; late only while something was broken. A level that never came must have been stopped."""
    due: dict[int, datetime | None] = {}
    stopped: dict[int, datetime] = {}
    for event in night.of(EscalationStarted, EscalationLevelReached, EscalationHalted, EscalationEnded):
        match event:
            case EscalationStarted(alert=alert, begins_at=begins_at):
                due[alert] = begins_at
            case EscalationLevelReached(alert=alert, at=at, next_at=next_at):
                expected = due[alert]
                assert expected is not None
                assert at >= expected - SECOND, f"level of alert {alert} came early"
                assert at <= expected + LATE or night.troubled(expected, at), f"level of alert {alert} came late"
                due[alert] = next_at
            case EscalationHalted(alert=alert, at=at) | EscalationEnded(alert=alert, at=at):
                stopped[alert] = at
            case _:
                pass
    assert set(due) == set(stopped), "every climb has an end"


def every_notification_ends_once(night: Night) -> None:
    ends: dict[int, list[str]] = defaultdict(list)
    for event in night.of(NotificationSent, NotificationFailed, NotificationSuppressed):
        if isinstance(event, NotificationSent | NotificationFailed | NotificationSuppressed):
            ends[event.notification].append(type(event).__name__)
    assert {number: fates for number, fates in ends.items() if len(fates) != 1} == {}


def every_person_reached_is_told_or_it_is_said_why_not(night: Night) -> None:
    queued = {
        (event.alert, event.user, event.run, event.level)
        for event in night.of(NotificationQueued)
        if isinstance(event, NotificationQueued)
    }
    reached = {
        (event.alert, responder.user, event.run, event.level)
        for event in night.of(EscalationLevelReached)
        if isinstance(event, EscalationLevelReached)
        for responder in event.responders
    }
    assert reached == queued
