"""Every event ever published reads back for ever, and today's schemas accept yesterday's events."""

import hashlib
import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from events.catalogue import event_types
from events.documents import data_schema
from events.envelope import decode, encode
from tests.contract.make_samples import FOLDER, manifest

SAMPLES = sorted(FOLDER.glob("*.json"))


def by_name(path: Path) -> str:
    return path.name


def test_every_event_has_a_sample() -> None:
    sampled = {path.name.rsplit(".", 2)[0] for path in SAMPLES}
    assert sampled == set(event_types()), "run: python -m tests.contract.make_samples"


def test_samples_are_append_only() -> None:
    present = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in SAMPLES}
    assert present == manifest()


@pytest.mark.parametrize("path", SAMPLES, ids=by_name)
def test_a_sample_reads_back_and_loses_nothing(path: Path) -> None:
    body = path.read_bytes()
    again = json.loads(encode(decode(body)))
    published = json.loads(body)
    data = published.pop("data")  # fields that were added later are there with their defaults
    assert {name: again[name] for name in published} == published
    assert {name: again["data"][name] for name in data} == data


@pytest.mark.parametrize("path", SAMPLES, ids=by_name)
def test_the_schema_accepts_the_sample(path: Path) -> None:
    published = json.loads(path.read_bytes())
    Draft202012Validator(data_schema(event_types()[published["type"]])).validate(published["data"])


@pytest.mark.parametrize("path", SAMPLES, ids=by_name)
def test_an_unknown_field_is_no_error(path: Path) -> None:
    published = json.loads(path.read_bytes())
    published["data"]["added_next_year"] = {"anything": [1]}
    published["extensionattribute"] = "anything"
    assert decode(json.dumps(published).encode()) == decode(path.read_bytes())
