"""All actions of one alert, in order: each (action, trigger, event) runs exactly once, or says why not.

    Blank --Queue--> Busy: the head is with the other side, the rest wait
    Busy --Succeed, Fail, Reply, Tick: the head has ended--> Busy with the next one, or Idle
    Idle, Blank --Plan--> Idle with plans, each of them queued or skipped at its time

What another service does is dispatched by an event the moment it is the head, and awaited; everything else is sent by
deliveries, which say what became of it. What is known already is never decided again.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from connectors.domain.templates import facts_of
from connectors.domain.triggers import AUTOMATION, DISPATCHED, REROUTE, closes
from events.connectors import (
    ActionAnswer,
    ActionAnswered,
    ActionConfigured,
    ActionDeferred,
    ActionDispatched,
    ActionFailed,
    ActionPlanned,
    ActionQueued,
    ActionSkipped,
    ActionSucceeded,
    AlertPicture,
)
from events.core import Decider, Event, Outcome
from events.shared import Actor

ANSWERED_WITHIN: Final = timedelta(minutes=5)
MOST_WAITING: Final = 50
LONGEST_TEXT: Final = 1000
TOO_MANY: Final = f"{MOST_WAITING} actions of this alert wait already"
NO_ANSWER: Final = "The service that was asked to do it did not answer within five minutes"


# -- values


@dataclass(frozen=True)
class Run:
    """An action that was queued; `version` is the event's that says so."""

    id: int
    alert: int
    version: int
    action: int
    name: str
    type: str
    trigger: str
    connector: int | None = None
    params: dict[str, Any] = field(default_factory=dict)
    cell: str | None = None
    picture: AlertPicture = field(default_factory=AlertPicture)

    @property
    def event_id(self) -> str:
        """The id of the event that queued it: what comes of it names this as its cause."""
        return f"actions-{self.alert}@{self.version}"

    @property
    def is_dispatched(self) -> bool:
        """Whether another service carries it out."""
        return self.type in DISPATCHED


@dataclass(frozen=True)
class Asked:
    """Another service was asked by the event of this version, and has until `until`."""

    version: int
    until: datetime


@dataclass(frozen=True)
class Head:
    """The run that is with the other side now; `error` are the words of its last attempt."""

    run: Run
    error: str = ""
    asked: Asked | None = None


@dataclass(frozen=True)
class Planned:
    """An action that waits for its time."""

    action: int
    name: str
    trigger: str
    trigger_id: str
    due_at: datetime

    @property
    def key(self) -> str:
        return key(self.action, self.trigger, self.trigger_id)


@dataclass(frozen=True)
class Made:
    """What an action made in the other tool for this alert, and over which connector."""

    reference: str
    link: str | None = None
    connector: int | None = None


@dataclass(frozen=True)
class Log:
    """`version` counts the stream's events, `known` are the keys that are decided on, `ran` the actions ever queued."""

    version: int = 0
    known: frozenset[str] = frozenset()
    ran: frozenset[int] = frozenset()
    made: dict[int, Made] = field(default_factory=dict)
    plans: tuple[Planned, ...] = ()


# -- commands


@dataclass(frozen=True)
class Queue:
    """The trigger was met, or somebody pressed the button (`by`). `run` is a fresh id."""

    alert: int
    run: int
    action: ActionConfigured
    trigger: str
    trigger_id: str
    picture: AlertPicture
    at: datetime
    by: Actor | None = None


@dataclass(frozen=True)
class Plan:
    """The trigger was met, and the action wants patience."""

    alert: int
    planned: Planned
    at: datetime


@dataclass(frozen=True)
class Skip:
    """The trigger was met, and the action must not run."""

    alert: int
    action: int
    name: str
    trigger: str
    trigger_id: str
    reason: str
    at: datetime


@dataclass(frozen=True)
class CallOff:
    """What is planned for these triggers is not wanted any more."""

    alert: int
    triggers: frozenset[str]
    reason: str
    at: datetime


