"""Is this body safe to hand on? In come bytes, out comes a JSON value, or an `ApiError` that names the field."""

import json
import math
import re
from collections.abc import Iterator
from typing import Any, Final, NoReturn

from web.errors import ApiError

MAX_DEPTH: Final = 64
_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
"""Possessive, and content with no end: each byte is looked at once, whatever is sent."""
_NOT_BRACKETS: Final = bytes(set(range(256)) - set(b"[]{}"))


def parse_json(body: bytes) -> Any:
    """The JSON value in `body`.

    Raises ApiError 400: `MALFORMED_JSON` (also for what is not UTF-8), `NESTED_TOO_DEEPLY` (more than 64 levels),
    `VALIDATION_ERROR` naming the field whose text holds a NUL or half a surrogate pair (databases refuse both).
    """
    _refuse_depth(body)
    value = _load(body)
    if b"\\u" in body or b"\x00" in body:
        _refuse_unstorable_texts(value)
    return value


def _load(body: bytes) -> Any:
    try:
        # of bytes, `json` would also take UTF-16 and halves of surrogate pairs
        return json.loads(body.decode("utf-8-sig"), parse_constant=_refuse_constant, parse_float=_finite)
    except (ValueError, RecursionError) as error:  # broken UTF-8 and over-long numbers are ValueErrors too
        raise ApiError(400, "MALFORMED_JSON", f"The body is not valid JSON: {_where(error)}") from None


def _where(error: Exception) -> str:
    match error:
        case json.JSONDecodeError(msg=message, lineno=line, colno=column):
            return f"{message} at line {line}, column {column}"
        case UnicodeDecodeError(start=position):
            return f"byte {position} is not UTF-8"
        case _:
            return "a number is too long"


def _refuse_constant(name: str) -> NoReturn:
    raise ApiError(400, "MALFORMED_JSON", f"The body is not valid JSON: {name} is no JSON number")


def _finite(digits: str) -> float:
    """`1e999` is a number to JSON's grammar, infinite to us, and nothing that we could answer or store."""
    number = float(digits)
    if math.isinf(number):
        raise ApiError(400, "MALFORMED_JSON", f"The body is not valid JSON: {digits[:40]} is too large a number")
    return number


def _refuse_depth(body: bytes) -> None:
    """Counts brackets before parsing, so that a bomb costs nothing; strings are skipped, for they may hold brackets."""
    if body.count(b"[") + body.count(b"{") <= MAX_DEPTH:
        return
    if _depth(body) > MAX_DEPTH:
        raise ApiError(400, "NESTED_TOO_DEEPLY", f"The body is nested more than {MAX_DEPTH} levels deep")


def _depth(body: bytes) -> int:
    depth = deepest = 0
    for symbol in _brackets(body):
        depth += 1 if symbol in b"[{" else -1
        deepest = max(deepest, depth)
        if deepest > MAX_DEPTH:
            break
    return deepest


def _brackets(body: bytes) -> Iterator[int]:
    yield from _STRING.sub(b"", body).translate(None, delete=_NOT_BRACKETS)


def _refuse_unstorable_texts(value: Any) -> None:
    for name, text in _texts(value, ""):
        if "\x00" in text:
            raise ApiError(400, "VALIDATION_ERROR", f"{name or 'the body'}: must not contain NUL characters")
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise ApiError(400, "VALIDATION_ERROR", f"{name or 'the body'}: must be valid Unicode")


def _texts(value: Any, name: str) -> Iterator[tuple[str, str]]:
    """Every text in the value with the dotted name of its field; a key counts as a text of the object that holds it."""
    match value:
        case str():
            yield name, value
        case dict():
            for key, inner in value.items():
                yield name, key
                yield from _texts(inner, f"{name}.{key}" if name else key)
        case list():
            for position, inner in enumerate(value):
                yield from _texts(inner, f"{name}.{position}" if name else str(position))
