"""What the `statuspage` service says: services and their state, incidents, maintenance, status pages, who is told."""

from enum import StrEnum
from typing import Any

from pydantic import AwareDatetime, Field

from events.core import Event, Value
from events.shared import Actor


class ServiceStatus(StrEnum):
    OPERATIONAL = "OPERATIONAL"
    UNDER_MAINTENANCE = "UNDER_MAINTENANCE"
    DEGRADED = "DEGRADED"
    PARTIAL_OUTAGE = "PARTIAL_OUTAGE"
    MAJOR_OUTAGE = "MAJOR_OUTAGE"


class IncidentStatus(StrEnum):
    INVESTIGATING = "INVESTIGATING"
    IDENTIFIED = "IDENTIFIED"
    MONITORING = "MONITORING"
    RESOLVED = "RESOLVED"


# -- services


class ServiceEvent(Event):
    topic = "statuspages.v1"

    service: int

    @property
    def stream(self) -> str:
        return f"service-{self.service}"


class ServiceChanged(ServiceEvent):
    """A service that users know, as it is described from now on. Its status has events of its own."""

    name: str
    alias: str | None = None
    description: str = ""
    one_open_incident_only: bool = False
    show_uptime_history: bool = True
    teams: tuple[int, ...] = ()
    created: bool = False


class ServiceStatusChanged(ServiceEvent):
    """From `since` on the service is in this state. Alone it tells nobody: only incidents do."""

    status: ServiceStatus
    before: ServiceStatus = ServiceStatus.OPERATIONAL
    since: AwareDatetime
    reason: str = Field(default="", description="As a sentence: by whom, by which incident, maintenance or alert.")
    incident: int | None = None
    maintenance: int | None = None
    alert: int | None = None
    by: Actor | None = None


class ServiceCause(Value):
    """What bears on a service's status; exactly one of the three is named."""

    status: ServiceStatus
    incident: int | None = None
    alert: int | None = None
    maintenance: int | None = None


class ServiceCausesChanged(ServiceEvent):
    """All that bears on the service's status from now on; `service.status_changed` follows when that shows."""

    manual: ServiceStatus = Field(description="What it is when nothing else bears on it: as people set it.")
    causes: tuple[ServiceCause, ...] = ()


class ServiceDeleted(ServiceEvent):
    """The service is gone, from pages and incidents too."""


# -- incident templates


class TemplateChanged(Event):
    """A prepared incident; its texts may hold placeholders like `{{alertSummary}}`."""

    topic = "statuspages.v1"

    template: int
    name: str
    summary: str
    status: IncidentStatus = IncidentStatus.INVESTIGATING
    message: str = ""
    send_notification: bool = False
    teams: tuple[int, ...] = ()
    created: bool = False

    @property
    def stream(self) -> str:
        return f"template-{self.template}"


class TemplateDeleted(Event):
    """The template is gone; actions that name it are refused with this reason."""

    topic = "statuspages.v1"

    template: int

    @property
    def stream(self) -> str:
        return f"template-{self.template}"


# -- maintenance


class MaintenanceEvent(Event):
    topic = "statuspages.v1"

    maintenance: int

    @property
    def stream(self) -> str:
        return f"maintenance-{self.maintenance}"


class MaintenanceChanged(MaintenanceEvent):
    """A time in which these sources raise no alerts and these services are under maintenance, as it is planned now."""

    summary: str
    description: str = ""
    timezone: str = "UTC"
    start: AwareDatetime
    end: AwareDatetime
    sources: tuple[int, ...] = ()
    services: tuple[int, ...] = ()
    at_creation: bool = False
    at_start: bool = False
    at_end: bool = False
    by: int | None = None
    created: bool = False


class MaintenanceStarted(MaintenanceEvent):
    """The window is open."""

    sources: tuple[int, ...] = ()
    services: tuple[int, ...] = ()


class MaintenanceEnded(MaintenanceEvent):
    """The window is over, or was closed early."""

    sources: tuple[int, ...] = ()
    services: tuple[int, ...] = ()


