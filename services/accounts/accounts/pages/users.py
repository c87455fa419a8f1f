"""Users as people see them: the list, one of them with password and API keys, a new one."""

from collections.abc import Mapping
from typing import Final

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from accounts.api import Admin, Anybody, AtDesk, Desk, Knows, Paged, Responder
from accounts.apikeys import NewKey
from accounts.pages.front import ROLES, AtFront, Front, errors_of, labels, read_form, text_of
from accounts.pages.signing import with_session
from accounts.people import Person
from accounts.shapes import ApikeyBody, NewUserBody, PasswordBody, UserBody
from events.accounts import Role
from runtime.access import Access, Caller
from runtime.refusals import Refused
from web.forms import Posted, Values, field_errors
from web.guards import ApiError, Id
from web.pages import viewer_of
from web.words import gettext as _

router: Final = APIRouter()


@router.get("/users")
async def users(
    request: Request, caller: Responder, page: Paged, desk: AtDesk, access: Knows, front: AtFront
) -> Response:
    def is_visible(user: int) -> bool:
        return access.may_see_user(caller, user)

    people = await desk.people.some(page.start, page.size, is_visible)
    return front.pages.render(
        request,
        "users.html",
        viewer_of(caller, access),
        people=people,
        teams={person.id: _team_names(access, caller, person.id) for person in people},
        page=page,
        total=await desk.people.count(is_visible),
        may_add=caller.role is Role.ADMIN,
    )


@router.get("/users/new")
async def new_user(request: Request, caller: Admin, access: Knows, front: AtFront) -> Response:
    return _user_form(request, caller, access, front, {"role": Role.RESPONDER}, {})


@router.post("/users/new")
async def add_user(
    request: Request, caller: Admin, desk: AtDesk, access: Knows, front: AtFront, form: Posted
) -> Response:
    try:
        body = read_form(NewUserBody, form)
        password = body.password.get_secret_value() if body.password else None
        person = await desk.people.create(body.name, body.profile(), password)
    except (ValidationError, Refused) as error:
        return _user_form(request, caller, access, front, form, errors_of(error, form))
    return front.pages.redirect(request, f"/users/{person.id}", _("%(name)s was added") % {"name": person.name.full})


@router.get("/users/{user}")
async def user(request: Request, user: Id, caller: Anybody, desk: AtDesk, access: Knows, front: AtFront) -> Response:
    person = await _seen(desk, access, caller, user)
    return await _user_page(request, caller, desk, access, front, person)


@router.post("/users/{user}")
async def change_user(
    request: Request, user: Id, caller: Anybody, desk: AtDesk, access: Knows, front: AtFront, form: Posted
) -> Response:
    person = await _own_or_any(desk, access, caller, user)
    try:
        body = read_form(UserBody, form if caller.role is Role.ADMIN else {**form, "role": ""})
        await desk.people.change(user, body.name, body.profile(person.state.profile))
    except (ValidationError, Refused) as error:
        errors = errors_of(error, form)
        return await _user_page(request, caller, desk, access, front, person, status=422, form=form, errors=errors)
    return front.pages.redirect(request, f"/users/{user}", _("Saved"))


@router.post("/users/{user}/password")
async def set_password(
    request: Request, user: Id, caller: Anybody, desk: AtDesk, access: Knows, front: AtFront, form: Posted
) -> Response:
    person = await _own_or_any(desk, access, caller, user)
    errors = await _password_errors(desk, caller, user, form)
    if errors:
        return await _user_page(request, caller, desk, access, front, person, status=422, errors=errors)
    await desk.people.set_password(user, text_of(form, "password"))
    response = front.pages.redirect(request, f"/users/{user}", _("The password was changed"))
    # older sessions are void now, this one too
    return with_session(request, front, await front.sign_in.open(user), response) if user == caller.user else response


@router.post("/users/{user}/delete")
async def delete_user(
    request: Request, user: Id, caller: Admin, desk: AtDesk, access: Knows, front: AtFront
) -> Response:
    name = (await _seen(desk, access, caller, user)).name.full
    await desk.people.remove(user)
    return front.pages.redirect(request, "/users", _("%(name)s was deleted") % {"name": name})


