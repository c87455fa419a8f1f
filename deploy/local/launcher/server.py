"""A process that answers: where it is recorded, how it is started, watched, frozen and ended; native servers and our own
processes alike.
"""

import asyncio
import json
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from launcher.processes import (
    POLL_S,
    Identity,
    end,
    family,
    free_port,
    identify,
    is_alive,
    kill,
    last_lines,
    recall,
    remember,
    signal_all,
    spawn,
    stands_still,
    wait_until,
)

START_TIMEOUT_S = 60.0
START_ATTEMPTS = 3  # somebody else may take a free port between our look and the server's bind
STOP_TIMEOUT_S = 20.0
FROZEN_WITHIN_S = 20.0
Say = Callable[[str], None]


class ServerFailed(Exception):
    """A server did not start; the message shows its last log lines and says what to do."""


class PortTaken(Exception):
    """Somebody else answers, or listens, at the port that we chose."""


def silent(_text: str) -> None:
    return


class Server:
    """One process with a name, a record of its pid, a log and a port of its own. What it runs, the heirs say."""

    name: str
    stop_signal: signal.Signals

    def __init__(self, data_dir: Path) -> None:
        self.data_dir = data_dir.resolve()
        self.log = self.data_dir / "logs" / f"{self.name}.log"
        self.output = self.log
        self.port = 0
        self._pid_file = self.data_dir / "run" / f"{self.name}.json"
        self._process: subprocess.Popen[bytes] | None = None
        self._identity: Identity | None = None

    @property
    def pid(self) -> int:
        """The pid of the running server. Raises RuntimeError when it was never started."""
        return self._who().pid

    def is_running(self) -> bool:
        self._reap()
        return self._identity is not None and is_alive(self._identity)

    async def start(self) -> None:
        """Start and wait until it answers. Raises ServerFailed."""
        await self.end_leftover()
        await self._prepare()
        for _ in range(START_ATTEMPTS):
            if await self._starts():
                return
        raise ServerFailed(f"{self.name}: no port stayed free. Its log ends with\n{self.last_words()}")

    def last_words(self) -> str:
        """The end of its logs, for the message of a failure."""
        return "\n".join(last_lines(log) for log in dict.fromkeys((self.output, self.log)) if log.exists())

    async def stop(self) -> None:
        """Ask it to end and wait; its data is complete on disk afterwards."""
        if self._identity is not None:
            await end(self._identity, self.stop_signal, STOP_TIMEOUT_S)
            self._forget()

    async def kill(self) -> None:
        """kill -9 of the server with all its children."""
        await kill(self._who())
        self._forget()

    async def restart(self) -> None:
        """Stop cleanly, start again on the same port and data."""
        await self.stop()
        await self.start()

    async def freeze(self) -> None:
        """SIGSTOP: connections stay open and nothing answers. The parent first, so that it starts no more children."""
        members = family(self._who())
        signal_all(members, signal.SIGSTOP)
        await wait_until(lambda: all(map(stands_still, members)), FROZEN_WITHIN_S)

    def thaw(self) -> None:
        signal_all(family(self._who()), signal.SIGCONT)

    async def end_leftover(self) -> None:
        """End what an earlier run left behind in this data folder; others' processes are told apart by start time."""
        left = recall(self._pid_file)
        if left is not None and left != self._identity and is_alive(left):
            await end(left, self.stop_signal, STOP_TIMEOUT_S)
        self._pid_file.unlink(missing_ok=True)

    async def _prepare(self) -> None:
        raise NotImplementedError

    def _command(self) -> list[str | Path]:
        raise NotImplementedError

    def _environment(self) -> Mapping[str, str]:
        """What it gets beside the inherited few."""
        return {}

    async def _answers(self) -> bool:
        raise NotImplementedError

    def _excuse(self) -> str:
        """What it said about not being ready, as a sentence."""
        return ""

    def _allocate(self) -> None:
        """Keep the port of the last time where nobody else took it."""
        self.port = free_port(self.port or read_port(self.data_dir, self.name))
        write_port(self.data_dir, self.name, self.port)

    async def _starts(self) -> bool:
        """Whether it came up; False when its port was taken meanwhile. Whatever goes wrong, nothing is left running."""
        try:
            await self._start_once()
        except PortTaken:
            await self.stop()
            self.port = 0
            return False
        except BaseException:
            await self.stop()
            raise
        return True

    def launch(self) -> None:
        """Only start it; it may take its time, or fail."""
        self._allocate()
        self._process = spawn(self._command(), self.output, self._environment(), self.data_dir)
        self._identity = identify(self._process.pid)
        if self._identity is not None:
            remember(self._pid_file, self._identity)

    async def _start_once(self) -> None:
        logged = self.log.stat().st_size if self.log.exists() else 0
        self.launch()
        deadline = time.monotonic() + START_TIMEOUT_S
        while not await self._answers():
            self._judge(logged, deadline)
            await asyncio.sleep(POLL_S)

    def _judge(self, logged: int, deadline: float) -> None:
        if not self.is_running():
            if "address already in use" in _read_from(self.log, logged).lower():
                raise PortTaken
            raise ServerFailed(f"{self.name} ended while starting. Its log ends with\n{self.last_words()}")
        if time.monotonic() > deadline:
            raise ServerFailed(
                f"{self.name} did not answer on port {self.port} within {START_TIMEOUT_S:.0f} s."
                f"{self._excuse()} Its log ends with\n{self.last_words()}"
            )

    def _who(self) -> Identity:
        if self._identity is None:
            raise RuntimeError(f"{self.name} is not running")
        return self._identity

    def _reap(self) -> None:
        if self._process is not None:
            self._process.poll()

    def _forget(self) -> None:
        self._reap()
        self._process, self._identity = None, None
        self._pid_file.unlink(missing_ok=True)


def read_port(data_dir: Path, name: str) -> int | None:
    try:
        ports: dict[str, int] = json.loads((data_dir / "run" / "ports.json").read_text())
    except (FileNotFoundError, ValueError):
        return None
    return ports.get(name)


def write_port(data_dir: Path, name: str, port: int) -> None:
    file = data_dir / "run" / "ports.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    known = json.loads(file.read_text()) if file.exists() else {}
    part = file.with_suffix(".part")
    part.write_text(json.dumps(known | {name: port}))
    part.replace(file)


def _read_from(log: Path, offset: int) -> str:
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(offset)
        return file.read().decode(errors="replace")


async def is_listening(port: int) -> bool:
    try:
        _, writer = await asyncio.wait_for(asyncio.open_connection("127.0.0.1", port), 1)
    except (OSError, TimeoutError):
        return False
    writer.close()
    return True
