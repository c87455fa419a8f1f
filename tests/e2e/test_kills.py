"""A dozen kills within half a minute under load, by what the sender heard and what lies in the mail sink."""

import os
import random
import time
from collections.abc import Sequence
from datetime import datetime
from secrets import token_hex

import pytest

from tests.chaos.judge import judge
from tests.chaos.report import felt, table
from tests.chaos.script import Kind
from tests.chaos.sink import Mail, Sink
from tests.chaos.stage import Cast, Stage
from tests.chaos.trial import trial
from tests.e2e.roles import Roles

RATE = int(os.environ.get("CHAOS_RATE", "100"))
"""Events a second; `make chaos` sends 300, for which nothing else may run beside it."""
EVERY_S = 1.5
PATIENCE_S = 60.0
TARGETS = (
    *("notifier.worker", "ingest.gateway", "ingest.worker", "relay of notifier", "relay of ingest", "postgres"),
    *("escalator.worker", "ingest.gateway", "ingest.worker", "relay of escalator", "ingest.worker", "kafka"),
)
"""Those that send die first: what they had in hand waits for the end of its lease, half a minute, while the others die."""
# a storm's window lets three alerts of a source through at once to a contact, and the others wait for its end:
# so many sources and contacts that three are enough
CAST = Cast(told=10, beacons=4, climbing=8, answered=4, hooked=4, routes=13, step_min=4)
WEIGHTS = (
    *((Kind.TOLD, 891), (Kind.BEACON, 1), (Kind.CLIMBING, 2)),
    *((Kind.ANSWERED, 1), (Kind.HOOKED, 1), (Kind.PASSING, 4)),
)
REPEATS = 30


def mails_of(roles: Roles, sink: Sink) -> Sequence[Mail]:
    """Those in the suite's own mail sink that are of this run."""
    found = roles.suite.mail_sink.get("/api/messages", params={"to": sink.mark}).json()
    return [
        Mail(
            to=message["to"][0],
            message_id=message["headers"]["Message-ID"],
            is_repeat="X-Alarum-Repeat" in message["headers"],
            alert_keys=sink.keys_in(message["text"]),
            begun=datetime.fromisoformat(message["receivedAt"]).timestamp(),
            taken=datetime.fromisoformat(message["receivedAt"]).timestamp(),
        )
        for message in found
    ]


@pytest.mark.timeout(240)
def test_a_dozen_kills_under_load_lose_no_event_and_tell_everybody_once(roles: Roles) -> None:
    mark = f"k{token_hex(3)}"
    chance = random.Random(int(os.environ.get("CHAOS_SEED", "1")))
    with Sink(mark) as sink:
        script = Stage(roles.suite, mark, sink.http_url).script(CAST, WEIGHTS, REPEATS)
        with trial(roles, script, RATE, lambda: mails_of(roles, sink), lambda: sink.calls) as run:
            killed = []
            for target in TARGETS:
                time.sleep(EVERY_S * chance.uniform(0.5, 1.5))  # not a wait: the pace of the kills
                killed.append(run.wrecker.kill(target))
            for fault in killed:
                run.wrecker.until_well(fault)
            evidence = run.until_quiet(PATIENCE_S)
    verdict = judge(evidence)
    assert verdict.holds, verdict.story() + "\n" + table(felt(evidence))
    assert verdict.figures["answered yes"] > len(TARGETS) * RATE / 10, "events flowed meanwhile"
