"""The same on real Kafka and Postgres, with the roles as they are shipped: aliases under a race, and time that opens and closes."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from events.accounts import ApikeyIssued, Role, UserChanged
from events.core import Event
from events.envelope import Envelope, encode
from events.topics import PEOPLE
from runtime import role as roles
from runtime import topics
from runtime.access import digest, person_cell
from runtime.broker_kafka import KafkaBroker
from runtime.clock import SystemClock
from runtime.kafka_producer import KafkaProducer
from runtime.ledger_postgres import PostgresLedger
from runtime.migrate import migrate
from runtime.ports import Message
from runtime.settings import Settings
from runtime.vault import Keyring
from statuspage.app import shell_of, web_role, worker_role
from tests.backend import Backend
from tests.integration.statuspage.house import ADA, KEYS, NAMES, SECRET, URL, key_of

WITHIN_S = 60


class Running:
    """Both roles in one process, and somebody who speaks for `accounts`."""

    def __init__(self, broker: KafkaBroker, given: Settings) -> None:
        self.broker, self.given = broker, given
        self.roles: list[tuple[PostgresLedger, roles.Role]] = []

    async def run(self, role_of: Callable[..., roles.Role]) -> roles.Role:
        ledger = PostgresLedger(self.given.database_of("statuspage"))
        await ledger.start()
        role = role_of(shell_of(self.given, ledger, self.broker, SystemClock()))
        await role.start()
        self.roles.append((ledger, role))
        async with asyncio.timeout(WITHIN_S):
            while role.waits_for():
                await asyncio.sleep(0.02)
        return role

    async def stop(self) -> None:
        for ledger, role in self.roles:
            await role.stop()
            await ledger.stop()

    async def say(self, events: Iterable[Event]) -> None:
        await self.broker.producer.send(
            [
                Message(event.topic or PEOPLE.name, event.key, encode(Envelope(event, event.stream, 1, "another")))
                for event in events
            ]
        )


@pytest_asyncio.fixture
async def running(
    backend: Backend, topic_prefix: str, database_template: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Running]:
    monkeypatch.setattr(KafkaProducer, "limit", 9)  # other tests' brokers may not have been collected yet
    broker = KafkaBroker([backend.bootstrap], topic_prefix)
    await broker.start()
    await topics.create(broker)
    await migrate(database_template, ["statuspage"])
    given: dict[str, Any] = {"secret_key": SECRET, "vault_keys": KEYS, "people_keys": KEYS, "public_url": URL}
    made = Running(
        broker,
        Settings(**given, database_url=database_template, topic_prefix=topic_prefix, pages_dir=str(tmp_path)),
    )
    yield made
    await made.stop()
    await broker.stop()


def ada() -> list[Event]:
    at = datetime.now(UTC)
    sealed = Keyring.parse(KEYS).seal(person_cell(ADA), NAMES[ADA].dump(), at)
    key = ApikeyIssued(apikey=ADA, user=ADA, name="test", digest=digest(key_of(ADA)), mask="il1…", at=at)
    return [sealed, UserChanged(user=ADA, role=Role.USER, timezone="UTC", at=at), key]


async def eventually(read: Callable[[], Awaitable[Any]], wanted: Any) -> None:
    async with asyncio.timeout(WITHIN_S):
        while await read() != wanted:
            await asyncio.sleep(0.05)


async def test_of_many_at_once_one_gets_the_alias_and_time_opens_and_closes_its_maintenance(running: Running) -> None:
    await running.say(ada())
    await running.run(worker_role)
    app = (await running.run(web_role)).http
    assert app is not None
    headers = {"Authorization": f"Bearer {key_of(ADA)}"}
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url=URL, headers=headers, timeout=WITHIN_S) as client:

        async def read(path: str, field: str) -> Any:
            return (await client.get(f"/api{path}")).json()[field]

        bodies = [{"name": f"Checkout {number}", "alias": "checkout"} for number in range(6)]
        made = await asyncio.gather(*(client.post("/api/services", json=body) for body in bodies))
        assert sorted(answer.status_code for answer in made) == [201, *[409] * 5]
        [service] = [answer.json()["id"] for answer in made if answer.status_code == 201]
        start = datetime.now(UTC) + timedelta(seconds=1)
        window = {
            "summary": "New disks",
            "start": start.isoformat(),
            "end": (start + timedelta(seconds=4)).isoformat(),
            "services": [{"id": service}],
        }
        planned = await client.post("/api/maintenance-windows", json=window)
        assert planned.status_code == 200
        await eventually(lambda: read(f"/services/{service}", "status"), "UNDER_MAINTENANCE")
        await eventually(lambda: read(f"/services/{service}", "status"), "OPERATIONAL")
        assert await read(f"/maintenance-windows/{planned.json()['id']}", "state") == "OVER"
