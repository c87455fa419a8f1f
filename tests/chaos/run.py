"""`make chaos`: whole scenarios of harm to a suite with a process for each role, judged from outside.

python -m tests.chaos.run [SCENARIO …] [--kills 100] [--seed 1] [--rate 300]     exit code 0: every law held
"""

import argparse
import logging
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import Any, Final

from launcher.processes import free_port
from launcher.suite import CORE
from tests.chaos import disk
from tests.chaos.faults import Fault, Replicas
from tests.chaos.judge import judge
from tests.chaos.report import as_json, felt, table, write
from tests.chaos.script import Kind
from tests.chaos.sink import Mood, Sink
from tests.chaos.stage import Cast, Stage
from tests.chaos.trial import GATEWAY, Trial, trial
from tests.e2e.roles import Receiver, Roles
from tests.e2e.suite import ROOT, Suite, eventually

CAST: Final = Cast(told=24, beacons=12, climbing=6, answered=4, hooked=4, step_min=10)
WEIGHTS: Final = (
    *((Kind.TOLD, 279), (Kind.BEACON, 3), (Kind.CLIMBING, 6)),
    *((Kind.ANSWERED, 4), (Kind.HOOKED, 4), (Kind.PASSING, 4)),
)
"""Of each 300 events."""
STORM_WINDOW_S: Final = 10
TARGETS: Final = (
    *("ingest.gateway", "ingest.worker", "relay of ingest", "escalator.worker", "relay of escalator"),
    *("notifier.worker", "relay of notifier", "connectors.worker", "kafka", "postgres"),
)
PEACE_S: Final = 15.0
"""Events flow for so long before the first harm, and after the last."""
PATIENCE_S: Final = 240.0
MOODS: Final = (Mood.BUSY, Mood.ASKING, Mood.SILENT, Mood.RUDE)
MOOD_S: Final = 25.0


@dataclass(frozen=True)
class Wish:
    """What was asked for."""

    kills: int
    seed: int
    rate: float
    repeats: int
    outage_s: float
    away_s: float


Scenario = Callable[[Trial, Sink, Wish], None]


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


# -- the harm


def kills(run: Trial, _sink: Sink, wish: Wish) -> None:
    """Each process once, then at random; the next as soon as the last is well again, and a moment more."""
    _kill(run, wish, TARGETS, wish.kills)


