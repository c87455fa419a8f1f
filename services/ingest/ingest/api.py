"""The REST edge of ingest: alerts and alert sources in the published shapes, and what these lack as extensions."""

from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Query, Response
from pydantic import AwareDatetime, Field

from events.accounts import Role
from events.core import Refusal
from events.ingest import SourceChanged
from events.shared import Actor
from ingest import reads, shapes
from ingest.domain import Accept, Assign, RequestEscalation, RequestResponder, Resolve
from ingest.office import Office, actor_of, office_of
from ingest.reads import AlertRow, CommentRow, Wanted
from ingest.shapes import (
    AlertResource,
    AnswererResource,
    CommentBody,
    CommentResource,
    CountResource,
    FateResource,
    LogEntryResource,
    ManualAlertBody,
    NewResponderBody,
    PolicyRel,
    SourceBody,
    SourceRel,
    SourceResource,
    SuggestionResource,
)
from ingest.timeline import story, types_of
from runtime.access import Caller, require
from runtime.refusals import Refused, invalid, missing
from runtime.resources import LARGEST_ID, Page, answer, including, named, no_content, paging
from web.guards import ApiError, Id

Number = Annotated[int, Query(ge=1, le=LARGEST_ID)]
Numbers = Annotated[list[Annotated[int, Field(ge=1, le=LARGEST_ID)]] | None, Query()]
States = Annotated[list[Literal["PENDING", "ACCEPTED", "RESOLVED"]] | None, Query()]
Filters = Annotated[
    list[
        Literal[
            "NOTIFICATIONS",
            "ALERT_SOURCE_EVENTS",
            "CALL_ROUTING_EVENTS",
            "ALERT_UPDATES",
            "CONNECTOR_EVENTS",
            "INCIDENT_COMMUNICATIONS",
        ]
    ]
    | None,
    Query(alias="filter-types"),
]
Instant = Annotated[AwareDatetime | None, Query()]

Responder = Annotated[Caller, Depends(require(Role.RESPONDER))]
User = Annotated[Caller, Depends(require(Role.USER))]
AtOffice = Annotated[Office, Depends(office_of)]
Paged = Annotated[Page, Depends(paging(default=50, cap=100))]
SourcesPaged = Annotated[Page, Depends(paging(default=50, cap=50))]
AlertIncludes = Annotated[frozenset[str], Depends(including("escalationRules", "nextEscalationUser"))]
OneIncludes = Annotated[frozenset[str], Depends(including("escalationRules", "nextEscalationUser", "customDetails"))]
LogIncludes = Annotated[frozenset[str], Depends(including("vars"))]

router: Final = APIRouter()


# -- alerts: reading


def wanted_of(
    office: AtOffice,
    caller: Responder,
    states: States = None,
    sources: Numbers = None,
    policies: Numbers = None,
    responders: Numbers = None,
    since: Annotated[AwareDatetime | None, Query(alias="from")] = None,
    until: Instant = None,
) -> Wanted:
    """The filter of lists and counts."""
    return Wanted(
        sight=office.sight(caller),
        states=tuple(states or ()),
        sources=tuple(sources or ()),
        policies=tuple(policies or ()),
        responders=tuple(responders or ()),
        since=since,
        until=until,
    )


Filter = Annotated[Wanted, Depends(wanted_of)]


@router.get("/api/alerts", summary="List alerts", response_model=list[AlertResource])
async def alerts(office: AtOffice, wanted: Filter, page: Paged, include: AlertIncludes) -> Response:
    rows = await office.read(lambda sql: reads.some_alerts(sql, wanted, page.start, page.size))
    return answer([_alert(office, row, include - {"escalationRules"}) for row in rows])


@router.get("/api/alerts/count", summary="Count alerts", response_model=CountResource)
async def count(office: AtOffice, wanted: Filter) -> Response:
    return answer(CountResource(count=await office.read(lambda sql: reads.count_alerts(sql, wanted))))


@router.get("/api/alerts/{alert}", summary="Get an alert", response_model=AlertResource)
async def alert(alert: Id, office: AtOffice, caller: Responder, include: OneIncludes) -> Response:
    return answer(_alert(office, await office.alert(alert, caller), include))


