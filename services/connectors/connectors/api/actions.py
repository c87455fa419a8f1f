"""Alert actions over REST."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Response

from connectors.api.desk import AtDesk, Desk, Reader
from connectors.bodies import ActionBody
from connectors.configuration import ActionCard
from connectors.shapes import ActionResource, SecretResource
from runtime.refusals import missing
from runtime.resources import LARGEST_ID, Page, answer, including, named, no_content, paging
from web.guards import Id

Number = Annotated[int | None, Query(ge=1, le=LARGEST_ID)]
Paged = Annotated[Page, Depends(paging(default=100, cap=100))]
Included = Annotated[frozenset[str], Depends(including("conditions"))]

router: Final = APIRouter()


@router.get("/api/alert-actions", summary="List alert actions", response_model=list[ActionResource])
async def actions(
    caller: Reader, page: Paged, desk: AtDesk, source: Number = None, connector: Number = None
) -> Response:
    """Of one alert source, of one connector, or all."""
    found = page.of(await desk.actions.all(caller, source, connector))
    return answer([_shown(card, desk) for card in await desk.actions.cards(found)])


@router.post("/api/alert-actions", summary="Create an alert action", response_model=ActionResource, status_code=201)
async def create_action(body: ActionBody, caller: Reader, desk: AtDesk, _include: Included) -> Response:
    """The answer for a webhook has the secret that signs its calls: it is shown this once."""
    card = await desk.actions.create(body, caller)
    location = f"{desk.public_url}/api/alert-actions/{card.action.action}"
    return answer(_shown(card, desk), 201, location=location)


@router.get(
    "/api/alert-actions/name/{name:path}", summary="Get an alert action by its name", response_model=ActionResource
)
async def action_by_name(name: str, caller: Reader, desk: AtDesk, _include: Included) -> Response:
    found = named(await desk.actions.all(caller), name, lambda one: one.now.name)
    if found is None:
        raise missing(f"There is no alert action named {name}")
    [card] = await desk.actions.cards([found])
    return answer(_shown(card, desk))


@router.get("/api/alert-actions/{action}", summary="Get an alert action", response_model=ActionResource)
async def action(action: Id, caller: Reader, desk: AtDesk, _include: Included) -> Response:
    return answer(_shown(await desk.actions.get(action, caller), desk))


@router.put("/api/alert-actions/{action}", summary="Replace an alert action", response_model=ActionResource)
async def change_action(action: Id, body: ActionBody, caller: Reader, desk: AtDesk, _include: Included) -> Response:
    """Its type stays, and so do secrets that are masked."""
    return answer(_shown(await desk.actions.change(action, body, caller), desk))


@router.delete("/api/alert-actions/{action}", summary="Delete an alert action", status_code=204)
async def delete_action(action: Id, caller: Reader, desk: AtDesk) -> Response:
    await desk.actions.delete(action, caller)
    return no_content()


@router.post(
    "/api/alert-actions/{action}/signing-secret",
    summary="Make a new signing secret for a webhook",
    response_model=SecretResource,
    status_code=201,
)
async def renew_secret(action: Id, caller: Reader, desk: AtDesk) -> Response:
    """The one before signs nothing any more; the new one is shown this once."""
    return answer(SecretResource(signing_secret=await desk.actions.renew_secret(action, caller)), 201)


def _shown(card: ActionCard, desk: Desk) -> ActionResource:
    return ActionResource.of(card, desk.access, desk.others)
