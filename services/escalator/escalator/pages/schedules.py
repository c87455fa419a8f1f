"""On-call schedules: the list, one as a calendar week with its overrides, and the form of layers, people and hours."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Annotated, Any, Final
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request, Response
from pydantic import ValidationError

from escalator.api import AtDesk, Desk, Knows, Reader
from escalator.bodies import ScheduleBody, ShiftBody, zones
from escalator.oncall import OnCall, recorded_shifts, shifts, who
from escalator.pages.front import AtFront, Front, body_of, errors_of, people_to_choose, teams_to_choose
from escalator.wallclock import instant, local_time, wall, zone_of
from escalator.week import DAYS
from events.escalator import Layer, Restriction, ScheduleChanged, ScheduleType
from runtime.access import Access, Caller
from runtime.refusals import Refused
from web.calendar import Calendar, calendar
from web.calendar import Shift as Drawn
from web.forms import Posted, Values, rearranged, rows
from web.guards import ApiError, Id
from web.pages import viewer_of
from web.words import gettext as _

WEEK: Final = timedelta(days=7)
HOURS: Final[dict[str, object]] = {
    "from": {"dayOfWeek": "MONDAY", "time": "09:00"},
    "to": {"dayOfWeek": "FRIDAY", "time": "17:00"},
}
FRESH: Final[dict[str, object]] = {
    "scheduleLayers": {"rotation": "P7D", "users": {"0": ""}},
    "users": "",
    "restrictions": HOURS,
    "shifts": {},
}

router: Final = APIRouter()


@router.get("/schedules")
async def schedules(request: Request, caller: Reader, desk: AtDesk, access: Knows, front: AtFront) -> Response:
    duties = await desk.policies.duties(caller)
    rows_shown = [
        (schedule, who(schedule, duties.at), duties.of_schedule(schedule.schedule)) for schedule in duties.schedules
    ]
    return front.pages.render(
        request,
        "schedules.html",
        viewer_of(caller, access),
        schedules=rows_shown,
        name=access.name,
        may_add=desk.schedules.may_write(caller, ()),
    )


@router.get("/schedules/new")
async def new_schedule(
    request: Request,
    caller: Reader,
    desk: AtDesk,
    access: Knows,
    front: AtFront,
    kind: Annotated[ScheduleType, Query(alias="type")] = ScheduleType.RECURRING,
) -> Response:
    person = access.person(caller.user)
    today = wall(desk.clock.now(), zone_of(person.timezone if person else "UTC"))
    monday = (today - timedelta(days=today.weekday())).replace(hour=9, minute=0)
    layer = {"rotation": "P7D", "startsOn": f"{monday:%Y-%m-%dT%H:%M}", "users": {"0": ""}}
    form: Values = {"type": kind, "timezone": person.timezone if person else "UTC", "showGaps": "true"}
    form |= {"scheduleLayers": {"0": layer}} if kind is ScheduleType.RECURRING else {"shifts": {"0": {}}}
    return _form_page(request, caller, access, front, None, form, {})


@router.post("/schedules/new")
async def add_schedule(
    request: Request, caller: Reader, desk: AtDesk, access: Knows, front: AtFront, form: Posted
) -> Response:
    if rearranged(form, FRESH):
        return _form_page(request, caller, access, front, None, form, {})
    try:
        made = await desk.schedules.create(_body(form, str(form.get("timezone", "UTC"))), caller)
    except (ValidationError, Refused) as error:
        return _form_page(request, caller, access, front, None, form, _errors(error, form))
    return front.pages.redirect(request, f"/schedules/{made.schedule}", _("%(name)s was added") % {"name": made.name})


@router.get("/schedules/{schedule}")
async def schedule(
    request: Request,
    schedule: Id,
    caller: Reader,
    desk: AtDesk,
    access: Knows,
    front: AtFront,
    week: Annotated[date | None, Query()] = None,
) -> Response:
    return await _schedule_page(request, schedule, caller, desk, access, front, week, {}, {})


@router.post("/schedules/{schedule}/overrides")
async def add_override(
    request: Request, schedule: Id, caller: Reader, desk: AtDesk, access: Knows, front: AtFront, form: Posted
) -> Response:
    """Times are those of the schedule's zone."""
    found = await desk.schedules.get(schedule, caller)
    try:
        changed = await desk.schedules.override(schedule, _override(form, found), caller)
    except (ValidationError, Refused) as error:
        errors = {name.removesuffix(".id"): words for name, words in errors_of(error, form).items()}
        return await _schedule_page(request, schedule, caller, desk, access, front, None, form, errors)
    day = wall(changed.overrides[-1].start, zone_of(changed.timezone)).date() if changed.overrides else None
    return front.pages.redirect(request, _address(schedule, day), _("The override is in force"))


