"""What the `connectors` service says: the tools it can reach, what they are to be told, and what became of it."""

from enum import StrEnum
from typing import Any

from pydantic import AwareDatetime, Field

from events.core import Event, Value
from events.shared import Actor, Link, Priority

# -- configuration


class ConnectorEvent(Event):
    topic = "connectors.v1"

    connector: int

    @property
    def stream(self) -> str:
        return f"connector-{self.connector}"


class ConnectorChanged(ConnectorEvent):
    """The credentials of an outside tool as they are from now on; secrets are in the vault `cell`."""

    name: str
    type: str = Field(description="jira, slack … as the published API names it; it never changes.")
    params: dict[str, Any] = Field(default_factory=dict, description="What is no secret: addresses, names of accounts.")
    cell: str | None = Field(default=None, description="Where the secret parameters are sealed.")
    created: bool = False


class ConnectorDeleted(ConnectorEvent):
    """The tool is not reached any more; actions that name it fail with this reason."""


class TriggerMode(StrEnum):
    AUTOMATIC = "AUTOMATIC"
    MANUAL = "MANUAL"


class ActionConfigured(Event):
    """An alert action as it is from now on: what is done when alerts of these sources reach a trigger."""

    topic = "connectors.v1"

    action: int
    name: str
    type: str = Field(description="webhook, jira, slack, email, reroute, automation_rule …; it never changes.")
    connector: int | None = None
    mode: TriggerMode = TriggerMode.AUTOMATIC
    triggers: tuple[str, ...] = Field(default=(), description="alert-created, alert-acknowledged …, as published.")
    sources: tuple[int, ...] = ()
    teams: tuple[int, ...] = ()
    params: dict[str, Any] = Field(default_factory=dict, description="By type, as published, without secrets.")
    cell: str | None = Field(default=None, description="Where the secret parameters are sealed.")
    conditions: str | None = None
    escalation_ended_delay_s: int = 0
    not_resolved_delay_s: int = 0
    created: bool = False

    @property
    def stream(self) -> str:
        return f"action-{self.action}"


class ActionRemoved(Event):
    """The alert action is gone; what it began is finished."""

    topic = "connectors.v1"

    action: int

    @property
    def stream(self) -> str:
        return f"action-{self.action}"


# -- runs: everything about one alert is one stream, so that its actions run in order


class RunEvent(Event):
    topic = "actions.v1"

    alert: int

    @property
    def stream(self) -> str:
        return f"actions-{self.alert}"

    @property
    def key(self) -> str:
        return f"alert-{self.alert}"


class AlertPicture(Value):
    """The alert as it stood at the trigger: what the other tool is told, however late it can be reached."""

    summary: str = ""
    details: str = ""
    status: str = Field(default="PENDING", description="PENDING, ACCEPTED or RESOLVED")
    priority: Priority = Priority.HIGH
    severity: int | None = None
    alert_key: str | None = None
    source: int | None = None
    source_name: str = ""
    policy: int | None = None
    policy_name: str = ""
    assignee: int | None = Field(default=None, description="The user who accepted it, or to whom it was handed.")
    links: tuple[Link, ...] = ()
    labels: dict[str, str] = Field(default_factory=dict)
    reported_at: AwareDatetime | None = None


class ActionPlanned(RunEvent):
    """A trigger that needs patience was met: at `due_at` the action is queued, or skipped with a reason."""

    action: int
    name: str = ""
    trigger: str
    trigger_id: str
    due_at: AwareDatetime


class ActionQueued(RunEvent):
    """An action is to run because of this trigger; it runs when those before it have ended."""

    run: int
    action: int
    name: str = ""
    type: str
    connector: int | None = None
    trigger: str = Field(description="alert-created …, or `manual`.")
    trigger_id: str = Field(
        description="The event that triggered it, `alert-42@1`; with action and trigger it is unique."
    )
    picture: AlertPicture = Field(default=AlertPicture(), description="Of the alert, as it stood.")
    params: dict[str, Any] = Field(default_factory=dict, description="Of the action, as they stood.")
    cell: str | None = None
    by: Actor | None = Field(default=None, description="Who pressed the button, for a manual run.")


class ActionSkipped(RunEvent):
    """An action was not run although its trigger was met, and this is why."""

    action: int
    name: str = ""
    trigger: str
    trigger_id: str
    reason: str


class ActionDispatched(RunEvent):
    """Another service is asked to act, by the event with this one as its cause: `reroute`, `automation_rule`."""

    run: int
    action: int
    name: str = ""
    type: str
    trigger: str = ""
    policy: int | None = Field(default=None, description="`reroute`: the escalation policy that takes over.")
    services: tuple[int, ...] = Field(default=(), description="`automation_rule`: the services it is about.")
    service_status: str | None = Field(default=None, description="`automation_rule`: what they become.")
    template: int | None = Field(default=None, description="`automation_rule`: the template of the incident to open.")
    resolve: bool = Field(default=False, description="`automation_rule`: close what this action opened for the alert.")
    send_notification: bool = False
    facts: dict[str, str] = Field(
        default_factory=dict, description="Of the alert, for placeholders: alertSummary, alertSourceName …"
    )


class ActionDeferred(RunEvent):
    """An attempt came to nothing that is final; the next one is at `next_at`."""

    run: int
    attempt: int
    error: str
    next_at: AwareDatetime


class ActionSucceeded(RunEvent):
    """The other side did it."""

    run: int
    action: int
    name: str = ""
    type: str = ""
    trigger: str = ""
    attempt: int = 1
    text: str = Field(default="", description="The result in a sentence, or the other side's words.")
    link: str | None = Field(default=None, description="Where the result is seen, e.g. the ticket.")
    reference: str | None = Field(
        default=None, description="The other side's id: a ticket's key, a message's timestamp."
    )


class ActionFailed(RunEvent):
    """The other side did not do it, and never will: its own words."""

    run: int
    action: int
    name: str = ""
    type: str = ""
    trigger: str = ""
    attempt: int = 1
    error: str


class ActionAnswer(StrEnum):
    ACCEPT = "ACCEPT"
    ESCALATE = "ESCALATE"
    RESOLVE = "RESOLVE"


class ActionAnswered(RunEvent):
    """Somebody answered in the other tool; what it means is the alert's owner's to decide."""

    answer: ActionAnswer
    action: int | None = None
    channel: str = Field(description="jira, slack …")
    user: int | None = Field(default=None, description="Our person, where the other tool's could be told apart.")
    who: str = Field(default="", description="The name as the other tool shows it.")
