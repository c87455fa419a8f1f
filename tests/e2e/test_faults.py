"""Postgres is gone, Kafka stands still: what the gateway said yes to is kept, what it could not keep it did not say yes to.

Judged by the sender's own list of answers.
"""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from secrets import token_hex

from aiokafka import AIOKafkaConsumer

from tests.chaos.load import Door
from tests.e2e.roles import Roles
from tests.e2e.suite import Suite, eventually

RATE = 200
BEFORE_S, FROZEN_S, AFTER_S = 1.0, 4.0, 1.0
SHUT_WITHIN_S = 1.0


# -- Postgres


@contextmanager
def another_gateway(roles: Roles) -> Iterator[None]:
    """A gateway that starts now, in the place of the one that ran; its supervisor must be frozen."""
    environment = roles.environment_of("ingest.gateway")
    roles.kill("ingest.gateway")
    log = roles.suite.data_dir / "logs" / "another-gateway.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "runtime.host", "ingest.gateway"], env=environment, stdout=out, stderr=out
        )
    try:
        eventually(lambda: roles.is_ready("ingest.gateway"), what="a gateway that was started without Postgres")
        yield
    finally:
        process.terminate()
        process.wait(timeout=20)


def test_without_postgres_events_are_taken_also_by_a_gateway_that_starts_then_and_become_alerts_later(
    roles: Roles,
) -> None:
    suite, mark = roles.suite, token_hex(3)
    user = suite.user(f"nobase{mark}")
    policy = suite.policy(f"No base {mark}", {"users": [{"id": user["id"]}], "escalationTimeout": 500})
    source = suite.source(f"No base {mark}", policy["id"])
    summaries = [f"No base {mark} running", f"No base {mark} started"]

    with roles.away("postgres"):
        suite.event(source["integrationKey"], summary=summaries[0], alertKey="running")
        away = suite.api.get("/api/alerts")
        assert (away.status_code, away.json()["code"]) == (503, "UNAVAILABLE")
        with another_gateway(roles):
            suite.event(source["integrationKey"], summary=summaries[1], alertKey="started")
            stranger = suite.public.post(
                "/api/events", json={"integrationKey": "x", "eventType": "ALERT", "summary": "x"}
            )
            assert stranger.status_code == 403, "its keys were read from Kafka"

    eventually(lambda: len(suite.alerts(source["id"])) == len(summaries), what="the alerts of what was taken")
    assert sorted(alert["summary"] for alert in suite.alerts(source["id"])) == sorted(summaries)
    eventually(lambda: len(suite.mails(f"nobase{mark}@example.org")) == len(summaries), what="a mail of each")


# -- Kafka


@dataclass
class Heard:
    """One request: when it was sent (seconds since the first), its answer, and how long that took."""

    key: str
    sent: float
    status: int
    code: str
    took: float


@dataclass
class Story:
    """What a sender at 200 requests a second heard, and when Kafka stood still."""

    heard: list[Heard] = field(default_factory=list)
    froze: float = 0.0
    thawed: float = 0.0

    def keys(self, *answers: int | str) -> set[str]:
        return {one.key for one in self.heard if one.status in answers or one.code in answers}

    def while_shut(self) -> list[Heard]:
        return [one for one in self.heard if self.froze + SHUT_WITHIN_S <= one.sent < self.thawed]


class Sender:
    """Posts events as lean as can be: what sends must not be slower than what answers."""

    def __init__(self, port: int, key: str) -> None:
        self._door, self._key = Door(port), key

    async def post(self, alert_key: str) -> tuple[int, str]:
        """The status, and the code of a refusal. Nobody is left without an answer."""
        event = {"integrationKey": self._key, "eventType": "ALERT", "summary": "Frozen", "alertKey": alert_key}
        status, code = await self._door.post(json.dumps(event).encode())
        assert status, f"{alert_key}: {code}"
        return status, code

    def close(self) -> None:
        self._door.close()


