"""Who is on call: in come a schedule as it stands and an instant or a window, out come people, gaps and shifts, each with its reason.

A schedule is a pile of tracks. From the bottom: static shifts, the layers in the order of their list, the overrides. The topmost track that has
somebody wins, so there is at most one person at any instant. A layer has somebody inside its dates and restrictions; of overrides that overlap,
the one made later wins. One question is answered exactly (`Timeline.at`), all others step from answer to answer, so the list of shifts and
«who now» can never disagree.

What cannot be read is never a reason to wake nobody: a malformed restriction does not restrict, a malformed rotation never hands over.
"""

import heapq
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from typing import Final, Protocol
from zoneinfo import ZoneInfo

from escalator.rotation import Step, Turns, step
from escalator.wallclock import BEGINNING, END, instant, local_time, wall, zone_of
from escalator.week import Span, spans_around, weekly
from events.escalator import Layer, Override, ScheduleChanged, Shift

_NEVER: Final = Step(12 * 100_000, timedelta(0))


@dataclass(frozen=True)
class OnCall:
    """One person's duty: from `start` up to but not including `end` (None: nothing is known that ends it).

    Exactly one of these says why: `layer` (its name, or its place in the list), `override` (its id), or neither: a static shift.
    """

    user: int
    start: datetime
    end: datetime | None
    reason: str
    layer: str | None = None
    override: int | None = None


@dataclass(frozen=True)
class Gap:
    """Nobody is on call, from `start` (None: since ever) up to but not including `end` (None: for ever)."""

    start: datetime | None
    end: datetime | None
    reason: str


def who(schedule: ScheduleChanged, at: datetime, *, overrides: bool = True) -> OnCall | Gap:
    """The one person on call at this instant, or the gap around it."""
    return timeline(schedule, overrides).at(at)


def shifts(schedule: ScheduleChanged, start: datetime, end: datetime, *, overrides: bool = True) -> list[OnCall]:
    """All shifts that touch the window, in order, whole: not cut at the window's edges."""
    return [span for span in timeline(schedule, overrides).spans(start, end) if isinstance(span, OnCall)]


def gaps(schedule: ScheduleChanged, start: datetime, end: datetime, *, overrides: bool = True) -> list[Gap]:
    """All stretches that touch the window in which nobody is on call, in order, whole."""
    return [span for span in timeline(schedule, overrides).spans(start, end) if isinstance(span, Gap)]


def duty_end(schedule: ScheduleChanged, duty: OnCall, horizon: datetime) -> datetime | None:
    """When this person may rest: hand-overs to themselves do not count. None: not before `horizon`."""
    end = duty.end
    while end is not None and end < horizon:
        following = who(schedule, end)
        if not isinstance(following, OnCall) or following.user != duty.user:
            return end
        end = following.end
    return None


def recorded_shifts(
    versions: Sequence[ScheduleChanged], start: datetime, end: datetime, *, overrides: bool = True
) -> list[OnCall]:
    """The shifts that touch the window as they really were: what is past keeps the schedule that was valid then.

    `versions` are all the schedule's states, oldest first, not empty. Before the first one the last one answers: nothing happened that could
    be told otherwise, and people want to see how their rotation falls.
    """
    pieces: list[OnCall] = []
    for schedule, since, until in _reigns(versions):
        if since < end and start < until:
            for shift in shifts(schedule, max(start, since), min(end, until), overrides=overrides):
                _join(pieces, _cut(shift, since, until))
    return pieces


@lru_cache(maxsize=512)
def timeline(schedule: ScheduleChanged, overrides: bool = True) -> "Timeline":
    """The schedule made ready for questions."""
    zone = zone_of(schedule.timezone)
    layers = [_layer_track(layer, place, zone) for place, layer in enumerate(schedule.layers, 1)]
    tracks: list[Track] = [Booked(schedule.shifts), *(track for track in layers if track)]
    return Timeline(schedule, zone, (*tracks, Booked(schedule.overrides)) if overrides else tuple(tracks))


