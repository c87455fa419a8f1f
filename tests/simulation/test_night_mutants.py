"""The laws can see: each patch breaks shipped code, and nights are lived through until the law that is named says so."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.simulation import laws

ROOT = Path(__file__).parents[2]
OURS = ROOT / "tests" / "simulation" / "mutants"
OF_PROMISES = ROOT / "tests" / "mutants"
SHIPPED = (
    "libs/runtime/runtime",
    "services/ingest/ingest",
    "services/escalator/escalator",
    "services/notifier/notifier",
)
PATIENCE = 60
"""So many nights from the named seed on: what a seed's night meets moves when the product grows."""


@dataclass(frozen=True)
class Mutant:
    """A patch, the law that kills it, and a night in which that happens."""

    patch: Path
    law: str
    seed: int


MUTANTS = (
    Mutant(
        OURS / "acknowledged-before-the-broker-has-it.patch", "everything_decided_is_published_whole_and_in_order", 3
    ),
    Mutant(OURS / "nobody-wakes-the-relay.patch", "every_message_goes_at_its_time", 4),
    Mutant(OURS / "a-new-deadline-wakes-nobody.patch", "every_message_goes_at_its_time", 1),
    Mutant(OURS / "the-cursor-skips-what-failed.patch", "everything_comes_to_its_end", 39),
    Mutant(OF_PROMISES / "06-the-gate-does-not-wait.patch", "no_level_after_an_acceptance_was_acknowledged", 24),
    Mutant(
        OF_PROMISES / "08-a-claim-is-forgotten-before-it-is-sent.patch",
        "notifications_planned_are_sent_suppressed_or_failed",
        7,
    ),
    Mutant(OF_PROMISES / "11-a-deadline-is-not-kept.patch", "every_open_alert_has_a_deadline_or_an_end", 1),
    Mutant(OF_PROMISES / "12-a-restore-forgets-deadlines.patch", "what_is_rebuilt_equals_what_lived", 10),
    Mutant(
        OURS / "a-message-that-was-not-taken-is-dropped.patch", "notifications_planned_are_sent_suppressed_or_failed", 7
    ),
    Mutant(OURS / "the-head-keeps-its-old-state.patch", "every_state_is_what_its_events_say", 1),
    Mutant(OURS / "a-lease-is-not-heeded.patch", "every_mail_goes_once_or_says_that_it_is_a_repeat", 30),
    Mutant(OURS / "the-reason-names-the-rule-before.patch", "every_page_names_its_rule", 1),
    Mutant(OURS / "only-the-last-repeat-is-counted.patch", "every_signal_is_in_one_alert_or_has_a_reason", 8),
)
SHELL = [one for one in MUTANTS if "libs/runtime" in one.patch.read_text()]


def test_there_are_a_dozen_and_most_are_of_the_shell() -> None:
    assert len(MUTANTS) >= 12
    assert len(SHELL) >= 6
    assert {one.law for one in MUTANTS} <= {
        law.__name__ for law in (*laws.LAWS, laws.what_is_rebuilt_equals_what_lived)
    }
    assert set(OURS.glob("*.patch")) <= {one.patch for one in MUTANTS}


@pytest.mark.soak
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda one: one.patch.stem)
def test_a_broken_promise_is_seen_by_its_law(mutant: Mutant, tmp_path: Path) -> None:
    for package in SHIPPED:
        shutil.copytree(ROOT / package, tmp_path / package, ignore=shutil.ignore_patterns("__pycache__"))
    applied = subprocess.run(
        ["git", "apply", str(mutant.patch)], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert applied.returncode == 0, f"{mutant.patch.name} does not apply any more: {applied.stderr}"

    patched = os.pathsep.join(str((tmp_path / package).parent) for package in SHIPPED)
    hunt = ["--law", mutant.law, "--first", str(mutant.seed), "--nights", str(PATIENCE)]
    run = subprocess.run(
        [sys.executable, "-m", "tests.simulation.simulate", *hunt],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": patched},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 1, (
        f"{PATIENCE} nights from {mutant.seed} on do not see it:\n{run.stdout}{run.stderr[-2000:]}"
    )
    assert f"breaks {mutant.law}" in run.stdout, run.stdout + run.stderr[-2000:]
