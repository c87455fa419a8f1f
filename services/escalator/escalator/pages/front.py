"""What all pages share: who looks, what was posted, and forms with rows in rows as bodies of the API."""

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request
from pydantic import ValidationError

from runtime.access import Access, Caller
from runtime.refusals import Refused
from web.forms import Values, field_errors, refusal_errors, rows
from web.pages import Pages


@dataclass(frozen=True)
class Front:
    """What the pages work with."""

    pages: Pages


async def front_of(request: Request) -> Front:
    front: Front = request.app.state.front
    return front


AtFront = Annotated[Front, Depends(front_of)]


def body_of(form: Any) -> Any:
    """A form's values as JSON would have them: rows become lists, what was left empty is not there."""
    if not isinstance(form, dict):
        return form
    if form and all(key.isdecimal() for key in form):
        return [body_of(value) for _, value in rows(form)]
    return {name: body_of(value) for name, value in form.items() if value not in ("", {})}


def errors_of(error: ValidationError | Refused, form: Values) -> dict[str, str]:
    """What is wrong, by the name of the form's field; what concerns the whole is under its part, or under ``."""
    if isinstance(error, ValidationError):
        return field_errors(error, form)
    return {_row_name(field, form): words for field, words in refusal_errors(error.refusal.message).items()}


def _row_name(field: str, form: Values) -> str:
    """Places in lists become the keys of the form's rows again."""
    here: Any = form
    names: list[str] = []
    for name in field.split("."):
        keys = list(here) if isinstance(here, dict) else []
        known = keys[int(name)] if name.isdecimal() and int(name) < len(keys) else name
        here = here.get(known) if isinstance(here, dict) else None
        names.append(known)
    return ".".join(names)


def people_to_choose(access: Access, caller: Caller) -> list[tuple[int, str]]:
    """Everybody the caller may see, by name."""
    visible = [person.user for person in access.people() if access.may_see_user(caller, person.user)]
    return sorted(((user, access.name(user)) for user in visible), key=lambda one: one[1].casefold())


def teams_to_choose(access: Access, caller: Caller) -> list[tuple[int, str]]:
    return [(team.team, team.name) for team in access.teams() if access.may_see(caller, [team.team])]
