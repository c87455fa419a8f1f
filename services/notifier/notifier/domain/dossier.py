"""What we believe of one alert: in come the events of `alerts`, out comes what a message says of it, and what halts it.

`stop` is the newest version at which the alert was answered or handed on: whatever was decided on an older one is told
to nobody any more. Versions are compared, never the order of arrival.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from pydantic import TypeAdapter

from events.core import Event
from events.ingest import (
    AlertAccepted,
    AlertAssigned,
    AlertCreated,
    AlertEscalationRequested,
    AlertRepeated,
    AlertResolved,
)
from events.shared import Actor, Link, Priority
from notifier.domain.page import Stop

LONGEST_DETAILS: Final = 4000
LONGEST_SUMMARY: Final = 500
MOST_LINKS: Final = 10


class AlertState(StrEnum):
    PENDING = "PENDING"
    ACCEPTED = "ACCEPTED"
    RESOLVED = "RESOLVED"


@dataclass(frozen=True)
class Dossier:
    """`version` 0: the alert itself was not read yet. `users` are the people who were to be told. `by` and `since`: the
    state. `trace` is the trace of the newest wish to tell somebody."""

    alert: int
    version: int = 0
    state: AlertState = AlertState.PENDING
    summary: str = ""
    details: str = ""
    priority: Priority = Priority.HIGH
    source: int | None = None
    source_name: str = ""
    links: tuple[Link, ...] = field(default=())
    teams: tuple[int, ...] = field(default=())
    repeats: int = 0
    created_at: datetime | None = None
    by: Actor | None = None
    since: datetime | None = None
    stop: Stop | None = None
    users: tuple[int, ...] = field(default=())
    trace: str | None = None

    def halts(self, alert_version: int) -> bool:
        """Whether what was decided on this version of the alert is told to nobody any more."""
        return self.stop is not None and alert_version < self.stop.version

    def told(self, user: int, trace: str | None) -> "Dossier":
        """One more person is to be told."""
        users = self.users if user in self.users else (*self.users, user)
        return replace(self, users=users, trace=trace or self.trace)


def follow(dossier: Dossier, event: Event, version: int) -> Dossier:
    """The dossier after one more event of the alert; events that say nothing about its state only move the version."""
    if version <= dossier.version:
        return dossier
    return replace(_taken_in(dossier, event, version), version=version)


def dump(dossier: Dossier) -> str:
    return _adapter.dump_json(dossier, exclude_defaults=True).decode()


def load(text: str) -> Dossier:
    return _adapter.validate_json(text)


def _taken_in(dossier: Dossier, event: Event, version: int) -> Dossier:
    match event:
        case AlertCreated():
            return _opened(dossier, event)
        case AlertRepeated(count=count, summary=summary):
            return replace(
                dossier, repeats=dossier.repeats + count, summary=summary[:LONGEST_SUMMARY] or dossier.summary
            )
        case AlertAccepted(by=by, at=at):
            return _turned(dossier, AlertState.ACCEPTED, by, at, Stop(version, "The alert was accepted."))
        case AlertResolved(by=by, at=at):
            return _turned(dossier, AlertState.RESOLVED, by, at, Stop(version, "The alert was resolved."))
        case AlertAssigned(by=by, at=at):
            return _turned(dossier, AlertState.PENDING, by, at, Stop(version, "The alert was handed to somebody else."))
        case AlertEscalationRequested(by=by, at=at):
            return _turned(dossier, AlertState.PENDING, by, at, dossier.stop)
        case _:
            return dossier


def _opened(dossier: Dossier, event: AlertCreated) -> Dossier:
    return replace(
        dossier,
        summary=event.summary[:LONGEST_SUMMARY],
        details=event.details[:LONGEST_DETAILS],
        priority=event.priority,
        source=event.source,
        source_name=event.source_name,
        links=event.links[:MOST_LINKS],
        teams=event.teams,
        created_at=event.at,
        by=event.by,
        since=event.at,
    )


def _turned(dossier: Dossier, state: AlertState, by: Actor, at: datetime, stop: Stop | None) -> Dossier:
    return replace(dossier, state=state, by=by, since=at, stop=stop)


_adapter: Final = TypeAdapter(Dossier)