@router.get(
    "/api/alerts/{alert}/log-entries",
    summary="List what happened to an alert, and why",
    response_model=list[LogEntryResource],
)
async def log_entries(
    alert: Id, office: AtOffice, caller: Responder, page: Paged, include: LogIncludes, filters: Filters = None
) -> Response:
    """Newest first, as lists are; each with its reasons."""
    await office.alert(alert, caller)
    types = types_of(filters) if filters else None
    rows = await office.read(lambda sql: reads.timeline(sql, alert, types, page.start, page.size, newest_first=True))
    entries: list[LogEntryResource] = [
        shapes.log_entry(line, alert, with_vars="vars" in include)
        for line in story(((row.id, row.type, row.body) for row in rows), office.names)
    ]
    return answer(entries)


# -- alerts: what people do


@router.post("/api/alerts", summary="Open an alert by hand", response_model=AlertResource, status_code=201)
async def open_alert(body: ManualAlertBody, office: AtOffice, caller: Responder) -> Response:
    number = await office.alerts.open(body, actor_of(caller))
    row = await office.alert(number, caller)
    return answer(_alert(office, row), 201, location=f"{office.public_url}/api/alerts/{number}")


@router.put("/api/alerts/{alert}/accept", summary="Accept an alert", response_model=AlertResource)
async def accept(alert: Id, office: AtOffice, caller: Responder) -> Response:
    """Idempotent: who accepts what is accepted, or over, gets the alert as it stands."""
    await office.alert(alert, caller)
    await office.alerts.tell(alert, lambda unit: Accept(actor_of(caller), unit.at))
    return await _shown(office, alert, caller)


@router.put("/api/alerts/{alert}/resolve", summary="Resolve an alert", response_model=AlertResource)
async def resolve(alert: Id, office: AtOffice, caller: Responder) -> Response:
    await office.alert(alert, caller)
    await office.alerts.tell(alert, lambda unit: Resolve(actor_of(caller), unit.at))
    return await _shown(office, alert, caller)


@router.put(
    "/api/alerts/{alert}/assign",
    summary="Assign an alert to a user, a policy or a schedule",
    response_model=AlertResource,
)
async def assign(
    alert: Id,
    office: AtOffice,
    caller: Responder,
    user: Number | None = None,
    policy: Number | None = None,
    schedule: Number | None = None,
) -> Response:
    """To exactly one of a user, a policy and a schedule."""
    await office.alert(alert, caller)
    await _check_target(office, user, policy, schedule)
    by = actor_of(caller)
    await office.alerts.tell(alert, lambda unit: Assign(by, unit.at, user=user, policy=policy, schedule=schedule))
    return await _shown(office, alert, caller)


@router.put("/api/alerts/{alert}/escalate", summary="Escalate an alert at once", response_model=AlertResource)
async def escalate(
    alert: Id, office: AtOffice, caller: Responder, level: Annotated[int | None, Query(ge=0, le=1000)] = None
) -> Response:
    """An extension: to the next level, or to `level` (zero-based), at once."""
    await office.alert(alert, caller)
    await office.alerts.tell(alert, lambda unit: RequestEscalation(actor_of(caller), unit.at, level=level))
    return await _shown(office, alert, caller)


@router.get(
    "/api/alerts/{alert}/suggested-responders",
    summary="List whom an alert can be assigned to",
    response_model=list[SuggestionResource],
)
async def suggested_responders(alert: Id, office: AtOffice, caller: Responder) -> Response:
    """Whom the alert can be assigned to; those who respond already are marked as disabled."""
    row = await office.alert(alert, caller)
    here = {responder.user for responder in row.responders}
    people = [
        SuggestionResource(
            group="USER", id=person.user, name=office.names.user(person.user), disabled=person.user in here
        )
        for person in office.access.people()
        if person.role is not Role.STAKEHOLDER and office.access.may_see_user(caller, person.user)
    ]
    policies = [
        SuggestionResource(group="ESCALATION_POLICY", id=policy.policy, name=policy.name)
        for policy in office.beliefs.policies.policies.values()
        if office.access.may_see(caller, policy.teams)
    ]
    schedules = [
        SuggestionResource(group="ON_CALL_SCHEDULE", id=number, name=name)
        for number, name in office.beliefs.policies.schedules.items()
    ]
    return answer([*people, *policies, *schedules])


