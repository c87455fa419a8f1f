"""A toy service to try the machinery on: it hears comments on alerts and repeats each one as an escalation's end.

    Quiet --Hear(text)--> Echoing --Tick, a second after a text that begins with `later`--> Echoing

Foreign topic: `alerts.v1` (alert.commented). Own topic: `escalations.v1`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from events.core import Decider, Event
from events.envelope import Envelope, encode
from events.escalator import EscalationEnded, EscalationHalted
from events.ingest import AlertCommented
from events.shared import Actor
from events.topics import POSITIONS
from runtime.gate import GatePassed, GateTimedOut
from runtime.ports import Message
from runtime.records import Received
from runtime.streams import Kind
from runtime.ticks import Due
from runtime.unit import Cause, Unit

HEARD, SAID = "alerts.v1", "escalations.v1"
HEARD_LATER = "actions.v1"
"""What a newer version of the toy service hears as well."""
NOTED = POSITIONS["escalator"]
"""Where it notes its readers' positions, in tests that let it."""
TOPICS = frozenset({HEARD, HEARD_LATER, SAID, NOTED.name})
LATER = timedelta(seconds=1)


@dataclass(frozen=True)
class Hear:
    alert: int
    version: int
    text: str
    at: datetime


@dataclass(frozen=True)
class Tick:
    at: datetime
    gate_timed_out: bool = False


@dataclass(frozen=True)
class Quiet:
    pass


@dataclass(frozen=True)
class Echoing:
    alert: int
    heard: int
    due: datetime | None


State = Quiet | Echoing


def decide(state: State, command: Hear | Tick) -> list[Event]:
    match state, command:
        case _, Hear(alert, version, text, at):
            return [EscalationHalted(alert=alert, alert_version=version, reason=text, at=at)]
        case Echoing(alert, heard, due), Tick(at, timed_out) if due is not None and at >= due:
            reason = "time passed, blindly" if timed_out else "time passed"
            return [EscalationEnded(alert=alert, alert_version=heard, reason=reason, at=at)]
        case _:
            return []


def evolve(state: State, event: Event) -> State:
    match state, event:
        case _, EscalationHalted(alert=alert, reason=text, at=at):
            heard = state.heard if isinstance(state, Echoing) else 0
            due = at + LATER if text.startswith("later") else None
            return Echoing(alert, heard + 1, due)
        case Echoing(), EscalationEnded():
            return replace(state, due=None)
        case _:
            return state


def due_at(state: State) -> datetime | None:
    return state.due if isinstance(state, Echoing) else None


ECHO: Kind[State, Hear | Tick] = Kind("escalation", SAID, Decider(Quiet(), decide, evolve, due_at), State)


async def react(unit: Unit, batch: Sequence[Received]) -> None:
    """Every comment is heard; `poison` cannot be."""
    comments = [(received, event) for received in batch if isinstance(event := received.envelope.event, AlertCommented)]
    await unit.load(ECHO, {event.alert for _, event in comments})
    for received, event in comments:
        if event.content == "poison":
            raise ValueError("this comment cannot be heard")
        hear = Hear(event.alert, received.envelope.version, event.content, unit.at)
        unit.decide(ECHO, event.alert, hear, Cause.of(received.envelope))


async def tick(unit: Unit, due: Due, gate: GatePassed | GateTimedOut) -> None:
    for kind, number in due:
        unit.decide(kind, number, Tick(unit.at, isinstance(gate, GateTimedOut)))


def elsewhere(alert: int, version: int, text: str, at: datetime) -> Message:
    """A comment on an alert as another service would publish it, in the other topic, by a stream of its own."""
    event = AlertCommented(alert=alert, comment=version, content=text, by=Actor.by_user(7, "api"), at=at)
    return Message(HEARD_LATER, event.key, encode(Envelope(event, f"actions-{alert}", version, "connectors")))


def comment(alert: int, version: int, text: str, at: datetime) -> Message:
    """A foreign event as its service would publish it."""
    event = AlertCommented(alert=alert, comment=version, content=text, by=Actor.by_user(7, "api"), at=at)
    envelope = Envelope(event, event.stream, version, "ingest")
    return Message(HEARD, event.key, encode(envelope))
