"""The kinds of streams that statuspage decides on, by name, topic and decider."""

from events.topics import INCIDENTS, STATUSPAGES
from runtime.streams import Kind
from statuspage.domain import (
    announcement,
    automation,
    incident,
    maintenance,
    service,
    statuspage,
    subscriber,
    subscription,
    template,
)

SERVICE: Kind[service.State, service.Command] = Kind("service", STATUSPAGES.name, service.service, service.State)
TEMPLATE: Kind[template.State, template.Command] = Kind("template", STATUSPAGES.name, template.template, template.State)
MAINTENANCE: Kind[maintenance.State, maintenance.Command] = Kind(
    "maintenance", STATUSPAGES.name, maintenance.maintenance, maintenance.State
)
STATUSPAGE: Kind[statuspage.State, statuspage.Command] = Kind(
    "statuspage", STATUSPAGES.name, statuspage.statuspage, statuspage.State
)
SUBSCRIBER: Kind[subscriber.State, subscriber.Command] = Kind(
    "subscriber", STATUSPAGES.name, subscriber.subscriber, subscriber.State
)
INCIDENT: Kind[incident.State, incident.Command] = Kind("incident", INCIDENTS.name, incident.incident, incident.State)
AUTOMATION: Kind[automation.State, automation.Command] = Kind(
    "automation", INCIDENTS.name, automation.automation, automation.State
)
ANNOUNCEMENT: Kind[announcement.State, announcement.Make] = Kind(
    "announcement", INCIDENTS.name, announcement.announcement, announcement.State
)
SUBSCRIPTION: Kind[subscription.State, subscription.Command] = Kind(
    "subscription", STATUSPAGES.name, subscription.subscription, subscription.State
)

KINDS = (
    SERVICE,
    TEMPLATE,
    MAINTENANCE,
    INCIDENT,
    AUTOMATION,
    ANNOUNCEMENT,
    SUBSCRIPTION,
    STATUSPAGE,
    SUBSCRIBER,
)
