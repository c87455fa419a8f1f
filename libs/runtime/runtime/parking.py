"""What a reader has set aside, as events: each stream is told once, so that an alert is raised for it and only one.

Parking(streams) --Park--> Parking(with it) --Resume--> Parking(without it)
"""

from dataclasses import dataclass
from datetime import datetime

from events.core import Decider, Event
from events.machinery import StreamParked, StreamResumed
from events.topics import CONFIGURATION
from runtime.streams import Kind

LONGEST_ERROR = 2_000


@dataclass(frozen=True)
class Park:
    reader: str
    stream: str
    error: str
    at: datetime


@dataclass(frozen=True)
class Resume:
    reader: str
    stream: str
    at: datetime


@dataclass(frozen=True)
class Parking:
    """The streams that wait."""

    streams: tuple[str, ...] = ()


Command = Park | Resume


def decide(state: Parking, command: Command) -> list[Event]:
    match command:
        case Park(reader, stream, error, at) if stream not in state.streams:
            return [StreamParked(reader=reader, parked=stream, error=error[:LONGEST_ERROR], at=at)]
        case Resume(reader, stream, at) if stream in state.streams:
            return [StreamResumed(reader=reader, parked=stream, at=at)]
        case _:
            return []


def evolve(state: Parking, event: Event) -> Parking:
    match event:
        case StreamParked(parked=stream):
            return Parking((*state.streams, stream))
        case StreamResumed(parked=stream):
            return Parking(tuple(one for one in state.streams if one != stream))
        case _:
            return state


def kind_of(service: str) -> Kind[Parking, Command] | None:
    """The kind of stream in which this service says it; None for one without a configuration topic."""
    topic = CONFIGURATION.get(service)
    return Kind("parking", topic.name, Decider(Parking(), decide, evolve), Parking) if topic else None
