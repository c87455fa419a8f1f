"""How runs end: who pressed a button waits here, and is told as soon as the broker tells of it."""

import asyncio
from collections import OrderedDict
from typing import Final

from events.connectors import ActionFailed, ActionSucceeded
from events.topics import ACTIONS
from runtime.records import Received
from runtime.views import View

REMEMBERED: Final = 10_000

Ending = ActionSucceeded | ActionFailed


class Endings(View):
    """Tails `actions` from its end (`Tail(shell, endings, from_end=True)`)."""

    topics = (ACTIONS.name,)

    def __init__(self) -> None:
        self._known: OrderedDict[int, Ending] = OrderedDict()
        self._waiting: dict[int, asyncio.Future[Ending]] = {}

    def apply(self, received: Received) -> None:
        event = received.envelope.event
        if not isinstance(event, ActionSucceeded | ActionFailed):
            return
        self._known[event.run] = event
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        waiting = self._waiting.get(event.run)
        if waiting is not None and not waiting.done():
            waiting.set_result(event)

    async def of(self, run: int, within_s: float) -> Ending | None:
        """How the run ended; None when it did not in time."""
        if run in self._known:
            return self._known[run]
        future = self._waiting.setdefault(run, asyncio.get_running_loop().create_future())
        try:
            async with asyncio.timeout(within_s):
                return await asyncio.shield(future)
        except TimeoutError:
            return None
        finally:
            self._waiting.pop(run, None)
