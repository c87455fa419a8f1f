"""Pictures in memory: in come topics, read without a group from their start, out comes what a role believes right now.

    starting --passed the ends read at start--> ready --broker away--> ready (stale, says so) --back--> ready

A view is never saved: a restart reads again. Its barrier answers «is there anything that I have not seen yet?».
"""

import asyncio
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Mapping
from typing import Final, Protocol

from structlog.stdlib import BoundLogger

from events.envelope import MalformedEvent, UnknownEvent
from runtime import metrics
from runtime.ports import Broker, Place, PositionLost, Reader, Record, Unavailable
from runtime.records import Received, decode_record
from runtime.role import Background

POLL_S = 1.0
BARRIER_S: Final = 2.0
BETWEEN_BARRIERS_S: Final = 0.1
RETRY_S: Final = (0.1, 0.2, 0.5, 1.0)


class Surroundings(Protocol):
    """What a tail needs of the shell."""

    @property
    def broker(self) -> Broker: ...

    @property
    def log(self) -> BoundLogger: ...


class View(ABC):
    """What a role believes, built from events. Duplicates and unknown types never reach `apply`."""

    topics: tuple[str, ...]

    @abstractmethod
    def apply(self, received: Received) -> None:
        """Take in one event; in order within its stream."""

    def erased(self, topic: str, key: str) -> None:  # noqa: B027 (only compacted topics have tombstones)
        """A tombstone: what this key stood for is gone."""


class Tail:
    """Runs one view. Lives through everything: while the broker is away the picture stands still."""

    def __init__(self, shell: Surroundings, view: View, *, from_end: bool = False) -> None:
        """`from_end`: only what comes from now on (live pages), not the history."""
        self.view = view
        self.skipped: Counter[str] = Counter()
        self._shell, self._from_end = shell, from_end
        self._positions: dict[Place, int] = {}
        self._versions: dict[str, int] = {}
        self._missing: dict[Place, int] | None = None
        self._moved = asyncio.Condition()
        self._background = Background()
        self._barriers = Barriers(self)

    async def start(self) -> None:
        """Begin to read in the background; returns at once, also while the broker is away."""
        self._background.forever(self._live(), f"tail {','.join(self.view.topics)}")

    async def stop(self) -> None:
        await self._barriers.stop()
        await self._background.stop()

    def ready(self) -> str | None:
        """None once what the topics held at start was read, else why not."""
        if self._missing is None:
            return f"{', '.join(self.view.topics)}: the broker was not reached yet"
        behind = {place: end for place, end in self._missing.items() if self._position(place) < end}
        if not behind:
            return None
        return f"{sum(end - self._position(place) for place, end in behind.items())} records to read"

    async def caught_up(self, timeout_s: float = BARRIER_S) -> None:
        """Return once everything is applied that the topics held when this was called.

        Raises `Unavailable` when the broker is away, or after `timeout_s`.
        """
        await self._barriers.wait(timeout_s)

    async def ends(self) -> dict[Place, int]:
        """Where the topics end now. Raises `Unavailable`."""
        return await self._shell.broker.end_offsets(self.view.topics)

    async def passed(self, ends: Mapping[Place, int]) -> None:
        """Wait until all before these offsets is applied."""
        async with self._moved:
            await self._moved.wait_for(lambda: all(self._position(place) >= end for place, end in ends.items()))

    # -- reading

    async def _live(self) -> None:
        failures = 0
        while True:
            before = dict(self._positions)
            try:
                await self._follow()
            except Unavailable as away:
                self._shell.log.info("view waits for the broker", topics=self.view.topics, reason=str(away))
            except PositionLost as lost:  # the topic was made anew: everything in it is news
                self._shell.log.warning("view starts over", topics=self.view.topics, reason=str(lost))
                self._positions.clear()
                self._versions.clear()
            except Exception:  # a view never dies: it reads again with a new reader
                self._shell.log.exception("view reads again", topics=self.view.topics)
            failures = 1 if before != self._positions else failures + 1
            await asyncio.sleep(RETRY_S[min(failures, len(RETRY_S)) - 1])

    async def _follow(self) -> None:
        """Read until the reader fails. A second reader starts over; what is before our positions is not taken again."""
        reader = self._shell.broker.tail(self.view.topics, self._from_end)
        try:
            await reader.start()
            await self._orient()
            while True:
                await self._take(await self._poll(reader))
        finally:
            await reader.stop()

    async def _orient(self) -> None:
        """Know where reading begins and what must be read before this view is ready.

        The end offset of a topic is always one past a record that can be read: the broker never compacts the active
        segment, so that a position reaches the end without gaps to guess at.
        """
        broker, topics = self._shell.broker, self.view.topics
        ends = await broker.end_offsets(topics)
        begins = ends if self._from_end else await broker.begin_offsets(topics)
        for place, begin in begins.items():
            self._positions[place] = max(begin, self._position(place))
        if self._missing is None:
            self._missing = ends
        await self._tell()

    async def _poll(self, reader: Reader) -> list[Record]:
        """A reader whose broker is away recovers by itself."""
        try:
            return await reader.poll(POLL_S)
        except Unavailable:
            await asyncio.sleep(RETRY_S[1])
            return []

    async def _take(self, records: list[Record]) -> None:
        for record in records:
            if record.offset >= self._position(record.place):
                self._take_one(record)
                self._positions[record.place] = record.offset + 1
        if records:
            await self._tell()
        await asyncio.sleep(0)

    def _take_one(self, record: Record) -> None:
        try:
            if record.value is None:
                self.view.erased(record.topic, record.key)
            elif received := decode_record(record, self._skip):
                self._apply(received)
        except MalformedEvent as malformed:
            self._count(record, "malformed", str(malformed))
        except Exception as error:  # one bad record must not blind the view for all that follow
            self._shell.log.exception("view could not apply", topic=record.topic, offset=record.offset)
            self.skipped[type(error).__name__] += 1

    def _apply(self, received: Received) -> None:
        envelope = received.envelope
        if envelope.version and envelope.version <= self._versions.get(envelope.stream, 0):
            return
        self.view.apply(received)
        self._versions[envelope.stream] = envelope.version

    def _skip(self, record: Record, unknown: UnknownEvent) -> None:
        self._count(record, str(unknown), "only newer code knows this type")

    def _count(self, record: Record, what: str, reason: str) -> None:
        if not self.skipped[what]:
            self._shell.log.warning("view skips", topic=record.topic, offset=record.offset, what=what, reason=reason)
        self.skipped[what] += 1

    async def _tell(self) -> None:
        async with self._moved:
            self._moved.notify_all()

    def _position(self, place: Place) -> int:
        return self._positions.get(place, 0)


