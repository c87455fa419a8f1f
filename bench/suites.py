"""A version of Alarum goes in, a suite of it with a process for each role comes out, measured from outside only.

Another version than the working tree's is taken from git, with an environment of its own; the load client stays ours.
"""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from launcher.processes import INHERITED, Identity, end, family, free_port, identify, is_alive, recall, spawn

ROOT: Final = Path(__file__).resolve().parent.parent
HOME: Final = ROOT / ".alarum" / "bench"
MINUTE_S: Final = 10.0
STORM_WINDOW_S: Final = 10.0
UP_S: Final = 300.0
READY_S: Final = 60.0
MADE_READY: Final = """
import bootstrap
bootstrap.TOOLS.mkdir(exist_ok=True)
bootstrap.install_uv()
bootstrap.install_python_packages()
bootstrap.install_own_packages()
bootstrap.fetch_kafka()
"""
"""As `make ready`, but for what only browsers need: those files are ours, for nothing that is measured shows a page."""


class CannotRun(Exception):
    """A version could not be made or started; the text holds its last words."""


@dataclass(frozen=True)
class Version:
    """`name` is what the table calls it, `tree` where its code is, with an environment in `.venv`."""

    name: str
    commit: str
    tree: Path

    @property
    def python(self) -> Path:
        return self.tree / ".venv" / "bin" / "python"


def ours() -> Version:
    """The working tree as it stands; a commit with a plus has changes on top."""
    changed = _git("status", "--porcelain", "--untracked-files=no", "--", "libs", "services", "deploy")
    commit = _git("rev-parse", "--short", "HEAD") + ("+" if changed else "")
    return Version(commit, commit, ROOT)


def theirs(ref: str) -> Version:
    """The code of a git ref, ready to be started. Raises CannotRun."""
    commit = _git("rev-parse", "--short", f"{ref}^{{commit}}")
    tree = HOME / "trees" / commit
    if not (tree / "ready").exists():
        shutil.rmtree(tree, ignore_errors=True)
        tree.mkdir(parents=True)
        archive = subprocess.run(["git", "archive", commit], cwd=ROOT, capture_output=True, check=True)
        subprocess.run(["tar", "-x", "-C", str(tree)], input=archive.stdout, check=True)
        base = getattr(sys, "_base_executable", sys.executable)
        made = subprocess.run([base, "-c", MADE_READY], cwd=tree / "deploy" / "local", env=_clean(), check=False)
        if made.returncode:
            raise CannotRun(f"{ref} could not be made ready in {tree}")
        assets = Path("libs", "web", "web", "static", "build")
        shutil.copytree(ROOT / assets, tree / assets)
        (tree / "ready").touch()
    return Version(commit, commit, tree)


