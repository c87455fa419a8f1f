"""What all pages of accounts share: who looks, what a form says, what is wrong with it."""

from dataclasses import dataclass
from typing import Annotated, Final, TypeVar

from fastapi import Depends, Request
from pydantic import BaseModel, ValidationError

from accounts.sign_in import SignIn
from events.accounts import Role
from runtime.refusals import Refused
from web.forms import Values, field_errors, refusal_errors
from web.pages import Pages
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


AtFront = Annotated[Front, Depends(front_of)]


def read_form(body: type[B], form: Values) -> B:
    """The body that a form stands for: what was left empty is not there. Raises ValidationError."""
    return body.model_validate({name: value for name, value in form.items() if value != ""})


def errors_of(error: ValidationError | Refused, form: Values) -> dict[str, str]:
    """What is wrong by the name of the field; a refusal begins with it, or concerns the whole."""
    if isinstance(error, ValidationError):
        return field_errors(error, form)
    return refusal_errors(error.refusal.message)


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
