"""`python -m runtime.host ROLE [ROLE…]`: role names go in; a process comes out that serves, tells its health and ends cleanly.

    settings, logs, traces -> roles by their entry points -> ops server -> parts start -> HTTP -> … SIGTERM
      -> unready -> HTTP drained (≤ 3 s) -> parts stopped in reverse (≤ 1.3 s) -> gone

Nothing waits for Kafka or Postgres: HTTP comes up at once and parts connect in the background. A background task
that dies ends the process with a line in the log; whoever supervises starts it again.
"""

import argparse
import asyncio
import signal
import socket
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Final

import uvicorn
import uvloop
from pydantic import ValidationError

from runtime import health, logs, metrics, telemetry
from runtime.measured import Measured
from runtime.role import DIED, Role
from runtime.settings import Settings

ROLES: Final = "alarum.roles"
HTTP: Final = "alarum.http"
ROUTER: Final = "router"
DRAIN_S: Final = 3
STARTED_WITHIN_S: Final = 1.0
STOPPED_WITHIN_S: Final = 1.3

log = logs.get("runtime.host")  # it runs as __main__


class CannotHost(Exception):
    """The process cannot even begin; the text says what to change."""


@dataclass(frozen=True)
class Plan:
    """What a process runs: its roles, and the one app that its HTTP server calls (None: it has none)."""

    roles: Sequence[Role]
    http: Any | None


def known_roles() -> dict[str, EntryPoint]:
    """Every role that an installed package offers, by name."""
    return {entry.name: entry for entry in entry_points(group=ROLES)}


def plan(names: Sequence[str], settings: Settings) -> Plan:
    """Make the roles. `router` is no role of a service: it is the path table, asked for every request."""
    known = known_roles()
    unknown = [name for name in names if name not in known and name != ROUTER]
    if unknown:
        raise CannotHost(f"there is no role {', '.join(unknown)}; there are {', '.join(sorted({*known, ROUTER}))}")
    roles = [_role(known[name], settings) for name in dict.fromkeys(names) if name != ROUTER]
    return Plan(roles, _http(roles, settings.upstream_urls if ROUTER in names else None))


def _role(entry: EntryPoint, settings: Settings) -> Role:
    try:
        role: Role = entry.load()(settings)
    except ValueError as wrong:
        raise CannotHost(f"{entry.name}: {wrong}") from wrong
    return role


def _http(roles: Sequence[Role], upstreams: Mapping[str, str] | None) -> Any | None:
    """One role is served as it is; several, or a router, are told apart by the path table."""
    apps = {role.name: Measured(role.name, role.http) for role in roles if role.http is not None}
    if upstreams is None and len(apps) <= 1:
        return next(iter(apps.values()), None)
    return _router()(apps, upstreams or {})


def _router() -> Callable[[Mapping[str, Any], Mapping[str, str]], Any]:
    """The router is a library of the same layer as this one: found by its name, never imported."""
    found = next(iter(entry_points(group=HTTP, name=ROUTER)), None)
    if found is None:
        raise CannotHost(f"no installed package offers {ROUTER} in {HTTP}")
    loaded: Callable[[Mapping[str, Any], Mapping[str, str]], Any] = found.load()
    return loaded


