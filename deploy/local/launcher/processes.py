"""Processes of ours, known by pid *and* start time: a recorded pid that somebody else has by now is never touched."""

import asyncio
import contextlib
import errno
import json
import os
import random
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

# Outside the range from which kernels take ports for outgoing connections, so that a port stays ours over a restart.
PORTS = range(20_000, 32_000)
POLL_S = 0.05
RESERVED_S = 120.0
# boot time, from which psutil counts, moves when the clock is set
CLOCK_STEP_S = 2.0

# What a child may inherit. Anything else (PYTHONPATH, JAVA_TOOL_OPTIONS, PGHOST, DATABASE_URL …) belongs to other projects.
INHERITED = (
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "TZ", "LANG", "LC_ALL", "XDG_CACHE_HOME"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE"),
    *("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"),
)


@dataclass(frozen=True)
class Identity:
    """One process for ever: `started` is seconds since the epoch, as psutil tells it."""

    pid: int
    started: float


def identify(pid: int) -> Identity | None:
    """The identity of a live process; None for the dead, zombies included.

    A killed JVM is a zombie *with threads* for a while: its sockets are still open, so it is not dead yet.
    """
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE and len(list(Path(f"/proc/{pid}/task").glob("*"))) <= 1:
            return None
        return Identity(pid, process.create_time())
    except psutil.NoSuchProcess:
        return None


def is_alive(who: Identity) -> bool:
    now = identify(who.pid)
    return now is not None and abs(now.started - who.started) < CLOCK_STEP_S


def remember(file: Path, who: Identity) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    part.write_text(json.dumps(asdict(who)))
    part.replace(file)


def recall(file: Path) -> Identity | None:
    """Whom the file names, alive or not; None when there is no such file or it was cut off by a crash."""
    try:
        return Identity(**json.loads(file.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None


def clean_environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    return {name: os.environ[name] for name in INHERITED if name in os.environ} | dict(extra or {})


def spawn(
    command: Sequence[str | Path], log: Path, env: Mapping[str, str] | None = None, cwd: Path | None = None
) -> subprocess.Popen[bytes]:
    """Start in a session of its own (a Ctrl-C at the terminal is not for it), output appended to the log."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        return subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=clean_environment(env),
            cwd=cwd,
            start_new_session=True,
        )


def family(who: Identity) -> list[Identity]:
    """The process and all that it started, parents first; empty when it is gone."""
    if not is_alive(who):
        return []
    try:
        children = psutil.Process(who.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []
    return [who, *(known for child in children if (known := identify(child.pid)))]


def signal_all(whom: Sequence[Identity], what: signal.Signals) -> None:
    for who in whom:
        if is_alive(who):
            with contextlib.suppress(ProcessLookupError):
                os.kill(who.pid, what)


def stands_still(who: Identity) -> bool:
    """Whether a stopped process does nothing more: a signal reaches its threads one by one, and each may finish a word."""
    threads = Path(f"/proc/{who.pid}/task")
    if not threads.is_dir():
        return bool(psutil.Process(who.pid).status() == psutil.STATUS_STOPPED)
    return all(_state_of(thread) in ("T", "t", "") for thread in threads.iterdir())


def _state_of(thread: Path) -> str:
    """The letter of `man proc`; empty for one that has ended."""
    with contextlib.suppress(OSError):
        return thread.joinpath("stat").read_text().rpartition(")")[2].split()[0]
    return ""


async def end(who: Identity, first: signal.Signals = signal.SIGTERM, patience_s: float = 10) -> None:
    """Ask, wait, and kill what does not go, with its children. A frozen process is woken, so that it can hear."""
    members = family(who)
    signal_all(members, signal.SIGCONT)
    signal_all(members[:1], first)
    if not await wait_until(lambda: not any(map(is_alive, members)), patience_s):
        await kill(who, members)


async def kill(who: Identity, members: Sequence[Identity] = ()) -> None:
    """kill -9, as a crash would: the process, its children, and whom the caller knew before."""
    doomed = [*family(who), *members]
    signal_all(doomed, signal.SIGKILL)
    if not await wait_until(lambda: not any(map(is_alive, doomed)), 10):
        raise TimeoutError(f"process {who.pid} survives SIGKILL (a disk that does not answer?)")


async def wait_until(condition: Callable[[], bool], timeout_s: float) -> bool:
    """Whether the condition came true in time."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(POLL_S)
    return True


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno in {errno.EADDRINUSE, errno.EACCES}:
                return False
            raise
    return True


def free_port(wish: int | None = None, taken: Sequence[int] = ()) -> int:
    """The wished port when nobody has it, else one that nobody has now, and that nobody else was given just before."""
    if wish is not None and wish not in taken and is_free(wish):
        return wish
    candidates = random.sample(PORTS, 200)
    return next(port for port in candidates if port not in taken and is_free(port) and _reserve(port))


def _reserve(port: int) -> bool:
    """A port stays free until its server starts, some seconds from now: meanwhile another suite must not choose it too."""
    folder = Path(tempfile.gettempdir()) / f"alarum-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    marker = folder / str(port)
    try:
        if time.time() - marker.stat().st_mtime < RESERVED_S:
            return False
        marker.unlink(missing_ok=True)
    except FileNotFoundError:
        pass
    try:
        marker.touch(exist_ok=False)
    except FileExistsError:
        return False
    return True


def last_lines(log: Path, count: int = 12) -> str:
    """The end of a log, for the message of a failure."""
    try:
        lines = log.read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return f"    | (no {log.name} was written)"
    return "\n".join(f"    | {line[:300]}" for line in lines[-count:]) or f"    | ({log.name} is empty)"
