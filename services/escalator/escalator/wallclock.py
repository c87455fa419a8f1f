"""Between clocks on walls and instants: in come a local date and time and a zone, out comes the one instant that is meant.

A local time that is skipped (clocks go forward) means the first instant after the gap; one that comes twice (clocks go back) means its first
occurrence. The mapping never runs backwards, so what is in order on the wall is in order in time, whatever the zone does.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

SECOND: Final = timedelta(seconds=1)
MINUTE: Final = timedelta(minutes=1)
BEGINNING: Final = datetime(1900, 1, 1, tzinfo=UTC)
"""Nothing that matters lies before it …"""
END: Final = datetime(9000, 1, 1, tzinfo=UTC)
"""… or after it; within these bounds no date overflows."""


@lru_cache(maxsize=512)
def zone_of(name: str) -> ZoneInfo:
    """The IANA zone; UTC for a name that nobody knows (the API refuses it, an old event must still be readable)."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return ZoneInfo("UTC")


@lru_cache(maxsize=65536)
def instant(local: datetime, zone: ZoneInfo) -> datetime:
    """The instant (UTC) of a naive local time, held between BEGINNING and END."""
    if local.year <= BEGINNING.year:
        return BEGINNING
    if local.year >= END.year:
        return END
    first = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    return first if wall(first, zone) == local else _after_gap(local, first, zone)


def wall(at: datetime, zone: ZoneInfo) -> datetime:
    """What the clock on the wall shows at this instant, without a zone."""
    return at.astimezone(zone).replace(tzinfo=None, fold=0)


def local_time(text: str, zone: ZoneInfo) -> datetime | None:
    """Read `2026-01-05T09:00` (local) or the same with an offset (an instant, turned to local); None when it is neither."""
    try:
        read = datetime.fromisoformat(text)
        return read if read.tzinfo is None else wall(read, zone)
    except (ValueError, OverflowError):
        return None


def _after_gap(local: datetime, late: datetime, zone: ZoneInfo) -> datetime:
    """The instant at which the clocks jumped over `local`; `late` is what the offset before the jump makes of it."""
    early = local.replace(tzinfo=zone, fold=1).astimezone(UTC)
    before, after = (early, late) if early < late else (late, early)
    while after - before > SECOND:
        middle = before + (after - before) // 2
        before, after = (before, middle) if wall(middle, zone) > local else (middle, after)
    return after.replace(microsecond=0)
