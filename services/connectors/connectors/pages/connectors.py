"""Connectors: the list, one with its trial and the address that its tool calls back, and the form by type."""

from typing import Any, Final

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from connectors.api.desk import Admin, AtDesk, Desk, Knows
from connectors.bodies import CONNECTOR_TYPES, ConnectorBody
from connectors.configuration import ConnectorCard
from connectors.pages import labels
from connectors.pages.front import AtFront, Front, errors_of, group, text, without_empty
from connectors.sealed import SECRETS
from connectors.trials import Trial, tried
from runtime.access import Access, Caller
from runtime.refusals import Refused
from web.forms import Posted, Values
from web.guards import Id
from web.pages import viewer_of
from web.words import gettext as _

router: Final = APIRouter()


@router.get("/connectors")
async def connectors(request: Request, caller: Admin, desk: AtDesk, access: Knows, front: AtFront) -> Response:
    found = await desk.connectors.all()
    return front.pages.render(
        request,
        "connectors.html",
        viewer_of(caller, access),
        rows=[(one.now, await desk.connectors.used_by(one.now.connector)) for one in found],
        tool=labels.tool,
    )


@router.get("/connectors/new")
async def new_connector(
    request: Request, caller: Admin, desk: AtDesk, access: Knows, front: AtFront, kind: str = ""
) -> Response:
    """Which tool, then its form."""
    if kind not in CONNECTOR_TYPES:
        return front.pages.render(
            request, "connector_new.html", viewer_of(caller, access), types=labels.connector_types()
        )
    return _form_page(request, caller, access, front, None, {"type": kind, "name": labels.tool(kind)})


@router.post("/connectors/new")
async def add_connector(
    request: Request, caller: Admin, desk: AtDesk, access: Knows, front: AtFront, form: Posted
) -> Response:
    try:
        body = ConnectorBody.model_validate(_body(form))
        if _is_trial(form):
            trial = await tried(desk.outside, *await desk.connectors.credentials_of(body))
            return _form_page(request, caller, access, front, None, form, trial=trial)
        made = (await desk.connectors.create(body)).connector
    except (ValidationError, Refused) as error:
        return _form_page(request, caller, access, front, None, form, errors_of(error))
    return front.pages.redirect(request, f"/connectors/{made.connector}", _("%(name)s was added") % {"name": made.name})


@router.get("/connectors/{connector}")
async def connector(
    request: Request, connector: Id, caller: Admin, desk: AtDesk, access: Knows, front: AtFront
) -> Response:
    return await _page(request, connector, caller, desk, access, front)


@router.post("/connectors/{connector}/test")
async def try_connector(
    request: Request, connector: Id, caller: Admin, desk: AtDesk, access: Knows, front: AtFront
) -> Response:
    trial = await tried(desk.outside, *await desk.connectors.credentials(connector))
    return await _page(request, connector, caller, desk, access, front, trial)


@router.get("/connectors/{connector}/edit")
async def edit_connector(
    request: Request, connector: Id, caller: Admin, desk: AtDesk, access: Knows, front: AtFront
) -> Response:
    card = await desk.connectors.get(connector)
    return _form_page(request, caller, access, front, card, _form(card))


@router.post("/connectors/{connector}/edit")
async def change_connector(
    request: Request, connector: Id, caller: Admin, desk: AtDesk, access: Knows, front: AtFront, form: Posted
) -> Response:
    card = await desk.connectors.get(connector)
    form["type"] = card.connector.type
    try:
        body = ConnectorBody.model_validate(_body(form))
        if _is_trial(form):
            trial = await tried(desk.outside, *await desk.connectors.credentials_of(body, connector))
            return _form_page(request, caller, access, front, card, form, trial=trial)
        await desk.connectors.change(connector, body)
    except (ValidationError, Refused) as error:
        return _form_page(request, caller, access, front, card, form, errors_of(error))
    return front.pages.redirect(request, f"/connectors/{connector}", _("Saved"))


@router.post("/connectors/{connector}/delete")
async def delete_connector(request: Request, connector: Id, _caller: Admin, desk: AtDesk, front: AtFront) -> Response:
    name = (await desk.connectors.get(connector)).connector.name
    await desk.connectors.delete(connector)
    return front.pages.redirect(request, "/connectors", _("%(name)s was deleted") % {"name": name})


async def _page(
    request: Request, number: int, caller: Caller, desk: Desk, access: Access, front: Front, trial: Trial | None = None
) -> Response:
    card = await desk.connectors.get(number)
    return front.pages.render(
        request,
        "connector.html",
        viewer_of(caller, access),
        connector=card.connector,
        params=card.params,
        created_at=card.created_at,
        tool=labels.tool(card.connector.type),
        callback=desk.callback(number, card.connector.type),
        used_by=await desk.connectors.used_by(number),
        trial=trial,
    )


def _form_page(
    request: Request,
    caller: Caller,
    access: Access,
    front: Front,
    card: ConnectorCard | None,
    form: Values,
    errors: dict[str, str] | None = None,
    trial: Trial | None = None,
) -> Response:
    kind = text(form, "type")
    return front.pages.render(
        request,
        "connector_form.html",
        viewer_of(caller, access),
        block="trial" if trial else "form",
        status=422 if errors else 200,
        headers={"HX-Retarget": "#connector-form"} if errors and _is_trial(form) else None,
        connector=card.connector if card else None,
        kind=kind,
        tool=labels.tool(kind),
        preparation=labels.preparation(kind),
        form=form,
        params=group(form, "params"),
        errors=errors or {},
        trial=trial,
    )


# -- between forms and bodies


def _is_trial(form: Values) -> bool:
    return text(form, "op") == "test"


def _body(form: Values) -> dict[str, Any]:
    """A secret that was left empty is not there, and so stays as it is."""
    return {
        "type": text(form, "type"),
        "name": text(form, "name"),
        "params": without_empty({name: text(group(form, "params"), name) for name in group(form, "params")}),
    }


def _form(card: ConnectorCard) -> Values:
    params = {name: str(value) for name, value in card.params.items() if name not in SECRETS}
    return {"type": card.connector.type, "name": card.connector.name, "params": params}
