"""What the timeline's pictures are told in a batch: statements go once for many alerts, and each alert's in its order."""

from datetime import UTC, datetime, timedelta
from typing import Any

from events.core import Event
from events.envelope import Envelope
from events.escalator import EscalationEnded, EscalationHalted, EscalationLevelReached, EscalationStarted
from ingest import projection

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Base:
    """Remembers the statements that went to it; to a timeline everything is news."""

    def __init__(self) -> None:
        self.went: list[tuple[str, list[tuple[Any, ...]]]] = []

    async def executemany(self, statement: str, rows: list[tuple[Any, ...]]) -> None:
        self.went.append((statement, rows))

    async def fetch(self, _statement: str, *_values: Any) -> list[Any]:
        return []

    def of(self, alert: int) -> list[str]:
        """The statements about one alert, in the order in which they went."""
        return [statement for statement, rows in self.went for row in rows if row[0] == alert]


def said(alert: int) -> list[Event]:
    about: dict[str, Any] = {"alert": alert, "alert_version": 1, "at": NOW}
    return [
        EscalationStarted(**about, levels=(), begins_at=NOW),
        EscalationLevelReached(**about, level=0, responders=(), next_at=NOW + timedelta(minutes=5)),
        EscalationEnded(**about, reason="nobody is left"),
    ]


def enveloped(events: list[Event]) -> list[Envelope]:
    return [Envelope(event, event.stream, number, "escalator") for number, event in enumerate(events, 1)]


ORDER = [projection.STARTED, projection.REACHED, projection.TOLD, projection.ENDED]


async def test_a_batch_of_many_alerts_goes_in_as_few_statements_as_one() -> None:
    base = Base()
    await projection.project_foreign(base, enveloped([event for alert in range(1, 101) for event in said(alert)]))
    assert [statement for statement, _ in base.went] == ORDER
    assert all([row[0] for row in rows] == list(range(1, 101)) for _, rows in base.went)


async def test_each_alert_is_told_in_its_order_however_the_batch_is_mixed() -> None:
    base = Base()
    halted = EscalationHalted(alert=2, alert_version=2, at=NOW, reason="accepted")
    first, second = said(1), [*said(2)[:2], halted, *said(2)]
    mixed = [event for pair in zip(second, [*first, *said(3)], strict=True) for event in pair]
    await projection.project_foreign(base, enveloped(mixed))
    assert base.of(1) == base.of(3) == ORDER
    assert base.of(2) == [*ORDER[:3], projection.ENDED, *ORDER]
