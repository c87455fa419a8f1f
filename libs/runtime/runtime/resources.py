"""What configuration resources of the REST API share: in come queries and bodies, out comes JSON in the published shapes.

Bodies and answers are camelCase; what is absent stays absent (`null` is never sent); a reference needs only its `id`.
"""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Final, TypeVar

from fastapi import Query, Response
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from pydantic.alias_generators import to_camel

T = TypeVar("T")

LARGEST_ID: Final = 2**63 - 1
LARGEST_INDEX: Final = 2**31 - 1

ResourceId = Annotated[int, Field(ge=1, le=LARGEST_ID)]
"""An id inside a body: what a ledger can hold, so that nonsense is a 400 and never a failed query."""


class Body(BaseModel):
    """What a client sends. Fields that are not known are ignored: clients send back what they once read."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel, populate_by_name=True)


class Resource(BaseModel):
    """What a client reads; write it with `answer`."""

    model_config = ConfigDict(frozen=True, alias_generator=to_camel, populate_by_name=True)


class Ref(Body):
    """A reference to another resource, whatever else the client repeats of it."""

    id: ResourceId


class UserRel(Resource):
    """A person as other resources show them. Names are absent once the person was erased."""

    id: int
    first_name: str | None = None
    last_name: str | None = None


class TeamRel(Resource):
    id: int
    name: str | None = None


def ids_of(references: Iterable[Ref]) -> tuple[int, ...]:
    """The ids, each once, in the order given."""
    return tuple(dict.fromkeys(reference.id for reference in references))


# -- answers

_ANYTHING: Final = TypeAdapter[object](object)


def answer(content: Resource | Sequence[Resource], status: int = 200, *, location: str | None = None) -> Response:
    """JSON of one resource or a list of them; `location` is where a new one is found."""
    body = _ANYTHING.dump_json(content, by_alias=True, exclude_none=True)
    headers = {"Cache-Control": "no-store"} | ({"Location": location} if location else {})
    return Response(body, status, headers, media_type="application/json")


def no_content() -> Response:
    """204: it was done, there is nothing to read."""
    return Response(status_code=204)


# -- lists


@dataclass(frozen=True)
class Page:
    """A window on a list: `start` counts from 0, `size` is at least 1."""

    start: int
    size: int

    def of(self, items: Sequence[T]) -> Sequence[T]:
        """The window's part of a list that is at hand."""
        return items[self.start : self.start + self.size]


def paging(default: int = 50, cap: int = 100) -> Callable[[int, int], Awaitable[Page]]:
    """A dependency that reads `start-index` and `max-results`; more than `cap` is a 400, never a clamp."""

    async def page(  # async: FastAPI would send a plain function to a thread for this
        start: Annotated[int, Query(alias="start-index", ge=0, le=LARGEST_INDEX)] = 0,
        size: Annotated[int, Query(alias="max-results", ge=1, le=cap)] = default,
    ) -> Page:
        return Page(start, size)

    return page


def including(*known: str) -> Callable[[list[str] | None], Awaitable[frozenset[str]]]:
    """A dependency that reads `include=` (repeated): what of `known` was asked for. Others' names are passed over."""

    async def included(include: Annotated[list[str] | None, Query()] = None) -> frozenset[str]:
        return frozenset(include or ()) & frozenset(known)

    return included


def named(items: Iterable[T], name: str, name_of: Callable[[T], str]) -> T | None:
    """For `/name/{name}`: the first of that very name, else the first whose name differs in letter case only."""
    wanted, alike = name.casefold(), None
    for item in items:
        if name_of(item) == name:
            return item
        if alike is None and name_of(item).casefold() == wanted:
            alike = item
    return alike
