"""What processes cost: CPU-seconds and memory of each, children included, as Linux counts them; and what others took meanwhile."""

import contextlib
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil

from bench.suites import Suite

PAGE_KB: Final = 1024


@dataclass(frozen=True)
class Reading:
    """At an instant: CPU-seconds of each process of some suites since their start, of this one, and of the whole machine."""

    at: float
    by_name: Mapping[str, float]
    own: float
    machine: float


def read(*suites: Suite) -> Reading:
    by_name: dict[str, float] = {}
    for suite in suites:
        for name, members in suite.processes().items():
            by_name[name] = by_name.get(name, 0.0) + sum(_cpu_s(who.pid) for who in members)
    return Reading(time.time(), by_name, sum(os.times()[:2]), _machine_s())


def _cpu_s(pid: int) -> float:
    """What it used, with those of its children that have ended."""
    with contextlib.suppress(psutil.Error):
        return float(sum(psutil.Process(pid).cpu_times()[:4]))
    return 0.0


def _machine_s() -> float:
    """Everything that ran on this machine, what the hypervisor kept from it included."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - times.iowait - times.guest - times.guest_nice)


@dataclass
class Used:
    """Between two readings; `cores` are CPU-seconds a second."""

    seconds: float = 0.0
    by_name: dict[str, float] = field(default_factory=dict)
    others: float = 0.0

    @property
    def suite_s(self) -> float:
        return sum(self.by_name.values())

    @property
    def cores(self) -> float:
        return self.suite_s / max(self.seconds, 1e-9)

    @property
    def others_cores(self) -> float:
        """What neither the suite nor the load client took: a measurement beside it is worth less."""
        return max(0.0, self.others) / max(self.seconds, 1e-9)


def between(before: Reading, after: Reading) -> Used:
    by_name = {name: max(0.0, after.by_name[name] - before.by_name.get(name, 0.0)) for name in after.by_name}
    known = sum(by_name.values()) + after.own - before.own
    return Used(after.at - before.at, by_name, after.machine - before.machine - known)


@contextlib.contextmanager
def measured(*suites: Suite) -> Iterator[Used]:
    """What is used while this is open; filled in at its end."""
    used, before = Used(), read(*suites)
    yield used
    found = between(before, read(*suites))
    used.seconds, used.by_name, used.others = found.seconds, found.by_name, found.others


def memory_mb(suite: Suite) -> dict[str, float]:
    """PSS of each process with its children: what is shared is counted once over all."""
    return {name: sum(_pss_mb(who.pid) for who in members) for name, members in suite.processes().items()}


def _pss_mb(pid: int) -> float:
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / PAGE_KB
    return 0.0