class Host:
    """One process' life. `stop` may be called from a signal handler, and any number of times."""

    def __init__(self, plan: Plan, settings: Settings) -> None:
        self._plan, self._settings = plan, settings
        self._ending = asyncio.Event()
        self._cause: str | None = None
        self.exit_code = 0

    def stop(self, why: str) -> None:
        if not self._ending.is_set():
            self._cause = why
            self._ending.set()

    async def run(self) -> int:
        """Serve until told to stop; the exit code: 0 after a signal, 1 after a failure."""
        asyncio.get_running_loop().set_exception_handler(self._heard)
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, self.stop, number.name)
        told = health.app(self._plan.roles, self._ending.is_set)
        ops = Server(told, self._settings.ops_host, self._settings.ops_port, drain_s=1)
        http = None
        if self._plan.http is not None:
            http = Server(self._plan.http, self._settings.http_host, self._settings.http_port, drain_s=DRAIN_S)
        servers = [server for server in (http, ops) if server is not None]
        try:
            for server in servers:
                server.open()
        except OSError as taken:
            log.error("the process cannot listen", reason=str(taken))
            return 1
        ops.serve()
        starting = asyncio.ensure_future(self._start())
        await asyncio.wait({starting}, timeout=STARTED_WITHIN_S)
        if http is not None and not self._ending.is_set():
            http.serve()
        log.info("hosting", http=http and http.port, ops=ops.port)
        await self._ending.wait()
        log.info("stopping", cause=self._cause)
        await self._stop(starting, servers)
        return self.exit_code

    async def _start(self) -> None:
        """Roles are strangers to each other and start side by side."""
        try:
            async with asyncio.TaskGroup() as together:
                for role in self._plan.roles:
                    together.create_task(role.start())
        except ExceptionGroup:
            log.exception("a role could not start")
            self.exit_code = 1
            self.stop("a role could not start")

    async def _stop(self, starting: "asyncio.Task[None]", servers: Sequence["Server"]) -> None:
        await asyncio.gather(*(server.stop() for server in servers))
        if (close := getattr(self._plan.http, "close", None)) is not None:  # a router's connections to elsewhere
            await close()
        starting.cancel()
        await asyncio.wait({starting})
        await self._stop_roles()
        log.info("stopped")

    async def _stop_roles(self) -> None:
        stopping = {asyncio.create_task(role.stop(), name=role.name) for role in self._plan.roles}
        if not stopping:
            return
        done, late = await asyncio.wait(stopping, timeout=STOPPED_WITHIN_S)
        for task in late:
            log.warning("a role did not stop in time", role=task.get_name())
            task.cancel()
        for task in done:
            if (failure := task.exception()) is not None:
                log.warning("a role did not stop cleanly", role=task.get_name(), exc_info=failure)

    def _heard(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """What the loop could tell nobody else; the death of a background task is the end of the process."""
        task, failure = context.get(DIED), context.get("exception")
        log.error(context["message"], exc_info=failure if isinstance(failure, BaseException) else None)
        if task is not None:
            metrics.TASKS_DIED.labels(task).inc()
            self.exit_code = 1
            self.stop(context["message"])


class Server:
    """An HTTP server of this process. It takes its port before anything else, so that a taken one is told at once."""

    def __init__(self, app: Any, host: str, port: int, *, drain_s: int) -> None:
        self._socket: socket.socket | None = None
        self._host, self.port = host, port
        config = uvicorn.Config(
            app,
            lifespan="off",  # a role's parts are its life
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=drain_s,
            timeout_keep_alive=75,
            backlog=1024,
        )
        self._uvicorn = _Unsignalled(config)
        self._serving: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Take the port; connections wait in its queue until `serve`. Raises OSError when somebody else has it."""
        self._socket = _bind(self._host, self.port)
        self.port = self._socket.getsockname()[1]

    def serve(self) -> None:
        assert self._socket is not None
        self._serving = asyncio.create_task(self._uvicorn.serve(sockets=[self._socket]), name=f"http {self.port}")
        self._serving.add_done_callback(self._ended)

    async def stop(self) -> None:
        """No new connections; those that are answered get `drain_s`, then they are cut (live streams reconnect)."""
        if self._serving is not None:
            self._uvicorn.handle_exit(signal.SIGTERM, None)  # also what tells live streams to end
            await asyncio.wait({self._serving})
        if self._socket is not None:
            self._socket.close()

    def _ended(self, serving: "asyncio.Task[None]") -> None:
        if serving.cancelled() or self._uvicorn.should_exit:
            return
        context = {
            "message": f"the server at {self._host}:{self.port} died",
            DIED: "http",
            "exception": serving.exception(),
        }
        serving.get_loop().call_exception_handler(context)


class _Unsignalled(uvicorn.Server):
    """Signals are the host's: two servers in one process would take them from each other."""

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        return nullcontext()


def _bind(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as taken:
        listening.close()
        raise OSError(taken.errno, f"{host}:{port}: {taken.strerror}") from taken
    listening.setblocking(False)
    return listening


async def _live(names: Sequence[str], settings: Settings) -> int:
    return await Host(plan(names, settings), settings).run()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m runtime.host", description="Run roles of Alarum in this process.")
    parser.add_argument("roles", nargs="+", metavar="ROLE", help=f"of {', '.join(sorted({*known_roles(), ROUTER}))}")
    names: list[str] = parser.parse_args(arguments).roles
    process = "+".join(dict.fromkeys(names))
    try:
        settings = Settings()
        logs.setup(settings.log_level, settings.log_format, process=process)
        telemetry.setup(settings.otlp_endpoint, process)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(_live(names, settings))
    except (CannotHost, ValidationError) as wrong:
        sys.stderr.write(f"alarum: {wrong}\n")
        return 2
    finally:
        telemetry.shutdown()


if __name__ == "__main__":
    sys.exit(main())
