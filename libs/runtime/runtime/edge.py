"""What every web role answers when a unit of work was refused, or the base or the broker is away."""

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import FastAPI, Request, Response

from runtime.ports import Unavailable
from runtime.refusals import Refused

Answer = Callable[[Any, int, str, str], Response]


def install_refusals(app: FastAPI, answer: Answer) -> None:
    """`answer(request, status, code, message)` says it as JSON or as a page (`web.errors.answer`)."""

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, Refused)
        return answer(request, error.status, error.refusal.code, error.refusal.message)

    async def unavailable(request: Request, _error: Exception) -> Response:
        return answer(request, 503, "UNAVAILABLE", "This cannot be done right now; try again in a moment")

    handlers: dict[type[Exception], Callable[[Request, Exception], Awaitable[Response]]] = {
        Refused: refused,
        Unavailable: unavailable,
    }
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)
