"""Status pages for those who make them: the list, the form with its rows of services, groups, preview and subscribers."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError
from starlette.exceptions import HTTPException

from events.statuspage import PageElement, PageLeaf, StatuspageChanged, Subject
from runtime.access import Access, Caller
from runtime.refusals import Refused
from statuspage.bodies.fields import zones
from statuspage.bodies.status_pages import SWITCHES, TEXTS, GroupBody, PublicSubscriberBody, StatusPageBody
from statuspage.desk import Anybody, AtDesk, Desk, Knows
from statuspage.domain.service import Known
from statuspage.domain.subscription import About
from statuspage.domain.uptime import worst
from statuspage.pages.front import AtFront, Front, errors_of, given, teams_to_choose
from statuspage.publics import MOST_AT_ONCE, Wish
from statuspage.reader import TYPES, policy
from statuspage.showing import is_public
from web.forms import Posted, Values, rearranged, rows
from web.guards import Id
from web.pages import viewer_of
from web.words import gettext as _

FRESH: Final[dict[str, object]] = {"rows": {"service": "", "group": "", "graph": "true"}}
PLAIN: Final = (
    "name",
    "subdomain",
    "domain",
    "timezone",
    "visibility",
    "pageLayout",
    "appearance",
    "announcement",
    *TEXTS,
)
BOXES: Final = ("activated", "announcementOnPage", *SWITCHES)

router: Final = APIRouter()


@router.get("/status-pages")
async def status_pages(request: Request, caller: Anybody, desk: AtDesk, access: Knows, front: AtFront) -> Response:
    found = await desk.status_pages.seen(caller)
    services = await desk.status_pages.services_of(found)
    return front.pages.render(
        request,
        "status_pages.html",
        viewer_of(caller, access),
        pages=found,
        status_of=lambda page: worst([services[one].status for one in page.services if one in services]),
        is_public=is_public,
        address_of=desk.status_pages.address,
        has_services=bool(await desk.services.seen(caller)),
        may_add=desk.status_pages.references.may_write(caller, ()),
    )


@router.get("/status-pages/new")
async def new_page(request: Request, caller: Anybody, desk: AtDesk, access: Knows, front: AtFront) -> Response:
    known = await desk.services.seen(caller)
    form: Values = {
        "timezone": viewer_of(caller, access).zone,
        "showSubscribeAction": "true",
        "showIncidentHistoryOption": "true",
        "rows": {
            str(number): {"service": str(one.now.service), "group": "", "graph": "true"}
            for number, one in enumerate(known[:100])
        },
    }
    return await _form_page(request, caller, desk, access, front, None, form, {})


@router.post("/status-pages/new")
async def add_page(
    request: Request, caller: Anybody, desk: AtDesk, access: Knows, front: AtFront, form: Posted
) -> Response:
    if _is_rearranged(form):
        return await _form_page(request, caller, desk, access, front, None, form, {})
    try:
        made = await desk.status_pages.create(StatusPageBody.model_validate(_body(form)), caller)
    except (ValidationError, Refused) as error:
        return await _form_page(request, caller, desk, access, front, None, form, _errors(error, form))
    return front.pages.redirect(request, f"/status-pages/{made.page}", _("%(name)s was added") % {"name": made.name})


@router.get("/status-pages/{page}")
async def status_page(
    request: Request, page: Id, caller: Anybody, desk: AtDesk, access: Knows, front: AtFront
) -> Response:
    found = await desk.status_pages.get(page, caller)
    return await _detail(request, found, caller, desk, access, front, {}, {})


@router.get("/status-pages/{page}/edit")
async def edit_page(
    request: Request, page: Id, caller: Anybody, desk: AtDesk, access: Knows, front: AtFront
) -> Response:
    found = await desk.status_pages.writable(page, caller)
    services = await desk.status_pages.services_of([found])
    return await _form_page(request, caller, desk, access, front, found, _form(found, services), {})


@router.post("/status-pages/{page}/edit")
async def change_page(
    request: Request, page: Id, caller: Anybody, desk: AtDesk, access: Knows, front: AtFront, form: Posted
) -> Response:
    found = await desk.status_pages.writable(page, caller)
    if _is_rearranged(form):
        return await _form_page(request, caller, desk, access, front, found, form, {})
    try:
        await desk.status_pages.change(page, StatusPageBody.model_validate(_body(form)), caller)
    except (ValidationError, Refused) as error:
        return await _form_page(request, caller, desk, access, front, found, form, _errors(error, form))
    return front.pages.redirect(request, f"/status-pages/{page}", _("Saved"))


@router.post("/status-pages/{page}/delete")
async def delete_page(request: Request, page: Id, caller: Anybody, desk: AtDesk, front: AtFront) -> Response:
    name = (await desk.status_pages.get(page, caller)).name
    await desk.status_pages.remove(page, caller)
    return front.pages.redirect(request, "/status-pages", _("%(name)s was deleted") % {"name": name})


# -- groups


@router.post("/status-pages/{page}/groups")
async def add_group(
    request: Request, page: Id, caller: Anybody, desk: AtDesk, access: Knows, front: AtFront, form: Posted
) -> Response:
    try:
        await desk.status_pages.add_group(page, GroupBody.model_validate(given(form, "name")), caller)
    except ValidationError as error:
        found = await desk.status_pages.get(page, caller)
        return await _detail(request, found, caller, desk, access, front, form, errors_of(error, form))
    return front.pages.redirect(request, f"/status-pages/{page}#groups", _("Added"))


@router.post("/status-pages/{page}/groups/{group}/delete")
async def delete_group(
    request: Request, page: Id, group: Id, caller: Anybody, desk: AtDesk, front: AtFront
) -> Response:
    await desk.status_pages.drop_group(page, group, caller)
    return front.pages.redirect(request, f"/status-pages/{page}#groups", _("Removed"))


# -- preview


@router.get("/status-pages/{page}/preview")
async def to_preview(request: Request, page: Id, caller: Anybody, desk: AtDesk, front: AtFront) -> Response:
    """Links in it are relative: its root ends with a slash."""
    await desk.status_pages.get(page, caller)
    return front.pages.redirect(request, f"/status-pages/{page}/preview/index.html")


@router.get("/status-pages/{page}/preview/{name:path}")
async def preview(page: Id, name: str, caller: Anybody, desk: AtDesk) -> Response:
    found = await desk.status_pages.get(page, caller)
    path = name or "index.html"
    path = path if "." in path.rpartition("/")[2] else f"{path}.html"
    content = await desk.previews.file(found, path)
    kind = TYPES.get(f".{path.rpartition('.')[2]}")
    if content is None or kind is None:
        raise HTTPException(404, "This page has no such part")
    return Response(content, headers={"Content-Security-Policy": policy(desk.public_url)}, media_type=kind)


# -- public subscribers


@router.get("/status-pages/{page}/public-subscribers")
async def public_subscribers(
    request: Request, page: Id, caller: Anybody, desk: AtDesk, access: Knows, front: AtFront
) -> Response:
    found = await desk.status_pages.writable(page, caller)
    return await _subscribers_page(request, found, caller, desk, access, front, {}, {})


@router.post("/status-pages/{page}/public-subscribers")
async def import_subscribers(
    request: Request, page: Id, caller: Anybody, desk: AtDesk, access: Knows, front: AtFront, form: Posted
) -> Response:
    """Addresses that confirmed elsewhere, one on a line."""
    found = await desk.status_pages.writable(page, caller)
    lines = [line.strip() for line in str(form.get("addresses", "")).splitlines() if line.strip()]
    errors = _wrong_lines(lines)
    if errors:
        return await _subscribers_page(request, found, caller, desk, access, front, form, errors)
    await desk.publics.take_in(found, [Wish(line) for line in lines])
    return front.pages.redirect(request, f"/status-pages/{page}/public-subscribers", _("Taken in"))


@router.post("/status-pages/{page}/public-subscribers/{subscriber}/delete")
async def remove_subscriber(
    request: Request, page: Id, subscriber: Id, caller: Anybody, desk: AtDesk, front: AtFront
) -> Response:
    await desk.status_pages.writable(page, caller)
    await desk.publics.remove(page, subscriber)
    return front.pages.redirect(request, f"/status-pages/{page}/public-subscribers", _("Removed"))


def _wrong_lines(lines: list[str]) -> dict[str, str]:
    if not 1 <= len(lines) <= MOST_AT_ONCE:
        return {"addresses": _("Give 1 to %(most)s addresses, one on a line") % {"most": MOST_AT_ONCE}}
    for number, line in enumerate(lines, 1):
        try:
            PublicSubscriberBody(target=line)
        except ValidationError:
            return {"addresses": _("Line %(number)s is no e-mail address") % {"number": number}}
    return {}


# -- pages


async def _detail(
    request: Request,
    page: StatuspageChanged,
    caller: Caller,
    desk: Desk,
    access: Access,
    front: Front,
    form: Values,
    errors: dict[str, str],
) -> Response:
    services = await desk.status_pages.services_of([page])
    listed = await desk.publics.listed(page.page)
    return front.pages.render(
        request,
        "status_page.html",
        viewer_of(caller, access),
        status=422 if errors else 200,
        page=page,
        services=services,
        state=worst([one.status for one in services.values()]),
        is_public=is_public(page),
        address=desk.status_pages.address(page),
        confirmed=sum(one.is_confirmed for one in listed),
        pending=sum(not one.is_confirmed for one in listed),
        teams=[(access.team(team), team) for team in page.teams],
        form=form,
        errors=errors,
        hearing=await desk.subscriptions.hearing(About(Subject.STATUS_PAGE, page.page), caller),
        may_write=desk.status_pages.may_write(caller, page),
    )


async def _subscribers_page(
    request: Request,
    page: StatuspageChanged,
    caller: Caller,
    desk: Desk,
    access: Access,
    front: Front,
    form: Values,
    errors: dict[str, str],
) -> Response:
    services = await desk.status_pages.services_of([page])
    return front.pages.render(
        request,
        "public_subscribers.html",
        viewer_of(caller, access),
        status=422 if errors else 200,
        page=page,
        subscribers=await desk.publics.listed(page.page),
        names={number: known.now.name for number, known in services.items()},
        form=form,
        errors=errors,
    )


async def _form_page(
    request: Request,
    caller: Caller,
    desk: Desk,
    access: Access,
    front: Front,
    page: StatuspageChanged | None,
    form: Values,
    errors: dict[str, str],
) -> Response:
    desk.status_pages.references.only_writers(caller, page.teams if page else ())
    return front.pages.render(
        request,
        "status_page_form.html",
        viewer_of(caller, access),
        block="form",
        status=422 if errors else 200,
        page=page,
        form=form,
        errors=errors,
        lines=[(key, row) for key, row in rows(form.get("rows")) if isinstance(row, dict)],
        services=[(one.now.service, one.now.name) for one in await desk.services.seen(caller)],
        groups=[(group.id, group.name) for group in page.groups] if page else [],
        zones=sorted(zones()),
        owners=teams_to_choose(access, caller),
        public_url=desk.public_url,
    )


# -- between forms and bodies


def _is_rearranged(form: Values) -> bool:
    """Rows are added, taken away, and moved by the buttons `up:<row>` and `down:<row>`."""
    kind, _colon, key = str(form.get("op", "")).partition(":")
    if kind not in ("up", "down"):
        return rearranged(form, FRESH)
    form.pop("op")
    lines = rows(form.get("rows"))
    keys = [one for one, _row in lines]
    here = keys.index(key) if key in keys else -1
    there = here + (-1 if kind == "up" else 1)
    if here >= 0 and 0 <= there < len(lines):
        lines[here], lines[there] = lines[there], lines[here]
    form["rows"] = dict(lines)
    return True


def _body(form: Values) -> dict[str, Any]:
    """The API's body: rows of services become a list and a structure, in the order of the form."""
    lines = [row for _key, row in rows(form.get("rows")) if isinstance(row, dict) and row.get("service")]
    body = given(form, *PLAIN) | {name: form.get(name) == "true" for name in BOXES}
    body["services"] = [{"id": row["service"]} for row in lines]
    body["structure"] = {"elements": list(_elements(lines, {key for key, _ in rows(form.get("expand"))}))}
    body["teams"] = [{"id": team} for team, _ in rows(form.get("teams"))]
    return body


