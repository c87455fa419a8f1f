"""The laws across services: in come events, out go accounts that balance, or ids that are missing.

    signals        accepted                      = alerted + repeated + answered + dropped with a reason
    escalations    alerts created                = alerts that an escalation was begun for
    deadlines      climbs begun                  = ended + with a next deadline that is not long past
    pages          people to be told             = planned + unreachable with a reason
    notifications  planned                       = sent + suppressed with a reason + failed + with a deadline ahead
    wishes         what others are asked to do   = done + refused with a reason
    runs           actions planned               = succeeded + failed + skipped with a reason + with a deadline ahead

An event opens entries in some accounts and ends entries in others; the order between topics does not matter. An entry is
missing when it is still open although whoever must end it is known to have handled everything up to a while after it was
opened (its line, see `audit_lines`): when a reader stands still, its line does, and nothing is missing.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from events import connectors as c
from events import escalator as e
from events import ingest as i
from events import notifier as n
from events.envelope import Envelope
from events.machinery import StreamParked

SIGNALS: Final = "signals"
ESCALATIONS: Final = "escalations"
DEADLINES: Final = "deadlines"
PAGES: Final = "pages"
NOTIFICATIONS: Final = "notifications"
WISHES: Final = "wishes"
RUNS: Final = "runs"

SAYS: Final[Mapping[str, str]] = {
    SIGNALS: "Every signal that was accepted opened, repeated or answered an alert, or was dropped with a reason",
    ESCALATIONS: "Every alert that was created has an escalation",
    DEADLINES: "Every escalation has ended, with a reason, or has a next deadline",
    PAGES: "Everybody who is to be told has a notification, or a reason why none",
    NOTIFICATIONS: "Every notification that was planned was sent, failed, was suppressed with a reason, or has its time ahead",
    WISHES: "What an alert action asks of another service is done, or refused with a reason",
    RUNS: "Every alert action that was planned succeeded, failed, was skipped with a reason, or has its time ahead",
}

INGEST: Final = "ingest.worker"
ESCALATOR: Final = "escalator.worker"
NOTIFIER: Final = "notifier.worker"
CONNECTORS: Final = "connectors.worker"
STATUSPAGE: Final = "statuspage.worker"

UNDERWAY: Final = timedelta(hours=26)
"""What is on its way outside is tried for a day; whether it still is, its own service audits."""


@dataclass(frozen=True)
class Opens:
    """Something must follow. By `closer`: as soon as it has handled this, or (with `due`) when that instant is past."""

    account: str
    id: str
    closer: str
    due: datetime | None = None


@dataclass(frozen=True)
class Ends:
    """It followed."""

    account: str
    id: str


Entry = Opens | Ends


def entries(envelope: Envelope) -> Iterator[Entry]:
    """What one event means to the books."""
    event = envelope.event
    match event:
        case i.SignalReceived():
            yield Opens(SIGNALS, event.signal, INGEST)
        case i.SignalDropped():
            yield Ends(SIGNALS, event.signal)
        case i.AlertEvent():
            yield from _of_alert(event)
        case e.EscalationEvent():
            yield from _of_escalation(event)
        case n.NotificationEvent() | n.NoticeEvent():
            yield from _of_notification(event)
        case c.RunEvent():
            yield from _of_run(envelope, event)
        case StreamParked():
            yield from _set_aside(event.parked)
        case _:
            pass
    if envelope.causation is not None and envelope.causation.startswith("actions-"):
        yield Ends(WISHES, envelope.causation)


def _of_alert(event: i.AlertEvent) -> Iterator[Entry]:
    match event:
        case i.AlertCreated():
            yield Opens(ESCALATIONS, event.stream, ESCALATOR)
        case i.AlertResolved():
            yield Ends(DEADLINES, event.stream)
        case i.AlertRepeated(signals=signals):
            yield from (Ends(SIGNALS, signal) for signal in signals)
        case _:
            pass
    signal = getattr(event, "signal", None)
    if isinstance(signal, str):
        yield Ends(SIGNALS, signal)


def _of_escalation(event: e.EscalationEvent) -> Iterator[Entry]:
    alert = event.key
    yield Ends(ESCALATIONS, alert)
    match event:
        case e.EscalationStarted():
            yield Opens(DEADLINES, alert, ESCALATOR, event.begins_at)
        case e.EscalationLevelReached():
            yield from (_page(event, one.user, event.level) for one in event.responders)
            yield Opens(DEADLINES, alert, ESCALATOR, event.next_at) if event.next_at else Ends(DEADLINES, alert)
        case e.EscalationResponderAdded():
            yield _page(event, event.responder.user, 0)
        case e.EscalationEnded() | e.EscalationHalted():
            yield Ends(DEADLINES, alert)
        case _:
            pass


def _page(event: e.EscalationEvent, user: int, level: int) -> Opens:
    return Opens(PAGES, _demand(event.alert, user, event.run, level, event.alert_version), NOTIFIER)


def _demand(alert: int, user: int, run: int, level: int, version: int) -> str:
    return f"alert-{alert}@{version} user {user} run {run} level {level}"


def _of_notification(event: n.NotificationEvent | n.NoticeEvent) -> Iterator[Entry]:
    match event:
        case n.NotificationQueued():
            yield Ends(PAGES, _demand(event.alert, event.user, event.run, event.level, event.alert_version))
            yield _notified(event.notification, event.send_at)
        case n.NotificationParked() | n.NotificationUnreachable():
            yield Ends(PAGES, _demand(event.alert, event.user, event.run, event.level, event.alert_version))
        case n.NotificationHeld():
            yield _notified(event.notification, event.until)
        case n.NotificationDispatched() | n.NotificationDeferred():
            yield _notified(event.notification, event.at + UNDERWAY)
        case n.NotificationSent() | n.NotificationFailed() | n.NotificationSuppressed():
            yield Ends(NOTIFICATIONS, f"notification-{event.notification}")
        case n.NoticeQueued():
            yield Opens(NOTIFICATIONS, event.stream, NOTIFIER, event.send_at)
        case n.NoticeGathered():
            yield Opens(NOTIFICATIONS, event.stream, NOTIFIER, event.until or event.at + UNDERWAY)
        case n.NoticeSent() | n.NoticeFailed() | n.NoticeCancelled():
            yield Ends(NOTIFICATIONS, event.stream)
        case _:
            pass


def _notified(notification: int, due: datetime) -> Opens:
    return Opens(NOTIFICATIONS, f"notification-{notification}", NOTIFIER, due)


def _of_run(envelope: Envelope, event: c.RunEvent) -> Iterator[Entry]:
    match event:
        case c.ActionPlanned():
            yield Opens(RUNS, _plan(event.action, event.trigger_id), CONNECTORS, event.due_at)
        case c.ActionSkipped():
            yield Ends(RUNS, _plan(event.action, event.trigger_id))
        case c.ActionQueued():
            yield Ends(RUNS, _plan(event.action, event.trigger_id))
            yield Opens(RUNS, f"run-{event.run}", CONNECTORS, event.at + UNDERWAY)
        case c.ActionDeferred():
            yield Opens(RUNS, f"run-{event.run}", CONNECTORS, event.next_at + UNDERWAY)
        case c.ActionSucceeded() | c.ActionFailed():
            yield Ends(RUNS, f"run-{event.run}")
        case c.ActionDispatched(type=type_):
            yield Opens(WISHES, envelope.id, INGEST if type_ == "reroute" else STATUSPAGE)
        case _:
            pass


def _plan(action: int, trigger: str) -> str:
    return f"action {action} of {trigger}"


def _set_aside(stream: str) -> Iterator[Entry]:
    """What a reader set aside has an alert of its own already."""
    yield Ends(SIGNALS, stream.removeprefix("signal-"))
    yield Ends(ESCALATIONS, stream)
    yield Ends(DEADLINES, stream)


# -- the books


@dataclass(frozen=True)
class Item:
    """An entry that waits. `since` is when the auditor read it; `due` when its end is due, None: at once."""

    closer: str
    since: datetime
    due: datetime | None = None


Key = tuple[str, str]
"""(account, id)."""


@dataclass(frozen=True)
class Line:
    """Up to when a reader is known to have handled everything, and since when it has done so without trouble."""

    handled: datetime
    steady: datetime


@dataclass
class Books:
    """What waits, and what ended before it was heard of. Filled in place: it takes in every event of the suite."""

    waiting: dict[Key, Item] = field(default_factory=dict)
    early: dict[Key, datetime] = field(default_factory=dict)

    def take(self, told: Iterable[Entry], at: datetime) -> None:
        """`at` is the auditor's clock."""
        for entry in told:
            key = (entry.account, entry.id)
            match entry:
                case Ends():
                    if self.waiting.pop(key, None) is None:
                        self.early[key] = at
                case Opens(due=None, closer=closer):
                    if self.early.pop(key, None) is None:
                        self.waiting.setdefault(key, Item(closer, at))
                case Opens(due=due, closer=closer):
                    self.waiting[key] = Item(closer, at, due)

    def missing(self, lines: Mapping[str, Line], grace: timedelta) -> dict[str, tuple[str, ...]]:
        """By account, in order; accounts that balance are in it too."""
        found: dict[str, list[str]] = {account: [] for account in SAYS}
        for (account, number), item in self.waiting.items():
            line = lines.get(item.closer)
            if line is not None and is_missing(item, line, grace):
                found[account].append(number)
        return {account: tuple(sorted(numbers)) for account, numbers in found.items()}

    def forget_early(self, before: datetime) -> None:
        """What ended without ever being opened was opened before the auditor began, or ends twice."""
        self.early = {key: at for key, at in self.early.items() if at >= before}

    def open(self) -> dict[str, int]:
        """How much waits, by account."""
        number = dict.fromkeys(SAYS, 0)
        for account, _ in self.waiting:
            number[account] += 1
        return number


@dataclass
class Heard:
    """Which version of each stream was heard last, of those that were spoken of last: a relay that was killed says its last words again."""

    most: int = 50_000
    _versions: dict[str, int] = field(default_factory=dict)

    def is_news(self, stream: str, version: int) -> bool:
        """Whether it was not heard before; it is from now on. What has no version (a signal) is published once."""
        if not version:
            return True
        before = self._versions.pop(stream, 0)
        self._versions[stream] = max(before, version)
        if len(self._versions) > self.most:
            del self._versions[next(iter(self._versions))]
        return version > before


def is_missing(item: Item, line: Line, grace: timedelta) -> bool:
    """By position: the reader was past it a while ago. By time: it is long past, and nothing held the reader up since."""
    if item.due is None:
        return item.since + grace <= line.handled
    return max(item.due, item.since, line.steady) + 2 * grace <= line.handled


def moved(line: Line | None, handled: datetime | None, at: datetime, *, troubled: bool) -> Line | None:
    """A reader's line after another look at it; whoever was in trouble is steady from now on at the earliest."""
    if handled is None:
        return line
    if line is None:
        return Line(handled, at)
    return replace(line, handled=max(line.handled, handled), steady=at if troubled else line.steady)
