"""The outbox: what was decided waits there, in an order that readers can rely on, for the one relay that leads."""

import asyncio
import random
from collections import defaultdict

import pytest

from runtime.ports import Ledger, OutboxLine, Unavailable
from tests.integration.ledger.facts import head, line, write


def names(lines: list[OutboxLine]) -> list[str]:
    return [f"{each.line.stream}@{each.line.version}" for each in lines]


async def test_what_was_decided_waits_in_the_order_of_its_writing(ledger: Ledger) -> None:
    await write(ledger, line("alert-9", 1), line("alert-1", 1), line("alert-9", 2))
    await write(ledger, line("alert-1", 2))
    await ledger.lead()
    waiting = await ledger.outbox([], 10)
    assert names(waiting) == ["alert-9@1", "alert-1@1", "alert-9@2", "alert-1@2"]
    assert [each.seq for each in waiting] == sorted(each.seq for each in waiting)
    assert waiting[0].line == line("alert-9", 1)


async def test_lines_wait_until_they_are_acknowledged_and_no_longer(ledger: Ledger) -> None:
    await write(ledger, *(line("alert-1", version) for version in range(1, 6)))
    await ledger.lead()
    first = await ledger.outbox([], 2)
    assert names(await ledger.outbox([], 2)) == names(first) == ["alert-1@1", "alert-1@2"]
    assert names(await ledger.outbox([first[0].seq, first[1].seq], 2)) == ["alert-1@3", "alert-1@4"]
    rest = await ledger.outbox([], 10)
    assert names(rest) == ["alert-1@3", "alert-1@4", "alert-1@5"]
    assert await ledger.outbox([each.seq for each in rest], 10) == []
    assert await ledger.outbox([], 10) == []
    async with ledger.begin() as tx:
        assert len(await tx.history("alert-1")) == 5


async def test_a_visible_version_implies_the_one_before_with_a_smaller_number(ledger: Ledger, other: Ledger) -> None:
    """Two processes, few streams, batches that wait for each other: whatever is read at any moment has no hole."""
    published: dict[str, list[int]] = defaultdict(list)
    chance, busy = random.Random(4), 4

    async def decide(by: Ledger) -> None:
        nonlocal busy
        for _ in range(30):
            streams = [f"alert-{number}" for number in chance.sample(range(6), 3)]
            async with by.begin() as tx:
                known = await tx.lock(streams)
                await asyncio.sleep(0.001 * chance.random())
                lines = [line(stream, known[stream].version + 1) for stream in streams]
                await tx.append(lines, [head(each.stream, each.version) for each in lines])
        busy -= 1

    async def relay() -> None:
        await ledger.lead()
        acknowledged: list[int] = []
        while True:
            over = busy == 0
            lines = await ledger.outbox(acknowledged, 7)
            for each in lines:
                published[each.line.stream].append(each.line.version)
            acknowledged = [each.seq for each in lines]
            if over and not lines:
                return
            await asyncio.sleep(0)

    await asyncio.gather(decide(ledger), decide(ledger), decide(other), decide(other), relay())
    assert sum(len(versions) for versions in published.values()) == 360
    for versions in published.values():
        assert versions == list(range(1, len(versions) + 1))


async def test_a_process_knows_what_it_wrote_and_what_still_waits(ledger: Ledger, other: Ledger) -> None:
    await write(ledger, line("alert-1", 1), line("alert-1", 2))
    await ledger.lead()
    first, second = await ledger.outbox([], 10)
    assert (ledger.written(), other.written()) == (second.seq, 0)
    assert await other.first_waiting() == first.seq
    assert (await other.outbox_lag())[0] == 2
    await ledger.outbox([first.seq], 10)
    assert await other.first_waiting() == second.seq
    await ledger.outbox([second.seq], 10)
    assert await other.first_waiting() is None
    assert await other.outbox_lag() == (0, 0.0)


async def test_one_process_leads_and_the_other_reads_nothing(ledger: Ledger, other: Ledger) -> None:
    await write(ledger, line("alert-1", 1))
    assert await ledger.lead()
    assert await ledger.lead()
    assert not await other.lead()
    with pytest.raises(Unavailable):
        await other.outbox([], 10)
    with pytest.raises(Unavailable):
        await other.outbox([ledger.written()], 10)
    assert names(await ledger.outbox([], 10)) == ["alert-1@1"]


async def test_who_resigns_lets_another_lead(ledger: Ledger, other: Ledger) -> None:
    assert await ledger.lead()
    await ledger.resign()
    with pytest.raises(Unavailable):
        await ledger.outbox([], 10)
    async with asyncio.timeout(10):
        while not await other.lead():
            await asyncio.sleep(0.01)
    assert not await ledger.lead()