def _elements(lines: list[Values], expanded: set[str]) -> Iterable[dict[str, Any]]:
    """A group stands where the first of its services does."""
    told: set[str] = set()
    for row in lines:
        group = str(row.get("group", ""))
        if not group:
            yield _element(row)
        elif group not in told:
            told.add(group)
            children = [_element(one) for one in lines if str(one.get("group", "")) == group]
            options = ["expand"] if group in expanded else []
            yield {"id": group, "type": "GROUP", "options": options, "children": children}


def _element(row: Values) -> dict[str, Any]:
    options = [] if row.get("graph") == "true" else ["no-graph"]
    return {"id": row["service"], "type": "SERVICE", "options": options}


def _errors(error: ValidationError | Refused, form: Values) -> dict[str, str]:
    """What is wrong with the services or their order belongs to the rows as a whole."""
    found = errors_of(error, form)
    return {
        "rows" if name.partition(".")[0] in ("services", "structure") else name: words for name, words in found.items()
    }


def _form(page: StatuspageChanged, services: Mapping[int, Known]) -> Values:
    plain: Values = {
        "name": page.name,
        "subdomain": str(page.settings.get("subdomain", page.subdomain)),
        "domain": page.domain or "",
        "timezone": page.timezone,
        "visibility": page.visibility,
        "pageLayout": page.layout,
        "appearance": page.appearance,
        "announcement": page.announcement,
        "activated": _tick(page.activated),
        "announcementOnPage": _tick(page.announcement_on_page),
        "teams": {str(team): "true" for team in page.teams},
        "expand": {str(one.id): "true" for one in page.elements if "expand" in one.options},
        "rows": {str(number): row for number, row in enumerate(_rows(page, services))},
    }
    texts = {text: str(page.settings.get(text, "")) for text in TEXTS}
    return plain | texts | {name: _tick(page.settings.get(name, SWITCHES[name])) for name in SWITCHES}


def _rows(page: StatuspageChanged, services: Mapping[int, Known]) -> list[Values]:
    """As the page shows them: by the structure, then what that does not name. Services that are gone are left out."""
    found = [row for element in page.elements for row in _rows_of(element)]
    named = {row["service"] for row in found}
    found += [_row(PageLeaf(id=number), "") for number in page.services if str(number) not in named]
    return [row for row in found if int(row["service"]) in services]


def _rows_of(element: PageElement) -> list[Values]:
    if element.type == "GROUP":
        return [_row(leaf, str(element.id)) for leaf in element.children]
    return [_row(element, "")]


def _row(leaf: PageElement | PageLeaf, group: str) -> Values:
    return {"service": str(leaf.id), "group": group, "graph": _tick("no-graph" not in leaf.options)}


def _tick(is_so: object) -> str:
    return "true" if is_so else ""
