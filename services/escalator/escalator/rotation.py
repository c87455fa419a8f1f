"""Taking turns: in come when turns began, how long one lasts, and an instant; out comes whose turn it is, from when to when.

Turns are counted on the wall clock, whatever their length: the hand-over after one or seven days keeps its local time, and turns of PT8H that
began at 06:00 change at 06:00, 14:00 and 22:00 on every day of the year. So on the night the clocks go forward a turn of hours is shorter (one
that lies wholly in the skipped hour is empty), and on the night they go back the turn that holds the repeated hour is longer.
The n-th hand-over is counted from the beginning, never from the one before it: one month after 31 January is the last of February, two months
after it is 31 March.
"""

import calendar
import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from escalator.wallclock import instant, wall

_DURATION: Final = re.compile(
    r"P(?=.)(?:(?P<years>\d{1,4})Y)?(?:(?P<months>\d{1,4})M)?(?:(?P<weeks>\d{1,5})W)?(?:(?P<days>\d{1,5})D)?"
    r"(?:T(?=.)(?:(?P<hours>\d{1,6})H)?(?:(?P<minutes>\d{1,7})M)?(?:(?P<seconds>\d{1,9})S)?)?"
)
_MONTH_ON_AVERAGE: Final = timedelta(days=30.436875)


@dataclass(frozen=True)
class Step:
    """The length of a turn on the wall: whole months, and a rest of fixed length."""

    months: int
    rest: timedelta

    @property
    def about(self) -> timedelta:
        """Its average length."""
        return self.months * _MONTH_ON_AVERAGE + self.rest


def step(text: str) -> Step | None:
    """Read an ISO 8601 duration such as P7D, P1W, P1M or PT8H; None when it is none, or has no length."""
    match = _DURATION.fullmatch(text)
    if match is None:
        return None
    part = {name: int(count or 0) for name, count in match.groupdict().items()}
    rest = timedelta(**{name: part[name] for name in ("weeks", "days", "hours", "minutes", "seconds")})
    read = Step(part["years"] * 12 + part["months"], rest)
    return read if read.months or read.rest else None


@dataclass(frozen=True)
class Turns:
    """Endless turns of one length, the first (number 0) beginning at the local time `begin`."""

    begin: datetime
    length: Step
    zone: ZoneInfo

    def start(self, number: int) -> datetime:
        """The instant at which turn `number` begins; it ends where the next one begins."""
        return instant(self._local(number), self.zone)

    def number_at(self, at: datetime) -> int:
        """The turn that holds this instant: the last one that has begun."""
        number = int((wall(at, self.zone) - self.begin) / self.length.about)
        # The estimate is off by the days months differ in and by an hour that comes twice: a few turns, at any distance.
        while self.start(number) > at:
            number -= 1
        while self.start(number + 1) <= at:
            number += 1
        return number

    def _local(self, number: int) -> datetime:
        try:
            return months_later(self.begin, self.length.months * number) + self.length.rest * number
        except (OverflowError, ValueError):
            return datetime.max if number > 0 else datetime.min  # noqa: DTZ901 (local times have no zone)


def months_later(local: datetime, months: int) -> datetime:
    """The same day of a later month, or its last day where it has no such day."""
    if not months:
        return local
    years, month = divmod(local.year * 12 + local.month - 1 + months, 12)
    day = min(local.day, calendar.monthrange(years, month + 1)[1])
    return local.replace(year=years, month=month + 1, day=day)
