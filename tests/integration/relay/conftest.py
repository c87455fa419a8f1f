"""Processes of one service, each with a relay, over one ledger in memory and one wire."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
import pytest_asyncio
import structlog

from runtime.clock import SystemClock
from runtime.ledger_memory import Base, MemoryLedger
from runtime.relay import Relay
from tests.integration.relay.wire import FakeProducer, Wire


@dataclass
class Process:
    """One process of the service. `die` is kill -9: nothing is finished, and the base notices at once."""

    ledger: MemoryLedger
    producer: FakeProducer
    relay: Relay

    async def die(self) -> None:
        await self.relay._background.stop()
        await self.ledger.stop()


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def base() -> Base:
    return Base()


@pytest_asyncio.fixture
async def processes(wire: Wire, base: Base) -> AsyncIterator["Processes"]:
    made = Processes(wire, base)
    yield made
    for process in made.all:
        await process.relay.stop()


class Processes:
    def __init__(self, wire: Wire, base: Base) -> None:
        self.all: list[Process] = []
        self._wire = wire
        self._base = base

    def make(self) -> Process:
        ledger, producer, clock = MemoryLedger(SystemClock(), self._base), FakeProducer(self._wire), SystemClock()
        process = Process(ledger, producer, Relay(ledger, producer, structlog.get_logger(), clock))
        self.all.append(process)
        return process

    async def start(self) -> Process:
        """One more, whose relay runs and hears the others, as the shell has it."""
        process = self.make()
        await process.ledger.listen(process.relay.wake)
        await process.relay.start()
        return process


@pytest_asyncio.fixture
async def process(processes: Processes) -> Process:
    return await processes.start()
