"""What all pages share: who looks, what was posted, and forms as bodies of the API."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Request
from pydantic import ValidationError

from runtime.access import Access, Caller
from runtime.refusals import Refused
from web.forms import Values, field_errors, refusal_errors, rows
from web.pages import Pages
from web.session import SubscriberLinks


@dataclass(frozen=True)
class Front:
    """What the pages work with."""

    pages: Pages
    links: SubscriberLinks


async def front_of(request: Request) -> Front:
    front: Front = request.app.state.front
    return front


AtFront = Annotated[Front, Depends(front_of)]


def ticked(form: Values, name: str) -> list[dict[str, str]]:
    """Ticked boxes `<name>.<id>` as references."""
    return [{"id": key} for key, _ in rows(form.get(name))]


def given(form: Values, *names: str) -> dict[str, Any]:
    """These fields of the form; what was left empty is not there."""
    return {name: form[name] for name in names if form.get(name) not in (None, "", {})}


def errors_of(error: ValidationError | Refused, form: Values) -> dict[str, str]:
    """What is wrong, by the name of the form's field; what concerns the whole is under ``."""
    if isinstance(error, ValidationError):
        return field_errors(error, form)
    return refusal_errors(error.refusal.message)


def of_lists(errors: Mapping[str, str], *names: str) -> dict[str, str]:
    """Errors in a list of ticked boxes belong to the whole list."""
    return {next((one for one in names if name.startswith(f"{one}.")), name): words for name, words in errors.items()}


def teams_to_choose(access: Access, caller: Caller) -> list[tuple[int, str]]:
    return [(team.team, team.name) for team in access.teams() if access.may_see(caller, [team.team])]


def people_to_choose(access: Access, caller: Caller) -> list[tuple[int, str]]:
    """Everybody the caller may see, by name."""
    visible = [person.user for person in access.people() if access.may_see_user(caller, person.user)]
    return sorted(((user, access.name(user)) for user in visible), key=lambda one: one[1].casefold())
