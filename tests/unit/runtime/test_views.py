"""A view follows its topics through everything, and its barrier says when it has seen all there is. In virtual time."""

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime
from random import Random

import async_solipsism
import pytest
import structlog

from events.accounts import TeamChanged
from events.envelope import Envelope, encode
from events.topics import ACCOUNTS, PEOPLE
from runtime.broker_memory import Faults, MemoryBroker, MemoryCluster
from runtime.ports import Message, Unavailable
from runtime.records import Received
from runtime.views import Tail, View

AT = datetime(2026, 3, 1, 3, tzinfo=UTC)


class Seen(View):
    topics = (ACCOUNTS.name, PEOPLE.name)

    def __init__(self):
        self.names = []
        self.tombstones = []

    def apply(self, received: Received) -> None:
        event = received.envelope.event
        assert isinstance(event, TeamChanged)
        name = event.name
        if name == "breaks":
            raise LookupError(name)
        self.names.append(name)

    def erased(self, topic, key):
        self.tombstones.append((topic, key))


@dataclass
class World:
    faults: Faults = field(default_factory=Faults)
    view: Seen = field(default_factory=Seen)
    log = structlog.get_logger()

    def __post_init__(self):
        self.cluster = MemoryCluster(faults=self.faults)
        self.broker = MemoryBroker(self.cluster)
        self.asked = 0
        ask = self.broker.end_offsets

        async def counted(topics):
            self.asked += 1
            return await ask(topics)

        self.broker.end_offsets = counted  # type: ignore[method-assign]  # asked as before, and counted
        self.tail = Tail(self, self.view)

    def write(self, name, version):
        event = TeamChanged(team=1, name=name, at=AT)
        self.write_raw(encode(Envelope(event, event.stream, version, "accounts")))

    def write_raw(self, value, key="team-1", topic=ACCOUNTS.name):
        self.cluster.write([Message(topic, key, value)])


def virtually(story):
    """Run a story in virtual time, and end what it started."""

    async def told():
        world = World()
        await world.tail.start()
        try:
            await story(world)
        finally:
            await world.tail.stop()
            await world.broker.stop()

    loop = async_solipsism.EventLoop()
    try:
        loop.run_until_complete(told())
    finally:
        loop.close()


async def until(question):
    """Let things happen until it is so."""
    async with asyncio.timeout(60):
        while not question():
            await asyncio.sleep(0.01)


def test_history_is_read_before_it_is_ready():
    async def story(world):
        world.write("a", 1)
        world.write("b", 2)
        assert world.tail.ready() is not None
        await until(lambda: world.tail.ready() is None)
        assert world.view.names == ["a", "b"]

    virtually(story)


def test_a_repeated_version_is_applied_once():
    async def story(world):
        world.write("a", 1)
        world.write("a", 1)
        world.write("b", 2)
        world.write("a", 1)
        await world.tail.caught_up()
        assert world.view.names == ["a", "b"]

    virtually(story)


def test_unknown_malformed_and_breaking_records_are_counted_and_passed_over():
    async def story(world):
        unknown = b'{"specversion":"1.0","id":"x-1@1","source":"/alarum/x","type":"x.came","subject":"x-1","data":{}}'
        world.write_raw(unknown)
        world.write_raw(unknown)
        world.write_raw(b"no json")
        world.write("breaks", 1)
        world.write("after", 2)
        await world.tail.caught_up()
        assert world.view.names == ["after"]
        assert world.tail.skipped == {"x.came": 2, "malformed": 1, "LookupError": 1}

    virtually(story)


def test_a_tombstone_is_told():
    async def story(world):
        world.write_raw(None, key="person-7", topic=PEOPLE.name)
        await world.tail.caught_up()
        assert world.view.tombstones == [(PEOPLE.name, "person-7")]
        assert world.view.names == []

    virtually(story)


def test_the_barrier_waits_for_what_was_written_before_it():
    async def story(world):
        world.faults.delay_s = 0.3
        for version in range(1, 20):
            world.write(f"n{version}", version)
            await world.tail.caught_up()
            assert world.view.names[-1] == f"n{version}"

    virtually(story)


def test_who_asks_while_a_barrier_looks_still_gets_what_was_written_since():
    async def story(world):
        world.faults.random, world.faults.delay_s = Random(3), 0.2

        async def writes_and_asks(version):
            await asyncio.sleep(version * 0.013)
            world.write(f"n{version}", version)
            await world.tail.caught_up()
            assert f"n{version}" in world.view.names

        await until(lambda: world.tail.ready() is None)
        await asyncio.gather(*(writes_and_asks(version) for version in range(1, 60)))

    virtually(story)


def test_a_thousand_who_ask_at_once_make_few_questions():
    async def story(world):
        await until(lambda: world.tail.ready() is None)
        before, began = world.asked, asyncio.get_running_loop().time()
        await asyncio.gather(*(world.tail.caught_up() for _ in range(1000)))
        for _ in range(20):
            await world.tail.caught_up()
        took = asyncio.get_running_loop().time() - began
        assert world.asked - before <= 22
        assert took >= 1.9  # twenty-one one after another, ten a second at most

    virtually(story)


def test_a_frozen_broker_is_unavailable_within_two_seconds_and_recovers():
    async def story(world):
        await until(lambda: world.tail.ready() is None)
        world.faults.freeze()
        began = asyncio.get_running_loop().time()
        with pytest.raises(Unavailable):
            await world.tail.caught_up()
        assert asyncio.get_running_loop().time() - began <= 2.1
        assert world.tail.ready() is None  # it knows what it knew
        world.faults.thaw()
        world.write("back", 1)
        await world.tail.caught_up()
        assert world.view.names == ["back"]

    virtually(story)


def test_started_while_the_broker_is_away_it_is_ready_once_it_came():
    async def story(world):
        world.faults.freeze()
        world.write("a", 1)
        await asyncio.sleep(30)
        assert world.tail.ready() is not None
        world.faults.thaw()
        await until(lambda: world.tail.ready() is None)
        assert world.view.names == ["a"]

    virtually(story)


def test_polls_that_fail_lose_nothing():
    async def story(world):
        world.faults.poll_errors = 0.5
        for version in range(1, 50):
            world.write(f"n{version}", version)
            await asyncio.sleep(0.05)
        world.faults.poll_errors = 0
        await world.tail.caught_up()
        assert world.view.names == [f"n{version}" for version in range(1, 50)]

    virtually(story)
