"""An alert's timeline as sentences: in come events and what people, policies and schedules are called, out come entries with reasons.

One page answers «why was I paged?»: who, by which rule, policy, schedule and layer; which mail carried it; in which
words the mail server refused. Events hold ids; names are looked up when the page is made.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final

from events import escalator as e
from events import ingest as i
from events import notifier as n
from events.catalogue import event_types
from events.core import Event
from events.shared import ActorType
from ingest import outside
from ingest.said import CONNECTORS, EVENTS, METHODS, NOTIFICATIONS, UPDATES, Namebook, Said, Shape, actor, way


@dataclass(frozen=True)
class Entry:
    """One line of the timeline; `kind` is the colour, `reasons` say why, one sentence each."""

    id: int
    at: datetime
    type: str
    text: str
    reasons: tuple[str, ...] = ()
    kind: str = "calm"
    icon: str = "dot"
    entry_type: str = "FilterableLogEntryType"
    filters: tuple[str, ...] = ()
    vars: dict[str, str] = field(default_factory=dict)
    link: str = ""

    @property
    def sentence(self) -> str:
        """The line and its reasons in one."""
        return ". ".join([self.text, *self.reasons])


SHAPES: Final[dict[type[Event], Shape]] = {
    i.AlertCreated: Shape("AlertReceivedLogEntry", EVENTS),
    i.AlertRepeated: Shape("AlertReceivedLogEntry", EVENTS),
    i.AlertAccepted: Shape("UserResponseLogEntry", UPDATES),
    i.AlertResolved: Shape("UserResponseLogEntry", UPDATES),
    i.AlertCommented: Shape("AlertCommentAddedLogEntry", UPDATES),
    i.AlertAssigned: Shape("AlertAssignedByUserLogEntry", UPDATES),
    i.AlertEscalationRequested: Shape("AlertEscalatedToLevelLogEntry", UPDATES),
    i.AlertResponderRequested: Shape("AlertAssignedByUserLogEntry", UPDATES),
    i.AlertAnswerNoted: Shape("UserResponseLogEntry", UPDATES),
    i.AlertRerouteRefused: Shape("AlertNotRoutedLogEntry", CONNECTORS),
    e.EscalationStarted: Shape("AlertAssignedToPolicyLogEntry", UPDATES),
    e.EscalationLevelReached: Shape("AlertEscalatedToLevelLogEntry", UPDATES),
    e.EscalationLevelSkipped: Shape("NobodyOnCallLogEntry", UPDATES),
    e.EscalationEnded: Shape("FilterableLogEntryType", UPDATES),
    e.EscalationHalted: Shape("FilterableLogEntryType", UPDATES),
    e.EscalationResponderAdded: Shape("AlertAssignedBySystemLogEntry", UPDATES),
    n.NotificationQueued: Shape("NotificationLogEntry", NOTIFICATIONS),
    n.NotificationParked: Shape("NotificationLogEntry", NOTIFICATIONS),
    n.NotificationHeld: Shape("NotificationLogEntry", NOTIFICATIONS),
    n.NotificationSent: Shape("NotificationLogEntry", NOTIFICATIONS),
    n.NotificationDeferred: Shape("NotificationLogEntry", NOTIFICATIONS),
    n.NotificationFailed: Shape("NotificationLogEntry", NOTIFICATIONS),
    n.NotificationSuppressed: Shape("NotificationLogEntry", NOTIFICATIONS),
    n.NotificationUnreachable: Shape("NotificationLogEntry", NOTIFICATIONS),
    n.MessageComposed: Shape("NotificationLogEntry", NOTIFICATIONS),
    **outside.SHAPES,
}
"""What the timeline tells. An answer through a message is not here: what it led to is."""


def is_told(event: Event) -> bool:
    return type(event) in SHAPES


def types_of(filters: Iterable[str]) -> list[str]:
    """The wire types that belong to these filter types of the published API."""
    wanted = set(filters)
    return [event.wire_type() for event, shape in SHAPES.items() if wanted & set(shape.filters)]


def story(lines: Iterable[tuple[int, str, dict[str, Any]]], names: Namebook) -> list[Entry]:
    """The entries of one alert's stored events, given and returned newest first; what stopped the escalation is told with
    who did it, as far as that is among them.
    """
    told: list[Entry] = []
    answers: dict[str, Entry] = {}
    for number, wire_type, body in reversed(list(lines)):
        one = answers[wire_type] = entry(number, wire_type, body, names)
        told.append(_with_answer(one, body, answers))
    return told[::-1]


_STOPPING: Final = {
    "accepted": i.AlertAccepted.wire_type(),
    "resolved": i.AlertResolved.wire_type(),
    "assigned anew": i.AlertAssigned.wire_type(),
}
"""What the escalator calls a reason to stop -> the event that was it."""


def _with_answer(one: Entry, body: dict[str, Any], answers: dict[str, Entry]) -> Entry:
    if one.type != e.EscalationHalted.wire_type():
        return one
    answer = answers.get(_STOPPING.get(str(body.get("reason")), ""))
    return replace(one, text=f"Escalation stopped: {answer.text}") if answer else one


def entry(number: int, wire_type: str, body: dict[str, Any], names: Namebook) -> Entry:
    """The line of one stored event."""
    event = event_types()[wire_type].model_validate(body)
    shape = _shape(event)
    said = _say(event, names)
    return Entry(
        id=number,
        at=event.at,
        type=wire_type,
        text=said.text,
        reasons=tuple(reason for reason in said.reasons if reason),
        kind=said.kind,
        icon=said.icon,
        entry_type=shape.entry_type,
        filters=shape.filters,
        vars=_vars(body),
        link=said.link,
    )


def _shape(event: Event) -> Shape:
    """By type; who did it makes some differences in the published names."""
    by = getattr(event, "by", None)
    match event:
        case i.AlertCreated() if by and by.type is ActorType.USER:
            return Shape("AlertCreatedByUserLogEntry", UPDATES)
        case i.AlertResolved() if by and by.type is ActorType.SYSTEM:
            return Shape("AlertAutoResolvedLogEntry", UPDATES)
        case i.AlertAccepted() | i.AlertResolved() if by and by.type is ActorType.SOURCE:
            return Shape("AlertSourceResponseLogEntry", EVENTS)
        case i.AlertAssigned(policy=int()):
            return Shape("AlertAssignedToPolicyLogEntry", UPDATES)
        case i.AlertAssigned(schedule=int()):
            return Shape("AlertAssignedToScheduleLogEntry", UPDATES)
        case i.AlertCommented() if by and by.type is not ActorType.USER:
            return Shape("AlertCommentAddedBySystemLogEntry", UPDATES)
        case _:
            return outside.shape_of(event) or SHAPES[type(event)]


def _say(event: Event, names: Namebook) -> Said:
    for family in (_say_alert, _say_escalation, _say_notification, outside.say):
        said = family(event, names)
        if said is not None:
            return said
    return Said(event.wire_type())


def _say_alert(event: Event, names: Namebook) -> Said | None:
    match event:
        case i.AlertCreated():
            policy = f"Policy «{names.policy(event.policy)}»" if event.policy is not None else "No policy"
            why = (f"{policy}: {event.policy_reason}", f"Priority {event.priority.value}: {event.priority_reason}")
            return Said(
                f"{actor(event.by, names)} opened the alert{way(event.by)}: {event.summary}", why, "bad", "bell"
            )
        case i.AlertRepeated(count=count):
            times = "once more" if count == 1 else f"{count} times more"
            return Said(f"The tool said it {times}", (event.summary,), "calm", "bell")
        case i.AlertAccepted():
            return Said(f"{actor(event.by, names)} accepted the alert{way(event.by)}", (), "warn", "user")
        case i.AlertResolved():
            return Said(f"{actor(event.by, names)} resolved the alert{way(event.by)}", (event.reason,), "good", "check")
        case i.AlertCommented():
            who = event.creator or actor(event.by, names)
            return Said(f"{who} commented", (event.content,), "info", "dot")
        case i.AlertAssigned():
            return Said(f"{actor(event.by, names)} assigned the alert to {_target(event, names)}", (), "info", "user")
        case i.AlertRerouteRefused():
            return Said(f"{actor(event.by, names)} could not hand the alert over", (event.reason,), "bad", "cross")
        case i.AlertEscalationRequested(level=level):
            where = "the next level" if level is None else f"level {level + 1}"
            return Said(f"{actor(event.by, names)} escalated to {where}{way(event.by)}", (), "warn", "up")
        case i.AlertResponderRequested(user=user):
            return Said(
                f"{actor(event.by, names)} asked for {names.user(user)} as well{way(event.by)}", (), "info", "user"
            )
        case i.AlertAnswerNoted():
            already = event.outcome.removeprefix("ALREADY_").lower()
            tried = event.answer.lower()
            return Said(
                f"{actor(event.by, names)} wanted to {tried} the alert{way(event.by)}: it was {already} already"
            )
        case _:
            return None


def _target(event: i.AlertAssigned, names: Namebook) -> str:
    if event.user is not None:
        return names.user(event.user)
    if event.policy is not None:
        return f"the policy «{names.policy(event.policy)}»"
    return f"the schedule «{names.schedule(event.schedule or 0)}»"


def _say_escalation(event: Event, names: Namebook) -> Said | None:
    match event:
        case e.EscalationStarted():
            levels = f"{len(event.levels)} levels" if len(event.levels) != 1 else "one level"
            policy = f"by the policy «{event.policy_name}»" if event.policy_name else "without a policy"
            return Said(f"Escalation began {policy}: {levels}", (), "info", "up")
        case e.EscalationLevelReached():
            who = ", ".join(names.user(responder.user) for responder in event.responders) or "nobody"
            reasons = [f"{names.user(responder.user)}: {responder.reason.text}" for responder in event.responders]
            empty = [vacancy.text for vacancy in event.vacancies]
            late = ["The newest answers could not be awaited before this level"] if event.gate_timed_out else []
            return Said(f"Level {event.level + 1}: {who} must be told", (*reasons, *empty, *late), "bad", "up")
        case e.EscalationLevelSkipped():
            why = tuple(vacancy.text for vacancy in event.vacancies)
            return Said(f"Level {event.level + 1} has nobody to tell; the next one follows at once", why, "warn", "up")
        case e.EscalationEnded():
            return Said(f"Escalation ended: {event.reason}", (), "bad", "warning")
        case e.EscalationHalted():
            return Said(f"Escalation stopped: the alert was {event.reason}", (), "good", "pause")
        case e.EscalationResponderAdded():
            reason = event.responder.reason.text
            return Said(f"{names.user(event.responder.user)} must be told as well", (reason,), "warn", "user")
        case _:
            return None


def _say_notification(event: Event, names: Namebook) -> Said | None:
    match event:
        case n.NotificationQueued():
            where = f" at {event.mask}" if event.mask else ""
            text = f"{names.user(event.user)} will be told by {METHODS[event.method]}{where}"
            return Said(text, (event.reason,), "calm", "clock")
        case n.NotificationParked():
            return Said(f"{names.user(event.user)} is not known to the notifier yet; the page waits", (event.reason,))
        case n.NotificationHeld():
            why = "Too many alerts of one source for one contact: one mail will name all the rest"
            return Said(f"The mail to {names.user(event.user)} waits", (why,), "calm", "pause")
        case n.NotificationSent(message=message):
            tries = f"attempt {event.attempt}" if event.attempt > 1 else ""
            reply = f"The mail server said: {event.reply}" if event.reply else ""
            return Said(f"Mail {message} to {names.user(event.user)} was sent", (reply, tries), "good", "mail")
        case n.NotificationDeferred(message=message):
            text = f"Mail {message} to {names.user(event.user)} could not be sent yet"
            return Said(text, (f"{event.error} (attempt {event.attempt})",), "warn", "clock")
        case n.NotificationFailed():
            return Said(f"{names.user(event.user)} could not be told this way", (event.error,), "bad", "cross")
        case n.NotificationSuppressed():
            return Said(f"{names.user(event.user)} is not told", (event.reason,), "calm", "pause")
        case n.NotificationUnreachable():
            return Said(f"{names.user(event.user)} cannot be reached", (event.reason,), "bad", "cross")
        case n.MessageComposed(message=message):
            company = event.alerts or len({carried.alert for carried in event.carries})
            place = f"one of {company} alerts " if company > 1 else ""
            return Said(f"This alert is {place}in mail {message} to {names.user(event.user)}", (), "info", "mail")
        case _:
            return None


def _vars(body: dict[str, Any]) -> dict[str, str]:
    """The event's plain fields, for `include=vars`."""
    return {name: str(value) for name, value in body.items() if isinstance(value, str | int | float) and name != "at"}
