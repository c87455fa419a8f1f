"""Teams as people see them: the list, one of them with its members, a new one."""

from collections.abc import Mapping
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from accounts.api import Admin, AtDesk, Desk, Knows, Responder
from accounts.domain.team import Formed
from accounts.pages.front import ROLES, AtFront, Front, errors_of, labels, read_form
from accounts.shapes import TeamBody
from events.accounts import Role, Visibility
from runtime.access import Access, Caller
from runtime.refusals import Refused
from web.forms import Posted, Values, rows
from web.guards import ApiError, Id
from web.pages import viewer_of
from web.words import gettext as _

router: Final = APIRouter()


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
        body = read_form(TeamBody, {**form, "members": _members(form)})
        team = await desk.teams.create(body.name, body.visibility, body.all_members)
    except (ValidationError, Refused) as error:
        return _team_page(request, caller, access, front, None, form, errors_of(error, form))
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
        body = read_form(TeamBody, {**form, "members": _members(form)})
        await desk.teams.change(team, body.name, body.visibility, body.all_members)
    except (ValidationError, Refused) as error:
        return _team_page(request, caller, access, front, found, form, errors_of(error, form))
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
        labels=labels,
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
