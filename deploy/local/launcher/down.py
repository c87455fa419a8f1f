"""`make down`: ends the supervisor of a data folder, then whatever of its processes a crash left over; nothing else."""

import signal
import sys
from pathlib import Path

from launcher.native import Kafka, Postgres
from launcher.processes import end, is_alive, recall
from launcher.suite import Suite

PATIENCE_S = 60.0
STOP_SIGNALS = {server.name: server.stop_signal for server in (Kafka, Postgres)}


async def down(suite: Suite) -> int:
    """0 when nothing of this folder runs any more."""
    supervisor = recall(suite.data_dir / "run" / "supervisor.json")
    found = supervisor is not None and is_alive(supervisor)
    if supervisor is not None and found:
        sys.stdout.write("Stopping …\n")
        await end(supervisor, patience_s=PATIENCE_S)
    left = await end_left_over(suite.data_dir)
    _forget(suite.data_dir)
    sys.stdout.write(_report(suite, found, left))
    return 0


def _report(suite: Suite, found: bool, left: int) -> str:
    if not found and not left:
        return f"Nothing runs from {suite.data_dir}.\n"
    if left:
        return f"Stopped, with {left} left over from a crash. The data stays in {suite.data_dir}.\n"
    return f"Stopped. The data stays in {suite.data_dir}; make up continues with it.\n"


async def end_left_over(data_dir: Path) -> int:
    """End what is recorded and still lives, servers last: others write to them. How many there were."""
    found = {file.stem: who for file in _records(data_dir) if (who := recall(file)) is not None and is_alive(who)}
    for name in sorted(found, key=lambda name: name in STOP_SIGNALS):
        await end(found[name], STOP_SIGNALS.get(name, signal.SIGTERM))
    return len(found)


def _records(data_dir: Path) -> list[Path]:
    return [file for file in (data_dir / "run").glob("*.json") if file.name != "ports.json"]


def _forget(data_dir: Path) -> None:
    for file in _records(data_dir):
        file.unlink(missing_ok=True)
