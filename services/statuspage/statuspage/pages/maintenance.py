"""Maintenance windows: what runs and what is coming, what was, one of them, and the form in a zone's own time."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from pydantic import ValidationError

from runtime.access import Access, Caller
from runtime.refusals import Refused
from runtime.resources import LARGEST_ID
from statuspage.bodies.fields import YEARS, zones
from statuspage.bodies.maintenance import MaintenanceBody
from statuspage.desk import Anybody, AtDesk, Desk, Knows
from statuspage.domain.maintenance import Running
from statuspage.maintenance import Filters, Phase, Seen
from statuspage.pages.front import AtFront, Front, errors_of, given, of_lists, ticked
from web.forms import Posted, Values
from web.guards import Id
from web.pages import viewer_of
from web.words import gettext as _
from web.words import zone

OCCASIONS: Final = ("atCreation", "atStart", "atEnd")
FORMAT: Final = "%Y-%m-%dT%H:%M"

Number = Annotated[int | None, Query(ge=1, le=LARGEST_ID)]

router: Final = APIRouter()


@router.get("/maintenance")
async def maintenances(
    request: Request, caller: Anybody, desk: AtDesk, access: Knows, front: AtFront, state: str = "OPEN"
) -> Response:
    phase = Phase.CLOSED if state == Phase.CLOSED else Phase.OPEN
    found = await desk.maintenances.seen(caller, Filters(phase))
    return front.pages.render(
        request,
        "maintenances.html",
        viewer_of(caller, access),
        phase=phase.value,
        maintenances=found[::-1] if phase is Phase.CLOSED else found,
        state_of=_state,
        source_name=_names(desk, caller),
        may_add=desk.maintenances.may_write(caller, []),
    )


@router.get("/maintenance/new")
async def new_maintenance(
    request: Request, caller: Anybody, desk: AtDesk, access: Knows, front: AtFront, service: Number = None
) -> Response:
    """Prefilled with the next full hour, and with a service where the address names one."""
    desk.maintenances.only_writers(caller, [])
    viewer = viewer_of(caller, access)
    start = (desk.clock.now() + timedelta(hours=1)).astimezone(zone(viewer.zone)).replace(minute=0)
    form: Values = {
        "timezone": viewer.zone,
        "start": start.strftime(FORMAT),
        "end": (start + timedelta(hours=1)).strftime(FORMAT),
        "services": {str(service): "true"} if service else {},
        "notifications": {"atStart": "true", "atEnd": "true"},
    }
    return await _form_page(request, caller, desk, access, front, None, form, {})


@router.post("/maintenance/new")
async def plan_maintenance(
    request: Request, caller: Anybody, desk: AtDesk, access: Knows, front: AtFront, form: Posted
) -> Response:
    try:
        made = await desk.maintenances.plan(MaintenanceBody.model_validate(_body(form)), caller)
    except (ValidationError, Refused) as error:
        return await _form_page(request, caller, desk, access, front, None, form, _errors(error, form))
    return front.pages.redirect(request, f"/maintenance/{made.now.maintenance}", _("The maintenance is planned"))


@router.get("/maintenance/{maintenance}")
async def maintenance(
    request: Request, maintenance: Id, caller: Anybody, desk: AtDesk, access: Knows, front: AtFront
) -> Response:
    found = await desk.maintenances.get(maintenance, caller)
    return front.pages.render(
        request,
        "maintenance.html",
        viewer_of(caller, access),
        seen=found,
        window=found.now,
        state=_state(found),
        is_running=isinstance(found.state, Running),
        source_name=_names(desk, caller),
        visible=desk.maintenances.sources_seen(caller),
        name=access.name,
        may_write=desk.maintenances.may_write(caller, found.services.values()),
    )


@router.get("/maintenance/{maintenance}/edit")
async def edit_maintenance(
    request: Request, maintenance: Id, caller: Anybody, desk: AtDesk, access: Knows, front: AtFront
) -> Response:
    found = await _writable(maintenance, desk, caller)
    return await _form_page(request, caller, desk, access, front, found, _form(found), {})


@router.post("/maintenance/{maintenance}/edit")
async def change_maintenance(
    request: Request, maintenance: Id, caller: Anybody, desk: AtDesk, access: Knows, front: AtFront, form: Posted
) -> Response:
    found = await _writable(maintenance, desk, caller)
    try:
        body = MaintenanceBody.model_validate(_body(form) | _with_hidden(form, found, desk, caller))
        await desk.maintenances.change(maintenance, body, caller)
    except (ValidationError, Refused) as error:
        return await _form_page(request, caller, desk, access, front, found, form, _errors(error, form))
    return front.pages.redirect(request, f"/maintenance/{maintenance}", _("Saved"))


@router.post("/maintenance/{maintenance}/end")
async def end_maintenance(request: Request, maintenance: Id, caller: Anybody, desk: AtDesk, front: AtFront) -> Response:
    await desk.maintenances.end_now(maintenance, caller)
    return front.pages.redirect(request, f"/maintenance/{maintenance}", _("The maintenance is over"))


@router.post("/maintenance/{maintenance}/delete")
async def delete_maintenance(
    request: Request, maintenance: Id, caller: Anybody, desk: AtDesk, front: AtFront
) -> Response:
    await desk.maintenances.remove(maintenance, caller)
    return front.pages.redirect(request, "/maintenance", _("The maintenance was deleted"))


async def _writable(maintenance: int, desk: Desk, caller: Caller) -> Seen:
    found = await desk.maintenances.get(maintenance, caller)
    desk.maintenances.only_writers(caller, found.services.values())
    return found


def _state(seen: Seen) -> str:
    return type(seen.state).__name__.upper()


def _names(desk: Desk, caller: Caller) -> Callable[[int], str]:
    """What a source is called; one that is gone or hidden has only its number."""
    seen = desk.maintenances.sources_seen(caller)
    return lambda source: seen.get(source) or _("source %(id)s") % {"id": source}


async def _form_page(
    request: Request,
    caller: Caller,
    desk: Desk,
    access: Access,
    front: Front,
    seen: Seen | None,
    form: Values,
    errors: dict[str, str],
) -> Response:
    services = await desk.services.seen(caller)
    return front.pages.render(
        request,
        "maintenance_form.html",
        viewer_of(caller, access),
        block="form",
        status=422 if errors else 200,
        seen=seen,
        form=form,
        errors=errors,
        services=[(one.now.service, one.now.name) for one in services],
        sources=list(desk.maintenances.sources_seen(caller).items()),
    )


# -- between forms and bodies


def _body(form: Values) -> dict[str, Any]:
    """The API's body: local times become instants, ticked boxes references."""
    told, name = form.get("notifications"), str(form.get("timezone", ""))
    return {
        "summary": form.get("summary", ""),
        **given(form, "description", "timezone"),
        **{field: _instant(str(form.get(field, "")), name) for field in ("start", "end")},
        "alertSources": ticked(form, "alertSources"),
        "services": ticked(form, "services"),
        "notifications": {one: isinstance(told, dict) and told.get(one) == "true" for one in OCCASIONS},
    }


