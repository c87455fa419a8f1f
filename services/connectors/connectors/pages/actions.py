"""Alert actions: the list, one with its signature, the form by type, and the buttons on an alert."""

from typing import Any, Final

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from connectors.api.desk import AtDesk, Desk, Knows, Reader
from connectors.bodies import (
    ACTION_TYPES,
    CONNECTOR_TYPES,
    ESCALATION_ENDED,
    NOT_RESOLVED,
    ActionBody,
)
from connectors.buttons import RunCard
from connectors.configuration import ActionCard
from connectors.pages import labels
from connectors.pages.front import AtFront, Front, boxes, errors_of, group, lines, text, ticked, without_empty
from connectors.projection import POLICY, SERVICE, SOURCE, TEMPLATE
from events.accounts import Role
from events.connectors import ActionConfigured, TriggerMode
from runtime.access import Access, Caller
from runtime.refusals import Refused
from web.forms import Posted, Values
from web.guards import Id
from web.pages import viewer_of
from web.words import gettext as _

TICKED_AT_FIRST: Final = {
    "webhook": ("alert-created", "alert-acknowledged", "alert-resolved", "alert-auto-resolved"),
    "jira": ("alert-created", "alert-acknowledged", "alert-comment-added", "alert-resolved", "alert-auto-resolved"),
    "slack": ("alert-created", "alert-acknowledged", "alert-resolved", "alert-auto-resolved"),
    "email": ("alert-created", "alert-resolved", "alert-auto-resolved"),
    "reroute": (ESCALATION_ENDED,),
}

router: Final = APIRouter()


@router.get("/actions")
async def actions(request: Request, caller: Reader, desk: AtDesk, access: Knows, front: AtFront) -> Response:
    cards = await desk.actions.cards(await desk.actions.all(caller))
    return front.pages.render(
        request,
        "actions.html",
        viewer_of(caller, access),
        rows=[(card.action, labels.target(card, desk.others)) for card in cards],
        tool=labels.tool,
        moment=labels.moment,
        source_name=lambda source: desk.others.name(SOURCE, source),
        may_add=desk.actions.may_write(caller, ()),
        is_admin=_is_admin(caller),
    )


@router.get("/actions/new")
async def new_action(
    request: Request, caller: Reader, desk: AtDesk, access: Knows, front: AtFront, kind: str = ""
) -> Response:
    """Which type, then its form."""
    if kind not in ACTION_TYPES:
        return front.pages.render(request, "action_new.html", viewer_of(caller, access), types=labels.action_types())
    form: Values = {
        "connectorType": kind,
        "triggerMode": TriggerMode.AUTOMATIC.value,
        "triggerTypes": boxes(TICKED_AT_FIRST.get(kind, ())),
        "params": {"issueType": "Task", "alertType": "CREATED", "resolveIncident": "true"},
    }
    return await _form_page(request, caller, desk, access, front, None, form)


@router.post("/actions/new")
async def add_action(
    request: Request, caller: Reader, desk: AtDesk, access: Knows, front: AtFront, form: Posted
) -> Response:
    try:
        made = (await desk.actions.create(ActionBody.model_validate(_body(form)), caller)).action
    except (ValidationError, Refused) as error:
        return await _form_page(request, caller, desk, access, front, None, form, errors_of(error))
    return front.pages.redirect(request, f"/actions/{made.action}", _("%(name)s was added") % {"name": made.name})


@router.get("/actions/{action}")
async def action(request: Request, action: Id, caller: Reader, desk: AtDesk, access: Knows, front: AtFront) -> Response:
    return await _page(request, action, caller, desk, access, front)


@router.post("/actions/{action}/signing-secret")
async def renew_secret(
    request: Request, action: Id, caller: Reader, desk: AtDesk, access: Knows, front: AtFront
) -> Response:
    """The page with the new secret: it is in no address, no cookie, and on no page again."""
    secret = await desk.actions.renew_secret(action, caller)
    return await _page(request, action, caller, desk, access, front, secret)


@router.get("/actions/{action}/edit")
async def edit_action(
    request: Request, action: Id, caller: Reader, desk: AtDesk, access: Knows, front: AtFront
) -> Response:
    card = await desk.actions.get(action, caller)
    return await _form_page(request, caller, desk, access, front, card, _form(card))


