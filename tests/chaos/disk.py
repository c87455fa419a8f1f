"""A disk that is too small for Kafka's log, without harm to the machine's own: a tmpfs that only the suite's processes see.

`make up` runs in a mount namespace of its own (as root, or in a user namespace where the system allows those), so that the
tmpfs needs no privileges and goes away with the last process.
"""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from launcher.processes import is_alive, recall
from launcher.suite import secrets_of
from tests.chaos.faults import fill
from tests.e2e.roles import SUPERVISOR, Roles
from tests.e2e.suite import ROOT, Suite, eventually

SIZE_MB: Final = 1024
DIES_WITHIN_S: Final = 120.0


def namespace() -> list[str]:
    """The words that begin a command with mounts of its own. AssertionError where the system forbids that."""
    words = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--user", "--map-root-user", "--mount"]
    tried = subprocess.run([*words, "true"], capture_output=True, text=True, check=False)
    assert tried.returncode == 0, f"no mount namespace here, so no full disk: {tried.stderr}"
    return words


def up(suite: Suite) -> None:
    """`make up` with Kafka's folder on a tmpfs of SIZE_MB."""
    secrets_of(suite.data_dir)  # made before there is a folder that looks like data without keys
    folder = suite.data_dir / "kafka"
    folder.mkdir(parents=True)
    command = f'mount -t tmpfs -o size={SIZE_MB}m chaos "{folder}" && exec make --no-print-directory up'
    environment = {**os.environ, **suite.environment, "PORT": str(suite.port), "DATA_DIR": str(suite.data_dir)}
    done = subprocess.run(
        [*namespace(), "sh", "-c", command], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    suite.known()


@contextmanager
def filled(roles: Roles) -> Iterator[float]:
    """No byte is left for Kafka; inside, the broker is down, after so many seconds. Then there is room again."""
    broker = roles.who("kafka")
    began = time.monotonic()
    seen = Path(f"/proc/{roles.who(SUPERVISOR).pid}/root")
    filler = fill(seen, roles.suite.data_dir / "kafka")
    try:
        eventually(lambda: not is_alive(broker), DIES_WITHIN_S, "the end of a broker without room")
        yield time.monotonic() - began
    finally:
        filler.unlink()
        eventually(lambda: recall(roles.suite.data_dir / "run" / "kafka.json"), 60, "Kafka, started again")