@dataclass(frozen=True)
class Defer:
    run: int
    attempt: int
    error: str
    next_at: datetime
    at: datetime


@dataclass(frozen=True)
class Succeed:
    run: int
    attempt: int
    text: str
    at: datetime
    link: str | None = None
    reference: str | None = None


@dataclass(frozen=True)
class Fail:
    run: int
    attempt: int
    error: str
    at: datetime


@dataclass(frozen=True)
class Reply:
    """The service that was asked did it, or (`error`) did not. It names the run, or the `version` of the event that asked."""

    at: datetime
    run: int | None = None
    version: int | None = None
    text: str = ""
    error: str | None = None
    reference: str | None = None
    link: str | None = None


@dataclass(frozen=True)
class Answer:
    """Somebody answered in the other tool."""

    alert: int
    answer: ActionAnswer
    action: int
    channel: str
    who: str
    at: datetime


@dataclass(frozen=True)
class Tick:
    at: datetime


# -- states


@dataclass(frozen=True)
class Blank:
    """Nothing was to be done for this alert yet."""


@dataclass(frozen=True)
class Idle:
    log: Log


@dataclass(frozen=True)
class Busy:
    log: Log
    head: Head
    waiting: tuple[Run, ...] = ()


State = Blank | Idle | Busy
Command = Queue | Plan | Skip | CallOff | Defer | Succeed | Fail | Reply | Answer | Tick


def key(action: int, trigger: str, trigger_id: str) -> str:
    """What happens at most once in an alert's life."""
    return f"{action} {trigger} {trigger_id}"


def log_of(state: State) -> Log:
    return Log() if isinstance(state, Blank) else state.log


def head_of(state: State) -> Head | None:
    return state.head if isinstance(state, Busy) else None


def is_told_over(state: State, action: int, connector: int) -> bool:
    """Whether this action told of the alert over this connector, or is just about to."""
    head, made = head_of(state), log_of(state).made.get(action)
    is_telling = head is not None and (head.run.action, head.run.connector) == (action, connector)
    return is_telling or (made is not None and made.connector == connector)


def due_plans(state: State, at: datetime) -> list[Planned]:
    """Whose time has come, the earliest first."""
    return sorted((one for one in log_of(state).plans if one.due_at <= at), key=lambda one: one.due_at)


# -- decide


def decide(state: State, command: Command) -> Outcome:
    match command:
        case Queue():
            return _queue(state, command)
        case Plan(alert, planned, at):
            return [] if planned.key in log_of(state).known else [_planned(alert, planned, at)]
        case Skip():
            return [] if _is_settled(log_of(state), _key_of(command)) else [_skipped(command, command.reason)]
        case CallOff(alert, triggers, reason, at):
            plans = [one for one in log_of(state).plans if one.trigger in triggers]
            return [_called_off(alert, one, reason, at) for one in plans]
        case Answer(alert, answer, action, channel, who, at):
            return [ActionAnswered(alert=alert, answer=answer, action=action, channel=channel, who=who, at=at)]
        case _:
            return _of_head(state, command) if isinstance(state, Busy) else []


def _queue(state: State, command: Queue) -> list[Event]:
    log, action = log_of(state), command.action
    if _is_settled(log, _key_of(command)):
        return []
    if closes(action.type, command.trigger) and action.action not in log.ran:
        return []
    if isinstance(state, Busy) and len(state.waiting) >= MOST_WAITING:
        return [_skipped(command, TOO_MANY)]
    queued = ActionQueued(
        alert=command.alert,
        run=command.run,
        action=action.action,
        name=action.name,
        type=action.type,
        connector=action.connector,
        trigger=command.trigger,
        trigger_id=command.trigger_id,
        params=action.params,
        cell=action.cell,
        picture=command.picture,
        by=command.by,
        at=command.at,
    )
    return [queued, *_begun(evolve(state, queued), command.at)] if head_of(state) is None else [queued]


