"""The HTTP side of the mail sink: a page for people, JSON for scripts, hooks for tests."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Lifespan

from launcher.mailsink.behaviour import Behaviour, Mood
from launcher.mailsink.mailbox import KEPT, Mail, Mailbox

HERE = Path(__file__).parent
LISTED = 200
PAGE_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; frame-src 'self';"
    " base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
# A mail is somebody else's HTML: no script, nothing fetched, and its links open outside.
MAIL_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self';"
    " sandbox allow-popups allow-popups-to-escape-sandbox"
)

templates = Environment(loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True)


def application(mailbox: Mailbox, mood: Mood, lifespan: Lifespan[Starlette] | None = None) -> Starlette:
    edge = _Edge(mailbox, mood)
    routes = [
        Route("/", edge.page),
        Route("/messages/{number:int}", edge.page),
        Route("/messages/{number:int}/html", edge.html),
        Route("/messages/{number:int}/raw", edge.raw),
        Route("/api/messages", edge.messages, methods=["GET"]),
        Route("/api/messages", edge.clear, methods=["DELETE"]),
        Route("/api/messages/{number:int}", edge.message),
        Route("/api/behaviour", edge.behaviour, methods=["GET", "POST", "DELETE"]),
        Route("/healthz", edge.health),
        Mount("/static", StaticFiles(directory=HERE / "static")),
    ]
    # a foreign page that points its own name at 127.0.0.1 must not read mails with working links
    guard = Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost", "[::1]"])
    return Starlette(routes=routes, middleware=[guard], lifespan=lifespan, exception_handlers={HTTPException: _refused})


class _Edge:
    def __init__(self, mailbox: Mailbox, mood: Mood) -> None:
        self._mailbox = mailbox
        self._mood = mood

    async def page(self, request: Request) -> Response:
        mails = self._mailbox.newest(limit=LISTED)
        chosen = self._asked(request) if "number" in request.path_params else None
        text = templates.get_template("page.html").render(mails=mails, chosen=chosen, kept=KEPT)
        return HTMLResponse(text, headers=_headers(PAGE_POLICY))

    async def html(self, request: Request) -> Response:
        base = '<base target="_blank">'  # a sandboxed frame cannot show another site, a new tab can
        return HTMLResponse(base + (self._asked(request).html or ""), headers=_headers(MAIL_POLICY))

    async def raw(self, request: Request) -> Response:
        text = self._asked(request).raw.decode("utf-8", "replace")
        return PlainTextResponse(text, headers=_headers("default-src 'none'; sandbox"))

    async def messages(self, request: Request) -> Response:
        limit = request.query_params.get("limit", str(KEPT))
        if not limit.isdecimal():
            raise HTTPException(400, "limit must be a whole number")
        found = self._mailbox.newest(request.query_params.get("to", ""), int(limit))
        return JSONResponse([mail.described for mail in found])

    async def message(self, request: Request) -> Response:
        return JSONResponse(self._asked(request).described)

    async def clear(self, _request: Request) -> Response:
        self._mailbox.clear()
        return Response(status_code=204)

    async def behaviour(self, request: Request) -> Response:
        """POST adds a wish, DELETE forgets all, GET lists; each answers the list."""
        if request.method == "POST":
            self._mood.wishes.append(await _wish(request))
        elif request.method == "DELETE":
            self._mood.wishes.clear()
        return JSONResponse([wish.model_dump() for wish in self._mood.wishes])

    async def health(self, _request: Request) -> Response:
        return JSONResponse({"status": "up"})

    def _asked(self, request: Request) -> Mail:
        mail = self._mailbox.get(request.path_params["number"])
        if mail is None:
            raise HTTPException(404, "there is no such mail (any more)")
        return mail


async def _wish(request: Request) -> Behaviour:
    if not request.headers.get("content-type", "").startswith("application/json"):
        raise HTTPException(415, "send application/json")  # a form on a foreign page cannot
    try:
        return Behaviour.model_validate_json(await request.body())
    except ValidationError as error:
        first = error.errors()[0]
        raise HTTPException(400, f"{'.'.join(map(str, first['loc']))}: {first['msg']}") from None


def _headers(policy: str) -> dict[str, str]:
    return {
        "Content-Security-Policy": policy,
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    body: dict[str, Any] = {"status": error.status_code, "message": error.detail, "code": "MAIL_SINK"}
    return JSONResponse(body, status_code=error.status_code)
