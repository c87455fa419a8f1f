"""What every tool's payload becomes: one or more tool events in the suite's own words, or a refusal that names field and rule."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from events.shared import Image, Link, Priority

MAX_SUMMARY = 1_000
MAX_DETAILS = 64_000
MAX_CUSTOM = 32_000
"""Custom details are kept up to this many characters of JSON, in whole or not at all; the signal has them in any case."""


class EventType(StrEnum):
    """What a tool wants to happen (reference: the published `Event`)."""

    ALERT = "ALERT"
    ACCEPT = "ACCEPT"
    RESOLVE = "RESOLVE"
    COMMENT = "COMMENT"


@dataclass(frozen=True)
class Remark:
    """A comment that a tool sends along."""

    content: str
    creator: str = ""


@dataclass(frozen=True)
class ToolEvent:
    """One thing that a tool says; `alert_key` is trimmed and keeps its case, `key_of` compares it."""

    type: EventType
    summary: str = ""
    details: str = ""
    alert_key: str | None = None
    priority: Priority | None = None
    severity: int | None = None
    links: tuple[Link, ...] = ()
    images: tuple[Image, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    comments: tuple[Remark, ...] = ()
    services: tuple[str, ...] = ()
    routing_key: str | None = None
    custom_details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Rejected:
    """A payload that says nothing we understand: the first broken field (dotted, empty for the whole body) and its rule."""

    field: str
    rule: str

    @property
    def text(self) -> str:
        return f"{self.field or 'the body'}: {self.rule}"


@dataclass(frozen=True)
class Asked:
    """What a parser may know of the source: its id, and whether each of a group's alerts is to be an alert of its own."""

    source: int
    per_alert: bool = False


Parsed = tuple[ToolEvent, ...] | Rejected
Parser = Callable[[Any, Asked], Parsed]


def key_of(source: int, alert_key: str) -> str:
    """The key under which a source's alerts are the same: trimmed, without case, and short enough for an index."""
    folded = alert_key.strip().casefold()
    if len(folded) > 200:
        folded = "sha256:" + hashlib.sha256(folded.encode()).hexdigest()
    return f"{source}/{folded}"


def kept(custom: dict[str, Any]) -> dict[str, Any] | None:
    """Custom details as an alert keeps them: None where there are none, or too many."""
    return custom if custom and len(json.dumps(custom)) <= MAX_CUSTOM else None


def clip(text: str, length: int) -> str:
    """A text that fits; what was cut is marked."""
    return text if len(text) <= length else text[: length - 1] + "…"
