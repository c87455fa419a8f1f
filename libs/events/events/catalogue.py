"""From an event's wire type to its class, and from a topic to the events that may appear in it."""

from functools import cache

from events import accounts, cells, connectors, escalator, ingest, machinery, notifier, positions, statuspage
from events.core import Event

MODULES = (accounts, ingest, escalator, notifier, connectors, statuspage, cells, machinery, positions)


@cache
def event_types() -> dict[str, type[Event]]:
    """Every published event class by its wire type."""
    return {
        value.wire_type(): value
        for module in MODULES
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, Event)
        and value.__module__ == module.__name__
        and _is_fact(value)
    }


def _is_fact(event: type[Event]) -> bool:
    """Abstract parents such as `AlertEvent` only share fields; they are never said."""
    return not event.__name__.endswith("Event") and not event.__name__.startswith("_")
