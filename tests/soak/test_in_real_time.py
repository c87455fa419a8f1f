"""What needs minutes of real time: servers away for as long as outages last, windows of the real length, many starts.

`make soak` runs these; each prints its figures.
"""

import asyncio
import contextlib
import os
import re
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from launcher.processes import end, family, free_port, identify, recall, signal_all, spawn
from tests.e2e.suite import Suite, eventually

pytestmark = pytest.mark.soak

STARTS = 20
SMTP_AWAY_S = 150
BACK_WITHIN_S = 15
FROZEN_S = 30
STORM = 200
STORM_LASTS_S = 10
STORM_WINDOW_S = 180
REQUESTS_PER_S = 200


def say(text: str) -> None:
    sys.stderr.write(f"\nsoak: {text}\n")


@contextlib.contextmanager
def running(data_dir: Path, **environment: str) -> Iterator[Suite]:
    made = Suite(data_dir, free_port(), environment)
    made.up()
    try:
        yield made
    finally:
        made.down()


def demo_alerts(suite: Suite) -> list[dict[str, Any]]:
    return list(suite.get("/api/alerts", **{"max-results": 100}))


def test_the_banners_curl_gives_an_alert_the_moment_make_up_returns(tmp_path: Path) -> None:
    took = []
    for number in range(STARTS):
        suite = Suite(tmp_path / str(number), free_port(), {})
        began = time.monotonic()
        banner = suite.up()
        took.append(time.monotonic() - began)
        try:
            [curl] = re.findall(r"^curl .*$", banner, re.MULTILINE)
            done = subprocess.run(["bash", "-c", curl], capture_output=True, text=True, timeout=10, check=True)
            eventually(partial(demo_alerts, suite), 10, f"an alert after {done.stdout}")
        finally:
            suite.down()
    say(f"{STARTS} times make up: median {statistics.median(took):.1f} s, longest {max(took):.1f} s")
    assert max(took) < 60


@pytest_asyncio.fixture
async def sink(tmp_path: Path) -> AsyncIterator[dict[str, Any]]:
    """A mail sink of the test's own, so that no supervisor brings it back before its time."""
    smtp, http = free_port(), free_port()
    words = [
        "-m",
        "launcher.mailsink",
        "--smtp-port",
        str(smtp),
        "--http-port",
        str(http),
        "--folder",
        str(tmp_path / "mails"),
    ]
    made: dict[str, Any] = {"smtp_url": f"smtp://127.0.0.1:{smtp}", "url": f"http://127.0.0.1:{http}"}

    def start() -> None:
        made["process"] = spawn([sys.executable, *words], tmp_path / "sink.log")
        eventually(lambda: _answers(made["url"]), 30, "the mail sink")

    async def stop() -> None:
        who = identify(made["process"].pid)
        if who is not None:
            await end(who)
        made["process"].wait()

    made |= {"start": start, "stop": stop}
    start()
    yield made
    await stop()


def _answers(url: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(f"{url}/healthz").is_success
    return False


def _mails(url: str) -> list[dict[str, Any]]:
    return list(httpx.get(f"{url}/api/messages").json())


@pytest.mark.timeout(600)
async def test_a_mail_waits_for_the_mail_server_and_leaves_soon_after_its_return(
    sink: dict[str, Any], tmp_path: Path
) -> None:
    with running(tmp_path / "data", SMTP_URL=sink["smtp_url"]) as suite:
        await sink["stop"]()
        suite.event(suite.settings["INTEGRATION_KEY"], summary="While mail was away", alertKey="away")
        await asyncio.sleep(SMTP_AWAY_S)
        sink["start"]()
        returned = time.monotonic()
        eventually(lambda: _mails(sink["url"]), BACK_WITHIN_S, "the mail")
        say(f"mail server away {SMTP_AWAY_S} s: the mail came {time.monotonic() - returned:.1f} s after its return")


@pytest.mark.timeout(600)
async def test_two_hundred_alerts_in_ten_seconds_are_four_mails_in_a_window_of_real_length(tmp_path: Path) -> None:
    with running(tmp_path / "data") as suite:
        began = time.monotonic()
        for number in range(STORM):
            suite.event(suite.settings["INTEGRATION_KEY"], summary=f"Storm {number:03}", alertKey=f"storm-{number}")
            await asyncio.sleep(max(0.0, began + number * STORM_LASTS_S / STORM - time.monotonic()))

        def named() -> int:
            told = "".join(mail["subject"] + mail["text"] for mail in suite.mails(suite.settings["DEMO_EMAIL"]))
            return sum(f"Storm {number:03}" in told for number in range(STORM))

        eventually(lambda: named() == STORM, STORM_WINDOW_S + 30, "every alert named in a mail")
        mails = len(suite.mails(suite.settings["DEMO_EMAIL"]))
        say(f"{STORM} alerts in {STORM_LASTS_S} s: {mails} mails, the last after {time.monotonic() - began:.0f} s")
        assert mails <= 4


@pytest.mark.timeout(600)
async def test_a_frozen_kafka_is_told_to_senders_and_nothing_accepted_is_lost(tmp_path: Path) -> None:
    with running(tmp_path / "data") as suite:
        broker = recall(suite.data_dir / "run" / "kafka.json")
        assert broker is not None
        accepted, refusals = await _post_through_a_freeze(suite, family(broker))
        say(
            f"Kafka frozen {FROZEN_S} s: {len(accepted)} accepted, {len(refusals)} refused, slowest {max(refusals):.2f} s"
        )
        assert refusals
        wanted = set(accepted)
        eventually(lambda: wanted <= _keys(suite), 120, "every accepted event as an alert")


async def _post_through_a_freeze(suite: Suite, broker: list[Any]) -> tuple[list[str], list[float]]:
    """Post at a steady pace while the broker is frozen and a while after; keys that got a 2xx, seconds of each 503."""
    accepted: list[str] = []
    refusals: list[float] = []

    async def post(http: httpx.AsyncClient, key: str) -> None:
        event = {
            "integrationKey": suite.settings["INTEGRATION_KEY"],
            "eventType": "ALERT",
            "summary": key,
            "alertKey": key,
        }
        asked = time.monotonic()
        answer = await http.post("/api/events", json=event)
        if answer.is_success:
            accepted.append(key)
        else:
            assert answer.status_code == 503, answer.text
            refusals.append(time.monotonic() - asked)

    limits = httpx.Limits(max_connections=2_000)
    async with httpx.AsyncClient(base_url=suite.url, timeout=30, limits=limits) as http, asyncio.TaskGroup() as group:
        began = time.monotonic()
        signal_all(broker, signal.SIGSTOP)
        thawed = False
        for number in range((FROZEN_S + 10) * REQUESTS_PER_S):
            if not thawed and time.monotonic() - began > FROZEN_S:
                thawed = True
                signal_all(broker, signal.SIGCONT)
            group.create_task(post(http, f"k{os.getpid()}-{number}"))
            await asyncio.sleep(max(0.0, began + number / REQUESTS_PER_S - time.monotonic()))
    return accepted, refusals


def _keys(suite: Suite) -> set[str]:
    """The keys of all alerts, page by page; new ones move the others back, so that a page may repeat some."""
    found: list[str] = []
    while page := suite.get("/api/alerts", **{"start-index": len(found), "max-results": 100}):
        found += [alert["alertKey"] for alert in page]
    return set(found)
