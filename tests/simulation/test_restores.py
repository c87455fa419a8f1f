"""Bases that are lost or put back in the middle of a storm: every signal ends once, and nobody is paged for the past.

Alerts come several a second while a worker is killed between any two steps, its base dropped or replaced by an older copy,
and started again.
"""

import asyncio
import copy
from collections import Counter
from dataclasses import fields

import pytest

from events.ingest import AlertCreated, AlertRepeated, SignalDropped
from events.notifier import MessageComposed, NotificationQueued
from runtime import bookmarks
from runtime.ledger_memory import Base
from runtime.relay import Relay
from tests.simulation.town import Town, in_virtual_time

ALERTS, LOSSES = 40, 2
MANY_ALERTS, MANY_LOSSES = 300, 12
EVERY_S = 0.25
SHARED = {"turn", "whose", "leader", "processes"}
"""What of a base is not stored."""


def stored(base: Base) -> dict[str, object]:
    """What a backup holds."""
    return {one.name: copy.copy(getattr(base, one.name)) for one in fields(Base) if one.name not in SHARED}


def heads(base: Base) -> dict[str, tuple[int, bytes | None, object]]:
    return {head.stream: (head.version, head.state, head.due_at) for head in base.heads.values() if head.version}


async def lose(town: Town, service: str, backup: dict[str, object] | None) -> None:
    """The worker and its desk die, the base is gone (or the backup is put back), and both start again."""
    desk = town.desks.get(service)
    for relay in (town.nodes[service].parts[0], desk and desk.relay):
        if isinstance(relay, Relay):
            relay._bookmarks = None
    await town.nodes[service].kill()
    if desk is not None:
        await desk.relay.stop()
    town.disks[service].base = Base(**(backup or {}))  # type: ignore[arg-type]
    if desk is not None:
        await town.open_desk(service)
    await town.nodes[service].start()


async def storm(seed: int, service: str, alerts: int, losses: int, *, from_backup: bool) -> Town:
    town = Town(seed)
    town.faults.delay_s = 0.02
    await town.start()
    user = await town.user("Ada")
    keys = [await town.source(await town.policy((30, [user]))) for _ in range(3)]
    await town.until(lambda: town.cluster.records(f"{service}.positions.v1"))
    posting = asyncio.create_task(_post_all(town, keys, alerts))
    for _ in range(losses):
        await asyncio.sleep(town.random.uniform(2, 4))
        backup = stored(town.disks[service].base) if from_backup else None
        await asyncio.sleep(town.random.uniform(1, 3))
        await lose(town, service, backup)
    await posting
    await town.until(lambda: len(_ends(town)) >= alerts and _quiet(town, alerts))
    return town


async def _post_all(town: Town, keys: list[str], alerts: int) -> None:
    for number in range(alerts):
        await town.post_until_taken(town.random.choice(keys), summary=f"alert {number}")
        await asyncio.sleep(EVERY_S)


def _ends(town: Town) -> Counter[str]:
    """How often each signal ended."""
    ends: Counter[str] = Counter()
    for envelope in town.envelopes("alerts.v1"):
        match envelope.event:
            case AlertCreated(signal=str(signal)) | SignalDropped(signal=signal):
                ends[signal] += 1
            case AlertRepeated(signals=signals):
                ends.update(signals)
            case _:
                pass
    return ends


def _quiet(town: Town, alerts: int) -> bool:
    return len(_pages(town)) >= alerts and not any(disk.base.outbox for disk in town.disks.values())


def _pages(town: Town) -> Counter[int]:
    """How many notifications were planned for each alert."""
    return Counter(one.event.alert for one in town.envelopes() if isinstance(one.event, NotificationQueued))


@pytest.mark.parametrize(
    ("service", "from_backup"),
    [("ingest", False), ("escalator", True), ("notifier", False)],
    ids=["ingest-dropped", "escalator-older-backup", "notifier-dropped"],
)
def test_a_base_that_is_lost_in_a_storm_costs_no_alert_and_pages_nobody_twice(
    service: str, *, from_backup: bool
) -> None:
    in_virtual_time(lambda: _live_through(7, service, ALERTS, LOSSES, from_backup=from_backup))


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("from_backup", [False, True], ids=["dropped", "older-backup"])
@pytest.mark.parametrize("service", ["ingest", "escalator", "notifier"])
def test_nor_do_a_dozen_losses_in_a_longer_storm(service: str, seed: int, *, from_backup: bool) -> None:
    in_virtual_time(lambda: _live_through(seed, service, MANY_ALERTS, MANY_LOSSES, from_backup=from_backup))


async def _live_through(seed: int, service: str, alerts: int, losses: int, *, from_backup: bool) -> None:
    town = await storm(seed, service, alerts, losses, from_backup=from_backup)
    assert _ends(town) == dict.fromkeys(town.posted, 1)
    assert set(_pages(town).values()) == {1}
    assert len(_pages(town)) == alerts
    composed = Counter(
        carried.notification
        for one in town.envelopes()
        if isinstance(one.event, MessageComposed)
        for carried in one.event.carries
    )
    assert set(composed.values()) == {1}
    lived = town.disks[service].base
    await lose(town, service, None)
    await town.until(lambda: not _doubts(town, service) and _positions(town, service) == _of(lived, service))
    assert heads(town.disks[service].base) == heads(lived)
    await town.stop()


def _doubts(town: Town, service: str) -> bool:
    return any(name == bookmarks.DOUBTED for name, _ in town.disks[service].base.entries)


def _positions(town: Town, service: str) -> dict[object, int]:
    return _of(town.disks[service].base, service)


def _of(base: Base, service: str) -> dict[object, int]:
    return {place: position for (reader, place), position in base.positions.items() if reader == f"{service}.worker"}
