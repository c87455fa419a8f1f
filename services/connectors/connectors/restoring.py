"""After events were taken in from our topics: indexes and deliveries as if they had been decided here."""

from collections.abc import Sequence

from connectors import indexes
from connectors.domain.dossier import restored
from connectors.domain.runs import head_of, log_of
from connectors.running import delivery_of, keep_dossiers, read_dossiers
from connectors.sending import remember_issue
from connectors.streams import RUNS
from events.connectors import ActionQueued, ActionSucceeded, RunEvent
from events.envelope import Envelope
from runtime.unit import Unit


async def reindex(unit: Unit, envelopes: Sequence[Envelope]) -> None:
    """What is configured, what was told of which alert, whose issues they are, and which runs were under way."""
    await indexes.reindex(unit, envelopes)
    events = [envelope.event for envelope in envelopes if isinstance(envelope.event, RunEvent)]
    alerts = {event.alert for event in events}
    await unit.load(RUNS, alerts)
    await _believe(unit, [event for event in events if isinstance(event, ActionQueued)])
    await _know_issues(unit, [event for event in events if isinstance(event, ActionSucceeded)])
    for alert in sorted(alerts):
        _send_again(unit, alert)


async def _believe(unit: Unit, queued: Sequence[ActionQueued]) -> None:
    known = await read_dossiers(unit, {event.alert for event in queued})
    newest = {event.alert: restored(event.alert, event.picture) for event in queued}
    keep_dossiers(unit, (one for alert, one in newest.items() if not known[alert].known))


async def _know_issues(unit: Unit, made: Sequence[ActionSucceeded]) -> None:
    """The connector is not part of what succeeded: the stream knows what the action made, and over which."""
    for event in made:
        found = _made(unit, event)
        if event.type == "jira" and found is not None:
            remember_issue(unit, found[0], found[1], event.alert, event.action)


def _made(unit: Unit, event: ActionSucceeded) -> tuple[int | None, str] | None:
    made = log_of(unit.state(RUNS, event.alert)).made.get(event.action)
    return None if made is None else (made.connector, made.reference)


def _send_again(unit: Unit, alert: int) -> None:
    """A head of which nothing is known to have become anything goes (again, perhaps) under its own id."""
    head = head_of(unit.state(RUNS, alert))
    if head is not None and not head.run.is_dispatched:
        unit.settle([head.run.id])  # a backup may hold the row already; what is settled first is put in once
        unit.deliver(delivery_of(head.run, unit.at))
