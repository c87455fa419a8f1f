"""One suite, alive: starts servers, topics, databases and processes in order, restarts what dies, stops all on SIGTERM.

python -m launcher.supervisor     wishes as environment variables; in a session of its own, so that it outlives `make up`
"""

import asyncio
import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from aiokafka.errors import KafkaError

from launcher import external, seed
from launcher.native import Servers
from launcher.processes import clean_environment, identify, remember
from launcher.progress import Progress
from launcher.server import Server, ServerFailed
from launcher.services import MailSink, Service, reserve
from launcher.suite import Plan, Suite, WrongWish, read_env, secrets_of, suite_of, write_env

WATCH_S = 0.5
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 30.0
SETTLED_S = 10.0  # whoever lived this long gets the first pause again
LOG_LIMIT = 50_000_000
TRIM_S = 60.0

Say = Callable[[str], None]


@dataclass(frozen=True)
class Programs:
    """What is run with our Python, as its arguments; tests put toys here."""

    host: tuple[str, ...] = ("-m", "runtime.host")
    topics: tuple[str, ...] = ("-m", "runtime.topics")
    migrate: tuple[str, ...] = ("-m", "runtime.migrate")
    plant: Callable[[str, str], Awaitable[dict[str, str]]] = seed.plant  # (URL, API key) -> what dev.env says of it


OURS = Programs()


