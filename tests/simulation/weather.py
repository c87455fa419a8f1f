"""What stands between processes in random nights: a broker that reorders, clocks that are wrong, and where a process dies.

Weather: topics overtake each other, some stand still for a while      Watch: one process' clock
Doom: the step at which a process dies                                  Outbox: when everything was truly decided
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any

from events.topics import TOPICS
from runtime.broker_memory import Faults, MemoryBroker, MemoryCluster, MemoryProducer
from runtime.clock import LoopClock
from runtime.ports import Message, Place, Record, Unavailable, Written
from runtime.records import Received, decode_record

PARTITIONS = 3
"""Of each busy topic: as many as there may be replicas, few enough to look at them all the time."""


class Weather(MemoryCluster):
    """A cluster whose partitions are read in an order of its own, and whose topics may be held back from readers.

    `story` is everything that was published, decoded once, repeats left out; `copies` counts all publications.
    """

    def __init__(self, faults: Faults, start: datetime, random: Random) -> None:
        topics = [replace(topic, partitions=min(topic.partitions, PARTITIONS)) for topic in TOPICS]
        super().__init__(topics, faults=faults, start=start)
        self.story: list[Received] = []
        self._random = random
        self._published: set[str] = set()
        self._held: dict[str, float] = {}
        self._asking: Mapping[Place, int] = {}
        self._sleepers: dict[asyncio.Event, Mapping[Place, int]] = {}

    def hold(self, topic: str, for_s: float) -> None:
        """What is in this topic is not handed to anybody for some seconds; where it ends is told truly."""
        loop = asyncio.get_running_loop()
        self._held[topic] = loop.time() + for_s
        loop.call_later(for_s + 0.001, self.wake)

    def read(self, positions: Mapping[Place, int], limit: int) -> list[Record]:
        self._asking = positions
        now = asyncio.get_running_loop().time()
        waiting = [
            place
            for place, position in positions.items()
            if self._logs[place].end != position and self._held.get(place[0], 0.0) <= now
        ]
        if len(waiting) > 1:
            self._random.shuffle(waiting)
        return super().read({place: positions[place] for place in waiting}, limit) if waiting else []

    async def grows(self) -> None:
        """Wait until there is something for who has just read: nobody is woken for what others read."""
        woken = asyncio.Event()
        self._sleepers[woken] = self._asking
        try:
            await woken.wait()
        finally:
            del self._sleepers[woken]

    def wake(self) -> None:
        for woken in self._sleepers:
            woken.set()

    def write(self, messages: Sequence[Message]) -> list[Written]:
        at = self._start + timedelta(seconds=asyncio.get_running_loop().time())
        written = [self._append(message, at) for message in messages]
        for one in written:
            place = (one.topic, one.partition)
            self._tell(self._logs[place].records[one.offset])
            for woken, positions in self._sleepers.items():
                if place in positions:
                    woken.set()
        return written

    def _tell(self, record: Record) -> None:
        received = decode_record(record)
        if received is not None and received.envelope.id not in self._published:
            self._published.add(received.envelope.id)
            self.story.append(received)


@dataclass
class Watch:
    """A process' clock, which may be `ahead` of the time that truly is."""

    true: LoopClock
    ahead: timedelta = timedelta()

    def now(self) -> datetime:
        return self.true.now() + self.ahead


class Outbox(dict[int, Any]):
    """A base's outbox that remembers when each event was committed, by the time that truly is."""

    def __init__(self) -> None:
        super().__init__()
        self.decided: dict[str, datetime] = {}

    def __setitem__(self, seq: int, waiting: Any) -> None:
        super().__setitem__(seq, waiting)
        self.decided[f"{waiting.line.stream}@{waiting.line.version}"] = waiting.since


STEPS = ("begin", "commit", "committed", "send", "sent", "mail", "mailed")
"""Where a process can be told to die: around a transaction, a publication and a mail."""


@dataclass
class Doom:
    """A process dies when it comes to `step` for the `left`-th time: from then on nothing that it does comes to anything."""

    met: asyncio.Event = field(default_factory=asyncio.Event)
    step: str = ""
    left: int = 0

    def at(self, step: str, left: int) -> None:
        self.step, self.left = step, left

    def come(self, step: str) -> None:
        """The process comes to a step. Raises `Unavailable` where it is its last, and ever after."""
        if step == self.step:
            self.left -= 1
            if self.left == 0:
                self.met.set()
        if self.met.is_set():
            raise Unavailable("this process is dying")


class DoomedProducer(MemoryProducer):
    """A process' producer: what it sends after its end is written by nobody."""

    def __init__(self, cluster: MemoryCluster, patience_s: float, doom: Doom) -> None:
        super().__init__(cluster, patience_s)
        self._doom = doom

    async def send(self, messages: Sequence[Message]) -> list[Written]:
        if not messages:
            return []
        self._doom.come("send")
        written = await super().send(messages)
        self._doom.come("sent")
        return written


class DoomedBroker(MemoryBroker):
    """A process' way to the cluster."""

    def __init__(self, cluster: MemoryCluster, doom: Doom) -> None:
        super().__init__(cluster)
        self._producer = DoomedProducer(cluster, 10.0, doom)
