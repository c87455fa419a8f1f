"""Ninety days of a service as bars: in come days, out come rectangles with words for each. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from events.statuspage import ServiceStatus
from statuspage.domain.uptime import Day
from web.states import looks_of
from web.words import gettext as _

TALLEST: Final = 30
HEIGHT: Final = {
    ServiceStatus.OPERATIONAL: TALLEST,
    ServiceStatus.UNDER_MAINTENANCE: 26,
    ServiceStatus.DEGRADED: 22,
    ServiceStatus.PARTIAL_OUTAGE: 16,
    ServiceStatus.MAJOR_OUTAGE: 10,
}
"""The worse, the lower: colour alone says nothing."""
UNKNOWN: Final = 2


@dataclass(frozen=True)
class Bar:
    """`kind` is a colour of the look; `x` counts days from the left."""

    x: int
    height: int
    kind: str
    start: datetime
    words: str

    @property
    def y(self) -> int:
        return TALLEST - self.height


def bars_of(days: Sequence[Day]) -> list[Bar]:
    return [_bar(place, day) for place, day in enumerate(days)]


def troubled(days: Sequence[Day]) -> list[Day]:
    """The days that were not quite all right, the latest first: what the picture says, to be read."""
    return [day for day in reversed(days) if day.worst not in (None, ServiceStatus.OPERATIONAL)]


def percent(share: float) -> str:
    """`99.98 %`; whole only when nothing was lost."""
    return f"{min(share, 99.99 if share < 100 else 100):.4g} %" if share >= 10 else f"{share:.2f} %"


def _bar(place: int, day: Day) -> Bar:
    if day.worst is None or day.uptime is None:
        return Bar(place, UNKNOWN, "calm", day.start, _("not known"))
    word, kind, _icon = looks_of(day.worst)
    return Bar(place, HEIGHT[day.worst], kind, day.start, f"{word}, {percent(day.uptime)}")
