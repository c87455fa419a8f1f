"""A connection to the broker that is made again whenever it breaks: from a way to open it comes one that lives."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from aiokafka.errors import KafkaError

from runtime import logs
from runtime.ports import Unavailable
from runtime.role import Background

T = TypeVar("T")

RETRY_S = 0.25
CLOSE_WITHIN_S = 1.0

log = logs.get(__name__)


@dataclass(frozen=True)
class Names:
    """Our names of topics and groups, and those on the broker: a prefix lets several suites share one."""

    prefix: str = ""

    def wire(self, name: str) -> str:
        return self.prefix + name

    def ours(self, wire: str) -> str:
        return wire.removeprefix(self.prefix)


BARE = Names()


class Link(Generic[T]):
    """Holds one open thing. `open_` may fail for as long as the broker is away; it is tried again in the background."""

    def __init__(self, name: str, open_: Callable[[], Awaitable[T]], close: Callable[[T], Awaitable[None]]) -> None:
        self._name, self._open, self._close = name, open_, close
        self._held: T | None = None
        self._there = asyncio.Event()
        self._again = asyncio.Event()
        self._background = Background()
        self.waits_for: str | None = "not started"

    async def start(self) -> None:
        """Returns at once; the thing is opened in the background."""
        self._background.forever(self._keep(), self._name)

    async def stop(self) -> None:
        await self._background.stop()
        if self._held is not None:
            held, self._held = self._held, None
            await self._end(held)

    @property
    def held(self) -> T | None:
        return self._held

    async def get(self, patience_s: float) -> T:
        """The open thing; raises Unavailable when it does not open in time."""
        if self._held is None:
            try:
                async with asyncio.timeout(patience_s):
                    await self._there.wait()
            except TimeoutError:
                raise Unavailable(f"{self._name}: {self.waits_for}") from None
        if self._held is None:
            raise Unavailable(f"{self._name}: {self.waits_for}")
        return self._held

    def lost(self, broken: T, reason: str) -> None:
        """This one is of no use any more: open another."""
        if broken is self._held:
            self._held, self.waits_for = None, reason
            self._there.clear()
            self._again.set()
            log.warning("link.lost", link=self._name, reason=reason)

    async def _keep(self) -> None:
        while True:
            self._again.clear()
            self._held = made = await self._patiently()
            self.waits_for = None
            self._there.set()
            await self._again.wait()
            await self._end(made)

    async def _patiently(self) -> T:
        said = None
        while True:
            try:
                return await self._open()
            except (KafkaError, Unavailable, OSError, TimeoutError) as away:
                self.waits_for = f"the broker is away: {away}"
                if said != str(away):
                    log.warning("link.waits", link=self._name, reason=str(away))
                said = str(away)
            await asyncio.sleep(RETRY_S)

    async def _end(self, held: T) -> None:
        """Closing speaks to the broker, which may be frozen: it has its time, and is then left alone."""
        try:
            async with asyncio.timeout(CLOSE_WITHIN_S):
                await self._close(held)
        except (KafkaError, OSError, TimeoutError) as failed:
            log.info("link.not_closed", link=self._name, reason=repr(failed))
        except asyncio.CancelledError:
            ours = asyncio.current_task()
            if ours is not None and ours.cancelling():
                raise
            log.info("link.not_closed", link=self._name, reason="a connection of its own was cancelled")
