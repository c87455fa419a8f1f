"""Escalation policies: the list, one with its preview «if it rang now», and the form of rows in rows."""

from datetime import datetime
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from pydantic import ValidationError

from escalator.api import AtDesk, Desk, Knows, Reader
from escalator.bodies import PolicyBody
from escalator.domain import schedule as kept
from escalator.domain.escalation import Plan
from escalator.pages.front import AtFront, Front, body_of, errors_of, people_to_choose, teams_to_choose
from escalator.policies import Duties
from escalator.rehearsal import Step, rehearse
from escalator.roster import ScheduleSeen, Seen, TeamSeen, roster
from escalator.wallclock import MINUTE
from events.escalator import PolicyChanged, Rule, Target
from runtime.access import Access, Caller
from runtime.refusals import Refused
from web.forms import Posted, Values, rearranged, rows
from web.guards import Id
from web.pages import viewer_of
from web.words import gettext as _

KINDS: Final = ("user", "schedule", "team")
FRESH: Final[dict[str, object]] = {"escalationRules": {"escalationTimeout": "5", "targets": {"0": ""}}, "targets": ""}

router: Final = APIRouter()


@router.get("/policies")
async def policies(request: Request, caller: Reader, desk: AtDesk, access: Knows, front: AtFront) -> Response:
    duties = await desk.policies.duties(caller)
    return front.pages.render(
        request,
        "policies.html",
        viewer_of(caller, access),
        policies=[(policy, desk.policies.used_by(policy.policy)) for policy in duties.policies],
        title_of=lambda target: _title(target, duties, access),
        may_add=desk.policies.may_write(caller, ()),
    )


@router.get("/policies/new")
async def new_policy(request: Request, caller: Reader, desk: AtDesk, access: Knows, front: AtFront) -> Response:
    form: Values = {"escalationRules": {"0": {"escalationTimeout": "5", "targets": {"0": ""}}}, "frequency": "1"}
    return await _form_page(request, caller, desk, access, front, None, form, {})


@router.post("/policies/new")
async def add_policy(
    request: Request, caller: Reader, desk: AtDesk, access: Knows, front: AtFront, form: Posted
) -> Response:
    if rearranged(form, FRESH):
        return await _form_page(request, caller, desk, access, front, None, form, {})
    try:
        made = await desk.policies.create(PolicyBody.model_validate(_body(form)), caller)
    except (ValidationError, Refused) as error:
        return await _form_page(request, caller, desk, access, front, None, form, _errors(error, form))
    return front.pages.redirect(request, f"/policies/{made.policy}", _("%(name)s was added") % {"name": made.name})


@router.get("/policies/{policy}")
async def policy(request: Request, policy: Id, caller: Reader, desk: AtDesk, access: Knows, front: AtFront) -> Response:
    found = await desk.policies.get(policy, caller)
    duties = await desk.policies.duties()
    return front.pages.render(
        request,
        "policy.html",
        viewer_of(caller, access),
        policy=found,
        at=duties.at,
        levels=list(enumerate(found.rules, 1)),
        steps=_preview(found, duties, access),
        used_by=desk.policies.used_by(policy),
        title_of=lambda target: _title(target, duties, access),
        href_of=_href,
        name=access.name,
        may_write=desk.policies.may_write(caller, found.teams),
    )


@router.get("/policies/{policy}/edit")
async def edit_policy(
    request: Request, policy: Id, caller: Reader, desk: AtDesk, access: Knows, front: AtFront
) -> Response:
    found = await desk.policies.get(policy, caller)
    return await _form_page(request, caller, desk, access, front, found, _form(found), {})


@router.post("/policies/{policy}/edit")
async def change_policy(
    request: Request, policy: Id, caller: Reader, desk: AtDesk, access: Knows, front: AtFront, form: Posted
) -> Response:
    found = await desk.policies.get(policy, caller)
    if rearranged(form, FRESH):
        return await _form_page(request, caller, desk, access, front, found, form, {})
    try:
        await desk.policies.change(policy, PolicyBody.model_validate(_body(form)), caller)
    except (ValidationError, Refused) as error:
        return await _form_page(request, caller, desk, access, front, found, form, _errors(error, form))
    return front.pages.redirect(request, f"/policies/{policy}", _("Saved"))


@router.post("/policies/{policy}/delete")
async def delete_policy(request: Request, policy: Id, caller: Reader, desk: AtDesk, front: AtFront) -> Response:
    name = (await desk.policies.get(policy, caller)).name
    await desk.policies.remove(policy, caller)
    return front.pages.redirect(request, "/policies", _("%(name)s was deleted") % {"name": name})


