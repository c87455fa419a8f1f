"""The tests of the promises can fail: each patch in tests/mutants breaks one promise in shipped code, and its test sees it."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
MUTANTS = sorted((ROOT / "tests" / "mutants").glob("*.patch"))
SHIPPED = ("libs/runtime/runtime", "libs/events/events")


def by_name(path: Path) -> str:
    return path.stem


def test_there_are_at_least_ten() -> None:
    assert len(MUTANTS) >= 10


@pytest.mark.parametrize("mutant", MUTANTS, ids=by_name)
def test_a_broken_promise_is_seen(mutant: Path, tmp_path: Path) -> None:
    (killer,) = re.findall(r"^Killed by: (\S+)$", mutant.read_text(), re.MULTILINE)
    for package in SHIPPED:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    applied = subprocess.run(["git", "apply", str(mutant)], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert applied.returncode == 0, f"{mutant.name} does not apply any more: {applied.stderr}"

    patched = os.pathsep.join(str((tmp_path / package).parent) for package in SHIPPED)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--timeout=60", killer]
    run = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": patched, "ALARUM_PATIENCE_S": "4"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1, f"{mutant.name} was not noticed by {killer}:\n{run.stdout[-2000:]}{run.stderr[-2000:]}"
    assert "1 failed" in run.stdout, run.stdout[-2000:]
