"""The kinds of streams that statuspage decides on, by name, topic and decider."""

from events.topics import STATUSPAGES
from runtime.streams import Kind
from statuspage.domain import maintenance, service, statuspage, subscriber, template

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

KINDS = (SERVICE, TEMPLATE, MAINTENANCE, STATUSPAGE, SUBSCRIBER)