@dataclass(frozen=True)
class Piece:
    """What one track alone says about an instant."""

    user: int
    start: datetime
    end: datetime
    layer: str | None = None
    override: int | None = None


class Track(Protocol):
    """One sheet of the pile."""

    def piece(self, at: datetime) -> Piece | None:
        """Who has the instant on this track."""
        ...

    def emptied(self, at: datetime) -> datetime:
        """Where it is empty at `at`: since when (BEGINNING: since ever)."""
        ...

    def filled(self, at: datetime) -> datetime:
        """Where it is empty at `at`: until when (END: for ever)."""
        ...


@dataclass(frozen=True)
class Timeline:
    """A schedule's tracks, lowest first."""

    schedule: ScheduleChanged
    zone: ZoneInfo
    tracks: tuple[Track, ...]

    def at(self, at: datetime) -> OnCall | Gap:
        at = min(max(at, BEGINNING), END - timedelta(seconds=1))
        start, end = BEGINNING, END
        for track in reversed(self.tracks):
            piece = track.piece(at)
            if piece:
                return self._on_call(piece, max(piece.start, start), min(piece.end, end))
            start, end = max(start, track.emptied(at)), min(end, track.filled(at))
        return self._gap(start, end)

    def spans(self, start: datetime, end: datetime) -> Iterator[OnCall | Gap]:
        """Every duty and gap that touches the window, in order."""
        at: datetime | None = start
        while at is not None and at < min(end, END):
            span = self.at(at)
            yield span
            at = span.end

    def _on_call(self, piece: Piece, start: datetime, end: datetime) -> OnCall:
        why = f"Schedule «{self.schedule.name}»: {_why(piece)}{self._until(end)}"
        return OnCall(piece.user, start, _finite(end), why, piece.layer, piece.override)

    def _gap(self, start: datetime, end: datetime) -> Gap:
        why = f"Schedule «{self.schedule.name}»: nobody is on call{self._until(end)}"
        return Gap(_finite(start), _finite(end), why)

    def _until(self, end: datetime) -> str:
        if end >= END:
            return ""
        return f" until {wall(end, self.zone):%a %d %b %Y %H:%M} ({self.schedule.timezone})"


class Booked:
    """A track of single bookings with fixed ends; where they overlap, the later one in the list wins."""

    def __init__(self, bookings: Sequence[Shift]) -> None:
        self._pieces = list(_painted(bookings))
        self._starts = [piece.start for piece in self._pieces]

    def piece(self, at: datetime) -> Piece | None:
        last = self._last(at)
        return last if last and at < last.end else None

    def emptied(self, at: datetime) -> datetime:
        last = self._last(at)
        return last.end if last else BEGINNING

    def filled(self, at: datetime) -> datetime:
        place = bisect_right(self._starts, at)
        return self._starts[place] if place < len(self._starts) else END

    def _last(self, at: datetime) -> Piece | None:
        place = bisect_right(self._starts, at)
        return self._pieces[place - 1] if place else None


@dataclass(frozen=True)
class Layered:
    """A track of people who take turns between `begin` and `finish`, inside weekly restrictions (none: always)."""

    name: str
    users: tuple[int, ...]
    turns: Turns
    begin: datetime
    finish: datetime
    restrictions: tuple[Span, ...]

    def piece(self, at: datetime) -> Piece | None:
        open_from, open_until = self._opening(at) or (END, END)
        if not open_from <= at < open_until:
            return None
        turn = self.turns.number_at(at)
        start = max(open_from, self.turns.start(turn))
        end = min(open_until, self.turns.start(turn + 1))
        return Piece(self.users[turn % len(self.users)], start, end, layer=self.name)

    def emptied(self, at: datetime) -> datetime:
        ends = [
            min(end, self.finish)
            for start, end in self._openings(at)
            if start < self.finish and min(end, self.finish) <= at
        ]
        return max((end for end in ends if end > self.begin), default=BEGINNING)

    def filled(self, at: datetime) -> datetime:
        starts = [max(start, self.begin) for start, end in self._openings(max(at, self.begin)) if end > self.begin]
        return min((start for start in starts if at < start < self.finish), default=END)

    def _opening(self, at: datetime) -> tuple[datetime, datetime] | None:
        """The stretch around `at` in which this track has somebody, by its dates and restrictions."""
        for start, end in self._openings(at):
            if start <= at < end and self.begin <= at < self.finish:
                return max(start, self.begin), min(end, self.finish)
        return None

    def _openings(self, at: datetime) -> Sequence[tuple[datetime, datetime]]:
        """Stretches that the restrictions leave, in order: enough of them before and after `at`."""
        if not self.restrictions:
            return [(BEGINNING, END)]
        return spans_around(self.restrictions, wall(min(at, self.finish), self.turns.zone).date(), self.turns.zone)