def _of_head(state: Busy, command: Command) -> list[Event]:
    run = state.head.run
    match command:
        case Defer(number, attempt, error, next_at, at) if number == run.id and error != state.head.error:
            return [ActionDeferred(alert=run.alert, run=run.id, attempt=attempt, error=error, next_at=next_at, at=at)]
        case Succeed(number, attempt, text, at, link, reference) if number == run.id:
            return _ended(state, _succeeded(run, attempt, text, link, reference, at))
        case Fail(number, attempt, error, at) if number == run.id:
            return _ended(state, _failed(run, attempt, error, at))
        case Reply(at=at, error=None) if _is_for(command, state.head):
            return _ended(state, _succeeded(run, 1, command.text, command.link, command.reference, at))
        case Reply(at=at, error=str(error)) if _is_for(command, state.head):
            return _ended(state, _failed(run, 1, error, at))
        case Tick(at) if state.head.asked is not None and state.head.asked.until <= at:
            return _ended(state, _failed(run, 1, NO_ANSWER, at))
        case _:
            return []


def _is_for(reply: Reply, head: Head) -> bool:
    if head.asked is None:
        return False
    return reply.run == head.run.id if reply.version is None else reply.version == head.asked.version


def _ended(state: Busy, end: Event) -> list[Event]:
    return [end, *_begun(evolve(state, end), end.at)]


def _begun(state: State, at: datetime) -> list[Event]:
    """The head asks another service, if it is one that does."""
    head = head_of(state)
    return [_dispatched(head.run, at)] if head is not None and head.run.is_dispatched else []


def _key_of(command: Queue | Skip) -> str:
    action = command.action.action if isinstance(command, Queue) else command.action
    return key(action, command.trigger, command.trigger_id)


def _is_settled(log: Log, wanted: str) -> bool:
    """It was queued or skipped before; what is only planned is not."""
    return wanted in log.known and all(plan.key != wanted for plan in log.plans)


# -- events


def _planned(alert: int, planned: Planned, at: datetime) -> ActionPlanned:
    return ActionPlanned(
        alert=alert,
        action=planned.action,
        name=planned.name,
        trigger=planned.trigger,
        trigger_id=planned.trigger_id,
        due_at=planned.due_at,
        at=at,
    )


def _skipped(command: Queue | Skip, reason: str) -> ActionSkipped:
    action, name = (
        (command.action.action, command.action.name) if isinstance(command, Queue) else (command.action, command.name)
    )
    return ActionSkipped(
        alert=command.alert,
        action=action,
        name=name,
        trigger=command.trigger,
        trigger_id=command.trigger_id,
        reason=reason,
        at=command.at,
    )


def _called_off(alert: int, planned: Planned, reason: str, at: datetime) -> ActionSkipped:
    skip = Skip(alert, planned.action, planned.name, planned.trigger, planned.trigger_id, reason, at)
    return _skipped(skip, reason)


def _succeeded(
    run: Run, attempt: int, text: str, link: str | None, reference: str | None, at: datetime
) -> ActionSucceeded:
    return ActionSucceeded(
        alert=run.alert,
        run=run.id,
        action=run.action,
        name=run.name,
        type=run.type,
        trigger=run.trigger,
        attempt=attempt,
        text=text[:LONGEST_TEXT],
        link=link,
        reference=reference,
        at=at,
    )


def _failed(run: Run, attempt: int, error: str, at: datetime) -> ActionFailed:
    return ActionFailed(
        alert=run.alert,
        run=run.id,
        action=run.action,
        name=run.name,
        type=run.type,
        trigger=run.trigger,
        attempt=attempt,
        error=error[:LONGEST_TEXT],
        at=at,
    )


def _dispatched(run: Run, at: datetime) -> ActionDispatched:
    asked = ActionDispatched(
        alert=run.alert,
        run=run.id,
        action=run.action,
        name=run.name,
        type=run.type,
        trigger=run.trigger,
        facts=facts_of(run.alert, run.picture, run.trigger),
        at=at,
    )
    match run.type:
        case t if t == REROUTE:
            return asked.model_copy(update={"policy": _number(run.params.get("escalationPolicyId"))})
        case t if t == AUTOMATION:
            return asked.model_copy(update=_automation(run))
        case _:
            return asked


