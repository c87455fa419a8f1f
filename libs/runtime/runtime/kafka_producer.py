"""The one idempotent writer of a process: messages go in, in order; where they were written comes out.

    send: wait for the turn -> hand over all messages of the call -> give the turn on -> wait for acknowledgements

Handing over is serial, so that a key's messages keep their order while the buffer is full; acknowledgements are
not waited for in turn, so that many calls are under way together.
"""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar
from weakref import WeakSet

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, ProducerClosed

from runtime.kafka_link import BARE, Link, Names
from runtime.kafka_security import OPEN, Security
from runtime.ports import Message, Unavailable, Written

MAX_MESSAGE_BYTES = 6 * 1024 * 1024
MAX_BATCH_BYTES = 262_144
REQUEST_TIMEOUT_MS = 10_000
PATIENCE_S = 10.0
FLUSH_WITHIN_S = 0.5
BREATHE_EVERY = 100
CONTENT_TYPE = ("content-type", b"application/cloudevents+json")


@dataclass(eq=False)
class _Call:
    """A call of `send`: since when, and how many waits it still has: its caller's, and one for each message."""

    since: float
    waits: int = 1


class KafkaProducer:
    """acks=all, idempotent. A second one in the same process is refused: a producer per request, or per role, has
    brought brokers down. `limit` is for tests that play several processes in one."""

    limit: ClassVar[int] = 1
    _alive: ClassVar["WeakSet[KafkaProducer]"] = WeakSet()

    def __init__(
        self,
        bootstrap: Sequence[str],
        names: Names = BARE,
        *,
        patience_s: float = PATIENCE_S,
        security: Security = OPEN,
    ) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        _count(self)
        self._bootstrap, self._names, self._patience_s = list(bootstrap), names, patience_s
        self._security = security
        self._link: Link[AIOKafkaProducer] = Link("producer", self._open, _end)
        self._turn = asyncio.Lock()
        self._calls: dict[_Call, None] = {}

    async def start(self) -> None:
        """Returns at once; the broker is sought in the background."""
        self._loop = asyncio.get_running_loop()
        await self._link.start()

    async def stop(self) -> None:
        """Deliver what is under way, for a moment, then give it up."""
        if self._link.held is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(FLUSH_WITHIN_S):
                    await self._link.held.flush()
        await self._link.stop()
        KafkaProducer._alive.discard(self)

    def ready(self) -> str | None:
        return self._link.waits_for

    def oldest_unacknowledged_s(self) -> float:
        """Counts calls that wait for their turn too, and those whose caller has gone but whose messages are under way."""
        oldest = next(iter(self._calls), None)
        return 0.0 if oldest is None else asyncio.get_running_loop().time() - oldest.since

    async def send(self, messages: Sequence[Message]) -> list[Written]:
        """See ports.Producer. What was not handed over when this raises is not written; what was, may be.

        Raises ValueError for a message above 6 MiB.
        """
        if not messages:
            return []
        call = _Call(asyncio.get_running_loop().time())
        self._calls[call] = None
        try:
            async with asyncio.timeout(self._patience_s):
                return await self._carry(call, messages)
        except TimeoutError:
            raise Unavailable(f"the broker acknowledged nothing for {self._patience_s:g} s") from None
        finally:
            self._over(call)

    async def _carry(self, call: _Call, messages: Sequence[Message]) -> list[Written]:
        session = await self._link.get(self._patience_s)
        try:
            async with self._turn:
                session = await self._link.get(self._patience_s)
                under_way = await self._hand_over_all(session, call, messages)
            await asyncio.wait(under_way)  # a wait that ends cancels nothing: the messages stay under way
            return [self._written(future.result()) for future in under_way]
        except MessageSizeTooLargeError as too_large:
            raise ValueError(str(too_large)) from too_large
        except KafkaError as error:
            self._link.lost(session, f"the producer's session broke: {error!r}")
            raise Unavailable(f"not acknowledged: {error!r}") from error

    async def _hand_over_all(
        self, session: AIOKafkaProducer, call: _Call, messages: Sequence[Message]
    ) -> "list[asyncio.Future[Any]]":
        under_way = []
        for number, message in enumerate(messages, 1):
            under_way.append(await self._hand_over(session, call, message))
            if number % BREATHE_EVERY == 0:
                await asyncio.sleep(0)  # a thousand at a stretch would hold everybody else in this loop
        return under_way

    async def _hand_over(self, session: AIOKafkaProducer, call: _Call, message: Message) -> "asyncio.Future[Any]":
        future: asyncio.Future[Any] = await session.send(
            self._names.wire(message.topic),
            message.value,
            message.key.encode(),
            headers=_headers(message),
        )
        call.waits += 1
        future.add_done_callback(self._landed(session, call))
        return future

    def _landed(self, session: AIOKafkaProducer, call: _Call) -> Callable[["asyncio.Future[Any]"], None]:
        def landed(future: "asyncio.Future[Any]") -> None:
            self._over(call)
            # A refused batch leaves a hole in the session's sequence numbers: nothing after it would be taken.
            if not future.cancelled() and (error := future.exception()) is not None:
                self._link.lost(session, f"the producer's session broke: {error!r}")

        return landed

    def _over(self, call: _Call) -> None:
        call.waits -= 1
        if call.waits == 0:
            self._calls.pop(call, None)

    def _written(self, metadata: Any) -> Written:
        return Written(self._names.ours(metadata.topic), metadata.partition, metadata.offset)

    async def _open(self) -> AIOKafkaProducer:
        session = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap,
            enable_idempotence=True,
            acks="all",
            linger_ms=0,
            max_batch_size=MAX_BATCH_BYTES,
            max_request_size=MAX_MESSAGE_BYTES,
            request_timeout_ms=REQUEST_TIMEOUT_MS,
            **self._security.options(),
        )
        try:
            await session.start()
        except BaseException:
            await _end(session)
            raise
        return session


def _headers(message: Message) -> list[tuple[str, bytes]]:
    """What is written are CloudEvents in structured JSON, unless the message says something else; a tombstone is nothing."""
    said = message.value is None or any(name == CONTENT_TYPE[0] for name, _ in message.headers)
    return list(message.headers) if said else [CONTENT_TYPE, *message.headers]


def _count(producer: KafkaProducer) -> None:
    alive = KafkaProducer._alive  # noqa: SLF001 -- our own class
    for other in list(alive):
        if other._loop is not None and other._loop.is_closed():  # noqa: SLF001
            alive.discard(other)
    if len(alive) >= KafkaProducer.limit:
        raise RuntimeError("this process has its producer already: share it, there must be one per process")
    alive.add(producer)


async def _end(session: AIOKafkaProducer) -> None:
    """End a session without delivering what it still holds: it must write nothing behind the back of the next one.

    aiokafka's own `stop` waits for the broker as long as that takes, hence its inner parts.
    """
    session._closed = True  # noqa: SLF001
    session._message_accumulator.fail_all(ProducerClosed())  # noqa: SLF001
    sending: asyncio.Task[None] | None = session._sender.sender_task  # noqa: SLF001
    if sending is not None:
        sending.cancel()
    await session.client.close()
    if sending is not None:
        await asyncio.wait({sending}, timeout=0.5)
        if sending.done() and not sending.cancelled():
            sending.exception()
