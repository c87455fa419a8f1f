"""Connectors over REST: an administrator's, all of it."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Response

from connectors.api.desk import Admin, AtDesk, Desk
from connectors.bodies import ConnectorBody
from connectors.configuration import ConnectorCard
from connectors.shapes import ConnectorResource, TrialResource
from connectors.trials import tried
from runtime.refusals import missing
from runtime.resources import Page, answer, named, no_content, paging
from web.guards import Id

Paged = Annotated[Page, Depends(paging(default=50, cap=100))]

router: Final = APIRouter()


@router.get("/api/connectors", summary="List connectors", response_model=list[ConnectorResource])
async def connectors(_caller: Admin, page: Paged, desk: AtDesk) -> Response:
    found = page.of(await desk.connectors.all())
    return answer([_shown(card, desk) for card in await desk.connectors.cards(found)])


@router.post("/api/connectors", summary="Create a connector", response_model=ConnectorResource, status_code=201)
async def create_connector(body: ConnectorBody, _caller: Admin, desk: AtDesk) -> Response:
    card = await desk.connectors.create(body)
    location = f"{desk.public_url}/api/connectors/{card.connector.connector}"
    return answer(_shown(card, desk), 201, location=location)


@router.post("/api/connectors/test", summary="Test a connector before it is saved", response_model=TrialResource)
async def try_unsaved(body: ConnectorBody, _caller: Admin, desk: AtDesk) -> Response:
    kind, params = await desk.connectors.credentials_of(body)
    return answer(TrialResource.of(await tried(desk.outside, kind, params)))


@router.get("/api/connectors/name/{name:path}", summary="Get a connector by its name", response_model=ConnectorResource)
async def connector_by_name(name: str, _caller: Admin, desk: AtDesk) -> Response:
    found = named(await desk.connectors.all(), name, lambda one: one.now.name)
    if found is None:
        raise missing(f"There is no connector named {name}")
    [card] = await desk.connectors.cards([found])
    return answer(_shown(card, desk))


@router.get("/api/connectors/{connector}", summary="Get a connector", response_model=ConnectorResource)
async def connector(connector: Id, _caller: Admin, desk: AtDesk) -> Response:
    return answer(_shown(await desk.connectors.get(connector), desk))


@router.put("/api/connectors/{connector}", summary="Replace a connector", response_model=ConnectorResource)
async def change_connector(connector: Id, body: ConnectorBody, _caller: Admin, desk: AtDesk) -> Response:
    """Its type stays, and so do secrets that are left out."""
    return answer(_shown(await desk.connectors.change(connector, body), desk))


@router.delete("/api/connectors/{connector}", summary="Delete a connector", status_code=204)
async def delete_connector(connector: Id, _caller: Admin, desk: AtDesk) -> Response:
    await desk.connectors.delete(connector)
    return no_content()


@router.post("/api/connectors/{connector}/test", summary="Test a connector", response_model=TrialResource)
async def try_connector(connector: Id, _caller: Admin, desk: AtDesk) -> Response:
    """Signs in to the tool with what is saved, and changes nothing there."""
    kind, params = await desk.connectors.credentials(connector)
    return answer(TrialResource.of(await tried(desk.outside, kind, params)))


def _shown(card: ConnectorCard, desk: Desk) -> ConnectorResource:
    return ConnectorResource.of(card, desk.callback(card.connector.connector, card.connector.type))
