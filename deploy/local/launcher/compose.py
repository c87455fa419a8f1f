"""docker-compose.yml and what belongs to it, from the installed roles, the settings and the path table.

`python -m launcher.compose [--check] [DIR]` writes (or compares) them in DIR (default: the repository).
"""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from launcher.external import NAME, OWN, Listener, together
from launcher.jars import read_lock
from launcher.native import BROKER_SETTINGS
from runtime.host import ROUTER, known_roles
from runtime.settings import Settings
from web.paths import TABLE

ROOT: Final = Path(__file__).resolve().parents[3]
IMAGE: Final = "alarum:local"
PAGES: Final = "/var/lib/alarum/pages"
CERTIFICATE: Final = "/etc/kafka/secrets/external.pem"
HTTP_PORT: Final = 8080

# Without these a suite would sign with what everybody knows, or could never read its own cells again.
SECRETS: Final = ("SECRET_KEY", "VAULT_KEYS", "PEOPLE_KEYS", "POSTGRES_PASSWORD")

# What a role waits for at its first start; whoever is not here needs both topics and databases.
AFTER: Final[dict[str, tuple[str, ...]]] = {ROUTER: (), "ingest.gateway": ("topics",), "statuspage.reader": ()}


@dataclass(frozen=True)
class Container:
    """One role as the template wants it."""

    name: str
    container: str
    after: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    ports: tuple[str, ...] = ()
    volumes: tuple[str, ...] = ()


def roles() -> list[Container]:
    """The router, then every role that an installed service offers."""
    return [_container(name) for name in (ROUTER, *sorted(known_roles()))]


def container_of(role: str) -> str:
    """Its name in the network; a dot would make it look like a domain."""
    return role.replace(".", "-")


def _container(role: str) -> Container:
    plain = Container(role, container_of(role), AFTER.get(role, ("topics", "migrate")))
    match role:
        case "router":
            door = f"${{HTTP_BIND:-127.0.0.1}}:${{PORT:-8080}}:{HTTP_PORT}"
            return replace(plain, environment={"UPSTREAMS": upstreams()}, ports=(door,))
        case "statuspage.reader":
            return replace(plain, volumes=(f"pages:{PAGES}:ro",))
        case _ if role.startswith("statuspage."):
            return replace(plain, volumes=(f"pages:{PAGES}",))
        case _:
            return plain


def upstreams() -> str:
    """Where the router finds each role that the path table names."""
    serving = sorted({role for _, role in TABLE})
    return ",".join(f"{role}=http://{container_of(role)}:{HTTP_PORT}" for role in serving)


def settings() -> dict[str, str]:
    """Every setting of a process: decided by where it runs, else the operator's to give; nothing given is the default."""
    decided = {
        "KAFKA_BOOTSTRAP": "${KAFKA_BOOTSTRAP:-kafka:9092}",
        "DATABASE_URL": f"postgresql://postgres:{secret('POSTGRES_PASSWORD')}@postgres:5432/{{service}}",
        "PUBLIC_URL": "${PUBLIC_URL:-http://127.0.0.1:${PORT:-8080}}",
        "HTTP_HOST": "0.0.0.0",  # noqa: S104 -- inside its container
        "HTTP_PORT": str(HTTP_PORT),
        "OPS_PORT": "8081",
        "REPLICA": "0",
        "PAGES_DIR": PAGES,
        "SMTP_URL": "${SMTP_URL:-smtp://mail:1025}",
        "SYNTHETIC_URL": f"http://{container_of('ingest.gateway')}:{HTTP_PORT}",
    } | {name: secret(name) for name in SECRETS if name != "POSTGRES_PASSWORD"}
    own = [name.upper() for name in Settings.model_fields if name != "upstreams"]
    return {name: decided.get(name, f"${{{name}:-}}") for name in own}


def secret(name: str) -> str:
    return f"${{{name}:?make secrets.env first, see docs/operations.md}}"


def kafka() -> dict[str, str]:
    """The broker's settings, as its image takes them."""
    return _as_environment(_broker())


def kafka_for_others() -> dict[str, str]:
    """What the broker is told beside, for the listener with TLS and a password."""
    door = Listener("${EXTERNAL_HOST:?the name that the certificate has}", 0, CERTIFICATE, "${EXTERNAL_USER}", "")
    own, told = _broker(), door.settings(":9094")
    told["advertised.listeners"] = f"{NAME}://{door.host}:${{EXTERNAL_PORT:-9094}}"
    jaas = next(name for name in told if name.endswith("jaas.config"))
    told[jaas] = told[jaas].replace('""', '"${EXTERNAL_PASSWORD:?a long one}"')
    told[jaas] = told[jaas].replace("${EXTERNAL_USER}", "${EXTERNAL_USER:?a word of a-z and 0-9}")
    assert told["super.users"] == OWN
    merged = together(own, told)
    return _as_environment({name: value for name, value in merged.items() if own.get(name) != value})


def _broker() -> dict[str, str]:
    return BROKER_SETTINGS | {
        "controller.quorum.voters": "1@localhost:9093",
        "listeners": "PLAINTEXT://:9092,CONTROLLER://:9093",
        "advertised.listeners": "PLAINTEXT://kafka:9092",
        "log.dirs": "/var/lib/kafka/data",
    }


def _as_environment(broker: Mapping[str, str]) -> dict[str, str]:
    """The image's rule: dots are underscores, dashes three of them."""
    return {"KAFKA_" + name.upper().replace("-", "___").replace(".", "_"): value for name, value in broker.items()}


def documents() -> dict[str, str]:
    """Every generated file by its path in the repository."""
    templates = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 -- YAML
    )
    templates.filters["quoted"] = json.dumps
    whole = templates.get_template("compose.yml.jinja").render(
        image=IMAGE, settings=settings(), kafka=kafka(), kafka_version=_kafka_version(), roles=roles(), secret=secret
    )
    others = templates.get_template("compose_external.yml.jinja").render(
        image=IMAGE, kafka=kafka_for_others(), certificate=CERTIFICATE
    )
    return {"docker-compose.yml": whole, "deploy/compose/external.yml": others}


def _kafka_version() -> str:
    """The version that runs natively."""
    return next(jar.version for jar in read_lock() if jar.artifact.startswith("kafka_"))


def differences(folder: Path) -> list[str]:
    """Generated files that are missing or differ."""
    return [
        path
        for path, text in documents().items()
        if not (folder / path).exists() or (folder / path).read_text(encoding="utf-8") != text
    ]


def main(arguments: list[str]) -> int:
    folder = Path(next((argument for argument in arguments if not argument.startswith("-")), ROOT))
    if "--check" in arguments:
        stale = differences(folder)
        for path in stale:
            sys.stderr.write(f"{folder / path} is not what `make docs` would write\n")
        return 1 if stale else 0
    for path, text in documents().items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
