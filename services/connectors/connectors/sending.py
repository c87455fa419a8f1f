"""How a run reaches its tool: looked at once more when it is claimed, sent by its bridge, its fate decided.

claimed -> still the head? the connector there? -> (circuit of the host closed?) -> bridge -> succeeded, later, failed
"""

import asyncio
import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from connectors.bridges import jira, slack, webhook
from connectors.bridges.email import Mails, Post
from connectors.bridges.job import Bridge, Job
from connectors.domain.connector import Kept
from connectors.domain.runs import Command, Defer, Fail, Made, Run, Succeed, head_of, log_of
from connectors.outside import Away, Outside
from connectors.running import act, errand_of, read_dossiers
from connectors.sealed import joined
from connectors.streams import CONNECTOR, RUNS
from connectors.targets import TargetRefused, host_of
from events.cells import CellSealed
from events.connectors import ConnectorChanged
from runtime import telemetry
from runtime.circuits import Circuits
from runtime.deliveries import Later, Refused, Result, Sent
from runtime.ports import Clock, Delivery
from runtime.unit import Cause, Unit
from runtime.vault import Keyring, Unreadable, read_cell

LONGEST_S: Final = 25.0
"""An attempt of several calls ends before its lease (30 s)."""
BRIDGES: Final[Mapping[str, Bridge]] = {"webhook": webhook.send, "jira": jira.send, "slack": slack.send}
JIRA_ISSUES: Final = "jira_issues"
"""Index: `<connector>/<issue>` -> `<alert>/<action>`: whose issue it is that Jira tells us of."""
ERASED: Final = "What is secret of this action was erased"


class Held(Later):
    """Not tried: the circuit of its host is open. Nothing happened that is worth an event."""


@dataclass(frozen=True)
class Claimed:
    """What a claim found; sealed as it is kept."""

    run: Run
    made: Made | None
    tool: ConnectorChanged | None
    cell: CellSealed | None
    tool_cell: CellSealed | None
    trace: str | None


