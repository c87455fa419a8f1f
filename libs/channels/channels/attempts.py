"""What became of one attempt to reach the outside: it was taken, it may be taken later, or never."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sent:
    """The other side took it; `reply` are its words."""

    reply: str = ""


@dataclass(frozen=True)
class Later:
    """Not now: the other side is away, or asked for patience (`retry_after_s`, where it said how long)."""

    error: str
    retry_after_s: float | None = None


@dataclass(frozen=True)
class Refused:
    """Never in this form: the other side's words."""

    error: str


Attempt = Sent | Later | Refused
