"""Live updates: in come small facts about what changed, out comes a stream of server-sent events to every page that is
open.

A frame's id is the hub's tag and the event's own id. A client that comes back with the id of a frame that this hub
still keeps gets what it missed; with any other id (older than the ring, or given by another replica or an earlier run,
whose order may differ) it gets `resync` and fetches its list again. So a gap is never silent.
"""

import asyncio
import json
import secrets
from collections import OrderedDict
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any, Final

from fastapi.sse import format_sse_event
from sse_starlette import EventSourceResponse
from starlette.requests import Request
from starlette.responses import Response

RING: Final = 1000
QUEUE: Final = 256
PING_S: Final = 15
SEND_TIMEOUT_S: Final = 10


@dataclass(eq=False)
class Subscriber:
    """One open page: frames wait here; when it lags by more than the queue holds it is closed and comes back with its
    last id.
    """

    queue: "asyncio.Queue[bytes | None]"
    lags: bool = field(default=False)

    def offer(self, frame: bytes) -> bool:
        """Whether the frame found room."""
        try:
            self.queue.put_nowait(frame)
        except asyncio.QueueFull:
            self.lags = True
        return not self.lags


class Hub:
    """Tells all open pages of one process what changed; framed once for all of them."""

    def __init__(self, ring: int = RING, queue: int = QUEUE) -> None:
        self._tag = secrets.token_hex(4)
        self._frames: OrderedDict[str, bytes] = OrderedDict()
        self._last_forgotten = self._id("start")
        self._ring, self._queue = ring, queue
        self._subscribers: set[Subscriber] = set()

    def publish(self, event_id: str, name: str, data: Any) -> None:
        """Tell everybody: `event_id` is the event's (the ledger's or the topic's), never a counter; the same twice is
        told once.

        `data` is JSON-able and small: ids and versions, since what may be shown differs from viewer to viewer.
        """
        frame_id = self._id(event_id)
        if frame_id in self._frames:
            return
        frame = format_sse_event(id=frame_id, event=name, data_str=json.dumps(data, separators=(",", ":")))
        self._keep(frame_id, frame)
        for subscriber in [each for each in self._subscribers if not each.offer(frame)]:
            self._subscribers.discard(subscriber)

    def response(self, request: Request) -> Response:
        """The stream for this request: from its Last-Event-ID on, at first from the page's `?after=`, else from now."""
        frames = self.stream(request.headers.get("last-event-id") or request.query_params.get("after"))
        headers = {"Cache-Control": "no-cache, no-transform", "Vary": "Cookie"}
        return EventSourceResponse(frames, headers=headers, ping=PING_S, send_timeout=SEND_TIMEOUT_S)

    async def stream(self, last_event_id: str | None) -> AsyncIterator[bytes]:
        """The frames of one client: what it missed, or just an id (a quiet stream can then be resumed too), then what
        comes.
        """
        subscriber = Subscriber(asyncio.Queue(self._queue))
        opening = self._missed(last_event_id) or [format_sse_event(id=self._latest())]
        self._subscribers.add(subscriber)
        try:
            for frame in opening:
                yield frame
            async for frame in _drain(subscriber):
                yield frame
        finally:
            self._subscribers.discard(subscriber)

    @property
    def position(self) -> str:
        """The id of the last frame. A page reads it before its data and gives it to `ui.live`: nothing falls between."""
        return self._latest()

    @property
    def open_streams(self) -> int:
        return len(self._subscribers)

    def close(self) -> None:
        """End every stream, when the role stops."""
        for subscriber in self._subscribers:
            subscriber.lags = True
            _wake(subscriber)
        self._subscribers.clear()

    def _keep(self, frame_id: str, frame: bytes) -> None:
        self._frames[frame_id] = frame
        if len(self._frames) > self._ring:
            self._last_forgotten, _ = self._frames.popitem(last=False)

    def _missed(self, last_event_id: str | None) -> list[bytes]:
        if last_event_id is None or last_event_id == self._latest():
            return []
        if last_event_id == self._last_forgotten:
            return list(self._frames.values())
        if last_event_id not in self._frames:
            return [format_sse_event(id=self._latest(), event="resync", data_str="{}")]
        ids = list(self._frames)
        return [self._frames[each] for each in ids[ids.index(last_event_id) + 1 :]]

    def _latest(self) -> str:
        return next(reversed(self._frames)) if self._frames else self._last_forgotten

    def _id(self, event_id: str) -> str:
        return f"{self._tag}.{event_id}"


async def _drain(subscriber: Subscriber) -> AsyncIterator[bytes]:
    """What waits, until the client lags: what it missed then is in the ring when it comes back."""
    while not subscriber.lags:
        frame = await subscriber.queue.get()
        if frame is not None and not subscriber.lags:
            yield frame


def _wake(subscriber: Subscriber) -> None:
    if subscriber.queue.empty():
        subscriber.queue.put_nowait(None)
