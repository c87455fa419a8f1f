"""The REST edge of status pages, their groups and their public subscribers."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Final

from fastapi import APIRouter, Body, Depends, Query, Response

from events.statuspage import StatuspageChanged, Subject
from runtime.access import Access, Caller
from runtime.refusals import invalid, missing
from runtime.resources import Page, answer, including, named, no_content, paging
from statuspage.bodies.status_pages import GroupBody, PublicSubscriberBody, StatusPageBody
from statuspage.desk import Anybody, AtDesk, Desk, Knows, Responder
from statuspage.domain.service import Known
from statuspage.domain.subscription import About
from statuspage.publics import MOST_AT_ONCE, Wish
from statuspage.shapes.status_pages import GroupResource, PublicSubscriberResource, StatusPageResource
from web.guards import Id

Included = Annotated[frozenset[str], Depends(including("subscribed"))]
IncludedInOne = Annotated[frozenset[str], Depends(including("subscribed", "uptime", "groups", "structure"))]
Bulk = Annotated[list[PublicSubscriberBody], Body(max_length=MOST_AT_ONCE, min_length=1)]

router: Final = APIRouter()


# -- pages


@router.get("/api/status-pages", summary="List status pages", response_model=list[StatusPageResource])
async def status_pages(
    caller: Anybody,
    page: Annotated[Page, Depends(paging(default=25, cap=50))],
    include: Included,
    desk: AtDesk,
    access: Knows,
) -> Response:
    found = page.of(await desk.status_pages.seen(caller))
    services = await desk.status_pages.services_of(found)
    heard = await _heard(found, include, caller, desk)
    return answer([_shown(one, services, access, desk, heard, full=False) for one in found])


@router.post("/api/status-pages", summary="Create a status page", response_model=StatusPageResource, status_code=201)
async def create_status_page(body: StatusPageBody, caller: Anybody, desk: AtDesk, access: Knows) -> Response:
    made = await desk.status_pages.create(body, caller)
    location = f"{desk.public_url}/api/status-pages/{made.page}"
    return answer(await _one(made, frozenset(), caller, desk, access), 201, location=location)


@router.get(
    "/api/status-pages/name/{name:path}", summary="Get a status page by its name", response_model=StatusPageResource
)
async def status_page_by_name(
    name: str, caller: Anybody, include: IncludedInOne, desk: AtDesk, access: Knows
) -> Response:
    found = named(await desk.status_pages.seen(caller), name, lambda one: one.name)
    if found is None:
        raise missing(f"There is no status page named {name}")
    return answer(await _one(found, include, caller, desk, access))


@router.get("/api/status-pages/{page}", summary="Get a status page", response_model=StatusPageResource)
async def status_page(page: Id, caller: Anybody, include: IncludedInOne, desk: AtDesk, access: Knows) -> Response:
    return answer(await _one(await desk.status_pages.get(page, caller), include, caller, desk, access))


@router.put("/api/status-pages/{page}", summary="Replace a status page", response_model=StatusPageResource)
async def change_status_page(page: Id, body: StatusPageBody, caller: Anybody, desk: AtDesk, access: Knows) -> Response:
    changed = await desk.status_pages.change(page, body, caller)
    return answer(await _one(changed, frozenset(), caller, desk, access))


@router.delete("/api/status-pages/{page}", summary="Delete a status page", status_code=204)
async def delete_status_page(page: Id, caller: Anybody, desk: AtDesk) -> Response:
    await desk.status_pages.remove(page, caller)
    return no_content()


# -- groups


@router.get(
    "/api/status-pages/{page}/groups", summary="List a status page's groups", response_model=list[GroupResource]
)
async def groups(page: Id, caller: Anybody, window: Annotated[Page, Depends(paging())], desk: AtDesk) -> Response:
    found = window.of((await desk.status_pages.get(page, caller)).groups)
    return answer([GroupResource.of(group) for group in found])


@router.post(
    "/api/status-pages/{page}/groups",
    summary="Add a group to a status page",
    response_model=GroupResource,
    status_code=201,
)
async def add_group(page: Id, body: GroupBody, caller: Anybody, desk: AtDesk) -> Response:
    made = await desk.status_pages.add_group(page, body, caller)
    location = f"{desk.public_url}/api/status-pages/{page}/groups/{made.id}"
    return answer(GroupResource.of(made), 201, location=location)


@router.get(
    "/api/status-pages/{page}/groups/{group}", summary="Get a group of a status page", response_model=GroupResource
)
async def group(page: Id, group: Id, caller: Anybody, desk: AtDesk) -> Response:
    return answer(GroupResource.of(await desk.status_pages.group(page, group, caller)))


@router.put(
    "/api/status-pages/{page}/groups/{group}", summary="Replace a group of a status page", response_model=GroupResource
)
async def change_group(page: Id, group: Id, body: GroupBody, caller: Anybody, desk: AtDesk) -> Response:
    return answer(GroupResource.of(await desk.status_pages.change_group(page, group, body, caller)))


@router.delete("/api/status-pages/{page}/groups/{group}", summary="Remove a group from a status page", status_code=204)
async def delete_group(page: Id, group: Id, caller: Anybody, desk: AtDesk) -> Response:
    await desk.status_pages.drop_group(page, group, caller)
    return no_content()


# -- public subscribers


@router.get(
    "/api/status-pages/{page}/subscribers",
    summary="List a status page's public subscribers",
    response_model=list[PublicSubscriberResource],
)
async def public_subscribers(
    page: Id, caller: Responder, window: Annotated[Page, Depends(paging())], desk: AtDesk
) -> Response:
    await desk.status_pages.writable(page, caller)
    return answer([PublicSubscriberResource.of(one) for one in window.of(await desk.publics.listed(page))])


@router.post(
    "/api/status-pages/{page}/subscribers_bulk",
    summary="Take in public subscribers that confirmed elsewhere",
    response_model=list[PublicSubscriberResource],
    status_code=200,
)
async def take_in_subscribers(
    page: Id,
    body: Bulk,
    caller: Responder,
    desk: AtDesk,
    is_import: Annotated[
        bool, Query(alias="import", description="Must be `true`: nobody is asked to confirm.")
    ] = False,
) -> Response:
    found = await desk.status_pages.writable(page, caller)
    if not is_import:
        raise invalid("import: must be true; who has not confirmed subscribes on the page itself")
    wishes = [Wish(one.target, tuple(ref.id for ref in one.services or ()), one.locale or "en-GB") for one in body]
    taken = set(await desk.publics.take_in(found, wishes))
    listed = await desk.publics.listed(page)
    return answer([PublicSubscriberResource.of(one) for one in listed if one.subscriber in taken])


@router.delete(
    "/api/status-pages/{page}/subscribers/{subscriber}", summary="Remove a public subscriber", status_code=204
)
async def remove_subscriber(page: Id, subscriber: Id, caller: Responder, desk: AtDesk) -> Response:
    await desk.status_pages.writable(page, caller)
    await desk.publics.remove(page, subscriber)
    return no_content()


# -- what is shown


async def _one(
    page: StatuspageChanged, include: frozenset[str], caller: Caller, desk: Desk, access: Access
) -> StatusPageResource:
    services = await desk.status_pages.services_of([page])
    heard = await _heard([page], include, caller, desk)
    return _shown(page, services, access, desk, heard, include=include)


async def _heard(
    pages: Sequence[StatuspageChanged], include: frozenset[str], caller: Caller, desk: Desk
) -> frozenset[About] | None:
    if "subscribed" not in include:
        return None
    return await desk.subscriptions.heard([_about(page) for page in pages], caller)


def _about(page: StatuspageChanged) -> About:
    return About(Subject.STATUS_PAGE, page.page)


def _shown(
    page: StatuspageChanged,
    services: Mapping[int, Known],
    access: Access,
    desk: Desk,
    heard: frozenset[About] | None,
    *,
    include: frozenset[str] = frozenset(),
    full: bool = True,
) -> StatusPageResource:
    return StatusPageResource.of(
        page,
        services,
        access,
        desk.status_pages.address(page),
        full=full,
        groups="groups" in include,
        uptime_at=desk.clock.now() if "uptime" in include else None,
        subscribed=None if heard is None else _about(page) in heard,
    )
