"""The worker: signals, answers and wishes of alert actions come in by batches, and alerts live by them. Only what was decided leaves.

    batch -> read (pure parsers) -> sources' rows locked -> open alerts found and locked -> decide in order -> commit

Within a batch repeats of one alert fold into one event. Every signal ends in an alert's event or in a reasoned drop.
"""

from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from events.core import Refusal
from events.ingest import DropReason, SignalReceived, SourceChanged
from events.machinery import SYNTHETIC
from events.shared import Actor
from events.topics import ACTIONS, CONFIGURATION, NOTIFICATIONS, SIGNALS
from ingest import alerts, domain, intake, machinery, sources, synthetic
from ingest.canonical import Asked, EventType, Parsed, Rejected, ToolEvent
from ingest.integrations import PARSERS
from ingest.integrations.payloads import decoded
from ingest.maintenance import Maintenance, Window
from ingest.policies import Policies
from ingest.reactions import policy_asked_for, reaction
from ingest.streams import ALERT, INTAKE, SOURCE
from runtime.gate import GatePassed, GateTimedOut
from runtime.records import Received
from runtime.ticks import Due
from runtime.unit import Cause, Unit

TOPICS = (SIGNALS.name, NOTIFICATIONS.name, ACTIONS.name, *(topic.name for topic in CONFIGURATION.values()))
LAST = "last"
"""Index: a group -> the newest alert of it."""
SENDER = "sender"
"""Index: `<source>/<signal>` -> the signal, of those that must not be decided on a second time."""


@dataclass(frozen=True)
class Heard:
    """One signal, its source as it stands, and what its parser made of it."""

    signal: SignalReceived
    cause: Cause
    source: SourceChanged | None
    said: Parsed

    @property
    def events(self) -> tuple[ToolEvent, ...]:
        """What may lead to something; nothing when the source is gone or off."""
        is_on = self.source is not None and self.source.active
        return self.said if is_on and isinstance(self.said, tuple) else ()


class Worker:
    """Wires the pure rules to a unit of work; holds nothing but its views of policies and of maintenance.

    `caught_up` waits until the policies are as new as now, `windows_are_known` until the maintenance windows are.
    """

    def __init__(
        self,
        policies: Policies,
        caught_up: Callable[[], Awaitable[None]],
        minute_s: float,
        *,
        maintenance: Maintenance,
        windows_are_known: Callable[[], Awaitable[None]],
    ) -> None:
        self._policies = policies
        self._caught_up = caught_up
        self._minute_s = minute_s
        self._maintenance = maintenance
        self._windows_are_known = windows_are_known

    async def react(self, unit: Unit, batch: Sequence[Received]) -> None:
        """One batch of what tools, people and alert actions said."""
        heard = await self._hear(unit, batch)
        if unit.recalls:
            heard = await _unanswered(unit, heard)
        await self._know_policies(heard, batch)
        answers = self._answers(unit, batch)
        rules = Rules(self._policies, await self._silencing(heard), self._minute_s)
        book = await Book.opened(unit, heard, [alert for alert, _, _ in answers], rules)
        for one in heard:
            await book.take(one)
        book.tell_all_repeats()
        await machinery.tell(unit, batch, self._policies)
        for alert, asked, cause in answers:
            alerts.tell(unit, alert, asked, cause)

    async def tick(self, unit: Unit, due: Due, _verdict: GatePassed | GateTimedOut) -> None:
        """Alerts that were open for as long as their source allows."""
        for kind, number in due:
            if kind is ALERT:
                alerts.tell(unit, int(number), domain.Tick(unit.at))

    async def _hear(self, unit: Unit, batch: Sequence[Received]) -> list[Heard]:
        signals = [
            (received.envelope.event, Cause.of(received.envelope))
            for received in batch
            if isinstance(received.envelope.event, SignalReceived)
        ]
        if not signals:
            return []
        known = await unit.peek(SOURCE, {signal.source for signal, _ in signals})
        states = {stream: head.state for stream, head in known.items()}
        return [_heard(signal, cause, states[SOURCE.stream(signal.source)]) for signal, cause in signals]

    def _answers(self, unit: Unit, batch: Sequence[Received]) -> list[tuple[int, domain.Command, Cause]]:
        """What people and alert actions ask of alerts, in the order of the batch."""
        asked = (
            (reaction(received.envelope.event, unit.at, self._policies.is_there), Cause.of(received.envelope))
            for received in batch
        )
        return [(*answer, cause) for answer, cause in asked if answer is not None]

    async def _silencing(self, heard: Sequence[Heard]) -> Maintenance:
        """The windows, as new as now where an alert may be opened."""
        if any(event.type is EventType.ALERT for one in heard for event in one.events):
            await self._windows_are_known()
        return self._maintenance

    async def _know_policies(self, heard: Sequence[Heard], batch: Sequence[Received]) -> None:
        """A policy may be younger than our picture: read to the end before falling back to another, or refusing."""
        wanted = [policy_asked_for(received.envelope.event) for received in batch]
        settled = [self._policies.is_settled(policy, None) for policy in wanted if policy is not None]
        settled += [
            self._policies.is_settled(one.source.policy, event.routing_key)
            for one in heard
            if one.source is not None
            for event in one.events
            if event.type is EventType.ALERT
        ]
        if not all(settled):
            await self._caught_up()