async def send_through_a_freeze(port: int, kafka: int, key: str) -> Story:
    """Open loop: a request every 5 ms whatever becomes of those before; Kafka is stopped in the middle."""
    loop, story, sender = asyncio.get_running_loop(), Story(), Sender(port, key)
    begin = loop.time()

    async def one(number: int) -> None:
        await asyncio.sleep(max(0.0, begin + number / RATE - loop.time()))
        sent = loop.time() - begin
        status, code = await sender.post(f"n{number}")
        story.heard.append(Heard(f"n{number}", sent, status, code, loop.time() - begin - sent))

    async def freeze() -> None:
        await asyncio.sleep(BEFORE_S)
        os.kill(kafka, signal.SIGSTOP)
        story.froze = loop.time() - begin
        await asyncio.sleep(FROZEN_S)
        story.thawed = loop.time() - begin
        os.kill(kafka, signal.SIGCONT)

    requests = int(RATE * (BEFORE_S + FROZEN_S + AFTER_S))
    try:
        await asyncio.gather(freeze(), *(one(number) for number in range(requests)))
    finally:
        os.kill(kafka, signal.SIGCONT)
        sender.close()
    return story


async def stored_signals(bootstrap: str, source: int) -> Counter[str]:
    """How often each alert key of this source is in the topic of what was sent to us."""
    found: Counter[str] = Counter()
    async with AIOKafkaConsumer("signals.v1", bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer:
        places = list(consumer.assignment())
        assert places, "without a group all partitions are ours"
        ends = await consumer.end_offsets(places)
        while any([await consumer.position(place) < end for place, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                events = (json.loads(record.value)["data"] for record in records)
                found.update(json.loads(event["body"])["alertKey"] for event in events if event["source"] == source)
    return found


def alert_keys(suite: Suite, source: int) -> Counter[str]:
    """How many alerts there are for each key."""
    found: Counter[str] = Counter()
    start = 0
    while page := suite.get("/api/alerts", sources=source, **{"max-results": 100, "start-index": start}):
        found.update(alert["alertKey"] for alert in page)
        start += len(page)
    return found


def test_a_frozen_kafka_is_told_within_a_second_and_every_yes_is_kept_once(roles: Roles) -> None:
    suite, mark = roles.suite, token_hex(3)
    user = suite.user(f"frozen{mark}")
    policy = suite.policy(f"Frozen {mark}", {"users": [{"id": user["id"]}], "escalationTimeout": 500})
    source = suite.source(f"Frozen {mark}", policy["id"])

    suite.event(source["integrationKey"], summary="Frozen", alertKey="first")
    gateway = int(roles.environment_of("ingest.gateway")["HTTP_PORT"])
    story = asyncio.run(send_through_a_freeze(gateway, roles.who("kafka").pid, source["integrationKey"]))
    kept, doubtful, busy = story.keys(202) | {"first"}, story.keys("IN_DOUBT"), story.keys("BROKER_BUSY")
    assert kept | doubtful | busy == {"first"} | {one.key for one in story.heard}, "nobody hears anything else"
    assert len(kept) > RATE * BEFORE_S / 2
    shut = story.while_shut()
    assert len(shut) > RATE, "enough was sent while the gate was shut"
    assert {one.code for one in shut} == {"BROKER_BUSY"}
    assert sorted(one.took for one in shut)[len(shut) * 9 // 10] < SHUT_WITHIN_S

    eventually(lambda: alert_keys(suite, source["id"]).keys() >= kept, what="an alert for every yes")
    stored = asyncio.run(stored_signals(suite.settings["KAFKA_BOOTSTRAP"], source["id"]))
    assert {key: stored[key] for key in kept} == dict.fromkeys(kept, 1), "every yes is kept once"
    assert stored.keys() - kept <= doubtful, "besides them only what was in doubt"
    eventually(lambda: alert_keys(suite, source["id"]).keys() == stored.keys(), what="an alert for all that is kept")

    for key in sorted(doubtful | busy)[:60]:
        suite.event(source["integrationKey"], summary="Again", alertKey=key)
    again = stored.keys() | set(sorted(doubtful | busy)[:60])
    eventually(lambda: alert_keys(suite, source["id"]).keys() == again, what="an alert for every retry")
    assert set(alert_keys(suite, source["id"]).values()) == {1}, "a retry that names its alert makes no second one"
