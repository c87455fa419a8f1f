"""Fields that several bodies have, each with its limits."""

import zoneinfo
from datetime import UTC, datetime
from functools import cache
from typing import Annotated, Final

from pydantic import AfterValidator, AwareDatetime, Field
from pydantic_core import PydanticCustomError

from runtime.resources import Ref

YEARS: Final = range(1970, 2201)


@cache
def zones() -> frozenset[str]:
    return frozenset(zoneinfo.available_timezones())


def broken(rule: str) -> PydanticCustomError:
    """`rule` is the end of a sentence about the field."""
    return PydanticCustomError("rule", "{rule}", {"rule": rule})


def _zone(name: str) -> str:
    if name not in zones():
        raise broken("must be an IANA time zone such as Europe/Berlin")
    return name


def _instant(at: datetime) -> datetime:
    if at.year not in YEARS:
        raise broken("must lie between the years 1970 and 2200")
    return at.astimezone(UTC)


def _said(text: str) -> str:
    if not text.strip():
        raise broken("must not be blank")
    return text.strip()


Words = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_said)]
"""A name or a line: something that can be seen."""
Text = Annotated[str, Field(max_length=20_000)]
"""Several lines, Markdown where pages show it so."""
Zone = Annotated[str, AfterValidator(_zone)]
Instant = Annotated[AwareDatetime, AfterValidator(_instant)]
Refs = Annotated[tuple[Ref, ...], Field(max_length=100)]
