"""One service's way to its ledger: a unit of work is run, committed, and everybody who waits for it is woken.

work(unit) -> flush -> commit -> relay, ticks and deliveries are woken -> the broker acknowledges
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import structlog

from events.envelope import Envelope
from runtime import books, metrics, parking
from runtime.bell import Bell
from runtime.bookmarks import Bookmarks
from runtime.ports import Broker, Clock, Conflict, Ledger, Place, Transaction, Unavailable
from runtime.relay import Relay
from runtime.settings import Settings
from runtime.streams import Kind
from runtime.unit import Unit

T = TypeVar("T")

Work = Callable[[Unit], Awaitable[T]]
Projection = Callable[[Any, Sequence[Envelope]], Awaitable[None]]
Reindex = Callable[[Unit, Sequence[Envelope]], Awaitable[None]]

ATTEMPTS = 10
ACKNOWLEDGED_WITHIN_S = 1.0
OPENED_WITHIN_S = 5.0


async def _no_reindex(_unit: Unit, _envelopes: Sequence[Envelope]) -> None:
    """For services whose indexes need no rebuilding."""


class Shell:
    """What every part of a role shares: ledger, broker, clock, relay, and the way a unit of work is done."""

    def __init__(
        self,
        service: str,
        *,
        settings: Settings,
        ledger: Ledger,
        broker: Broker,
        clock: Clock,
        kinds: Sequence[Kind[Any, Any]] = (),
        project: Projection | None = None,
        reindex: Reindex = _no_reindex,
    ) -> None:
        self.service = service
        self.settings = settings
        self.ledger = ledger
        self.broker = broker
        self.clock = clock
        self.parking = parking.kind_of(service)
        own = [*kinds, self.parking, books.kind_of(service)] if self.parking is not None else kinds
        self.kinds: Mapping[str, Kind[Any, Any]] = {kind.name: kind for kind in own}
        self.log = structlog.get_logger(service=service)
        self.reindex = reindex
        self.time_bell = Bell()
        self.earliest_due: datetime | None = None
        self.delivery_bell = Bell()
        self.progress: dict[str, dict[Place, int]] = {}
        self.moved = asyncio.Condition()
        self.opened = asyncio.Event()
        self.opened.set()
        bookmarks = Bookmarks(service, ledger, broker.producer, clock=clock, log=self.log, is_whole=self.opened.is_set)
        self.relay = Relay(ledger, broker.producer, self.log, clock, bookmarks)
        self._project = project

    async def do(self, work: Work[T], *, wait: bool = True) -> T:
        """Run a unit of work; answers once the broker has its events (≤ 1 s, then anyway: they are safe here)."""
        result = await self.run(work)
        if wait:
            await self.relay.acknowledged(ACKNOWLEDGED_WITHIN_S)
        return result

    async def run(self, work: Work[T]) -> T:
        """Run a unit of work and commit it; a conflict with another transaction runs the whole of it again.

        Raises `Unavailable` when the base is away, or when the ledger was not restored within some seconds.
        """
        if not self.opened.is_set():
            await self._wait_until_open()
        return await self.run_unopened(work)

    async def run_unopened(self, work: Work[T]) -> T:
        """As `run`, also before the ledger was restored: for the restore itself."""
        for attempt in range(ATTEMPTS):
            try:
                return await self._once(work)
            except Conflict:
                metrics.TRANSACTIONS.labels(self.service, "conflict").inc()
                self.log.info("transaction.conflict", attempt=attempt)
                await asyncio.sleep(0.002 * 2**attempt)
        return await self._once(work)

    async def _once(self, work: Work[T]) -> T:
        with metrics.TRANSACTION_SECONDS.labels(self.service).time():
            async with self.ledger.begin() as tx:
                unit = Unit(tx, self.service, self.clock.now())
                result = await work(unit)
                decided = await unit.flush()
                await self.project(tx, decided)
        metrics.TRANSACTIONS.labels(self.service, "committed").inc()
        for envelope in decided:
            metrics.EVENTS_DECIDED.labels(self.service, envelope.type).inc()
        self._wake(unit)
        return result

    async def _wait_until_open(self) -> None:
        try:
            async with asyncio.timeout(OPENED_WITHIN_S):
                await self.opened.wait()
        except TimeoutError:
            raise Unavailable(f"{self.service} is still reading its own topics") from None

    async def project(self, tx: Transaction, decided: Sequence[Envelope]) -> None:
        """Bring the read models of this service up to date, in the transaction of the events."""
        if self._project is not None and tx.sql is not None and decided:
            await self._project(tx.sql, decided)

    def _wake(self, unit: Unit) -> None:
        if unit.wrote:
            self.relay.wake()
        if unit.earliest_due is not None and (self.earliest_due is None or unit.earliest_due < self.earliest_due):
            self.earliest_due = unit.earliest_due
            self.time_bell.ring()
        if unit.delivers:
            self.delivery_bell.ring()

    def kind_of(self, stream: str) -> tuple[Kind[Any, Any] | None, str]:
        """The kind and id of a stream by its name, `<kind>-<id>`."""
        name, _, number = stream.partition("-")
        return self.kinds.get(name), number

    async def advanced(self, reader: str, places: Mapping[Place, int]) -> None:
        """A reader's positions moved: tell the gates that wait for it."""
        async with self.moved:
            self.progress.setdefault(reader, {}).update(places)
            self.moved.notify_all()


class Wakes:
    """Hears the other processes of this service: what they committed may be ours to relay, to tick or to send."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    async def start(self) -> None:
        await self._shell.ledger.listen(self._woken)

    async def stop(self) -> None:
        """The ledger ends its listening when it is closed."""

    def ready(self) -> str | None:
        return None

    def _woken(self) -> None:
        self._shell.relay.wake()
        self._shell.earliest_due = None
        self._shell.time_bell.ring()
        self._shell.delivery_bell.ring()