def _layer_track(layer: Layer, place: int, zone: ZoneInfo) -> Layered | None:
    """None for a layer that can have nobody: no people, or a beginning that cannot be read."""
    begin = local_time(layer.starts_on, zone)
    if begin is None or not layer.users:
        return None
    end = local_time(layer.ends_on, zone) if layer.ends_on else None
    turns = Turns(begin, step(layer.rotation) or _NEVER, zone)
    finish = instant(end, zone) if end else END
    return Layered(
        layer.name or f"#{place}", layer.users, turns, instant(begin, zone), finish, weekly(layer.restrictions)
    )


def _painted(bookings: Sequence[Shift]) -> Iterator[Piece]:
    """Overlapping bookings as pieces that do not overlap, in order of time."""
    waiting = sorted(enumerate(bookings), key=lambda entry: entry[1].start)
    edges = sorted({edge for booking in bookings for edge in (booking.start, booking.end)})
    open_now: list[tuple[int, Shift]] = []
    painted: list[tuple[int, Piece]] = []
    taken = 0
    for start, end in pairwise(edges):
        while taken < len(waiting) and waiting[taken][1].start <= start:
            order, booking = waiting[taken]
            heapq.heappush(open_now, (-order, booking))
            taken += 1
        while open_now and open_now[0][1].end <= start:
            heapq.heappop(open_now)
        if open_now:
            _paint(painted, *open_now[0], start, end)
    return (piece for _, piece in painted)


def _paint(painted: list[tuple[int, Piece]], order: int, booking: Shift, start: datetime, end: datetime) -> None:
    """Add a piece, or lengthen the last one when it is of the same booking and touches it."""
    if painted and painted[-1][0] == order and painted[-1][1].end == start:
        painted[-1] = (order, replace(painted[-1][1], end=end))
    else:
        painted.append((order, _booked(booking, start, end)))


def _booked(booking: Shift, start: datetime, end: datetime) -> Piece:
    return Piece(booking.user, start, end, override=booking.override if isinstance(booking, Override) else None)


def _why(piece: Piece) -> str:
    if piece.override is not None:
        return "override"
    return f"turn in layer «{piece.layer}»" if piece.layer is not None else "shift"


def _finite(at: datetime) -> datetime | None:
    return at if BEGINNING < at < END else None


def _reigns(versions: Sequence[ScheduleChanged]) -> Iterator[tuple[ScheduleChanged, datetime, datetime]]:
    yield versions[-1], BEGINNING, versions[0].at
    for version, following in pairwise(versions):
        yield version, version.at, following.at
    yield versions[-1], versions[-1].at, END


def _cut(shift: OnCall, since: datetime, until: datetime) -> OnCall:
    return replace(
        shift, start=max(shift.start, since), end=until if shift.end is None or shift.end > until else shift.end
    )


def _join(pieces: list[OnCall], piece: OnCall) -> None:
    """A shift that goes on across an edit of the schedule stays one shift."""
    last = pieces[-1] if pieces else None
    if piece.end == END:
        piece = replace(piece, end=None)
    if (
        last
        and last.end == piece.start
        and (last.user, last.layer, last.override) == (piece.user, piece.layer, piece.override)
    ):
        pieces[-1] = replace(piece, start=last.start)
    else:
        pieces.append(piece)