@router.post("/schedules/{schedule}/overrides/{override}/delete")
async def drop_override(
    request: Request, schedule: Id, override: Id, caller: Reader, desk: AtDesk, front: AtFront
) -> Response:
    await desk.schedules.drop_override(schedule, override, caller)
    return front.pages.redirect(request, f"/schedules/{schedule}", _("The override was taken away"))


@router.get("/schedules/{schedule}/edit")
async def edit_schedule(
    request: Request, schedule: Id, caller: Reader, desk: AtDesk, access: Knows, front: AtFront
) -> Response:
    found = await desk.schedules.get(schedule, caller)
    return _form_page(request, caller, access, front, found, _form(found, desk.clock.now()), {})


@router.post("/schedules/{schedule}/edit")
async def change_schedule(
    request: Request, schedule: Id, caller: Reader, desk: AtDesk, access: Knows, front: AtFront, form: Posted
) -> Response:
    found = await desk.schedules.get(schedule, caller)
    form |= {"type": found.type, "timezone": found.timezone}
    if rearranged(form, FRESH):
        return _form_page(request, caller, access, front, found, form, {})
    try:
        await desk.schedules.change(schedule, _body(form, found.timezone), caller)
    except (ValidationError, Refused) as error:
        return _form_page(request, caller, access, front, found, form, _errors(error, form))
    return front.pages.redirect(request, f"/schedules/{schedule}", _("Saved"))


@router.post("/schedules/{schedule}/delete")
async def delete_schedule(request: Request, schedule: Id, caller: Reader, desk: AtDesk, front: AtFront) -> Response:
    name = (await desk.schedules.get(schedule, caller)).name
    await desk.schedules.remove(schedule, caller)
    return front.pages.redirect(request, "/schedules", _("%(name)s was deleted") % {"name": name})


# -- one schedule


async def _schedule_page(
    request: Request,
    schedule: int,
    caller: Caller,
    desk: Desk,
    access: Access,
    front: Front,
    week: date | None,
    form: Values,
    errors: dict[str, str],
) -> Response:
    versions = await desk.schedules.versions(schedule, caller)
    found, now = versions[-1], desk.clock.now()
    monday, today = _monday(week, found, now), wall(now, zone_of(found.timezone)).date()
    duties = await desk.policies.duties(caller)
    may_write = desk.schedules.may_write(caller, found.teams)
    return front.pages.render(
        request,
        "schedule.html",
        viewer_of(caller, access),
        status=422 if errors else 200,
        schedule=found,
        duty=who(found, now),
        calendar=_calendar(versions, monday, today, access),
        before=_address(schedule, monday - WEEK),
        after=_address(schedule, monday + WEEK),
        present=_address(schedule, None),
        is_present=monday <= today < monday + WEEK,
        monday=monday,
        overrides=sorted((one for one in found.overrides if one.end > now), key=lambda one: one.start),
        policies=duties.of_schedule(schedule),
        people=people_to_choose(access, caller) if may_write else [(caller.user, access.name(caller.user))],
        me=caller.user,
        form=form,
        errors=errors,
        name=access.name,
        may_write=may_write,
    )


