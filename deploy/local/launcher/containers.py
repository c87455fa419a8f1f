"""`make up BACKEND=docker`: the suite as docker-compose.yml says it, a container for each role, with the same demo and banner.

What is kept on this side (secrets, addresses) is in DATA_DIR/docker; the data is in volumes of the project's own name.
"""

import asyncio
import hashlib
import json
import os
import secrets
import shutil
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from launcher import seed
from launcher.banner import banner
from launcher.processes import clean_environment, free_port
from launcher.server import read_port, write_port
from launcher.suite import Suite, WrongWish, read_env, secrets_of, write_env

ROOT = Path(__file__).resolve().parents[3]
FILES = ("docker-compose.yml", "deploy/compose/external.yml")
READY_WITHIN_S, LOOK_S = 600.0, 1.0
# How the client finds its engine; nothing else of the environment goes in, for it would win over what we give.
ENGINE = ("DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_CONFIG", "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH")

Plant = Callable[[str, str], Awaitable[dict[str, str]]]


class NotReady(Exception):
    """Containers did not become ready, or a command failed; the message says which and shows what they said."""


async def up(suite: Suite, plant: Plant = seed.plant) -> int:
    """0 when the suite is ready, 1 when it is not, after saying why."""
    compose = Compose(suite)
    try:
        compose.check_engine()
        compose.write_environment()
        _say("Building and starting containers (the first time takes minutes) …")
        await asyncio.to_thread(compose.run, "up", "--detach", "--build", "--remove-orphans")
        await compose.until_ready()
        await _plant_once(suite, compose, plant)
    except (WrongWish, NotReady, seed.SeedFailed) as error:
        sys.stderr.write(f"\nalarum: {error}\n")
        return 1
    _say(banner(compose.folder, "Alarum is ready at", stop=f"make down BACKEND=docker{_other_folder(suite)}"))
    return 0


async def down(suite: Suite) -> int:
    """Stop and remove the containers; the volumes stay."""
    compose = Compose(suite)
    if not compose.environment.exists():
        _say(f"No containers were started from {suite.data_dir}.")
        return 0
    try:
        compose.check_engine()
        await asyncio.to_thread(compose.run, "down", "--remove-orphans")
    except (WrongWish, NotReady) as error:
        sys.stderr.write(f"\nalarum: {error}\n")
        return 1
    _say("Stopped. The data stays in its volumes; make up BACKEND=docker continues with it.")
    return 0


