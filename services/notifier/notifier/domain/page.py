"""One person and one alert: in comes that they must be told, out comes each notification from its plan to its fate.

Blank  --Ask--> Paging: a notification per preference, or unreachable
Blank  --Park: the person is not known yet--> Parked --Ask, once they are--> Paging

a notification:  Waiting --Dispatch--> Underway --Succeed--> Sent
                    |  \\--Hold--> Held --Dispatch--^  \\--Fail--> Failed, and the next contact is Waiting
                    \\--Halt, Drop: the alert was answered--> Suppressed
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from events.core import Decider, Event, Outcome, Refusal
from events.notifier import (
    AnswerAction,
    Method,
    NotificationAnswered,
    NotificationDeferred,
    NotificationDispatched,
    NotificationFailed,
    NotificationHeld,
    NotificationParked,
    NotificationQueued,
    NotificationSent,
    NotificationSuppressed,
    NotificationUnreachable,
)
from events.shared import Priority
from notifier.domain.reach import Contact, Reachable, wanted_for

# -- values


@dataclass(frozen=True)
class Demand:
    """Why somebody must be told: this level of this climb, decided on that version of the alert."""

    alert_version: int
    run: int
    level: int
    priority: Priority
    source: int | None
    reason: str


@dataclass(frozen=True)
class Route:
    """One way to tell the person: the id of the notification was just drawn."""

    notification: int
    contact: int
    method: Method
    mask: str
    delay: timedelta
    preference: int | None = None


@dataclass(frozen=True)
class Stop:
    """What was decided on an older version of the alert is told to nobody any more, and why."""

    version: int
    reason: str


# -- commands


@dataclass(frozen=True)
class Ask:
    """Tell this person. `lack` is why there are no routes, where there are none; `stop` is what the alert says by now."""

    alert: int
    user: int
    demand: Demand
    routes: tuple[Route, ...]
    at: datetime
    lack: str = ""
    stop: Stop | None = None


@dataclass(frozen=True)
class Park:
    """Tell this person, whom we do not know yet."""

    alert: int
    user: int
    demand: Demand
    at: datetime


@dataclass(frozen=True)
class Halt:
    """The alert was answered: what waits and is older is not sent."""

    stop: Stop
    at: datetime


@dataclass(frozen=True)
class Hold:
    notification: int
    until: datetime
    at: datetime


@dataclass(frozen=True)
class Dispatch:
    notification: int
    message: int
    at: datetime


@dataclass(frozen=True)
class Drop:
    """Do not send this one after all."""

    notification: int
    reason: str
    at: datetime


@dataclass(frozen=True)
class Succeed:
    notification: int
    message: int
    message_id: str
    reply: str
    attempt: int
    at: datetime
    gate_timed_out: bool = False


@dataclass(frozen=True)
class Defer:
    notification: int
    message: int
    attempt: int
    error: str
    next_at: datetime
    at: datetime


@dataclass(frozen=True)
class Fail:
    """It cannot be sent this way; `spare` is the person's next contact, if there is one that was not tried."""

    notification: int
    error: str
    at: datetime
    message: int | None = None
    spare: Route | None = None


@dataclass(frozen=True)
class Answer:
    notification: int
    action: AnswerAction
    channel: str
    at: datetime


# -- states


@dataclass(frozen=True)
class Waiting:
    send_at: datetime


@dataclass(frozen=True)
class Held:
    until: datetime


@dataclass(frozen=True)
class Underway:
    """Inside a message. `trouble` is what the last attempt met, if one failed."""

    message: int
    since: datetime
    trouble: str | None = None


@dataclass(frozen=True)
class Sent:
    carried_by: int
    sent_at: datetime


@dataclass(frozen=True)
class Failed:
    error: str
    failed_at: datetime


@dataclass(frozen=True)
class Suppressed:
    reason: str
    suppressed_at: datetime


Fate = Waiting | Held | Underway | Sent | Failed | Suppressed


