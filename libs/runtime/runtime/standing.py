"""How far a group of readers has come, as the broker knows it: what its members told, and how many members there are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from runtime.ports import Place


@dataclass(frozen=True)
class Standing:
    """`reached` is the next offset by partition: all before it was handled, and what that led to is on the broker."""

    reached: Mapping[Place, int] = field(default_factory=dict)
    members: int = 0


@runtime_checkable
class Standings(Protocol):
    """A broker that can be asked."""

    async def standings(self, groups: Sequence[str]) -> dict[str, Standing]:
        """By group; one that nobody ever joined has no members and no positions. Raises `Unavailable`."""
        ...
