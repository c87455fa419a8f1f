"""An incident: what users are told of a trouble, from the first word to the last.

Unopened --Begin--> Open --Say, Join, Link, Unlink, Release--> Open
                    Open --Say(RESOLVED), Release by the last holder--> Resolved --Say(words only)--> Resolved

A resolved incident is not opened again: its summary and its message may still be put right, what was affected stays.
A holder is an alert whose action opened the incident or joined it; an incident that an action opened ends when the last
holder lets go, one that a person opened ends only by a person.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from events.core import Decider, Event, Outcome, Refusal
from events.shared import Actor
from events.statuspage import (
    Affected,
    IncidentCreated,
    IncidentLinked,
    IncidentReleased,
    IncidentStatus,
    IncidentUnlinked,
    IncidentUpdated,
    ServiceStatus,
)
from statuspage.domain.uptime import worst

MOST_WORDS: Final = 500
"""How many updates one incident may have: each carries the whole history along."""

MOST_ALERTS: Final = 1000


# -- commands


@dataclass(frozen=True)
class Begin:
    """Be told from now on; `created` says all of it."""

    created: IncidentCreated


@dataclass(frozen=True)
class Say:
    """One more word: the incident as a whole as it stands from now on."""

    summary: str
    status: IncidentStatus
    message: str
    affected: tuple[Affected, ...]
    send_notification: bool
    by: Actor
    at: datetime


@dataclass(frozen=True)
class Join:
    """An alert's action finds this incident open already: its services are affected too, at least so much."""

    alert: int
    action: int
    affected: tuple[Affected, ...]
    send_notification: bool
    by: Actor
    at: datetime


@dataclass(frozen=True)
class Release:
    """The alert is over for the action that held the incident open; `message` is the last word, if it is the last."""

    alert: int
    action: int
    message: str
    send_notification: bool
    by: Actor
    at: datetime


@dataclass(frozen=True)
class Link:
    alert: int
    by: Actor
    at: datetime


@dataclass(frozen=True)
class Unlink:
    alert: int
    by: Actor
    at: datetime


Command = Begin | Say | Join | Release | Link | Unlink


# -- situations


@dataclass(frozen=True)
class Word:
    """One entry of the history, as it was said; `update` counts from 0, which is the creation."""

    update: int
    summary: str
    status: IncidentStatus
    message: str
    affected: tuple[Affected, ...]
    send_notification: bool
    said_at: datetime
    by: Actor


@dataclass(frozen=True)
class Holder:
    alert: int
    action: int


@dataclass(frozen=True)
class Story:
    """What is known of an incident. `began_at` is for users and may lie before its creation."""

    incident: int
    words: tuple[Word, ...]
    began_at: datetime
    alerts: tuple[int, ...] = ()
    holders: tuple[Holder, ...] = ()
    is_automatic: bool = False
    teams: tuple[int, ...] = ()
    template: int | None = None

    @property
    def last(self) -> Word:
        return self.words[-1]

    @property
    def summary(self) -> str:
        return self.last.summary

    @property
    def status(self) -> IncidentStatus:
        return self.last.status

    @property
    def message(self) -> str:
        return self.last.message

    @property
    def affected(self) -> tuple[Affected, ...]:
        return self.last.affected

    @property
    def send_notification(self) -> bool:
        return self.last.send_notification

    @property
    def said_at(self) -> datetime:
        return self.last.said_at

    @property
    def services(self) -> tuple[int, ...]:
        return tuple(one.service for one in self.affected)

    @property
    def is_over(self) -> bool:
        return self.status is IncidentStatus.RESOLVED

    @property
    def resolved_on(self) -> datetime | None:
        """When it was first said to be resolved."""
        return next((word.said_at for word in self.words if word.status is IncidentStatus.RESOLVED), None)


@dataclass(frozen=True)
class Unopened:
    pass


@dataclass(frozen=True)
class Open:
    story: Story


@dataclass(frozen=True)
class Resolved:
    story: Story


State = Unopened | Open | Resolved

NO_INCIDENT = Refusal("NOT_FOUND", "There is no such incident")
TOO_MUCH_SAID = Refusal("TOO_MANY_UPDATES", f"An incident may have at most {MOST_WORDS} updates: open a new one")
TOO_MANY_ALERTS = Refusal("TOO_MANY_ALERTS", f"An incident may have at most {MOST_ALERTS} linked alerts")


# -- the behaviour


def decide(state: State, command: Command) -> Outcome:
    match state, command:
        case Unopened(), Begin(created):
            return [created]
        case Unopened(), _:
            return NO_INCIDENT
        case Open(story), Say():
            return _said(story, command)
        case Resolved(story), Say():
            return _put_right(story, command)
        case Open(story), Join():
            return _joined(story, command)
        case Open(story), Release():
            return _released(story, command)
        case Resolved(story), Release(alert, action, by=by, at=at):
            held = Holder(alert, action) in story.holders
            return [IncidentReleased(incident=story.incident, alert=alert, action=action, by=by, at=at)] if held else []
        case Open(story), Link(alert, by, at):
            return _linked(story, alert, by, at)
        case Open(story), Unlink(alert, by, at) if alert in story.alerts:
            return [IncidentUnlinked(incident=story.incident, alert=alert, by=by, at=at)]
        case Open(), Unlink():
            return []
        case Resolved(story), Join() | Link() | Unlink():
            return _is_resolved(story, "its alerts stay as they are")
        case _:
            return []