@dataclass(frozen=True)
class Notification:
    id: int
    contact: int
    method: Method
    mask: str
    alert_version: int
    run: int
    level: int
    source: int | None
    reason: str
    fate: Fate

    @property
    def is_open(self) -> bool:
        return isinstance(self.fate, Waiting | Held | Underway)


@dataclass(frozen=True)
class Blank:
    """Nobody asked for this person on this alert."""


@dataclass(frozen=True)
class Parked:
    """They must be told, and we do not know them yet."""

    alert: int
    user: int
    demands: tuple[Demand, ...] = field(default=())


@dataclass(frozen=True)
class Paging:
    """`asked` are the demands that were planned: (run, level, version of the alert)."""

    alert: int
    user: int
    asked: tuple[tuple[int, int, int], ...] = field(default=())
    notifications: tuple[Notification, ...] = field(default=())

    def notification(self, number: int) -> Notification | None:
        return next((one for one in self.notifications if one.id == number), None)


State = Blank | Parked | Paging
Command = Ask | Park | Halt | Hold | Dispatch | Drop | Succeed | Defer | Fail | Answer


# -- decide


def decide(state: State, command: Command) -> Outcome:
    match state, command:
        case _, Ask(demand=demand):
            return [] if _is_planned(state, demand) else _plan(command)
        case Blank(), Park():
            return [_parked(command)]
        case Parked(demands=demands), Park(demand=demand):
            return [] if demand in demands else [_parked(command)]
        case Paging(), Halt(stop, at):
            return [_suppressed(state, one, stop.reason, at) for one in state.notifications if _is_halted(one, stop)]
        case _, Answer(notification=number):
            return _answer(state, command, number)
        case Paging(), (Hold() | Dispatch() | Drop() | Succeed() | Defer() | Fail()):
            one = state.notification(command.notification)
            return _step(state, one, command) if one is not None and one.is_open else []
        case _:
            return []


Step = Hold | Dispatch | Drop | Succeed | Defer | Fail


def _step(page: Paging, one: Notification, command: Step) -> list[Event]:
    """The next fact in an open notification's life; what does not follow from where it stands changes nothing."""
    head = {"alert": page.alert, "user": page.user, "notification": one.id, "at": command.at}
    match one.fate, command:
        case Waiting(), Hold(until=until):
            return [NotificationHeld(**head, until=until)]
        case ((Waiting() | Held()), Dispatch(message=message)):
            return [NotificationDispatched(**head, message=message)]
        case _, Drop(reason=reason):
            return [NotificationSuppressed(**head, reason=reason)]
        case Underway(message=message), Succeed() if message == command.message:
            sent = NotificationSent(
                **head,
                message=message,
                message_id=command.message_id,
                reply=command.reply,
                attempt=command.attempt,
                gate_timed_out=command.gate_timed_out,
            )
            return [sent]
        case Underway(message=message), Defer() if message == command.message:
            return _deferred(one.fate, command, head)
        case ((Waiting() | Held()), Fail(message=None)):
            return _failed(page, one, command, head)
        case Underway(message=message), Fail() if command.message in (None, message):
            return _failed(page, one, command, head)
        case _:
            return []


Head = dict[str, object]


def _deferred(fate: Underway, command: Defer, head: Head) -> list[Event]:
    """The same trouble is told once: a server that is away for an hour is one line in the timeline, not hundreds."""
    if fate.trouble == command.error:
        return []
    deferred = NotificationDeferred.model_validate(
        {
            **head,
            "message": command.message,
            "attempt": command.attempt,
            "error": command.error,
            "next_at": command.next_at,
        }
    )
    return [deferred]


