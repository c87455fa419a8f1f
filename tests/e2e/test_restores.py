"""Under 200 events a second a service loses its base: every event that was answered with yes is one alert, told once."""

import asyncio
import json
import os
import subprocess
import sys
from collections import Counter
from secrets import token_hex
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer

from tests.e2e.roles import Roles
from tests.e2e.suite import eventually
from tests.e2e.test_faults import RATE, Sender, alert_keys

SENDING_S = 5.0
PROCESSES = {
    "escalator": ("escalator.worker", "escalator.web"),
    "ingest": ("ingest.worker", "ingest.web"),
    "notifier": ("notifier.worker", "notifier.web"),
}


async def send(port: int, key: str, seconds: float) -> set[str]:
    """The alert keys that were answered with yes, an event every 5 ms."""
    loop, sender, yes = asyncio.get_running_loop(), Sender(port, key), set[str]()
    begin = loop.time()

    async def one(number: int) -> None:
        await asyncio.sleep(max(0.0, begin + number / RATE - loop.time()))
        status, _ = await sender.post(f"n{number}")
        if status == 202:
            yes.add(f"n{number}")

    try:
        await asyncio.gather(*(one(number) for number in range(int(RATE * seconds))))
    finally:
        sender.close()
    return yes


async def lose(dsn: str) -> None:
    """Drop a service's database."""
    parts = urlsplit(dsn)
    connection = await asyncpg.connect(parts._replace(path="/postgres").geturl())
    try:
        await connection.execute(f'drop database "{parts.path[1:]}" with (force)')
    finally:
        await connection.close()


async def everything(bootstrap: str, topic: str) -> list[dict[str, Any]]:
    """All events of a topic, first publications only."""
    found: dict[str, dict[str, Any]] = {}
    async with AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest") as consumer:
        ends = await consumer.end_offsets(list(consumer.assignment()))
        while any([await consumer.position(place) < end for place, end in ends.items()]):
            for records in (await consumer.getmany(timeout_ms=200)).values():
                found |= {event["id"]: event for event in (json.loads(record.value) for record in records)}
    return list(found.values())


@pytest.mark.parametrize(
    "service",
    [
        "escalator",
        pytest.param("ingest", marks=pytest.mark.soak),
        pytest.param("notifier", marks=pytest.mark.soak),
    ],
)
def test_a_service_whose_database_is_dropped_under_load_needs_one_command_and_pages_nobody_again(
    roles: Roles, service: str
) -> None:
    suite, mark = roles.suite, token_hex(3)
    user = suite.user(f"dropped{mark}")
    policy = suite.policy(f"Dropped {mark}", {"users": [{"id": user["id"]}], "escalationTimeout": 500})
    source = suite.source(f"Dropped {mark}", policy["id"])
    suite.event(source["integrationKey"], summary="Dropped", alertKey="first")
    eventually(lambda: suite.mails(f"dropped{mark}@example.org"), what="the first mail")
    gateway = int(roles.environment_of("ingest.gateway")["HTTP_PORT"])
    environment = roles.environment_of(f"{service}.worker")

    async def story() -> set[str]:
        sending = asyncio.create_task(send(gateway, source["integrationKey"], SENDING_S))
        await asyncio.sleep(SENDING_S / 2)
        await asyncio.to_thread(lose_and_come_back)
        return await sending

    def lose_and_come_back() -> None:
        with roles.away(*PROCESSES[service]):
            asyncio.run(lose(environment["DATABASE_URL"].replace("{service}", service)))
            command = [sys.executable, "-m", "runtime.migrate", service]
            done = subprocess.run(
                command, env={**os.environ, **environment}, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr

    yes = asyncio.run(story()) | {"first"}

    eventually(lambda: alert_keys(suite, source["id"]).keys() >= yes, what="an alert for every yes")
    keys = alert_keys(suite, source["id"])
    assert set(keys.values()) == {1}
    bootstrap = suite.settings["KAFKA_BOOTSTRAP"]

    def told() -> Counter[object]:
        events = asyncio.run(everything(bootstrap, "notifications.v1"))
        return Counter(
            event["data"]["alert"]
            for event in events
            if event["type"] == "notification.queued" and event["data"]["user"] == user["id"]
        )

    eventually(lambda: len(told()) >= len(keys), what="a notification for every alert")
    assert set(told().values()) == {1}, "nobody is paged again for what was told before"
    assert len(told()) == len(keys)
