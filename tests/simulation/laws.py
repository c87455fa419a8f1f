"""The laws of a night: each takes what a night left behind and says, in words, what is against it; nothing when all is well.

A mutant in tests/simulation/mutants names the law that sees it.
"""

from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from escalator.domain.escalation import STALE
from events.envelope import decode
from events.escalator import EscalationEnded, EscalationHalted, EscalationLevelReached, EscalationStarted, Responder
from events.ingest import AlertAccepted, AlertCreated, AlertRepeated, AlertResolved, SignalDropped
from events.notifier import (
    MessageComposed,
    NotificationDispatched,
    NotificationFailed,
    NotificationHeld,
    NotificationQueued,
    NotificationSent,
    NotificationSuppressed,
)
from ingest.worker import SENDER
from notifier.notices import PLANS
from notifier.planning import DOSSIERS
from runtime.access import Access
from runtime.bookmarks import READERS
from runtime.ledger_memory import Base
from runtime.restore import RESTORED, Restore
from runtime.shell import Shell
from runtime.vault import Keyring
from runtime.views import Tail, View
from tests.simulation.nights import Night
from tests.simulation.town import Disk, _own_topics
from tests.simulation.weather import Doom, Watch

Complaints = Sequence[str]

SECOND = timedelta(seconds=1)
GATES_BLINK = timedelta(seconds=2)
"""From the gate's question to the commit that follows it: what is acknowledged in between, nobody can have known."""
LATE = timedelta(seconds=5)
"""What a step may be late by without a trouble: a gate, and a broker that takes its time."""
MAILED = timedelta(seconds=3)
"""From the last look at a message until the post office has it."""


def every_signal_is_in_one_alert_or_has_a_reason(night: Night) -> Complaints:
    """A tool that was told 2xx finds its signal in one alert's event, or dropped with a reason; repeats by name are dropped."""
    found: Counter[str] = Counter()
    dropped: set[str] = set()
    for one in night.hamlet.story:
        match one.envelope.event:
            case AlertRepeated(signals=signals):
                found.update(signals)
            case (
                AlertCreated(signal=str(signal)) | AlertAccepted(signal=str(signal)) | AlertResolved(signal=str(signal))
            ):
                found[signal] += 1
            case SignalDropped(signal=signal):
                dropped.add(signal)
            case _:
                pass
    posted = night.hamlet.posted
    lost = [
        f"{signal} of {key} was lost" for signal, key in posted.items() if not found[signal] and signal not in dropped
    ]
    return lost + [f"{signal} of {posted.get(signal)} counts {n} times" for signal, n in found.items() if n > 1]


def every_open_alert_has_a_deadline_or_an_end(night: Night) -> Complaints:
    """Every alert began to climb, and every climb is over or knows when it goes on."""
    over = {(event.alert, event.run) for _, event in night.of(EscalationEnded)}
    over |= {(event.alert, event.run) for _, event in night.of(EscalationHalted)}
    started = {(event.alert, event.run) for _, event in night.of(EscalationStarted)}
    heads = night.hamlet.disks["escalator"].base.heads
    stuck = [
        f"alert {alert} climbs, and nothing says when it goes on"
        for alert, run in sorted(started - over)
        if heads[f"escalation-{alert}"].due_at is None
    ]
    climbed = {alert for alert, _ in started | over}
    never = [f"alert {event.alert} never climbed" for _, event in night.of(AlertCreated) if event.alert not in climbed]
    return stuck + never


def everything_comes_to_its_end(night: Night) -> Complaints:
    """Hours after the last trouble nothing is left to be climbed, told, published or read."""
    return [] if night.ended else [f"there was still something to do: {', '.join(night.still_open())}"]


def notifications_planned_are_sent_suppressed_or_failed(night: Night) -> Complaints:
    ends: Counter[int] = Counter()
    ends.update(event.notification for _, event in night.of(NotificationSent))
    ends.update(event.notification for _, event in night.of(NotificationFailed))
    ends.update(event.notification for _, event in night.of(NotificationSuppressed))
    planned = {event.notification for _, event in night.of(NotificationQueued)}
    twice = [f"notification {number} ends {times} times" for number, times in ends.items() if times > 1]
    return twice + [f"notification {number} has no end" for number in sorted(planned - ends.keys())]


