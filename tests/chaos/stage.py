"""The people, policies and sources of a run, made through the API; a script that uses them comes out."""

from collections.abc import Iterator
from dataclasses import dataclass

from tests.chaos.script import Kind, Script, Source
from tests.e2e.suite import Suite

PATIENCE_MIN = 500
"""Nobody is asked a second time within a run."""


@dataclass(frozen=True)
class Cast:
    """How many sources of each kind; with `routes`, told sources share as many policies, which their events name in turn."""

    told: int
    beacons: int
    climbing: int
    answered: int
    hooked: int
    routes: int = 0
    step_min: int = 10
    """How long a level has, where there are several."""


@dataclass
class Stage:
    suite: Suite
    mark: str
    hook_url: str

    def script(self, cast: Cast, weights: tuple[tuple[Kind, int], ...], repeats: int) -> Script:
        routed = {f"{self.mark}-r{number}": (self._address("r", number, 0),) for number in range(cast.routes)}
        for number, key in enumerate(routed):
            self._policy("r", number, 1, PATIENCE_MIN, routingKey=key)
        return Script(self.mark, tuple(self._sources(cast, tuple(routed))), weights, repeats, routed)

    def _sources(self, cast: Cast, routes: tuple[str, ...]) -> Iterator[Source]:
        shared = self._policy("all", 0, 1, PATIENCE_MIN) if routes else None
        for number in range(cast.told):
            yield self._source(Kind.TOLD, number, 1, PATIENCE_MIN, routes, shared)
        for number in range(cast.beacons):
            yield self._source(Kind.BEACON, number, 1, PATIENCE_MIN)
        for number in range(cast.climbing):
            yield self._source(Kind.CLIMBING, number, 3, cast.step_min)
        for number in range(cast.answered):
            yield self._source(Kind.ANSWERED, number, 2, cast.step_min)
        for number in range(cast.hooked):
            yield self._hooked(self._source(Kind.HOOKED, number, 1, PATIENCE_MIN))
        yield self._source(Kind.PASSING, 0, 1, PATIENCE_MIN)

    def _source(
        self,
        kind: Kind,
        number: int,
        levels: int,
        step_min: int,
        routes: tuple[str, ...] = (),
        policy: int | None = None,
    ) -> Source:
        policy = policy or self._policy(kind, number, levels, step_min)
        made = self.suite.source(f"{self.mark} {kind} {number}", policy)
        people = tuple(self._address(kind, number, level) for level in range(levels))
        return Source(made["id"], made["integrationKey"], people, kind, routes)

    def _hooked(self, source: Source) -> Source:
        body = {
            "name": f"{self.mark} calls",
            "connectorType": "webhook",
            "alertSources": [{"id": source.id}],
            "params": {"webhookUrl": f"{self.hook_url}/chaos"},
            "triggerTypes": ["alert-created"],
        }
        self.suite.create("/api/alert-actions", body)
        return source

    def _policy(self, what: str, number: int, levels: int, step_min: int, **more: str) -> int:
        rules = [
            {"users": [{"id": self.suite.user(self._name(what, number, level))["id"]}], "escalationTimeout": step_min}
            for level in range(levels)
        ]
        made: int = self.suite.policy(f"{self.mark} {what} {number}", *rules, **more)["id"]
        return made

    def _name(self, what: str, number: int, level: int) -> str:
        return f"{self.mark}-{what}-{number}-{level}"

    def _address(self, what: str, number: int, level: int) -> str:
        return f"{self._name(what, number, level)}@example.org"