def replicas(run: Trial, _sink: Sink, wish: Wish) -> None:
    """The same with two of everything; which of the two is chance."""
    pairs = {f"{name}.second" for name in run.wrecker.replicas.names} if run.wrecker.replicas else set()
    both = [*TARGETS, *(f"{name}.second" for name in TARGETS if f"{name}.second" in pairs)]
    _kill(run, wish, both, max(len(both), wish.kills // 3))


def _kill(run: Trial, wish: Wish, targets: Sequence[str], count: int) -> None:
    chance = random.Random(wish.seed)
    order = [*targets, *(chance.choice(targets) for _ in range(max(0, count - len(targets))))][:count]
    for number, target in enumerate(order, 1):
        time.sleep(chance.uniform(0.5, 2.0))
        fault = run.wrecker.kill(target)
        run.wrecker.until_well(fault)
        say(f"  {number}/{count} kill {target}: all ready after {fault.ready - fault.began:.1f} s")


def frozen(run: Trial, _sink: Sink, wish: Wish) -> None:
    """Kafka stands still, then Postgres."""
    for name in ("kafka", "postgres"):
        with run.wrecker.frozen(name) as fault:
            time.sleep(wish.outage_s)
        _after(fault)


def gone(run: Trial, _sink: Sink, wish: Wish) -> None:
    """Kafka is killed and stays away, then Postgres."""
    for name in ("kafka", "postgres"):
        with run.wrecker.away(name) as fault:
            time.sleep(wish.outage_s)
        _after(fault)


def receivers(run: Trial, sink: Sink, wish: Wish) -> None:
    """Mail server and webhook are hostile in turn, then away."""
    for mood in MOODS:
        _moody(run, sink, mood, MOOD_S)
    _moody(run, sink, Mood.AWAY, wish.away_s)


def _moody(run: Trial, sink: Sink, mood: Mood, lasts_s: float) -> None:
    fault = Fault("receiver", mood.value, time.time())
    run.wrecker.faults.append(fault)
    sink.become(mood)
    time.sleep(lasts_s)
    taken = len(sink.mails)
    sink.become(Mood.FINE)
    fault.ended = time.time()
    eventually(lambda: len(sink.mails) > taken, 60, "a mail after the receiver's return")
    fault.ready = time.time()
    fault.note = f"the first mail came {fault.ready - fault.ended:.1f} s after its return"
    _after(fault)


def full(run: Trial, _sink: Sink, wish: Wish) -> None:
    """Kafka's disk is filled to the last byte; later there is room again."""
    fault = Fault("full disk of", "kafka", time.time())
    run.wrecker.faults.append(fault)
    with disk.filled(run.roles) as died_after_s:
        fault.note = f"the broker stopped after {died_after_s:.1f} s"
        time.sleep(wish.outage_s)
        fault.ended = time.time()
    run.wrecker.until_all_is_well(fault)
    _after(fault)


def _after(fault: Fault) -> None:
    say(
        f"  {fault.kind} {fault.target}: over after {fault.ended - fault.began:.1f} s, all ready {fault.ready - fault.ended:.1f} s later. {fault.note}"
    )
    time.sleep(PEACE_S)


SCENARIOS: Final[Mapping[str, Scenario]] = {
    "kills": kills,
    "frozen": frozen,
    "gone": gone,
    "receivers": receivers,
    "replicas": replicas,
    "disk": full,
}


# -- the stage


@contextmanager
def suite_for(folder: Path, sink: Sink, *, small_disk: bool) -> Iterator[Roles]:
    environment = {
        "LAYOUT": "roles",
        "MINUTE_S": "1",
        "STORM_WINDOW_S": str(STORM_WINDOW_S),
        "SMTP_URL": sink.smtp_url,
    }
    suite = Suite(folder, free_port(), environment)
    if small_disk:
        disk.up(suite)
    else:
        suite.up()
    try:
        yield Roles(suite, Receiver())
    finally:
        suite.down()


def play(name: str, roles: Roles, sink: Sink, wish: Wish) -> dict[str, Any]:
    """One scenario on a running suite; what it gave."""
    say(f"\n{name}: {SCENARIOS[name].__doc__}")
    mark = f"{sink.mark}{chr(ord('a') + list(SCENARIOS).index(name))}"
    began = time.monotonic()
    script = Stage(roles.suite, mark, sink.http_url).script(CAST, WEIGHTS, wish.repeats)
    with ExitStack() as stack:
        second = None
        if name == "replicas":
            second = stack.enter_context(Replicas(roles, (*CORE, GATEWAY)).running())
        run = stack.enter_context(
            trial(roles, script, wish.rate, partial(sink.mails_of, mark), partial(sink.calls_of, mark), second)
        )
        time.sleep(PEACE_S)
        SCENARIOS[name](run, sink, wish)
        time.sleep(PEACE_S)
        stopped = time.monotonic()
        evidence = run.until_quiet(PATIENCE_S)
    verdict, rows = judge(evidence), felt(evidence)
    say(f"\n{table(rows)}\n")
    say("  " + ", ".join(f"{number} {what}" for what, number in verdict.figures.items()))
    say(f"  quiet {time.monotonic() - stopped:.0f} s after the last event; {verdict.story()}")
    return as_json(name, evidence, verdict, rows, wish=vars(wish), seconds=round(time.monotonic() - began, 1))


def main(words: Sequence[str]) -> int:
    options = argparse.ArgumentParser(prog="make chaos", description=__doc__)
    options.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=", ".join(SCENARIOS))
    options.add_argument("--kills", type=int, default=100)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--rate", type=float, default=300.0, help="events a second")
    options.add_argument("--repeats", type=int, default=3, help="events for each alert of the many")
    options.add_argument("--outage", type=float, default=60.0, help="seconds that a server is frozen or gone")
    options.add_argument("--away", type=float, default=150.0, help="seconds that the receivers are away")
    options.add_argument("--report", type=Path, default=ROOT / "reports" / "chaos.json")
    asked = options.parse_args(words)
    if unknown := set(asked.scenarios) - SCENARIOS.keys():
        options.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(SCENARIOS)}")
    wish = Wish(asked.kills, asked.seed, asked.rate, asked.repeats, asked.outage, asked.away)
    wanted = [name for name in SCENARIOS if not asked.scenarios or name in asked.scenarios]
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # that the broker is away is known here
    folder = Path(tempfile.mkdtemp(prefix="alarum-chaos-"))
    reports = []
    for names in ([name for name in wanted if name != "disk"], [name for name in wanted if name == "disk"]):
        if names:
            data_dir = folder / names[0]
            with Sink(f"c{token_hex(3)}") as sink, suite_for(data_dir, sink, small_disk=names == ["disk"]) as roles:
                for name in names:
                    reports.append(play(name, roles, sink, wish))
                    write(asked.report, reports, ROOT)
    holds = all(report["holds"] for report in reports)
    say(f"\n{'every law held' if holds else 'NOT every law held'}; {asked.report}")
    if holds:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        say(f"logs are in {folder}")
    return 0 if holds else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