def _automation(run: Run) -> dict[str, Any]:
    services = [_number(service) for service in run.params.get("serviceIds") or ()]
    return {
        "services": tuple(service for service in services if service is not None),
        "service_status": run.params.get("serviceStatus"),
        "template": _number(run.params.get("templateId")),
        "resolve": closes(run.type, run.trigger),
        "send_notification": bool(run.params.get("sendNotification")),
    }


def _number(value: object) -> int | None:
    """An id as the published API writes it: a number, or a text of digits."""
    return int(value) if isinstance(value, int) or (isinstance(value, str) and value.isdecimal()) else None


# -- evolve


def evolve(state: State, event: Event) -> State:
    log = replace(log_of(state), version=log_of(state).version + 1)
    match event:
        case ActionPlanned():
            return _kept(state, _with_plan(log, event))
        case ActionSkipped(action=action, trigger=trigger, trigger_id=trigger_id):
            return _kept(state, _settled(log, key(action, trigger, trigger_id)))
        case ActionQueued():
            return _queued(state, log, event)
        case ActionDispatched(run=run, at=at) if _is_head(state, run):
            return _headed(state, log, asked=Asked(log.version, at + ANSWERED_WITHIN))
        case ActionDeferred(run=run, error=error) if _is_head(state, run):
            return _headed(state, log, error=error)
        case ActionSucceeded(run=run, action=action, reference=reference, link=link) if _is_head(state, run):
            return _next(state, _made(state, log, action, reference, link))
        case ActionFailed(run=run) if _is_head(state, run):
            return _next(state, log)
        case _:
            return _kept(state, log)


def _kept(state: State, log: Log) -> State:
    return replace(state, log=log) if isinstance(state, Busy) else Idle(log)


def _headed(state: State, log: Log, **news: Any) -> State:
    assert isinstance(state, Busy)
    return replace(state, log=log, head=replace(state.head, **news))


def _next(state: State, log: Log) -> State:
    assert isinstance(state, Busy)
    if not state.waiting:
        return Idle(log)
    first, *rest = state.waiting
    return Busy(log, Head(first), tuple(rest))


def _made(state: State, log: Log, action: int, reference: str | None, link: str | None) -> Log:
    if reference is None or not isinstance(state, Busy):
        return log
    return replace(log, made=log.made | {action: Made(reference, link, state.head.run.connector)})


def _is_head(state: State, run: int) -> bool:
    return isinstance(state, Busy) and state.head.run.id == run


def _with_plan(log: Log, event: ActionPlanned) -> Log:
    planned = Planned(event.action, event.name, event.trigger, event.trigger_id, event.due_at)
    return replace(log, known=log.known | {planned.key}, plans=(*log.plans, planned))


def _settled(log: Log, done: str) -> Log:
    return replace(log, known=log.known | {done}, plans=tuple(plan for plan in log.plans if plan.key != done))


def _queued(state: State, log: Log, event: ActionQueued) -> State:
    run = Run(
        id=event.run,
        alert=event.alert,
        version=log.version,
        action=event.action,
        name=event.name,
        type=event.type,
        trigger=event.trigger,
        connector=event.connector,
        params=event.params,
        cell=event.cell,
        picture=event.picture,
    )
    log = _settled(replace(log, ran=log.ran | {event.action}), key(event.action, event.trigger, event.trigger_id))
    if isinstance(state, Busy):
        return replace(state, log=log, waiting=(*state.waiting, run))
    return Busy(log, Head(run))


def due_at(state: State) -> datetime | None:
    """The earliest plan, or the end of patience with who was asked."""
    head = head_of(state)
    asked = [head.asked.until] if head is not None and head.asked is not None else []
    return min([*asked, *(plan.due_at for plan in log_of(state).plans)], default=None)


runs: Decider[State, Command] = Decider(Blank(), decide, evolve, due_at)
