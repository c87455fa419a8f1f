"""Uptime by the published formula: in comes what a service's status was since when, out come outages and percentages. Pure.

u = 1 − (m + 0.3·p) / t, m and p the time in major and in partial outage, t the whole time. Every other status counts as up.
An outage is a run of outage statuses without a pause; one shorter than a minute is ignored.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from itertools import pairwise
from typing import Final

from events.statuspage import ServiceStatus

WINDOWS_DAYS: Final = (30, 60, 90)
LONGEST: Final = timedelta(days=90)
REMEMBERED: Final = timedelta(days=91)
"""A calendar's ninety days may be an hour longer."""
SHORTEST_OUTAGE: Final = timedelta(minutes=1)
WEIGHT: Final = {ServiceStatus.MAJOR_OUTAGE: 1.0, ServiceStatus.PARTIAL_OUTAGE: 0.3}
SEVERITY: Final = {status: rank for rank, status in enumerate(ServiceStatus)}
"""From harmless to worst, as the statuses are listed."""


@dataclass(frozen=True)
class Span:
    """In this status from `since` up to the next span."""

    status: ServiceStatus
    since: datetime


History = tuple[Span, ...]
"""Ascending, no two neighbours of the same status; the first begins when the service did, or before what is remembered."""


@dataclass(frozen=True)
class Outage:
    status: ServiceStatus
    start: datetime
    end: datetime


@dataclass(frozen=True)
class Day:
    """One bar: what a day was like. `uptime` in percent; None before the service was there. Outages too short to count
    are passed over."""

    start: datetime
    uptime: float | None
    worst: ServiceStatus | None


def turned(history: History, status: ServiceStatus, since: datetime) -> History:
    """The history with one more turn; what is already told is not told anew: a turn before the last one counts from there."""
    if not history:
        return (Span(status, since),)
    last = history[-1]
    if last.status is status:
        return history
    if since > last.since:
        return (*history, Span(status, since))
    return turned(history[:-1], status, last.since)


def remembered(history: History, at: datetime) -> History:
    """Without what ended before the longest window that can be asked for at `at`."""
    horizon = at - REMEMBERED
    passed = sum(1 for span in history[1:] if span.since <= horizon)
    return history[passed:]


def worst(statuses: Sequence[ServiceStatus]) -> ServiceStatus | None:
    return max(statuses, key=SEVERITY.__getitem__, default=None)


def outages(history: History, start: datetime, end: datetime) -> list[Outage]:
    """What counts as an outage between two instants, cut to them, oldest first."""
    return [
        Outage(one.status, max(one.start, start), min(one.end, end))
        for run in _runs(history, end)
        if run[-1].end - run[0].start >= SHORTEST_OUTAGE
        for one in run
        if one.start < end and one.end > start
    ]


def uptime(history: History, start: datetime, end: datetime) -> float:
    """In percent. What lies before the service's beginning is left out; of no time at all it is 100."""
    begin = max(start, history[0].since) if history else end
    if end <= begin:
        return 100.0
    lost = sum(WEIGHT[one.status] * ((one.end - one.start) / (end - begin)) for one in outages(history, begin, end))
    return 100.0 * min(1.0, max(0.0, 1.0 - lost))


def percentages(history: History, at: datetime) -> dict[int, float]:
    """The uptime of the last 30, 60 and 90 days, by days."""
    return {days: uptime(history, at - timedelta(days=days), at) for days in WINDOWS_DAYS}


def bars(history: History, at: datetime, zone: tzinfo, count: int = 90) -> list[Day]:
    """The last `count` days on the zone's calendar, today last and up to now."""
    today = at.astimezone(zone).date()
    starts = [datetime.combine(today - timedelta(days=back), time(), zone) for back in range(count - 1, -1, -1)]
    return [_day(history, start, end) for start, end in pairwise([*starts, at])]


def _day(history: History, midnight: datetime, following: datetime) -> Day:
    start, end = midnight.astimezone(UTC), following.astimezone(UTC)  # between clocks of one zone Python counts no leap
    if not history or history[0].since >= end:
        return Day(midnight, None, None)
    calm = [
        span.status
        for span, until in _spans(history, end)
        if span.status not in WEIGHT and until > start and span.since < end
    ]
    found = [one.status for one in outages(history, start, end)]
    return Day(midnight, uptime(history, start, end), worst([*calm, *found]) or ServiceStatus.OPERATIONAL)


def _spans(history: History, end: datetime) -> Iterator[tuple[Span, datetime]]:
    """Every span with its end; the present one lasts until `end`."""
    for number, span in enumerate(history):
        following = history[number + 1].since if number + 1 < len(history) else max(end, span.since)
        yield span, following


def _runs(history: History, end: datetime) -> Iterator[list[Outage]]:
    """Outages that follow one another without a pause, together."""
    run: list[Outage] = []
    for span, until in _spans(history, end):
        if span.status in WEIGHT:
            run.append(Outage(span.status, span.since, until))
        elif run:
            yield run
            run = []
    if run:
        yield run