def _monday(week: date | None, schedule: ScheduleChanged, now: datetime) -> date:
    day = week or wall(now, zone_of(schedule.timezone)).date()
    if not 1970 < day.year < 2200:
        raise ApiError(400, "VALIDATION_ERROR", "week: must lie between the years 1971 and 2199")
    return day - timedelta(days=day.weekday())


def _address(schedule: int, day: date | None) -> str:
    return f"/schedules/{schedule}?week={day}" if day else f"/schedules/{schedule}"


def _calendar(versions: Sequence[ScheduleChanged], monday: date, today: date, access: Access) -> Calendar:
    """Who it is in the end, then the overrides, then each layer by itself, the one that wins first."""
    schedule, zone = versions[-1], zone_of(versions[-1].timezone)
    start = instant(datetime.combine(monday, time()), zone)
    end = instant(datetime.combine(monday + WEEK, time()), zone)

    def drawn(found: Sequence[OnCall]) -> list[Drawn]:
        return [_drawn(shift, end, access) for shift in found]

    in_the_end = recorded_shifts(versions, start, end)
    layers = [(_("On call"), [*drawn(in_the_end), *(_nobody(in_the_end, start, end) if schedule.show_gaps else [])])]
    if any(one.start < end and start < one.end for one in schedule.overrides):
        layers.append((_("Overrides"), drawn(shifts(_alone(schedule, overrides=True), start, end))))
    for place, layer in reversed(list(enumerate(schedule.layers, 1))):
        layers.append((layer.name or f"#{place}", drawn(shifts(_alone(schedule, layer), start, end))))
    caption = _("Week of %(day)s, in the zone %(zone)s") % {"day": f"{monday:%d.%m.%Y}", "zone": schedule.timezone}
    return calendar(caption, monday, 7, schedule.timezone, layers, today=today)


def _alone(schedule: ScheduleChanged, layer: Layer | None = None, *, overrides: bool = False) -> ScheduleChanged:
    """Only one layer of the schedule, or only its overrides."""
    kept = {"layers": (layer,) if layer else (), "shifts": (), "overrides": schedule.overrides if overrides else ()}
    return schedule.model_copy(update=kept)


def _drawn(shift: OnCall, end: datetime, access: Access) -> Drawn:
    until = shift.end or max(end, shift.start) + WEEK
    return Drawn(access.name(shift.user), shift.start, until, is_override=shift.override is not None)


def _nobody(found: Sequence[OnCall], start: datetime, end: datetime) -> list[Drawn]:
    """The stretches of the window that nobody has."""
    gaps: list[Drawn] = []
    here = start
    for shift in found:
        if here < shift.start:
            gaps.append(Drawn(None, here, min(shift.start, end)))
        here = max(here, shift.end or end)
    return [*gaps, Drawn(None, here, end)] if here < end else gaps


# -- between forms and bodies


def _form_page(
    request: Request,
    caller: Caller,
    access: Access,
    front: Front,
    schedule: ScheduleChanged | None,
    form: Values,
    errors: dict[str, str],
) -> Response:
    return front.pages.render(
        request,
        "schedule_form.html",
        viewer_of(caller, access),
        block="form",
        status=422 if errors else 200,
        schedule=schedule,
        form=form,
        errors=errors,
        layers=[
            (key, row, rows(row.get("users")), [one for one in rows(row.get("restrictions")) if _are_hours(one[1])])
            for key, row in rows(form.get("scheduleLayers"))
            if isinstance(row, dict)
        ],
        shifts=[(key, row) for key, row in rows(form.get("shifts")) if isinstance(row, dict)],
        is_static=str(form.get("type")) == ScheduleType.STATIC,
        people=people_to_choose(access, caller),
        owners=teams_to_choose(access, caller),
        zones=sorted(zones()),
        days=DAYS,
    )


