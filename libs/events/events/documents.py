"""The language written down for others: AsyncAPI 3, a JSON Schema per event, and a table of topics, from the classes.

`python -m events.documents [--check] [DIR]` writes (or compares) `asyncapi.json`, `schemas/` and `topics.md` in DIR
(default `docs`). Only topics marked public are promised to others; private ones are listed as such.
"""

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from events.catalogue import event_types
from events.cells import CellSealed
from events.core import Event
from events.machinery import BooksBalanced, BooksUnbalanced, StreamParked, StreamResumed
from events.positions import ReaderPositioned
from events.topics import CONFIGURATION, PEOPLE, POSITIONS, TOPICS, VAULTS, Topic

VERSION = "1.0.0"
EVERYWHERE = (StreamParked, StreamResumed, BooksUnbalanced, BooksBalanced)
"""What every service says, in its own configuration topic."""
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def topic_events() -> dict[str, list[type[Event]]]:
    """The events that may appear in each topic, by topic name."""
    said: dict[str, list[type[Event]]] = {topic.name: [] for topic in TOPICS}
    for event in event_types().values():
        if event in EVERYWHERE:
            for topic in CONFIGURATION.values():
                said[topic.name].append(event)
        elif event is ReaderPositioned:
            for topic in POSITIONS.values():
                said[topic.name].append(event)
        elif event is not CellSealed:
            said[event.topic].append(event)
    for topic in (PEOPLE, *VAULTS.values()):
        said[topic.name].append(CellSealed)
    return said


def data_schema(event: type[Event]) -> dict[str, Any]:
    """The JSON Schema of an event's `data`. Unknown properties are allowed: events only grow."""
    schema = event.model_json_schema(mode="serialization")
    plain: dict[str, Any] = _without_titles(_optional_stays_optional(schema))
    return {"$schema": DIALECT, "$id": f"{event.wire_type()}.json"} | plain


def message_schema(event: type[Event]) -> dict[str, Any]:
    """The JSON Schema of the whole CloudEvent."""
    return {
        "$schema": DIALECT,
        "type": "object",
        "required": ["specversion", "id", "source", "type", "subject", "time", "data"],
        "properties": {
            "specversion": {"const": "1.0"},
            "id": {"type": "string", "description": "`<stream>@<version>`: unique for ever; versions count from 1."},
            "source": {"type": "string", "description": "The service that decided it, `/alarum/<service>`."},
            "type": {"const": event.wire_type()},
            "subject": {"type": "string", "description": "The stream, `<kind>-<id>`."},
            "time": {"type": "string", "format": "date-time"},
            "datacontenttype": {"const": "application/json"},
            "causationid": {"type": "string", "description": "The id of the event that led to this one."},
            "traceparent": {"type": "string", "description": "W3C trace context."},
            "data": {"$ref": f"schemas/{event.wire_type()}.json"},
        },
    }


def asyncapi() -> dict[str, Any]:
    """The suite's event stream as an AsyncAPI 3 document."""
    said = topic_events()
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Alarum's event stream",
            "version": VERSION,
            "description": "Everything that the suite decides, as CloudEvents in structured JSON on Kafka.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": "application/cloudevents+json",
        "channels": {topic.name: _channel(topic, said[topic.name]) for topic in TOPICS},
        "operations": {f"read-{topic.name}": _operation(topic) for topic in TOPICS if topic.public},
        "components": {"messages": {name: _message(event) for name, event in sorted(event_types().items())}},
    }


def topics_table() -> str:
    """The topics and their events as Markdown."""
    said = topic_events()
    return "\n".join(
        [
            "# Topics and events",
            "",
            "Generated from `libs/events` by `make docs`. [events.md](events.md) says how to read them.",
            *(line for topic in TOPICS for line in _section(topic, said[topic.name])),
            "",
        ]
    )


def documents() -> dict[str, str]:
    """Every generated file by its path."""
    files = {f"schemas/{name}.json": _json(data_schema(event)) for name, event in event_types().items()}
    return files | {"asyncapi.json": _json(asyncapi()), "topics.md": topics_table()}


def _channel(topic: Topic, events: list[type[Event]]) -> dict[str, Any]:
    return {
        "address": topic.name,
        "description": topic.says,
        "messages": {
            event.wire_type(): {"$ref": f"#/components/messages/{event.wire_type()}"} for event in _sorted(events)
        },
        "bindings": {
            "kafka": {
                "topic": topic.name,
                "partitions": topic.partitions,
                "replicas": 1,
                "topicConfiguration": {
                    "cleanup.policy": ["compact" if topic.compacted else "delete"],
                    "retention.ms": int(topic.config()["retention.ms"]),
                },
                "bindingVersion": "0.5.0",
            }
        },
    }


