"""Incidents: the list, the form that opens one, one with its history and the form for the next word; those of an alert."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, Request, Response
from pydantic import ValidationError

from events.accounts import Role
from events.statuspage import IncidentStatus, ServiceStatus, Subject
from runtime.access import Access, Caller
from runtime.refusals import Refused, invalid_field
from runtime.resources import LARGEST_ID, LARGEST_INDEX
from statuspage.announcing import Forecast
from statuspage.bodies.incidents import ForecastBody, IncidentBody
from statuspage.desk import Anybody, AtDesk, Desk, Knows
from statuspage.domain.service import Known
from statuspage.domain.subscription import About
from statuspage.domain.template import render
from statuspage.incidents import EVERYTHING, STILL_OPEN, Filter, Seen
from statuspage.pages.front import AtFront, Front, errors_of, given, of_lists
from web.forms import Posted, Values, rows
from web.guards import Id
from web.pages import viewer_of
from web.words import gettext as _

SIZE: Final = 50
TABS: Final = {
    "OPEN": STILL_OPEN.states,
    "RESOLVED": frozenset({IncidentStatus.RESOLVED}),
    "ALL": EVERYTHING.states,
}
TEXTS: Final = ("summary", "status", "message")

Number = Annotated[int | None, Query(ge=1, le=LARGEST_ID)]

router: Final = APIRouter()


@router.get("/incidents")
async def incidents(
    request: Request,
    caller: Anybody,
    desk: AtDesk,
    access: Knows,
    front: AtFront,
    state: str = "OPEN",
    service: Number = None,
    start: Annotated[int, Query(alias="start-index", ge=0, le=LARGEST_INDEX)] = 0,
) -> Response:
    tab = state if state in TABS else "OPEN"
    wanted = Filter(TABS[tab], frozenset({service}) if service else None)
    found = await desk.incidents.seen(caller, wanted, start, SIZE + 1)
    services = await desk.services.seen(caller)
    return front.pages.render(
        request,
        "incidents.html",
        viewer_of(caller, access),
        tab=tab,
        service=service,
        incidents=found[:SIZE],
        has_more=len(found) > SIZE,
        start=start,
        size=SIZE,
        url=str(request.url.path) + (f"?{request.url.query}" if request.url.query else ""),
        services=[(one.now.service, one.now.name) for one in services],
        has_pages=await desk.incidents.has_pages(),
        may_write=desk.incidents.may_write(caller, []),
    )


@router.get("/incidents/new")
async def new_incident(
    request: Request,
    caller: Anybody,
    desk: AtDesk,
    access: Knows,
    front: AtFront,
    alert: Number = None,
    summary: Annotated[str, Query(max_length=2000)] = "",
    service: Number = None,
    template: Number = None,
) -> Response:
    """Prefilled from an alert, a service or a template, where the address names one."""
    desk.incidents.only_responders(caller)
    form: Values = {
        "summary": " ".join(summary.split())[:255],
        "alert": str(alert or ""),
        "alertSummary": summary,
        "impact": {str(service): ServiceStatus.MAJOR_OUTAGE.value} if service else {},
        "sendNotification": "true",
    }
    scene = await _scene(desk, caller)
    if template is not None:
        form = await _filled(form | {"template": str(template)}, scene, desk, caller)
    return _form_page(request, caller, access, front, scene, form, {})


@router.post("/incidents/new")
async def add_incident(
    request: Request, caller: Anybody, desk: AtDesk, access: Knows, front: AtFront, form: Posted
) -> Response:
    desk.incidents.only_responders(caller)
    scene, op = await _scene(desk, caller), str(form.pop("op", ""))
    try:
        if op == "fill":
            return _form_page(request, caller, access, front, scene, await _filled(form, scene, desk, caller), {})
        if op == "forecast":
            forecast = await desk.incidents.forecast(ForecastBody.model_validate(_body(form)), caller)
            return _form_page(request, caller, access, front, scene, form, {}, forecast)
        made = await desk.incidents.create(
            IncidentBody.model_validate(_body(form)), caller, alert=_number(form, "alert")
        )
    except (ValidationError, Refused) as error:
        return _form_page(request, caller, access, front, scene, form, _errors(error, form))
    return front.pages.redirect(request, f"/incidents/{made.story.incident}", _("The incident is open"))


@router.get("/incidents/{incident}")
async def incident(
    request: Request, incident: Id, caller: Anybody, desk: AtDesk, access: Knows, front: AtFront
) -> Response:
    found = await desk.incidents.get(incident, caller)
    scene = await _scene(desk, caller)
    return await _incident_page(request, caller, desk, access, front, scene, found, _form(found), {})


@router.post("/incidents/{incident}")
async def say(
    request: Request, incident: Id, caller: Anybody, desk: AtDesk, access: Knows, front: AtFront, form: Posted
) -> Response:
    """The next word. Who reads an old page is shown the new one with what they wrote."""
    found = await desk.incidents.get(incident, caller)
    scene, op = await _scene(desk, caller), str(form.pop("op", ""))
    forecast = None
    try:
        if op == "forecast":
            body = ForecastBody.model_validate(_body(form) | {"id": incident})
            forecast = await desk.incidents.forecast(body, caller)
        else:
            version = _number(form, "version")
            versions = frozenset({version}) if version is not None else None
            await desk.incidents.update(incident, IncidentBody.model_validate(_body(form)), caller, versions)
            return front.pages.redirect(request, f"/incidents/{incident}", _("Said"))
    except (ValidationError, Refused) as error:
        errors = _errors(error, form)
        return await _incident_page(request, caller, desk, access, front, scene, found, form, errors)
    return await _incident_page(request, caller, desk, access, front, scene, found, form, {}, forecast)


@router.post("/incidents/{incident}/alerts")
async def link(request: Request, incident: Id, caller: Anybody, desk: AtDesk, front: AtFront, form: Posted) -> Response:
    await desk.incidents.link(incident, _needed(form, "alert"), caller)
    return front.pages.redirect(request, f"/incidents/{incident}#alerts", _("The alert is linked"))


@router.post("/incidents/{incident}/alerts/{alert}/delete")
async def unlink(request: Request, incident: Id, alert: Id, caller: Anybody, desk: AtDesk, front: AtFront) -> Response:
    await desk.incidents.unlink(incident, alert, caller)
    return front.pages.redirect(request, f"/incidents/{incident}#alerts", _("The alert is not linked any more"))


# -- on an alert's page


@router.get("/fragments/alerts/{alert}/incidents")
async def of_alert(
    request: Request,
    alert: Id,
    caller: Anybody,
    desk: AtDesk,
    access: Knows,
    front: AtFront,
    summary: Annotated[str, Query(max_length=2000)] = "",
) -> Response:
    """What users are told about an alert; `summary` is the alert's, for the form that tells them more."""
    linked = await desk.incidents.of_alert(alert, caller)
    known = {one.story.incident for one in linked}
    others = await desk.incidents.seen(caller, STILL_OPEN, 0, SIZE)
    return front.pages.render(
        request,
        "alert_incidents.html",
        viewer_of(caller, access),
        alert=alert,
        summary=summary,
        linked=linked,
        others=[(one.story.incident, one.story.summary) for one in others if one.story.incident not in known],
        may_write=desk.incidents.may_write(caller, []),
    )