@router.post(
    "/api/alerts/{alert}/responders",
    summary="Ask one more person to respond to an alert",
    response_model=AnswererResource,
    status_code=201,
)
async def add_responder(alert: Id, body: NewResponderBody, office: AtOffice, caller: Responder) -> Response:
    """One more person is to be told; 405 (as published) when they respond already."""
    row = await office.alert(alert, caller)
    user = body.user.id if body.user else body.id
    if user is None:
        raise invalid("user: is required")
    if any(responder.user == user for responder in row.responders):
        raise ApiError(405, "ALREADY_RESPONDER", f"{office.names.user(user)} responds to this alert already")
    await office.beliefs.check_user(user)
    await office.alerts.tell(alert, lambda unit: RequestResponder(user, actor_of(caller), unit.at))
    return answer(AnswererResource(user=office.access.user_rel(user), status="PENDING"), 201)


@router.get("/api/alerts/{alert}/comments", summary="List an alert's comments", response_model=list[CommentResource])
async def comments(alert: Id, office: AtOffice, caller: Responder, page: Paged) -> Response:
    """An extension: the comments of an alert, oldest first."""
    await office.alert(alert, caller)
    rows = await office.read(lambda sql: reads.comments(sql, alert, page.start, page.size))
    return answer([_comment(office, row) for row in rows])


@router.post(
    "/api/alerts/{alert}/comments", summary="Comment on an alert", response_model=CommentResource, status_code=201
)
async def add_comment(alert: Id, body: CommentBody, office: AtOffice, caller: Responder) -> Response:
    """An extension: a comment by a person."""
    await office.alert(alert, caller)
    number = await office.alerts.comment(alert, body.content, actor_of(caller))
    row = await office.read(lambda sql: reads.one_comment(sql, number))
    assert row is not None, "it was projected in the transaction that decided it"
    return answer(_comment(office, row), 201)


# -- alert sources


@router.get("/api/alert-sources", summary="List alert sources", response_model=list[SourceResource])
async def sources(office: AtOffice, caller: Responder, page: SourcesPaged) -> Response:
    known = [source for source in await office.sources.all() if office.access.may_see(caller, source.teams)]
    return answer(await _sources(office, caller, list(page.of(known))))


@router.post("/api/alert-sources", summary="Create an alert source", response_model=SourceResource, status_code=201)
async def create_source(body: SourceBody, office: AtOffice, caller: User) -> Response:
    card = await office.sources.create(body)
    location = f"{office.public_url}/api/alert-sources/{card.source.source}"
    return answer(_source(office, card.source, card.key, None), 201, location=location)


@router.get("/api/alert-sources/name/{name}", summary="Get an alert source by its name", response_model=SourceResource)
async def source_by_name(name: str, office: AtOffice, caller: Responder) -> Response:
    known = [source for source in await office.sources.all() if office.access.may_see(caller, source.teams)]
    found = named(known, name, lambda source: source.name)
    if found is None:
        raise missing(f"There is no alert source named {name}")
    return answer((await _sources(office, caller, [found]))[0])


@router.get("/api/alert-sources/{source}", summary="Get an alert source", response_model=SourceResource)
async def source(source: str, office: AtOffice, caller: Responder) -> Response:
    """By id, or by integration key."""
    return answer((await _sources(office, caller, [await _sought(office, source, caller)]))[0])


@router.put("/api/alert-sources/{source}", summary="Replace an alert source", response_model=SourceResource)
async def change_source(source: Id, body: SourceBody, office: AtOffice, caller: User) -> Response:
    _only_owners(office, caller, await office.source(source, caller))
    card = await office.sources.change(source, body)
    return answer((await _sources(office, caller, [card.source]))[0])


@router.delete("/api/alert-sources/{source}", summary="Delete an alert source", status_code=204)
async def delete_source(source: Id, office: AtOffice, caller: User) -> Response:
    _only_owners(office, caller, await office.source(source, caller))
    await office.sources.delete(source)
    return no_content()


@router.get(
    "/api/alert-sources/{source}/events",
    summary="List what became of an alert source's last signals",
    response_model=list[FateResource],
)
async def source_events(source: Id, office: AtOffice, caller: Responder, page: Paged) -> Response:
    """An extension: what became of the source's last signals."""
    await office.source(source, caller)
    rows = await office.read(lambda sql: reads.fates(sql, source, page.start, page.size))
    return answer(
        [
            FateResource(
                signal=row.signal,
                outcome=row.outcome,
                alert_id=row.alert,
                text=row.text,
                received_at=row.received_at,
            )
            for row in rows
        ]
    )