def _operation(topic: Topic) -> dict[str, Any]:
    return {"action": "send", "channel": {"$ref": f"#/channels/{topic.name}"}, "summary": topic.says}


def _message(event: type[Event]) -> dict[str, Any]:
    return {
        "name": event.wire_type(),
        "title": event.wire_type(),
        "summary": _sentence(event),
        "contentType": "application/cloudevents+json",
        "payload": {"schemaFormat": "application/schema+json;version=draft-07", "schema": _inline(event)},
    }


def _inline(event: type[Event]) -> dict[str, Any]:
    """The message's schema without references to other files, in the draft that AsyncAPI tools read."""
    schema = message_schema(event)
    data = data_schema(event)
    definitions = data.pop("$defs", {})
    for name in ("$schema", "$id"):
        schema.pop(name, None)
        data.pop(name, None)
    schema["properties"]["data"] = data
    renamed = json.loads(json.dumps(schema | {"definitions": definitions}).replace("#/$defs/", "#/definitions/"))
    rooted: dict[str, Any] = json.loads(
        json.dumps(renamed).replace(
            "#/definitions/",
            f"#/components/messages/{event.wire_type()}/payload/schema/definitions/",
        )
    )
    return rooted


def _section(topic: Topic, events: list[type[Event]]) -> Iterator[str]:
    kept = "compacted" if topic.compacted else "for ever" if topic.retention is None else f"{topic.retention.days} days"
    yield ""
    yield f"## `{topic.name}`"
    yield ""
    yield f"{topic.says} Written by `{topic.writer}`; partitions: {topic.partitions}; kept: {kept}; " + (
        "public." if topic.public else "private."
    )
    yield ""
    yield "| event | what it says |"
    yield "| --- | --- |"
    for event in _sorted(events):
        yield f"| [`{event.wire_type()}`](schemas/{event.wire_type()}.json) | {_sentence(event)} |"


def _sentence(event: type[Event]) -> str:
    return re.sub(r"\s+", " ", (event.__doc__ or "").strip())


def _sorted(events: list[type[Event]]) -> list[type[Event]]:
    return sorted(events, key=lambda event: event.wire_type())


def _optional_stays_optional(schema: dict[str, Any]) -> dict[str, Any]:
    """A field with a default may be missing: older events lack what was added later."""
    for part in [schema, *schema.get("$defs", {}).values()]:
        defaults = {name for name, field in part.get("properties", {}).items() if "default" in field}
        nullable = {name for name, field in part.get("properties", {}).items() if _nullable(field)}
        required = [name for name in part.get("required", ()) if name not in defaults | nullable]
        if "required" in part:
            part["required"] = required
    return schema


def _nullable(field: dict[str, Any]) -> bool:
    return any(option.get("type") == "null" for option in field.get("anyOf", ()))


def _without_titles(value: Any) -> Any:
    match value:
        case dict():
            return {
                name: _without_titles(part)
                for name, part in value.items()
                if not (name == "title" and isinstance(part, str))
            }
        case list():
            return [_without_titles(part) for part in value]
        case _:
            return value


def _json(value: dict[str, Any]) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"


def differences(folder: Path) -> list[str]:
    """Generated files that are missing, differ, or are no longer generated."""
    wanted = documents()
    stale = [
        path for path, text in wanted.items() if not (folder / path).exists() or (folder / path).read_text() != text
    ]
    leftover = [
        f"schemas/{path.name}" for path in (folder / "schemas").glob("*.json") if f"schemas/{path.name}" not in wanted
    ]
    return sorted(stale + leftover)


def write(folder: Path) -> None:
    (folder / "schemas").mkdir(parents=True, exist_ok=True)
    for path in differences(folder):
        (folder / path).unlink(missing_ok=True)
    for path, text in documents().items():
        (folder / path).write_text(text)


def main(arguments: list[str]) -> int:
    folder = Path(next((argument for argument in arguments if not argument.startswith("-")), "docs"))
    if "--check" not in arguments:
        write(folder)
        return 0
    stale = differences(folder)
    for path in stale:
        sys.stderr.write(f"{folder / path} is not what `make docs` would write\n")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
