"""The kinds of streams that connectors decides on, by name, topic and decider."""

from connectors.domain import action, connector
from events.topics import CONNECTORS
from runtime.streams import Kind

CONNECTOR: Kind[connector.State, connector.Command] = Kind(
    "connector", CONNECTORS.name, connector.connector, connector.State
)
ACTION: Kind[action.State, action.Command] = Kind("action", CONNECTORS.name, action.action, action.State)

KINDS = (CONNECTOR, ACTION)
