"""An ASGI app around a role's: requests go through, and how long each took until its answer began is measured."""

import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final

from runtime import metrics

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Measured:
    """Labels are the role, the method and the status' first digit: paths hold ids."""

    def __init__(self, role: str, app: Any) -> None:
        self._role, self._app = role, app
        self._under_way = metrics.HTTP_UNDER_WAY.labels(role)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, method = time.perf_counter(), scope["method"] if scope["method"] in METHODS else "other"

        async def watched(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                status = f"{message['status'] // 100}xx"
                metrics.HTTP_SECONDS.labels(self._role, method, status).observe(time.perf_counter() - began)
            await send(message)

        self._under_way.inc()
        try:
            await self._app(scope, receive, watched)
        finally:
            self._under_way.dec()