class Supervisor:
    """Start with `start`, keep alive with `watch`, end with `stop`. `say` gets one sentence for each step."""

    def __init__(self, suite: Suite, say: Say, programs: Programs = Programs()) -> None:
        self.suite = suite
        self._programs = programs
        self._say = say
        self._secrets = secrets_of(suite.data_dir)
        self._servers = Servers(suite.data_dir, say, suite.door)
        self._sink = None if suite.smtp_url else MailSink(suite.data_dir)
        self._http = {plan.name: reserve(suite.data_dir, f"{plan.name}.http") for plan in suite.plans}
        self._ops = {plan.name: reserve(suite.data_dir, f"{plan.name}.ops") for plan in suite.plans}
        self._services: list[Service] = []

    async def start(self) -> None:
        """Everything, until a user may come; the demo's people and source too, the first time. Raises ServerFailed."""
        await _together(self._start_broker(), self._start_database(), self._start_sink())
        self._services = [self._service(plan) for plan in self.suite.plans]
        await _together(*(self._timed(f"process {service.name}", service) for service in self._services))
        if not (self.suite.data_dir / "seed.env").exists():
            planted = await self._programs.plant(self.suite.local_url, self._secrets["FIRST_ADMIN_KEY"])
            write_env(self.suite.data_dir / "seed.env", planted)
            self._say("demo people, schedule, policy and source are there")
        write_env(self.suite.data_dir / "dev.env", self._dev_env())

    async def watch(self) -> None:
        """Restart whatever dies, for ever."""
        async with asyncio.TaskGroup() as group:
            for server in self._all():
                group.create_task(self._keep(server))
            group.create_task(self._trim_logs())

    async def stop(self) -> None:
        """End all, those first who write to the others."""
        await asyncio.gather(*(service.stop() for service in self._services))
        if self._sink is not None:
            await self._sink.stop()
        await self._servers.stop()

    def _all(self) -> list[Server]:
        sink = [] if self._sink is None else [self._sink]
        return [self._servers.kafka, self._servers.postgres, *sink, *self._services]

    async def _start_broker(self) -> None:
        await self._timed("Kafka", self._servers.kafka)
        await self._step("topics", self._programs.topics)
        if self.suite.door is not None:
            await self._open_door(self.suite.door)

    async def _open_door(self, door: external.Listener) -> None:
        try:
            await external.grant(self._servers.bootstrap, door.user)
        except KafkaError as refused:
            raise ServerFailed(f"Kafka does not let {door.user} read: {refused}") from refused
        self._say(f"others read the event stream at {door.host}:{door.port}")

    async def _start_database(self) -> None:
        await self._timed("Postgres", self._servers.postgres)
        await self._step("databases", self._programs.migrate)

    async def _start_sink(self) -> None:
        if self._sink is not None:
            await self._timed("mail sink", self._sink)

    async def _timed(self, what: str, server: Server) -> None:
        started = time.monotonic()
        await server.start()
        self._say(f"{what} ready ({time.monotonic() - started:.1f} s)")

    async def _step(self, what: str, program: tuple[str, ...]) -> None:
        started = time.monotonic()
        done = await asyncio.to_thread(_run_program, program, clean_environment(self._environment()))
        log = self.suite.data_dir / "logs" / f"{what}.log"
        await asyncio.to_thread(log.write_bytes, done.stdout)
        if done.returncode:
            tail = "\n".join(f"    | {line}" for line in done.stdout.decode(errors="replace").splitlines()[-12:])
            raise ServerFailed(f"{what} could not be made ({' '.join(program)}):\n{tail}")
        self._say(f"{what} ready ({time.monotonic() - started:.1f} s)")

    def _service(self, plan: Plan) -> Service:
        command = [*self._programs.host, *plan.roles]
        ready_url = f"http://127.0.0.1:{self._ops[plan.name]}/readyz"
        return Service(self.suite.data_dir, plan.name, command, self._process_environment(plan), ready_url)

    def _environment(self) -> dict[str, str]:
        """What every process of the suite gets."""
        smtp_url = self.suite.smtp_url if self._sink is None else self._sink.smtp_url
        return {
            "KAFKA_BOOTSTRAP": self._servers.bootstrap,
            "DATABASE_URL": self._database_url(),
            "PUBLIC_URL": self.suite.url,
            "PAGES_DIR": str(self.suite.data_dir / "pages"),
            "SYNTHETIC_URL": f"http://{_reached(self.suite.host)}:{self.suite.port}",
            "PRIVATE_TARGETS": "127.0.0.0/8,::1/128",
            "SMTP_URL": smtp_url,
            "REPLICA": "0",
            **self._secrets,
            **self.suite.passed_on,
        }

    def _process_environment(self, plan: Plan) -> dict[str, str]:
        public = "router" in plan.roles
        own = {
            "HTTP_HOST": self.suite.host if public else "127.0.0.1",
            "HTTP_PORT": str(self.suite.port if public else self._http[plan.name]),
            "OPS_PORT": str(self._ops[plan.name]),
        }
        return self._environment() | own | ({"UPSTREAMS": self._upstreams()} if public else {})

    def _upstreams(self) -> str:
        """Where the router finds each role that is not in its own process."""
        others = [plan for plan in self.suite.plans if "router" not in plan.roles]
        return ",".join(f"{role}=http://127.0.0.1:{self._http[plan.name]}" for plan in others for role in plan.roles)

    def _database_url(self) -> str:
        return self._servers.postgres.dsn_of("{service}") if self._servers.postgres.port else ""

    def _dev_env(self) -> dict[str, str]:
        ops = ",".join(f"{name}=http://127.0.0.1:{port}" for name, port in self._ops.items())
        return {
            "URL": self.suite.url,
            "API_KEY": self._secrets["FIRST_ADMIN_KEY"],
            "INTEGRATION_KEY": read_env(self.suite.data_dir / "seed.env")["INTEGRATION_KEY"],
            "MAIL_URL": "" if self._sink is None else self._sink.url,
            "DEMO_EMAIL": self._secrets["FIRST_ADMIN_EMAIL"],
            "DEMO_PASSWORD": self._secrets["FIRST_ADMIN_PASSWORD"],
            "KAFKA_BOOTSTRAP": self._servers.bootstrap,
            "DATABASE_URL": self._database_url(),
            "SMTP_URL": self._environment()["SMTP_URL"],
            "OPS_URLS": ops,
        }

    async def _keep(self, server: Server) -> None:
        pause, started = FIRST_PAUSE_S, time.monotonic()
        while True:
            await asyncio.sleep(WATCH_S)
            if server.is_running():
                continue
            pause = next_pause(pause, lived_s=time.monotonic() - started)
            self._say(f"{server.name} ended; it is started again in {pause:.1f} s")
            await asyncio.sleep(pause)
            await self._revive(server)
            started = time.monotonic()

    async def _revive(self, server: Server) -> None:
        """A process of ours may wait for servers that are away, so it is only launched; servers are waited for."""
        if isinstance(server, Service):
            server.launch()
            return
        try:
            await server.start()
        except ServerFailed as error:
            self._say(str(error))
        else:
            self._say(f"{server.name} is back")

    async def _trim_logs(self) -> None:
        """Keep one old half of a log that grew too long. Writers append, so they go on at the new end."""
        while True:
            await asyncio.sleep(TRIM_S)
            for log in (self.suite.data_dir / "logs").glob("*.log"):
                if log.stat().st_size > LOG_LIMIT:
                    await asyncio.to_thread(shutil.copyfile, log, log.with_suffix(".old"))
                    os.truncate(log, 0)


