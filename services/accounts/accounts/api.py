"""The REST edge of accounts: requests in the published shapes come in, units of work are run, resources go out."""

from dataclasses import dataclass
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query, Request, Response

from accounts.apikeys import Apikeys
from accounts.domain.apikey import Issued
from accounts.domain.team import Formed
from accounts.people import People, Person
from accounts.shapes import (
    ApikeyBody,
    ApikeyResource,
    EmailBody,
    MemberBody,
    MemberResource,
    NewUserBody,
    PasswordBody,
    TeamBody,
    TeamResource,
    UserBody,
    UserResource,
)
from accounts.teams import Teams
from events.accounts import Role
from runtime.access import Access, Caller, caller, door_of, require
from runtime.resources import LARGEST_ID, Page, answer, named, no_content, paging
from web.guards import ApiError, Id


@dataclass(frozen=True)
class Desk:
    """What the routes work with."""

    people: People
    teams: Teams
    apikeys: Apikeys
    public_url: str


def desk_of(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


def access_of(request: Request) -> Access:
    return door_of(request).access


Anybody = Annotated[Caller, Depends(caller)]
Responder = Annotated[Caller, Depends(require(Role.RESPONDER))]
Admin = Annotated[Caller, Depends(require(Role.ADMIN))]
AtDesk = Annotated[Desk, Depends(desk_of)]
Knows = Annotated[Access, Depends(access_of)]
Paged = Annotated[Page, Depends(paging(default=50, cap=100))]

router: Final = APIRouter()

# -- users


@router.get("/api/users", summary="List users", response_model=list[UserResource])
async def users(caller: Responder, page: Paged, desk: AtDesk, access: Knows) -> Response:
    people = await desk.people.some(page.start, page.size, lambda user: access.may_see_user(caller, user))
    return answer([UserResource.of(person) for person in people])


@router.post("/api/users", summary="Create a user", response_model=UserResource, status_code=201)
async def create_user(body: NewUserBody, _caller: Admin, desk: AtDesk) -> Response:
    password = body.password.get_secret_value() if body.password else None
    person = await desk.people.create(body.name, body.profile(), password)
    return answer(UserResource.of(person), 201, location=f"{desk.public_url}/api/users/{person.id}")


@router.get("/api/users/current", summary="Get the user that the key belongs to", response_model=UserResource)
async def current_user(caller: Anybody, desk: AtDesk) -> Response:
    return answer(UserResource.of(await _person(desk, caller.user)))


@router.put("/api/users/current", summary="Change the user that the key belongs to", response_model=UserResource)
async def change_current_user(body: UserBody, caller: Anybody, desk: AtDesk) -> Response:
    return await _change_user(caller.user, body, caller, desk)


@router.post("/api/users/search-email", summary="Find a user by sign-in address", response_model=UserResource)
async def search_email(body: EmailBody, caller: Responder, desk: AtDesk, access: Knows) -> Response:
    person = await desk.people.by_email(body.email)
    if person is None or not access.may_see_user(caller, person.id):
        raise ApiError(404, "NOT_FOUND", "Nobody signs in with this address")
    return answer(UserResource.of(person))


@router.get("/api/users/{user}", summary="Get a user", response_model=UserResource)
async def user(user: Id, caller: Anybody, desk: AtDesk, access: Knows) -> Response:
    _only_self_or(Role.RESPONDER, user, caller)
    person = await _person(desk, user)
    if not access.may_see_user(caller, user):
        raise _no_user(user)
    return answer(UserResource.of(person))


@router.put("/api/users/{user}", summary="Replace a user", response_model=UserResource)
async def change_user(user: Id, body: UserBody, caller: Anybody, desk: AtDesk) -> Response:
    return await _change_user(user, body, caller, desk)


@router.put("/api/users/{user}/password", summary="Set a user's password", status_code=204)
async def set_password(user: Id, body: PasswordBody, caller: Anybody, desk: AtDesk) -> Response:
    _only_self_or(Role.ADMIN, user, caller)
    await _person(desk, user)
    if user == caller.user:
        await _check_own_password(desk, user, body)
    await desk.people.set_password(user, body.password.get_secret_value())
    return no_content()


@router.delete("/api/users/{user}", summary="Delete a user", status_code=204)
async def delete_user(user: Id, _caller: Admin, desk: AtDesk) -> Response:
    await desk.people.remove(user)
    return no_content()


async def _change_user(user: int, body: UserBody, caller: Caller, desk: Desk) -> Response:
    _only_self_or(Role.ADMIN, user, caller)
    known = (await _person(desk, user)).state.profile
    if body.role not in (None, known.role) and not caller.is_at_least(Role.ADMIN):
        raise ApiError(403, "FORBIDDEN", "role: only an administrator may change it")
    return answer(UserResource.of(await desk.people.change(user, body.name, body.profile(known))))


async def _check_own_password(desk: Desk, user: int, body: PasswordBody) -> None:
    current = body.current_password.get_secret_value() if body.current_password else ""
    if await desk.people.can_sign_in(user) and not await desk.people.has_password(user, current):
        raise ApiError(403, "WRONG_PASSWORD", "currentPassword: is not the present password")


async def _person(desk: Desk, user: int) -> Person:
    person = await desk.people.get(user)
    if person is None:
        raise _no_user(user)
    return person


def _no_user(user: int) -> ApiError:
    return ApiError(404, "NOT_FOUND", f"There is no user {user}")


def _only_self_or(role: Role, user: int, caller: Caller) -> None:
    if caller.user != user and not caller.is_at_least(role):
        raise ApiError(403, "FORBIDDEN", f"This needs the role {role}; you have {caller.role}")


# -- teams


@router.get("/api/teams", summary="List teams", response_model=list[TeamResource])
async def teams(
    caller: Responder,
    page: Paged,
    desk: AtDesk,
    access: Knows,
    members: Annotated[int | None, Query(ge=1, le=LARGEST_ID)] = None,
) -> Response:
    visible = [team for team in await desk.teams.all() if _may_see(caller, team)]
    wanted = [team for team in visible if members is None or _has_member(team, members)]
    return answer([TeamResource.of(team, access) for team in page.of(wanted)])


@router.post("/api/teams", summary="Create a team", response_model=TeamResource, status_code=201)
async def create_team(body: TeamBody, _caller: Admin, desk: AtDesk, access: Knows) -> Response:
    team = await desk.teams.create(body.name, body.visibility, body.all_members)
    return answer(TeamResource.of(team, access), 201, location=f"{desk.public_url}/api/teams/{team.team}")


@router.get("/api/teams/name/{name}", summary="Get a team by its name", response_model=TeamResource)
async def team_by_name(name: str, caller: Responder, desk: AtDesk, access: Knows) -> Response:
    visible = [team for team in await desk.teams.all() if _may_see(caller, team)]
    team = named(visible, name, lambda team: team.name)
    if team is None:
        raise ApiError(404, "NOT_FOUND", f"There is no team {name!r}")
    return answer(TeamResource.of(team, access))


@router.get("/api/teams/{team}", summary="Get a team", response_model=TeamResource)
async def team(team: Id, caller: Responder, desk: AtDesk, access: Knows) -> Response:
    found = await desk.teams.get(team)
    if found is None or not _may_see(caller, found):
        raise ApiError(404, "NOT_FOUND", f"There is no team {team}")
    return answer(TeamResource.of(found, access))


@router.put("/api/teams/{team}", summary="Replace a team", response_model=TeamResource)
async def change_team(team: Id, body: TeamBody, _caller: Admin, desk: AtDesk, access: Knows) -> Response:
    return answer(TeamResource.of(await desk.teams.change(team, body.name, body.visibility, body.all_members), access))


@router.delete("/api/teams/{team}", summary="Delete a team", status_code=204)
async def delete_team(team: Id, _caller: Admin, desk: AtDesk) -> Response:
    await desk.teams.remove(team)
    return no_content()


@router.post("/api/teams/{team}/members", summary="Add a member to a team", response_model=MemberResource)
async def add_member(team: Id, body: MemberBody, _caller: Admin, desk: AtDesk, access: Knows) -> Response:
    await desk.teams.admit(team, body.member)
    return answer(MemberResource.of(body.member, access))


@router.delete("/api/teams/{team}/members/{user}", summary="Remove a member from a team", status_code=204)
async def remove_member(team: Id, user: Id, _caller: Admin, desk: AtDesk) -> Response:
    await desk.teams.dismiss(team, user)
    return no_content()


def _may_see(caller: Caller, team: Formed) -> bool:
    """By the ledger, not by the view: a private team of a moment ago is private already."""
    return team.visibility == "PUBLIC" or caller.role is Role.ADMIN or _has_member(team, caller.user)


def _has_member(team: Formed, user: int) -> bool:
    return any(member.user == user for member in team.members)


# -- API keys


@router.get("/api/api-keys", summary="List API keys", response_model=list[ApikeyResource])
async def apikeys(caller: Anybody, page: Paged, desk: AtDesk, access: Knows) -> Response:
    """One's own; an administrator sees all."""
    held = await desk.apikeys.of(None if caller.is_at_least(Role.ADMIN) else caller.user)
    return answer([ApikeyResource.of(issued, access) for issued in page.of(held)])


@router.post("/api/api-keys", summary="Issue an API key", response_model=ApikeyResource, status_code=201)
async def issue_apikey(body: ApikeyBody, caller: Anybody, desk: AtDesk, access: Knows) -> Response:
    user = body.user.id if body.user else caller.user
    _only_self_or(Role.ADMIN, user, caller)
    new = await desk.apikeys.issue(user, body.name)
    location = f"{desk.public_url}/api/api-keys/{new.issued.apikey}"
    return answer(ApikeyResource.of(new.issued, access, new.key), 201, location=location)


@router.get("/api/api-keys/{apikey}", summary="Get an API key, without its secret", response_model=ApikeyResource)
async def apikey(apikey: Id, caller: Anybody, desk: AtDesk, access: Knows) -> Response:
    return answer(ApikeyResource.of(await _held(desk, apikey, caller), access))


@router.delete("/api/api-keys/{apikey}", summary="Revoke an API key", status_code=204)
async def revoke_apikey(apikey: Id, caller: Anybody, desk: AtDesk) -> Response:
    await _held(desk, apikey, caller)
    await desk.apikeys.revoke(apikey)
    return no_content()


async def _held(desk: Desk, apikey: int, caller: Caller) -> Issued:
    """Somebody else's key is not there, except for administrators."""
    issued = await desk.apikeys.get(apikey)
    if issued is None or (issued.user != caller.user and not caller.is_at_least(Role.ADMIN)):
        raise ApiError(404, "NOT_FOUND", f"There is no API key {apikey}")
    return issued
