"""What people see of accounts: signing in, users with their keys, teams. Forms come in as pairs, pages go out."""

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_address
from math import ceil
from typing import Annotated, Any, Final, TypeVar

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ValidationError

from accounts.api import Admin, Anybody, AtDesk, Desk, Knows, Paged, Responder
from accounts.apikeys import NewKey
from accounts.domain.team import Formed
from accounts.people import Person
from accounts.refusals import Refused
from accounts.shapes import ApikeyBody, NewUserBody, PasswordBody, TeamBody, UserBody
from accounts.sign_in import SignedIn, SignIn, TooOften, Wrong
from events.accounts import Role, Visibility
from runtime.access import Access, Caller
from web.forms import Values, field_errors, nest, rows
from web.guards import ApiError, Id
from web.pages import Pages, Viewer
from web.session import Sessions, safe_next
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

router: Final = APIRouter()


def viewer_of(caller: Caller, access: Access) -> Viewer:
    """Who looks, for zone and language."""
    person = access.person(caller.user)
    zone, language = (person.timezone, person.language) if person else ("UTC", "en")
    return Viewer(caller.user, access.name(caller.user), role=caller.role, zone=zone, locale=language)


# -- signing in and out


@router.get("/sign-in")
async def sign_in_page(request: Request, front: AtFront, next: str = "") -> Response:  # noqa: A002 (the query's name)
    return front.pages.render(request, "sign_in.html", next=safe_next(next), email="", errors={})


@router.post("/sign-in")
async def sign_in(request: Request, front: AtFront, form: Posted) -> Response:
    email, password, target = _text(form, "email").strip(), _text(form, "password"), safe_next(_text(form, "next"))
    match await front.sign_in.attempt(email, password, origin_of(request)):
        case SignedIn() as opened:
            return _with_session(request, front, opened, front.pages.redirect(request, target))
        case Wrong():
            errors = {"password": _("This address and password do not belong together")}
            return _sign_in_again(request, front, 422, email, target, errors)
        case TooOften(wait):
            minutes = ceil(wait.total_seconds() / 60)
            errors = {"email": _("Too many attempts. Try again in %(minutes)s min") % {"minutes": minutes}}
            return _sign_in_again(request, front, 429, email, target, errors)


@router.post("/sign-out")
async def sign_out(request: Request, front: AtFront) -> Response:
    """Also when the session is over already: who wants to leave is let out."""
    session = front.sessions.read(request)
    if session is not None:
        await front.sign_in.close(session.id)
    response = front.pages.redirect(request, "/sign-in")
    front.sessions.end(request, response)
    return response


def origin_of(request: Request) -> str:
    """The address of who asks: what our router says, and otherwise who is connected."""
    peer = request.client.host if request.client else ""
    forwarded = request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
    return forwarded if forwarded and _is_ours(peer) else peer


def _is_ours(peer: str) -> bool:
    try:
        return ip_address(peer).is_private
    except ValueError:
        return False


def _sign_in_again(
    request: Request, front: Front, status: int, email: str, target: str, errors: Mapping[str, str]
) -> Response:
    return front.pages.render(request, "sign_in.html", status=status, next=target, email=email, errors=errors)


def _with_session(request: Request, front: Front, opened: SignedIn, response: Response) -> Response:
    front.sessions.start(request, response, opened.session, opened.user)
    return response


# -- users


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
        body = _read(NewUserBody, form)
        password = body.password.get_secret_value() if body.password else None
        person = await desk.people.create(body.name, body.profile(), password)
    except (ValidationError, Refused) as error:
        return _user_form(request, caller, access, front, form, _errors(error, form))
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
        body = _read(UserBody, form if caller.role is Role.ADMIN else {**form, "role": ""})
        await desk.people.change(user, body.name, body.profile(person.state.profile))
    except (ValidationError, Refused) as error:
        errors = _errors(error, form)
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
    await desk.people.set_password(user, _text(form, "password"))
    response = front.pages.redirect(request, f"/users/{user}", _("The password was changed"))
    # older sessions are void now, this one too
    return _with_session(request, front, await front.sign_in.open(user), response) if user == caller.user else response


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
        new = await desk.apikeys.issue(user, _read(ApikeyBody, {"name": _text(form, "keyName")}).name)
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
    return front.pages.render(request, "user_new.html", viewer, status=status, form=form, errors=errors, roles=ROLES)


async def _password_errors(desk: Desk, caller: Caller, user: int, form: Values) -> dict[str, str]:
    try:
        _read(PasswordBody, form)
    except ValidationError as error:
        return field_errors(error, form)
    current = _text(form, "currentPassword")
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


# -- teams