def _failed(page: Paging, one: Notification, command: Fail, head: Head) -> list[Event]:
    failed = NotificationFailed.model_validate({**head, "message": command.message, "error": command.error})
    if command.spare is None:
        return [failed]
    reason = f"{one.mask or 'The contact before'} could not be reached, so the next contact is tried. {one.reason}"
    demand = Demand(one.alert_version, one.run, one.level, Priority.HIGH, one.source, reason)
    return [failed, _queued(page.alert, page.user, demand, command.spare, command.at)]


def _plan(command: Ask) -> list[Event]:
    demand, at = command.demand, command.at
    if not command.routes:
        return [_unreachable(command)]
    queued = [_queued(command.alert, command.user, demand, route, at) for route in command.routes]
    if command.stop is None or demand.alert_version >= command.stop.version:
        return [*queued]
    reason = command.stop.reason
    late = [
        NotificationSuppressed(alert=one.alert, user=one.user, notification=one.notification, reason=reason, at=at)
        for one in queued
    ]
    return [*queued, *late]


def _queued(alert: int, user: int, demand: Demand, route: Route, at: datetime) -> NotificationQueued:
    return NotificationQueued(
        alert=alert,
        user=user,
        notification=route.notification,
        alert_version=demand.alert_version,
        run=demand.run,
        level=demand.level,
        contact=route.contact,
        method=route.method,
        mask=route.mask,
        send_at=at + route.delay,
        source=demand.source,
        preference=route.preference,
        reason=demand.reason,
        at=at,
    )


def _unreachable(command: Ask) -> NotificationUnreachable:
    demand = command.demand
    return NotificationUnreachable(
        alert=command.alert,
        user=command.user,
        alert_version=demand.alert_version,
        run=demand.run,
        level=demand.level,
        reason=command.lack,
        at=command.at,
    )


def _parked(command: Park) -> NotificationParked:
    demand = command.demand
    return NotificationParked(
        alert=command.alert,
        user=command.user,
        alert_version=demand.alert_version,
        run=demand.run,
        level=demand.level,
        priority=demand.priority,
        source=demand.source,
        reason=demand.reason,
        at=command.at,
    )


def _suppressed(page: Paging, one: Notification, reason: str, at: datetime) -> NotificationSuppressed:
    return NotificationSuppressed(alert=page.alert, user=page.user, notification=one.id, reason=reason, at=at)


def _answer(state: State, command: Answer, number: int) -> Outcome:
    """Said twice, recorded twice: the second «accept» may follow another escalation, and its meaning is the alert's."""
    if not isinstance(state, Paging) or state.notification(number) is None:
        return Refusal("NOT_FOUND", "This message is not known here")
    answered = NotificationAnswered(
        alert=state.alert,
        user=state.user,
        notification=number,
        action=command.action,
        channel=command.channel,
        at=command.at,
    )
    return [answered]


# -- evolve


def evolve(state: State, event: Event) -> State:
    match state, event:
        case ((Blank() | Parked()), NotificationParked()):
            before = state if isinstance(state, Parked) else Parked(event.alert, event.user)
            return replace(before, demands=(*before.demands, _demand(event)))
        case (
            (Blank() | Parked()),
            NotificationQueued(alert=alert, user=user) | NotificationUnreachable(alert=alert, user=user),
        ):
            return evolve(Paging(alert, user), event)
        case Paging(), NotificationQueued():
            planned = replace(state, notifications=(*state.notifications, _notification(event)))
            return _remember(planned, event.run, event.level, event.alert_version)
        case Paging(), NotificationUnreachable(run=run, level=level, alert_version=version):
            return _remember(state, run, level, version)
        case Paging(), _:
            return _turn(state, event)
        case _:
            return state