@router.post("/fragments/alerts/{alert}/incidents")
async def connect(request: Request, alert: Id, caller: Anybody, desk: AtDesk, front: AtFront, form: Posted) -> Response:
    """Link an alert to an incident, or (`op` is `unlink`) take the link away; back to the alert's page."""
    incident = _needed(form, "incident")
    if form.get("op") == "unlink":
        await desk.incidents.unlink(incident, alert, caller)
        return front.pages.redirect(request, f"/alerts/{alert}", _("The incident is not linked any more"))
    await desk.incidents.link(incident, alert, caller)
    return front.pages.redirect(request, f"/alerts/{alert}", _("The incident is linked"))


# -- pages


@dataclass(frozen=True)
class Scene:
    """What a form offers."""

    services: list[Known]
    templates: list[tuple[int, str]]


async def _scene(desk: Desk, caller: Caller) -> Scene:
    templates = await desk.templates.seen(caller)
    return Scene(await desk.services.seen(caller), [(one.template, one.name) for one in templates])


def _form_page(
    request: Request,
    caller: Caller,
    access: Access,
    front: Front,
    scene: Scene,
    form: Values,
    errors: dict[str, str],
    forecast: Forecast | None = None,
) -> Response:
    return front.pages.render(
        request,
        "incident_form.html",
        viewer_of(caller, access),
        block="form",
        status=422 if errors else 200,
        form=form,
        errors=errors,
        forecast=forecast,
        affected=_offered(scene.services, form),
        templates=scene.templates,
        statuses=list(IncidentStatus),
    )


