"""The language's core: what an event is, and how the behaviour of one kind of stream is written down.

An event is a fact in the past tense. A decider is three pure functions: `decide` turns a command into events,
`evolve` turns an event into the next state, `due_at` says when time itself will have something to decide.
"""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cache, reduce
from typing import ClassVar, Generic, TypeVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

S = TypeVar("S")
C = TypeVar("C")


class Value(BaseModel):
    """A part of an event: immutable, and open to fields that a newer writer may add."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Event(Value):
    """A fact: past tense, immutable, complete in itself."""

    topic: ClassVar[str] = ""

    at: AwareDatetime = Field(description="When it was decided, by the deciding service's clock.")

    @property
    def stream(self) -> str:
        """The stream that this event belongs to, `<kind>-<id>`."""
        raise NotImplementedError(type(self).__name__)

    @property
    def key(self) -> str:
        """The key of its Kafka message: what must stay in order together."""
        return self.stream

    @classmethod
    def wire_type(cls) -> str:
        """`AlertCreated` is `alert.created` on the wire, `EscalationLevelReached` is `escalation.level_reached`."""
        return _in_words(cls.__name__)


@cache
def _in_words(name: str) -> str:
    """Asked of every event several times on its way: there are few names."""
    noun, *verb = re.findall(r"[A-Z][a-z0-9]*", name)
    return f"{noun.lower()}.{'_'.join(word.lower() for word in verb)}"


def never(_state: object) -> datetime | None:
    """The `due_at` of streams that wait for nothing."""
    return None


@dataclass(frozen=True)
class Refusal:
    """A command that is not carried out, and why: `code` for programs, `message` for people."""

    code: str
    message: str


Outcome = list[Event] | Refusal


@dataclass(frozen=True)
class Decider(Generic[S, C]):
    """The whole behaviour of one kind of stream, as three pure functions."""

    initial: S
    decide: Callable[[S, C], Outcome]
    evolve: Callable[[S, Event], S]
    due_at: Callable[[S], datetime | None] = never

    def fold(self, events: Iterable[Event], state: S | None = None) -> S:
        """The state after `events`, from the beginning or from `state`."""
        return reduce(self.evolve, events, self.initial if state is None else state)
