"""Writes a first sample of every event that has none: `python -m tests.contract.make_samples`.

Samples are append-only: one that was ever published must read back for ever. A changed event gets a further file
(`<type>.2.json` …), the old ones stay as they are; `samples.sha256` holds them to it.
"""

import hashlib
import types
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel

from events.catalogue import event_types
from events.core import Event
from events.envelope import Envelope, encode

FOLDER = Path(__file__).parent / "samples"
MANIFEST = FOLDER / "samples.sha256"
INSTANT = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
WORDS = {
    "summary": "Host srv/mail01 is CRITICAL",
    "timezone": "Europe/Berlin",
    "rotation": "P7D",
    "starts_on": "2026-01-05T09:00",
    "day": "MONDAY",
    "time": "09:00",
    "email_mask": "a***@example.org",
    "mask": "a***@example.org",
    "auto_resolution": "PT10M",
    "href": "https://example.org/runbook",
    "src": "https://example.org/graph.png",
}


def sample(event: type[Event]) -> bytes:
    """A CloudEvent in which every field, the optional ones too, has a value."""
    filled = event.model_validate(_fields(event))
    version = 0 if event.wire_type() == "signal.received" else 1
    envelope = Envelope(filled, filled.stream, version, "sample", "alert-42@1", f"00-{'ab' * 16}-{'cd' * 8}-01")
    return encode(envelope)


def _fields(model: type[BaseModel]) -> dict[str, Any]:
    return {name: _value(name, field.annotation) for name, field in model.model_fields.items()}


def _value(name: str, kind: Any) -> Any:
    origin, inner = get_origin(kind), get_args(kind)
    if origin in {Union, types.UnionType}:
        return _value(name, next(option for option in inner if option is not type(None)))
    if origin is tuple:
        return (_value(name, inner[0]),)
    if origin is dict:
        return {"environment": "production"}
    if isinstance(kind, type) and issubclass(kind, Enum):
        return next(iter(kind))
    if isinstance(kind, type) and issubclass(kind, BaseModel):
        return _fields(kind)
    return _plain(name, kind)


def _plain(name: str, kind: Any) -> Any:
    if kind is bool:
        return True
    if kind is int:
        return 7
    if kind is str:
        return WORDS.get(name, name.replace("_", " "))
    return INSTANT


def manifest() -> dict[str, str]:
    """File name -> SHA-256 of every sample that was ever committed."""
    if not MANIFEST.exists():
        return {}
    return {name: digest for digest, name in (line.split() for line in MANIFEST.read_text().splitlines())}


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for name, event in event_types().items():
        if not list(FOLDER.glob(f"{name}.*.json")):
            (FOLDER / f"{name}.1.json").write_bytes(sample(event) + b"\n")
    known = manifest()
    for path in sorted(FOLDER.glob("*.json")):
        known.setdefault(path.name, hashlib.sha256(path.read_bytes()).hexdigest())
    MANIFEST.write_text("".join(f"{digest} {name}\n" for name, digest in sorted(known.items())))


if __name__ == "__main__":
    main()
