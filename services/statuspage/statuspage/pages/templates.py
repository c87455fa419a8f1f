"""Incident templates: the list, and the form with the places that can be filled."""

from typing import Any, Final

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from events.statuspage import IncidentStatus, TemplateChanged
from runtime.access import Access, Caller
from runtime.refusals import Refused
from statuspage.bodies.templates import TemplateBody
from statuspage.desk import AtDesk, Desk, Knows, Responder
from statuspage.domain.template import PLACEHOLDERS
from statuspage.pages.front import AtFront, Front, errors_of, given, of_lists, teams_to_choose, ticked
from web.forms import Posted, Values
from web.guards import Id
from web.pages import viewer_of
from web.words import gettext as _

router: Final = APIRouter()


@router.get("/templates")
async def templates(request: Request, caller: Responder, desk: AtDesk, access: Knows, front: AtFront) -> Response:
    found = sorted(await desk.templates.seen(caller), key=lambda one: one.name.casefold())
    return front.pages.render(
        request,
        "templates.html",
        viewer_of(caller, access),
        templates=[(one, desk.templates.references.may_write(caller, one.teams)) for one in found],
        may_add=desk.templates.references.may_write(caller, ()),
    )


@router.get("/templates/new")
async def new_template(request: Request, caller: Responder, desk: AtDesk, access: Knows, front: AtFront) -> Response:
    desk.templates.references.only_writers(caller, ())
    return _form_page(request, caller, access, front, None, {"sendNotification": "true"}, {})


@router.post("/templates/new")
async def add_template(
    request: Request, caller: Responder, desk: AtDesk, access: Knows, front: AtFront, form: Posted
) -> Response:
    try:
        made = await desk.templates.create(TemplateBody.model_validate(_body(form)), caller)
    except (ValidationError, Refused) as error:
        return _form_page(request, caller, access, front, None, form, _errors(error, form))
    return front.pages.redirect(request, "/templates", _("%(name)s was added") % {"name": made.name})


@router.get("/templates/{template}")
async def template(
    request: Request, template: Id, caller: Responder, desk: AtDesk, access: Knows, front: AtFront
) -> Response:
    found = await _writable(template, desk, caller)
    return _form_page(request, caller, access, front, found, _form(found), {})


@router.post("/templates/{template}")
async def change_template(
    request: Request, template: Id, caller: Responder, desk: AtDesk, access: Knows, front: AtFront, form: Posted
) -> Response:
    found = await _writable(template, desk, caller)
    try:
        await desk.templates.change(template, TemplateBody.model_validate(_body(form)), caller)
    except (ValidationError, Refused) as error:
        return _form_page(request, caller, access, front, found, form, _errors(error, form))
    return front.pages.redirect(request, "/templates", _("Saved"))


@router.post("/templates/{template}/delete")
async def delete_template(request: Request, template: Id, caller: Responder, desk: AtDesk, front: AtFront) -> Response:
    name = (await desk.templates.get(template, caller)).name
    await desk.templates.remove(template, caller)
    return front.pages.redirect(request, "/templates", _("%(name)s was deleted") % {"name": name})


async def _writable(template: int, desk: Desk, caller: Caller) -> TemplateChanged:
    found = await desk.templates.get(template, caller)
    desk.templates.references.only_writers(caller, found.teams)
    return found


def _form_page(
    request: Request,
    caller: Caller,
    access: Access,
    front: Front,
    known: TemplateChanged | None,
    form: Values,
    errors: dict[str, str],
) -> Response:
    return front.pages.render(
        request,
        "template_form.html",
        viewer_of(caller, access),
        block="form",
        status=422 if errors else 200,
        known=known,
        form=form,
        errors=errors,
        statuses=[status.value for status in IncidentStatus],
        placeholders=PLACEHOLDERS,
        teams=teams_to_choose(access, caller),
    )


# -- between forms and bodies


def _body(form: Values) -> dict[str, Any]:
    return {
        "name": form.get("name", ""),
        "summary": form.get("summary", ""),
        **given(form, "status", "message"),
        "sendNotification": form.get("sendNotification") == "true",
        "teams": ticked(form, "teams"),
    }


def _form(template: TemplateChanged) -> Values:
    return {
        "name": template.name,
        "summary": template.summary,
        "status": template.status.value,
        "message": template.message,
        "sendNotification": "true" if template.send_notification else "",
        "teams": {str(team): "true" for team in template.teams},
    }


def _errors(error: ValidationError | Refused, form: Values) -> dict[str, str]:
    return of_lists(errors_of(error, form), "teams")
