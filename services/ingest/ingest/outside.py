"""The timeline's sentences on the rest of the world: what other tools did, what users and the public were told, who heard the news.

In come events of connectors, statuspage and notifier's notices, out come sentences; the other side's own words are shown.
"""

from typing import Final

from events import connectors as c
from events import notifier as n
from events import statuspage as s
from events.core import Event
from ingest.said import CONNECTORS, INCIDENTS, METHODS, NOTIFICATIONS, Namebook, Said, Shape, actor, way

SHAPES: Final[dict[type[Event], Shape]] = {
    c.ActionSkipped: Shape("FilterableLogEntryType", CONNECTORS),
    c.ActionDeferred: Shape("AlertActionErrorLogEntry", CONNECTORS),
    c.ActionSucceeded: Shape("ConnectorAutomaticResultLogEntry", CONNECTORS),
    c.ActionFailed: Shape("ConnectorAutomaticResultErrorLogEntry", CONNECTORS),
    s.AutomationApplied: Shape("InComServiceTransitionLogEntry", INCIDENTS),
    s.IncidentCreated: Shape("InComIncidentCreatedLogEntry", INCIDENTS),
    s.IncidentUpdated: Shape("InComIncidentResolvedLogEntry", INCIDENTS),
    s.IncidentLinked: Shape("InComLinkedLogEntry", INCIDENTS),
    s.IncidentUnlinked: Shape("InComUnlinkedLogEntry", INCIDENTS),
    n.NoticeQueued: Shape("NotificationLogEntry", NOTIFICATIONS),
    n.NoticeSent: Shape("NotificationLogEntry", NOTIFICATIONS),
    n.NoticeFailed: Shape("NotificationLogEntry", NOTIFICATIONS),
    n.NoticeCancelled: Shape("NotificationLogEntry", NOTIFICATIONS),
}
"""What is told. An answer through another tool is not here: what it led to is. Nor is what another service refused: that the action failed is."""

MANUAL: Final = "manual"

_NEWS: Final = {
    "ALERT_ACCEPTED": "that the alert was accepted",
    "ALERT_RESOLVED": "that the alert was resolved",
    "ALERT_ESCALATED": "that the alert was escalated",
}


def shape_of(event: Event) -> Shape | None:
    """By type; a button's results have names of their own. None for what is not told here."""
    match event:
        case c.ActionSucceeded() if event.trigger == MANUAL:
            return Shape("AlertActionSuccessLogEntry", CONNECTORS)
        case c.ActionFailed() if event.trigger == MANUAL:
            return Shape("AlertActionFailLogEntry", CONNECTORS)
        case _:
            return SHAPES.get(type(event))


def say(event: Event, names: Namebook) -> Said | None:
    """None for what is not told here."""
    return _say_action(event) or _say_incident(event, names) or _say_notice(event, names)


def _say_action(event: Event) -> Said | None:
    match event:
        case c.ActionSkipped():
            return Said(f"{_action(event.name)} was not run", (event.reason,), "calm", "pause")
        case c.ActionDeferred():
            return Said(
                "An alert action could not be carried out yet", (event.error, _attempt(event.attempt)), "warn", "clock"
            )
        case c.ActionSucceeded():
            text = f"{_action(event.name, event.type)} was carried out"
            return Said(text, (event.text, _attempt(event.attempt)), "good", "check", event.link or "")
        case c.ActionFailed():
            text = f"{_action(event.name, event.type)} failed"
            return Said(text, (event.error, _attempt(event.attempt)), "bad", "cross")
        case _:
            return None


def _action(name: str, type_: str = "") -> str:
    called = f" «{name}»" if name else ""
    return f"Alert action{called}{f' ({type_})' if type_ else ''}"


def _attempt(attempt: int) -> str:
    return f"Attempt {attempt}" if attempt > 1 else ""


def _say_incident(event: Event, names: Namebook) -> Said | None:
    match event:
        case s.AutomationApplied():
            return Said(_applied(event), (event.text,), "info", "dot", _page(event.incident))
        case s.IncidentCreated():
            text = f"{actor(event.by, names)} opened incident {event.incident}{way(event.by)}: {event.summary}"
            return Said(text, (event.message,), "bad", "warning", _page(event.incident))
        case s.IncidentUpdated(status=s.IncidentStatus.RESOLVED):
            text = f"{actor(event.by, names)} resolved incident {event.incident}{way(event.by)}: {event.summary}"
            return Said(text, (event.message,), "good", "check", _page(event.incident))
        case s.IncidentUpdated():
            text = f"{actor(event.by, names)} updated incident {event.incident}{way(event.by)}: {event.summary}"
            return Said(text, (event.message,), "info", "dot", _page(event.incident))
        case s.IncidentLinked():
            text = f"{actor(event.by, names)} linked incident {event.incident} to the alert{way(event.by)}"
            return Said(text, (), "info", "dot", _page(event.incident))
        case s.IncidentUnlinked():
            text = f"{actor(event.by, names)} took incident {event.incident} off the alert{way(event.by)}"
            return Said(text, (), "calm", "dot", _page(event.incident))
        case _:
            return None


def _applied(event: s.AutomationApplied) -> str:
    if event.services and event.service_status is not None:
        number = "One service" if len(event.services) == 1 else f"{len(event.services)} services"
        return f"{number} became {event.service_status.value.replace('_', ' ').lower()}"
    if event.incident is None:
        return "The status pages have nothing to change"
    return f"Incident {event.incident} was {'closed' if event.resolved else 'opened'} for this alert"


def _page(incident: int | None) -> str:
    return f"/incidents/{incident}" if incident is not None else ""


def _say_notice(event: Event, names: Namebook) -> Said | None:
    match event:
        case n.NoticeQueued():
            where = f" at {event.mask}" if event.mask else ""
            news = _NEWS.get(event.occasion, "the news")
            text = f"{names.user(event.user)} will hear {news}, by {METHODS[event.method]}{where}"
            return Said(text, (event.reason,), "calm", "clock")
        case n.NoticeSent():
            reply = f"The mail server said: {event.reply}" if event.reply else ""
            return Said(f"{names.user(event.user)} was sent the news", (reply, _attempt(event.attempt)), "good", "mail")
        case n.NoticeFailed():
            return Said(f"{names.user(event.user)} could not be sent the news", (event.error,), "bad", "cross")
        case n.NoticeCancelled():
            return Said(f"{names.user(event.user)} is not sent the news", (event.reason,), "calm", "pause")
        case _:
            return None
