"""The kinds of streams that connectors decides on, by name, topic and decider."""

from connectors.domain import action, connector, runs
from events.topics import ACTIONS, CONNECTORS
from runtime.streams import Kind

CONNECTOR: Kind[connector.State, connector.Command] = Kind(
    "connector", CONNECTORS.name, connector.connector, connector.State
)
ACTION: Kind[action.State, action.Command] = Kind("action", CONNECTORS.name, action.action, action.State)
RUNS: Kind[runs.State, runs.Command] = Kind("actions", ACTIONS.name, runs.runs, runs.State)

KINDS = (CONNECTOR, ACTION, RUNS)
