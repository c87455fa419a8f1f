"""What all pages share: who looks, what was posted, and forms as bodies of the API."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request
from pydantic import ValidationError

from runtime.access import Access, Caller
from runtime.refusals import Refused
from web.forms import Values, field_errors, nest, rows
from web.pages import Pages, Viewer


@dataclass(frozen=True)
class Front:
    """What the pages work with."""

    pages: Pages


async def front_of(request: Request) -> Front:
    front: Front = request.app.state.front
    return front


async def form_of(request: Request) -> Values:
    """The posted fields, nested by their dotted names; texts only."""
    async with request.form() as form:
        return nest((name, value) for name, value in form.multi_items() if isinstance(value, str))


AtFront = Annotated[Front, Depends(front_of)]
Posted = Annotated[Values, Depends(form_of)]


def viewer_of(caller: Caller, access: Access) -> Viewer:
    """Who looks, for zone and language."""
    person = access.person(caller.user)
    zone, language = (person.timezone, person.language) if person else ("UTC", "en")
    return Viewer(caller.user, access.name(caller.user), role=caller.role, zone=zone, locale=language)


def text(form: Values, name: str) -> str:
    """A field's text; empty when it was not sent."""
    value = form.get(name, "")
    return value if isinstance(value, str) else ""


def group(form: Values, name: str) -> Values:
    """The fields below a dotted name."""
    value = form.get(name, {})
    return value if isinstance(value, dict) else {}


def ticked(form: Values, name: str) -> list[str]:
    """The boxes that were ticked below a name."""
    return [key for key, _ in rows(form.get(name))]


def errors_of(error: ValidationError | Refused) -> dict[str, str]:
    """What is wrong, by the name of the API's field; what concerns the whole is under ``."""
    if isinstance(error, ValidationError):
        return field_errors(error)
    field, colon, words = error.refusal.message.partition(": ")
    return {field: words} if colon and " " not in field else {"": error.refusal.message}


def filled_in(values: Any) -> Any:
    """A form's values as JSON would have them: what was left empty is not there."""
    if not isinstance(values, dict):
        return values
    return {name: filled_in(value) for name, value in values.items() if value not in ("", {})}
