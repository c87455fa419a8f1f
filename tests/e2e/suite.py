"""The product as a user has it: `make up` in a folder of its own, the HTTP API, the mail sink, and patience.

Minutes last a second and a storm's window a few, so that a night passes within a test.
"""

import os
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

ROOT = Path(__file__).parents[2]
MINUTE_S = 1.0
STORM_WINDOW_S = 30.0
PATIENCE_S = 60.0
LOOK_AGAIN_S = 0.1

T = TypeVar("T")


def eventually(look: Callable[[], T], within_s: float = PATIENCE_S, what: str = "") -> T:
    """The first truthy thing that `look` sees; fails with what it saw last when nothing comes in time."""
    until = time.monotonic() + within_s
    while True:
        seen = look()
        if seen:
            return seen
        if time.monotonic() > until:
            pytest.fail(f"{what or 'it'} did not happen within {within_s:.0f} s; seen last: {seen!r}")
        time.sleep(LOOK_AGAIN_S)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@dataclass
class Suite:
    """A running suite. `settings` are what `dev.env` says."""

    data_dir: Path
    port: int
    environment: Mapping[str, str]
    settings: dict[str, str] = field(default_factory=dict)

    def up(self) -> str:
        """`make up`; what it printed."""
        done = self.make("up")
        assert done.returncode == 0, done.stdout + done.stderr
        self.known()
        return done.stdout

    def known(self) -> "Suite":
        """Read what `dev.env` says."""
        lines = (self.data_dir / "dev.env").read_text().splitlines()
        self.settings = dict(line.split("=", 1) for line in lines if "=" in line)
        return self

    def down(self) -> None:
        done = self.make("down")
        assert done.returncode == 0, done.stdout + done.stderr

    def make(self, target: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["make", "--no-print-directory", target],
            cwd=ROOT,
            env={**os.environ, **self.environment, "PORT": str(self.port), "DATA_DIR": str(self.data_dir)},
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )

    @property
    def url(self) -> str:
        return self.settings["URL"]

    @cached_property
    def api(self) -> httpx.Client:
        """A client of the API as the administrator."""
        headers = {"Authorization": f"Bearer {self.settings['API_KEY']}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30)

    @cached_property
    def public(self) -> httpx.Client:
        """A client without any credential, as tools and mail readers are."""
        return httpx.Client(base_url=self.url, timeout=30)

    @cached_property
    def mail_sink(self) -> httpx.Client:
        return httpx.Client(base_url=self.settings["MAIL_URL"], timeout=30)

    def get(self, path: str, **query: Any) -> Any:
        answer = self.api.get(path, params=query)
        assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    def create(self, path: str, body: Mapping[str, Any]) -> Any:
        answer = self.api.post(path, json=body)
        assert answer.status_code in {200, 201}, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    def event(self, key: str, **event: Any) -> None:
        """Post as senders do: a 503 says that nothing was stored, and to come again."""
        body = {"integrationKey": key, "eventType": "ALERT"} | event
        answer = eventually(lambda: self._taken_or_refused(body), what="the gateway's yes")
        assert answer is not None
        assert answer.status_code == 202, answer.text

    def _taken_or_refused(self, body: Mapping[str, Any]) -> httpx.Response | None:
        answer = self.public.post("/api/events", json=body)
        return None if answer.status_code == 503 else answer

    def mails(self, to: str) -> list[dict[str, Any]]:
        """Mails to this address, oldest first."""
        messages = self.mail_sink.get("/api/messages", params={"to": to}).json()
        return [message for message in reversed(messages) if to in message["to"]]

    def user(self, name: str, role: str = "RESPONDER") -> dict[str, Any]:
        """A new person with a sign-in address of their own."""
        body = {"firstName": name, "lastName": "Example", "email": f"{name.lower()}@example.org", "role": role}
        user: dict[str, Any] = self.create("/api/users", body)
        return user

    def policy(self, name: str, *levels: Mapping[str, Any], **more: Any) -> dict[str, Any]:
        rules = [{"escalationTimeout": 5} | dict(level) for level in levels]
        policy: dict[str, Any] = self.create(
            "/api/escalation-policies", {"name": name, "escalationRules": rules} | more
        )
        return policy

    def source(self, name: str, policy: int, integration: str = "API", **more: Any) -> dict[str, Any]:
        body = {"name": name, "integrationType": integration, "escalationPolicy": {"id": policy}} | more
        source: dict[str, Any] = self.create("/api/alert-sources", body)
        return source

    def alerts(self, source: int) -> list[dict[str, Any]]:
        alerts: list[dict[str, Any]] = self.get("/api/alerts", sources=source, **{"max-results": 100})
        return alerts

    def timeline(self, alert: int) -> list[str]:
        """The alert's log entries as sentences, oldest first."""
        entries = self.get(f"/api/alerts/{alert}/log-entries", **{"max-results": 100})
        return [entry["text"] for entry in sorted(entries, key=lambda entry: (entry["timestamp"], entry["id"]))]


@pytest.fixture(scope="package")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Suite]:
    """One suite for all journeys; each brings people, policies and sources of its own.

    While writing a test, ALARUM_SUITE=<DATA_DIR of a running suite> takes that one instead, and leaves it running.
    """
    if ready := os.environ.get("ALARUM_SUITE"):
        yield Suite(Path(ready), 0, {}).known()
        return
    running = Suite(
        data_dir=tmp_path_factory.mktemp("suite") / "data",
        port=free_port(),
        environment={"MINUTE_S": str(MINUTE_S), "STORM_WINDOW_S": str(STORM_WINDOW_S), "SYNTHETIC_EVERY_S": "10"},
    )
    running.up()
    yield running
    running.down()
