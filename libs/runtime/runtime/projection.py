"""A persisted projection: others' events in, our read models out, as a FastStream batch subscriber on our own reader.

    FastStream's loop -> our reader (positions, rebalances, a broker that is away) -> subscriber(batch) -> react -> commit

FastStream calls and we keep the promises: it asks the `Reader` port for records instead of a consumer of its own, so
that a projection starts at the earliest record, keeps its positions in the transaction that it writes, parks what
cannot be handled, and runs in memory too. Why so: docs/decisions/0002-subscriptions.md.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.kafka.message import KafkaMessage

from runtime.ports import Place, PositionLost, Reader, Record, Unavailable
from runtime.subscription import PAUSE_S, POLL_S, Deciding

MAX_RECORDS = 500
AFTER_NOTHING_MS = 1  # FastStream sleeps for this long after an empty poll, which has waited already


class Projecting(Deciding):
    """`Deciding` in everything that it promises; FastStream drives it. Constructed and wired alike."""

    async def _run(self, reader: Reader) -> None:
        """Read until a position fits no topic; an error that nobody handled ends this task, and so the process."""
        consumer = _Consumer(self, reader)
        faststream = await self._subscribed(consumer)
        try:
            await faststream.start()
            await consumer.broken
        except PositionLost as lost:
            await self._stand_still(lost)
        finally:
            await faststream.stop()

    async def _subscribed(self, consumer: "_Consumer") -> KafkaBroker:
        """No second producer, no topics made on the quiet, nothing acknowledged for us, nothing decoded twice."""
        broker = KafkaBroker(
            consumer_only=True, allow_auto_create_topics=False, graceful_timeout=None, apply_types=False, logger=None
        )
        subscriber = broker.subscriber(
            *self._topics,
            group_id=self._name,
            batch=True,
            batch_timeout_ms=AFTER_NOTHING_MS,
            max_records=MAX_RECORDS,
            auto_offset_reset="none",
            ack_policy=AckPolicy.MANUAL,
            decoder=_as_read,
        )
        subscriber(consumer.handle)
        await broker.connect()  # makes the builder that is replaced here; it reaches out to nobody
        broker.config.broker_config.builder = consumer.built
        return broker

    async def _restored(self) -> bool:
        """Nothing is decided here: without a position it begins at the earliest record, in a restored ledger too."""
        return False

    async def batch(self, reader: Reader, records: Sequence[Record]) -> None:
        """What FastStream's handler calls: one transaction, or as many as it takes."""
        await self._handle(reader, records)

    async def between_batches(self, reader: Reader) -> None:
        """What our own loop does when no batch is in flight."""
        await self._replay_what_was_asked(reader)

    def waits(self, away: Unavailable) -> None:
        self._shell.log.warning("reader.waits", reader=self._name, reason=str(away))


@dataclass(frozen=True)
class _Raw:
    """A record as FastStream's parser wants to see it."""

    record: Record
    topic: str
    value: bytes | None
    offset: int
    timestamp: float
    headers: tuple[tuple[str, bytes], ...] = ()


class _Consumer:
    """Our reader in the clothes of an aiokafka consumer: just what FastStream touches.

    FastStream swallows what a handler raises and sleeps on what a consumer raises: `broken` carries both out.
    """

    def __init__(self, projecting: Projecting, reader: Reader) -> None:
        self._projecting, self._reader = projecting, reader
        self.broken: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def built(self, **_options: Any) -> "_Consumer":
        return self

    def subscribe(self, **_options: Any) -> None:
        """The reader knows its topics."""

    async def start(self) -> None:
        await self._reader.start()

    async def stop(self) -> None:
        """The reader is stopped by whoever made it."""

    async def getmany(self, *, timeout_ms: int, max_records: int) -> Mapping[Place, Sequence[_Raw]]:
        """Waits as long as our own loop would, whatever FastStream proposes: that is what idling costs."""
        try:
            await self._projecting.between_batches(self._reader)
            records = await self._reader.poll(POLL_S, max_records)
        except Unavailable as away:
            self._projecting.waits(away)
            await asyncio.sleep(PAUSE_S)
            return {}
        except Exception as error:  # FastStream would go on: nothing more may be read
            self._break(error)
            await asyncio.Event().wait()
            raise
        return {("", 0): [_raw(record) for record in records]} if records else {}

    async def handle(self, records: Sequence[Record]) -> None:
        """The subscriber's handler."""
        try:
            await self._projecting.batch(self._reader, records)
        except Exception as error:  # noqa: BLE001 -- FastStream would take the next batch: nothing more may be handled
            self._break(error)
            await asyncio.Event().wait()

    def _break(self, error: Exception) -> None:
        if not self.broken.done():
            self.broken.set_exception(error)


def _raw(record: Record) -> _Raw:
    return _Raw(record, record.topic, record.value, record.offset, record.timestamp.timestamp())


async def _as_read(message: KafkaMessage) -> list[Record]:
    """The records themselves: they are decoded by the engine, once."""
    raws: Any = message.raw_message
    return [raw.record for raw in raws]
