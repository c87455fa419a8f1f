"""Many random nights, or one again: `python -m tests.simulation.simulate [--nights 10000] [--first 0] [--seed 4711]`.

A seed is all there is to a night: the same seed is the same night, to the last byte, on every machine.
"""

import argparse
import gc
import os
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from tests.simulation.hamlet import wide_nets_and_no_log
from tests.simulation.laws import judged
from tests.simulation.nights import Plan, essence, live, plan_of, told, trace
from tests.simulation.town import in_virtual_time

AT_ONCE = 50
COLLECT_EVERY = 10


@dataclass(frozen=True)
class Verdict:
    """What a night came to: `broken` are the laws that did not hold, each with the first words against it."""

    plan: Plan
    trace: str
    broken: tuple[tuple[str, str], ...]
    essence: Mapping[tuple[object, ...], int]
    story: str

    def __str__(self) -> str:
        laws = "\n".join(f"  {law}: {words}" for law, words in self.broken)
        return f"night {self.plan.seed} breaks\n{laws}\n(make simulate SEED={self.plan.seed} lives through it again)\n{self.story}"


def lived(plan: Plan, *, tell: bool = False) -> Verdict:
    """Live through a night and judge it; its story is told when a law was broken, or when asked for."""

    async def night() -> Verdict:
        one = await live(plan)
        try:
            found = [(law, f"{words[0]} ({len(words)} in all)") for law, words in await judged(one)]
            return Verdict(plan, trace(one), tuple(found), essence(one), told(one) if found or tell else "")
        finally:
            await one.hamlet.stop()

    return in_virtual_time(night)


def nights(seeds: Iterable[int]) -> Iterator[Verdict]:
    """Night after night in this process."""
    with wide_nets_and_no_log():
        for count, seed in enumerate(seeds):
            if count % COLLECT_EVERY == 0:
                gc.collect()
            yield lived(plan_of(seed))


def broken_among(seeds: Sequence[int]) -> list[Verdict]:
    return [verdict for verdict in nights(seeds) if verdict.broken]


def again(seed: int) -> int:
    """Tell one night's story; 1 when it breaks a law."""
    with wide_nets_and_no_log():
        verdict = lived(plan_of(seed), tell=True)
    print(verdict if verdict.broken else f"{verdict.story}\nnight {seed} keeps all laws; trace {verdict.trace}")
    return 1 if verdict.broken else 0


def hunted(law: str, first: int, count: int) -> int:
    """Live through nights until one breaks this law, and say which; 1 when there is one."""
    for verdict in nights(range(first, first + count)):
        if law in dict(verdict.broken):
            print(f"night {verdict.plan.seed} breaks {law}: {dict(verdict.broken)[law]}")
            return 1
    print(f"{count} nights keep {law}")
    return 0


def many(first: int, count: int, workers: int) -> int:
    """Live through many nights on all cores; 1 when one of them breaks a law."""
    began, found = time.monotonic(), list[Verdict]()
    batches = [range(at, min(at + AT_ONCE, first + count)) for at in range(first, first + count, AT_ONCE)]
    with ProcessPoolExecutor(workers) as pool:
        for number, broken in enumerate(pool.map(broken_among, batches), 1):
            found += broken
            for verdict in broken:
                print(verdict, flush=True)
            if number % 10 == 0:
                print(f"{number * AT_ONCE} nights, {len(found)} broken, {time.monotonic() - began:.0f} s", flush=True)
    laws = Counter(law for verdict in found for law, _ in verdict.broken)
    print(f"{count} nights in {time.monotonic() - began:.0f} s: {len(found)} break a law {dict(laws) or ''}")
    return 1 if found else 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nights", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--law", help="stop at the first night that breaks this one")
    asked = parser.parse_args()
    if asked.law is not None:
        return hunted(asked.law, asked.first, asked.nights)
    return again(asked.seed) if asked.seed is not None else many(asked.first, asked.nights, asked.workers)


if __name__ == "__main__":
    sys.exit(main())
