"""What all pages of accounts share: who looks, what a form says, what is wrong with it."""

from dataclasses import dataclass
from typing import Annotated, Final, TypeVar

from fastapi import Depends, Request
from pydantic import BaseModel, ValidationError

from accounts.sign_in import SignIn
from events.accounts import Role
from runtime.access import Access, Caller
from runtime.refusals import Refused
from web.forms import Values, field_errors, nest
from web.pages import Pages, Viewer
from web.session import Sessions
from web.words import gettext as _

B = TypeVar("B", bound=BaseModel)

ROLES: Final = (Role.ADMIN, Role.USER, Role.RESPONDER, Role.STAKEHOLDER)


@dataclass(frozen=True)
class Front:
    """What the pages work with."""

    pages: Pages
    sessions: Sessions
    sign_in: SignIn


def front_of(request: Request) -> Front:
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


def read_form(body: type[B], form: Values) -> B:
    """The body that a form stands for: what was left empty is not there. Raises ValidationError."""
    return body.model_validate({name: value for name, value in form.items() if value != ""})


def errors_of(error: ValidationError | Refused, form: Values) -> dict[str, str]:
    """What is wrong by the name of the field; a refusal begins with it, or concerns the whole."""
    if isinstance(error, ValidationError):
        return field_errors(error, form)
    field, colon, words = error.refusal.message.partition(": ")
    return {field: words} if colon and " " not in field else {"": error.refusal.message}


def text_of(form: Values, name: str) -> str:
    value = form.get(name, "")
    return value if isinstance(value, str) else ""


def labels() -> dict[str, str]:
    """What the fields are called, for the summary of errors; asked while a page is rendered, in its language."""
    return {
        "": _("This change"),
        "firstName": _("First name"),
        "lastName": _("Last name"),
        "email": _("E-mail"),
        "role": _("Role"),
        "timezone": _("Time zone"),
        "language": _("Language"),
        "position": _("Position"),
        "department": _("Department"),
        "region": _("Country"),
        "shiftColor": _("Colour of shifts"),
        "password": _("Password"),
        "currentPassword": _("Present password"),
        "keyName": _("What the new key is for"),
        "name": _("Name"),
        "visibility": _("Who sees what it owns"),
    }
