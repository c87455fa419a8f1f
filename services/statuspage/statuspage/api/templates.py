"""The REST edge of incident templates."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Response

from runtime.refusals import missing
from runtime.resources import Page, answer, named, no_content, paging
from statuspage.bodies.templates import TemplateBody
from statuspage.desk import AtDesk, Knows, Responder
from statuspage.shapes.templates import TemplateResource
from web.guards import Id

router: Final = APIRouter()


@router.get("/api/incident-templates", summary="List incident templates", response_model=list[TemplateResource])
async def templates(
    caller: Responder, page: Annotated[Page, Depends(paging())], desk: AtDesk, access: Knows
) -> Response:
    return answer([TemplateResource.of(one, access) for one in page.of(await desk.templates.seen(caller))])


@router.post(
    "/api/incident-templates", summary="Create an incident template", response_model=TemplateResource, status_code=201
)
async def create_template(body: TemplateBody, caller: Responder, desk: AtDesk, access: Knows) -> Response:
    made = await desk.templates.create(body, caller)
    location = f"{desk.public_url}/api/incident-templates/{made.template}"
    return answer(TemplateResource.of(made, access), 201, location=location)


@router.get(
    "/api/incident-templates/name/{name:path}",
    summary="Get an incident template by its name",
    response_model=TemplateResource,
)
async def template_by_name(name: str, caller: Responder, desk: AtDesk, access: Knows) -> Response:
    found = named(await desk.templates.seen(caller), name, lambda one: one.name)
    if found is None:
        raise missing(f"There is no incident template named {name}")
    return answer(TemplateResource.of(found, access))


@router.get("/api/incident-templates/{template}", summary="Get an incident template", response_model=TemplateResource)
async def template(template: Id, caller: Responder, desk: AtDesk, access: Knows) -> Response:
    return answer(TemplateResource.of(await desk.templates.get(template, caller), access))


@router.put(
    "/api/incident-templates/{template}", summary="Replace an incident template", response_model=TemplateResource
)
async def change_template(template: Id, body: TemplateBody, caller: Responder, desk: AtDesk, access: Knows) -> Response:
    return answer(TemplateResource.of(await desk.templates.change(template, body, caller), access))


@router.delete("/api/incident-templates/{template}", summary="Delete an incident template", status_code=204)
async def delete_template(template: Id, caller: Responder, desk: AtDesk) -> Response:
    await desk.templates.remove(template, caller)
    return no_content()
