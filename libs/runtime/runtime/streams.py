"""A kind of stream: its name, the topic its events go to, its decider, and how its state is cached as bytes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Generic, TypeVar, get_args

from pydantic import TypeAdapter

from events.core import Decider

S = TypeVar("S")
C = TypeVar("C")


@dataclass(frozen=True)
class Kind(Generic[S, C]):
    """`states` is the union of the situations that a stream can be in; `state_rev` grows when their meaning changes."""

    name: str
    topic: str
    decider: Decider[S, C]
    states: Any
    state_rev: int = 1
    codec: "StateCodec" = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "codec", StateCodec(self.states))

    def stream(self, number: int | str) -> str:
        return f"{self.name}-{number}"


@dataclass(frozen=True)
class StateCodec:
    """State as bytes: `ClassName {json}`. The class is written down, so that situations with equal fields differ."""

    states: Any

    @cached_property
    def _adapters(self) -> Mapping[str, TypeAdapter[Any]]:
        situations = get_args(self.states) or (self.states,)
        return {situation.__name__: TypeAdapter(situation) for situation in situations}

    def dump(self, state: Any) -> bytes:
        name = type(state).__name__
        return name.encode() + b" " + self._adapters[name].dump_json(state)

    def load(self, body: bytes) -> Any:
        name, _, fields = body.partition(b" ")
        return self._adapters[name.decode()].validate_json(fields)
