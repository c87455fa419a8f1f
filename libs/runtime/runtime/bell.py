"""A bell that wakes one sleeper: a ring while nobody sleeps is kept for the next who would."""

import asyncio
import contextlib

SHORTEST_S = 0.001
"""What is left of a wait may be less than a clock can tell; who waits for that long would never get past it."""


class Bell:
    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        self._rung.set()

    async def wait(self, timeout_s: float) -> bool:
        """Sleep until rung or for `timeout_s` seconds; says whether it was rung."""
        if timeout_s > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(timeout_s, SHORTEST_S)):
                    await self._rung.wait()
        rung = self._rung.is_set()
        self._rung.clear()
        return rung