# -- shapes


async def _shown(office: Office, alert: int, caller: Caller) -> Response:
    return answer(_alert(office, await office.alert(alert, caller)))


async def _check_target(office: Office, user: int | None, policy: int | None, schedule: int | None) -> None:
    if user is not None:
        await office.beliefs.check_user(user)
    if policy is not None:
        await office.beliefs.check_policy(policy)
    if schedule is not None:
        await office.beliefs.check_schedule(schedule)


def _alert(office: Office, row: AlertRow, include: frozenset[str] = frozenset()) -> AlertResource:
    access, names = office.access, office.names
    rules = shapes.rules_of(row, access.user_rel, names.schedule, access.team_rel)
    next_user = _next_user(row)
    return AlertResource(
        id=row.id,
        summary=row.summary,
        details=row.details or None,
        report_time=row.created_at,
        resolved_on=row.resolved_at,
        status=row.status,
        alert_source=SourceRel(id=row.source, name=row.source_name or None),
        escalation_policy=PolicyRel(id=row.policy, name=names.policy(row.policy)) if row.policy else None,
        priority=row.priority,
        severity=row.severity,
        alert_key=row.alert_key,
        assigned_to=access.user_rel(row.assigned_user) if row.assigned_user else None,
        next_escalation=row.next_at,
        next_escalation_rule_index=row.next_level,
        next_escalation_user=access.user_rel(next_user) if next_user and "nextEscalationUser" in include else None,
        escalation_rules=rules if "escalationRules" in include else None,
        images=row.images,
        links=row.links,
        labels=row.labels,
        custom_details=row.custom_details if "customDetails" in include else None,
        linked_incident_id=row.incident,
        responders=tuple(
            AnswererResource(
                user=access.user_rel(responder.user), status=responder.status, accepted_at=responder.accepted_at
            )
            for responder in row.responders
        ),
    )


def _next_user(row: AlertRow) -> int | None:
    """Whom the next level names directly; who is on call then is the escalator's to say."""
    if row.next_level is None or row.next_level >= len(row.levels):
        return None
    targets: list[dict[str, Any]] = row.levels[row.next_level].get("targets", [])
    return next((target["user"] for target in targets if target.get("user")), None)


def _comment(office: Office, row: CommentRow) -> CommentResource:
    by = Actor.model_validate(row.by)
    person = office.names.user(by.user) if by.user is not None else None
    return shapes.comment(row, row.creator or person or (office.names.source(by.source) if by.source else ""))


async def _sources(office: Office, caller: Caller, found: list[SourceChanged]) -> list[SourceResource]:
    states = await office.read(lambda sql: reads.source_states(sql, [source.source for source in found]))
    keys = await office.sources.keys_of([source for source in found if office.may_change(caller, source)])
    return [_source(office, source, keys.get(source.source), states.get(source.source)) for source in found]


def _source(office: Office, source: SourceChanged, key: str | None, open_alerts: str | None) -> SourceResource:
    return SourceResource(
        id=source.source,
        name=source.name,
        teams=shapes.with_teams(source.teams, office.access.team_rel),
        integration_type=source.integration_type,
        integration_key=key,
        integration_url=shapes.integration_url(office.public_url, source, key),
        escalation_policy=PolicyRel(id=source.policy, name=office.names.policy(source.policy))
        if source.policy
        else None,
        active=source.active,
        status=office.status_of(source, open_alerts),
        alert_creation=source.alert_creation,
        alert_priority_rule=source.priority_rule.value,
        auto_resolution_timeout=source.auto_resolution,
        severity=source.severity,
    )


async def _sought(office: Office, source: str, caller: Caller) -> SourceChanged:
    if source.isdecimal() and len(source) < 19:
        return await office.source(int(source), caller)
    found = await office.sources.by_key(source)
    if found is None or not office.access.may_see(caller, found.teams):
        raise missing("There is no alert source with this id or key")
    return found


def _only_owners(office: Office, caller: Caller, source: SourceChanged) -> None:
    if not office.may_change(caller, source):
        raise Refused(Refusal("FORBIDDEN", "This needs the role USER in a team of this alert source"))