def evolve(state: State, event: Event) -> State:
    match state, event:
        case Unopened(), IncidentCreated():
            return _situation(_begun(event))
        case Unopened(), _:
            return state
        case _, IncidentUpdated():
            return _situation(replace(state.story, words=(*state.story.words, _word(event))))
        case _, IncidentLinked(alert=alert, action=action):
            holders = _with_holder(state.story.holders, alert, action)
            return replace(state, story=replace(state.story, alerts=_with(state.story.alerts, alert), holders=holders))
        case _, IncidentUnlinked(alert=alert):
            kept = tuple(one for one in state.story.alerts if one != alert)
            holders = tuple(holder for holder in state.story.holders if holder.alert != alert)
            return replace(state, story=replace(state.story, alerts=kept, holders=holders))
        case _, IncidentReleased(alert=alert, action=action):
            gone = Holder(alert, action)
            holders = tuple(holder for holder in state.story.holders if holder != gone)
            return replace(state, story=replace(state.story, holders=holders))
        case _:
            return state


def story_of(state: State) -> Story | None:
    """What is known of an incident that was opened once."""
    return None if isinstance(state, Unopened) else state.story


# -- what people say


def _said(story: Story, say: Say) -> Outcome:
    if len(story.words) >= MOST_WORDS:
        return TOO_MUCH_SAID
    return [_updated(story, say.summary, say.status, say.message, say.affected, say)]


def _put_right(story: Story, say: Say) -> Outcome:
    if say.status is not IncidentStatus.RESOLVED:
        return _is_resolved(story, "it cannot be opened again")
    if set(say.affected) != set(story.affected):
        return _is_resolved(story, "what it affected stays as it was")
    return _said(story, say)


def _is_resolved(story: Story, so: str) -> Refusal:
    return Refusal("INCIDENT_RESOLVED", f"Incident {story.incident} is resolved: {so}. Open a new incident instead")


def _updated(
    story: Story,
    summary: str,
    status: IncidentStatus,
    message: str,
    affected: tuple[Affected, ...],
    command: Say | Join | Release,
) -> IncidentUpdated:
    return IncidentUpdated(
        incident=story.incident,
        update=story.last.update + 1,
        summary=summary,
        status=status,
        message=message,
        affected=affected,
        send_notification=command.send_notification,
        said_at=command.at,
        by=command.by,
        at=command.at,
    )


# -- what alerts' actions do


def _joined(story: Story, join: Join) -> Outcome:
    """The impact only grows by joining; who is linked already joins again without a word."""
    events: list[Event] = []
    affected = worst_of(story.affected, join.affected)
    if affected != story.affected:
        if len(story.words) >= MOST_WORDS:
            return TOO_MUCH_SAID
        events.append(_updated(story, story.summary, story.status, story.message, affected, join))
    if join.alert not in story.alerts or Holder(join.alert, join.action) not in story.holders:
        if len(story.alerts) >= MOST_ALERTS:
            return TOO_MANY_ALERTS
        linked = IncidentLinked(incident=story.incident, alert=join.alert, action=join.action, by=join.by, at=join.at)
        events.append(linked)
    return events


def _released(story: Story, release: Release) -> Outcome:
    holder = Holder(release.alert, release.action)
    if holder not in story.holders:
        return []
    released = IncidentReleased(
        incident=story.incident, alert=release.alert, action=release.action, by=release.by, at=release.at
    )
    is_last = story.is_automatic and story.holders == (holder,)
    if not is_last:
        return [released]
    return [
        released,
        _updated(story, story.summary, IncidentStatus.RESOLVED, release.message, story.affected, release),
    ]


def worst_of(one: Iterable[Affected], other: Iterable[Affected]) -> tuple[Affected, ...]:
    """Each service once, in the order met, with the worse of its impacts."""
    impacts: dict[int, list[ServiceStatus]] = {}
    for affected in (*one, *other):
        impacts.setdefault(affected.service, []).append(affected.impact)
    return tuple(
        Affected(service=service, impact=worst(met) or ServiceStatus.OPERATIONAL) for service, met in impacts.items()
    )


# -- links


def _linked(story: Story, alert: int, by: Actor, at: datetime) -> Outcome:
    if alert in story.alerts:
        return []
    if len(story.alerts) >= MOST_ALERTS:
        return TOO_MANY_ALERTS
    return [IncidentLinked(incident=story.incident, alert=alert, by=by, at=at)]


# -- folding


def _begun(event: IncidentCreated) -> Story:
    return Story(
        incident=event.incident,
        words=(_first_word(event),),
        began_at=event.began_at,
        alerts=() if event.alert is None else (event.alert,),
        holders=_with_holder((), event.alert, event.action),
        is_automatic=event.action is not None,
        teams=event.teams,
        template=event.template,
    )


def _first_word(event: IncidentCreated) -> Word:
    return Word(
        update=0,
        summary=event.summary,
        status=event.status,
        message=event.message,
        affected=event.affected,
        send_notification=event.send_notification,
        said_at=event.said_at or event.began_at,
        by=event.by,
    )


def _word(event: IncidentUpdated) -> Word:
    return Word(
        update=event.update,
        summary=event.summary,
        status=event.status,
        message=event.message,
        affected=event.affected,
        send_notification=event.send_notification,
        said_at=event.said_at,
        by=event.by,
    )


def _situation(story: Story) -> State:
    return Resolved(story) if story.is_over else Open(story)


def _with(numbers: tuple[int, ...], number: int) -> tuple[int, ...]:
    return numbers if number in numbers else (*numbers, number)


def _with_holder(holders: tuple[Holder, ...], alert: int | None, action: int | None) -> tuple[Holder, ...]:
    if alert is None or action is None or Holder(alert, action) in holders:
        return holders
    return (*holders, Holder(alert, action))


incident: Decider[State, Command] = Decider(Unopened(), decide, evolve)
