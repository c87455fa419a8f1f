"""A real Alertmanager (Debian's) that sends its webhooks to the suite; alerts are told to it as Prometheus would."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from tests.e2e.suite import eventually, free_port

NAMES = ("prometheus-alertmanager", "alertmanager")

CONFIGURATION = """
route:
  receiver: alarum
  group_by: [alertname, instance]
  group_wait: 0s
  group_interval: 1s
  repeat_interval: 1h
receivers:
- name: alarum
  webhook_configs:
  - url: {url}
    send_resolved: true
"""


@dataclass(frozen=True)
class Alertmanager:
    url: str

    def fire(self, name: str, summary: str) -> None:
        self._tell(name, summary, datetime.now(UTC) + timedelta(hours=1))

    def recover(self, name: str, summary: str) -> None:
        self._tell(name, summary, datetime.now(UTC))

    def _tell(self, name: str, summary: str, ends_at: datetime) -> None:
        alert = {
            "labels": {"alertname": name, "instance": "db-1:9100", "severity": "critical"},
            "annotations": {"summary": summary},
            "endsAt": ends_at.isoformat(),
            "generatorURL": "http://prometheus.example.org/graph",
        }
        httpx.post(f"{self.url}/api/v2/alerts", json=[alert], timeout=10).raise_for_status()


def program() -> str:
    """Where Alertmanager is; without one the test is skipped, in CI it fails."""
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found:
        return found
    reason = "Alertmanager is not installed (Debian: apt-get install prometheus-alertmanager)"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def alertmanager(folder: Path, webhook: str) -> Iterator[Alertmanager]:
    """Run one that posts to `webhook`; its data and its log are in `folder`."""
    configuration = folder / "alertmanager.yml"
    configuration.write_text(CONFIGURATION.format(url=webhook))
    url = f"http://127.0.0.1:{free_port()}"
    arguments = [f"--config.file={configuration}", f"--storage.path={folder / 'data'}", "--cluster.listen-address="]
    with (folder / "alertmanager.log").open("w") as log:
        process = subprocess.Popen(
            [program(), *arguments, f"--web.listen-address={url.removeprefix('http://')}"], stdout=log, stderr=log
        )
        try:
            eventually(lambda: _ready(url), what="Alertmanager's start")
            yield Alertmanager(url)
        finally:
            process.terminate()
            process.wait(timeout=20)


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/-/ready", timeout=5).status_code == 200
    except httpx.TransportError:
        return False