def next_pause(before_s: float, lived_s: float) -> float:
    """Seconds before the next start: twice as many as before each time, unless it had lived for a while."""
    return FIRST_PAUSE_S if lived_s > SETTLED_S else min(before_s * 2, LONGEST_PAUSE_S)


async def _together(*steps: Coroutine[Any, Any, None]) -> None:
    """All at once; the first that fails ends the others, and its error is the one told."""
    try:
        async with asyncio.TaskGroup() as group:
            for step in steps:
                group.create_task(step)
    except ExceptionGroup as failures:
        raise failures.exceptions[0] from None


def _reached(host: str) -> str:
    """Where this machine finds what listens there."""
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104


def _run_program(program: tuple[str, ...], environment: Mapping[str, str]) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, *program]
    return subprocess.run(command, env=dict(environment), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)


async def run(suite: Suite, programs: Programs) -> int:
    """The daemon's life. Progress goes to the file that `make up` reads; later news go to the log."""
    progress = Progress(suite.data_dir)

    def say(text: str) -> None:
        sys.stderr.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} {text}\n")
        progress.write("step", text)

    asked_to_stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, asked_to_stop.set)
    stopping = asyncio.create_task(asked_to_stop.wait())
    try:
        supervisor = Supervisor(suite, say, programs)
    except WrongWish as error:
        progress.write("failed", str(error))
        return 1
    living = asyncio.create_task(_live(supervisor, progress))
    try:
        await asyncio.wait([living, stopping], return_when=asyncio.FIRST_COMPLETED)
        living.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await living
    finally:
        stopping.cancel()
        await supervisor.stop()
    return 0 if asked_to_stop.is_set() else 1


async def _live(supervisor: Supervisor, progress: Progress) -> None:
    try:
        await supervisor.start()
    except (ServerFailed, seed.SeedFailed, OSError) as error:
        await supervisor.stop()  # first, so that «failed» means that nothing runs any more
        progress.write("failed", str(error))
        return
    progress.write("ready", "")
    await supervisor.watch()


def _lock(data_dir: Path) -> TextIO | None:
    """Held as long as this process lives: one supervisor for a data folder."""
    file = (data_dir / "run" / "lock").open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        return None
    return file


def main(programs: Programs = OURS) -> int:
    suite = suite_of(os.environ)
    pid_file = suite.data_dir / "run" / "supervisor.json"
    me = identify(os.getpid())
    assert me is not None
    lock = _lock(suite.data_dir)
    if lock is None:
        sys.stderr.write(f"another supervisor runs {suite.data_dir}\n")
        return 2
    with lock:
        remember(pid_file, me)
        try:
            return asyncio.run(run(suite, programs))
        finally:
            pid_file.unlink(missing_ok=True)


if __name__ == "__main__":
    sys.exit(main())