def _git(*words: str) -> str:
    done = subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotRun(f"git {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout.strip()


def _clean() -> dict[str, str]:
    return {name: os.environ[name] for name in INHERITED if name in os.environ}


@dataclass
class Suite:
    """A running suite. `settings` are what `dev.env` says."""

    version: Version
    data_dir: Path
    smtp_url: str
    settings: dict[str, str] = field(default_factory=dict)
    _port: int = 0
    _extra: list[Identity] = field(default_factory=list)

    # -- life

    async def start(self) -> None:
        """Raises CannotRun."""
        shutil.rmtree(self.data_dir, ignore_errors=True)
        self._port = free_port()
        done = await self._launcher("up")
        if done.returncode:
            raise CannotRun(f"{self.version.name} did not start:\n{done.stdout}{done.stderr}")
        lines = (self.data_dir / "dev.env").read_text().splitlines()
        self.settings = dict(line.split("=", 1) for line in lines if "=" in line)

    async def stop(self, *, keep: bool = False) -> None:
        for who in self._extra:
            await end(who)
        await self._launcher("down")
        if not keep:
            await asyncio.to_thread(shutil.rmtree, self.data_dir, ignore_errors=True)

    async def _launcher(self, what: str) -> "subprocess.CompletedProcess[str]":
        wishes = {
            "LAYOUT": "roles",
            "PORT": str(self._port),
            "DATA_DIR": str(self.data_dir),
            "SMTP_URL": self.smtp_url,
            "MINUTE_S": str(MINUTE_S),
            "STORM_WINDOW_S": str(STORM_WINDOW_S),
        }
        command = [str(self.version.python), "-m", "launcher", what]
        return await asyncio.to_thread(
            subprocess.run,
            command,
            cwd=self.version.tree,
            env=_clean() | wishes,
            capture_output=True,
            text=True,
            timeout=UP_S,
            check=False,
        )

    # -- its processes

    def who(self, name: str) -> Identity:
        """Who runs under this name now: a role's, `kafka`, `postgres` or `supervisor`."""
        found = recall(self.data_dir / "run" / f"{name}.json")
        if found is None:
            raise CannotRun(f"nothing was started as {name}")
        return found

    def processes(self) -> dict[str, list[Identity]]:
        """Every process of the suite, by name."""
        files = sorted((self.data_dir / "run").glob("*.json"))
        named = {file.stem: recall(file) for file in files if file.stem != "ports"}
        living = {name: who for name, who in named.items() if who is not None and is_alive(who)}
        # the supervisor is the parent of all others; only Postgres works through children of its own
        return {name: family(who) if name == "postgres" else [who] for name, who in living.items()}

    def environment_of(self, name: str) -> dict[str, str]:
        """What this process was started with."""
        pairs = Path(f"/proc/{self.who(name).pid}/environ").read_bytes().split(b"\0")
        return dict(pair.decode().split("=", 1) for pair in pairs if b"=" in pair)

    def port_of(self, role: str) -> int:
        """Where this role's own process serves HTTP."""
        return int(self.environment_of(role)["HTTP_PORT"])

    async def another(self, role: str) -> None:
        """A second replica of a role, until the suite is stopped."""
        ops = free_port()
        own = {"REPLICA": "1", "HTTP_PORT": "0", "OPS_PORT": str(ops)}
        command: Sequence[str | Path] = [self.version.python, "-m", "runtime.host", role]
        log = self.data_dir / "logs" / f"{role}-1.log"
        started = spawn(command, log, self.environment_of(role) | own, self.data_dir)
        if (who := identify(started.pid)) is not None:
            self._extra.append(who)
        await until_ready(f"http://127.0.0.1:{ops}")

    @property
    def port(self) -> int:
        """The public one, of the router."""
        return self._port

    @property
    def ops(self) -> Mapping[str, str]:
        return dict(pair.split("=", 1) for pair in self.settings["OPS_URLS"].split(","))

    # -- its API, for what is not measured

    def api(self) -> httpx.AsyncClient:
        """As the administrator."""
        headers = {"Authorization": f"Bearer {self.settings['API_KEY']}"}
        return httpx.AsyncClient(base_url=self.settings["URL"], headers=headers, timeout=60, trust_env=False)

    def dsn(self, service: str) -> str:
        return self.settings["DATABASE_URL"].replace("{service}", service)


async def create(http: httpx.AsyncClient, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """Make a resource. Raises CannotRun."""
    answer = await http.post(path, json=body)
    if not answer.is_success:
        raise CannotRun(f"POST {path}: {answer.status_code} {answer.text[:500]}")
    made: dict[str, Any] = answer.json()
    return made


async def until_ready(ops_url: str) -> None:
    """Raises TimeoutError."""
    async with asyncio.timeout(READY_S), httpx.AsyncClient(trust_env=False) as http:
        while not await _is_ready(http, ops_url):
            await asyncio.sleep(0.1)


async def _is_ready(http: httpx.AsyncClient, ops_url: str) -> bool:
    try:
        return (await http.get(f"{ops_url}/readyz")).is_success
    except httpx.TransportError:
        return False
