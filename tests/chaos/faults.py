"""What goes wrong in a run, by the launcher's pids: kills, freezes, absences; when each began and when all was well again."""

import asyncio
import errno
import http.client
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import asyncpg
import psutil

from launcher.processes import Identity, family, free_port, is_alive, recall, signal_all
from launcher.server import Server
from launcher.services import Service
from tests.e2e.roles import Roles
from tests.e2e.suite import eventually

RELAY_LOCK: Final = 4_100_001
LEADER: Final = "relay of "
SERVERS: Final = ("kafka", "postgres")
LOOK_S: Final = 0.1
BACK_WITHIN_S: Final = 150.0
WATCH_S: Final = 0.5


@dataclass
class Fault:
    """Instants are seconds since the epoch: it began, its cause ended (a restart, a thaw), and every process was ready again."""

    kind: str
    target: str
    began: float
    ended: float = 0.0
    ready: float = 0.0
    note: str = ""

    @property
    def touches_mail(self) -> bool:
        """Whether a mail may have been on its way, its fate unwritten: its sender died, or the base or the receiver went."""
        return self.kind == "receiver" or self.target.startswith(
            ("notifier.worker", "postgres", "relay of notifier", "kafka")
        )


@dataclass
class Replicas:
    """A second process of these roles, started and kept alive by the test; what runs is recorded as the supervisor's are."""

    roles: Roles
    names: Sequence[str]
    ports: dict[str, int] = field(default_factory=dict)
    ops: dict[str, str] = field(default_factory=dict)

    @contextmanager
    def running(self) -> Iterator["Replicas"]:
        services = [self._service(name) for name in self.names]
        over = threading.Event()
        watcher = threading.Thread(target=_keep, args=(services, over), name="replicas")
        for service in services:
            service.launch()
        watcher.start()
        try:
            eventually(lambda: all(_is_ready(url) for url in self.ops.values()), 120, "the second replicas")
            yield self
        finally:
            over.set()
            watcher.join()
            for service in services:
                _end(service)

    def _service(self, name: str) -> Service:
        http, ops, second = free_port(), free_port(), f"{name}.second"
        given = self.roles.environment_of(name) | {"REPLICA": "1", "HTTP_PORT": str(http), "OPS_PORT": str(ops)}
        self.ports[second], self.ops[second] = http, f"http://127.0.0.1:{ops}"
        return Service(
            self.roles.suite.data_dir, second, ["-m", "runtime.host", name], given, f"{self.ops[second]}/readyz"
        )


def _keep(services: Sequence[Server], over: threading.Event) -> None:
    while not over.wait(WATCH_S):
        for service in services:
            if not service.is_running():
                service.launch()


def _end(service: Service) -> None:
    who = service._identity
    if who is not None:
        signal_all(family(who), signal.SIGTERM)
        eventually(lambda: not service.is_running(), 30, f"the end of {service.name}")