@router.get("/teams")
async def teams(request: Request, caller: Responder, desk: AtDesk, access: Knows, front: AtFront) -> Response:
    visible = [team for team in await desk.teams.all() if _may_see(caller, team)]
    return front.pages.render(
        request,
        "teams.html",
        viewer_of(caller, access),
        teams=visible,
        names=access.names(member.user for team in visible for member in team.members),
        may_add=caller.role is Role.ADMIN,
    )


@router.get("/teams/new")
async def new_team(request: Request, caller: Admin, access: Knows, front: AtFront) -> Response:
    return _team_page(request, caller, access, front, None, {"name": "", "visibility": Visibility.PUBLIC}, {})


@router.post("/teams/new")
async def add_team(
    request: Request, caller: Admin, desk: AtDesk, access: Knows, front: AtFront, form: Posted
) -> Response:
    try:
        body = _read(TeamBody, {**form, "members": _members(form)})
        team = await desk.teams.create(body.name, body.visibility, body.all_members)
    except (ValidationError, Refused) as error:
        return _team_page(request, caller, access, front, None, form, _errors(error, form))
    return front.pages.redirect(request, f"/teams/{team.team}", _("%(name)s was added") % {"name": team.name})


@router.get("/teams/{team}")
async def team(request: Request, team: Id, caller: Responder, desk: AtDesk, access: Knows, front: AtFront) -> Response:
    found = await _team(desk, caller, team)
    return _team_page(request, caller, access, front, found, _team_form(found), {})


@router.post("/teams/{team}")
async def change_team(
    request: Request, team: Id, caller: Admin, desk: AtDesk, access: Knows, front: AtFront, form: Posted
) -> Response:
    found = await _team(desk, caller, team)
    try:
        body = _read(TeamBody, {**form, "members": _members(form)})
        await desk.teams.change(team, body.name, body.visibility, body.all_members)
    except (ValidationError, Refused) as error:
        return _team_page(request, caller, access, front, found, form, _errors(error, form))
    return front.pages.redirect(request, f"/teams/{team}", _("Saved"))


@router.post("/teams/{team}/delete")
async def delete_team(request: Request, team: Id, caller: Admin, desk: AtDesk, front: AtFront) -> Response:
    name = (await _team(desk, caller, team)).name
    await desk.teams.remove(team)
    return front.pages.redirect(request, "/teams", _("%(name)s was deleted") % {"name": name})


def _team_page(
    request: Request,
    caller: Caller,
    access: Access,
    front: Front,
    team: Formed | None,
    form: Values,
    errors: Mapping[str, str],
) -> Response:
    members = [(int(user), role) for user, role in rows(form.get("members")) if user.isdecimal()]
    others = [p for p in access.people() if p.user not in dict(members) and access.may_see_user(caller, p.user)]
    return front.pages.render(
        request,
        "team.html",
        viewer_of(caller, access),
        status=422 if errors else 200,
        team=team,
        form=form,
        errors=errors,
        members=[(user, access.name(user), role) for user, role in members],
        others=[(person.user, access.name(person.user)) for person in others],
        roles=ROLES,
        is_admin=caller.role is Role.ADMIN,
    )


async def _team(desk: Desk, caller: Caller, team: int) -> Formed:
    found = await desk.teams.get(team)
    if found is None or not _may_see(caller, found):
        raise ApiError(404, "NOT_FOUND", f"There is no team {team}")
    return found


def _may_see(caller: Caller, team: Formed) -> bool:
    members = {member.user for member in team.members}
    return team.visibility is Visibility.PUBLIC or caller.role is Role.ADMIN or caller.user in members


def _team_form(team: Formed) -> Values:
    members = {str(member.user): member.role for member in team.members}
    return {"name": team.name, "visibility": team.visibility, "members": members}


def _members(form: Values) -> list[dict[str, Any]]:
    """Rows `members.<user>` = role (none: no longer one), and the row that adds somebody."""
    held = [(user, role) for user, role in rows(form.get("members")) if role]
    added = form.get("add")
    if isinstance(added, dict) and added.get("user"):
        held.append((added["user"], added.get("role") or Role.RESPONDER))
    return [{"user": {"id": user}, "role": role} for user, role in held]


# -- forms


def _read(body: type[B], form: Values) -> B:
    """The body that a form stands for: what was left empty is not there. Raises ValidationError."""
    return body.model_validate({name: value for name, value in form.items() if value != ""})


def _errors(error: ValidationError | Refused, form: Values) -> dict[str, str]:
    """What is wrong by the name of the field; a refusal begins with it, or concerns the whole."""
    if isinstance(error, ValidationError):
        return field_errors(error, form)
    field, colon, words = error.refusal.message.partition(": ")
    return {field: words} if colon and " " not in field else {"": error.refusal.message}


def _text(form: Values, name: str) -> str:
    value = form.get(name, "")
    return value if isinstance(value, str) else ""