def every_page_names_its_rule(night: Night) -> Complaints:
    """Who is told was named by a rule of the policy that is climbed, directly or by a schedule; and the page says so."""
    climbs = {(event.alert, event.run): event for _, event in night.of(EscalationStarted)}
    wrong = [
        f"level {event.level} of alert {event.alert} names user {one.user} by {one.reason}"
        for _, event in night.of(EscalationLevelReached)
        for one in event.responders
        if not _is_justified(one, climbs.get((event.alert, event.run)), event.level)
    ]
    pages = [event for _, event in night.of(NotificationQueued)]
    return wrong + [f"notification {page.notification} says no reason" for page in pages if not page.reason]


def _is_justified(responder: Responder, climb: EscalationStarted | None, level: int) -> bool:
    if climb is None:
        return False
    rule, reason = climb.levels[level], responder.reason
    named = any(
        target.user == responder.user or (target.schedule is not None and target.schedule == reason.schedule)
        for target in rule.targets
    )
    place = level % (len(climb.levels) // climb.rounds)
    return named and (reason.policy, reason.policy_version, reason.rule) == (climb.policy, climb.policy_version, place)


def everybody_reached_is_told_and_nobody_else(night: Night) -> Complaints:
    queued = Counter((event.alert, event.user, event.run, event.level) for _, event in night.of(NotificationQueued))
    reached = {
        (event.alert, responder.user, event.run, event.level)
        for _, event in night.of(EscalationLevelReached)
        for responder in event.responders
    }
    forgotten = [
        f"(alert, user, run, level) {one} was reached, and not told" for one in sorted(reached - queued.keys())
    ]
    return forgotten + [f"{one} was told, and not reached" for one in sorted(queued.keys() - reached)]


def no_level_after_an_acceptance_was_acknowledged(night: Night) -> Complaints:
    """By time. A new alert's first level is reached at once, by whoever reads of it within `STALE`; whoever does later asks first."""
    created = {event.alert: night.hamlet.decided_at(number) for number, event in night.of(AlertCreated)}
    at_once = {
        (event.alert, event.run, event.at)
        for number, event in night.of(EscalationStarted)
        if event.run > 1 or night.hamlet.decided_at(number) < created[event.alert] + STALE + GATES_BLINK
    }
    late = []
    for number, event in night.of(EscalationLevelReached):
        if (event.alert, event.run, event.at) in at_once:
            continue
        known = night.hamlet.accepted.get(event.alert)
        decided = night.hamlet.decided_at(number)
        if known is not None and not event.gate_timed_out and decided > known + GATES_BLINK:
            late.append(f"level {event.level} of alert {event.alert} at {decided}, accepted at {known}")
    return late


def no_message_after_an_acceptance_was_acknowledged(night: Night) -> Complaints:
    """Neither composed nor handed to the post office, unless it carries another alert too, or says that the gate timed out."""
    accepted = night.hamlet.accepted
    blind = {event.message for _, event in night.of(NotificationSent) if event.gate_timed_out}
    carried: dict[int, tuple[int, ...]] = {}
    late = []
    for number, event in night.of(MessageComposed):
        alerts = carried[event.message] = tuple(one.alert for one in event.carries)
        decided = night.hamlet.decided_at(number)
        if event.message not in blind and all(
            alert in accepted and decided > accepted[alert] + GATES_BLINK for alert in alerts
        ):
            late.append(f"message {event.message} of alerts {alerts} composed at {decided}")
    for message, at in _mailed(night):
        known = [accepted.get(alert) for alert in carried[message]]
        if message not in blind and all(since is not None and at > since + GATES_BLINK + MAILED for since in known):
            late.append(f"message {message} of alerts {carried[message]} was mailed at {at}")
    return late


def _mailed(night: Night) -> list[tuple[int, datetime]]:
    """(message, when it was taken), by the ids that the notifications say they were sent under."""
    message_of = {event.message_id: event.message for _, event in night.of(NotificationSent)}
    return [
        (message_of[mail.message_id], at) for at, mail in night.hamlet.mailbox.taken if mail.message_id in message_of
    ]


def every_level_comes_at_its_time(night: Night) -> Complaints:
    """Never early; late only while something was broken."""
    created = {event.alert: night.hamlet.decided_at(number) for number, event in night.of(AlertCreated)}
    due: dict[int, datetime | None] = {}
    wrong = []
    for one in night.hamlet.story:
        match one.envelope.event:
            case EscalationStarted(alert=alert, begins_at=begins_at):
                due[alert] = begins_at
                wrong += _late(
                    night, f"climb of alert {alert}", created[alert], night.hamlet.decided_at(one.envelope.id)
                )
            case EscalationLevelReached(alert=alert, level=level, at=at, next_at=next_at):
                expected = due[alert]
                if expected is None or at < expected - SECOND:
                    wrong.append(f"level {level} of alert {alert} came at {at}, before {expected}")
                else:
                    wrong += _late(night, f"level {level} of alert {alert}", expected, at)
                due[alert] = next_at
            case _:
                pass
    return wrong


def _late(night: Night, what: str, due: datetime, at: datetime) -> list[str]:
    is_late = at > due + LATE and not night.was_troubled(due, at)
    return [f"{what} came at {at}, due at {due}"] if is_late else []


def every_message_goes_at_its_time(night: Night) -> Complaints:
    """Who is reached gets a page at once, which joins a message when it is due, which is mailed at once; late only while
    something was broken."""
    wrong: list[str] = []
    reached = {
        (event.alert, event.run, event.level): night.hamlet.decided_at(n)
        for n, event in night.of(EscalationLevelReached)
    }
    for number, page in night.of(NotificationQueued):
        since = reached.get((page.alert, page.run, page.level))
        if since is not None:
            wrong += _late(night, f"notification {page.notification}", since, night.hamlet.decided_at(number))
    planned = {event.notification: event.send_at for _, event in night.of(NotificationQueued)}
    joined: set[int] = set()
    for one in night.hamlet.story:
        event = one.envelope.event
        if isinstance(event, NotificationDispatched | NotificationHeld) and event.notification not in joined:
            joined.add(event.notification)
            at = night.hamlet.decided_at(one.envelope.id)
            wrong += _late(night, f"notification {event.notification}", planned[event.notification], at)
    composed = {event.message: night.hamlet.decided_at(number) for number, event in night.of(MessageComposed)}
    for message, at in _mailed(night):
        wrong += _late(night, f"mail {message}", composed[message], at)
    return wrong


def every_mail_goes_once_or_says_that_it_is_a_repeat(night: Night) -> Complaints:
    """What is recorded as sent was taken. It is taken twice only where a sender died, lost its base or its time, and is marked then."""
    taken: dict[str, list[bool]] = defaultdict(list)
    for _, mail in night.hamlet.mailbox.taken:
        taken[mail.message_id].append(mail.is_repeat)
    may_repeat = any(one.kind in LOSES_WHAT_IT_HELD for one in night.plan.troubles)
    wrong = [
        f"{name} was taken {len(marks)} times, marked {marks}"
        for name, marks in taken.items()
        if len(marks) > 1 and not (may_repeat and all(marks[1:]))
    ]
    sent = {event.message_id for _, event in night.of(NotificationSent)}
    return wrong + [f"{name} is said to be sent, and nobody took it" for name in sorted(sent - taken.keys())]


LOSES_WHAT_IT_HELD = {"dies", "killed", "away", "base away", "clock leaps"}


def every_state_is_what_its_events_say(night: Night) -> Complaints:
    """Folded again from the first event, each stream has the state, version and deadline that its base holds."""
    wrong = []
    for service, shell in night.hamlet.services():
        base = night.hamlet.disks[service].base
        for stream, head in base.heads.items():
            kind, _ = shell.kind_of(stream)
            if kind is None or head.state is None:
                continue
            events = [decode(line.body).event for line in base.events[stream] if line.body is not None]
            folded = kind.decider.fold(events)
            if kind.codec.load(head.state) != folded or head.version != len(events):
                wrong.append(f"{service}: {stream}@{head.version} is {head.state!r}, its events say {folded}")
            if head.due_at != kind.decider.due_at(folded):
                wrong.append(
                    f"{service}: {stream} is due at {head.due_at}, its events say {kind.decider.due_at(folded)}"
                )
    return wrong


def everything_decided_is_published_whole_and_in_order(night: Night) -> Complaints:
    published: dict[str, list[int]] = defaultdict(list)
    for one in night.hamlet.story:
        if one.envelope.version:
            published[one.envelope.stream].append(one.envelope.version)
    wrong = []
    for service, disk in night.hamlet.disks.items():
        for stream, lines in disk.base.events.items():
            versions = [line.version for line in lines if line.body is not None]
            if published.get(stream, []) != versions:
                wrong.append(f"{service}: {stream} decided {versions}, published {published.get(stream, [])}")
    return wrong


def every_reader_has_heard_everything_once(night: Night) -> Complaints:
    """Positions are where topics end, and the last version of each stream that was heard is the last that was published."""
    hamlet = night.hamlet
    heads = {stream: head.version for disk in hamlet.disks.values() for stream, head in disk.base.heads.items()}
    wrong = [
        f"{reader} is at {at} of {place}, which ends at {end}"
        for reader, place, at, end in hamlet.standings()
        if at != end
    ]
    for disk in hamlet.disks.values():
        wrong += [
            f"{reader} knows {stream}@{version} of {heads.get(stream)}"
            for (reader, stream), version in disk.base.seen.items()
            if version != heads.get(stream)
        ]
        wrong += [
            f"{reader} set {stream} aside: {error}" for (reader, *_), (stream, _, error) in disk.base.parked.items()
        ]
    return wrong


async def what_is_rebuilt_equals_what_lived(night: Night) -> Complaints:
    """From the topics alone: a ledger has the same streams, states, deadlines and indexes, a picture in memory the same content."""
    wrong: list[str] = []
    for service, shell in night.hamlet.services():
        wrong += await _rebuilt_ledger(night, service, shell)
    for name, process in night.hamlet.processes.items():
        for part in process.parts:
            if isinstance(part, Tail):
                wrong += await _rebuilt_view(name, process.shell, part.view)
    return wrong


async def _rebuilt_ledger(night: Night, service: str, lived: Shell) -> list[str]:
    hamlet, app = night.hamlet, night.hamlet.workers[service]
    before = hamlet.disks[service]
    hamlet.disks[service] = Disk(Base())
    try:
        shell = hamlet.shell_of(app, service, Watch(hamlet.clock), Doom(), "rebuilt")
    finally:
        again, hamlet.disks[service] = hamlet.disks[service], before
    restore = Restore(shell, sorted(topic if isinstance(topic, str) else topic.name for topic in _own_topics(app)))
    await restore.start()
    await shell.opened.wait()
    await restore.stop()
    live, fresh = _content(before.base, lived), _content(again.base, lived)
    return [
        f"{service}: {what} lived as {live.get(what)}, rebuilt it is {fresh.get(what)}"
        for what in sorted(live.keys() | fresh.keys(), key=str)
        if live.get(what) != fresh.get(what)
    ]


def _content(base: Base, shell: Shell) -> dict[Any, Any]:
    """Streams with version, state and deadline; index entries that follow from a service's own events."""
    content: dict[Any, Any] = {entry: value for entry, value in base.entries.items() if entry[0] not in NOT_REBUILT}
    for stream, head in base.heads.items():
        kind, _ = shell.kind_of(stream)
        if kind is not None and head.version:
            content[stream] = (head.version, head.state and kind.codec.load(head.state), head.due_at)
    return content


NOT_REBUILT = {RESTORED, READERS, SENDER, DOSSIERS, PLANS}
"""The marks of a restore; the names that senders gave their events; and what the notifier heard of others' alerts and duties."""


async def _rebuilt_view(name: str, shell: Shell | None, lived: View) -> list[str]:
    assert shell is not None
    made = (
        Access(Keyring.parse(shell.settings.people_keys.get_secret_value(), "PEOPLE_KEYS"))
        if isinstance(lived, Access)
        else type(lived)()
    )
    tail = Tail(shell, made)
    await tail.start()
    await tail.caught_up()
    await tail.stop()
    live, fresh = ({key: value for key, value in vars(view).items() if key != "_keyring"} for view in (lived, made))
    return [] if live == fresh else [f"{name}: {type(lived).__name__} lived as {live}, rebuilt it is {fresh}"]


Law = Callable[[Night], Complaints]

LAWS: tuple[Law, ...] = (
    every_signal_is_in_one_alert_or_has_a_reason,
    every_open_alert_has_a_deadline_or_an_end,
    everything_comes_to_its_end,
    notifications_planned_are_sent_suppressed_or_failed,
    every_page_names_its_rule,
    everybody_reached_is_told_and_nobody_else,
    no_level_after_an_acceptance_was_acknowledged,
    no_message_after_an_acceptance_was_acknowledged,
    every_level_comes_at_its_time,
    every_message_goes_at_its_time,
    every_mail_goes_once_or_says_that_it_is_a_repeat,
    every_state_is_what_its_events_say,
    everything_decided_is_published_whole_and_in_order,
    every_reader_has_heard_everything_once,
)
DEAR: tuple[Callable[[Night], Awaitable[Complaints]], ...] = (what_is_rebuilt_equals_what_lived,)
"""Laws for every tenth night: they live through a restore."""


async def judged(night: Night) -> list[tuple[str, Complaints]]:
    """(law, what is against it) for every law that was broken."""
    found = [(law.__name__, law(night)) for law in LAWS]
    if night.plan.seed % 10 == 0:
        found += [(dear.__name__, await dear(night)) for dear in DEAR]
    return [(law, complaints) for law, complaints in found if complaints]
