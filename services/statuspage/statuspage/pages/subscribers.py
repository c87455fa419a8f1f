"""What the public sees of its subscriptions: the form, and the pages behind the links in mails. Nobody is signed in here.

A GET changes nothing, for scanners open every link of a mail: the page that it opens has the button.
"""

from typing import Any, Final

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException

from events.statuspage import StatuspageChanged
from runtime.refusals import Refused
from statuspage.desk import AtDesk, Desk
from statuspage.pages.front import AtFront
from statuspage.publics import Known, Wish
from web.forms import Posted, Values, rows
from web.words import gettext as _

LONGEST: Final = 254

router: Final = APIRouter()


# -- asking


@router.get("/subscribers/{subdomain}")
async def form(request: Request, subdomain: str, desk: AtDesk, front: AtFront) -> Response:
    page = await desk.publics.page(subdomain)
    return front.pages.render(request, "subscribe.html", **await _form_values(desk, page, {}, {}))


@router.post("/subscribers/{subdomain}")
async def ask(request: Request, subdomain: str, desk: AtDesk, front: AtFront, posted: Posted) -> Response:
    """The answer is the same whether or not the address is known already."""
    page = await desk.publics.page(subdomain)
    try:
        await desk.publics.ask(subdomain, Wish(str(posted.get("email", "")).strip()[: LONGEST + 1], _chosen(posted)))
    except Refused as refused:
        if refused.status == 404:
            raise
        values = await _form_values(desk, page, posted, _errors(refused))
        return front.pages.render(request, "subscribe.html", status=422, **values)
    return front.pages.render(
        request, "subscribed.html", page=page, address=desk.status_pages.address(page), kind="asked"
    )


# -- by a link


@router.get("/subscribers/confirm/{token}")
async def before_confirming(request: Request, token: str, desk: AtDesk, front: AtFront) -> Response:
    known = await desk.publics.known(front.links.read(token))
    return front.pages.render(
        request, "subscription_button.html", page=known.page, kind="confirm", mask=known.state.mask
    )


@router.post("/subscribers/confirm/{token}")
async def confirm(request: Request, token: str, desk: AtDesk, front: AtFront) -> Response:
    known = await desk.publics.confirm(front.links.read(token))
    address = desk.status_pages.address(known.page)
    return front.pages.render(
        request,
        "subscribed.html",
        page=known.page,
        address=address,
        kind="confirmed",
        manage=f"/subscribers/manage/{token}",
    )


@router.get("/subscribers/manage/{token}")
async def manage(request: Request, token: str, desk: AtDesk, front: AtFront) -> Response:
    known = await desk.publics.known(front.links.read(token))
    values = await _manage_values(desk, known, token)
    return front.pages.render(request, "subscription_manage.html", **values)


@router.post("/subscribers/manage/{token}")
async def choose(request: Request, token: str, desk: AtDesk, front: AtFront, posted: Posted) -> Response:
    await desk.publics.choose(front.links.read(token), _chosen(posted))
    return front.pages.redirect(request, f"/subscribers/manage/{token}", _("Saved"))


@router.get("/subscribers/leave/{token}")
async def before_leaving(request: Request, token: str, desk: AtDesk, front: AtFront) -> Response:
    known = await desk.publics.known(front.links.read(token))
    return front.pages.render(request, "subscription_button.html", page=known.page, kind="leave", mask=known.state.mask)


@router.post("/subscribers/leave/{token}")
async def leave(request: Request, token: str, desk: AtDesk, front: AtFront) -> Response:
    """Also what mail programmes post by themselves (RFC 8058), once or twice."""
    await desk.publics.leave(front.links.read(token))
    return front.pages.render(request, "subscribed.html", page=None, address=None, kind="left")


# -- between forms and wishes


async def _form_values(desk: Desk, page: StatuspageChanged, posted: Values, errors: dict[str, str]) -> dict[str, Any]:
    services = await desk.status_pages.services_of([page])
    return {
        "page": page,
        "email": str(posted.get("email", "")),
        "chosen": {key for key, _value in rows(posted.get("services"))},
        "services": [(number, services[number].now.name) for number in page.services if number in services],
        "errors": errors,
    }


async def _manage_values(desk: Desk, known: Known, token: str) -> dict[str, Any]:
    services = await desk.status_pages.services_of([known.page])
    return {
        "page": known.page,
        "mask": known.state.mask,
        "token": token,
        "chosen": {str(number) for number in known.state.services},
        "services": [(number, services[number].now.name) for number in known.page.services if number in services],
        "address": desk.status_pages.address(known.page),
    }


def _chosen(posted: Values) -> tuple[int, ...]:
    """Ticked boxes `services.<id>`; none: all. Raises a 400 for what is no id."""
    keys = [key for key, _value in rows(posted.get("services"))]
    if not all(key.isascii() and key.isdecimal() and len(key) < 19 for key in keys):
        raise HTTPException(400, "services: must be ids")
    return tuple(int(key) for key in keys)


def _errors(refused: Refused) -> dict[str, str]:
    field, _colon, words = refused.refusal.message.partition(": ")
    return {field: words}
