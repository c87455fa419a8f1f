"""A service that users know, from its making to its end, and what bears on its status.

Blank --Set--> Known --Set, SetStatus, ImpactBy, AlertBy, MaintainBy--> Known --Delete--> Gone (final)

Several causes may bear on it at once. What is shown: a maintenance, else the worst impact of an incident, else the worst
that alerts set, else what people set. A cause that ends uncovers what lies below it.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from events.core import Decider, Event, Outcome, Refusal
from events.shared import Actor
from events.statuspage import (
    ServiceCause,
    ServiceCausesChanged,
    ServiceChanged,
    ServiceDeleted,
    ServiceStatus,
    ServiceStatusChanged,
)
from statuspage.domain.uptime import History, remembered, turned, worst


@dataclass(frozen=True)
class Set:
    """Be so from now on (`service.at` is when; whether it is new is decided here). The status has commands of its own."""

    service: ServiceChanged


@dataclass(frozen=True)
class SetStatus:
    """A person says how it is; what alerts set is set aside. Saying what is shown already is no wish.

    `since` may lie in the past, but not before the last change.
    """

    status: ServiceStatus
    at: datetime
    since: datetime | None = None
    reason: str = ""
    by: Actor | None = None


@dataclass(frozen=True)
class ImpactBy:
    """An open incident does this to it; None: nothing any more."""

    incident: int
    impact: ServiceStatus | None
    at: datetime
    since: datetime | None = None
    reason: str = ""
    by: Actor | None = None


@dataclass(frozen=True)
class AlertBy:
    """An alert's automation does this to it; None: nothing any more."""

    alert: int
    impact: ServiceStatus | None
    at: datetime
    since: datetime | None = None
    reason: str = ""
    by: Actor | None = None


@dataclass(frozen=True)
class MaintainBy:
    """A maintenance window is open for it, or is over."""

    maintenance: int
    on: bool
    at: datetime
    since: datetime | None = None
    reason: str = ""
    by: Actor | None = None


@dataclass(frozen=True)
class Delete:
    at: datetime


@dataclass(frozen=True)
class Causes:
    """What bears on the status: as people set it, and by whom else it is overruled."""

    manual: ServiceStatus = ServiceStatus.OPERATIONAL
    others: tuple[ServiceCause, ...] = ()

    @property
    def shown(self) -> ServiceStatus:
        """What users see."""
        if self.maintenances:
            return ServiceStatus.UNDER_MAINTENANCE
        by_incidents = worst([one.status for one in self.others if one.incident is not None])
        by_alerts = worst([one.status for one in self.others if one.alert is not None])
        return by_incidents or by_alerts or self.manual

    @property
    def maintenances(self) -> list[int]:
        return [one.maintenance for one in self.others if one.maintenance is not None]

    @property
    def incidents(self) -> list[int]:
        return [one.incident for one in self.others if one.incident is not None]

    @property
    def alerts(self) -> list[int]:
        return [one.alert for one in self.others if one.alert is not None]

    def without(self, is_it: Callable[[ServiceCause], bool]) -> "Causes":
        return replace(self, others=tuple(one for one in self.others if not is_it(one)))

    def having(self, cause: ServiceCause | None, is_it: Callable[[ServiceCause], bool]) -> "Causes":
        """`cause` in the place of the one that it is (None: nothing in its place)."""
        if cause in self.others:
            return self
        rest = self.without(is_it).others
        return replace(self, others=(*rest, cause) if cause else rest)


@dataclass(frozen=True)
class Blank:
    pass


@dataclass(frozen=True)
class Known:
    """`history` holds what the longest uptime window needs."""

    now: ServiceChanged
    created_at: datetime
    causes: Causes = Causes()
    status: ServiceStatus = ServiceStatus.OPERATIONAL
    history: History = field(default=())


@dataclass(frozen=True)
class Gone:
    """What it was is kept, for pages that must still call it by its name."""

    last: ServiceChanged


State = Blank | Known | Gone
Bearing = SetStatus | ImpactBy | AlertBy | MaintainBy
Command = Set | Bearing | Delete

NO_SERVICE = Refusal("NOT_FOUND", "There is no such service")


def decide(state: State, command: Command) -> Outcome:
    match state, command:
        case Blank(), Set(service):
            return [service.model_copy(update={"created": True})]
        case Known(now=now), Set(service):
            return _become(now, service)
        case Known(causes=causes, status=status), SetStatus(status=wanted) if wanted is not status:
            known = causes.without(lambda one: one.alert is not None)
            return list(_turn(state, replace(known, manual=wanted), command))
        case Known(), SetStatus():
            return []
        case Known(causes=causes), ImpactBy() | AlertBy() | MaintainBy():
            return list(_turn(state, _borne(causes, command), command))
        case Known(now=now), Delete(at):
            return [ServiceDeleted(service=now.service, at=at)]
        case Gone() | Blank(), ImpactBy(impact=None) | AlertBy(impact=None) | MaintainBy(on=False):
            return []
        case _:
            return NO_SERVICE


def evolve(state: State, event: Event) -> State:
    match state, event:
        case Gone(), _:
            return state
        case Known(), ServiceChanged():
            return replace(state, now=event)
        case _, ServiceChanged(at=at):
            return Known(event, at, history=turned((), ServiceStatus.OPERATIONAL, at))
        case Known(), ServiceCausesChanged(manual=manual, causes=causes):
            return replace(state, causes=Causes(manual, causes))
        case Known(history=history), ServiceStatusChanged(status=status, since=since, at=at):
            return replace(state, status=status, history=remembered(turned(history, status, since), at))
        case Known(now=now), ServiceDeleted():
            return Gone(now)
        case _:
            return state


def _borne(causes: Causes, command: ImpactBy | AlertBy | MaintainBy) -> Causes:
    match command:
        case ImpactBy(incident, impact):
            cause = ServiceCause(status=impact, incident=incident) if impact else None
            return causes.having(cause, lambda one: one.incident == incident)
        case AlertBy(alert, impact):
            cause = ServiceCause(status=impact, alert=alert) if impact else None
            return causes.having(cause, lambda one: one.alert == alert)
        case MaintainBy(maintenance, on):
            under = ServiceCause(status=ServiceStatus.UNDER_MAINTENANCE, maintenance=maintenance)
            return causes.having(under if on else None, lambda one: one.maintenance == maintenance)


def _turn(state: Known, causes: Causes, command: Bearing) -> Iterator[Event]:
    """The causes if they change, and the status if that shows."""
    service = state.now.service
    if causes != state.causes:
        yield ServiceCausesChanged(service=service, manual=causes.manual, causes=causes.others, at=command.at)
    if causes.shown is not state.status:
        yield ServiceStatusChanged(
            service=service,
            status=causes.shown,
            before=state.status,
            since=_since(state, command),
            reason=command.reason,
            incident=command.incident if isinstance(command, ImpactBy) else None,
            maintenance=command.maintenance if isinstance(command, MaintainBy) else None,
            alert=command.alert if isinstance(command, AlertBy) else None,
            by=command.by,
            at=command.at,
        )


def _since(state: Known, command: Bearing) -> datetime:
    """When the status turned: not after it was said, and not before the turn that is told last."""
    said = min(command.since or command.at, command.at)
    return max(said, state.history[-1].since) if state.history else said


def _become(now: ServiceChanged, then: ServiceChanged) -> list[Event]:
    then = then.model_copy(update={"created": False})
    is_same = then == now.model_copy(update={"created": False, "at": then.at})
    return [] if is_same else [then]


service: Decider[State, Command] = Decider(Blank(), decide, evolve)
