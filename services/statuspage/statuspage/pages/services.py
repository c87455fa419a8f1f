"""Services: the list, one with what bears on it and its last ninety days, and the form."""

from collections.abc import Sequence
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from pydantic import TypeAdapter, ValidationError

from events.accounts import Role
from events.statuspage import ServiceStatus, Subject
from runtime.access import Access, Caller
from runtime.refusals import Refused, invalid_field
from statuspage.bodies.services import ServiceBody
from statuspage.desk import Anybody, AtDesk, Desk, Knows
from statuspage.domain.service import Known
from statuspage.domain.subscription import About
from statuspage.domain.uptime import bars, percentages
from statuspage.maintenance import Filters, Phase
from statuspage.pages.bars import TALLEST, bars_of, percent, troubled
from statuspage.pages.front import AtFront, Front, errors_of, given, of_lists, teams_to_choose, ticked
from web.forms import Posted, Values
from web.guards import Id
from web.pages import viewer_of
from web.words import gettext as _
from web.words import zone

DAYS: Final = 90
_STATUS: Final = TypeAdapter(ServiceStatus)

router: Final = APIRouter()


@router.get("/services")
async def services(request: Request, caller: Anybody, desk: AtDesk, access: Knows, front: AtFront) -> Response:
    found = await desk.services.seen(caller)
    at = desk.clock.now()
    return front.pages.render(
        request,
        "services.html",
        viewer_of(caller, access),
        services=[(one, percent(percentages(one.history, at)[DAYS])) for one in _worst_first(found)],
        incidents=await desk.incidents.open_of([one.now.service for one in found], caller),
        has_pages=await desk.incidents.has_pages(),
        may_add=desk.services.references.may_write(caller, ()),
        may_read_templates=caller.is_at_least(Role.RESPONDER),
    )


@router.get("/services/new")
async def new_service(request: Request, caller: Anybody, desk: AtDesk, access: Knows, front: AtFront) -> Response:
    desk.services.references.only_writers(caller, ())
    return _form_page(request, caller, access, front, None, {"showUptimeHistory": "true"}, {})


@router.post("/services/new")
async def add_service(
    request: Request, caller: Anybody, desk: AtDesk, access: Knows, front: AtFront, form: Posted
) -> Response:
    try:
        made = await desk.services.create(ServiceBody.model_validate(_body(form)), caller)
    except (ValidationError, Refused) as error:
        return _form_page(request, caller, access, front, None, form, _errors(error, form))
    words = _("%(name)s was added") % {"name": made.now.name}
    return front.pages.redirect(request, f"/services/{made.now.service}", words)


@router.get("/services/{service}")
async def service(
    request: Request, service: Id, caller: Anybody, desk: AtDesk, access: Knows, front: AtFront
) -> Response:
    found = await desk.services.get(service, caller)
    viewer, at = viewer_of(caller, access), desk.clock.now()
    days = bars(found.history, at, zone(viewer.zone), DAYS)
    coming = await desk.maintenances.seen(caller, Filters(Phase.OPEN, services=[service]))
    pages = await desk.status_pages.seen(caller)
    return front.pages.render(
        request,
        "service.html",
        viewer,
        service=found,
        percentages={number: percent(share) for number, share in percentages(found.history, at).items()},
        bars=bars_of(days),
        tallest=TALLEST,
        troubled=[(day, percent(day.uptime if day.uptime is not None else 100.0)) for day in troubled(days)],
        incidents=(await desk.incidents.open_of([service], caller))[service],
        maintenances=coming,
        pages=[page for page in pages if service in page.services],
        hearing=await desk.subscriptions.hearing(About(Subject.SERVICE, service), caller),
        statuses=[status.value for status in ServiceStatus],
        team_name=lambda team: access.team_rel(team).name or str(team),
        may_write=desk.services.references.may_write(caller, found.now.teams),
    )


@router.get("/services/{service}/edit")
async def edit_service(
    request: Request, service: Id, caller: Anybody, desk: AtDesk, access: Knows, front: AtFront
) -> Response:
    found = await _writable(service, desk, caller)
    return _form_page(request, caller, access, front, found, _form(found), {})


@router.post("/services/{service}/edit")
async def change_service(
    request: Request, service: Id, caller: Anybody, desk: AtDesk, access: Knows, front: AtFront, form: Posted
) -> Response:
    found = await _writable(service, desk, caller)
    try:
        await desk.services.change(service, ServiceBody.model_validate(_body(form)), caller)
    except (ValidationError, Refused) as error:
        return _form_page(request, caller, access, front, found, form, _errors(error, form))
    return front.pages.redirect(request, f"/services/{service}", _("Saved"))


@router.post("/services/{service}/status")
async def set_status(
    request: Request, service: Id, caller: Anybody, desk: AtDesk, front: AtFront, form: Posted
) -> Response:
    try:
        status = _STATUS.validate_python(form.get("status"))
    except ValidationError:
        raise invalid_field("status", f"must be one of {', '.join(ServiceStatus)}") from None
    await desk.services.set_status(service, status, caller)
    return front.pages.redirect(request, f"/services/{service}", _("Saved"))


@router.post("/services/{service}/delete")
async def delete_service(request: Request, service: Id, caller: Anybody, desk: AtDesk, front: AtFront) -> Response:
    name = (await desk.services.get(service, caller)).now.name
    await desk.services.remove(service, caller)
    return front.pages.redirect(request, "/services", _("%(name)s was deleted") % {"name": name})


async def _writable(service: int, desk: Desk, caller: Caller) -> Known:
    found = await desk.services.get(service, caller)
    desk.services.references.only_writers(caller, found.now.teams)
    return found


def _worst_first(services: Sequence[Known]) -> list[Known]:
    """What is not well first, then by name."""
    ranks = list(ServiceStatus)
    return sorted(services, key=lambda one: (-ranks.index(one.status), one.now.name.casefold()))


def _form_page(
    request: Request,
    caller: Caller,
    access: Access,
    front: Front,
    service: Known | None,
    form: Values,
    errors: dict[str, str],
) -> Response:
    return front.pages.render(
        request,
        "service_form.html",
        viewer_of(caller, access),
        block="form",
        status=422 if errors else 200,
        service=service,
        form=form,
        errors=errors,
        teams=teams_to_choose(access, caller),
    )


# -- between forms and bodies


def _body(form: Values) -> dict[str, Any]:
    """The API's body; the status has a button of its own."""
    return {
        "name": form.get("name", ""),
        **given(form, "alias", "description"),
        "oneOpenIncidentOnly": form.get("oneOpenIncidentOnly") == "true",
        "showUptimeHistory": form.get("showUptimeHistory") == "true",
        "teams": ticked(form, "teams"),
    }


def _form(service: Known) -> Values:
    now = service.now
    return {
        "name": now.name,
        "alias": now.alias or "",
        "description": now.description,
        "oneOpenIncidentOnly": "true" if now.one_open_incident_only else "",
        "showUptimeHistory": "true" if now.show_uptime_history else "",
        "teams": {str(team): "true" for team in now.teams},
    }


def _errors(error: ValidationError | Refused, form: Values) -> dict[str, str]:
    return of_lists(errors_of(error, form), "teams")
