"""Signing in and out: a form comes in, a session cookie goes out, or words for why not."""

from collections.abc import Mapping
from ipaddress import ip_address
from math import ceil
from typing import Final

from fastapi import APIRouter, Request, Response

from accounts.pages.front import AtFront, Front, text_of
from accounts.sign_in import SignedIn, TooOften, Wrong
from web.forms import Posted
from web.session import safe_next
from web.words import gettext as _

router: Final = APIRouter()


@router.get("/sign-in")
async def sign_in_page(request: Request, front: AtFront, next: str = "") -> Response:  # noqa: A002 (the query's name)
    return front.pages.render(request, "sign_in.html", next=safe_next(next), email="", errors={})


@router.post("/sign-in")
async def sign_in(request: Request, front: AtFront, form: Posted) -> Response:
    email, password, target = (
        text_of(form, "email").strip(),
        text_of(form, "password"),
        safe_next(text_of(form, "next")),
    )
    match await front.sign_in.attempt(email, password, origin_of(request)):
        case SignedIn() as opened:
            return with_session(request, front, opened, front.pages.redirect(request, target))
        case Wrong():
            errors = {"password": _("This address and password do not belong together")}
            return _sign_in_again(request, front, 422, email, target, errors)
        case TooOften(wait):
            minutes = ceil(wait.total_seconds() / 60)
            errors = {"email": _("Too many attempts. Try again in %(minutes)s min") % {"minutes": minutes}}
            return _sign_in_again(request, front, 429, email, target, errors)


@router.post("/sign-out")
async def sign_out(request: Request, front: AtFront) -> Response:
    """Also when the session is over already: who wants to leave is let out."""
    session = front.sessions.read(request)
    if session is not None:
        await front.sign_in.close(session.id)
    response = front.pages.redirect(request, "/sign-in")
    front.sessions.end(request, response)
    return response


def origin_of(request: Request) -> str:
    """The address of who asks: what our router says, and otherwise who is connected."""
    peer = request.client.host if request.client else ""
    forwarded = request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
    return forwarded if forwarded and _is_ours(peer) else peer


def _is_ours(peer: str) -> bool:
    try:
        return ip_address(peer).is_private
    except ValueError:
        return False


def _sign_in_again(
    request: Request, front: Front, status: int, email: str, target: str, errors: Mapping[str, str]
) -> Response:
    return front.pages.render(request, "sign_in.html", status=status, next=target, email=email, errors=errors)


def with_session(request: Request, front: Front, opened: SignedIn, response: Response) -> Response:
    front.sessions.start(request, response, opened.session, opened.user)
    return response
