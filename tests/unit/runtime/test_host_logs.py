"""Log lines are JSON, with the fields that were given and without what must stay secret."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from runtime import logs


@pytest.fixture(autouse=True)
def _back() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> "Lines":
    return Lines(capsys)


class Lines:
    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self.capsys = capsys

    def text(self) -> str:
        return self.capsys.readouterr().err

    def read(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.text().splitlines()]


def test_a_line_has_its_fields_and_those_of_the_process(lines: Lines) -> None:
    logs.setup("INFO", "json", process="core")
    logs.get("runtime.test").info("batch handled", reader="ingest.worker", records=12)
    (line,) = lines.read()
    assert line.pop("timestamp")
    assert line == {
        "event": "batch handled",
        "reader": "ingest.worker",
        "records": 12,
        "process": "core",
        "logger": "runtime.test",
        "level": "info",
    }


@pytest.mark.parametrize(
    "name",
    [
        "secret",
        "SECRET_KEY",
        "password",
        "passwd",
        "token",
        "Authorization",
        "integration_key",
        "apiKey",
        "vault_keys",
        "cookie",
    ],
)
def test_a_field_named_like_a_secret_is_hidden(lines: Lines, name: str) -> None:
    logs.setup()
    logs.get("t").info("seen", **{name: "hunter2"}, inner={name: "hunter2"})
    text = lines.text()
    assert "hunter2" not in text
    assert name in text


@pytest.mark.parametrize(
    ("said", "hidden"),
    [
        ("mail to ada@example.org went out", "ada@example.org"),
        ("Bearer il1api0123abcd was refused", "il1api0123abcd"),
        ("posted with il1int99887766", "il1int99887766"),
        ("Authorization Basic YWRhOmh1bnRlcjI=", "YWRhOmh1bnRlcjI="),
        ("smtp://alarum:hunter2@mail.example.org is away", "hunter2"),
    ],
)
def test_addresses_and_keys_are_hidden_wherever_they_stand(lines: Lines, said: str, hidden: str) -> None:
    logs.setup()
    logs.get("t").warning(said, error=ValueError(said), listed=[said])
    assert hidden not in lines.text()


def test_an_exceptions_text_is_cleaned_too(lines: Lines) -> None:
    logs.setup()
    try:
        raise ValueError("no such person: ada@example.org")
    except ValueError:
        logs.get("t").exception("failed")
    text = lines.text()
    assert "ValueError" in text
    assert "ada@example.org" not in text


def test_libraries_write_the_same_lines(lines: Lines) -> None:
    logs.setup(process="front")
    logging.getLogger("aiokafka").error("Unable connect to node with id %s", 1)
    (line,) = lines.read()
    assert (line["event"], line["logger"], line["process"]) == ("Unable connect to node with id 1", "aiokafka", "front")


def test_a_library_that_repeats_itself_is_heard_once_in_a_while(lines: Lines) -> None:
    logs.setup()
    for node in range(50):
        logging.getLogger("aiokafka").error("Unable connect to node with id %s", node)
    logging.getLogger("aiokafka").error("something else")
    assert [line["event"] for line in lines.read()] == ["Unable connect to node with id 0", "something else"]


def test_below_the_level_nothing_is_written(lines: Lines) -> None:
    logs.setup("WARNING")
    logs.get("t").info("quiet")
    assert lines.text() == ""


def test_the_console_shape_is_readable(lines: Lines) -> None:
    logs.setup("INFO", "console")
    logs.get("t").info("started", port=8080)
    assert "started" in (text := lines.text())
    assert "port=8080" in text
