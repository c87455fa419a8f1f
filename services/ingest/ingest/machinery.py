"""The suite's own troubles as alerts: a stream that a reader set aside opens one, and its going on resolves it.

It has no source (0) and goes to the default policy, for whoever runs the suite must hear of it.
"""

from collections.abc import Sequence
from typing import Final

from events.ingest import AlertCreated
from events.machinery import StreamParked, StreamResumed
from events.shared import Actor, Priority
from ingest import alerts, domain
from ingest.intake import open_key
from ingest.policies import Policies
from runtime.records import Received
from runtime.unit import Cause, Unit

OF_THE_SUITE: Final = 0
NAME: Final = "Alarum itself"


async def tell(unit: Unit, batch: Sequence[Received], policies: Policies) -> None:
    """One alert for each reader and stream, while it waits."""
    for received in batch:
        cause = Cause.of(received.envelope)
        match received.envelope.event:
            case StreamParked() as parked:
                await _open(unit, parked, policies, cause)
            case StreamResumed(reader=reader, parked=stream, at=_):
                await _close(unit, _key(reader, stream), cause)
            case _:
                pass


async def _open(unit: Unit, parked: StreamParked, policies: Policies, cause: Cause) -> None:
    key = _key(parked.reader, parked.parked)
    if await _open_alert(unit, key) is not None:
        return
    policy, policy_reason = policies.choose(None, None)
    [alert] = await unit.draw("alert")
    created = AlertCreated(
        alert=alert,
        source=OF_THE_SUITE,
        source_name=NAME,
        policy=policy,
        policy_reason=policy_reason,
        priority=Priority.HIGH,
        priority_reason="something may be lost on nobody's watch",
        summary=f"{parked.reader} has set {parked.parked} aside",
        details=(
            f"It could not be handled: {parked.error}\n\nWhat follows in this stream waits behind it. Once the cause is "
            f"mended: `python -m runtime.parked replay {parked.reader} {parked.parked}`"
        ),
        alert_key=key,
        received_at=parked.at,
        by=Actor.by_system("machinery"),
        at=unit.at,
    )
    alerts.begin(unit, created, cause)


async def _close(unit: Unit, key: str, cause: Cause) -> None:
    alert = await _open_alert(unit, key)
    if alert is not None:
        reason = "what was set aside has been handled"
        await alerts.command(unit, alert, domain.Resolve(Actor.by_system("machinery"), unit.at, reason), cause)


async def _open_alert(unit: Unit, key: str) -> int | None:
    wanted = open_key(OF_THE_SUITE, key)
    assert wanted is not None
    found = (await unit.index(alerts.OPEN, [wanted])).get(wanted)
    return int(found) if found else None


def _key(reader: str, stream: str) -> str:
    return f"parked {reader} {stream}"
