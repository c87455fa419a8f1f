"""deploy/k8s/base, from the installed roles, what each of them needs, the settings and the path table.

`python -m launcher.kubernetes [--check] [DIR]` writes (or compares) it in DIR (default: the repository).
"""

import sys
from base64 import b64encode
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from pydantic import SecretStr

from launcher.compose import HTTP_PORT, PAGES, ROOT, container_of, upstreams
from runtime.host import ROUTER, known_roles
from runtime.role import Role
from runtime.settings import Settings
from runtime.subscription import Deciding
from web.paths import TABLE

BASE: Final = Path("deploy") / "k8s" / "base"
TEMPLATES: Final = Path(__file__).parent / "k8s"
OPS_PORT: Final = 8081
NAMESPACE: Final = "alarum"
SETTINGS: Final = "alarum-settings"
SECRETS: Final = "alarum-secrets"
AUTHORITY: Final = "alarum-kafka-ca"
GATEWAY: Final = "ingest.gateway"


class Need(StrEnum):
    """What a role reaches, in the words of the table in docs/operations.md."""

    KAFKA = "Kafka"
    POSTGRES = "Postgres"
    MAIL = "the mail server"
    TOOLS = "other tools"
    PAGES = "`PAGES_DIR`"
    ROLES = "the other roles"


_DECIDES: Final = frozenset({Need.KAFKA, Need.POSTGRES})

NEEDS: Final[Mapping[str, frozenset[Need]]] = {
    ROUTER: frozenset({Need.ROLES}),
    GATEWAY: frozenset({Need.KAFKA}),
    "ingest.worker": _DECIDES,
    "ingest.web": _DECIDES | {Need.TOOLS},
    "escalator.worker": _DECIDES,
    "escalator.web": _DECIDES,
    "notifier.worker": _DECIDES | {Need.MAIL},
    "notifier.web": _DECIDES | {Need.MAIL},
    "accounts.web": _DECIDES,
    "connectors.worker": _DECIDES | {Need.TOOLS, Need.MAIL},
    "connectors.web": _DECIDES | {Need.TOOLS},
    "statuspage.worker": _DECIDES | {Need.MAIL, Need.PAGES},
    "statuspage.web": _DECIDES,
    "statuspage.reader": frozenset({Need.PAGES}),
}

# What each step before the roles reaches; they are named as their commands are.
STEPS: Final[Mapping[str, Need]] = {"topics": Need.KAFKA, "migrate": Need.POSTGRES}

# Only who reads a secret is given it. The second word: whether a suite without it is refused.
SECRETS_FOR: Final[Mapping[Need, tuple[tuple[str, bool], ...]]] = {
    Need.KAFKA: (("KAFKA_PASSWORD", False),),
    Need.POSTGRES: (("DATABASE_URL", True),),
    Need.MAIL: (("SMTP_URL", True),),
}
KEYS: Final = (("SECRET_KEY", True), ("VAULT_KEYS", True), ("PEOPLE_KEYS", True))
OF_ONE_ROLE: Final[Mapping[str, tuple[tuple[str, bool], ...]]] = {
    GATEWAY: (("SECRET_KEY", True),),  # it knows the suite's own events by it
    "ingest.web": (("DEADMAN_URL", False),),
    "accounts.web": (("FIRST_ADMIN_EMAIL", False), ("FIRST_ADMIN_PASSWORD", False), ("FIRST_ADMIN_KEY", False)),
}

# Decided by where a process runs; each pod's `REPLICA` and the router's `UPSTREAMS` are written beside it.
DECIDED: Final[Mapping[str, str]] = {
    "HTTP_HOST": "0.0.0.0",  # noqa: S104 -- inside its pod
    "HTTP_PORT": str(HTTP_PORT),
    "OPS_HOST": "0.0.0.0",  # noqa: S104 -- behind the network policies
    "OPS_PORT": str(OPS_PORT),
    "PAGES_DIR": PAGES,
    "SYNTHETIC_URL": f"http://{container_of(GATEWAY)}:{HTTP_PORT}",
    "KAFKA_BOOTSTRAP": "kafka-bootstrap.kafka.svc:9092",
    "PUBLIC_URL": "https://alarum.example.org",
}
OF_A_POD: Final = frozenset({"REPLICA", "UPSTREAMS"})


@dataclass(frozen=True)
class Scale:
    """How many of a role there are. `most` None: as many as `least`, whatever the load."""

    least: int = 2
    most: int | None = None
    cpu: str = "50m"
    memory: str = "192Mi"
    memory_limit: str = "512Mi"


# Those that hold nothing: no place in a group, no connection to Postgres. A storm or an incident brings them their load.
SCALES: Final[Mapping[str, Scale]] = {
    GATEWAY: Scale(most=8, cpu="250m"),
    ROUTER: Scale(most=6, cpu="100m"),
    "statuspage.reader": Scale(most=6),
}


@dataclass(frozen=True)
class Pods:
    """One role as the template wants it. `is_member`: it reads in a group; `http`: it answers under paths."""

    role: str
    name: str
    needs: frozenset[Need]
    is_member: bool
    http: bool
    scale: Scale
    secrets: tuple[tuple[str, bool], ...]
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def kind(self) -> str:
        """A static member's name must outlive its pod; everybody else's need not."""
        return "StatefulSet" if self.is_member else "Deployment"

    @property
    def takes_traffic_unready(self) -> bool:
        """A web role answers for itself while Kafka or Postgres is away, once it was ready; without Kafka a gateway cannot."""
        return self.http and Need.POSTGRES in self.needs

    @property
    def reaches_kafka(self) -> bool:
        return Need.KAFKA in self.needs

    @property
    def pages(self) -> str | None:
        """How the folder of public pages is mounted."""
        if Need.PAGES not in self.needs:
            return None
        return "rw" if Need.KAFKA in self.needs else "ro"


