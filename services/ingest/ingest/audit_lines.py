"""Up to when a reader is known to have handled everything: in come looks at where topics end and where readers are, out come lines.

    t1: the topics end at E1      t2: the reader has passed E1     t3: the auditor has read all that was there at t2
                                  -> what came before t1 was handled by t2, and what it led to is in our books at t3

Nothing is taken from clocks of other services: a look is an instant of the auditor's own, at which ends were asked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from runtime.ports import Place
from runtime.standing import Standing

LATE: Final = timedelta(seconds=30)
MOST_LOOKS: Final = 120


@dataclass(frozen=True)
class Look:
    """Where topics ended at an instant."""

    at: datetime
    ends: Mapping[Place, int]


@dataclass(frozen=True)
class Track:
    """One reader. `looks` are those that it has not passed yet; `passed` was passed at `seen`, but may not be in our books yet.

    `handled` is in our books. `troubled`: it had no members, or was far behind, at the last look.
    """

    topics: frozenset[str]
    looks: tuple[Look, ...] = ()
    passed: datetime | None = None
    seen: datetime | None = None
    handled: datetime | None = None
    troubled: bool = False
    behind: int = 0


def tracked(track: Track, look: Look, standing: Standing, read: datetime | None) -> Track:
    """After one more look. `read` is up to when the auditor itself has read everything."""
    known = _in_our_books(track, read)
    mine = Look(look.at, {place: end for place, end in look.ends.items() if place[0] in track.topics})
    looks = (*known.looks, mine)
    if known.passed is None:
        passed = reached_of(looks, standing.reached)
        looks = looks[len(passed) :]
        known = replace(known, passed=passed[-1].at, seen=look.at) if passed else known
    return replace(
        known,
        looks=_thinned(looks),
        troubled=standing.members == 0 or (bool(looks) and look.at - looks[0].at > LATE),
        behind=sum(max(0, end - standing.reached.get(place, 0)) for place, end in mine.ends.items()),
    )


def reached_of(looks: tuple[Look, ...], reached: Mapping[Place, int]) -> tuple[Look, ...]:
    """Those of the looks, from the first on, whose ends are reached."""
    passed = tuple(one for one in looks if has_passed(reached, one.ends))
    return looks[: len(passed)] if passed else ()


def _in_our_books(track: Track, read: datetime | None) -> Track:
    """What the reader was seen to have passed counts once the auditor has read all that was there then."""
    if track.passed is None or track.seen is None or read is None or read < track.seen:
        return track
    return replace(track, handled=track.passed, passed=None, seen=None)


def has_passed(reached: Mapping[Place, int], ends: Mapping[Place, int]) -> bool:
    """Every end is reached; a partition in which nothing ever was has none to reach."""
    return all(reached.get(place, 0) >= end for place, end in ends.items())


def _thinned(looks: tuple[Look, ...]) -> tuple[Look, ...]:
    """A reader that stands still for hours must not fill the memory: the newest looks go, for it is far from them."""
    return looks[:MOST_LOOKS]
