"""A bell that wakes one sleeper: a ring while nobody sleeps is kept for the next who would."""

import asyncio
import contextlib


class Bell:
    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        self._rung.set()

    async def wait(self, timeout_s: float) -> bool:
        """Sleep until rung or for `timeout_s` seconds; says whether it was rung."""
        if timeout_s > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await self._rung.wait()
        rung = self._rung.is_set()
        self._rung.clear()
        return rung
