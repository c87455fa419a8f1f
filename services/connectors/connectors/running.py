"""Runs in a unit of work: a command goes to an alert's stream, and what becomes its head is given to the deliveries."""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from pydantic import TypeAdapter
from pydantic.dataclasses import dataclass

from connectors.domain import dossier as dossiers
from connectors.domain.action import Configured
from connectors.domain.dossier import Dossier
from connectors.domain.runs import Command, Run, head_of
from connectors.streams import ACTION, RUNS
from connectors.targets import host_of
from events.connectors import ActionConfigured
from events.core import Event, Refusal
from runtime.ports import Delivery
from runtime.unit import NO_CAUSE, Cause, Unit

DOSSIERS: Final = "dossier"
"""Index: an alert's id -> what we believe of it, as JSON with its `source`."""
ACTIONS: Final = "actions"
"""Index: `<source>/<action>` -> "", kept by who configures actions."""
SLOTS: Final = 4
"""Of the senders, as many may be with one host at once."""
DEADLINES: Final = {"jira": timedelta(hours=6)}
DEADLINE: Final = timedelta(hours=1)


@dataclass(frozen=True)
class Errand:
    """What a delivery carries: which run of which alert."""

    alert: int
    run: int


def act(unit: Unit, alert: int, command: Command, cause: Cause = NO_CAUSE) -> Sequence[Event]:
    """Decide on a loaded stream; when another run is the head then, and not another service's to do, it is sent."""
    before = head_of(unit.state(RUNS, alert))
    outcome = unit.decide(RUNS, alert, command, cause)
    after = head_of(unit.state(RUNS, alert))
    if after is not None and not after.run.is_dispatched and (before is None or before.run.id != after.run.id):
        unit.deliver(delivery_of(after.run, unit.at))
    return () if isinstance(outcome, Refusal) else outcome


def delivery_of(run: Run, at: datetime) -> Delivery:
    """The way out of a run that is the head since `at`."""
    return Delivery(
        id=run.id,
        channel=run.type,
        stream=RUNS.stream(run.alert),
        target=f"{_host(run)}#{run.alert % SLOTS}",
        not_before=at,
        deadline=at + DEADLINES.get(run.type, DEADLINE),
        payload=_errand.dump_json(Errand(run.alert, run.id)),
    )


def errand_of(delivery: Delivery) -> Errand:
    return _errand.validate_json(delivery.payload)


async def read_dossiers(unit: Unit, alerts: Iterable[int]) -> dict[int, Dossier]:
    """What we believe of these alerts, unknown ones included."""
    wanted = set(alerts)
    texts = await unit.index(DOSSIERS, map(str, wanted))
    return {
        alert: dossiers.load(texts[str(alert)]) if str(alert) in texts else Dossier(alert=alert) for alert in wanted
    }


def keep_dossiers(unit: Unit, changed: Iterable[Dossier]) -> None:
    unit.put(DOSSIERS, {str(one.alert): dossiers.dump(one) for one in changed})


async def actions_of(unit: Unit, sources: Iterable[int]) -> list[ActionConfigured]:
    """Every action that alerts of these sources may lead to, as it stands."""
    found = [key for source in sorted(set(sources)) for key in await unit.scan(ACTIONS, f"{source}/")]
    return await actions_named(unit, {int(key.partition("/")[2]) for key in found})


async def actions_named(unit: Unit, actions: Iterable[int]) -> list[ActionConfigured]:
    """Those of the actions that are there."""
    wanted = set(actions)
    if not wanted:
        return []
    known = await unit.peek(ACTION, wanted)
    return [one.state.now for one in known.values() if isinstance(one.state, Configured)]


def _host(run: Run) -> str:
    """Whom the senders share: a webhook's host, the connector of a tool, the mail server."""
    match run.type:
        case "webhook":
            return host_of(str(run.params.get("webhookUrl", "")))
        case "email":
            return "smtp"
        case _:
            return f"connector-{run.connector}"


_errand: Final = TypeAdapter(Errand)
