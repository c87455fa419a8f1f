"""What notifier audits of its own: what is inside a message is on its way, and what it believes of an alert is there."""

from datetime import datetime
from typing import Any, Final

from notifier.domain.page import Paging, Underway
from notifier.planning import DOSSIERS
from notifier.streams import PAGE
from runtime.audit import Findings, Law, recent

DELIVERIES: Final = "select id from deliveries where id = any($1::bigint[])"
KNOWN: Final = "select key from entries where name = $1 and key = any($2::text[])"


async def messages(sql: Any, _now: datetime) -> Findings:
    """A notification inside a message has a delivery until something became of it."""
    under_way = {
        one.id: one.fate.message
        for page in await _pages(sql)
        for one in page.notifications
        if isinstance(one.fate, Underway)
    }
    held = {row["id"] for row in await sql.fetch(DELIVERIES, list(set(under_way.values())))}
    return {
        f"notification-{number}": f"message {message} is not on its way"
        for number, message in under_way.items()
        if message not in held
    }


async def dossiers(sql: Any, _now: datetime) -> Findings:
    """Of every alert that somebody was to be told of we know whether it was answered."""
    alerts = {str(page.alert) for page in await _pages(sql)}
    held = {row["key"] for row in await sql.fetch(KNOWN, DOSSIERS, list(alerts))}
    return {f"alert-{alert}": "nothing is known of it here" for alert in alerts - held}


async def _pages(sql: Any) -> list[Paging]:
    states = (
        PAGE.codec.load(head.state)
        for head in await recent(sql, "page-")
        if head.state and head.state_rev == PAGE.state_rev
    )
    return [state for state in states if isinstance(state, Paging)]


LAWS: Final = (
    Law("messages", "What is inside a message is on its way, or something became of it", messages),
    Law("dossiers", "Of every alert that is told, it is known whether it was answered", dossiers),
)
