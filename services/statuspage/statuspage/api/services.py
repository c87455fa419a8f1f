"""The REST edge of services."""

from collections.abc import Sequence
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Response

from events.statuspage import Subject
from runtime.access import Access, Caller
from runtime.refusals import invalid_field, missing
from runtime.resources import LARGEST_INDEX, Page, answer, including, named, no_content
from statuspage.bodies.services import ServiceBody
from statuspage.desk import Anybody, AtDesk, Desk, Knows
from statuspage.domain.service import Known
from statuspage.domain.subscription import About
from statuspage.shapes.incidents import IncidentResource
from statuspage.shapes.included import ServiceShown
from statuspage.shapes.services import ServiceResource, UptimeResource
from web.guards import Id

MOST: Final = 100
MOST_WITH_INCLUDES: Final = 25

Included = Annotated[frozenset[str], Depends(including("subscribed", "uptime", "incidents"))]

router: Final = APIRouter()


async def page_of(
    include: Included,
    start: Annotated[int, Query(alias="start-index", ge=0, le=LARGEST_INDEX)] = 0,
    size: Annotated[int, Query(alias="max-results", ge=1, le=MOST)] = 10,
) -> Page:
    """Fewer at once when more of each is asked for."""
    if include and size > MOST_WITH_INCLUDES:
        raise invalid_field("max-results", f"must be at most {MOST_WITH_INCLUDES} with include")
    return Page(start, size)


@router.get("/api/services", summary="List services", response_model=list[ServiceShown])
async def services(
    caller: Anybody, page: Annotated[Page, Depends(page_of)], include: Included, desk: AtDesk, access: Knows
) -> Response:
    found = page.of(await desk.services.seen(caller))
    return answer(await _shown(found, include, caller, desk, access))


@router.post("/api/services", summary="Create a service", response_model=ServiceResource, status_code=201)
async def create_service(body: ServiceBody, caller: Anybody, desk: AtDesk, access: Knows) -> Response:
    made = await desk.services.create(body, caller)
    location = f"{desk.public_url}/api/services/{made.now.service}"
    return answer(ServiceResource.of(made, access), 201, location=location)


@router.get("/api/services/name/{name:path}", summary="Get a service by its name", response_model=ServiceShown)
async def service_by_name(name: str, caller: Anybody, include: Included, desk: AtDesk, access: Knows) -> Response:
    found = named(await desk.services.seen(caller), name, lambda one: one.now.name)
    if found is None:
        raise missing(f"There is no service named {name}")
    return answer((await _shown([found], include, caller, desk, access))[0])


@router.get("/api/services/{service}", summary="Get a service", response_model=ServiceShown)
async def service(service: Id, caller: Anybody, include: Included, desk: AtDesk, access: Knows) -> Response:
    found = await desk.services.get(service, caller)
    return answer((await _shown([found], include, caller, desk, access))[0])


@router.put("/api/services/{service}", summary="Replace a service", response_model=ServiceResource)
async def change_service(service: Id, body: ServiceBody, caller: Anybody, desk: AtDesk, access: Knows) -> Response:
    return answer(ServiceResource.of(await desk.services.change(service, body, caller), access))


@router.delete("/api/services/{service}", summary="Delete a service", status_code=204)
async def delete_service(service: Id, caller: Anybody, desk: AtDesk) -> Response:
    await desk.services.remove(service, caller)
    return no_content()


async def _shown(
    found: Sequence[Known], include: frozenset[str], caller: Caller, desk: Desk, access: Access
) -> list[ServiceShown]:
    numbers = [one.now.service for one in found]
    about = [About(Subject.SERVICE, number) for number in numbers] if "subscribed" in include else []
    heard = await desk.subscriptions.heard(about, caller) if about else frozenset()
    incidents = await desk.incidents.open_of(numbers, caller) if "incidents" in include else {}
    at = desk.clock.now()
    return [
        ServiceShown.with_(
            one,
            access,
            uptime=UptimeResource.of(one.history, at) if "uptime" in include else None,
            incidents=[IncidentResource.of(seen.story, seen.services, access) for seen in incidents[number]]
            if number in incidents
            else None,
            subscribed=About(Subject.SERVICE, number) in heard if about else None,
        )
        for number, one in zip(numbers, found, strict=True)
    ]
