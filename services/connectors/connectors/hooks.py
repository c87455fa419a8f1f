"""Where other tools call back (`/hooks`): Jira when an issue moved, Slack when a button was pressed.

What they say is recorded as `action.answered`; its meaning is the alert's owner's to decide. Who knows no token and no
signature learns nothing. A stranger's issue or a torn body is no reason for the tool to call again.
"""

import json
from typing import Annotated, Any, Final
from urllib.parse import parse_qs

from fastapi import APIRouter, Depends, Request, Response

from connectors.callbacks import Moved, Pressed, is_signed, of_jira, of_slack
from connectors.domain.connector import Kept
from connectors.domain.dossier import ACCEPTED, RESOLVED
from connectors.domain.labels import told_by
from connectors.domain.runs import Answer, is_told_over
from connectors.running import act, read_dossiers
from connectors.sending import JIRA_ISSUES
from connectors.streams import CONNECTOR, RUNS
from connectors.tokens import connector_of
from events.connectors import ActionAnswer, ConnectorChanged
from runtime.shell import Shell
from runtime.unit import Cause, Unit
from runtime.vault import Keyring, Unreadable, read_cell
from web.guards import ApiError, parse_json

router: Final = APIRouter(include_in_schema=False)
SETTLED: Final = {ActionAnswer.ACCEPT: (ACCEPTED, RESOLVED), ActionAnswer.RESOLVE: (RESOLVED,)}
"""States in which an answer changes nothing: often it is our own doing that comes back."""


class Hooks:
    """Takes what tools say."""

    def __init__(self, shell: Shell, keyring: Keyring) -> None:
        self._shell, self._keyring = shell, keyring
        self._secret_key = shell.settings.secret_key.get_secret_value()

    async def jira(self, token: str, body: bytes) -> None:
        """Raises `ApiError` 404 for a token that is not ours, 400 for what is no JSON."""
        connector = connector_of("jira", token, self._secret_key)
        if connector is None:
            raise _unknown()
        moved = of_jira(parse_json(body))

        async def record(unit: Unit) -> None:
            if await _kept(unit, connector) is None:
                raise _unknown()
            if moved is not None:
                await _moved(unit, connector, moved, self._shell.settings.public_url)

        await self._shell.do(record)

    async def slack(self, token: str, headers: dict[str, str], body: bytes) -> None:
        """Raises `ApiError` 404 for a token that is not ours, 401 without a fresh signature, 400 for a torn body."""
        connector = connector_of("slack", token, self._secret_key)
        secret = None if connector is None else await self._shell.run(lambda unit: self._secret(unit, connector))
        if connector is None or secret is None:
            raise _unknown()
        if not is_signed(headers, body, secret, self._shell.clock.now()):
            raise ApiError(401, "UNAUTHORIZED", "This is not signed by the workspace of this connector, or too late")
        pressed = of_slack(_payload(body))
        if pressed is not None:
            await self._shell.do(lambda unit: _answered_over(unit, connector, pressed, "slack"))

    async def _secret(self, unit: Unit, connector: int) -> str | None:
        """The signing secret; None when there is no such connector, empty when it has none that we can read."""
        found = await _kept(unit, connector)
        if found is None or found.type != "slack":
            return None
        sealed = await read_cell(unit.tx, found.cell) if found.cell else None
        try:
            secrets: dict[str, Any] = json.loads(self._keyring.open(sealed)) if sealed else {}
        except Unreadable:
            return ""
        return str(secrets.get("signingSecret", ""))


async def hooks_of(request: Request) -> Hooks:
    hooks: Hooks = request.app.state.hooks
    return hooks


AtHooks = Annotated[Hooks, Depends(hooks_of)]


@router.post("/hooks/jira/{token}")
async def jira(hooks: AtHooks, token: str, request: Request) -> Response:
    await hooks.jira(token, await request.body())
    return Response(status_code=200)


@router.post("/hooks/slack/{token}")
async def slack(hooks: AtHooks, token: str, request: Request) -> Response:
    await hooks.slack(token, dict(request.headers), await request.body())
    return Response(status_code=200)


def _unknown() -> ApiError:
    return ApiError(404, "NOT_FOUND", "Nobody is called here")


def _payload(body: bytes) -> object:
    """Slack sends a form whose one field is JSON."""
    fields = parse_qs(body.decode("utf-8", "replace"))
    return parse_json(fields.get("payload", [""])[0].encode())


async def _kept(unit: Unit, connector: int) -> ConnectorChanged | None:
    state = (await unit.peek(CONNECTOR, [connector]))[CONNECTOR.stream(connector)].state
    return state.now if isinstance(state, Kept) else None


async def _moved(unit: Unit, connector: int, moved: Moved, public_url: str) -> None:
    """An issue that this connector made; one of a moment ago, of which we know only the label yet, is meant too."""
    place = f"{connector}/{moved.issue}"
    whose = (await unit.index(JIRA_ISSUES, [place])).get(place)
    alert, action = _numbers(whose) if whose else told_by(moved.labels, public_url) or (None, None)
    if alert is not None and action is not None:
        await _answered_over(unit, connector, Pressed(alert, action, moved.answer, moved.who), "jira")


async def _answered_over(unit: Unit, connector: int, given: Pressed, channel: str) -> None:
    """What an action told over this connector can be answered over it, and nothing else."""
    await unit.load(RUNS, [given.alert])
    if is_told_over(unit.state(RUNS, given.alert), given.action, connector):
        await _answer(unit, given, channel)


def _numbers(whose: str) -> tuple[int, int]:
    alert, _, action = whose.partition("/")
    return int(alert), int(action)


async def _answer(unit: Unit, given: Pressed, channel: str) -> None:
    known = (await read_dossiers(unit, [given.alert]))[given.alert]
    if known.status in SETTLED.get(given.answer, ()):
        return
    answer = Answer(given.alert, given.answer, given.action, channel, given.who, unit.at)
    act(unit, given.alert, answer, Cause(None, known.trace))