def _heard(signal: SignalReceived, cause: Cause, state: sources.State) -> Heard:
    source = state.source if isinstance(state, sources.Present) else None
    if signal.source == SYNTHETIC:
        source = synthetic.source()
    return Heard(signal, cause, source, _parse(signal, source) if source else ())


def _parse(signal: SignalReceived, source: SourceChanged) -> Parsed:
    parser = PARSERS.get(signal.integration)
    if parser is None:
        return Rejected("integration", f"{signal.integration} is not known here")
    payload = decoded(signal.body)
    if isinstance(payload, Rejected):
        return payload
    return parser(payload, Asked(signal.source, per_alert=source.alert_creation == intake.Grouping.EXTRACTED))


@dataclass
class Repeats:
    """What a tool said again of one open alert within this batch."""

    signals: list[str] = field(default_factory=list)
    summary: str = ""
    received_at: datetime | None = None
    cause: Cause = field(default_factory=Cause)


@dataclass(frozen=True)
class Rules:
    """By what a batch is decided, besides the sources: policies, maintenance, and how long a minute lasts, in seconds."""

    policies: Policies
    maintenance: Maintenance
    minute_s: float


class Book:
    """One batch's open alerts by key and by group, as they stand after each signal."""

    def __init__(self, unit: Unit, rules: Rules) -> None:
        self._unit, self._policies, self._minute_s = unit, rules.policies, rules.minute_s
        self._maintenance = rules.maintenance
        self._open: dict[str, int] = {}
        self._last: dict[str, int] = {}
        self._senders: set[str] = set()
        self._alerts: list[int] = []
        self._comments: list[int] = []
        self._repeats: dict[int, Repeats] = defaultdict(Repeats)

    @classmethod
    async def opened(cls, unit: Unit, heard: Sequence[Heard], answered: Sequence[int], rules: Rules) -> "Book":
        """Lock the sources' rows, then find and lock every alert that may be told something. Set-wise."""
        book = cls(unit, rules)
        await unit.load(INTAKE, {one.signal.source for one in heard})
        keys = {key for one in heard for event in one.events if (key := _open_key(one, event))}
        groups = {group for one in heard for event in one.events if (group := _group(one, event))}
        book._open = _numbers(await unit.index(alerts.OPEN, keys))
        book._last = _numbers(await unit.index(LAST, groups))
        book._senders = set(await unit.index(SENDER, {_sender(one) for one in heard if one.signal.sender_id}))
        await unit.load(ALERT, {*book._open.values(), *book._last.values(), *answered})
        await book._draw(heard, keys)
        return book

    async def _draw(self, heard: Sequence[Heard], keys: set[str]) -> None:
        """As many ids as are likely to be needed, in one step."""
        events = [event for one in heard for event in one.events]
        opening = [
            (one, event)
            for one in heard
            if self._silenced(one) is None
            for event in one.events
            if event.type is EventType.ALERT
        ]
        keyless = sum(event.alert_key is None for _, event in opening)
        new = {key for one, event in opening if (key := _open_key(one, event)) and key not in self._open}
        self._alerts = await self._unit.draw("alert", keyless + len(new & keys))
        self._comments = await self._unit.draw("comment", sum(len(event.comments) for event in events))

    async def take(self, one: Heard) -> None:
        """One signal, in the order in which its tool spoke."""
        if self._is_repeat_of_sender(one):
            self._drop(one, DropReason.DUPLICATE_SIGNAL, f"the sender's id {one.signal.sender_id} was here before")
            return
        match one.source, one.said:
            case None, _:
                self._drop(one, DropReason.SOURCE_DELETED, "the alert source was deleted")
            case SourceChanged(active=False), _:
                self._drop(one, DropReason.SOURCE_DISABLED, "the alert source is disabled")
            case _, Rejected() as rejected:
                self._drop(one, DropReason.UNREADABLE, rejected.text)
            case _, ():
                self._drop(one, DropReason.NOTHING_IN_IT, "the payload holds no event")
            case SourceChanged() as source, _:
                for event in one.events:
                    await self._take_event(one, source, event)

    def tell_all_repeats(self) -> None:
        for alert in list(self._repeats):
            self._tell_repeats(alert)

    def _is_repeat_of_sender(self, one: Heard) -> bool:
        if one.signal.sender_id is None:
            return False
        sender = _sender(one)
        known = sender in self._senders
        self._senders.add(sender)
        self._unit.put(SENDER, {sender: one.signal.signal})
        return known

    def _silenced(self, one: Heard) -> Window | None:
        """The maintenance in which the signal came."""
        return self._maintenance.window_of(one.signal.source, one.signal.at)

    async def _take_event(self, one: Heard, source: SourceChanged, event: ToolEvent) -> None:
        window = self._silenced(one)
        if window is not None and event.type is EventType.ALERT:
            self._drop(one, DropReason.IN_MAINTENANCE, window.text, event)
            return
        alert = self._standing(one, source, event)
        if alert is None and event.type is EventType.ALERT:
            alert = await self._begin(one, source, event)
        elif alert is None:
            self._drop(one, DropReason.NO_OPEN_ALERT, intake.nothing_open(event), event)
            return
        elif event.type is EventType.ALERT:
            self._repeat(one, alert, event)
        else:
            self._answer(one, alert, event)
        await self._comment(one, alert, event)

    def _standing(self, one: Heard, source: SourceChanged, event: ToolEvent) -> int | None:
        """The open alert that this event is about: by its key, else, for an ALERT, by the source's grouping."""
        by_key = self._open.get(_open_key(one, event) or "")
        if by_key is not None and isinstance(self._unit.state(ALERT, by_key), domain.Pending):
            return by_key
        last = self._last.get(_group(one, event) or "")
        if last is not None and intake.joins(source.alert_creation, self._unit.state(ALERT, last)):
            return last
        return None

    async def _begin(self, one: Heard, source: SourceChanged, event: ToolEvent) -> int:
        alert = self._alerts.pop(0) if self._alerts else (await self._unit.draw("alert"))[0]
        policy = self._policies.choose(source.policy, event.routing_key)
        moment = intake.Moment(one.signal.signal, one.signal.at, self._unit.at, self._minute_s)
        created = intake.opened(alert, source, event, policy, moment)
        alerts.begin(self._unit, synthetic.for_nobody(created) if source.source == SYNTHETIC else created, one.cause)
        key, group = _open_key(one, event), _group(one, event)
        if key is not None:
            self._open[key] = alert
        if group is not None:
            self._last[group] = alert
            self._unit.put(LAST, {group: str(alert)})
        return alert

    def _repeat(self, one: Heard, alert: int, event: ToolEvent) -> None:
        """Counted now, told when something else is said of the alert or the batch ends."""
        folded = self._repeats[alert]
        folded.signals.append(one.signal.signal)
        folded.summary, folded.received_at, folded.cause = event.summary, one.signal.at, one.cause
        self._reroute(one, alert, event)

    def _reroute(self, one: Heard, alert: int, event: ToolEvent) -> None:
        """A repeat whose routing key leads to another policy than the tool's last hands the alert over (reference: §3.2)."""
        routed = self._policies.routed(event.routing_key)
        state = self._unit.state(ALERT, alert)
        if routed is None or not isinstance(state, domain.Pending) or state.policy == routed[0]:
            return
        self._tell_repeats(alert)
        by = Actor.by_source(one.signal.source)
        alerts.tell(self._unit, alert, domain.Assign(by, self._unit.at, policy=routed[0]), one.cause)

    def _answer(self, one: Heard, alert: int, event: ToolEvent) -> None:
        """ACCEPT and RESOLVE; a COMMENT is all in its comments."""
        self._tell_repeats(alert)
        by, at, signal = Actor.by_source(one.signal.source), self._unit.at, one.signal.signal
        if event.type is EventType.ACCEPT:
            alerts.tell(self._unit, alert, domain.Accept(by, at, signal), one.cause)
        elif event.type is EventType.RESOLVE:
            reason = event.summary or "the tool says that it is over"
            alerts.tell(self._unit, alert, domain.Resolve(by, at, reason, signal), one.cause)
        elif not event.comments:
            self._drop(one, DropReason.NOTHING_IN_IT, "the comment is empty", event)

    async def _comment(self, one: Heard, alert: int, event: ToolEvent) -> None:
        if event.comments:
            self._tell_repeats(alert)
        for remark in event.comments:
            number = self._comments.pop(0) if self._comments else (await self._unit.draw("comment"))[0]
            asked = domain.Comment(
                number,
                remark.content,
                Actor.by_source(one.signal.source),
                self._unit.at,
                creator=remark.creator,
                signal=one.signal.signal,
            )
            alerts.tell(self._unit, alert, asked, one.cause)

    def _tell_repeats(self, alert: int) -> None:
        folded = self._repeats.pop(alert, None)
        if folded is None or folded.received_at is None:
            return
        signals = tuple(folded.signals)
        asked = domain.Repeat(len(signals), signals, folded.summary, folded.received_at, self._unit.at)
        alerts.tell(self._unit, alert, asked, folded.cause)

    def _drop(self, one: Heard, reason: DropReason, text: str, event: ToolEvent | None = None) -> None:
        signal = one.signal
        asked = intake.drop(signal.source, signal.signal, reason, text, signal.at, self._unit.at, event)
        outcome = self._unit.decide(INTAKE, signal.source, asked, one.cause)
        assert not isinstance(outcome, Refusal), "an intake refuses nothing"


async def _unanswered(unit: Unit, heard: Sequence[Heard]) -> list[Heard]:
    """After a restore: those of which no event of ours tells yet (`restoring.py` remembers every signal that one names)."""
    told = await unit.index(SENDER, {_sender(one) for one in heard})
    return [one for one in heard if _sender(one) not in told]


def _sender(one: Heard) -> str:
    return sender_key(one.signal.source, one.signal.signal)


def sender_key(source: int, signal: str) -> str:
    """The signal's id is derived from the sender's own, and fits an index whatever that one is."""
    return f"{source}/{signal}"


def _open_key(one: Heard, event: ToolEvent) -> str | None:
    return intake.open_key(one.signal.source, event.alert_key)


def _group(one: Heard, event: ToolEvent) -> str | None:
    if one.source is None or event.type is not EventType.ALERT:
        return None
    return intake.group_of(one.source.alert_creation, one.signal.source, event)


def _numbers(entries: dict[str, str]) -> dict[str, int]:
    return {key: int(value) for key, value in entries.items()}
