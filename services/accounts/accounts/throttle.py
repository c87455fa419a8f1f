"""How often a wrong password may be tried: in come failures by address and origin, out comes how long to wait.

In memory of one replica: a restart forgets, two replicas allow twice as many. Guessing stays hopeless all the same.
"""

from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

WINDOW: Final = timedelta(minutes=10)
PER_ADDRESS: Final = 8
PER_ORIGIN: Final = 40
REMEMBERED: Final = 20_000
"""So many names at most: who invents addresses must not fill our memory."""


@dataclass(frozen=True)
class Limit:
    """At most `failures` in `WINDOW` under this name."""

    name: str
    failures: int


def limits_of(address_digest: str, origin: str) -> tuple[Limit, Limit]:
    return Limit(f"address {address_digest}", PER_ADDRESS), Limit(f"origin {origin}", PER_ORIGIN)


class Throttle:
    """Remembers failures for `WINDOW`."""

    def __init__(self) -> None:
        self._failures: OrderedDict[str, deque[datetime]] = OrderedDict()

    def wait(self, limits: Iterable[Limit], now: datetime) -> timedelta | None:
        """How long until one may try again; None when one may now."""
        waits = [wait for limit in limits if (wait := self._wait(limit, now)) is not None]
        return max(waits, default=None)

    def failed(self, limits: Iterable[Limit], now: datetime) -> None:
        for limit in limits:
            failures = self._failures.setdefault(limit.name, deque(maxlen=limit.failures))
            failures.append(now)
            self._failures.move_to_end(limit.name)
        while len(self._failures) > REMEMBERED:
            self._failures.popitem(last=False)

    def succeeded(self, address: Limit, origin: Limit, now: datetime) -> None:
        """What was noted at `now` was no failure; and the owner of the address came in, so older ones are forgotten."""
        self._failures.pop(address.name, None)
        failures = self._failures.get(origin.name, deque())
        if now in failures:
            failures.remove(now)

    def _wait(self, limit: Limit, now: datetime) -> timedelta | None:
        failures = self._failures.get(limit.name, ())
        recent = [at for at in failures if at > now - WINDOW]
        return recent[0] + WINDOW - now if len(recent) >= limit.failures else None