class MaintenanceDeleted(MaintenanceEvent):
    """It will not take place; what it silenced is heard again."""


# -- incidents


class Affected(Value):
    """A service and what an incident does to it."""

    service: int
    impact: ServiceStatus


class IncidentEvent(Event):
    topic = "incidents.v1"

    incident: int

    @property
    def stream(self) -> str:
        return f"incident-{self.incident}"


class IncidentCreated(IncidentEvent):
    """Users are affected, and are told so."""

    summary: str
    status: IncidentStatus = IncidentStatus.INVESTIGATING
    message: str = ""
    affected: tuple[Affected, ...] = ()
    send_notification: bool = False
    teams: tuple[int, ...] = ()
    alert: int | None = Field(default=None, description="The alert that it was opened from.")
    action: int | None = Field(default=None, description="The alert action that opened it.")
    template: int | None = None
    began_at: AwareDatetime = Field(description="When it began for users; may lie in the past.")
    said_at: AwareDatetime | None = Field(default=None, description="When this was said, where it was recorded later.")
    by: Actor


class IncidentUpdated(IncidentEvent):
    """One more word on it: the incident as it stands from now on."""

    update: int
    summary: str
    status: IncidentStatus
    message: str = ""
    affected: tuple[Affected, ...] = ()
    send_notification: bool = False
    said_at: AwareDatetime
    by: Actor


class IncidentLinked(IncidentEvent):
    """This alert belongs to it; with `action` the alert's action holds it open until the alert is over."""

    alert: int
    action: int | None = None
    by: Actor


class IncidentUnlinked(IncidentEvent):
    """This alert does not belong to it after all."""

    alert: int
    by: Actor


class IncidentReleased(IncidentEvent):
    """The alert's action holds it open no more; the alert stays linked."""

    alert: int
    action: int
    by: Actor


# -- what connectors dispatched


class AutomationEvent(Event):
    topic = "incidents.v1"

    alert: int
    run: int
    action: int

    @property
    def stream(self) -> str:
        return f"automation-{self.alert}"

    @property
    def key(self) -> str:
        return f"alert-{self.alert}"


class AutomationApplied(AutomationEvent):
    """What `action.dispatched` asked for was done: services have their status, an incident was opened or closed."""

    services: tuple[int, ...] = ()
    service_status: ServiceStatus | None = None
    incident: int | None = None
    resolved: bool = False
    text: str = ""


class AutomationRefused(AutomationEvent):
    """What `action.dispatched` asked for cannot be done, and why."""

    reason: str


# -- telling people


class Occasion(StrEnum):
    INCIDENT_CREATED = "INCIDENT_CREATED"
    INCIDENT_UPDATED = "INCIDENT_UPDATED"
    INCIDENT_RESOLVED = "INCIDENT_RESOLVED"
    MAINTENANCE_PLANNED = "MAINTENANCE_PLANNED"
    MAINTENANCE_STARTED = "MAINTENANCE_STARTED"
    MAINTENANCE_ENDED = "MAINTENANCE_ENDED"


class Told(Value):
    """One user to be told, and by which subscription, as a sentence."""

    user: int
    reason: str = ""


class AnnouncementMade(Event):
    """These users are to be told of it, each by their own subscription preferences."""

    topic = "incidents.v1"

    announcement: int
    occasion: Occasion
    incident: int | None = None
    maintenance: int | None = None
    users: tuple[Told, ...]
    title: str
    message: str = ""
    status: str = ""
    services: tuple[str, ...] = Field(default=(), description="As lines for people: `Checkout: Major outage`.")
    path: str = Field(default="", description="Where a signed-in user reads on, e.g. `/incidents/7`.")
    pages: tuple[str, ...] = Field(default=(), description="Addresses of public pages that show it.")

    @property
    def stream(self) -> str:
        return f"announcement-{self.announcement}"

    @property
    def key(self) -> str:
        return f"incident-{self.incident}" if self.incident else f"maintenance-{self.maintenance}"


# -- subscriptions of users


class Subject(StrEnum):
    INCIDENT = "INCIDENT"
    SERVICE = "SERVICE"
    STATUS_PAGE = "STATUS_PAGE"