@dataclass(frozen=True)
class Step:
    """One of the two commands before everything else."""

    name: str
    secrets: tuple[tuple[str, bool], ...]
    reaches_kafka: bool


def pods() -> list[Pods]:
    """The router, then every role that an installed service offers. Raises LookupError when nobody said what one needs."""
    if unknown := known_roles().keys() - NEEDS.keys():
        raise LookupError(f"say in launcher.kubernetes.NEEDS what {', '.join(sorted(unknown))} needs")
    router = Pods(
        ROUTER, ROUTER, NEEDS[ROUTER], False, True, SCALES[ROUTER], (), environment={"UPSTREAMS": upstreams()}
    )
    return [router, *(_pods(name) for name in sorted(known_roles()))]


def _pods(name: str) -> Pods:
    is_member, http = _facts(name)
    return Pods(name, container_of(name), NEEDS[name], is_member, http, SCALES.get(name, Scale()), _secrets(name))


@cache
def _facts(name: str) -> tuple[bool, bool]:
    """Whether it reads in a group, and whether it serves: asked of the role that runs, though it is never started."""
    key = SecretStr("k1:" + b64encode(bytes(32)).decode())
    role: Role = known_roles()[name].load()(Settings(secret_key=key, vault_keys=key, people_keys=key))
    return any(isinstance(part, Deciding) for part in role.parts), role.http is not None


def _secrets(role: str) -> tuple[tuple[str, bool], ...]:
    needs = NEEDS[role]
    found = [pair for need in Need if need in needs for pair in SECRETS_FOR.get(need, ())]
    keys = KEYS if Need.POSTGRES in needs else ()
    return (*found, *keys, *OF_ONE_ROLE.get(role, ()))


def steps() -> list[Step]:
    return [Step(name, SECRETS_FOR[need], need is Need.KAFKA) for name, need in STEPS.items()]


def secret_names() -> frozenset[str]:
    """Every setting that comes from the secret."""
    return frozenset(name for pairs in (*SECRETS_FOR.values(), KEYS, *OF_ONE_ROLE.values()) for name, _ in pairs)


def settings() -> list[tuple[str, str, str]]:
    """What is no secret: variable, value (empty: the default) and its sentence."""
    own = [(name.upper(), field.description or "") for name, field in Settings.model_fields.items()]
    kept = [(name, said) for name, said in own if name not in secret_names() | OF_A_POD]
    return [(name, DECIDED.get(name, ""), said) for name, said in kept]


def reaching(found: Collection[Pods], need: Need) -> list[str]:
    """The roles and steps that need this, as their label has them."""
    return [one.role for one in found if need in one.needs] + [name for name, needed in STEPS.items() if needed is need]


def event_rules() -> list[tuple[str, str]]:
    """What goes to the gateway past the router: path and type, in the words of an Ingress."""
    mine = [pattern for pattern, role in TABLE if role == GATEWAY]
    return [(pattern.removesuffix("/**"), "Prefix" if pattern.endswith("/**") else "Exact") for pattern in mine]


def documents() -> dict[str, str]:
    """Every generated file by its path in the repository."""
    templates = Environment(
        loader=FileSystemLoader(TEMPLATES),
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701 -- YAML
    )
    found = pods()
    common = {
        "namespace": NAMESPACE,
        "settings_name": SETTINGS,
        "secrets_name": SECRETS,
        "authority": AUTHORITY,
        "image": f"alarum:{version('alarum-launcher')}",
        "pages_dir": PAGES,
        "http_port": HTTP_PORT,
        "ops_port": OPS_PORT,
    }

    def rendered(template: str, **words: object) -> str:
        return templates.get_template(f"{template}.jinja").render(**common, **words)

    files = {f"roles/{one.name}.yaml": rendered("role.yaml", pods=one) for one in found}
    files |= {
        "namespace.yaml": rendered("namespace.yaml"),
        "pages.yaml": rendered("pages.yaml"),
        "steps.yaml": rendered("steps.yaml", steps=steps()),
        "network.yaml": rendered(
            "network.yaml", pods=found, reaching=reaching, Need=Need, router=ROUTER, gateway=GATEWAY
        ),
        "ingress.yaml": rendered("ingress.yaml", rules=event_rules(), router=ROUTER, gateway=container_of(GATEWAY)),
        "settings.env": rendered("settings.env", settings=settings()),
    }
    listed = sorted(name for name in files if name.endswith(".yaml"))
    files["kustomization.yaml"] = rendered("kustomization.yaml", resources=listed)
    return {(BASE / name).as_posix(): text for name, text in files.items()}


def differences(folder: Path) -> list[str]:
    """Generated files that are missing or differ, and files beside them that nobody generates."""
    wanted = documents()
    stale = [path for path, text in wanted.items() if _read(folder / path) != text]
    there = {file.relative_to(folder).as_posix() for file in (folder / BASE).rglob("*") if file.is_file()}
    return [*stale, *sorted(there - wanted.keys())]


def _read(file: Path) -> str | None:
    return file.read_text(encoding="utf-8") if file.exists() else None


def main(arguments: list[str]) -> int:
    folder = Path(next((argument for argument in arguments if not argument.startswith("-")), ROOT))
    if "--check" in arguments:
        stale = differences(folder)
        for path in stale:
            sys.stderr.write(f"{folder / path} is not what `make docs` would write\n")
        return 1 if stale else 0
    wanted = documents()
    for path in set(differences(folder)) - wanted.keys():
        (folder / path).unlink()
    for path, text in wanted.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
