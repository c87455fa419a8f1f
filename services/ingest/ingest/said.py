"""What the timeline's sentences share: how a sentence is kept, what ids are called, who did something and by which way."""

from dataclasses import dataclass
from typing import Final, Protocol

from events.shared import Actor, ActorType


class Namebook(Protocol):
    """What ids are called."""

    def user(self, user: int) -> str: ...

    def policy(self, policy: int) -> str: ...

    def schedule(self, schedule: int) -> str: ...

    def source(self, source: int) -> str: ...


@dataclass(frozen=True)
class Said:
    """What a line of the timeline is made of; `link` is an address of ours (`/incidents/7`) or of the other side."""

    text: str
    reasons: tuple[str, ...] = ()
    kind: str = "calm"
    icon: str = "dot"
    link: str = ""


@dataclass(frozen=True)
class Shape:
    """How the published API calls an event (reference: `LogEntry`)."""

    entry_type: str
    filters: tuple[str, ...]


UPDATES: Final = ("ALERT_UPDATES",)
EVENTS: Final = ("ALERT_SOURCE_EVENTS",)
NOTIFICATIONS: Final = ("NOTIFICATIONS",)
CONNECTORS: Final = ("CONNECTOR_EVENTS",)
INCIDENTS: Final = ("INCIDENT_COMMUNICATIONS",)

METHODS: Final = {"EMAIL": "e-mail"}
"""How people call the ways to reach them."""

_WAYS: Final = {
    "web": " on the web",
    "api": " over the API",
    "email": " by e-mail",
    "slack": " in Slack",
    "jira": " in Jira",
}


def actor(by: Actor, names: Namebook) -> str:
    """Who did it."""
    match by:
        case Actor(type=ActorType.USER, user=int(user)):
            return names.user(user)
        case Actor(type=ActorType.USER):
            return by.who or "Somebody"
        case Actor(type=ActorType.SOURCE, source=int(source)):
            return names.source(source)
        case _:
            return f"Alarum ({by.channel})" if by.channel else "Alarum"


def way(by: Actor) -> str:
    """By which way a person did it, as the end of a sentence."""
    through = f" through {by.channel}" if by.type is ActorType.USER and by.channel else ""
    return _WAYS.get(by.channel, through)
