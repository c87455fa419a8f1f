"""Hundreds of small nights, each with troubles of its own: whatever goes wrong, the laws hold, and a seed is all there is to a night."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.simulation.hamlet import wide_nets_and_no_log
from tests.simulation.nights import calm_plan_of
from tests.simulation.simulate import broken_among, lived

ROOT = Path(__file__).parents[2]
NIGHTS, AT_ONCE = 200, 25
TRACED = "5,7"
TRACES = f"""
from tests.simulation.simulate import nights
print([verdict.trace for verdict in nights([{TRACED}])])
"""


@pytest.mark.parametrize("first", range(0, NIGHTS, AT_ONCE))
def test_whatever_goes_wrong_in_a_small_night_the_laws_hold(first: int) -> None:
    broken = broken_among(range(first, first + AT_ONCE))
    assert not broken, "\n\n".join(str(verdict) for verdict in broken)


@pytest.mark.parametrize("seed", range(10))
def test_one_replica_and_three_tell_the_same_story(seed: int) -> None:
    with wide_nets_and_no_log():
        one, three = (lived(calm_plan_of(seed, replicas), tell=True) for replicas in (1, 3))
    assert one.essence == three.essence, f"{one.story}\n\n{three.story}"
    assert (one.broken, three.broken) == ((), ())


def test_equal_seeds_give_equal_traces_under_five_hash_seeds() -> None:
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", TRACES],
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": str(seed)},
            stdout=subprocess.PIPE,
            text=True,
        )
        for seed in range(5)
    ]
    traces = {run.communicate()[0] for run in runs}
    assert [run.returncode for run in runs] == [0] * 5
    assert len(traces) == 1