class SubscriptionEvent(Event):
    topic = "statuspages.v1"

    subject: Subject
    number: int = Field(description="The id of the incident, service or page.")

    @property
    def stream(self) -> str:
        return f"subscription-{self.subject.value.lower()}-{self.number}"


class SubscriptionAdded(SubscriptionEvent):
    """A user, or everybody in a team, hears of it from now on; exactly one is named."""

    user: int | None = None
    team: int | None = None
    by: int | None = None


class SubscriptionRemoved(SubscriptionEvent):
    """A user or a team hears of it no more. A user's own leaving beats their teams' subscriptions."""

    user: int | None = None
    team: int | None = None
    left: bool = Field(default=False, description="The user left by their own wish.")
    by: int | None = None


# -- status pages


class StatuspageEvent(Event):
    topic = "statuspages.v1"

    page: int

    @property
    def stream(self) -> str:
        return f"statuspage-{self.page}"


class PageLeaf(Value):
    """A service inside a group."""

    id: int
    options: tuple[str, ...] = ()


class PageElement(Value):
    """A service, or a group of services, in the order of the page."""

    id: int
    type: str = Field(description="SERVICE or GROUP")
    options: tuple[str, ...] = Field(default=(), description="`expand` for a group, `no-graph` for a service.")
    children: tuple[PageLeaf, ...] = ()


class PageGroup(Value):
    id: int
    name: str


class StatuspageChanged(StatuspageEvent):
    """A page for users as it is from now on."""

    name: str
    subdomain: str
    domain: str | None = None
    timezone: str = "UTC"
    visibility: str = Field(default="PUBLIC", description="PUBLIC or PRIVATE; fixed once activated.")
    activated: bool = False
    services: tuple[int, ...] = ()
    groups: tuple[PageGroup, ...] = ()
    elements: tuple[PageElement, ...] = ()
    layout: str = Field(default="SINGLE_COLUMN", description="SINGLE_COLUMN or RESPONSIVE")
    appearance: str = Field(default="LIGHT", description="LIGHT or DARK")
    settings: dict[str, Any] = Field(
        default_factory=dict, description="Texts, links and switches of the published shape: pageTitle, logoUrl …"
    )
    announcement: str = ""
    announcement_on_page: bool = False
    teams: tuple[int, ...] = ()
    created: bool = False
    group: int | None = Field(default=None, description="The group that this change was about.")


class StatuspageDeleted(StatuspageEvent):
    """The page is gone: its address answers 404, and its subscribers are forgotten."""


# -- public subscribers: addresses are in the vault


class SubscriberEvent(Event):
    topic = "statuspages.v1"

    subscriber: int
    page: int

    @property
    def stream(self) -> str:
        return f"subscriber-{self.subscriber}"


class SubscriberAsked(SubscriberEvent):
    """Somebody wants to hear of this page; they are asked by mail whether it was them."""

    cell: str
    mask: str = ""
    locale: str = "en-GB"
    services: tuple[int, ...] = Field(default=(), description="Only these; none: everything on the page.")
    imported: bool = Field(default=False, description="Confirmed elsewhere: nothing is asked.")
    mail: int | None = Field(default=None, description="The number of the mail that asks them.")


class SubscriberReminded(SubscriberEvent):
    """The mail with their link goes once more: a day passed without an answer (`by_time`), or they asked again."""

    mail: int
    by_time: bool = False


class SubscriberConfirmed(SubscriberEvent):
    """It was them: they are told from now on."""


class SubscriberChanged(SubscriberEvent):
    """They want to hear of these services only; none: of everything on the page."""

    services: tuple[int, ...] = ()


class SubscriberLeft(SubscriberEvent):
    """They want to hear no more, never confirmed, or were removed; the address is erased."""

    reason: str = ""


class SubscriberMailed(SubscriberEvent):
    """A mail to them was taken by the other side, or refused for good (`error`)."""

    mail: int
    occasion: str = ""
    incident: int | None = None
    maintenance: int | None = None
    error: str = ""
