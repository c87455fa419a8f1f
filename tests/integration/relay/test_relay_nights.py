"""Seeded nights in virtual time: brokers fail, relays are killed, several processes write; nothing is lost or disordered."""

import asyncio
import random
from datetime import UTC, datetime

import async_solipsism
import pytest
import structlog

from runtime.clock import LoopClock
from runtime.ledger_memory import Base, MemoryLedger
from runtime.ports import Unavailable
from runtime.relay import Relay
from tests.integration.relay.wire import FakeProducer, Fault, Wire, decide

STREAMS, EACH = 5, 40
FAULTS: list[Fault] = ["away", "unacknowledged", "half"]


@pytest.mark.parametrize("seed", range(20))
def test_every_stream_arrives_whole_and_in_order_whatever_happens_at_night(seed: int) -> None:
    loop = async_solipsism.EventLoop()
    try:
        wire = loop.run_until_complete(_night(random.Random(seed)))
    finally:
        loop.close()
    for stream in range(STREAMS):
        seen = [body for body in wire.first_seen() if body is not None and body.startswith(f"{stream}/".encode())]
        assert seen == [f"{stream}/{number}".encode() for number in range(EACH)]


async def _night(chance: random.Random) -> Wire:
    wire, base, clock = Wire(), Base(), LoopClock(datetime(2026, 3, 1, tzinfo=UTC))
    over = False

    def broker() -> Fault:
        return chance.choice(FAULTS) if not over and chance.random() < 0.4 else None

    def hurt(_step: object) -> None:
        if not over and chance.random() < 0.02:
            raise Unavailable("the base is away")

    async def live() -> None:
        """A process that is killed from time to time, and started again."""
        while True:
            ledger = MemoryLedger(clock, base, hurt)
            relay = Relay(ledger, FakeProducer(wire, broker), structlog.get_logger(), clock)
            await ledger.listen(relay.wake)
            await relay.start()
            await asyncio.sleep(chance.uniform(0.05, 2))
            if over:
                await relay.acknowledged(60)
                while not await relay.drained():
                    await asyncio.sleep(0.1)
                await relay.stop()
                return
            await relay._background.stop()  # kill -9
            await ledger.stop()

    async def write(stream: int) -> None:
        ledger = MemoryLedger(clock, base)
        for number in range(EACH):
            await asyncio.sleep(chance.uniform(0, 0.2))
            await decide(ledger, f"{stream}/{number}", stream=f"alert-{stream}")
            await ledger.notify()

    lives = [asyncio.create_task(live()) for _ in range(3)]
    await asyncio.gather(*(write(stream) for stream in range(STREAMS)))
    over = True
    await asyncio.gather(*lives)
    return wire