@dataclass
class Wrecker:
    """Does the harm. `replicas` may be killed too."""

    roles: Roles
    flows_since: Callable[[float], bool]
    """Whether an event that was sent after this instant became an alert."""
    replicas: Replicas | None = None
    faults: list[Fault] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._killed: dict[int, tuple[str, Identity]] = {}

    def kill(self, target: str) -> Fault:
        """SIGKILL of a process by its name, or of who leads the relay of a service (`relay of <service>`)."""
        name = self._leader(target.removeprefix(LEADER)) if target.startswith(LEADER) else target
        before = self._alive(name)
        fault = self._begins(Fault("kill", target, time.time(), note="" if name == target else name))
        signal_all(family(before), signal.SIGKILL)
        eventually(lambda: not is_alive(before), what=f"the end of {name}")
        self._killed[id(fault)] = (name, before)
        return fault

    def until_well(self, fault: Fault) -> None:
        """The killed one runs again, and every process is ready."""
        name, before = self._killed.pop(id(fault))
        _until(lambda: (now := self._runs(name)) is not None and now.pid != before.pid, f"{name}, started again")
        fault.ended = time.time()
        self.until_all_is_well(fault)

    @contextmanager
    def frozen(self, name: str) -> Iterator[Fault]:
        with self.roles.frozen(name):
            fault = self._begins(Fault("frozen", name, time.time()))
            yield fault
            fault.ended = time.time()
        self.until_all_is_well(fault)

    @contextmanager
    def away(self, name: str) -> Iterator[Fault]:
        """Killed, and nobody starts it again meanwhile."""
        fault = self._begins(Fault("gone", name, time.time()))
        with self.roles.away(name):
            yield fault
            fault.ended = time.time()
        self.until_all_is_well(fault)

    def until_all_is_well(self, fault: Fault) -> None:
        """Every process is ready, and what is sent now becomes alerts: a role says it is ready while it waits for a broker."""
        what = f"after {fault.kind} {fault.target}"
        _until(self.is_well, f"every role, ready {what}")
        _until(lambda: self.flows_since(fault.ended), f"an alert of a later event {what}")
        _until(self.is_well, f"every role, ready {what}")
        fault.ready = time.time()

    def is_well(self) -> bool:
        second = self.replicas.ops.values() if self.replicas else ()
        return all(map(_is_ready, [*self.roles._ops.values(), *second]))

    def _begins(self, fault: Fault) -> Fault:
        self.faults.append(fault)
        return fault

    def _runs(self, name: str) -> Identity | None:
        """Who runs under this name, if anybody does at this moment."""
        found = recall(self.roles.suite.data_dir / "run" / f"{name}.json")
        return found if found is not None and is_alive(found) else None

    def _alive(self, name: str) -> Identity:
        """Who runs under this name, as soon as somebody does."""
        return eventually(lambda: self._runs(name), what=f"{name}, running")  # type: ignore[return-value]

    def _leader(self, service: str) -> str:
        """The process whose connection holds the relay's lock."""
        dsn = self.roles.suite.settings["DATABASE_URL"].replace("{service}", service)
        names = [name for name in self._names() if name.startswith(f"{service}.")]

        def leads() -> str | None:
            port = _leader_port(dsn)
            return next((name for name in names if port in _ports_of(self._runs(name))), None)

        return str(eventually(leads, what=f"a leader of the relay of {service}"))

    def _names(self) -> list[str]:
        return [*self.roles._ops, *(self.replicas.ops if self.replicas else ())]


def _leader_port(dsn: str) -> int | None:
    """The client's port of the connection that leads; None where nobody does, or the base cannot say."""
    question = (
        "select client_port from pg_locks join pg_stat_activity using (pid) where locktype = 'advisory' and granted"
        " and classid = 0 and objid = $1::bigint::oid and pg_locks.database = (select oid from pg_database where datname = $2)"
    )

    async def ask() -> int | None:
        parts = urlsplit(dsn)
        connection = await asyncpg.connect(parts._replace(path="/postgres").geturl(), timeout=10)
        try:
            port: int | None = await connection.fetchval(question, RELAY_LOCK, parts.path[1:])
        finally:
            await connection.close()
        return port

    try:
        return asyncio.run(ask())
    except (OSError, asyncpg.PostgresError, TimeoutError):
        return None


def _ports_of(who: Identity | None) -> set[int]:
    """Local ports of a process' connections."""
    if who is None:
        return set()
    try:
        return {connection.laddr.port for connection in psutil.Process(who.pid).net_connections("tcp")}
    except psutil.NoSuchProcess:
        return set()


def _is_ready(ops: str) -> bool:
    """Asked often, of many, beside a load that must go on: with as little work as can be."""
    connection = http.client.HTTPConnection(urlsplit(ops).netloc, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _until(look: Any, what: str) -> None:
    """As `eventually`, with finer steps: what is measured here is time."""
    deadline = time.monotonic() + BACK_WITHIN_S
    while not look():
        assert time.monotonic() < deadline, f"{what} did not come within {BACK_WITHIN_S:.0f} s"
        time.sleep(LOOK_S)


def fill(root: Path, folder: Path) -> Path:
    """Fill the file system that a process with this root sees at `folder`, to the last byte; the file that does."""
    filler = root / folder.relative_to("/") / "filler"
    with filler.open("wb", buffering=0) as out:
        for size in (1 << 20, 1 << 12, 1):
            _write_all(out.fileno(), bytes(size))
    return filler


def _write_all(file: int, block: bytes) -> None:
    while True:
        try:
            os.write(file, block)
        except OSError as full:
            if full.errno != errno.ENOSPC:
                raise
            return
