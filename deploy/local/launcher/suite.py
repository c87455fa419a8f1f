"""What one suite is: the wishes of whoever typed `make up`, the secrets made once, and the environment of its processes."""

import base64
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from launcher.external import Listener, WrongListener, listener_of
from launcher.processes import INHERITED

# What a user may wish for; everything else that a process reads is decided here.
PASSED_ON = ("MINUTE_S", "STORM_WINDOW_S", "MAIL_FROM", "OTLP_ENDPOINT", "LOG_LEVEL", "LOG_FORMAT")
BACKENDS = ("native", "docker")

DEMO_EMAIL = "ada@example.org"


class WrongWish(Exception):
    """A setting that cannot be followed; the message names it and what it may be."""


@dataclass(frozen=True)
class Plan:
    """One process: the roles it hosts and where it listens."""

    name: str
    roles: tuple[str, ...]


FRONT = ("router", "ingest.gateway", "statuspage.reader")
CORE = (
    *("accounts.web", "ingest.worker", "ingest.web", "escalator.worker"),
    *("escalator.web", "notifier.worker", "notifier.web", "connectors.worker", "connectors.web"),
    *("statuspage.worker", "statuspage.web"),
)
LAYOUTS = {
    "two": (Plan("front", FRONT), Plan("core", CORE)),
    "roles": tuple(Plan(role, (role,)) for role in (*FRONT, *CORE)),
}


@dataclass(frozen=True)
class Suite:
    """`port` is the public one; `smtp_url` empty means the built-in mail sink; `door` is for readers elsewhere."""

    data_dir: Path
    port: int = 8080
    smtp_url: str = ""
    layout: str = "two"
    host: str = "127.0.0.1"
    address: str = ""
    door: Listener | None = None
    in_containers: bool = False
    passed_on: Mapping[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """What people type."""
        return self.address or self.local_url

    @property
    def local_url(self) -> str:
        """Where this machine itself reaches the suite."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def plans(self) -> tuple[Plan, ...]:
        return LAYOUTS[self.layout]

    def wishes(self) -> dict[str, str]:
        """The same suite as environment variables, for the supervisor."""
        given = {
            "PORT": str(self.port),
            "DATA_DIR": str(self.data_dir),
            "SMTP_URL": self.smtp_url,
            "LAYOUT": self.layout,
            "HTTP_HOST": self.host,
            "PUBLIC_URL": self.address,
            "BACKEND": "docker" if self.in_containers else "native",
        }
        return given | (_door_wishes(self.door) if self.door else {}) | dict(self.passed_on)


def suite_of(environment: Mapping[str, str]) -> Suite:
    """Read the wishes. Raises WrongWish."""
    try:
        door = listener_of(environment)
    except WrongListener as wrong:
        raise WrongWish(str(wrong)) from wrong
    backend = environment.get("BACKEND") or "native"
    if backend not in BACKENDS:
        raise WrongWish(f"BACKEND is «{backend}»; it can be {' or '.join(BACKENDS)}.")
    layout = environment.get("LAYOUT") or "two"
    if layout not in LAYOUTS:
        raise WrongWish(f"LAYOUT is «{layout}»; it can be {' or '.join(LAYOUTS)}.")
    return Suite(
        data_dir=Path(environment.get("DATA_DIR") or ".alarum").expanduser().resolve(),
        port=_port(environment.get("PORT") or "8080"),
        smtp_url=environment.get("SMTP_URL", ""),
        layout=layout,
        host=environment.get("HTTP_HOST") or "127.0.0.1",
        address=environment.get("PUBLIC_URL", "").rstrip("/"),
        door=door,
        in_containers=backend == "docker",
        passed_on={name: environment[name] for name in PASSED_ON if environment.get(name)},
    )


def _door_wishes(door: Listener) -> dict[str, str]:
    return {
        "EXTERNAL_LISTENER": f"{door.host}:{door.port}",
        "EXTERNAL_CERTIFICATE": door.certificate,
        "EXTERNAL_USER": door.user,
        "EXTERNAL_PASSWORD": door.password,
    }


def _port(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= 65535:
        raise WrongWish(f"PORT is «{text}»; it must be a number from 1 to 65535.")
    return int(text)


def secrets_of(data_dir: Path) -> dict[str, str]:
    """The suite's secrets, made at the first start and kept in `secrets.env` for this user only.

    Raises WrongWish when there is data but no secrets: cells that these keys encrypted could never be read again.
    """
    file = data_dir / "secrets.env"
    if file.exists():
        return read_env(file)
    if (data_dir / "kafka").exists():
        raise WrongWish(
            f"{data_dir} has data, but {file} is gone, and with it the keys. Put it back, or use another DATA_DIR."
        )
    made = {
        "SECRET_KEY": secrets.token_urlsafe(32),
        "VAULT_KEYS": _cell_key(),
        "PEOPLE_KEYS": _cell_key(),
        "FIRST_ADMIN_EMAIL": DEMO_EMAIL,
        "FIRST_ADMIN_PASSWORD": secrets.token_urlsafe(12),
        "FIRST_ADMIN_KEY": secrets.token_urlsafe(32),
    }
    write_env(file, made)
    return made


def _cell_key() -> str:
    return "k1:" + base64.b64encode(secrets.token_bytes(32)).decode()


def write_env(file: Path, values: Mapping[str, str]) -> None:
    """One NAME=value a line, readable for this user only, whole or not at all."""
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_suffix(".part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.writelines(f"{name}={value}\n" for name, value in values.items())
    part.replace(file)


def read_env(file: Path) -> dict[str, str]:
    pairs = (line.partition("=") for line in file.read_text().splitlines() if "=" in line)
    return {name: value for name, _, value in pairs}


def supervisor_environment(suite: Suite) -> dict[str, str]:
    return {name: os.environ[name] for name in INHERITED if name in os.environ} | suite.wishes()
