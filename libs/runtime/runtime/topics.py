"""`python -m runtime.topics` creates the topics of the language; services check what they find before they use it.

Creation is idempotent and never changes a topic that exists: partitions are fixed at creation, and what an
operator set on purpose is for the operator to set back.
"""

import asyncio
import sys
from collections.abc import Sequence
from typing import Protocol

from events.topics import TOPICS, Topic
from runtime import logs
from runtime.broker_kafka import KafkaBroker
from runtime.ports import Unavailable
from runtime.role import Background
from runtime.settings import Settings

PATIENCE_S = 60.0
RETRY_S = 0.5

log = logs.get("runtime.topics")  # it runs as __main__


class TopicsDiffer(Exception):
    """What is on the broker is not what the language says; the text says what, and what to do."""


class Describes(Protocol):
    """A broker that can say what its topics are."""

    async def describe(self, topics: Sequence[str]) -> dict[str, tuple[int, dict[str, str]]]: ...


class Creates(Describes, Protocol):
    async def create(self, topics: Sequence[Topic]) -> list[str]: ...


async def create(broker: Creates, topics: Sequence[Topic] = TOPICS) -> list[str]:
    """Create what is missing, then check everything; the names of those created. Raises Unavailable, TopicsDiffer."""
    created = await broker.create(topics)
    await check(broker, topics)
    return created


async def check(broker: Describes, topics: Sequence[Topic] = TOPICS) -> None:
    """Raise TopicsDiffer unless each topic is there with its partitions, retention, policy and flushing.

    Raises Unavailable when the broker is away.
    """
    found = await broker.describe([topic.name for topic in topics])
    wrong = [word for topic in topics for word in _differences(topic, found.get(topic.name))]
    if wrong:
        raise TopicsDiffer("; ".join(wrong))


class TopicCheck:
    """A part that ends its process when the topics are not as they must be; waits while the broker is away."""

    def __init__(self, broker: Describes, topics: Sequence[Topic] = TOPICS) -> None:
        self._broker, self._topics = broker, topics
        self._background = Background()
        self._waits: str | None = "the topics were not checked yet"

    async def start(self) -> None:
        self._background.once(self._until_checked(), "topic check")

    async def stop(self) -> None:
        await self._background.stop()

    def ready(self) -> str | None:
        return self._waits

    async def _until_checked(self) -> None:
        while self._waits is not None:
            try:
                await check(self._broker, self._topics)
                self._waits = None
            except Unavailable as away:
                self._waits = f"the topics were not checked yet: {away}"
                await asyncio.sleep(RETRY_S)


def _differences(topic: Topic, found: tuple[int, dict[str, str]] | None) -> list[str]:
    if found is None:
        return [f"topic {topic.name} is missing: run python -m runtime.topics"]
    partitions, config = found
    wanted = {"partitions": str(topic.partitions)} | topic.config()
    there = {"partitions": str(partitions)} | config
    return [_words(topic, name, value, there.get(name)) for name, value in wanted.items() if there.get(name) != value]


def _words(topic: Topic, what: str, wanted: object, found: object) -> str:
    remedy = (
        "partitions cannot be changed without moving keys; move its records to a new topic"
        if what == "partitions"
        else f"set it with kafka-configs --alter --entity-type topics --entity-name {topic.name} "
        f"--add-config {what}={wanted}"
    )
    return f"topic {topic.name} has {what} {found}, not {wanted}: {remedy}"


async def _main() -> None:
    settings = Settings()
    logs.setup(settings.log_level, settings.log_format, process="topics")
    broker = KafkaBroker(settings.bootstrap, settings.topic_prefix, security=settings.kafka_security)
    await broker.start()
    try:
        async with asyncio.timeout(PATIENCE_S):
            created = await _patiently(broker)
        log.info("topics are as they must be", created=created)
    finally:
        await broker.stop()


async def _patiently(broker: KafkaBroker) -> list[str]:
    while True:
        try:
            return await create(broker)
        except Unavailable as away:
            log.info("topics wait for the broker", reason=str(away))
            await asyncio.sleep(RETRY_S)


def main() -> None:
    try:
        asyncio.run(_main())
    except TopicsDiffer as differ:
        sys.exit(f"alarum: {differ}")
    except TimeoutError:
        sys.exit(f"alarum: no broker answered at {Settings().kafka_bootstrap} for {PATIENCE_S:g} s")


if __name__ == "__main__":
    main()
