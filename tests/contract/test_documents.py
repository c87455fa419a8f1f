"""What others read about the language is what the code says: generated without a difference, valid by its own rules."""

import json
from pathlib import Path

import pytest
from jsonschema import Draft7Validator, Draft202012Validator

from events.catalogue import event_types
from events.documents import asyncapi, data_schema, differences, topic_events
from events.topics import TOPICS

ROOT = Path(__file__).parents[2]
ASYNCAPI_SCHEMA = ROOT / "node_modules/@asyncapi/specs/schemas/3.0.0.json"


def test_the_generated_documents_are_current() -> None:
    assert differences(ROOT / "docs") == [], "run: make docs"


def test_the_asyncapi_document_is_valid_by_asyncapis_own_schema() -> None:
    Draft7Validator(json.loads(ASYNCAPI_SCHEMA.read_text())).validate(asyncapi())


@pytest.mark.parametrize("name", sorted(event_types()))
def test_an_event_has_a_sentence_and_a_valid_schema(name: str) -> None:
    event = event_types()[name]
    Draft202012Validator.check_schema(data_schema(event))
    assert (event.__doc__ or "").strip().endswith("."), f"{name} says nothing about itself"


def test_every_event_has_one_topic_and_every_topic_an_event() -> None:
    said = topic_events()
    assert set(said) == {topic.name for topic in TOPICS}
    assert all(said[topic.name] for topic in TOPICS)


def test_one_topic_has_one_writer_and_a_versioned_name() -> None:
    assert len({topic.name for topic in TOPICS}) == len(TOPICS)
    assert all(topic.name.endswith(".v1") for topic in TOPICS)