class Barriers:
    """One barrier at a time, ten a second at most; who asks while one has already looked shares the next one."""

    def __init__(self, tail: Tail) -> None:
        self._tail = tail
        self._turn = asyncio.Lock()
        self._open: asyncio.Task[None] | None = None
        self._all: set[asyncio.Task[None]] = set()
        self._last = float("-inf")

    async def wait(self, timeout_s: float) -> None:
        barrier, began = self._open or self._begin(), asyncio.get_running_loop().time()
        outcome = "unavailable"
        try:
            await asyncio.wait_for(asyncio.shield(barrier), timeout_s)
            outcome = "caught_up"
        except TimeoutError:
            raise Unavailable(f"{', '.join(self._tail.view.topics)} could not be read to the end in time") from None
        finally:
            metrics.BARRIER_SECONDS.labels(outcome).observe(asyncio.get_running_loop().time() - began)

    async def stop(self) -> None:
        for barrier in self._all:
            barrier.cancel()
        await asyncio.gather(*self._all, return_exceptions=True)

    def _begin(self) -> asyncio.Task[None]:
        barrier = self._open = asyncio.create_task(self._run(), name="barrier")
        self._all.add(barrier)
        barrier.add_done_callback(self._ended)
        return barrier

    async def _run(self) -> None:
        async with self._turn:
            await self._breathe()
            self._open = None  # the ends are read now: who comes later may know of something newer
            async with asyncio.timeout(BARRIER_S):
                await self._tail.passed(await self._tail.ends())

    async def _breathe(self) -> None:
        loop = asyncio.get_running_loop()
        await asyncio.sleep(max(0.0, self._last + BETWEEN_BARRIERS_S - loop.time()))
        self._last = loop.time()

    def _ended(self, barrier: asyncio.Task[None]) -> None:
        self._all.discard(barrier)
        if not barrier.cancelled():
            barrier.exception()  # those who waited were told; nobody else needs to be