@router.post("/actions/{action}/edit")
async def change_action(
    request: Request, action: Id, caller: Reader, desk: AtDesk, access: Knows, front: AtFront, form: Posted
) -> Response:
    card = await desk.actions.get(action, caller)
    form["connectorType"] = card.action.type
    try:
        await desk.actions.change(action, ActionBody.model_validate(_body(form)), caller)
    except (ValidationError, Refused) as error:
        return await _form_page(request, caller, desk, access, front, card, form, errors_of(error))
    return front.pages.redirect(request, f"/actions/{action}", _("Saved"))


@router.post("/actions/{action}/delete")
async def delete_action(request: Request, action: Id, caller: Reader, desk: AtDesk, front: AtFront) -> Response:
    name = (await desk.actions.get(action, caller)).action.name
    await desk.actions.delete(action, caller)
    return front.pages.redirect(request, "/actions", _("%(name)s was deleted") % {"name": name})


# -- on an alert


@router.get("/fragments/alerts/{alert}/actions")
async def alert_actions(
    request: Request, alert: Id, caller: Reader, desk: AtDesk, access: Knows, front: AtFront
) -> Response:
    """Buttons for the alert's page; by itself a page. Nothing where nothing can be run."""
    try:
        buttons = await desk.buttons.of(alert, caller)
    except Refused as refused:
        if refused.status != 404:
            raise
        buttons = []
    return front.pages.render(
        request,
        "alert_actions.html",
        viewer_of(caller, access),
        block="buttons",
        alert=alert,
        buttons=buttons,
        tool=labels.tool,
        name=access.name,
    )


@router.post("/actions/{action}/run/{alert}")
async def run_action(request: Request, action: Id, alert: Id, caller: Reader, desk: AtDesk, front: AtFront) -> Response:
    name = (await desk.actions.get(action, caller)).action.name
    return front.pages.redirect(
        request, f"/alerts/{alert}", _became(await desk.buttons.press(alert, action, caller), name)
    )


def _became(run: RunCard, name: str) -> str:
    match run.success:
        case True:
            said = _("«%(name)s» was done. %(words)s")
        case False:
            said = _("«%(name)s» failed: %(words)s")
        case None:
            said = _("«%(name)s» is under way; the timeline will say what became of it. %(words)s")
    return (said % {"name": name, "words": run.text}).strip()


# -- what is shown


async def _page(
    request: Request, number: int, caller: Caller, desk: Desk, access: Access, front: Front, secret: str = ""
) -> Response:
    card = await desk.actions.get(number, caller)
    names = await _connector_names(desk)
    return front.pages.render(
        request,
        "action.html",
        viewer_of(caller, access),
        action=card.action,
        tool=labels.tool(card.action.type),
        purpose=labels.purpose(card.action.type),
        facts=labels.facts(card, desk.others),
        moments=[labels.moment(trigger) for trigger in card.action.triggers],
        after_ended=labels.length(card.action.escalation_ended_delay_s),
        not_resolved=labels.length(card.action.not_resolved_delay_s),
        sources=[(source, desk.others.name(SOURCE, source)) for source in card.action.sources],
        teams=[access.team_rel(team).name or team for team in card.action.teams],
        connector=names.get(card.action.connector or 0, ""),
        secret=secret,
        may_write=desk.actions.may_write(caller, card.action.teams),
        is_admin=_is_admin(caller),
    )


async def _form_page(
    request: Request,
    caller: Caller,
    desk: Desk,
    access: Access,
    front: Front,
    card: ActionCard | None,
    form: Values,
    errors: dict[str, str] | None = None,
) -> Response:
    kind = text(form, "connectorType")
    params = group(form, "params")
    return front.pages.render(
        request,
        "action_form.html",
        viewer_of(caller, access),
        block="form",
        status=422 if errors else 200,
        action=card.action if card else None,
        kind=kind,
        tool=labels.tool(kind),
        purpose=labels.purpose(kind),
        form=form,
        params=params,
        errors=errors or {},
        needs_connector=kind in CONNECTOR_TYPES,
        connectors=[(one.now.connector, one.now.name) for one in await desk.connectors.all() if one.now.type == kind],
        sources=_choices(desk, SOURCE, caller, ticked(form, "alertSources")),
        policies=_choices(desk, POLICY, caller, [text(params, "escalationPolicyId")]),
        services=_choices(desk, SERVICE, caller, ticked(params, "serviceIds")),
        templates=_choices(desk, TEMPLATE, caller, [text(params, "templateId")]),
        teams=[(str(team.team), team.name) for team in access.teams() if access.may_see(caller, [team.team])],
        moments=labels.moments(ticked(form, "triggerTypes")),
        statuses=labels.statuses(),
        after_ended=labels.delays(labels.AFTER_ENDED_S, text(form, "escalationEndedDelaySec"), _("at once")),
        not_resolved=labels.delays(labels.NOT_RESOLVED_S, text(form, "notResolvedDelaySec")),
        placeholders=labels.PLACEHOLDERS,
        is_admin=_is_admin(caller),
    )


