"""Who is on call now: by policy and by schedule, until when and why; and the badge of who looks."""

from datetime import timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Request, Response

from escalator.api import AtDesk, Knows, Reader, staffing_of
from escalator.duties import Duty, Window, level_duties, on_call_until
from escalator.oncall import OnCall, who
from escalator.pages.front import AtFront
from escalator.policies import Duties
from events.accounts import Role
from runtime.access import Access, Caller, caller
from web.pages import viewer_of

HORIZON: Final = timedelta(days=28)
"""How far ahead a badge looks: a duty that ends later is «for weeks»."""

router: Final = APIRouter()


@router.get("/on-call")
async def on_call(request: Request, caller: Reader, desk: AtDesk, access: Knows, front: AtFront) -> Response:
    duties = await desk.policies.duties(caller)
    schedules = [(schedule, who(schedule, duties.at)) for schedule in duties.schedules]
    return front.pages.render(
        request,
        "on_call.html",
        viewer_of(caller, access),
        at=duties.at,
        policies=[(policy, _levels(duties, index, access)) for index, policy in enumerate(duties.policies)],
        schedules=[(schedule, duty if isinstance(duty, OnCall) else None, duty) for schedule, duty in schedules],
        mine=on_call_until(caller.user, duties.schedules, duties.at, duties.at + HORIZON),
        name=access.name,
        is_here=lambda user: access.person(user) is not None,
    )


@router.get("/fragments/on-call-badge")
async def badge(
    request: Request, caller: Annotated[Caller, Depends(caller)], desk: AtDesk, access: Knows, front: AtFront
) -> Response:
    """«You are on call until …», or nothing. Stakeholders take no duty."""
    mine: list[OnCall] = []
    if caller.is_at_least(Role.RESPONDER):
        duties = await desk.policies.duties()
        mine = on_call_until(caller.user, duties.schedules, duties.at, duties.at + HORIZON)
    return front.pages.render(request, "badge.html", viewer_of(caller, access), duties=mine)


def _levels(duties: Duties, index: int, access: Access) -> list[tuple[int, int, list[Duty]]]:
    """(level from 1, its patience in minutes, who would be told now) of one policy."""
    policy, staffing, window = duties.policies[index], staffing_of(duties, access), Window(duties.at, duties.at)
    return [
        (level + 1, rule.timeout_min, list(level_duties(policy, level, rule, staffing, window)))
        for level, rule in enumerate(policy.rules)
    ]
