"""A note never runs ahead of what was decided before it: given an outbox, when the leader looks, then these notes and no others."""

from datetime import UTC, datetime, timedelta

import structlog

from events.topics import POSITIONS
from runtime import bookmarks
from runtime.bookmarks import READERS, RESTORED, Bookmarks
from runtime.broker_memory import MemoryBroker, MemoryCluster
from runtime.ledger_memory import MemoryLedger
from runtime.ports import Line, Place, StreamRow
from runtime.unit import Cause, Unit
from tests.integration.machinery import echo

READER = "ingest.worker"
PLACE: Place = ("notifications.v1", 3)
AT = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)


class Still:
    """A clock that stands."""

    def now(self) -> datetime:
        return AT


class Desk:
    """A ledger whose reader moves, and the leader's bookmarks."""

    def __init__(self) -> None:
        self.is_whole = True
        self.cluster = MemoryCluster()
        self.broker = MemoryBroker(self.cluster)
        self.ledger = MemoryLedger(Still())
        self.bookmarks = Bookmarks(
            "ingest",
            self.ledger,
            self.broker.producer,
            clock=Still(),
            log=structlog.get_logger(),
            is_whole=lambda: self.is_whole,
        )

    async def meet(self) -> None:
        async with self.ledger.begin() as tx:
            await tx.index_put(READERS, {READER: ""})

    async def decide(self, before: int | None, after: int) -> None:
        """The reader moves, and something is decided in the same transaction."""
        async with self.ledger.begin() as tx:
            await tx.advance(READER, {PLACE: (before, after)})
            line = Line("alert-1", after, "alerts.v1", "alert-1", "alert.commented", b"{}")
            await tx.append([line], [StreamRow("alert-1", after)])

    async def relay(self, count: int) -> None:
        """The broker acknowledges this many lines."""
        await self.ledger.lead()
        lines = await self.ledger.outbox([], count)
        await self.ledger.outbox([line.seq for line in lines], 0)

    async def noted(self) -> int | None:
        note = await bookmarks.published(self.broker, "ingest", READER)
        return None if note is None else note.positions.get(PLACE, 0)

    @property
    def count(self) -> int:
        return len(self.cluster.records(POSITIONS["ingest"].name))


async def test_a_position_is_noted_once_all_that_was_decided_before_it_is_acknowledged() -> None:
    desk = Desk()
    await desk.meet()
    await desk.decide(None, 1)
    await desk.bookmarks.look()
    assert await desk.noted() is None
    await desk.decide(1, 2)
    await desk.relay(1)
    await desk.bookmarks.look()
    assert await desk.noted() == 1, "what was decided since still waits"
    await desk.bookmarks.look()
    assert await desk.noted() == 1
    await desk.relay(1)
    await desk.bookmarks.look()
    assert await desk.noted() == 2


async def test_a_reader_that_never_read_is_noted_and_what_does_not_change_is_noted_once() -> None:
    desk = Desk()
    await desk.meet()
    await desk.bookmarks.look()
    await desk.bookmarks.look()
    assert (await desk.noted(), desk.count) == (0, 1)


async def test_before_the_ledger_is_whole_and_while_a_restore_is_unanswered_nothing_is_noted() -> None:
    desk = Desk()
    await desk.meet()
    desk.is_whole = False
    await desk.bookmarks.look()
    desk.is_whole = True
    async with desk.ledger.begin() as tx:
        await tx.index_put(RESTORED, {RESTORED: AT.isoformat()})
    await desk.bookmarks.look()
    assert desk.count == 0
    async with desk.ledger.begin() as tx:
        await tx.index_put(RESTORED, {READER: (AT + timedelta(seconds=1)).isoformat()})
    await desk.bookmarks.look()
    assert desk.count == 1


async def test_a_stream_that_knows_the_cause_passes_it_over_while_there_is_doubt_and_only_then() -> None:
    desk, cause = Desk(), Cause("alert-1@4")

    async def decided(*, doubt: bool, because: Cause = cause) -> int:
        async with desk.ledger.begin() as tx:
            unit = Unit(tx, "echo", AT)
            unit.recalls = doubt
            await unit.load(echo.ECHO, [1])
            for text in ("one", "two"):
                unit.decide(echo.ECHO, 1, echo.Hear(1, 4, text, AT), because)
            return len(await unit.flush())

    assert await decided(doubt=True) == 2, "two commands of one cause, and nothing of it was known"
    assert await decided(doubt=True) == 0
    assert await decided(doubt=True, because=Cause("alert-1@5")) == 2
    assert await decided(doubt=False) == 2