async def _incident_page(
    request: Request,
    caller: Caller,
    desk: Desk,
    access: Access,
    front: Front,
    scene: Scene,
    found: Seen,
    form: Values,
    errors: dict[str, str],
    forecast: Forecast | None = None,
) -> Response:
    return front.pages.render(
        request,
        "incident.html",
        viewer_of(caller, access),
        status=422 if errors else 200,
        seen=found,
        story=found.story,
        words=list(reversed(found.story.words)),
        hearing=await desk.subscriptions.hearing(About(Subject.INCIDENT, found.story.incident), caller),
        form=form,
        errors=errors,
        forecast=forecast,
        affected=_offered(scene.services, form),
        statuses=list(IncidentStatus),
        name=access.name,
        may_write=desk.incidents.may_write(caller, found.services.values()),
        may_read_alerts=caller.is_at_least(Role.RESPONDER),
    )


def _offered(services: Iterable[Known], form: Values) -> list[tuple[Known, str]]:
    """Services with the impact that the form says of each; those that it says something of first."""
    impacts = _impacts(form)
    return sorted(((one, impacts.get(str(one.now.service), "")) for one in services), key=lambda pair: not pair[1])


# -- between forms and bodies


def _body(form: Values) -> dict[str, Any]:
    """The API's body: a service that a choice was made for is affected."""
    affected = [{"impact": impact, "service": {"id": service}} for service, impact in _impacts(form).items()]
    send = form.get("sendNotification") == "true"
    return {**given(form, *TEXTS), "affectedServices": affected, "sendNotification": send}


def _impacts(form: Values) -> Mapping[str, str]:
    return {service: str(impact) for service, impact in rows(form.get("impact")) if impact}


def _form(seen: Seen) -> Values:
    story = seen.story
    return {
        "summary": story.summary,
        "status": story.status.value,
        "message": story.message if story.is_over else "",
        "impact": {str(one.service): one.impact.value for one in story.affected if one.service in seen.services},
        "sendNotification": "true" if story.send_notification and not story.is_over else "",
    }


async def _filled(form: Values, scene: Scene, desk: Desk, caller: Caller) -> Values:
    """The form with a template's words in it; its places are filled with what is known here."""
    template = _number(form, "template")
    if template is None:
        return form
    known = {str(one.now.service): one for one in scene.services}
    chosen = [known[service] for service in _impacts(form) if service in known]
    rendered = render(
        await desk.templates.get(template, caller),
        {
            "alertId": str(form.get("alert", "")),
            "alertSummary": str(form.get("alertSummary", "")),
            "serviceId": ", ".join(str(one.now.service) for one in chosen),
            "serviceName": ", ".join(one.now.name for one in chosen),
            "serviceDescription": "\n".join(one.now.description for one in chosen if one.now.description),
        },
    )
    return form | {
        "summary": rendered.summary,
        "message": rendered.message,
        "status": rendered.status.value,
        "sendNotification": "true" if rendered.send_notification else "",
    }


def _number(form: Values, name: str) -> int | None:
    """A positive number of the form, if it holds one."""
    text = str(form.get(name, "")).strip()
    number = int(text) if text.isascii() and text.isdecimal() and len(text) < 20 else None
    return number if number is not None and 1 <= number <= LARGEST_ID else None


def _needed(form: Values, name: str) -> int:
    number = _number(form, name)
    if number is None:
        raise invalid_field(name, "must be a positive number")
    return number


def _errors(error: ValidationError | Refused, form: Values) -> dict[str, str]:
    found = of_lists(errors_of(error, form), "affectedServices")
    if "affectedServices" in found and not _impacts(form):
        found["affectedServices"] = _("choose at least one service, and what is wrong with it")
    return found
