"""What alert actions of one alert did to services and incidents: each run is answered once, and each action opens once.

Book --Apply, Close, Refuse--> Book

A run that was answered is never answered again. What an action opened stays known until the action closes it; after
that nothing of it is opened again for this alert.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from events.core import Decider, Event
from events.statuspage import AutomationApplied, AutomationRefused, ServiceStatus
from statuspage.domain.uptime import worst


@dataclass(frozen=True)
class Apply:
    """The services have this status because of the alert; `incident` tells users so, if one was wanted."""

    alert: int
    run: int
    action: int
    services: tuple[int, ...]
    service_status: ServiceStatus | None
    incident: int | None
    text: str
    at: datetime


@dataclass(frozen=True)
class Close:
    """What the action did for this alert is over."""

    alert: int
    run: int
    action: int
    text: str
    at: datetime


@dataclass(frozen=True)
class Refuse:
    alert: int
    run: int
    action: int
    reason: str
    at: datetime


Command = Apply | Close | Refuse


@dataclass(frozen=True)
class Held:
    """What one action did for the alert: its services, what it said of them, and its incident.

    `bears`: it gave the services their status by itself at least once; an incident says what it does to its own. An action
    that was changed between two of its runs may have done both.
    """

    action: int
    services: tuple[int, ...] = ()
    status: ServiceStatus | None = None
    incident: int | None = None
    bears: bool = False
    is_closed: bool = False

    @property
    def sets_status(self) -> bool:
        return self.bears and not self.is_closed


@dataclass(frozen=True)
class Book:
    answered: tuple[int, ...] = ()
    held: tuple[Held, ...] = ()

    def of(self, action: int) -> Held:
        return next((held for held in self.held if held.action == action), Held(action))

    def bears_on(self, service: int, besides: int | None = None) -> ServiceStatus | None:
        """The worst that this alert's open actions say of a service outside of incidents, but for the action `besides`."""
        return worst(
            [
                held.status
                for held in self.held
                if held.status and service in held.services and held.action != besides and held.sets_status
            ]
        )


State = Book


def decide(state: State, command: Command) -> list[Event]:
    if command.run in state.answered:
        return []
    match command:
        case Apply(alert, run, action, services, status, incident, text, at):
            return [
                AutomationApplied(
                    alert=alert,
                    run=run,
                    action=action,
                    services=services,
                    service_status=status,
                    incident=incident,
                    text=text,
                    at=at,
                )
            ]
        case Close(alert, run, action, text, at):
            held = state.of(action)
            return [
                AutomationApplied(
                    alert=alert,
                    run=run,
                    action=action,
                    services=held.services,
                    incident=held.incident,
                    resolved=True,
                    text=text,
                    at=at,
                )
            ]
        case Refuse(alert, run, action, reason, at):
            return [AutomationRefused(alert=alert, run=run, action=action, reason=reason, at=at)]


def evolve(state: State, event: Event) -> State:
    match event:
        case AutomationApplied(run=run, action=action, resolved=True):
            return _with(state, run, replace(state.of(action), is_closed=True))
        case AutomationApplied(run=run, action=action, services=services, service_status=status, incident=incident):
            held = state.of(action)
            both = tuple(dict.fromkeys((*held.services, *services)))
            bears = held.bears or incident is None
            known = replace(held, services=both, status=status, incident=held.incident or incident, bears=bears)
            return _with(state, run, known)
        case AutomationRefused(run=run):
            return replace(state, answered=(*state.answered, run))
        case _:
            return state


def _with(state: State, run: int, held: Held) -> State:
    others = tuple(one for one in state.held if one.action != held.action)
    return Book((*state.answered, run), (*others, held))


automation: Decider[State, Command] = Decider(Book(), decide, evolve)
