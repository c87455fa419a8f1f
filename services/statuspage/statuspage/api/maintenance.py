"""The REST edge of maintenance windows."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Response

from runtime.resources import Page, ResourceId, answer, no_content, paging
from statuspage.bodies.fields import Instant
from statuspage.bodies.maintenance import MaintenanceBody
from statuspage.desk import Anybody, AtDesk, Knows
from statuspage.maintenance import Filters, Phase
from statuspage.shapes.maintenance import MaintenanceResource
from web.guards import Id

Ids = Annotated[list[ResourceId] | None, Query()]

router: Final = APIRouter()


async def filters_of(
    state: Annotated[Phase | None, Query()] = None,
    services: Ids = None,
    sources: Ids = None,
    since: Annotated[Instant | None, Query(alias="from")] = None,
    until: Annotated[Instant | None, Query()] = None,
) -> Filters:
    return Filters(state, services or (), sources or (), since, until)


@router.get("/api/maintenance-windows", summary="List maintenance windows", response_model=list[MaintenanceResource])
async def maintenances(
    caller: Anybody,
    page: Annotated[Page, Depends(paging())],
    filters: Annotated[Filters, Depends(filters_of)],
    desk: AtDesk,
    access: Knows,
) -> Response:
    found = page.of(await desk.maintenances.seen(caller, filters))
    return answer([MaintenanceResource.of(one, access, desk.maintenances.sources_seen(caller)) for one in found])


@router.post(
    "/api/maintenance-windows",
    summary="Create a maintenance window",
    response_model=MaintenanceResource,
)
async def plan_maintenance(body: MaintenanceBody, caller: Anybody, desk: AtDesk, access: Knows) -> Response:
    made = await desk.maintenances.plan(body, caller)
    location = f"{desk.public_url}/api/maintenance-windows/{made.now.maintenance}"
    return answer(MaintenanceResource.of(made, access, desk.maintenances.sources_seen(caller)), location=location)


@router.get(
    "/api/maintenance-windows/{maintenance}", summary="Get a maintenance window", response_model=MaintenanceResource
)
async def maintenance(maintenance: Id, caller: Anybody, desk: AtDesk, access: Knows) -> Response:
    found = await desk.maintenances.get(maintenance, caller)
    return answer(MaintenanceResource.of(found, access, desk.maintenances.sources_seen(caller)))


@router.put(
    "/api/maintenance-windows/{maintenance}",
    summary="Replace a maintenance window",
    response_model=MaintenanceResource,
)
async def change_maintenance(
    maintenance: Id, body: MaintenanceBody, caller: Anybody, desk: AtDesk, access: Knows
) -> Response:
    changed = await desk.maintenances.change(maintenance, body, caller)
    return answer(MaintenanceResource.of(changed, access, desk.maintenances.sources_seen(caller)))


@router.delete("/api/maintenance-windows/{maintenance}", summary="Delete a maintenance window", status_code=204)
async def delete_maintenance(maintenance: Id, caller: Anybody, desk: AtDesk) -> Response:
    await desk.maintenances.remove(maintenance, caller)
    return no_content()
