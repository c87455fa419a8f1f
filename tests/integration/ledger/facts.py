"""Small lines and deliveries for the ledger's tests, and the shortest way to write them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from runtime.ports import Delivery, Ledger, Line, StreamRow

T0 = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
ALERTS = "alerts.v1"


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def line(stream: str, version: int, body: bytes | None = b"{}", topic: str = ALERTS) -> Line:
    return Line(stream, version, topic, stream, "alert.created", body)


def head(stream: str, version: int, **more: Any) -> StreamRow:
    return StreamRow(stream, version, **more)


async def write(ledger: Ledger, *lines: Line, heads: Sequence[StreamRow] = ()) -> None:
    """Append these lines in one transaction; the heads follow from them unless given."""
    following = {each.stream: head(each.stream, each.version) for each in lines}
    async with ledger.begin() as tx:
        await tx.append(lines, list(heads) or list(following.values()))


def delivery(number: int, target: str = "ada@example.org", **more: Any) -> Delivery:
    defaults: dict[str, Any] = {"not_before": T0, "deadline": at(3600), "payload": b"{}", "created_at": at(number)}
    return Delivery(id=number, channel="email", stream="page-1-7", target=target, **defaults | more)


async def enqueue(ledger: Ledger, *deliveries: Delivery) -> None:
    async with ledger.begin() as tx:
        await tx.enqueue(deliveries)


async def claim(ledger: Ledger, now: float = 0, limit: int = 10, busy: Sequence[str] = ()) -> list[Delivery]:
    """Claim in a transaction of its own, with a lease of 30 s."""
    async with ledger.begin() as tx:
        return await tx.claim(at(now), at(now + 30), limit, busy)


def ids(deliveries: Sequence[Delivery]) -> list[int]:
    return [each.id for each in deliveries]
