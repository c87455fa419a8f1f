"""Values that several services' events speak of: who did something, and small pictures of things."""

from enum import StrEnum

from events.core import Value


class Priority(StrEnum):
    HIGH = "HIGH"
    LOW = "LOW"


class ActorType(StrEnum):
    USER = "USER"
    SOURCE = "SOURCE"
    SYSTEM = "SYSTEM"


class Actor(Value):
    """Who did it, and by which way: `channel` is `web`, `api`, `email`, `slack` …, `event`, or the name of a rule.

    A person whom only another tool knows is a USER without an id: `who` is what that tool calls them.
    """

    type: ActorType
    user: int | None = None
    source: int | None = None
    channel: str = ""
    who: str | None = None

    @classmethod
    def by_somebody(cls, who: str, channel: str) -> "Actor":
        return cls(type=ActorType.USER, channel=channel, who=who or None)

    @classmethod
    def by_user(cls, user: int, channel: str) -> "Actor":
        return cls(type=ActorType.USER, user=user, channel=channel)

    @classmethod
    def by_source(cls, source: int) -> "Actor":
        return cls(type=ActorType.SOURCE, source=source, channel="event")

    @classmethod
    def by_system(cls, rule: str) -> "Actor":
        return cls(type=ActorType.SYSTEM, channel=rule)


class Link(Value):
    href: str
    text: str = ""


class Image(Value):
    src: str
    href: str = ""
    alt: str = ""
