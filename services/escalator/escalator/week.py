"""Hours of the week: in come restrictions as people write them, out come the stretches of real time that they leave open.

A restriction belongs to the day it starts on: SUNDAY 22:00 to MONDAY 06:00 is one stretch that begins on Sunday, in whatever week that Monday
is. On one and the same day, an end that is not after the beginning lies on the next day (MONDAY 22:00 to MONDAY 06:00 is the night to Tuesday).
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from escalator.wallclock import instant
from events.escalator import Restriction, TimeOfWeek

Span = tuple[int, int]
"""Minutes since Monday 00:00: beginning (within the week) and end (it may lie in the next week)."""

DAYS: Final = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
DAY: Final = 24 * 60
WEEK: Final = 7 * DAY
_WEEKS_AROUND: Final = range(-2, 3)
"""One week would do but for clocks: a stretch can fall wholly into a skipped hour, and Samoa once skipped a day."""


def weekly(restrictions: Iterable[Restriction]) -> tuple[Span, ...]:
    """The open stretches of a week, joined where they touch, in order; () when the whole week is open.

    A restriction that cannot be read does not restrict: when none can, the whole week is open, for a page too many beats silence.
    """
    spans = sorted(span for span in map(_span, restrictions) if span)
    joined: list[Span] = []
    for start, end in spans:
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], end))
        else:
            joined.append((start, end))
    return _closed_circle(joined)


def minute_of_week(moment: TimeOfWeek) -> int | None:
    """Minutes since Monday 00:00, or None when it cannot be read."""
    try:
        clock = time.fromisoformat(moment.time)
        return DAYS.index(moment.day) * DAY + clock.hour * 60 + clock.minute
    except ValueError:
        return None


@lru_cache(maxsize=16384)
def spans_around(spans: tuple[Span, ...], day: date, zone: ZoneInfo) -> Sequence[tuple[datetime, datetime]]:
    """The stretches of real time in the weeks around this local day, in order; those that a clock change swallows are left out."""
    if day.weekday():  # one entry in the cache serves the whole week
        return spans_around(spans, day - timedelta(days=day.weekday()), zone)
    midnight = datetime.combine(day, time())
    mondays = [midnight + timedelta(weeks=week) for week in _WEEKS_AROUND]
    found = [(_at(monday, start, zone), _at(monday, end, zone)) for monday in mondays for start, end in spans]
    return [(start, end) for start, end in found if start < end]


def _span(restriction: Restriction) -> Span | None:
    start, end = minute_of_week(restriction.start), minute_of_week(restriction.end)
    if start is None or end is None:
        return None
    if end > start:
        return start, end
    return start, end + (DAY if restriction.start.day == restriction.end.day else WEEK)


def _closed_circle(spans: list[Span]) -> tuple[Span, ...]:
    """Sunday's end meets Monday's beginning: what runs over it swallows what it reaches there."""
    while len(spans) > 1 and spans[-1][1] >= spans[0][0] + WEEK:
        (_, first_end), (last_start, last_end) = spans[0], spans[-1]
        spans = [*spans[1:-1], (last_start, max(last_end, first_end + WEEK))]
    whole = len(spans) == 1 and spans[0][1] - spans[0][0] >= WEEK
    return () if whole else tuple(spans)


def _at(monday: datetime, minute: int, zone: ZoneInfo) -> datetime:
    return instant(monday + timedelta(minutes=minute), zone)
