"""What people see of ingest: the live list of alerts, one alert with its whole story, alert sources with key and instructions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BeforeValidator, Field, ValidationError

from events.accounts import Role
from events.ingest import PriorityRule, SourceChanged
from events.shared import Actor
from ingest import reads
from ingest.api import AtOffice, Number, Paged, Responder, User
from ingest.domain import Accept, Assign, RequestEscalation, RequestResponder, Resolve
from ingest.intake import AUTO_RESOLUTIONS, Grouping
from ingest.office import Office, actor_of
from ingest.reads import AlertRow, Wanted
from ingest.said import actor
from ingest.setup import Step
from ingest.shapes import CommentBody, ManualAlertBody, SourceBody
from ingest.timeline import story
from runtime.access import Caller
from runtime.refusals import Refused
from runtime.resources import LARGEST_ID
from web.forms import Values, field_errors, nest
from web.guards import ApiError, Id
from web.live import Hub
from web.pages import Pages, viewer_of
from web.words import gettext as _

SHOWN_EVENTS: Final = 500
SHOWN_FATES: Final = 30
OPEN: Final = ("PENDING", "ACCEPTED")


@dataclass(frozen=True)
class Front:
    """What the pages work with."""

    pages: Pages
    hub: Hub


def front_of(request: Request) -> Front:
    front: Front = request.app.state.front
    return front


async def form_of(request: Request) -> Values:
    """The posted fields, nested by their dotted names; texts only, empty ones are left out."""
    async with request.form() as form:
        return nest((name, value) for name, value in form.multi_items() if isinstance(value, str) and value.strip())


AtFront = Annotated[Front, Depends(front_of)]
Posted = Annotated[Values, Depends(form_of)]
StateFilter = Annotated[list[Literal["PENDING", "ACCEPTED", "RESOLVED", "OPEN", "ALL"]] | None, Query(alias="state")]
Ids = Annotated[
    list[Annotated[int, Field(ge=1, le=LARGEST_ID)]] | None,
    BeforeValidator(lambda given: [one for one in given if one] if isinstance(given, list) else given),
    Query(),
]
"""A form sends what was not chosen as an empty text."""

router: Final = APIRouter()


@router.get("/")
async def home(request: Request, front: AtFront) -> Response:
    return front.pages.redirect(request, "/alerts")


# -- the list


@router.get("/alerts")
async def alerts(
    request: Request,
    front: AtFront,
    office: AtOffice,
    caller: Responder,
    page: Paged,
    state: StateFilter = None,
    source: Ids = None,
    policy: Ids = None,
    responder: Ids = None,
    key: str | None = None,
) -> Response:
    """Open alerts, unless the address says otherwise; the address is the filter."""
    position = front.hub.position
    tab = (state or ["OPEN"])[0]
    wanted = Wanted(
        office.sight(caller),
        states=_states(state, key),
        sources=tuple(source or ()),
        policies=tuple(policy or ()),
        responders=tuple(responder or ()),
        key=key,
    )

    async def question(sql: Any) -> tuple[list[AlertRow], dict[str, int]]:
        window = await reads.some_alerts(sql, wanted, page.start, page.size + 1)
        return window, await reads.counts_by_state(sql, wanted)

    rows, counts = await office.read(question)
    return front.pages.render(
        request,
        "alerts.html",
        viewer_of(caller, office.access),
        block="list",
        rows=rows[: page.size],
        has_more=len(rows) > page.size,
        counts=counts,
        many=reads.MANY,
        page=page,
        tab="ALL" if key is not None and state is None else tab,
        url=_address(request),
        position=position,
        names=office.names,
        steps=[] if rows or page.start or source or policy or responder or key else _steps(office, caller, counts),
        sources=_sources(office, caller),
        source=source[0] if source else None,
        mine=caller.user in (responder or []),
        me=caller.user,
    )


def _steps(office: Office, caller: Caller, counts: Mapping[str, int]) -> list[Step]:
    """The way from nothing to the first automatic incident, as far as it is not gone to its end."""
    steps = office.setup.steps(
        has_policy=bool(_policies(office, caller)),
        source=next((known.source for known in _sources(office, caller)), None),
        has_alert=any(counts.values()),
    )
    return [] if all(step.is_done for step in steps) else steps


@router.get("/alerts/stream")
async def stream(request: Request, front: AtFront, _caller: Responder) -> Response:
    return front.hub.response(request)


def _states(state: Sequence[str] | None, key: str | None) -> tuple[str, ...]:
    """A link by key (what a tool was answered) shows what became of it, open or not."""
    chosen = set(state or (["ALL"] if key is not None else ["OPEN"]))
    if "ALL" in chosen:
        return ()
    return tuple(sorted((chosen - {"OPEN"}) | (set(OPEN) if "OPEN" in chosen else set())))


def _address(request: Request) -> str:
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


# -- a new alert by hand


@router.get("/alerts/new")
async def new_alert(request: Request, front: AtFront, office: AtOffice, caller: Responder) -> Response:
    return _alert_form(request, front, office, caller, {}, {})


@router.post("/alerts")
async def open_alert(request: Request, front: AtFront, office: AtOffice, caller: Responder, form: Posted) -> Response:
    try:
        body = ManualAlertBody.model_validate(form)
        number = await office.alerts.open(body, actor_of(caller))
    except ValidationError as error:
        return _alert_form(request, front, office, caller, form, field_errors(error, form), 422)
    except Refused as refused:
        return _alert_form(request, front, office, caller, form, _named(refused), 422)
    return front.pages.redirect(request, f"/alerts/{number}", flash=_("The alert is open"))


def _alert_form(
    request: Request,
    front: Front,
    office: Office,
    caller: Caller,
    form: Values,
    errors: Mapping[str, str],
    status: int = 200,
) -> Response:
    return front.pages.render(
        request,
        "alert_new.html",
        viewer_of(caller, office.access),
        block="form",
        status=status,
        form=form,
        errors=errors,
        sources=_sources(office, caller),
        policies=_policies(office, caller),
    )


# -- one alert


@router.get("/alerts/{alert}")
async def alert(request: Request, front: AtFront, office: AtOffice, caller: Responder, alert: Id) -> Response:
    position = front.hub.position
    row = await office.alert(alert, caller)
    log = await office.read(lambda sql: reads.timeline(sql, alert, None, 0, SHOWN_EVENTS, newest_first=True))
    entries = story(((line.id, line.type, line.body) for line in log), office.names)
    return front.pages.render(
        request,
        "alert.html",
        viewer_of(caller, office.access),
        block="alert",
        row=row,
        entries=entries,
        position=position,
        names=office.names,
        next_targets=_next_targets(office, row),
        accepted_by=_by(office, row.accepted_by),
        resolved_by=_by(office, row.resolved_by),
        people=_people(office, caller, row),
        policies=_policies(office, caller),
        schedules=sorted(office.beliefs.policies.schedules.items(), key=lambda known: known[1]),
    )


@router.post("/alerts/{alert}/accept")
async def accept(request: Request, front: AtFront, office: AtOffice, caller: Responder, alert: Id) -> Response:
    await office.alert(alert, caller)
    await office.alerts.tell(alert, lambda unit: Accept(actor_of(caller), unit.at))
    return front.pages.redirect(request, f"/alerts/{alert}", flash=await _became(office, caller, alert))


@router.post("/alerts/{alert}/resolve")
async def resolve(request: Request, front: AtFront, office: AtOffice, caller: Responder, alert: Id) -> Response:
    await office.alert(alert, caller)
    await office.alerts.tell(alert, lambda unit: Resolve(actor_of(caller), unit.at))
    return front.pages.redirect(request, f"/alerts/{alert}", flash=await _became(office, caller, alert))


@router.post("/alerts/{alert}/escalate")
async def escalate(request: Request, front: AtFront, office: AtOffice, caller: Responder, alert: Id) -> Response:
    await office.alert(alert, caller)
    await office.alerts.tell(alert, lambda unit: RequestEscalation(actor_of(caller), unit.at))
    return front.pages.redirect(request, f"/alerts/{alert}", flash=_("The next level is asked"))


@router.post("/alerts/{alert}/comment")
async def comment(
    request: Request, front: AtFront, office: AtOffice, caller: Responder, alert: Id, form: Posted
) -> Response:
    await office.alert(alert, caller)
    try:
        body = CommentBody.model_validate(form)
    except ValidationError:
        raise ApiError(400, "VALIDATION_ERROR", _("Write a comment first")) from None
    await office.alerts.comment(alert, body.content, actor_of(caller))
    return front.pages.redirect(request, f"/alerts/{alert}", flash=_("Your comment is on the timeline"))


@router.post("/alerts/{alert}/assign")
async def assign(
    request: Request, front: AtFront, office: AtOffice, caller: Responder, alert: Id, form: Posted
) -> Response:
    """`target` is `user-7`, `policy-3` or `schedule-2`."""
    await office.alert(alert, caller)
    kind, _dash, number = str(form.get("target", "")).partition("-")
    if kind not in {"user", "policy", "schedule"} or not number.isdecimal() or len(number) > 18:
        raise ApiError(400, "VALIDATION_ERROR", _("Choose whom to assign it to"))
    await _check(office, kind, int(number))
    await office.alerts.tell(alert, lambda unit: Assign(actor_of(caller), unit.at, **{kind: int(number)}))
    return front.pages.redirect(request, f"/alerts/{alert}", flash=_("Assigned"))


@router.post("/alerts/{alert}/responders")
async def add_responder(
    request: Request, front: AtFront, office: AtOffice, caller: Responder, alert: Id, form: Posted
) -> Response:
    await office.alert(alert, caller)
    user = str(form.get("user", ""))
    if not user.isdecimal() or len(user) > 18:
        raise ApiError(400, "VALIDATION_ERROR", _("Choose a person"))
    await office.beliefs.check_user(int(user))
    await office.alerts.tell(alert, lambda unit: RequestResponder(int(user), actor_of(caller), unit.at))
    return front.pages.redirect(request, f"/alerts/{alert}", flash=_("They will be told as well"))


async def _check(office: Office, kind: str, number: int) -> None:
    check = {
        "user": office.beliefs.check_user,
        "policy": office.beliefs.check_policy,
        "schedule": office.beliefs.check_schedule,
    }[kind]
    await check(number)


async def _became(office: Office, caller: Caller, alert: int) -> str:
    """What the alert is after an answer, which may have come too late."""
    row = await office.alert(alert, caller)
    by = _by(office, row.resolved_by if row.status == "RESOLVED" else row.accepted_by)
    word = {"ACCEPTED": _("Accepted"), "RESOLVED": _("Resolved")}.get(row.status, _("Pending"))
    return _("%(word)s by %(name)s") % {"word": word, "name": by} if by else word


def _by(office: Office, by: dict[str, Any] | None) -> str:
    return actor(Actor.model_validate(by), office.names) if by else ""


def _next_targets(office: Office, row: AlertRow) -> list[str]:
    """Whom the next level names; who is on call is looked up when its time comes."""
    if row.next_level is None or row.next_level >= len(row.levels):
        return []
    return [_target(office, target) for target in row.levels[row.next_level].get("targets", [])]


def _target(office: Office, target: dict[str, int]) -> str:
    if target.get("user"):
        return office.names.user(target["user"])
    if target.get("schedule"):
        return _("whoever is on call in «%(name)s»") % {"name": office.names.schedule(target["schedule"])}
    team = office.access.team(target.get("team", 0))
    return _("team «%(name)s»") % {"name": team.name if team else target.get("team")}


def _people(office: Office, caller: Caller, row: AlertRow) -> list[tuple[int, str]]:
    """Who can be asked as well."""
    here = {responder.user for responder in row.responders}
    people = [person.user for person in office.access.people() if office.access.may_see_user(caller, person.user)]
    return [(user, office.names.user(user)) for user in people if user not in here]


def _sources(office: Office, caller: Caller) -> list[SourceChanged]:
    known = office.names.keys.sources.values()
    return [source for source in known if office.access.may_see(caller, source.teams)]


def _policies(office: Office, caller: Caller) -> list[tuple[int, str]]:
    known = office.beliefs.policies.policies.values()
    return sorted(
        ((policy.policy, policy.name) for policy in known if office.access.may_see(caller, policy.teams)),
        key=lambda policy: policy[1],
    )


# -- alert sources


@router.get("/sources")
async def sources(request: Request, front: AtFront, office: AtOffice, caller: Responder, page: Paged) -> Response:
    known = [source for source in await office.sources.all() if office.access.may_see(caller, source.teams)]
    shown = list(page.of(known))
    opened = await office.read(lambda sql: reads.source_states(sql, [source.source for source in shown]))
    return front.pages.render(
        request,
        "sources.html",
        viewer_of(caller, office.access),
        rows=shown,
        total=len(known),
        page=page,
        states={source.source: office.status_of(source, opened.get(source.source)) for source in shown},
        names=office.names,
        may_add=caller.is_at_least(Role.USER),
    )


@router.get("/sources/new")
async def new_source(request: Request, front: AtFront, office: AtOffice, caller: User) -> Response:
    return _source_form(request, front, office, caller, {"active": "true", "integrationType": "API"}, {}, None)


@router.post("/sources")
async def create_source(request: Request, front: AtFront, office: AtOffice, caller: User, form: Posted) -> Response:
    try:
        card = await office.sources.create(SourceBody.model_validate(_source_values(form)))
    except ValidationError as error:
        return _source_form(request, front, office, caller, form, field_errors(error, form), None, 422)
    except Refused as refused:
        return _source_form(request, front, office, caller, form, _named(refused), None, 422)
    return front.pages.redirect(request, f"/sources/{card.source.source}", flash=_("The alert source is ready"))


@router.get("/sources/{source}")
async def source(
    request: Request, front: AtFront, office: AtOffice, caller: Responder, source: Id, start: Number | None = None
) -> Response:
    """Its key, how to set the tool up, and what became of its last events."""
    known = await office.source(source, caller)
    may_change = office.may_change(caller, known)
    key = (await office.sources.keys_of([known])).get(source) if may_change else None
    rows = await office.read(lambda sql: reads.fates(sql, source, start or 0, SHOWN_FATES))
    return front.pages.render(
        request,
        "source.html",
        viewer_of(caller, office.access),
        block="fates",
        source=known,
        window=office.window_of(source),
        key=key,
        shown_key=key or known.key_mask or "…",
        may_change=may_change,
        rows=rows,
        names=office.names,
        position=front.hub.position,
        public_url=office.public_url,
    )


@router.get("/sources/{source}/edit")
async def edit_source(request: Request, front: AtFront, office: AtOffice, caller: User, source: Id) -> Response:
    known = await _own(office, caller, source)
    return _source_form(request, front, office, caller, _values_of(known), {}, known)


@router.post("/sources/{source}")
async def change_source(
    request: Request, front: AtFront, office: AtOffice, caller: User, source: Id, form: Posted
) -> Response:
    known = await _own(office, caller, source)
    values = _source_values(form) | {"teams": [{"id": team} for team in known.teams]}
    try:
        await office.sources.change(source, SourceBody.model_validate(values))
    except ValidationError as error:
        return _source_form(request, front, office, caller, form, field_errors(error, form), known, 422)
    except Refused as refused:
        return _source_form(request, front, office, caller, form, _named(refused), known, 422)
    return front.pages.redirect(request, f"/sources/{source}", flash=_("Saved"))


@router.post("/sources/{source}/delete")
async def delete_source(request: Request, front: AtFront, office: AtOffice, caller: User, source: Id) -> Response:
    await _own(office, caller, source)
    await office.sources.delete(source)
    return front.pages.redirect(request, "/sources", flash=_("The alert source is gone"))


async def _own(office: Office, caller: Caller, source: int) -> SourceChanged:
    known = await office.source(source, caller)
    if not office.may_change(caller, known):
        raise ApiError(403, "FORBIDDEN", _("This needs the role USER in a team of this alert source"))
    return known


def _source_form(
    request: Request,
    front: Front,
    office: Office,
    caller: Caller,
    form: Values,
    errors: Mapping[str, str],
    source: SourceChanged | None,
    status: int = 200,
) -> Response:
    return front.pages.render(
        request,
        "source_form.html",
        viewer_of(caller, office.access),
        block="form",
        status=status,
        source=source,
        form=form,
        errors=errors,
        policies=_policies(office, caller),
        rules=[rule.value for rule in PriorityRule],
        groupings=[(Grouping.EACH, _("Each event is an alert")), *_groupings()],
        timeouts=[("", _("Never")), *((value, value) for value in AUTO_RESOLUTIONS)],
    )


def _groupings() -> list[tuple[str, str]]:
    return [
        (Grouping.SUBJECT, _("One alert for each summary")),
        (Grouping.PENDING, _("One alert until it is accepted")),
        (Grouping.OPEN, _("One alert until it is resolved")),
        (Grouping.EXTRACTED, _("Prometheus: each alert of a group by itself")),
    ]


def _source_values(form: Values) -> Values:
    """A checkbox that is not ticked is not sent."""
    return {**form, "active": "active" in form}


def _values_of(source: SourceChanged) -> Values:
    return {
        "name": source.name,
        "integrationType": source.integration_type,
        "escalationPolicy": {"id": source.policy or ""},
        "active": "true" if source.active else "",
        "alertCreation": source.alert_creation,
        "alertPriorityRule": source.priority_rule.value,
        "autoResolutionTimeout": source.auto_resolution or "",
        "severity": source.severity or "",
    }


def _named(refused: Refused) -> dict[str, str]:
    """`field: sentence` under the form's field."""
    name, colon, words = refused.refusal.message.partition(": ")
    fields = {"escalationPolicy": "escalationPolicy.id", "alertSource": "alertSource.id"}
    return {fields.get(name, name): words} if colon else {"": refused.refusal.message}
