"""Clocks: the machine's, and one that follows the event loop, so that virtual time moves it."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta


class SystemClock:
    """The machine's own time."""

    def now(self) -> datetime:
        return datetime.now(UTC)


@dataclass(frozen=True)
class LoopClock:
    """`start` plus the loop's time: in a virtual-time loop, time that jumps from deadline to deadline."""

    start: datetime

    def now(self) -> datetime:
        return self.start + timedelta(seconds=asyncio.get_running_loop().time())
