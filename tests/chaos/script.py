"""What is sent in a run: event number n comes in, its source and body come out; and what must become of each, and whom it tells.

Pure: the same mark and lanes give the same events.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, Final

SPREAD: Final = 1200
"""An alert is repeated within so many events: four seconds at 300 a second."""


class Kind(StrEnum):
    """What the alerts of a lane are for."""

    TOLD = "told"  # one person each; most events
    BEACON = "beacon"  # few enough for a mail of its own: event to mail is measured on these
    CLIMBING = "climbing"  # nobody answers: every level is reached, in order
    ANSWERED = "answered"  # accepted by a person soon after it came
    HOOKED = "hooked"  # a webhook is called too
    PASSING = "passing"  # the end of what never began: no alert, and a reason


@dataclass(frozen=True)
class Source:
    """An alert source: its id, its key, and who is told of its alerts at each level (addresses)."""

    id: int
    key: str
    levels: tuple[str, ...]
    kind: Kind
    routes: tuple[str, ...] = ()
    """Routing keys that its alerts name in turn; then `levels` is that of `routed`."""


@dataclass(frozen=True)
class Shot:
    """One event: `number` is its place in the run, `alert_key` whose alert it is."""

    number: int
    source: int
    kind: Kind
    alert_key: str
    body: Mapping[str, Any]


@dataclass(frozen=True)
class Script:
    """`weights`: how many of each cycle's events are of which kind; `repeats`: how many events a told alert gets."""

    mark: str
    sources: tuple[Source, ...]
    weights: tuple[tuple[Kind, int], ...]
    repeats: int = 1
    routed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def shot(self, number: int) -> Shot:
        """Event `number`; the kinds are spread evenly over the cycle."""
        kind = self._cycle[number % len(self._cycle)]
        meant = self._meant(number) if kind is Kind.TOLD else number
        source = self._source(kind, meant)
        alert_key = f"{self.mark}-{meant:06}"
        event_type = "RESOLVE" if kind is Kind.PASSING else "ALERT"
        body = {
            "integrationKey": source.key,
            "eventType": event_type,
            "summary": f"Chaos {alert_key}.",
            "alertKey": alert_key,
        }
        if source.routes:
            body["routingKey"] = self._route(source, meant)
        return Shot(number, source.id, kind, alert_key, body)

    def told(self, source: int, alert_key: str) -> tuple[str, ...]:
        """Who is told of this alert, level by level."""
        found = self._by_id[source]
        if found.routes:
            return self.routed[self._route(found, int(alert_key.rpartition("-")[2]))]
        return found.levels

    def kind(self, source: int) -> Kind:
        return self._by_id[source].kind

    def _meant(self, number: int) -> int:
        """The event that opened the alert which this one repeats; itself, where it opens one."""
        again = number % self.repeats
        back = self.repeats * (again * SPREAD // self.repeats**2)
        first = number - again - (back if back <= number - again else 0)
        opened = (place for place in range(first, number) if self._cycle[place % len(self._cycle)] is Kind.TOLD)
        return next(opened, number)

    def _source(self, kind: Kind, meant: int) -> Source:
        of_kind = self._of_kind[kind]
        return of_kind[self._ordinal(meant) % len(of_kind)]

    def _route(self, source: Source, meant: int) -> str:
        return source.routes[self._ordinal(meant) // len(self._of_kind[source.kind]) % len(source.routes)]

    def _ordinal(self, number: int) -> int:
        """How many of its kind came before, so that they take turns whatever the cycle."""
        rounds, place = divmod(number, len(self._cycle))
        if self.repeats > 1 and self._cycle[place] is Kind.TOLD:
            return number // self.repeats  # each of these opens one
        return rounds * dict(self.weights)[self._cycle[place]] + self._before[place]

    @cached_property
    def _cycle(self) -> Sequence[Kind]:
        return _spread(self.weights)

    @cached_property
    def _before(self) -> Sequence[int]:
        """How many of its kind come before each place of the cycle."""
        return [self._cycle[:place].count(kind) for place, kind in enumerate(self._cycle)]

    @cached_property
    def _by_id(self) -> Mapping[int, Source]:
        return {source.id: source for source in self.sources}

    @cached_property
    def _of_kind(self) -> Mapping[Kind, Sequence[Source]]:
        return {kind: [source for source in self.sources if source.kind is kind] for kind in Kind}


def _spread(weights: Sequence[tuple[Kind, int]]) -> Sequence[Kind]:
    """Each kind as often as it weighs, as evenly as can be."""
    total = sum(weight for _, weight in weights)
    places = sorted(((step + 0.5) * total / weight, kind.value) for kind, weight in weights for step in range(weight))
    return [Kind(kind) for _, kind in places]
