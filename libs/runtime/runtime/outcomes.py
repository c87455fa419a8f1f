"""What became of something that we recorded: the edge that took an answer waits for the event that it caused."""

import asyncio
from collections import OrderedDict

from events.envelope import Envelope
from runtime.records import Received
from runtime.views import View

REMEMBERED = 10_000


class Outcomes(View):
    """Tails a topic from its end (`Tail(shell, outcomes, from_end=True)`) and tells who waits, by causation."""

    def __init__(self, *topics: str) -> None:
        self.topics = topics
        self._known: OrderedDict[str, Envelope] = OrderedDict()
        self._waiting: dict[str, asyncio.Future[Envelope]] = {}

    def apply(self, received: Received) -> None:
        cause = received.envelope.causation
        if cause is None:
            return
        self._known[cause] = received.envelope
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        waiting = self._waiting.pop(cause, None)
        if waiting is not None and not waiting.done():
            waiting.set_result(received.envelope)

    async def await_outcome(self, event_id: str, timeout_s: float = 3.0) -> Envelope | None:
        """The first event that says `event_id` caused it; None when none came in time."""
        if event_id in self._known:
            return self._known[event_id]
        future = self._waiting.setdefault(event_id, asyncio.get_running_loop().create_future())
        try:
            async with asyncio.timeout(timeout_s):
                return await asyncio.shield(future)
        except TimeoutError:
            return None
        finally:
            self._waiting.pop(event_id, None)
