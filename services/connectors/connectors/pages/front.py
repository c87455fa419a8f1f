"""What all pages share: who looks, what was posted, and forms as bodies of the API."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import Depends, Request
from pydantic import ValidationError

from runtime.refusals import Refused
from web.forms import Values, field_errors, refusal_errors, rows
from web.pages import Pages
from web.words import gettext as _

GROUPS: Final = ("alertSources", "triggerTypes", "teams", "params.serviceIds")
"""Boxes to tick: what is wrong with one is said of all."""
LINES: Final = ("params.headers", "params.recipients")
"""A text of many lines: what is wrong is said with the line."""


@dataclass(frozen=True)
class Front:
    """What the pages work with."""

    pages: Pages


async def front_of(request: Request) -> Front:
    front: Front = request.app.state.front
    return front


AtFront = Annotated[Front, Depends(front_of)]


def text(values: Values, name: str) -> str:
    """A field's text; empty when it was not sent."""
    value = values.get(name, "")
    return value if isinstance(value, str) else ""


def group(values: Values, name: str) -> Values:
    """The fields below a dotted name."""
    value = values.get(name, {})
    return value if isinstance(value, dict) else {}


def ticked(values: Values, name: str) -> list[str]:
    """The boxes that were ticked below a name."""
    return [key for key, _value in rows(values.get(name))]


def boxes(chosen: Iterable[object]) -> Values:
    """What `ticked` reads."""
    return {str(one): "true" for one in chosen}


def lines(words: str) -> list[str]:
    """What stands on the lines that are not empty."""
    return [line.strip() for line in words.splitlines() if line.strip()]


def without_empty(values: Values) -> dict[str, Any]:
    """What was left empty is not there."""
    return {name: value for name, value in values.items() if value not in ("", {}, [])}


def errors_of(error: ValidationError | Refused) -> dict[str, str]:
    """What is wrong, by the name of the form's field; what concerns the whole is under ``."""
    found = field_errors(error) if isinstance(error, ValidationError) else refusal_errors(error.refusal.message)
    named: dict[str, str] = {}
    for name, words in found.items():
        field, said = _shown_at(name, words)
        named.setdefault(field, said)
    return named


def _shown_at(name: str, words: str) -> tuple[str, str]:
    for whole in GROUPS:
        if name.startswith(f"{whole}."):
            return whole, words
    for whole in LINES:
        place = name.removeprefix(f"{whole}.").partition(".")[0]
        if name.startswith(f"{whole}.") and place.isdecimal():
            return whole, _("line %(number)s: %(words)s") % {"number": int(place) + 1, "words": words}
    return name, words