class Sending:
    """The sender of all channels."""

    def __init__(self, outside: Outside, post: Post, keyring: Keyring, clock: Clock, public_url: str) -> None:
        self._outside, self._mails, self._keyring, self._clock = outside, Mails(post), keyring, clock
        self._public_url = public_url
        self._circuits = Circuits()
        self._claimed: dict[int, Claimed] = {}

    # -- the latest state, in the claiming transaction

    async def wanted(self, unit: Unit, delivery: Delivery) -> bool:
        """Whether the run is still the head; one whose connector is gone has failed."""
        errand = errand_of(delivery)
        await unit.load(RUNS, [errand.alert])
        state = unit.state(RUNS, errand.alert)
        head = head_of(state)
        if head is None or head.run.id != errand.run:
            return False
        run = head.run
        tool = await _tool(unit, run.connector)
        if run.connector is not None and tool is None:
            gone = Fail(run.id, delivery.attempts, f"The connector {run.connector} was deleted", unit.at)
            act(unit, run.alert, gone, Cause(run.event_id))
            return False
        made = log_of(state).made.get(run.action)
        made = made if made is not None and made.connector == run.connector else None
        cells = await _cell(unit, run.cell), await _cell(unit, tool.cell if tool else None)
        trace = (await read_dossiers(unit, [run.alert]))[run.alert].trace
        self._claimed[delivery.id] = Claimed(run, made, tool, *cells, trace)
        return True

    # -- one attempt

    async def send(self, delivery: Delivery) -> Result:
        claimed = self._claimed.pop(delivery.id)
        try:
            job = self._job(claimed, delivery)
        except Unreadable as error:
            return Refused(str(error))
        host, now = _host(job), self._clock.now()
        if (wait := self._circuits.wait(host, now)) is not None:
            return Held(f"{host} does not answer", wait.total_seconds())
        with _span(claimed) as traced:
            result = await self._attempt(job)
            traced.note({"alarum.attempt": delivery.attempts + 1, "alarum.outcome": type(result).__name__})
        if isinstance(result, Later):
            self._circuits.failed(host, self._clock.now())
        else:
            self._circuits.succeeded(host)
        return result

    async def _attempt(self, job: Job) -> Result:
        try:
            async with asyncio.timeout(LONGEST_S):
                if job.run.type == "email":
                    return await self._mails.send(job)
                bridge = BRIDGES.get(job.run.type)
                return await bridge(self._outside, job) if bridge else Refused(f"{job.run.type} is not known here")
        except TargetRefused as refused:
            return Refused(str(refused))
        except Away as away:
            return Later(str(away))
        except TimeoutError:
            return Later(f"It took longer than {LONGEST_S:.0f} s")

    def _job(self, claimed: Claimed, delivery: Delivery) -> Job:
        """Raises `Unreadable`."""
        run, tool = claimed.run, claimed.tool
        return Job(
            run=run,
            at=self._clock.now(),
            public_url=self._public_url,
            params=joined(run.params, self._opened(run.cell, claimed.cell)),
            tool=joined(tool.params, self._opened(tool.cell, claimed.tool_cell)) if tool else {},
            made=claimed.made,
            is_repeat=delivery.may_have_arrived,
        )

    def _opened(self, cell: str | None, sealed: CellSealed | None) -> dict[str, Any]:
        if cell is None:
            return {}
        if sealed is None:
            raise Unreadable(ERASED)
        opened: dict[str, Any] = json.loads(self._keyring.open(sealed))
        return opened

    # -- what became of it

    async def settle(self, unit: Unit, delivery: Delivery, result: Result, next_at: datetime | None) -> None:
        errand = errand_of(delivery)
        await unit.load(RUNS, [errand.alert])
        head = head_of(unit.state(RUNS, errand.alert))
        if head is None or head.run.id != errand.run:
            return
        if isinstance(result, Held) and next_at is not None:
            return
        run, trace = head.run, (await read_dossiers(unit, [errand.alert]))[errand.alert].trace
        cause = Cause(None if next_at else run.event_id, trace)
        act(unit, run.alert, _fate(run, delivery, result, next_at, unit.at), cause)
        if run.type == "jira" and isinstance(result, Sent) and result.reference:
            remember_issue(unit, run.connector, result.reference, run.alert, run.action)


def remember_issue(unit: Unit, connector: int | None, issue: str, alert: int, action: int) -> None:
    """Whose issue it is."""
    unit.put(JIRA_ISSUES, {f"{connector}/{issue}": f"{alert}/{action}"})


def _fate(run: Run, delivery: Delivery, result: Result, next_at: datetime | None, at: datetime) -> Command:
    match result:
        case Sent(reply, link, reference):
            return Succeed(run.id, delivery.attempts, reply, at, link, reference)
        case Later(error) if next_at is not None:
            return Defer(run.id, delivery.attempts, error, next_at, at)
        case Later(error) | Refused(error):
            return Fail(run.id, delivery.attempts, error, at)


async def _tool(unit: Unit, connector: int | None) -> ConnectorChanged | None:
    if connector is None:
        return None
    state = (await unit.peek(CONNECTOR, [connector]))[CONNECTOR.stream(connector)].state
    return state.now if isinstance(state, Kept) else None


async def _cell(unit: Unit, cell: str | None) -> CellSealed | None:
    return await read_cell(unit.tx, cell) if cell is not None else None


def _span(claimed: Claimed) -> AbstractContextManager[telemetry.Traced]:
    """The last hop of a trace: under what asked for the run."""
    run = claimed.run
    attributes = {"alarum.alert": run.alert, "alarum.run": run.id, "alarum.action": run.action}
    return telemetry.span(f"{run.type} send", claimed.trace, kind=telemetry.Kind.CLIENT, attributes=attributes)


def _host(job: Job) -> str:
    """Whose circuit it is."""
    match job.run.type:
        case "webhook":
            return host_of(job.text_of("webhookUrl"))
        case "jira":
            return host_of(str(job.tool.get("url", "")))
        case "slack":
            return host_of(str(job.tool.get("apiUrl") or slack.SLACK_API))
        case _:
            return "The mail server"
