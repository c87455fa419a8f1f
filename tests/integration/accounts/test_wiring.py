"""The role as an entry point makes it: real settings, the process' own Kafka, Postgres, checked topics, clean end."""

import httpx
import pytest

from accounts.app import OWN, web
from runtime import broker_kafka
from runtime.broker_kafka import KafkaBroker
from runtime.kafka_producer import KafkaProducer
from runtime.migrate import migrate
from runtime.topics import create
from tests.integration.accounts.conftest import EMAIL, KEY, settings, until


async def test_the_role_starts_serves_and_stops(backend, topic_prefix, database_template, monkeypatch):
    monkeypatch.setattr(KafkaProducer, "limit", 9)  # other tests' producers may not be collected yet
    monkeypatch.setattr(broker_kafka, "_of_process", None)
    given = settings(
        kafka_bootstrap=backend.bootstrap, topic_prefix=topic_prefix, database_url=database_template, minute_s=1
    )
    maker = KafkaBroker(given.bootstrap, topic_prefix)
    await maker.start()
    await create(maker, OWN)
    await maker.stop()
    await migrate(given.database_url, ["accounts"])

    role = web(given)
    await role.start()
    await until(lambda: not role.waits_for())
    assert role.http is not None
    transport = httpx.ASGITransport(app=role.http)
    headers = {"Authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=headers) as client:
        assert (await client.get("/api/users/current")).json()["email"] == EMAIL
    await role.stop()


def test_a_missing_key_is_named_before_anything_starts():
    with pytest.raises(ValueError, match="PEOPLE_KEYS"):
        web(settings(people_keys=""))
