"""Logs: keyword fields go in; one JSON line each comes out (or a readable one), without secrets and addresses.

log = logs.get(__name__);  log.info("batch handled", reader="ingest.worker", records=12)
"""

import logging
import re
import sys
import time
from collections.abc import MutableMapping
from typing import Any, Literal

import structlog
from structlog.typing import Processor

HIDDEN = "•••"
_SECRET_NAME = re.compile(
    r"secret|passw|token|authorization|cookie|credential|(integration|api|vault|people|routing|private|admin)_?keys?$",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"(?<![\w.+%'-])[\w.+%'-]++@[\w-]+(\.[\w-]+)+")
_BEARER = re.compile(r"\b(Bearer|Basic)\s+[\w.~+/=-]+", re.IGNORECASE)
_USERINFO = re.compile(r"(?<=://)[^/\s@:]*:[^/\s@]+@")
_KEY_OF_OURS = re.compile(r"\bil1(int|api)\w+")
_DEPTH = 6

_CHATTY = {
    "aiokafka": logging.WARNING,
    "asyncio": logging.WARNING,
    "faststream": logging.WARNING,
    "httpx": logging.WARNING,
    "httpcore": logging.WARNING,
    "uvicorn": logging.WARNING,
    "uvicorn.access": logging.CRITICAL,  # a line per request is ours to write, with fields
}
_QUIET_S = 10.0


def get(name: str) -> structlog.stdlib.BoundLogger:
    """A logger with keyword fields."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def setup(level: str = "INFO", shape: Literal["json", "console"] = "json", **fields: str) -> None:
    """Send our logs and those of libraries to standard error; `fields` are part of every line of this process."""
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *_shared(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_formatter(shape, fields))
    handler.addFilter(_Sparingly())
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for name, least in _CHATTY.items():
        logging.getLogger(name).setLevel(max(least, logging.getLevelNamesMapping()[level]))


def redact(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """The processor that hides values by their names, and addresses and keys wherever they stand."""
    return {name: HIDDEN if _SECRET_NAME.search(name) else _clean(value, _DEPTH) for name, value in event.items()}


def _clean(value: Any, depth: int) -> Any:
    match value:
        case str():
            return _clean_text(value)
        case bytes():
            return f"{len(value)} bytes"
        case dict():
            return redact(None, "", {str(name): part for name, part in value.items()}) if depth else HIDDEN
        case list() | tuple() | set() | frozenset():
            return [_clean(part, depth - 1) for part in value] if depth else HIDDEN
        case None | bool() | int() | float():
            return value
        case _:
            return _clean_text(str(value))


def _clean_text(text: str) -> str:
    if "il1" in text:
        text = _KEY_OF_OURS.sub(HIDDEN, text)
    if "@" in text:
        text = _ADDRESS.sub(HIDDEN, _USERINFO.sub(f"{HIDDEN}@", text))
    return _BEARER.sub(rf"\1 {HIDDEN}", text)


def _shared() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]


def _formatter(shape: str, fields: dict[str, str]) -> logging.Formatter:
    def process_fields(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        return {**fields, **event}  # also on lines that libraries write outside of our context

    # Texts of exceptions hold values too, so they become text before they are cleaned.
    last: list[Processor] = (
        [structlog.processors.JSONRenderer(ensure_ascii=False)]
        if shape == "json"
        else [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    )
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_shared(),
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            process_fields,
            redact,
            *last,
        ],
    )


class _Sparingly(logging.Filter):
    """Libraries repeat themselves ten times a second while a server is away; the same words pass once in a while."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if not record.name.startswith(("aiokafka", "faststream", "uvicorn")):
            return True
        words, now = (record.name, str(record.msg)), time.monotonic()
        if now - self._last.get(words, -_QUIET_S) < _QUIET_S:
            return False
        if len(self._last) > 1000:
            self._last.clear()
        self._last[words] = now
        return True
