"""Long work that leaves the loop to others now and then: heartbeats, health and senders live in the same loop."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

T = TypeVar("T")

EVERY = 100


async def breathing(things: Iterable[T], every: int = EVERY) -> AsyncIterator[T]:
    """The same things, in the same order; everybody else has their turn after each `every`."""
    for number, thing in enumerate(things, 1):
        yield thing
        if number % every == 0:
            await asyncio.sleep(0)