class Compose:
    """docker compose for one suite: its project, its files, what is filled in."""

    def __init__(self, suite: Suite) -> None:
        self.suite = suite
        self.folder = suite.data_dir / "docker"
        self.environment = self.folder / "compose.env"
        self.project = f"alarum-{hashlib.sha256(str(suite.data_dir).encode()).hexdigest()[:8]}"

    def check_engine(self) -> None:
        """Raises WrongWish: the client alone proves nothing."""
        if shutil.which("docker") is None:
            raise WrongWish("BACKEND=docker needs docker, which is not on the PATH. Leave BACKEND unset to go without.")
        if _docker("compose", "version").returncode:
            raise WrongWish(
                "this docker has no «docker compose» (version 2). Install its plugin, or leave BACKEND unset."
            )
        asked = _docker("version", "--format", "{{.Server.Version}}")
        if asked.returncode:
            raise WrongWish(
                "BACKEND=docker, but no Docker engine answers. Start one, set DOCKER_HOST, or leave BACKEND unset.\n"
                f"{_tail(asked.stdout)}"
            )

    def write_environment(self) -> None:
        """What the compose file asks for, kept for `docker compose --env-file`. Raises WrongWish."""
        self._check_keys()
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        given = self._values()
        for name, value in given.items():
            if "'" in value or "\n" in value:
                raise WrongWish(f"{name} has a quote or a line break in it, which BACKEND=docker cannot hand over.")
        write_env(self.environment, {name: f"'{value}'" for name, value in given.items()})

    def _check_keys(self) -> None:
        known = (self.folder / "secrets.env").exists()
        label = f"label=com.docker.compose.project={self.project}"
        if not known and _docker("volume", "ls", "--quiet", "--filter", label).stdout.strip():
            raise WrongWish(
                f"there are volumes of {self.project}, but {self.folder / 'secrets.env'} is gone, and with it the keys. "
                "Put it back, or use another DATA_DIR."
            )

    def _values(self) -> dict[str, str]:
        suite, door = self.suite, self.suite.door
        given = secrets_of(self.folder) | {
            "POSTGRES_PASSWORD": self._password(),
            "PORT": str(suite.port),
            "HTTP_BIND": suite.host,
            "PUBLIC_URL": suite.url,
            "PRIVATE_TARGETS": "127.0.0.0/8,::1/128",
            "MAIL_PORT": str(self.mail_port()),
            **({"SMTP_URL": suite.smtp_url} if suite.smtp_url else {}),
            **suite.passed_on,
        }
        if door is not None:
            given |= {
                "EXTERNAL_HOST": door.host,
                "EXTERNAL_PORT": str(door.port),
                "EXTERNAL_CERTIFICATE": door.certificate,
                "EXTERNAL_USER": door.user,
                "EXTERNAL_PASSWORD": door.password,
            }
        return given

    def _password(self) -> str:
        file = self.folder / "postgres.env"
        if not file.exists():
            write_env(file, {"POSTGRES_PASSWORD": secrets.token_hex(16)})
        return read_env(file)["POSTGRES_PASSWORD"]

    def mail_port(self) -> int:
        """The one of the last time: our own container may hold it now."""
        known = read_port(self.folder, "mail")
        port = known if known is not None else free_port()
        write_port(self.folder, "mail", port)
        return port

    def run(self, *arguments: str) -> str:
        """What it printed. Raises NotReady."""
        done = _docker("compose", *self._options(), *arguments)
        if done.returncode:
            raise NotReady(f"docker compose {arguments[0]} failed:\n{_tail(done.stdout)}")
        return done.stdout

    def _options(self) -> list[str]:
        files = FILES if self.suite.door is not None else FILES[:1]
        named = [word for file in files for word in ("--file", str(ROOT / file))]
        return [
            "--project-name",
            self.project,
            "--project-directory",
            str(ROOT),
            "--env-file",
            str(self.environment),
            *named,
        ]

    async def until_ready(self) -> None:
        """Every container healthy, or done. Raises NotReady when one failed, or after ten minutes."""
        waits: list[str] = []
        try:
            async with asyncio.timeout(READY_WITHIN_S):
                while waits := self._waits(await asyncio.to_thread(self.run, "ps", "--all", "--format", "json")):
                    await asyncio.sleep(LOOK_S)
        except TimeoutError:
            raise NotReady(
                f"after {READY_WITHIN_S / 60:.0f} minutes these are not ready: {', '.join(waits)}. "
                f"See: docker compose --project-name {self.project} logs {waits[0]}"
            ) from None

    @staticmethod
    def _waits(listed: str) -> list[str]:
        return [one["Service"] for one in _objects(listed) if not _is_ready(one)]


def _is_ready(container: Mapping[str, Any]) -> bool:
    match container["State"], container.get("Health", ""):
        case "running", "" | "healthy":
            return True
        case "exited", _:
            return bool(container.get("ExitCode") == 0)
        case _:
            return False


def _objects(listed: str) -> list[dict[str, Any]]:
    """A line for each container; older versions print one array."""
    if listed.lstrip().startswith("["):
        return list(json.loads(listed))
    return [json.loads(line) for line in listed.splitlines() if line.startswith("{")]


async def _plant_once(suite: Suite, compose: Compose, plant: Plant) -> None:
    known = read_env(compose.folder / "secrets.env")
    if not (compose.folder / "seed.env").exists():
        write_env(compose.folder / "seed.env", await plant(suite.local_url, known["FIRST_ADMIN_KEY"]))
    shown = {
        "URL": suite.url,
        "API_KEY": known["FIRST_ADMIN_KEY"],
        "INTEGRATION_KEY": read_env(compose.folder / "seed.env")["INTEGRATION_KEY"],
        "MAIL_URL": "" if suite.smtp_url else f"http://127.0.0.1:{compose.mail_port()}",
        "DEMO_EMAIL": known["FIRST_ADMIN_EMAIL"],
        "DEMO_PASSWORD": known["FIRST_ADMIN_PASSWORD"],
        "SMTP_URL": suite.smtp_url,
    }
    write_env(compose.folder / "dev.env", shown)


def _docker(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Only standard output is read as data; what it complains of is behind it."""
    engine = {name: os.environ[name] for name in ENGINE if name in os.environ}
    command: Sequence[str] = ("docker", *arguments)
    done = subprocess.run(command, cwd=ROOT, env=clean_environment(engine), capture_output=True, text=True, check=False)
    if done.returncode:
        done.stdout += done.stderr
    return done


def _tail(output: str) -> str:
    return "\n".join(f"    | {line}" for line in output.splitlines()[-15:])


def _other_folder(suite: Suite) -> str:
    return "" if suite.data_dir.name == ".alarum" else f" DATA_DIR={suite.data_dir}"


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
