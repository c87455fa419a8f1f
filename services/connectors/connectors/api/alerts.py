"""An alert's actions over REST: those that people may run by hand, and running one."""

from typing import Final

from fastapi import APIRouter, Response

from connectors.api.desk import AtDesk, Desk, Reader
from connectors.bodies import RunBody
from connectors.buttons import RunCard
from connectors.shapes import ResultResource, RunnableResource
from runtime.resources import answer
from web.guards import Id

router: Final = APIRouter()


@router.get(
    "/api/alerts/{alert}/actions",
    summary="List the alert actions that can be run on an alert",
    response_model=list[RunnableResource],
)
async def alert_actions(alert: Id, caller: Reader, desk: AtDesk) -> Response:
    """With their latest runs there, newest first."""
    found = await desk.buttons.of(alert, caller)
    return answer(
        [RunnableResource.of(button.action, tuple(_result(run, desk) for run in button.runs)) for button in found]
    )


@router.post(
    "/api/alerts/{alert}/actions",
    summary="Run an alert action on an alert now",
    response_model=ResultResource,
    status_code=201,
)
async def run_action(alert: Id, body: RunBody, caller: Reader, desk: AtDesk) -> Response:
    """Answers with what became of it; when that takes more than five seconds, without `success`."""
    return answer(_result(await desk.buttons.press(alert, body.alert_action_id, caller), desk), 201)


def _result(run: RunCard, desk: Desk) -> ResultResource:
    return ResultResource.of(run, desk.access)