def _choices(desk: Desk, kind: str, caller: Caller, chosen: list[str]) -> list[tuple[str, str]]:
    """What the caller may see, and what was chosen before and is gone."""
    visible = [(str(thing.id), thing.name) for thing in desk.references.visible(kind, caller)]
    known = {number for number, _name in visible}
    return [*visible, *((number, f"{kind} {number}") for number in chosen if number and number not in known)]


async def _connector_names(desk: Desk) -> dict[int, str]:
    return {one.now.connector: one.now.name for one in await desk.connectors.all()}


def _is_admin(caller: Caller) -> bool:
    return caller.is_at_least(Role.ADMIN)


# -- between forms and bodies


def _body(form: Values) -> dict[str, Any]:
    """The API's body: ticked boxes become lists, what belongs to a trigger that was not chosen is left out."""
    triggers = ticked(form, "triggerTypes")
    return without_empty(
        {
            "name": text(form, "name"),
            "connectorType": text(form, "connectorType"),
            "connectorId": text(form, "connectorId"),
            "alertSources": [{"id": source} for source in ticked(form, "alertSources")],
            "teams": [{"id": team} for team in ticked(form, "teams")],
            "triggerMode": text(form, "triggerMode"),
            "triggerTypes": triggers,
            "escalationEndedDelaySec": text(form, "escalationEndedDelaySec") if ESCALATION_ENDED in triggers else "",
            "notResolvedDelaySec": text(form, "notResolvedDelaySec") if NOT_RESOLVED in triggers else "",
        }
    ) | {"params": _params(text(form, "connectorType"), group(form, "params"))}


def _params(kind: str, params: Values) -> dict[str, Any]:
    texts: dict[str, Any] = {name: value for name, value in params.items() if isinstance(value, str)}
    match kind:
        case "webhook":
            texts["headers"] = [_header(line) for line in lines(text(params, "headers"))]
        case "email":
            texts["recipients"] = lines(text(params, "recipients"))
        case "automation_rule":
            texts["serviceIds"] = ticked(params, "serviceIds")
        case _:
            pass
    return without_empty(texts)


def _header(line: str) -> dict[str, str]:
    name, _colon, value = line.partition(":")
    return {"key": name.strip(), "value": value.strip()}


def _form(card: ActionCard) -> Values:
    action = card.action
    return {
        "name": action.name,
        "connectorType": action.type,
        "connectorId": str(action.connector or ""),
        "alertSources": boxes(action.sources),
        "teams": boxes(action.teams),
        "triggerMode": action.mode.value,
        "triggerTypes": boxes(action.triggers),
        "escalationEndedDelaySec": str(action.escalation_ended_delay_s),
        "notResolvedDelaySec": str(action.not_resolved_delay_s or ""),
        "params": _params_form(action, dict(card.params)),
    }


def _params_form(action: ActionConfigured, params: dict[str, Any]) -> Values:
    form: Values = {name: str(value) for name, value in params.items() if isinstance(value, str | int)}
    match action.type:
        case "webhook":
            form["headers"] = "\n".join(f"{one['key']}: {one['value']}" for one in params.get("headers", ()))
        case "email":
            form["recipients"] = "\n".join(params["recipients"])
        case "automation_rule":
            form["serviceIds"] = boxes(params["serviceIds"])
            form |= {name: "true" if params.get(name) else "" for name in ("resolveIncident", "sendNotification")}
        case _:
            pass
    return form
