"""What the `ingest` service says: the signals of tools, the life of alerts, and the sources they come from."""

from enum import StrEnum
from typing import Any

from pydantic import AwareDatetime, Field

from events.core import Event
from events.shared import Actor, Image, Link, Priority


class SignalReceived(Event):
    """A tool spoke: its raw payload, with the source's id in place of the key. Private to ingest."""

    topic = "signals.v1"

    signal: str = Field(description="Id of the signal (UUID); derived from the sender's own id where it gave one.")
    source: int
    integration: str = Field(description="Which parser reads it: api, prometheus, pagerduty …")
    content_type: str = "application/json"
    headers: dict[str, str] = Field(default_factory=dict, description="Only those on the allow-list.")
    query: dict[str, str] = Field(default_factory=dict)
    body: str = Field(description="The payload as text; invalid UTF-8 is replaced.")
    sender_id: str | None = Field(default=None, description="The id by which the sender would repeat it, if any.")

    @property
    def stream(self) -> str:
        return f"signal-{self.signal}"

    @property
    def key(self) -> str:
        return f"source-{self.source}"


class AlertEvent(Event):
    topic = "alerts.v1"

    alert: int

    @property
    def stream(self) -> str:
        return f"alert-{self.alert}"


class AlertCreated(AlertEvent):
    """Something is wrong: an alert is open, PENDING, and somebody must be told."""

    source: int
    source_name: str = ""
    policy: int | None = Field(default=None, description="The escalation policy; none: nobody is asked by rule.")
    policy_reason: str = Field(default="", description="Why this policy: the source's, a routing key, chosen by hand …")
    priority: Priority = Priority.HIGH
    priority_reason: str = ""
    summary: str
    details: str = ""
    alert_key: str | None = None
    severity: int | None = None
    links: tuple[Link, ...] = ()
    images: tuple[Image, ...] = ()
    labels: dict[str, str] = Field(default_factory=dict)
    services: tuple[str, ...] = ()
    responders: tuple[int, ...] = Field(default=(), description="Chosen by hand: only they are told, no escalation.")
    teams: tuple[int, ...] = ()
    custom_details: dict[str, Any] | None = Field(
        default=None, description="What the tool gave besides, as it gave it."
    )
    auto_resolve_at: AwareDatetime | None = None
    signal: str | None = None
    received_at: AwareDatetime | None = None
    by: Actor


class AlertRepeated(AlertEvent):
    """The tool said it again while the alert was open; several repeats fold into one event."""

    count: int
    signals: tuple[str, ...] = ()
    summary: str = ""
    received_at: AwareDatetime


class AlertAccepted(AlertEvent):
    """Somebody takes care of it: escalation halts."""

    by: Actor
    signal: str | None = None
    notification: int | None = None


class AlertResolved(AlertEvent):
    """It is over, for good: a resolved alert is never opened again."""

    by: Actor
    reason: str = ""
    signal: str | None = None
    notification: int | None = None


class AlertCommented(AlertEvent):
    """Somebody or some tool left a note."""

    comment: int
    content: str
    creator: str = Field(default="", description="The author's name as a tool gave it; people are in `by`.")
    resolve_comment: bool = False
    by: Actor
    signal: str | None = None


class AlertAssigned(AlertEvent):
    """Somebody handed the alert to a user, a policy or a schedule; exactly one is named. It is PENDING again."""

    user: int | None = None
    policy: int | None = None
    schedule: int | None = None
    by: Actor


class AlertEscalationRequested(AlertEvent):
    """Somebody asked for the next level, or for `level` (zero-based), at once. It is PENDING again."""

    level: int | None = None
    by: Actor
    notification: int | None = None


class AlertResponderRequested(AlertEvent):
    """Somebody asked that this person be told as well."""

    user: int
    by: Actor


class AlertRerouteRefused(AlertEvent):
    """An alert action asked that another policy takes over, and that cannot be: `reason` says why."""

    run: int
    policy: int | None = None
    reason: str
    by: Actor


class AlertAnswerNoted(AlertEvent):
    """A person's answer changed nothing, and why: `ALREADY_ACCEPTED`, `ALREADY_RESOLVED`."""

    answer: str
    outcome: str
    by: Actor
    notification: int | None = None
    signal: str | None = None


class DropReason(StrEnum):
    """Why a signal became nothing."""

    NO_OPEN_ALERT = "NO_OPEN_ALERT"
    SOURCE_DISABLED = "SOURCE_DISABLED"
    SOURCE_DELETED = "SOURCE_DELETED"
    IN_MAINTENANCE = "IN_MAINTENANCE"
    DUPLICATE_SIGNAL = "DUPLICATE_SIGNAL"
    UNREADABLE = "UNREADABLE"
    NOTHING_IN_IT = "NOTHING_IN_IT"


class SignalDropped(Event):
    """A signal became no alert and changed none, and this is why."""

    topic = "alerts.v1"

    source: int
    signal: str
    reason: DropReason
    text: str = ""
    event_type: str = ""
    alert_key: str | None = None
    received_at: AwareDatetime

    @property
    def stream(self) -> str:
        return f"intake-{self.source}"


class PriorityRule(StrEnum):
    HIGH = "HIGH"
    LOW = "LOW"


class SourceChanged(Event):
    """An alert source as it is from now on; its key is in the vault, here are digest and mask."""

    topic = "sources.v1"

    source: int
    name: str
    integration_type: str = "API"
    key_digest: str = Field(description="SHA-256 of the integration key, hex.")
    key_cell: str
    key_mask: str = ""
    policy: int | None = None
    active: bool = True
    alert_creation: str = "ONE_ALERT_PER_EMAIL"
    priority_rule: PriorityRule = PriorityRule.HIGH
    auto_resolution: str | None = Field(default=None, description="ISO 8601 duration as given, e.g. PT10M.")
    severity: int | None = None
    teams: tuple[int, ...] = ()
    created: bool = False
    warnings: tuple[str, ...] = ()

    @property
    def stream(self) -> str:
        return f"source-{self.source}"


class SourceDeleted(Event):
    """The source is gone: its key opens nothing any more."""

    topic = "sources.v1"

    source: int

    @property
    def stream(self) -> str:
        return f"source-{self.source}"