@router.post("/users/{user}/keys")
async def issue_key(
    request: Request, user: Id, caller: Anybody, desk: AtDesk, access: Knows, front: AtFront, form: Posted
) -> Response:
    """The answer shows the key: nowhere else is it ever seen again."""
    person = await _own_or_any(desk, access, caller, user)
    try:
        new = await desk.apikeys.issue(user, read_form(ApikeyBody, {"name": text_of(form, "keyName")}).name)
    except ValidationError as error:
        errors = {"keyName": next(iter(field_errors(error).values()))}
        return await _user_page(request, caller, desk, access, front, person, status=422, errors=errors)
    return await _user_page(request, caller, desk, access, front, person, new=new)


@router.post("/users/{user}/keys/{apikey}/revoke")
async def revoke_key(
    request: Request, user: Id, apikey: Id, caller: Anybody, desk: AtDesk, access: Knows, front: AtFront
) -> Response:
    await _own_or_any(desk, access, caller, user)
    if apikey not in {issued.apikey for issued in await desk.apikeys.of(user)}:
        raise ApiError(404, "NOT_FOUND", f"There is no API key {apikey}")
    await desk.apikeys.revoke(apikey)
    return front.pages.redirect(request, f"/users/{user}", _("The key was revoked"))


async def _user_page(
    request: Request,
    caller: Caller,
    desk: Desk,
    access: Access,
    front: Front,
    person: Person,
    *,
    status: int = 200,
    form: Values | None = None,
    errors: Mapping[str, str] | None = None,
    new: NewKey | None = None,
) -> Response:
    may_change = person.id == caller.user or caller.role is Role.ADMIN
    return front.pages.render(
        request,
        "user.html",
        viewer_of(caller, access),
        status=status,
        person=person,
        form=form or _form(person),
        errors=errors or {},
        labels=labels,
        roles=ROLES,
        keys=await desk.apikeys.of(person.id) if may_change else [],
        new=new,
        may_change=may_change,
        is_admin=caller.role is Role.ADMIN,
        is_self=person.id == caller.user,
        team_names=_team_names(access, caller, person.id),
    )


def _user_form(
    request: Request, caller: Caller, access: Access, front: Front, form: Values, errors: Mapping[str, str]
) -> Response:
    status = 422 if errors else 200
    viewer = viewer_of(caller, access)
    return front.pages.render(
        request, "user_new.html", viewer, status=status, form=form, errors=errors, roles=ROLES, labels=labels
    )


async def _password_errors(desk: Desk, caller: Caller, user: int, form: Values) -> dict[str, str]:
    try:
        read_form(PasswordBody, form)
    except ValidationError as error:
        return field_errors(error, form)
    current = text_of(form, "currentPassword")
    if (
        user == caller.user
        and await desk.people.can_sign_in(user)
        and not await desk.people.has_password(user, current)
    ):
        return {"currentPassword": _("This is not your present password")}
    return {}


async def _seen(desk: Desk, access: Access, caller: Caller, user: int) -> Person:
    person = await desk.people.get(user)
    if person is None or not (
        access.may_see_user(caller, user) and (user == caller.user or caller.role != Role.STAKEHOLDER)
    ):
        raise ApiError(404, "NOT_FOUND", f"There is no user {user}")
    return person


async def _own_or_any(desk: Desk, access: Access, caller: Caller, user: int) -> Person:
    if user != caller.user and caller.role is not Role.ADMIN:
        raise ApiError(403, "FORBIDDEN", _("Only an administrator may change somebody else"))
    return await _seen(desk, access, caller, user)


def _team_names(access: Access, caller: Caller, user: int) -> list[str]:
    mine = [access.team(team) for team in sorted(access.teams_of(user)) if access.may_see(caller, [team])]
    return [team.name for team in mine if team is not None]


def _form(person: Person) -> Values:
    """The fields of a form as they stand, by the names that the API gives them."""
    profile, name = person.state.profile, person.name
    return {
        "firstName": name.first,
        "lastName": name.last,
        "email": name.email,
        "role": profile.role,
        "timezone": profile.timezone,
        "language": profile.language,
        "position": profile.position or "",
        "department": profile.department or "",
        "region": profile.region or "",
        "shiftColor": profile.shift_color or "",
    }
