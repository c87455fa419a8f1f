"""A suite with a process for each role: names go in, and single processes are killed, frozen or kept away; its traces are kept.

What runs under a name is in `DATA_DIR/run/<name>.json`, as the supervisor wrote it; nothing else is ever touched.
"""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from launcher.processes import Identity, family, is_alive, recall, signal_all
from tests.e2e.suite import MINUTE_S, STORM_WINDOW_S, Suite, eventually, free_port

SUPERVISOR = "supervisor"


@dataclass(frozen=True)
class Span:
    """What an OTLP receiver learns of one span. Ids are hex; `parent` is empty at a root. `kind` is OTLP's number."""

    process: str
    name: str
    kind: int
    trace: str
    id: str
    parent: str


@dataclass
class Receiver:
    """An OTLP/HTTP receiver at `url`: keeps every span that is exported to it."""

    spans: list[Span] = field(default_factory=list)
    url: str = ""

    @contextmanager
    def listening(self) -> Iterator["Receiver"]:
        spans = self.spans

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                spans.extend(_spans(ExportTraceServiceRequest.FromString(body)))
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_words: object) -> None:
                """Tests are silent."""

        server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()


def _spans(request: ExportTraceServiceRequest) -> list[Span]:
    return [
        Span(_process(group), span.name, span.kind, span.trace_id.hex(), span.span_id.hex(), span.parent_span_id.hex())
        for group in request.resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]


def _process(group: object) -> str:
    attributes = group.resource.attributes  # type: ignore[attr-defined]
    return next(str(each.value.string_value) for each in attributes if each.key == "service.name")


@dataclass(frozen=True)
class Roles:
    """The suite, its processes by name, and what it exported."""

    suite: Suite
    receiver: Receiver

    def who(self, name: str) -> Identity:
        """Who runs under this name now."""
        found = recall(self.suite.data_dir / "run" / f"{name}.json")
        assert found is not None, f"nothing was ever started as {name}"
        return found

    def kill(self, name: str) -> Identity:
        """kill -9 of a process with all its children, as a crash would; who it was."""
        who = self.who(name)
        signal_all(family(who), signal.SIGKILL)
        eventually(lambda: not is_alive(who), what=f"the end of {name}")
        return who

    def until_restarted(self, name: str, before: Identity) -> None:
        """The supervisor has started it again, and it is ready."""
        eventually(lambda: self.who(name).pid != before.pid and self.is_ready(name), what=f"{name}, started again")

    def is_ready(self, name: str) -> bool:
        try:
            return httpx.get(f"{self._ops[name]}/readyz", timeout=5, trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    @contextmanager
    def away(self, *names: str) -> Iterator[None]:
        """These are killed and stay away, because their supervisor is frozen meanwhile; then they come back."""
        killed = {}
        os.kill(self.who(SUPERVISOR).pid, signal.SIGSTOP)
        try:
            killed = {name: self.kill(name) for name in names}
            yield
        finally:
            os.kill(self.who(SUPERVISOR).pid, signal.SIGCONT)
            eventually(lambda: all(self._is_back(*each) for each in killed.items()), what=f"{', '.join(names)}, back")
            eventually(lambda: all(map(self.is_ready, self._ops)), what="every role ready again")

    def _is_back(self, name: str, before: Identity) -> bool:
        now = recall(self.suite.data_dir / "run" / f"{name}.json")
        return now is not None and now.pid != before.pid

    @contextmanager
    def frozen(self, name: str) -> Iterator[None]:
        """It keeps its connections and answers nothing."""
        who = self.who(name)
        signal_all(family(who), signal.SIGSTOP)
        try:
            yield
        finally:
            signal_all(family(who), signal.SIGCONT)

    def environment_of(self, name: str) -> dict[str, str]:
        """What this process was started with."""
        pairs = Path(f"/proc/{self.who(name).pid}/environ").read_bytes().split(b"\0")
        return dict(pair.decode().split("=", 1) for pair in pairs if b"=" in pair)

    @property
    def _ops(self) -> dict[str, str]:
        return dict(pair.split("=", 1) for pair in self.suite.settings["OPS_URLS"].split(","))


@pytest.fixture(scope="package")
def roles(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Roles]:
    """One further suite for what needs its processes apart; each test leaves it whole.

    While writing a test, ALARUM_ROLES=<DATA_DIR of a running suite with LAYOUT=roles> takes that one instead.
    """
    if ready := os.environ.get("ALARUM_ROLES"):
        yield Roles(Suite(Path(ready), 0, {}).known(), Receiver())
        return
    with Receiver().listening() as receiver:
        suite = Suite(
            data_dir=tmp_path_factory.mktemp("roles") / "data",
            port=free_port(),
            environment={
                "LAYOUT": "roles",
                "MINUTE_S": str(MINUTE_S),
                "STORM_WINDOW_S": str(STORM_WINDOW_S),
                "OTLP_ENDPOINT": receiver.url,
            },
        )
        suite.up()
        yield Roles(suite, receiver)
        suite.down()
