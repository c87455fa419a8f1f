"""One run: events flow at a steady pace, a person answers, somebody does harm; then the books of those outside are judged."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import Any, Final

from tests.chaos.faults import Replicas, Wrecker
from tests.chaos.judge import (
    Evidence,
    Place,
    every_drop_has_a_reason,
    every_repeat_is_counted,
    every_yes_is_one_alert,
    everybody_is_told,
    levels_are_whole,
    webhooks_are_called,
)
from tests.chaos.load import Load
from tests.chaos.people import Responder
from tests.chaos.script import Script
from tests.chaos.sink import Call, Mail
from tests.chaos.tail import Tail
from tests.e2e.roles import Roles
from tests.e2e.suite import Suite, eventually

GATEWAY: Final = "ingest.gateway"
PAGE: Final = 100
LOOK_S: Final = 1.0
LEAVES: Final = 5
"""So many times as long as a look took nothing is looked at: the receivers share the process."""
TO_COME: Final = (
    every_yes_is_one_alert,
    every_repeat_is_counted,
    every_drop_has_a_reason,
    everybody_is_told,
    levels_are_whole,
    webhooks_are_called,
)
"""Laws whose breach may only mean that something is still on its way."""


@dataclass
class Trial:
    """`mails` and `calls` are what the receivers took so far."""

    roles: Roles
    script: Script
    load: Load
    tail: Tail
    responder: Responder
    wrecker: Wrecker
    mails: Callable[[], Sequence[Mail]]
    calls: Callable[[], Sequence[Call]]

    def evidence(self) -> Evidence:
        """So far, by what Kafka told; the API is not asked."""
        heard = self.tail.so_far()
        by_kafka = Counter((alert.source, alert.alert_key) for alert in heard.alerts.values())
        notifiers = 2 if self.wrecker.replicas else 1
        return Evidence(
            script=self.script,
            answers=list(self.load.answers),
            mails=self.mails(),
            calls=self.calls(),
            heard=heard,
            listed=by_kafka,
            faults=self.wrecker.faults,
            notifiers=notifiers,
        )

    def until_quiet(self, patience_s: float) -> Evidence:
        """No more events, and nothing that is still to come; or all that came within `patience_s`."""
        self.load.stop()
        deadline = time.monotonic() + patience_s
        while (looked := time.monotonic()) < deadline and self._awaits_something(self.evidence()):
            time.sleep(max(LOOK_S, LEAVES * (time.monotonic() - looked)))
        run = self.evidence()
        return replace(run, listed=listed(self.roles.suite, self.script))

    def _awaits_something(self, run: Evidence) -> bool:
        return self.responder.owes() or any(any(True for _ in law(run)) for law in TO_COME)


@contextmanager
def trial(
    roles: Roles,
    script: Script,
    rate: float,
    mails: Callable[[], Sequence[Mail]],
    calls: Callable[[], Sequence[Call]],
    replicas: Replicas | None = None,
) -> Iterator[Trial]:
    """Events flow, and the first of them have become alerts."""
    with ExitStack() as stack:
        ports = [int(roles.environment_of(GATEWAY)["HTTP_PORT"])]
        if replicas is not None:
            ports += [port for name, port in replicas.ports.items() if name.startswith(GATEWAY)]
        sources = frozenset(source.id for source in script.sources)
        tail = stack.enter_context(Tail(roles.suite.settings["KAFKA_BOOTSTRAP"], sources))
        responder = stack.enter_context(Responder(roles.suite.api, script, tail.heard))
        load = stack.enter_context(Load(script, ports, rate))
        eventually(lambda: tail.heard.alerts, what="the first alert")

        def flows_since(instant: float) -> bool:
            newest = next(reversed(tail.heard.alerts.values()))
            return load.instant_of(int(newest.alert_key.rpartition("-")[2])) > instant

        yield Trial(roles, script, load, tail, responder, Wrecker(roles, flows_since, replicas), mails, calls)


def listed(suite: Suite, script: Script) -> Counter[Place]:
    """How many alerts `GET /api/alerts` has of each (source, alert key)."""

    def of(source: int) -> list[Place]:
        found: list[Place] = []
        while page := _page(suite, source, len(found)):
            found += [(source, alert["alertKey"]) for alert in page]
        return found

    with ThreadPoolExecutor(2) as pool:
        return Counter(place for places in pool.map(of, [source.id for source in script.sources]) for place in places)


def _page(suite: Suite, source: int, start: int) -> list[dict[str, Any]]:
    page: list[dict[str, Any]] = suite.get("/api/alerts", sources=source, **{"start-index": start, "max-results": PAGE})
    return page
