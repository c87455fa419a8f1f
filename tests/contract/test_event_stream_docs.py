"""docs/events.md promises what the code keeps: its topics, their partitions and writers, keys, retention."""

import re
from pathlib import Path
from typing import Any

import pytest
from aiokafka.partitioner import DefaultPartitioner, murmur2

from events.catalogue import event_types
from events.topics import TOPICS, TRAFFIC_PARTITIONS

PAGE = (Path(__file__).parents[2] / "docs" / "events.md").read_text()
ROWS = {
    name: (writer, int(partitions))
    for name, writer, partitions in re.findall(r"^\| `([\w.]+)` \| .+ \| `(\w+)` \| (\d+) \|$", PAGE, re.MULTILINE)
}


def test_its_table_is_what_is_public() -> None:
    assert {topic.name: (topic.writer, topic.partitions) for topic in TOPICS if topic.public} == ROWS


def test_what_is_public_is_kept_for_ever_and_not_compacted() -> None:
    kept = {topic.name: topic.config() for topic in TOPICS if topic.public}
    assert {(one["retention.ms"], one["cleanup.policy"]) for one in kept.values()} == {("-1", "delete")}


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, event in event_types().items()
        if getattr(event.model_fields.get("alert"), "annotation", None) is int
    ],
)
def test_what_happens_to_an_alert_has_its_key(name: str) -> None:
    event = event_types()[name]
    filled: dict[str, Any] = dict.fromkeys(event.model_fields, 7) | {"alert": 42}
    made = event.model_construct(None, **filled)
    assert made.key == ("incident-7" if name.startswith("incident.") else "alert-42")


@pytest.mark.parametrize(
    ("key", "hashed"),  # of Kafka's own tests (UtilsTest.testMurmur2)
    [("21", -973932308), ("foobar", -790332482), ("a-little-bit-long-string", -985981536), ("abc", 479470107)],
)
def test_keys_are_spread_as_javas_clients_do(key: str, hashed: int) -> None:
    everywhere = list(range(TRAFFIC_PARTITIONS))
    assert murmur2(key.encode()) in {hashed, hashed & 0xFFFFFFFF}
    assert DefaultPartitioner()(key.encode(), everywhere, []) == (hashed & 0x7FFFFFFF) % TRAFFIC_PARTITIONS


def test_an_alert_is_in_the_same_partition_of_all_of_them() -> None:
    assert {topic.partitions for topic in TOPICS if topic.public} == {1, TRAFFIC_PARTITIONS}
