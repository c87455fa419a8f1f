"""The small indexes of configuration: every connector and alert action there is, and the actions of each alert source.

connectors   <id, padded>           -> name
configured   <id, padded>           -> name
actions      <source>/<action>      -> ""
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from connectors.domain.action import Configured
from connectors.streams import ACTION
from events.connectors import ActionConfigured, ActionRemoved, ConnectorChanged, ConnectorDeleted
from events.envelope import Envelope
from runtime.unit import Unit

CONNECTORS: Final = "connectors"
CONFIGURED: Final = "configured"
OF_SOURCE: Final = "actions"


def padded(number: int) -> str:
    """An id as a key whose order is the order of ids."""
    return f"{number:019}"


async def ids_in(unit: Unit, index: str) -> list[int]:
    """All ids in an index, ascending."""
    return [int(key) for key in await unit.scan(index, "")]


async def actions_of(unit: Unit, source: int) -> list[int]:
    """The alert actions of an alert source, by id."""
    keys = await unit.scan(OF_SOURCE, f"{source}/")
    return sorted(int(key.partition("/")[2]) for key in keys)


def assigned(action: int, before: Iterable[int], after: Iterable[int]) -> Mapping[str, str | None]:
    """The entries that change when an action is taken from these sources and given to those."""
    gone = {f"{source}/{action}": None for source in before}
    return {**gone, **{f"{source}/{action}": "" for source in after}}


async def reindex(unit: Unit, envelopes: Sequence[Envelope]) -> None:
    """Bring the indexes up to what these events say (after a restore)."""
    for envelope in envelopes:
        match envelope.event:
            case ConnectorChanged(connector=number, name=name):
                unit.put(CONNECTORS, {padded(number): name})
            case ConnectorDeleted(connector=number):
                unit.put(CONNECTORS, {padded(number): None})
            case ActionConfigured(action=number, name=name):
                unit.put(CONFIGURED, {padded(number): name})
            case ActionRemoved(action=number):
                unit.put(CONFIGURED, {padded(number): None})
            case _:
                pass
    await _assign(unit, [envelope.event for envelope in envelopes])


async def _assign(unit: Unit, events: Sequence[object]) -> None:
    """A backup may hold assignments that newer events took away: what the index has of an action is made anew."""
    changed = {event.action for event in events if isinstance(event, ActionConfigured | ActionRemoved)}
    if not changed:
        return
    stale = [key for key in await unit.scan(OF_SOURCE, "") if int(key.partition("/")[2]) in changed]
    unit.put(OF_SOURCE, dict.fromkeys(stale))
    known = await unit.peek(ACTION, changed)
    for action in changed:
        state = known[ACTION.stream(action)].state
        unit.put(OF_SOURCE, assigned(action, (), state.now.sources if isinstance(state, Configured) else ()))