def _with_hidden(form: Values, seen: Seen, desk: Desk, caller: Caller) -> dict[str, Any]:
    """What the form does not offer to who edits stays as it was."""
    services = [service for service in seen.now.services if service not in seen.services]
    sources = desk.maintenances.sources_hidden(seen.now, caller)
    return {
        "services": [*ticked(form, "services"), *({"id": one} for one in services)],
        "alertSources": [*ticked(form, "alertSources"), *({"id": one} for one in sources)],
    }


def _instant(text: str, name: str) -> str:
    """A zone's local time with its offset; what cannot be read is left as it is, for the body to refuse it."""
    local = _local(text)
    if local is None or name not in zones() or _is_skipped(local, name):
        return text
    return local.replace(tzinfo=zone(name)).isoformat()


def _local(text: str) -> datetime | None:
    """A date and time without a zone, within the years that a body takes."""
    try:
        local = datetime.fromisoformat(text)
    except ValueError:
        return None
    return local if local.tzinfo is None and local.year in YEARS else None


def _is_skipped(local: datetime, name: str) -> bool:
    """Whether clocks go forward over it."""
    here = zone(name)
    return local.replace(tzinfo=here).astimezone(UTC).astimezone(here).replace(tzinfo=None) != local


def _form(seen: Seen) -> Values:
    now = seen.now
    here = zone(now.timezone)
    told = {"atCreation": now.at_creation, "atStart": now.at_start, "atEnd": now.at_end}
    return {
        "summary": now.summary,
        "description": now.description,
        "timezone": now.timezone,
        "start": now.start.astimezone(here).strftime(FORMAT),
        "end": now.end.astimezone(here).strftime(FORMAT),
        "alertSources": {str(source): "true" for source in now.sources},
        "services": {str(service): "true" for service in now.services},
        "notifications": {one: "true" for one, is_told in told.items() if is_told},
    }


def _errors(error: ValidationError | Refused, form: Values) -> dict[str, str]:
    """In the words of a form: its times are local, and mean nothing in a zone that nobody knows."""
    found = of_lists(errors_of(error, form), "services", "alertSources")
    name = str(form.get("timezone", ""))
    for field in ("start", "end"):
        local = _local(str(form.get(field, "")))
        if field in found and local is None:
            found[field] = _("must be a date and a time")
        elif field in found and name not in zones():
            found.pop(field)
        elif field in found and local is not None and _is_skipped(local, name):
            found[field] = _("clocks in %(zone)s skip this time on that day") % {"zone": name}
    if "end" in found.get("", ""):
        found["end"] = _("must be after the start")
        found.pop("")
    return found
