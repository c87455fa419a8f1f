"""Which ids a ledger's lines use: events go in, the highest number under each name comes out.

An id drawn as `alert` is found as the stream `alert-42`, or as the field `alert` of an event's data.
"""

import re
from collections.abc import Iterable, Iterator

import orjson

from runtime.ports import Line

GAP = 1000
"""After a restore ids go on this far above the highest that was found: some may have been drawn and told, yet lost."""

NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_STREAM = re.compile(r"([a-z][a-z0-9_]{0,39})-([0-9]{1,18})")


def checked(name: str) -> str:
    """The name itself; ValueError when ids cannot be drawn under it."""
    if NAME.fullmatch(name) is None:
        raise ValueError(f"ids are drawn under a short name in small letters, not {name!r}")
    return name


def used(lines: Iterable[Line]) -> dict[str, int]:
    """The highest id of each name that these lines use."""
    highest: dict[str, int] = {}
    for line in lines:
        for name, number in _of(line):
            highest[name] = max(number, highest.get(name, 0))
    return highest


def _of(line: Line) -> Iterator[tuple[str, int]]:
    if stream := _STREAM.fullmatch(line.stream):
        yield stream[1], int(stream[2])
    for field, value in _data(line.body).items():
        if type(value) is int and 0 <= value < 10**18 and NAME.fullmatch(field):
            yield field, value


def _data(body: bytes | None) -> dict[str, object]:
    try:
        event = orjson.loads(body) if body is not None else None
    except orjson.JSONDecodeError:
        return {}
    data = event.get("data") if isinstance(event, dict) else None
    return data if isinstance(data, dict) else {}
