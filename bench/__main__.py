"""`make bench`: starts the suite with a process for each role, measures row by row, prints one table and writes JSON.

make bench                                          every row of the default run, under ten minutes
make bench ARGS="--rows accepted,decided"           some rows
make bench ARGS="--against HEAD~3 --rows accepted"  two versions in one run, alternating
make bench ARGS=--long                              minutes for each row, large bases, two replicas
"""

import argparse
import asyncio
import json
import subprocess
import sys
import time
import traceback
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import uvloop

from bench.figures import Figure, Found, said, table
from bench.machine import describe
from bench.rows import LONG_ONLY, ROWS, Bench, Pace
from bench.sink import Sink
from bench.suites import HOME, MINUTE_S, ROOT, STORM_WINDOW_S, CannotRun, Suite, Version, ours, theirs
from bench.usage import measured
from bench.world import PEOPLE, SOURCES, made

PARTS = "parts"
ALL = (PARTS, *ROWS)
NEED_MANY = {"messages", "cost", "million"}

METHOD = (
    "Suite: a process for each role, Kafka and Postgres, all on this machine with the load client and the mail server it sends to; "
    f"{PEOPLE} people, {SOURCES} alert sources ({PEOPLE} where no row needs more); a minute of patience lasts {MINUTE_S:.0f} s, a storm's window {STORM_WINDOW_S:.0f} s. "
    "fsync is on in both. Latency counts from when an event was due (open loop) or sent (closed loop). Medians over rounds. "
    "«others»: cores that neither the suite nor the load client took while the row ran (a second version's idle suite is among them)."
)


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> int:
    asked = _asked()
    try:
        first = theirs(asked.of) if asked.of else ours()
        versions = [first, *([theirs(asked.against)] if asked.against else [])]
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            report = runner.run(_measure(versions, asked))
    except CannotRun as failure:
        sys.stderr.write(f"\nbench: {failure}\n")
        return 1
    file = Path(asked.output) if asked.output else ROOT / "reports" / f"bench-{versions[0].commit.rstrip('+')}.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(report, indent=1))
    say(f"\nwritten to {file}")
    return 0


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="make bench", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rows", type=_rows, default=None, help=f"some of {','.join(ALL)}")
    parser.add_argument("--of", metavar="REF", help="a git ref to measure instead of the working tree")
    parser.add_argument("--against", metavar="REF", help="a git ref to compare it with")
    parser.add_argument("--rounds", type=int, help="how often each row runs; 1, or 2 with --against")
    parser.add_argument("--long", action="store_true", help="longer rows, and those that need a large base")
    parser.add_argument("--rates", type=_rates, default=(1, 100, 500), help="events/s of `messages`; 1,100,500")
    parser.add_argument("--output", help="where the JSON goes; reports/bench-<commit>.json")
    parser.add_argument("--keep", action="store_true", help="leave the data folders")
    asked = parser.parse_args()
    asked.rows = asked.rows or [PARTS, *(name for name in ROWS if asked.long or name not in LONG_ONLY)]
    asked.rounds = asked.rounds or (2 if asked.against else 1)
    return asked


def _rows(text: str) -> list[str]:
    names = text.split(",")
    if unknown := [name for name in names if name not in ALL]:
        raise argparse.ArgumentTypeError(f"no row {', '.join(unknown)}; there are {', '.join(ALL)}")
    return [name for name in ALL if name in names]


def _rates(text: str) -> tuple[int, ...]:
    return tuple(int(word) for word in text.split(","))


async def _measure(versions: Sequence[Version], asked: argparse.Namespace) -> dict[str, Any]:
    before, pace, found = describe(), Pace(), list[Found]()
    async with AsyncExitStack() as stack:
        if PARTS in asked.rows:
            found += await asyncio.to_thread(_parts, versions, asked.rounds)
        rows = [name for name in asked.rows if name != PARTS]
        benches = [
            await stack.enter_async_context(_running(version, pace, asked, HOME / f"data-{number}"))
            for number, version in enumerate(versions if rows else ())
        ]
        for name in rows:
            for turn in range(asked.rounds):
                for bench in benches if turn % 2 == 0 else reversed(benches):
                    found += await _row(name, bench, turn)
    after = describe()
    names = [version.name for version in versions]
    _tell(before, after, found, names)
    return {
        "machine": before,
        "load_after": after["load"],
        "method": METHOD,
        "versions": names,
        "asked": {name: value for name, value in vars(asked).items() if name != "output"},
        "figures": [one.as_json() for one in found],
    }


def _parts(versions: Sequence[Version], rounds: int) -> list[Found]:
    """Single parts, alternating, each time in a process of that version's own."""
    found = []
    for turn in range(rounds):
        for version in versions if turn % 2 == 0 else reversed(versions):
            script = Path(__file__).parent / "parts.py"
            done = subprocess.run([version.python, script], cwd=HOME, capture_output=True, text=True, check=False)
            if done.returncode:
                raise CannotRun(f"parts of {version.name}: {done.stderr}")
            took = json.loads(done.stdout.splitlines()[-1])
            found += [Found(version.name, turn, 0.0, Figure(PARTS, name, us, "µs of CPU")) for name, us in took.items()]
    return found


@asynccontextmanager
async def _running(version: Version, pace: Pace, asked: argparse.Namespace, data_dir: Path) -> AsyncIterator[Bench]:
    sink = Sink()
    await sink.start()
    suite = Suite(version, data_dir, sink.url)
    began = time.monotonic()
    try:
        await suite.start()
        world = await made(suite, sources=SOURCES if NEED_MANY & set(asked.rows) else PEOPLE)
        say(f"{version.name} runs, with {len(world.sources)} sources ({time.monotonic() - began:.0f} s)")
        yield Bench(suite, world, sink, pace, asked.long, asked.rates)
    finally:
        await suite.stop(keep=asked.keep)
        await sink.stop()


async def _row(name: str, bench: Bench, turn: int) -> list[Found]:
    began, version = time.monotonic(), bench.suite.version.name
    figures: list[Figure] = []
    with measured(bench.suite) as used:
        try:
            figures = await ROWS[name](bench)
        except Exception:
            say(
                f"{version}: {name} FAILED\n{traceback.format_exc()}"
            )  # the other rows are worth their time all the same
            figures = [Figure(name, "failed", None)]
    say(f"{version}: {name} ({time.monotonic() - began:.0f} s, others took {used.others_cores:.2f} cores)")
    for figure in figures:
        if not figure.row.startswith("process "):
            say(f"    {figure.row}: {figure.name} {said(figure.value, figure.unit)}")
    return [Found(version, turn, used.others_cores, figure) for figure in figures]


def _tell(before: dict[str, Any], after: dict[str, Any], found: Sequence[Found], names: Sequence[str]) -> None:
    rows = [one for one in found if not one.figure.row.startswith("process ")]
    processes = [one for one in found if one.figure.row.startswith("process ")]
    say(f"\n{', '.join(f'{name} {value}' for name, value in before.items())}; load afterwards {after['load']}")
    say(f"\n{METHOD}\n")
    say(table(rows, names))
    if processes:
        say("")
        say(table(processes, names))


if __name__ == "__main__":
    sys.exit(main())
