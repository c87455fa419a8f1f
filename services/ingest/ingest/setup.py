"""How far a newcomer has come: in come the configuration events of the services behind an alert, out come the steps that are done."""

from dataclasses import dataclass

from events.connectors import ActionConfigured, ActionRemoved
from events.core import Event
from events.statuspage import ServiceChanged, ServiceDeleted, StatuspageChanged, StatuspageDeleted
from events.topics import CONNECTORS, STATUSPAGES
from runtime.records import Received
from runtime.views import View

AUTOMATION = "automation_rule"


@dataclass(frozen=True)
class Step:
    """One step of the way from nothing to the first automatic incident; `key` chooses its words, `href` leads there."""

    key: str
    href: str
    is_done: bool


class Setup(View):
    """What there is of actions, services and status pages."""

    topics = (CONNECTORS.name, STATUSPAGES.name)

    def __init__(self) -> None:
        self._actions: dict[int, str] = {}
        self._services: set[int] = set()
        self._pages: set[int] = set()

    def steps(self, *, has_policy: bool, source: int | None, has_alert: bool) -> list[Step]:
        """In the order in which they build on each other; `source` is one that a first event can be sent to."""
        kinds = set(self._actions.values())
        return [
            Step("policy", "/policies", has_policy),
            Step("source", "/sources/new", source is not None),
            Step("event", f"/sources/{source}" if source is not None else "/sources", has_alert),
            Step("action", "/actions", bool(kinds - {AUTOMATION})),
            Step("service", "/services", bool(self._services)),
            Step("page", "/status-pages", bool(self._pages)),
            Step("automation", "/actions", AUTOMATION in kinds),
        ]

    def apply(self, received: Received) -> None:
        self.take(received.envelope.event)

    def take(self, event: Event) -> None:
        match event:
            case ActionConfigured(action=action, type=kind):
                self._actions[action] = kind
            case ActionRemoved(action=action):
                self._actions.pop(action, None)
            case ServiceChanged(service=service):
                self._services.add(service)
            case ServiceDeleted(service=service):
                self._services.discard(service)
            case StatuspageChanged(page=page):
                self._pages.add(page)
            case StatuspageDeleted(page=page):
                self._pages.discard(page)
            case _:
                pass
