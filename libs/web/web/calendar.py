"""A calendar of shifts as a table of quarter hours: in come layers of shifts, out come days and cells with their
widths.

A quarter hour is a column, so that a position needs no style attribute and a day of 23 or 25 hours is as wide as it is
long. Minutes are rounded in the drawing only; the cells keep the exact instants.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from web import words

QUARTER: Final = timedelta(minutes=15)


@dataclass(frozen=True)
class Shift:
    """Somebody (None: nobody) on call from `start` to `end`, both aware; `href` leads to where it is changed."""

    who: str | None
    start: datetime
    end: datetime
    href: str | None = None
    is_override: bool = False


@dataclass(frozen=True)
class Day:
    label: str
    slots: int
    note: str = ""  # said on the days when the clocks change
    is_today: bool = False


@dataclass(frozen=True)
class Cell:
    """`slots` quarter hours of one shift, or of nothing drawn."""

    slots: int
    shift: Shift | None = None
    from_before: bool = False
    goes_on: bool = False


@dataclass(frozen=True)
class Layer:
    name: str
    shifts: tuple[Shift, ...]
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Calendar:
    caption: str
    days: tuple[Day, ...]
    layers: tuple[Layer, ...]
    slots: int


def calendar(
    caption: str,
    first: date,
    count: int,
    zone: str,
    layers: Sequence[tuple[str, Sequence[Shift]]],
    today: date | None = None,
) -> Calendar:
    """`count` days from `first` on, as they pass in `zone`. A layer's shifts do not overlap; what does is cut where the
    next begins.
    """
    starts = [_midnight(first + timedelta(days=number), zone) for number in range(count + 1)]
    days = tuple(_day(first + timedelta(days=n), starts[n], starts[n + 1], today) for n in range(count))
    drawn = tuple(_layer(name, shifts, starts[0], starts[-1]) for name, shifts in layers)
    return Calendar(caption, days, drawn, sum(day.slots for day in days))


def _midnight(day: date, zone: str) -> datetime:
    return datetime.combine(day, time(), words.zone(zone)).astimezone(UTC)


def _day(day: date, start: datetime, end: datetime, today: date | None) -> Day:
    hours = (end - start) / timedelta(hours=1)
    note = "" if hours == 24 else words.gettext("%(hours)s hours") % {"hours": f"{hours:g}"}
    return Day(words.day_name(day), round((end - start) / QUARTER), note, day == today)


def _layer(name: str, shifts: Sequence[Shift], start: datetime, end: datetime) -> Layer:
    seen = tuple(
        shift for shift in sorted(shifts, key=lambda shift: shift.start) if shift.end > start and shift.start < end
    )
    return Layer(name, seen, tuple(_cells(seen, start, end)))


def _cells(shifts: tuple[Shift, ...], start: datetime, end: datetime) -> Iterator[Cell]:
    """Walks the row from left to right; a shift too short for a column is drawn as one, if one is left."""
    total, here = _slot(end, start), 0
    for position, shift in enumerate(shifts):
        following = shifts[position + 1].start if position + 1 < len(shifts) else end
        begin = max(here, _slot(max(shift.start, start), start))
        stop = min(total, max(begin + 1, _slot(min(shift.end, following, end), start)))
        if begin >= total:
            break
        if begin > here:
            yield Cell(begin - here)
        yield Cell(stop - begin, shift, shift.start < start, shift.end > end)
        here = stop
    if here < total:
        yield Cell(total - here)


def _slot(at: datetime, start: datetime) -> int:
    return round((at - start) / QUARTER)