def _are_hours(row: object) -> bool:
    return isinstance(row, dict) and all(isinstance(row.get(end), dict) for end in ("from", "to"))


def _body(form: Values, timezone: str) -> ScheduleBody:
    """The API's body: people are chosen by id, local times of shifts are those of the schedule's zone."""
    body: dict[str, Any] = body_of(
        {name: form[name] for name in form if name not in ("teams", "scheduleLayers", "shifts")}
    )
    body["scheduleLayers"] = [_layer(row) for _, row in rows(form.get("scheduleLayers")) if isinstance(row, dict)]
    body["shifts"] = [_shift(row, timezone) for _, row in rows(form.get("shifts")) if isinstance(row, dict)]
    body["teams"] = [{"id": team} for team, _ in rows(form.get("teams"))]
    return ScheduleBody.model_validate(body)


def _layer(row: Values) -> dict[str, Any]:
    layer: dict[str, Any] = body_of(
        {name: value for name, value in row.items() if name not in ("users", "restrictions")}
    )
    layer["users"] = [{"id": user} for _, user in rows(row.get("users")) if user]
    layer["restrictions"] = [body_of(hours) for _, hours in rows(row.get("restrictions"))]
    return layer


def _shift(row: Values, timezone: str) -> dict[str, Any]:
    times = {name: _utc(str(row.get(name, "")), timezone) for name in ("start", "end")}
    return times | ({"user": {"id": row["user"]}} if row.get("user") else {})


def _override(form: Values, schedule: ScheduleChanged) -> ShiftBody:
    return ShiftBody.model_validate(_shift(form, schedule.timezone))


def _utc(text: str, timezone: str) -> str:
    """A local time of a form as an instant; what is none is left for the body to refuse."""
    zone = zone_of(timezone)
    read = local_time(text, zone)
    return instant(read, zone).isoformat() if read else text


def _errors(error: ValidationError | Refused, form: Values) -> dict[str, str]:
    """References are single fields in the form."""
    return {name.removesuffix(".id"): words for name, words in errors_of(error, form).items()}


def _form(schedule: ScheduleChanged, now: datetime) -> Values:
    zone = zone_of(schedule.timezone)

    def shown(at: datetime) -> str:
        return f"{wall(at, zone):%Y-%m-%dT%H:%M}"

    coming = [shift for shift in schedule.shifts if shift.end > now]
    return {
        "name": schedule.name,
        "timezone": schedule.timezone,
        "type": schedule.type,
        "showGaps": "true" if schedule.show_gaps else "",
        "scheduleLayers": {str(number): _layer_row(layer, zone) for number, layer in enumerate(schedule.layers)},
        "shifts": {
            str(number): {"user": str(one.user), "start": shown(one.start), "end": shown(one.end)}
            for number, one in enumerate(coming)
        },
        "defaultShiftDuration": schedule.default_shift_duration or "",
        "teams": {str(team): "true" for team in schedule.teams},
    }


def _layer_row(layer: Layer, zone: ZoneInfo) -> Values:
    return {
        "name": layer.name,
        "startsOn": _shown(layer.starts_on, zone),
        "endsOn": _shown(layer.ends_on or "", zone),
        "rotation": layer.rotation,
        "users": {str(number): str(user) for number, user in enumerate(layer.users)},
        "restrictions": {str(number): _hours(one) for number, one in enumerate(layer.restrictions)},
    }


def _shown(text: str, zone: ZoneInfo) -> str:
    """As an input of date and time wants it; what was written with an offset becomes local."""
    read = local_time(text, zone)
    return f"{read:%Y-%m-%dT%H:%M}" if read else text


def _hours(restriction: Restriction) -> Values:
    return {
        "from": {"dayOfWeek": restriction.start.day, "time": restriction.start.time},
        "to": {"dayOfWeek": restriction.end.day, "time": restriction.end.time},
    }
