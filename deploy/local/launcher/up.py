"""`make up`: checks the port and the folder, leaves a supervisor behind, tells its progress, returns when a user may come."""

import asyncio
import contextlib
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from launcher.banner import banner
from launcher.down import end_left_over
from launcher.processes import Identity, identify, is_alive, is_free, last_lines, recall, spawn
from launcher.progress import Line, Progress
from launcher.suite import Suite, WrongWish, supervisor_environment

LOOK_S = 0.1
SILENCE_S = 10.0
DAEMON = ("-m", "launcher.supervisor")


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


async def up(suite: Suite, daemon: Sequence[str] = DAEMON) -> int:
    """0 when the suite is ready, 1 when it is not, after saying why."""
    try:
        _make_folder(suite.data_dir)
        running = recall(suite.data_dir / "run" / "supervisor.json")
        if running is not None and is_alive(running):
            return await _join(suite, running)
        if left := await end_left_over(suite.data_dir):
            say(f"Ended {left} processes that a crash had left over in {suite.data_dir}.")
        _check_port(suite)
    except WrongWish as error:
        return _fail(str(error))
    say(f"Starting Alarum in {suite.data_dir} …")
    return await _follow(suite, _spawn(suite, daemon), "Alarum is ready at")


async def _join(suite: Suite, running: Identity) -> int:
    lines = Progress(suite.data_dir).lines()
    if any(line.kind == "ready" for line in lines):
        say(banner(suite.data_dir, "Alarum is already running at"))
        return 0
    say(f"Alarum is already starting in {suite.data_dir} …")
    return await _follow(suite, running, "Alarum is ready at")


def _spawn(suite: Suite, daemon: Sequence[str]) -> Identity:
    Progress(suite.data_dir).clear()
    process = spawn(
        [sys.executable, *daemon],
        suite.data_dir / "logs" / "supervisor.log",
        supervisor_environment(suite),
        suite.data_dir,
    )
    return identify(process.pid) or Identity(process.pid, time.time())


async def _follow(suite: Suite, supervisor: Identity, greeting: str) -> int:
    progress, told, heard = Progress(suite.data_dir), 0, time.monotonic()
    while True:
        alive = is_alive(supervisor)  # asked before reading: whatever it said before its end is read
        lines = progress.lines()
        for line in lines[told:]:
            if (code := _tell(suite, line, greeting)) is not None:
                return code
        if len(lines) > told:
            told, heard = len(lines), time.monotonic()
        if not alive:
            return _fail(f"The supervisor ended.\n{last_lines(suite.data_dir / 'logs' / 'supervisor.log')}")
        if time.monotonic() - heard > SILENCE_S:
            heard = time.monotonic()
            say(f"  … still starting; logs are in {suite.data_dir / 'logs'}")
        await asyncio.sleep(LOOK_S)


def _tell(suite: Suite, line: Line, greeting: str) -> int | None:
    match line.kind:
        case "step":
            say(f"  {line.text}")
            return None
        case "ready":
            say(banner(suite.data_dir, greeting))
            return 0
        case "failed":
            return _fail(f"{line.text}\n\nWhat was started is stopped again. All logs: {suite.data_dir / 'logs'}")


def _fail(text: str) -> int:
    sys.stderr.write(f"\nalarum: {text}\n")
    return 1


def _make_folder(data_dir: Path) -> None:
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        (data_dir / "run").mkdir(exist_ok=True)
        (data_dir / "run" / "writable").touch()
    except OSError as error:
        raise WrongWish(f"DATA_DIR={data_dir} cannot be written ({error.strerror}). Choose another one.") from error


def _check_port(suite: Suite) -> None:
    if not is_free(suite.port, suite.host):
        raise WrongWish(
            f"port {suite.port} is in use{_by_whom(suite.port)}. Choose another: make up PORT={suite.port + 1}"
        )


def _by_whom(port: int) -> str:
    """Who listens there, where the system tells this user."""
    with contextlib.suppress(psutil.Error, OSError):
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr[1] == port and connection.pid:
                return f" by {psutil.Process(connection.pid).name()} (pid {connection.pid})"
    return ""
