"""The suite's own troubles as alerts: a stream that was set aside, or books that do not balance, open one; their end resolves it.

It has no source (0) and goes to the default policy, for whoever runs the suite must hear of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from events.ingest import AlertCreated
from events.machinery import BooksBalanced, BooksUnbalanced, StreamParked, StreamResumed
from events.shared import Actor, Priority
from ingest import alerts, domain
from ingest.intake import open_key
from ingest.policies import Policies
from runtime.records import Received
from runtime.unit import Cause, Unit

OF_THE_SUITE: Final = 0
NAME: Final = "Alarum itself"


@dataclass(frozen=True)
class Trouble:
    """What is amiss, for one alert while it lasts."""

    key: str
    summary: str
    details: str
    at: datetime


async def tell(unit: Unit, batch: Sequence[Received], policies: Policies) -> None:
    """One alert for each reader and stream, while it waits; one for each account, while it does not balance."""
    for received in batch:
        cause = Cause.of(received.envelope)
        match received.envelope.event:
            case StreamParked() as parked:
                await _open(unit, parked, policies, cause)
            case StreamResumed(reader=reader, parked=stream, at=_):
                await _close(unit, _key(reader, stream), "what was set aside has been handled", cause)
            case BooksUnbalanced() as unbalanced:
                await _open_books(unit, unbalanced, policies, cause)
            case BooksBalanced(service=service, account=account):
                await _close(unit, _account(service, account), "the books balance again", cause)
            case _:
                pass


async def _open(unit: Unit, parked: StreamParked, policies: Policies, cause: Cause) -> None:
    details = (
        f"It could not be handled: {parked.error}\n\nWhat follows in this stream waits behind it. Once the cause is "
        f"mended: `python -m runtime.parked replay {parked.reader} {parked.parked}`"
    )
    said = Trouble(
        _key(parked.reader, parked.parked), f"{parked.reader} has set {parked.parked} aside", details, parked.at
    )
    await _begin(unit, said, policies, cause)


async def _open_books(unit: Unit, books: BooksUnbalanced, policies: Policies, cause: Cause) -> None:
    more = f" and {books.number - len(books.missing)} more" if books.number > len(books.missing) else ""
    details = f"{books.text}\n\nMissing: {', '.join(books.missing)}{more}\n\nWhat is missing now is told at `/audit`."
    summary = f"The books of {books.service} do not balance: {books.number} missing in «{books.account}»"
    said = Trouble(_account(books.service, books.account), summary, details, books.at)
    await _begin(unit, said, policies, cause)


async def _begin(unit: Unit, trouble: Trouble, policies: Policies, cause: Cause) -> None:
    if await _open_alert(unit, trouble.key) is not None:
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
        summary=trouble.summary,
        details=trouble.details,
        alert_key=trouble.key,
        received_at=trouble.at,
        by=Actor.by_system("machinery"),
        at=unit.at,
    )
    alerts.begin(unit, created, cause)


async def _close(unit: Unit, key: str, reason: str, cause: Cause) -> None:
    alert = await _open_alert(unit, key)
    if alert is not None:
        await alerts.command(unit, alert, domain.Resolve(Actor.by_system("machinery"), unit.at, reason), cause)


async def _open_alert(unit: Unit, key: str) -> int | None:
    wanted = open_key(OF_THE_SUITE, key)
    assert wanted is not None
    found = (await unit.index(alerts.OPEN, [wanted])).get(wanted)
    return int(found) if found else None


def _key(reader: str, stream: str) -> str:
    return f"parked {reader} {stream}"


def _account(service: str, account: str) -> str:
    return f"books {service} {account}"
