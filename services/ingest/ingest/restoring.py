"""After events were taken in from our topics: what only the worker's indexes knew of signals and of the last alert of a group.

Every signal that an event of ours names has had its end. After a restore that is how one is recognised which is read again,
and how a sender's repeat is: so all are remembered then, not only those that came with an id of the sender's.
"""

from collections.abc import Sequence

from events.envelope import Envelope
from events.ingest import (
    AlertAccepted,
    AlertAnswerNoted,
    AlertCommented,
    AlertCreated,
    AlertEvent,
    AlertRepeated,
    AlertResolved,
    SignalDropped,
)
from ingest import domain, intake, sources
from ingest.streams import ALERT, SOURCE
from ingest.worker import LAST, SENDER, sender_key
from runtime.unit import Unit

OfSignal = AlertCreated | AlertAccepted | AlertResolved | AlertCommented | AlertAnswerNoted


async def reindex(unit: Unit, restored: Sequence[Envelope]) -> None:
    """Sources were taken in before alerts (`runtime.restore`)."""
    events = [envelope.event for envelope in restored]
    alerts = {event.alert for event in events if isinstance(event, AlertEvent)}
    await unit.load(ALERT, alerts)
    for event in events:
        source = event.source if isinstance(event, SignalDropped) else _source_of(unit, event)
        if source is not None:
            unit.put(SENDER, {sender_key(source, signal): signal for signal in _signals(event)})
    await _know_last(unit, [event for event in events if isinstance(event, AlertCreated) and event.signal is not None])


async def _know_last(unit: Unit, created: Sequence[AlertCreated]) -> None:
    """By the source's mode as it is now: under another nobody looks it up."""
    known = await unit.peek(SOURCE, {event.source for event in created})
    groups = {event.alert: _group(known[SOURCE.stream(event.source)].state, event) for event in created}
    held = await unit.index(LAST, {group for group in groups.values() if group is not None})
    for alert, group in sorted(groups.items()):
        if group is not None and alert > int(held.get(group, 0)):
            unit.put(LAST, {group: str(alert)})


def _group(source: sources.State, event: AlertCreated) -> str | None:
    if not isinstance(source, sources.Present):
        return None
    return intake.group_by(source.source.alert_creation, event.source, event.summary)


def _source_of(unit: Unit, event: object) -> int | None:
    state = unit.state(ALERT, event.alert) if isinstance(event, AlertEvent) else None
    return state.source if isinstance(state, domain.Pending | domain.Resolved) else None


def _signals(event: object) -> tuple[str, ...]:
    match event:
        case AlertRepeated(signals=signals):
            return signals
        case SignalDropped(signal=signal):
            return (signal,)
        case _:
            return (event.signal,) if isinstance(event, OfSignal) and event.signal is not None else ()
