"""A broker made of one list, whose faults a test chooses; and small units of work to relay."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Literal

from runtime.ports import Ledger, Line, Message, StreamRow, Unavailable, Written

Fault = Literal["away", "unacknowledged", "half"] | None


class Wire:
    """What reached the topic, in the order it did."""

    def __init__(self) -> None:
        self.log: list[Message] = []
        self.changed = asyncio.Condition()

    @property
    def bodies(self) -> list[bytes | None]:
        return [message.value for message in self.log]

    def first_seen(self) -> list[bytes | None]:
        """What a reader takes in: the repeats are dropped."""
        return list(dict.fromkeys(self.bodies))

    async def take(self, messages: Sequence[Message]) -> list[Written]:
        async with self.changed:
            start = len(self.log)
            self.log.extend(messages)
            self.changed.notify_all()
        return [Written(message.topic, 0, start + place) for place, message in enumerate(messages)]

    async def holds(self, number: int) -> None:
        """Wait until a reader has seen so many messages."""
        async with asyncio.timeout(30), self.changed:
            await self.changed.wait_for(lambda: len(self.first_seen()) >= number)


class FakeProducer:
    """`fault()` is asked at each send. `stall` holds every send until it is set again."""

    def __init__(self, wire: Wire, fault: Callable[[], Fault] = lambda: None) -> None:
        self.wire = wire
        self.fault = fault
        self.sends: list[int] = []
        self.stall = asyncio.Event()
        self.stall.set()
        self.entered = asyncio.Event()

    async def send(self, messages: Sequence[Message]) -> list[Written]:
        self.sends.append(len(messages))
        self.entered.set()
        await self.stall.wait()
        match self.fault():
            case None:
                return await self.wire.take(messages)
            case "half":
                await self.wire.take(messages[: len(messages) // 2])
            case "unacknowledged":
                await self.wire.take(messages)
            case "away":
                pass
        raise Unavailable("the broker is away")

    def oldest_unacknowledged_s(self) -> float:
        return 0.0


async def decide(ledger: Ledger, *bodies: str, stream: str = "alert-1") -> None:
    """Append one event for each body to the stream."""
    async with ledger.begin() as tx:
        version = (await tx.lock([stream]))[stream].version
        lines = [
            Line(stream, version + place, "alerts.v1", stream, "alert.created", body.encode())
            for place, body in enumerate(bodies, 1)
        ]
        await tx.append(lines, [StreamRow(stream, version + len(bodies))])


def named(*numbers: int) -> list[bytes]:
    return [str(number).encode() for number in numbers]
