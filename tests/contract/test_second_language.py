"""The event stream is for everybody: Node, with the generated documents alone, reads every event ever published."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from events.catalogue import event_types
from tests.contract.make_samples import FOLDER

ROOT = Path(__file__).parents[2]
READER = Path(__file__).parent / "node" / "reader.mjs"
NODE = Path(sys.executable).with_name("node")
SAMPLES = sorted(FOLDER.glob("*.json"))


def read(*files: Path) -> tuple[int, list[dict[str, Any]], str]:
    """Exit code, what it decoded, and what it complained of."""
    command = [NODE, READER, ROOT / "docs", *files]
    environment = {"PATH": os.environ["PATH"]}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr


@pytest.fixture(scope="module")
def decoded() -> dict[str, dict[str, Any]]:
    _, lines, complaints = read(*SAMPLES)
    assert complaints == ""  # a schema that needs excuses is none that others can use
    return {line["file"]: line for line in lines}


def test_every_event_is_decoded(decoded: dict[str, dict[str, Any]]) -> None:
    assert {name: line["refused"] for name, line in decoded.items() if "refused" in line} == {}
    assert set(decoded) == {path.name for path in SAMPLES}
    assert {line["type"] for line in decoded.values()} == set(event_types())


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: str(path.name))
def test_it_reads_what_python_wrote(decoded: dict[str, dict[str, Any]], path: Path) -> None:
    published = json.loads(path.read_bytes())
    line = decoded[path.name]
    assert (line["type"], line["subject"]) == (published["type"], published["subject"])
    assert line["says"]


def test_its_arms_find_what_they_look_for(decoded: dict[str, dict[str, Any]]) -> None:
    assert decoded["alert.created.1.json"]["says"] == "alert 7: Host srv/mail01 is CRITICAL"
    assert "undefined" not in json.dumps(decoded)


def changed(tmp_path: Path, name: str, **changes: Any) -> Path:
    """A sample with other members; None takes one away. `data` is merged."""
    event = json.loads((FOLDER / name).read_bytes())
    event["data"] |= changes.pop("data", {})
    event["data"] = {field: value for field, value in event["data"].items() if value is not ...}
    event = {field: value for field, value in (event | changes).items() if value is not None}
    file = tmp_path / name
    file.write_text(json.dumps(event))
    return file


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"data": {"summary": ...}}, "must have required property 'summary'"),
        ({"data": {"alert": "seven"}}, "/alert must be integer"),
        ({"specversion": "0.3"}, "/specversion must be equal to constant"),
        ({"subject": None}, "must have required property 'subject'"),
        ({"time": "yesterday"}, '/time must match format "date-time"'),
    ],
)
def test_what_breaks_the_promise_is_refused(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    code, (line,), _ = read(changed(tmp_path, "alert.created.1.json", **changes))
    assert code == 1
    assert any(words in refusal for refusal in line["refused"]), line


def test_what_is_added_later_is_no_error(tmp_path: Path) -> None:
    file = changed(
        tmp_path, "alert.created.1.json", extensionattribute="x", data={"added_next_year": {"anything": [1]}}
    )
    code, (line,), _ = read(file)
    assert (code, line["type"]) == (0, "alert.created")


def test_a_type_of_next_year_is_passed_over(tmp_path: Path) -> None:
    code, (line,), _ = read(changed(tmp_path, "alert.created.1.json", type="alert.dreamt"))
    assert (code, line["says"]) == (0, None)
