"""What an alert's life means for its escalation: in comes an event of `alerts`, out goes (alert, command), or None; and what to look up first."""

from dataclasses import dataclass

from escalator.domain.escalation import (
    ACCEPTED,
    RESOLVED,
    AddResponder,
    Assign,
    Command,
    Escalate,
    Halt,
    Start,
    World,
)
from events.core import Event
from events.escalator import Target
from events.ingest import (
    AlertAccepted,
    AlertAssigned,
    AlertCreated,
    AlertEscalationRequested,
    AlertResolved,
    AlertResponderRequested,
)


@dataclass(frozen=True)
class Needs:
    """What must be known before an event can be answered, besides what the alert's own escalation names."""

    alert: int
    policy: int | None = None
    targets: tuple[Target, ...] = ()


def needs(event: Event) -> Needs | None:
    """None for events that mean nothing to an escalation."""
    match event:
        case AlertCreated(alert=alert, policy=policy, responders=responders):
            return Needs(alert, policy, tuple(Target(user=user) for user in responders))
        case AlertAssigned(alert=alert, policy=policy):
            target = _assigned(event)
            return Needs(alert, policy, (target,) if target else ())
        case AlertResponderRequested(alert=alert, user=user):
            return Needs(alert, targets=(Target(user=user),))
        case AlertEscalationRequested(alert=alert) | AlertAccepted(alert=alert) | AlertResolved(alert=alert):
            return Needs(alert)
        case _:
            return None


def reaction(event: Event, version: int, world: World) -> tuple[int, Command] | None:
    """`version` is the alert's with this event."""
    match event:
        case AlertCreated(alert=alert):
            return alert, _start(event, version, world)
        case AlertAssigned(alert=alert, policy=policy, by=by, at=at):
            return alert, Assign(version, policy, _assigned(event), by, at, world)
        case AlertEscalationRequested(alert=alert, level=level, by=by):
            return alert, Escalate(version, level, by, world)
        case AlertResponderRequested(alert=alert, user=user, by=by):
            return alert, AddResponder(version, user, by, world)
        case AlertAccepted(alert=alert):
            return alert, Halt(version, ACCEPTED, world.at)
        case AlertResolved(alert=alert):
            return alert, Halt(version, RESOLVED, world.at)
        case _:
            return None


def _start(event: AlertCreated, version: int, world: World) -> Start:
    return Start(
        alert=event.alert,
        alert_version=version,
        policy=event.policy,
        responders=event.responders,
        priority=event.priority,
        source=event.source,
        by=event.by,
        since=event.at,
        world=world,
    )


def _assigned(event: AlertAssigned) -> Target | None:
    if event.user is not None:
        return Target(user=event.user)
    return Target(schedule=event.schedule) if event.schedule is not None else None
