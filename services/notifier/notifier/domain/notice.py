"""One notice: something that a person is told and that asks nothing of them. In comes what to tell, out comes its fate.

Blank --Queue--> Waiting --Gather: its time has come--> Gathered --Succeed--> Sent
                    |                                      |  \\--Fail--> Failed
                    \\-------------------Cancel-------------/----------> Cancelled
"""

from dataclasses import dataclass
from datetime import datetime

from events.core import Decider, Event
from events.notifier import (
    Method,
    NoticeCancelled,
    NoticeFailed,
    NoticeGathered,
    NoticeKind,
    NoticeQueued,
    NoticeSent,
)
from events.shared import Actor

# -- commands


@dataclass(frozen=True)
class Queue:
    """Tell this person of this occurrence. `notice` is the id that was just drawn, 0 while none was."""

    user: int
    kind: NoticeKind
    occasion: str
    occurrence: str
    contact: int
    mask: str
    send_at: datetime
    title: str
    at: datetime
    notice: int = 0
    method: Method = Method.EMAIL
    preference: int | None = None
    alert: int | None = None
    schedule: int | None = None
    incident: int | None = None
    maintenance: int | None = None
    text: str = ""
    lines: tuple[str, ...] = ()
    status: str = ""
    path: str = ""
    by: Actor | None = None
    begins_at: datetime | None = None
    ends_at: datetime | None = None
    reason: str = ""


@dataclass(frozen=True)
class Gather:
    """Its time has come: it is in the message, or is held until the one that gathers the rest."""

    message: int | None
    until: datetime
    at: datetime


@dataclass(frozen=True)
class Cancel:
    reason: str
    at: datetime


@dataclass(frozen=True)
class Succeed:
    message: int
    message_id: str
    reply: str
    attempt: int
    at: datetime


@dataclass(frozen=True)
class Fail:
    error: str
    at: datetime


# -- states


@dataclass(frozen=True)
class Blank:
    """Nothing is to be told."""


@dataclass(frozen=True)
class Waiting:
    """`told` is what is told, and to whom."""

    told: NoticeQueued


@dataclass(frozen=True)
class Gathered:
    """In a mail, or held for one."""

    told: NoticeQueued


@dataclass(frozen=True)
class Sent:
    told: NoticeQueued
    sent_at: datetime
    message: int | None


@dataclass(frozen=True)
class Failed:
    told: NoticeQueued
    failed_at: datetime
    error: str


@dataclass(frozen=True)
class Cancelled:
    told: NoticeQueued
    cancelled_at: datetime
    reason: str


Open = Waiting | Gathered
Known = Waiting | Gathered | Sent | Failed | Cancelled
State = Blank | Waiting | Gathered | Sent | Failed | Cancelled
Command = Queue | Gather | Cancel | Succeed | Fail


def decide(state: State, command: Command) -> list[Event]:
    """What does not follow from where it stands changes nothing: each notice ends once."""
    match state, command:
        case Blank(), Queue():
            return [_queued(command)]
        case Waiting(told), Gather(message, until, at):
            held = until if message is None else None
            return [
                NoticeGathered(notice=told.notice, user=told.user, alert=told.alert, message=message, until=held, at=at)
            ]
        case Waiting(told) | Gathered(told), Cancel(reason, at):
            return [NoticeCancelled(notice=told.notice, user=told.user, alert=told.alert, reason=reason, at=at)]
        case Gathered(told), Succeed():
            return [_sent(told, command)]
        case Gathered(told), Fail(error, at):
            return [NoticeFailed(notice=told.notice, user=told.user, alert=told.alert, error=error, at=at)]
        case _:
            return []


def evolve(state: State, event: Event) -> State:
    match state, event:
        case Blank(), NoticeQueued():
            return Waiting(event)
        case Waiting(told), NoticeGathered():
            return Gathered(told)
        case Waiting(told) | Gathered(told), NoticeSent(at=at, message=message):
            return Sent(told, at, message)
        case Waiting(told) | Gathered(told), NoticeFailed(at=at, error=error):
            return Failed(told, at, error)
        case Waiting(told) | Gathered(told), NoticeCancelled(at=at, reason=reason):
            return Cancelled(told, at, reason)
        case _:
            return state


def due_at(state: State) -> datetime | None:
    """What is gathered waits for its mail, and that for the window or the sender."""
    return state.told.send_at if isinstance(state, Waiting) else None


def _queued(command: Queue) -> NoticeQueued:
    return NoticeQueued(
        notice=command.notice,
        notification=command.notice,
        user=command.user,
        alert=command.alert,
        kind=command.kind,
        occasion=command.occasion,
        schedule=command.schedule,
        incident=command.incident,
        maintenance=command.maintenance,
        contact=command.contact,
        method=command.method,
        mask=command.mask,
        send_at=command.send_at,
        title=command.title,
        text=command.text,
        lines=command.lines,
        status=command.status,
        path=command.path,
        by=command.by,
        begins_at=command.begins_at,
        ends_at=command.ends_at,
        preference=command.preference,
        reason=command.reason,
        occurrence=command.occurrence,
        at=command.at,
    )


def _sent(told: NoticeQueued, command: Succeed) -> NoticeSent:
    return NoticeSent(
        notice=told.notice,
        user=told.user,
        alert=told.alert,
        message=command.message,
        message_id=command.message_id,
        reply=command.reply,
        attempt=command.attempt,
        at=command.at,
    )


notice: Decider[State, Command] = Decider(Blank(), decide, evolve, due_at)
