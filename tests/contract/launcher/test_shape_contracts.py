"""Each import-linter contract, shown to fail when it is broken: in a copy of the sources, with one bad line."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PLACES = ["libs/events", "libs/runtime", "libs/channels", "libs/web", "deploy/local"]
PLACES += [
    f"services/{service}" for service in ("accounts", "ingest", "escalator", "notifier", "connectors", "statuspage")
]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python sources alone, found before the installed ones."""
    made = tmp_path_factory.mktemp("copy")
    for place in PLACES:
        shutil.copytree(
            ROOT / place, made / place, ignore=shutil.ignore_patterns("node_modules", "static", "__pycache__")
        )
    shutil.copy(ROOT / "pyproject.toml", made)
    return made


def lint(copy: Path) -> subprocess.CompletedProcess[str]:
    env = os.environ | {"PYTHONPATH": os.pathsep.join(str(copy / place) for place in PLACES)}
    linter = Path(sys.executable).with_name("lint-imports")
    return subprocess.run([linter, "--no-cache"], cwd=copy, env=env, capture_output=True, text=True, check=False)


def test_the_sources_keep_every_contract(copy: Path) -> None:
    done = lint(copy)
    assert "0 broken" in done.stdout, done.stdout


@pytest.mark.parametrize(
    ("module", "line", "contract"),
    [
        ("services/ingest/ingest/domain.py", "import escalator", "strangers to each"),
        ("libs/runtime/runtime/clock.py", "import ingest", "strangers to each"),
        ("services/notifier/notifier/reactions.py", "import launcher", "strangers to each"),
        ("libs/events/events/core.py", "import asyncio", "language is pydantic"),
        ("services/ingest/ingest/domain.py", "import time", "core is pure"),
        ("services/escalator/escalator/oncall.py", "import runtime.clock", "core is pure"),  # by way of another module
        ("services/escalator/escalator/reactions.py", "import uuid", "core is pure"),
        ("services/ingest/ingest/integrations/prometheus.py", "import httpx", "core is pure"),
    ],
)
def test_one_bad_line_breaks_its_contract(copy: Path, module: str, line: str, contract: str) -> None:
    file = copy / module
    good = file.read_text()
    file.write_text(f"{good}\n{line}\n")
    try:
        done = lint(copy)
    finally:
        file.write_text(good)
    broken = [said for said in done.stdout.replace("\n", " ").split("KEPT") if "BROKEN" in said]
    assert done.returncode == 1
    assert any(contract in said for said in broken), done.stdout
