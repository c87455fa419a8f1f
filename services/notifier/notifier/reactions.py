"""Who must be told, in our own terms: in comes an event of `escalations`, out come people and demands."""

from collections.abc import Iterator

from events.core import Event
from events.escalator import EscalationLevelReached, EscalationResponderAdded, Responder
from notifier.domain.page import Demand


def demands(event: Event) -> Iterator[tuple[int, Demand]]:
    """Each person and the demand for them; nothing for events that ask for nobody."""
    match event:
        case EscalationLevelReached(level=level, responders=responders):
            for responder in responders:
                yield responder.user, _demand(event, responder, level)
        case EscalationResponderAdded(responder=responder):
            # Nobody's level: that it was asked on a version of its own keeps it apart from the climb's first.
            yield responder.user, _demand(event, responder, 0)
        case _:
            return


def _demand(event: EscalationLevelReached | EscalationResponderAdded, responder: Responder, level: int) -> Demand:
    return Demand(
        alert_version=event.alert_version,
        run=event.run,
        level=level,
        priority=event.priority,
        source=event.source,
        reason=responder.reason.text,
    )