async def _form_page(
    request: Request,
    caller: Caller,
    desk: Desk,
    access: Access,
    front: Front,
    policy: PolicyChanged | None,
    form: Values,
    errors: dict[str, str],
) -> Response:
    duties = await desk.policies.duties(caller)
    return front.pages.render(
        request,
        "policy_form.html",
        viewer_of(caller, access),
        block="form",
        status=422 if errors else 200,
        policy=policy,
        form=form,
        errors=errors,
        levels=[
            (key, row, rows(row.get("targets")))
            for key, row in rows(form.get("escalationRules"))
            if isinstance(row, dict)
        ],
        people=[(f"user:{user}", name) for user, name in people_to_choose(access, caller)],
        schedules=[(f"schedule:{one.schedule}", one.name) for one in duties.schedules],
        teams=[(f"team:{team}", name) for team, name in teams_to_choose(access, caller)],
        owners=teams_to_choose(access, caller),
    )


# -- between forms and bodies


def _body(form: Values) -> dict[str, Any]:
    """The API's body: targets such as `user:7` become lists by kind, ticked teams become references."""
    body: dict[str, Any] = body_of(
        {name: value for name, value in form.items() if name not in ("escalationRules", "teams")}
    )
    body["escalationRules"] = [_rule(row) for _, row in rows(form.get("escalationRules")) if isinstance(row, dict)]
    body["teams"] = [{"id": team} for team, _ in rows(form.get("teams"))]
    return body


def _rule(row: Values) -> dict[str, Any]:
    rule: dict[str, Any] = {"escalationTimeout": row.get("escalationTimeout", "")}
    for _key, text in rows(row.get("targets")):
        kind, _colon, number = str(text).partition(":")
        if kind in KINDS and number:
            rule.setdefault(f"{kind}s", []).append({"id": number})
    return rule


def _errors(error: ValidationError | Refused, form: Values) -> dict[str, str]:
    """Errors in a rule's lists of users, schedules or teams belong to the rule's targets."""
    found = errors_of(error, form)
    return {_target_name(name): words for name, words in found.items()}


def _target_name(name: str) -> str:
    parts = name.split(".")
    is_target = len(parts) > 2 and parts[0] == "escalationRules" and parts[2] in ("users", "schedules", "teams")
    return ".".join([*parts[:2], "targets"]) if is_target else name


def _form(policy: PolicyChanged) -> Values:
    return {
        "name": policy.name,
        "escalationRules": {str(number): _row(rule) for number, rule in enumerate(policy.rules)},
        "repeating": "true" if policy.repeating else "",
        "frequency": str(policy.frequency),
        "delayMin": str(policy.delay_min),
        "routingKey": policy.routing_key or "",
        "teams": {str(team): "true" for team in policy.teams},
    }


def _row(rule: Rule) -> Values:
    targets = {str(number): _text(target) for number, target in enumerate(rule.targets)}
    return {"escalationTimeout": str(rule.timeout_min), "targets": targets or {"0": ""}}


def _text(target: Target) -> str:
    return next(f"{kind}:{getattr(target, kind)}" for kind in KINDS if getattr(target, kind) is not None)


# -- what is shown


def _title(target: Target, duties: Duties, access: Access) -> str:
    match target:
        case Target(user=int(user)):
            return access.name(user)
        case Target(schedule=int(schedule)):
            known = duties.schedule(schedule)
            return known.name if known else _("schedule %(id)s") % {"id": schedule}
        case Target(team=int(team)):
            found = access.team(team)
            return found.name if found else _("team %(id)s") % {"id": team}
        case _:
            return _("Nobody")


def _href(target: Target) -> str:
    kind = next(kind for kind in KINDS if getattr(target, kind) is not None)
    return f"/{kind}s/{getattr(target, kind)}"


def _preview(policy: PolicyChanged, duties: Duties, access: Access) -> list[Step]:
    """Everything that would happen from now on if nobody answered."""
    plan = Plan(
        policy.policy, 0, policy.name, policy.rules, policy.frequency if policy.repeating else 1, policy.delay_min
    )
    targets = {target for rule in policy.rules for target in rule.targets}
    seen = _seen(duties, access)
    return rehearse(plan, lambda at: roster(targets, seen, at), _minute(duties.at), MINUTE)


def _seen(duties: Duties, access: Access) -> Seen:
    """What pages know of people: who is not there (any more) is not told."""
    schedules = {one.schedule: ScheduleSeen(kept.Kept(one), 0) for one in duties.schedules}
    teams = {team.team: TeamSeen(team.name, tuple(member.user for member in team.members)) for team in access.teams()}
    named = {target.user for one in duties.policies for rule in one.rules for target in rule.targets if target.user}
    turns = {user for one in duties.schedules for layer in one.layers for user in layer.users}
    booked = {shift.user for one in duties.schedules for shift in (*one.shifts, *one.overrides)}
    gone = frozenset(user for user in named | turns | booked if access.person(user) is None)
    return Seen(schedules, teams, gone)


def _minute(at: datetime) -> datetime:
    return at.replace(second=0, microsecond=0)
