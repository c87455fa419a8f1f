"""Commands to alerts, together with what must change with them: in come a unit and a command, out comes what was decided.

The index `open` holds the alert of each key while it is open: `<source>/<folded key>` -> alert id. The state decides;
the index only finds.
"""

from collections.abc import Sequence

from events.core import Event, Outcome
from events.envelope import Envelope
from events.ingest import AlertCreated, AlertResolved
from ingest import domain
from ingest.intake import open_key
from ingest.streams import ALERT
from runtime.unit import NO_CAUSE, Cause, Unit

OPEN = "open"


async def command(unit: Unit, alert: int, asked: domain.Command, cause: Cause = NO_CAUSE) -> Outcome:
    """Lock the alert and tell it."""
    await unit.load(ALERT, [alert])
    return tell(unit, alert, asked, cause)


def tell(unit: Unit, alert: int, asked: domain.Command, cause: Cause = NO_CAUSE) -> Outcome:
    """Tell an alert that is loaded; one that ends leaves the index."""
    outcome = unit.decide(ALERT, alert, asked, cause)
    if isinstance(outcome, list) and any(isinstance(event, AlertResolved) for event in outcome):
        _leave(unit, alert)
    return outcome


def begin(unit: Unit, created: AlertCreated, cause: Cause = NO_CAUSE) -> Sequence[Event]:
    """A new alert under an id that was just drawn."""
    unit.fresh(ALERT, created.alert)
    outcome = unit.decide(ALERT, created.alert, domain.Open(created), cause)
    key = open_key(created.source, created.alert_key)
    if key is not None:
        unit.put(OPEN, {key: str(created.alert)})
    return outcome if isinstance(outcome, list) else []


def _leave(unit: Unit, alert: int) -> None:
    state = unit.state(ALERT, alert)
    key = open_key(state.source, state.alert_key) if isinstance(state, domain.Resolved) else None
    if key is not None:
        unit.put(OPEN, {key: None})


async def reindex(unit: Unit, restored: Sequence[Envelope]) -> None:
    """Restore the index from alerts that were taken in from their topic (in whatever order of partitions)."""
    changed = {
        envelope.event.alert for envelope in restored if isinstance(envelope.event, AlertCreated | AlertResolved)
    }
    await unit.load(ALERT, changed)
    states = [unit.state(ALERT, alert) for alert in changed]
    opened = {key: str(state.alert) for state in states if isinstance(state, domain.Pending) and (key := key_of(state))}
    over = {key: str(state.alert) for state in states if isinstance(state, domain.Resolved) and (key := key_of(state))}
    held = await unit.index(OPEN, over)
    unit.put(OPEN, {key: None for key, alert in over.items() if held.get(key) == alert})
    unit.put(OPEN, opened)


def key_of(state: domain.Pending | domain.Resolved) -> str | None:
    """Under what the index holds it while it is open; None for an alert without a key."""
    return open_key(state.source, state.alert_key)
