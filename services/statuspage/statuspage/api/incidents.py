"""The REST edge of incidents."""

import re
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Header, Query, Response
from pydantic import AwareDatetime

from events.statuspage import IncidentStatus, Subject
from runtime.access import Access, Caller
from runtime.refusals import invalid
from runtime.resources import LARGEST_INDEX, Page, ResourceId, answer, including
from statuspage.bodies.incidents import ForecastBody, IncidentBody
from statuspage.desk import Anybody, AtDesk, Desk, Knows
from statuspage.domain.subscription import About
from statuspage.incidents import Filter, Seen
from statuspage.shapes.incidents import ForecastResource, IncidentResource
from web.guards import Id

MOST: Final = 100
MOST_WITH_INCLUDES: Final = 25
_TAG: Final = re.compile(r'\s*(?:W/)?"([0-9]{1,18})"\s*')

Included = Annotated[frozenset[str], Depends(including("subscribed"))]
IncludedInOne = Annotated[frozenset[str], Depends(including("subscribed", "affectedTeams", "history"))]
Statuses = Annotated[list[IncidentStatus] | None, Query()]

router: Final = APIRouter()


async def page_of(
    include: Included,
    start: Annotated[int, Query(alias="start-index", ge=0, le=LARGEST_INDEX)] = 0,
    size: Annotated[int, Query(alias="max-results", ge=1, le=MOST)] = 10,
) -> Page:
    """Fewer at once when more of each is asked for."""
    if include and size > MOST_WITH_INCLUDES:
        raise invalid(f"max-results: must be at most {MOST_WITH_INCLUDES} with include")
    return Page(start, size)


async def filter_of(
    states: Statuses = None,
    state: Statuses = None,
    services: Annotated[list[ResourceId] | None, Query(max_length=100)] = None,
    since: Annotated[AwareDatetime | None, Query(alias="from")] = None,
    until: Annotated[AwareDatetime | None, Query()] = None,
) -> Filter:
    """`state` is how ilert's Go client says `states`."""
    wanted = frozenset([*(states or ()), *(state or ())])
    return Filter(wanted or None, frozenset(services) if services else None, since, until)


@router.get("/api/incidents", summary="List incidents", response_model=list[IncidentResource])
async def incidents(
    caller: Anybody,
    page: Annotated[Page, Depends(page_of)],
    wanted: Annotated[Filter, Depends(filter_of)],
    include: Included,
    desk: AtDesk,
    access: Knows,
) -> Response:
    found = await desk.incidents.seen(caller, wanted, page.start, page.size)
    heard = await _heard(found, include, caller, desk)
    return answer([_resource(one, include, access, heard) for one in found])


@router.post("/api/incidents", summary="Create an incident", response_model=IncidentResource, status_code=201)
async def create_incident(body: IncidentBody, caller: Anybody, desk: AtDesk, access: Knows) -> Response:
    """Its services have its impact from now on; subscribers are told when `sendNotification` is true."""
    made = await desk.incidents.create(body, caller)
    location = f"{desk.public_url}/api/incidents/{made.story.incident}"
    return _tagged(made, answer(_resource(made, frozenset(), access), 201, location=location))


@router.post(
    "/api/incidents/publish-info",
    summary="Forecast where an incident would be seen and who would be told",
    response_model=ForecastResource,
)
async def forecast(body: ForecastBody, caller: Anybody, desk: AtDesk) -> Response:
    return answer(ForecastResource.of(await desk.incidents.forecast(body, caller)))


@router.get("/api/incidents/{incident}", summary="Get an incident", response_model=IncidentResource)
async def incident(incident: Id, caller: Anybody, include: IncludedInOne, desk: AtDesk, access: Knows) -> Response:
    """Its `ETag` makes an update conditional."""
    found = await desk.incidents.get(incident, caller)
    heard = await _heard([found], include, caller, desk)
    return _tagged(found, answer(_resource(found, include, access, heard)))


@router.put("/api/incidents/{incident}", summary="Update an incident", response_model=IncidentResource)
async def update_incident(
    incident: Id,
    body: IncidentBody,
    caller: Anybody,
    desk: AtDesk,
    access: Knows,
    if_match: Annotated[str | None, Header()] = None,
) -> Response:
    """One more word, appended to its history. With `If-Match`: 412 when it was changed meanwhile."""
    said = await desk.incidents.update(incident, body, caller, _versions(if_match))
    return _tagged(said, answer(_resource(said, frozenset(), access)))


async def _heard(found: list[Seen], include: frozenset[str], caller: Caller, desk: Desk) -> frozenset[About] | None:
    """Of which of these the caller hears; None when nobody asked."""
    if "subscribed" not in include:
        return None
    return await desk.subscriptions.heard([_about(one) for one in found], caller)


def _resource(
    seen: Seen, include: frozenset[str], access: Access, heard: frozenset[About] | None = None
) -> IncidentResource:
    subscribed = None if heard is None else _about(seen) in heard
    return IncidentResource.of(seen.story, seen.services, access, include, subscribed=subscribed)


def _about(seen: Seen) -> About:
    return About(Subject.INCIDENT, seen.story.incident)


def _tagged(seen: Seen, response: Response) -> Response:
    response.headers["ETag"] = f'"{seen.version}"'
    return response


def _versions(if_match: str | None) -> frozenset[int] | None:
    """The versions that a condition names; None without one. What is no tag of ours matches nothing."""
    if if_match is None or if_match.strip() == "*":
        return None
    return frozenset(int(tag[1]) for part in if_match.split(",") if (tag := _TAG.fullmatch(part)))
