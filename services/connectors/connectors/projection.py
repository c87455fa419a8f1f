"""What connectors believes of others: alert sources (`sources`), escalation policies (`oncall`), services and incident
templates (`statuspages`): whether they exist, what they are called, and whose they are.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from events.core import Event
from events.escalator import PolicyChanged, PolicyDeleted
from events.ingest import SourceChanged, SourceDeleted
from events.statuspage import ServiceChanged, ServiceDeleted, TemplateChanged, TemplateDeleted
from events.topics import ONCALL, SOURCES, STATUSPAGES
from runtime.records import Received
from runtime.views import View

SOURCE: Final = "alert source"
POLICY: Final = "escalation policy"
SERVICE: Final = "service"
TEMPLATE: Final = "incident template"


@dataclass(frozen=True)
class Thing:
    """Something of another service, as far as we need to know it."""

    id: int
    name: str
    teams: tuple[int, ...] = ()


class Others(View):
    """The picture of what actions refer to, by kind and id."""

    topics = (SOURCES.name, ONCALL.name, STATUSPAGES.name)

    def __init__(self) -> None:
        self._known: dict[str, dict[int, Thing]] = {kind: {} for kind in (SOURCE, POLICY, SERVICE, TEMPLATE)}

    def find(self, kind: str, number: int) -> Thing | None:
        return self._known[kind].get(number)

    def name(self, kind: str, number: int) -> str:
        """What it is called on pages; what is gone is «alert source 7»."""
        known = self.find(kind, number)
        return known.name if known else f"{kind} {number}"

    def all(self, kind: str) -> list[Thing]:
        """By name."""
        return sorted(self._known[kind].values(), key=lambda thing: (thing.name.casefold(), thing.id))

    @property
    def sources(self) -> Mapping[int, Thing]:
        return self._known[SOURCE]

    def apply(self, received: Received) -> None:
        self.take(received.envelope.event)

    def take(self, event: Event) -> None:
        match event:
            case SourceChanged(source=number, name=name, teams=teams):
                self._known[SOURCE][number] = Thing(number, name, teams)
            case SourceDeleted(source=number):
                self._known[SOURCE].pop(number, None)
            case PolicyChanged(policy=number, name=name, teams=teams):
                self._known[POLICY][number] = Thing(number, name, teams)
            case PolicyDeleted(policy=number):
                self._known[POLICY].pop(number, None)
            case ServiceChanged(service=number, name=name, teams=teams):
                self._known[SERVICE][number] = Thing(number, name, teams)
            case ServiceDeleted(service=number):
                self._known[SERVICE].pop(number, None)
            case TemplateChanged(template=number, name=name, teams=teams):
                self._known[TEMPLATE][number] = Thing(number, name, teams)
            case TemplateDeleted(template=number):
                self._known[TEMPLATE].pop(number, None)
            case _:
                pass
