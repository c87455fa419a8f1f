"""The JSON of alerts and alert sources: bodies are checked on the way in, pictures become resources on the way out."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from events.ingest import PriorityRule, SourceChanged
from events.shared import Priority
from ingest.canonical import MAX_DETAILS, MAX_SUMMARY
from ingest.intake import AUTO_RESOLUTIONS, Grouping
from ingest.reads import AlertRow, CommentRow
from ingest.timeline import Entry
from runtime.resources import Body, Ref, Resource, TeamRel, UserRel

NOT_YET = "is not carried out here yet"


def _told(text: str) -> str:
    if not text.strip():
        raise PydanticCustomError("blank", "must not be blank")
    return text.strip()


def _one_of(known: tuple[str, ...]) -> Callable[[str], str]:
    def check(value: str) -> str:
        if value not in known:
            raise PydanticCustomError("one_of", "must be one of {known}", {"known": ", ".join(known)})
        return value

    return check


Words = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_told)]
Mode = Annotated[str, AfterValidator(_one_of(Grouping.ALL))]
Timeout = Annotated[str, AfterValidator(_one_of(tuple(AUTO_RESOLUTIONS)))]
Rule = Annotated[str, AfterValidator(_one_of(tuple(rule.value for rule in PriorityRule)))]
Href = Annotated[str, Field(max_length=2_000)]


class LinkBody(Body):
    href: Href
    text: str | None = None


class ImageBody(Body):
    src: Href
    href: str | None = None
    alt: str | None = None


class ResponderBody(Body):
    user: Ref


class ManualAlertBody(Body):
    """An alert that a person opens. With `responders` only they are told, and nothing escalates."""

    summary: Annotated[str, Field(max_length=MAX_SUMMARY), AfterValidator(_told)]
    details: Annotated[str, Field(max_length=MAX_DETAILS)] | None = None
    alert_source: Ref
    escalation_policy: Ref | None = None
    priority: Priority | None = None
    severity: Annotated[int, Field(ge=1, le=5)] | None = None
    responders: tuple[ResponderBody, ...] = ()
    assigned_to: Ref | None = None
    links: tuple[LinkBody, ...] = ()
    images: tuple[ImageBody, ...] = ()
    labels: dict[str, str] = Field(default_factory=dict)


class NewResponderBody(Body):
    """Whom to tell as well: `{"user": {"id": 7}}`, or the entry of suggested-responders that was chosen."""

    user: Ref | None = None
    id: int | None = None


class CommentBody(Body):
    content: Annotated[str, Field(max_length=MAX_DETAILS), AfterValidator(_told)]


class SourceBody(Body):
    """A whole alert source. What is left out gets its default: PUT replaces."""

    name: Words
    integration_type: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{1,39}$")]
    escalation_policy: Ref
    active: bool = True
    alert_creation: Mode = Grouping.EACH
    alert_priority_rule: Rule = PriorityRule.HIGH.value
    auto_resolution_timeout: Timeout | None = None
    severity: Annotated[int, Field(ge=1, le=5)] | None = None
    teams: tuple[Ref, ...] = ()


class PolicyRel(Resource):
    id: int
    name: str | None = None


class SourceRel(Resource):
    id: int
    name: str | None = None


class AnswererResource(Resource):
    user: UserRel
    status: str
    accepted_at: datetime | None = None


class RuleTargets(Resource):
    """One level of an alert's own escalation."""

    escalation_timeout: int
    users: tuple[UserRel, ...]
    schedules: tuple[PolicyRel, ...]
    teams: tuple[TeamRel, ...]


class AlertResource(Resource):
    id: int
    summary: str
    details: str | None = None
    report_time: datetime
    resolved_on: datetime | None = None
    status: str
    alert_source: SourceRel
    escalation_policy: PolicyRel | None = None
    priority: str
    severity: int | None = None
    alert_key: str | None = None
    assigned_to: UserRel | None = None
    next_escalation: datetime | None = None
    next_escalation_rule_index: int | None = None
    next_escalation_user: UserRel | None = None
    escalation_rules: tuple[RuleTargets, ...] | None = None
    images: list[dict[str, str]]
    links: list[dict[str, str]]
    labels: dict[str, str]
    custom_details: dict[str, Any] | None = None
    responders: tuple[AnswererResource, ...]
    linked_incident_id: int | None = None
    merge_state: str = "NONE"


class CommentResource(Resource):
    id: int
    content: str
    creator: str
    trigger_type: str
    resolve_comment: bool
    created: datetime
    updated: datetime


class LogEntryResource(Resource):
    id: int
    timestamp: datetime
    log_entry_type: str
    text: str
    reasons: tuple[str, ...]
    alert_id: int
    filter_types: tuple[str, ...]
    vars: dict[str, str] | None = None


class CountResource(Resource):
    count: int


class SuggestionResource(Resource):
    group: str
    id: int
    name: str
    disabled: bool = False


class SourceResource(Resource):
    id: int
    name: str
    teams: tuple[TeamRel, ...]
    integration_type: str
    integration_key: str | None = None
    integration_url: str | None = None
    escalation_policy: PolicyRel | None = None
    active: bool
    status: str
    alert_creation: str
    alert_priority_rule: str
    auto_resolution_timeout: str | None = None
    severity: int | None = None


class FateResource(Resource):
    """What became of one signal (extension: the published API has no event log)."""

    signal: str
    outcome: str
    alert_id: int | None = None
    text: str
    received_at: datetime


def log_entry(entry: Entry, alert: int, *, with_vars: bool) -> LogEntryResource:
    return LogEntryResource(
        id=entry.id,
        timestamp=entry.at,
        log_entry_type=entry.entry_type,
        text=entry.sentence,
        reasons=entry.reasons,
        alert_id=alert,
        filter_types=entry.filters,
        vars=entry.vars if with_vars else None,
    )


def comment(row: CommentRow, creator: str) -> CommentResource:
    return CommentResource(
        id=row.id,
        content=row.content,
        creator=creator,
        trigger_type=str(row.by.get("type", "SYSTEM")),
        resolve_comment=row.resolves,
        created=row.created_at,
        updated=row.created_at,
    )


def integration_url(public_url: str, source: SourceChanged, key: str | None) -> str | None:
    """Where the tool posts."""
    if source.integration_type == "PROMETHEUS":
        return f"{public_url}/api/v1/events/prometheus/{key}" if key else None
    return f"{public_url}/api/events"


def with_teams(teams: tuple[int, ...], rel: Callable[[int], TeamRel]) -> tuple[TeamRel, ...]:
    return tuple(rel(team) for team in teams)


def rules_of(
    row: AlertRow, user: Callable[[int], UserRel], schedule: Callable[[int], str], team: Callable[[int], TeamRel]
) -> tuple[RuleTargets, ...]:
    return tuple(_rule(level, user, schedule, team) for level in row.levels)


def _rule(
    level: dict[str, Any],
    user: Callable[[int], UserRel],
    schedule: Callable[[int], str],
    team: Callable[[int], TeamRel],
) -> RuleTargets:
    targets = level.get("targets", [])
    return RuleTargets(
        escalation_timeout=level.get("timeout_min", 0),
        users=tuple(user(target["user"]) for target in targets if target.get("user")),
        schedules=tuple(
            PolicyRel(id=target["schedule"], name=schedule(target["schedule"]))
            for target in targets
            if target.get("schedule")
        ),
        teams=tuple(team(target["team"]) for target in targets if target.get("team")),
    )
