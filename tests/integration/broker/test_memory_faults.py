"""The broker in memory, in virtual time: the same seed gives the same night, and what goes wrong is what may go wrong."""

import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import TypeVar

import async_solipsism
import pytest

from runtime.broker_memory import Faults, MemoryBroker, MemoryCluster
from runtime.ports import PositionLost, Unavailable
from tests.integration.broker.conftest import CELLS, NARROW, TOPICS, WIDE, Seats, messages, polled, reads, values

T = TypeVar("T")


def in_virtual_time(story: Callable[[], Awaitable[T]]) -> T:
    loop = async_solipsism.EventLoop()
    try:
        told: T = loop.run_until_complete(story())
        return told
    finally:
        loop.close()


def a_night(seed: int) -> list[str]:
    async def story() -> list[str]:
        faults = Faults(Random(seed), delay_s=0.5, duplicates=0.2, poll_errors=0.2, send_errors=0.2)
        cluster = MemoryCluster(TOPICS, faults=faults)
        broker, told = MemoryBroker(cluster), list[str]()
        tail = broker.tail([WIDE.name])
        await tail.start()

        async def write() -> None:
            for number in range(30):
                try:
                    await broker.producer.send(messages(WIDE, (f"alert-{number % 5}", f"{number}")))
                except Unavailable:
                    told.append(f"{number} in doubt")
            faults.send_errors = 0
            await broker.producer.send(messages(WIDE, ("alert-0", "last")))

        async def read() -> None:
            seen: set[str | None] = set()
            while "last" not in seen:
                records = await polled(tail, 1)
                told.extend(f"{asyncio.get_running_loop().time():.3f} {value}" for value in values(records))
                seen.update(values(records))

        await asyncio.gather(write(), read())
        await broker.stop()
        await cluster.stop()
        return told

    return in_virtual_time(story)


def test_the_same_seed_gives_the_same_night() -> None:
    nights = [a_night(seed) for seed in (1, 1, 2)]
    assert nights[0] == nights[1]
    assert nights[0] != nights[2]


def test_what_was_in_doubt_is_written_all_the_same() -> None:
    told = a_night(3)
    doubted = {line.split()[0] for line in told if line.endswith("in doubt")}
    read = {line.split()[1] for line in told if not line.endswith("in doubt")}
    assert doubted
    assert read == {f"{number}" for number in range(30)} | {"last"}


def test_a_duplicate_repeats_a_whole_call_behind_itself() -> None:
    async def story() -> list[str | None]:
        cluster = MemoryCluster(TOPICS, faults=Faults(duplicates=1.0))
        broker = MemoryBroker(cluster)
        await broker.producer.send(messages(NARROW, ("a", "1"), ("a", "2")))
        await broker.stop()
        return values(cluster.records(NARROW.name))

    assert in_virtual_time(story) == ["1", "2", "1", "2"]


def test_a_frozen_night_passes_at_once_and_loses_nothing() -> None:
    async def story() -> tuple[float, list[str | None]]:
        cluster = MemoryCluster(TOPICS)
        broker = MemoryBroker(cluster)
        tail = broker.tail([NARROW.name])
        await tail.start()
        cluster.faults.freeze()
        with pytest.raises(Unavailable):
            await broker.producer.send(messages(NARROW, ("a", "1")))
        with pytest.raises(Unavailable):
            await broker.end_offsets([NARROW.name])
        assert await tail.poll(30) == []
        await asyncio.sleep(8 * 3600)
        assert broker.producer.oldest_unacknowledged_s() > 8 * 3600
        cluster.faults.thaw()
        records = await reads(tail, bool)
        await broker.stop()
        return asyncio.get_running_loop().time(), values(records)

    passed, read = in_virtual_time(story)
    assert passed > 8 * 3600
    assert read == ["1"]


def test_compaction_keeps_the_last_of_each_key_and_its_offset() -> None:
    async def story() -> list[tuple[int, str | None]]:
        cluster = MemoryCluster(TOPICS)
        broker = MemoryBroker(cluster)
        await broker.producer.send(messages(CELLS, ("a", "1"), ("b", "2"), ("a", "3")))
        cluster.compact(CELLS.name)
        tail = broker.tail([CELLS.name])
        await tail.start()
        records = await reads(tail, lambda taken: len(taken) == 2)
        await broker.stop()
        return [(record.offset, value) for record, value in zip(records, values(records), strict=True)]

    assert in_virtual_time(story) == [(1, "2"), (2, "3")]


def test_records_that_were_deleted_before_they_were_read_stop_the_reader() -> None:
    async def story() -> None:
        cluster = MemoryCluster(TOPICS)
        broker = MemoryBroker(cluster)
        await broker.producer.send(messages(NARROW, ("a", "1"), ("a", "2")))
        cluster.truncate((NARROW.name, 0), 1)
        member = broker.member([NARROW.name], "g", "g-0", Seats())
        await member.start()
        await asyncio.sleep(0)
        with pytest.raises(PositionLost):
            await reads(member, bool)
        await broker.stop()
        await cluster.stop()

    in_virtual_time(story)


def test_a_member_that_stays_away_loses_its_partitions_to_the_other() -> None:
    async def story() -> tuple[set[tuple[str, int]], float]:
        cluster = MemoryCluster(TOPICS)
        broker = MemoryBroker(cluster)
        seats = [Seats(), Seats()]
        members = [broker.member([WIDE.name], "g", f"g-{number}", seat) for number, seat in enumerate(seats)]
        for member in members:
            await member.start()
        while not (len(seats[0].held) == len(seats[1].held) == 2):
            for member in members:
                await polled(member, 0.1)
        await members[1].stop()
        left = asyncio.get_running_loop().time()
        while len(seats[0].held) < 4:
            await polled(members[0], 0.1)
        await members[0].stop()
        await cluster.stop()
        return seats[0].held, asyncio.get_running_loop().time() - left

    held, took = in_virtual_time(story)
    assert held == {(WIDE.name, number) for number in range(4)}
    assert took >= 6
