"""The suite's own event stream, read from outside: when everything is handled, and how late steps came."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from aiokafka import AIOKafkaConsumer

from bench.suites import Suite
from events.topics import ESCALATIONS

LOOK_S: Final = 0.25
STILL_S: Final = 3.0
LONGEST_DRAIN_S: Final = 240.0


async def drained(suite: Suite, within_s: float = LONGEST_DRAIN_S) -> bool:
    """Wait until no topic has grown for three seconds; whether that came in time."""
    async with _consumer(suite) as consumer:
        until, ends, since = time.monotonic() + within_s, await _ends(consumer), time.monotonic()
        while time.monotonic() - since < STILL_S:
            if time.monotonic() > until:
                return False
            await asyncio.sleep(LOOK_S)
            now = await _ends(consumer)
            if now != ends:
                ends, since = now, time.monotonic()
    return True


@asynccontextmanager
async def _consumer(suite: Suite, *topics: str) -> AsyncIterator[Any]:
    consumer = AIOKafkaConsumer(
        *topics, bootstrap_servers=suite.settings["KAFKA_BOOTSTRAP"], auto_offset_reset="latest", group_id=None
    )
    await consumer.start()
    try:
        yield consumer
    finally:
        await consumer.stop()


async def _ends(consumer: Any) -> Mapping[Any, int]:
    """Where every topic of the suite ends."""
    topics = sorted(name for name in await consumer.topics() if not name.startswith("__"))
    places = [place for name in topics for place in _places(name, consumer.partitions_for_topic(name) or ())]
    ends: Mapping[Any, int] = await consumer.end_offsets(places)
    return ends


def _places(topic: str, partitions: Sequence[int]) -> list[Any]:
    from aiokafka import TopicPartition

    return [TopicPartition(topic, number) for number in partitions]


@dataclass(frozen=True)
class Step:
    """A level that was reached, as a reader of the topic heard of it; `heard_at` in seconds since the epoch."""

    alert: int
    level: int
    next_at: float | None
    heard_at: float


@asynccontextmanager
async def steps(suite: Suite) -> AsyncIterator[list[Step]]:
    """Every level that is reached from now on, as it is heard."""
    heard: list[Step] = []
    async with _consumer(suite, ESCALATIONS.name) as consumer:
        await consumer.seek_to_end()
        listening = asyncio.create_task(_listen(consumer, heard), name="steps")
        try:
            yield heard
        finally:
            listening.cancel()
            await asyncio.wait({listening})


async def _listen(consumer: Any, heard: list[Step]) -> None:
    while True:
        for records in (await consumer.getmany(timeout_ms=200)).values():
            at = time.time()
            heard += [step for record in records if (step := _step(record.value, at)) is not None]


def _step(value: bytes | None, at: float) -> Step | None:
    if value is None or b'"escalation.level_reached"' not in value:
        return None
    data = json.loads(value)["data"]
    next_at = data.get("next_at")
    return Step(data["alert"], data["level"], datetime.fromisoformat(next_at).timestamp() if next_at else None, at)


def lateness_ms(heard: Sequence[Step]) -> list[float]:
    """How long after its instant each timed level was heard of."""
    due = {(step.alert, step.level + 1): step.next_at for step in heard if step.next_at is not None}
    return [(step.heard_at - at) * 1000 for step in heard if (at := due.get((step.alert, step.level))) is not None]
