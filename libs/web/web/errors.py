"""Every refusal as an answer: in comes an exception, out goes `{status, message, code}`, or a page where a browser
asked.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Final, Protocol
from urllib.parse import quote

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from web.words import rule_broken

log = logging.getLogger("web")

CODES: Final = {
    400: "BAD_REQUEST",
    401: "UNAUTHORIZED",
    403: "FORBIDDEN",
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    409: "CONFLICT",
    413: "PAYLOAD_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
    429: "TOO_MANY_REQUESTS",
    500: "INTERNAL_ERROR",
    502: "BAD_GATEWAY",
    503: "UNAVAILABLE",
}


class ApiError(Exception):
    """A refusal that its sender is told: an HTTP status, a code for programs, a sentence for people."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, headers


class SignInNeeded(Exception):
    """Nobody is signed in: a browser is led to /sign-in and back, a program is told 401."""


class ProblemPages(Protocol):
    """What shows a problem as a page in the look."""

    def problem(self, request: Request, status: int, message: str) -> Response: ...


Handler = Callable[[Request, Any], Awaitable[Response]]


def install_errors(app: FastAPI, pages: ProblemPages | None) -> None:
    """Answer every exception that a route lets out, but the unexpected: those are caught by `Unexpected` outside."""
    handlers: dict[type[Exception], Handler] = {
        ApiError: _refused,
        HTTPException: _http_exception,
        RequestValidationError: _invalid,
        SignInNeeded: _sign_in_needed,
    }
    app.state.problem_pages = pages
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)


def answer(
    request: Request, status: int, code: str, message: str, headers: Mapping[str, str] | None = None
) -> Response:
    """The refusal in the caller's form: a page for a browser that asked for a page, JSON for all others."""
    pages: ProblemPages | None = getattr(request.app.state, "problem_pages", None) if "app" in request.scope else None
    if pages is None or not wants_page(request):
        return error_json(status, code, message, headers)
    response = pages.problem(request, status, message)
    response.headers.update(headers or {})
    return response


def error_json(status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    body = {"status": status, "message": message, "code": code}
    return JSONResponse(body, status, headers={"Cache-Control": "no-store", **(headers or {})})


def wants_page(request: Request) -> bool:
    """Whether the one who asks is a browser showing a page, and not a program at the API."""
    if request.url.path.startswith(("/api/", "/v2/")):
        return False
    return "text/html" in request.headers.get("accept", "") or "hx-request" in request.headers


async def _refused(request: Request, error: ApiError) -> Response:
    return answer(request, error.status, error.code, error.message, error.headers)


async def _http_exception(request: Request, error: HTTPException) -> Response:
    status = error.status_code
    if status in (204, 304):
        return Response(status_code=status, headers=error.headers)
    return answer(request, status, CODES.get(status, f"HTTP_{status}"), _sentence(request, error), error.headers)


def _sentence(request: Request, error: HTTPException) -> str:
    path, method = request.url.path, request.method
    if error.detail and error.detail != HTTPStatus(error.status_code).phrase:
        return str(error.detail)
    known = {404: f"There is nothing at {path}", 405: f"{method} is not possible at {path}"}
    return known.get(error.status_code, str(error.detail))


async def _invalid(request: Request, error: RequestValidationError) -> Response:
    """Names the broken fields and their rules; pydantic puts the place (`body`, `query`, `path`) in front."""
    problems = error.errors()
    if any(problem["type"] == "json_invalid" for problem in problems):
        return answer(request, 400, "MALFORMED_JSON", "The body is not valid JSON")
    return answer(request, 400, "VALIDATION_ERROR", "; ".join(_problem(problem) for problem in problems[:5]))


def _problem(problem: Mapping[str, Any]) -> str:
    place, *names = problem["loc"] or ("body",)
    field = ".".join(str(name) for name in names) or f"the {place}"
    return f"{field}: {rule_broken(problem['type'], problem.get('ctx', {}), problem['msg'])}"


async def _sign_in_needed(request: Request, _error: SignInNeeded) -> Response:
    """A fetch would follow a 302 and swap the sign-in page into the list: htmx is told to leave the page instead."""
    target = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    if "hx-request" in request.headers:
        return Response(status_code=401, headers={"HX-Redirect": "/sign-in", "Cache-Control": "no-store"})
    if not wants_page(request):
        return error_json(401, "UNAUTHORIZED", "Sign in, or send an API key: Authorization: Bearer …")
    back = f"?next={quote(target, safe='/')}" if request.method in ("GET", "HEAD") else ""
    return RedirectResponse(f"/sign-in{back}", 303, headers={"Cache-Control": "no-store"})
