"""A circuit for each outside target: who is dead is not asked by everybody again and again, and slows nobody.

    closed --FAILURES in a row--> open for OPEN --time--> one probe may go --it succeeds--> closed
                                   ^                            |
                                   \\----------- it fails -------/

Kept in memory, per process: a new process finds out by itself.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

FAILURES: Final = 5
OPEN: Final = timedelta(seconds=30)


@dataclass(frozen=True)
class _Closed:
    failures: int = 0


@dataclass(frozen=True)
class _Open:
    """Nobody goes before `until`; a probe that went moves it on, so that only one goes at a time."""

    until: datetime


class Circuits:
    """`failures` in a row open a target's circuit for the time `opened`."""

    def __init__(self, failures: int = FAILURES, opened: timedelta = OPEN) -> None:
        self._failures = failures
        self._opened = opened
        self._known: dict[str, _Closed | _Open] = {}

    def wait(self, target: str, now: datetime) -> timedelta | None:
        """None: go (and say afterwards how it went). Else how long to wait before asking again."""
        match self._known.get(target):
            case _Open(until) if now < until:
                return until - now
            case _Open():
                self._known[target] = _Open(now + self._opened)
                return None
            case _:
                return None

    def succeeded(self, target: str) -> None:
        """The target answered, whatever it said."""
        self._known.pop(target, None)

    def failed(self, target: str, now: datetime) -> None:
        """The target did not answer, or said that it cannot now."""
        match self._known.get(target):
            case _Open():
                self._known[target] = _Open(now + self._opened)
            case _Closed(failures) if failures + 1 < self._failures:
                self._known[target] = _Closed(failures + 1)
            case None if self._failures > 1:
                self._known[target] = _Closed(1)
            case _:
                self._known[target] = _Open(now + self._opened)