def _turn(state: Paging, event: Event) -> Paging:
    """The notification that the event speaks of has another fate now."""
    match event:
        case NotificationHeld(notification=number, until=until):
            return _fated(state, number, lambda _: Held(until))
        case NotificationDispatched(notification=number, message=message, at=at):
            return _fated(state, number, lambda _: Underway(message, at))
        case NotificationDeferred(notification=number, error=error):
            return _fated(
                state, number, lambda fate: replace(fate, trouble=error) if isinstance(fate, Underway) else fate
            )
        case NotificationSent(notification=number, message=message, at=at):
            return _fated(state, number, lambda _: Sent(message, at))
        case NotificationFailed(notification=number, error=error, at=at):
            return _fated(state, number, lambda _: Failed(error, at))
        case NotificationSuppressed(notification=number, reason=reason, at=at):
            return _fated(state, number, lambda _: Suppressed(reason, at))
        case _:
            return state


def _fated(state: Paging, number: int, turn: Callable[[Fate], Fate]) -> Paging:
    turned = tuple(replace(one, fate=turn(one.fate)) if one.id == number else one for one in state.notifications)
    return replace(state, notifications=turned)


def _remember(state: Paging, run: int, level: int, version: int) -> Paging:
    demand = (run, level, version)
    return state if demand in state.asked else replace(state, asked=(*state.asked, demand))


def _demand(event: NotificationParked) -> Demand:
    return Demand(event.alert_version, event.run, event.level, event.priority, event.source, event.reason)


def _notification(event: NotificationQueued) -> Notification:
    return Notification(
        id=event.notification,
        contact=event.contact,
        method=event.method,
        mask=event.mask,
        alert_version=event.alert_version,
        run=event.run,
        level=event.level,
        source=event.source,
        reason=event.reason,
        fate=Waiting(event.send_at),
    )


# -- due_at, and what the shell asks


def due_at(state: State) -> datetime | None:
    """When the earliest waiting notification goes; what is held waits for its window, what is underway for the sender."""
    return min((one.fate.send_at for one in waiting(state) if isinstance(one.fate, Waiting)), default=None)


def waiting(state: State) -> tuple[Notification, ...]:
    """The notifications that only wait for their time."""
    everything = state.notifications if isinstance(state, Paging) else ()
    return tuple(one for one in everything if isinstance(one.fate, Waiting))


def routes(reach: Reachable, priority: Priority, minute: timedelta, ids: tuple[int, ...]) -> tuple[Route, ...]:
    """A route per preference of this priority; `ids` has at least as many fresh ids as the person has preferences."""
    contacts = {contact.id: contact for contact in reach.usable()}
    return tuple(
        _route(number, contacts[wish.contact], wish.delay_min * minute, wish.id)
        for number, wish in zip(ids, wanted_for(reach, priority), strict=False)
    )


NO_CONTACT: Final = "This person has no contact that can be used."


def lack(reach: Reachable, priority: Priority) -> str:
    """Why there is no route."""
    if not reach.usable():
        return NO_CONTACT
    return f"This person wants to hear nothing of alerts of priority {priority.value}."


def spare(page: State, reach: Reachable, failed: int, fresh_id: int) -> Route | None:
    """The next contact in the person's order that this climb has not tried; one that only waits for its delay was not."""
    one = page.notification(failed) if isinstance(page, Paging) else None
    if one is None or not isinstance(page, Paging):
        return None
    tried = {
        other.contact for other in page.notifications if other.run == one.run and not isinstance(other.fate, Waiting)
    }
    untried = (contact for contact in reach.usable() if contact.id not in tried | {one.contact})
    contact = next(untried, None)
    return None if contact is None else _route(fresh_id, contact, timedelta(0), None)


def _route(number: int, contact: Contact, delay: timedelta, preference: int | None) -> Route:
    return Route(number, contact.id, contact.method, contact.mask, delay, preference)


def _is_planned(state: State, demand: Demand) -> bool:
    return isinstance(state, Paging) and (demand.run, demand.level, demand.alert_version) in state.asked


def _is_halted(one: Notification, stop: Stop) -> bool:
    """What is inside a message already is looked at when the message is claimed: only one side ends it."""
    return isinstance(one.fate, Waiting | Held) and one.alert_version < stop.version


page: Decider[State, Command] = Decider(Blank(), decide, evolve, due_at)
