"""The laws across services: what balances stays silent, in whatever order it is heard; what is lost is named."""

import json
import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.connectors import ActionDispatched, ActionFailed, ActionQueued, ActionSkipped
from events.core import Event
from events.envelope import Envelope
from events.escalator import EscalationEnded, EscalationLevelReached, EscalationStarted, Reason, Responder
from events.ingest import AlertAssigned, AlertCreated, AlertRepeated, DropReason, SignalDropped, SignalReceived
from events.machinery import StreamParked
from events.notifier import (
    Method,
    NotificationQueued,
    NotificationSent,
    NotificationSuppressed,
    NotificationUnreachable,
)
from events.shared import Actor
from ingest.audit_laws import (
    CONNECTORS,
    DEADLINES,
    ESCALATIONS,
    ESCALATOR,
    INGEST,
    NOTIFICATIONS,
    NOTIFIER,
    PAGES,
    RUNS,
    SIGNALS,
    WISHES,
    Books,
    Heard,
    Line,
    entries,
    moved,
)
from ingest.audit_lines import Look, Track, has_passed, reached_of, tracked
from runtime.ports import Place
from runtime.standing import Standing

T0 = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
GRACE = timedelta(seconds=60)
TOOL = Actor.by_source(1)
READERS = (INGEST, ESCALATOR, NOTIFIER, CONNECTORS)


def later(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def signal(number: int) -> SignalReceived:
    return SignalReceived(signal=f"s{number}", source=1, integration="api", body=json.dumps({}), at=T0)


def created(alert: int, by_signal: str | None = None) -> AlertCreated:
    return AlertCreated(alert=alert, source=1, summary="disk full", signal=by_signal, by=TOOL, at=T0)


def repeated(alert: int, *signals: str) -> AlertRepeated:
    return AlertRepeated(alert=alert, count=len(signals), signals=signals, received_at=T0, at=T0)


def dropped(of: str) -> SignalDropped:
    return SignalDropped(source=1, signal=of, reason=DropReason.UNREADABLE, received_at=T0, at=T0)


def started(alert: int) -> EscalationStarted:
    return EscalationStarted(alert=alert, alert_version=1, levels=(), begins_at=T0, at=T0)


def reached(alert: int, user: int, next_at: datetime | None = None) -> EscalationLevelReached:
    told = (Responder(user=user, reason=Reason(text="named directly")),)
    return EscalationLevelReached(alert=alert, alert_version=1, level=0, responders=told, next_at=next_at, at=T0)


def ended(alert: int) -> EscalationEnded:
    return EscalationEnded(alert=alert, alert_version=1, reason="nobody answered", at=T0)


def queued(alert: int, user: int, number: int) -> NotificationQueued:
    return NotificationQueued(
        alert=alert,
        user=user,
        notification=number,
        alert_version=1,
        level=0,
        contact=1,
        method=Method.EMAIL,
        send_at=T0,
        reason="named directly",
        at=T0,
    )


def sent(alert: int, user: int, number: int) -> NotificationSent:
    return NotificationSent(alert=alert, user=user, notification=number, message=1, at=T0)


def night(alerts: int) -> list[Event]:
    """A whole story that balances: alerts from signals, repeats, drops, one person told of each."""
    story: list[Event] = []
    for one in range(1, alerts + 1):
        story += [signal(one * 10), signal(one * 10 + 1), signal(one * 10 + 2)]
        story += [created(one, f"s{one * 10}"), repeated(one, f"s{one * 10 + 1}"), dropped(f"s{one * 10 + 2}")]
        story += [started(one), reached(one, 7, later(300)), ended(one), queued(one, 7, one), sent(one, 7, one)]
    return story


def books_of(*events: Event, at: datetime = T0) -> Books:
    books = Books()
    for event in events:
        books.take(entries(Envelope(event, event.stream, 1, "test")), at)
    return books


def lines(handled: datetime, steady: datetime = T0) -> dict[str, Line]:
    return {reader: Line(handled, steady) for reader in READERS}


def missing(books: Books, handled: datetime, steady: datetime = T0) -> dict[str, tuple[str, ...]]:
    found = books.missing(lines(handled, steady), GRACE)
    return {account: numbers for account, numbers in found.items() if numbers}


@given(st.integers(1, 5), st.randoms(use_true_random=False))
def test_what_balances_is_silent_in_whatever_order_topics_are_read(alerts: int, chance: random.Random) -> None:
    """Each stream keeps its order; between streams anything goes."""
    queues: dict[str, list[Event]] = {}
    for event in night(alerts):
        queues.setdefault(event.stream, []).append(event)
    shuffled: list[Event] = []
    while queues:
        stream = chance.choice(sorted(queues))
        shuffled.append(queues[stream].pop(0))
        if not queues[stream]:
            del queues[stream]
    assert missing(books_of(*shuffled), later(86_400 * 3)) == {}


LOSABLE = {
    AlertRepeated: (SIGNALS, "s11"),
    SignalDropped: (SIGNALS, "s12"),
    NotificationSent: (NOTIFICATIONS, "notification-1"),
    EscalationEnded: (DEADLINES, "alert-1"),
    NotificationQueued: (PAGES, "alert-1@1 user 7 run 1 level 0"),
}


@pytest.mark.parametrize("lost", LOSABLE, ids=lambda kind: kind.__name__)
def test_what_is_lost_is_named_in_its_account(lost: type[Event]) -> None:
    account, number = LOSABLE[lost]
    kept = [event for event in night(2) if not (isinstance(event, lost) and _is_first(event))]
    assert number in missing(books_of(*kept), later(3_600))[account]


def _is_first(event: Event) -> bool:
    return getattr(event, "alert", None) == 1 or getattr(event, "signal", None) == "s12"


def test_an_alert_that_the_escalator_never_heard_of_is_named() -> None:
    assert missing(books_of(created(4)), later(61)) == {ESCALATIONS: ("alert-4",)}


def test_a_reader_that_stands_still_closes_nothing() -> None:
    books = books_of(signal(1))
    assert missing(books, later(59)) == {}
    assert missing(books, later(60)) == {SIGNALS: ("s1",)}
    assert books.missing({}, GRACE)[SIGNALS] == ()


def test_a_deadline_is_missed_only_when_nothing_held_the_reader_up_since() -> None:
    books = books_of(created(1), started(1), reached(1, 7, later(300)), queued(1, 7, 1), sent(1, 7, 1))
    assert missing(books, later(419)) == {}
    assert missing(books, later(420)) == {DEADLINES: ("alert-1",)}
    assert missing(books, later(3_600), steady=later(3_500)) == {}


def test_who_cannot_be_told_or_needs_not_be_is_accounted_for() -> None:
    lack = NotificationUnreachable(alert=1, user=8, alert_version=1, level=0, reason="no contact", at=T0)
    answered = NotificationSuppressed(alert=1, user=7, notification=1, reason="accepted", at=T0)
    asked = [created(1), started(1), reached(1, 7), reached(1, 8)]
    assert missing(books_of(*asked, queued(1, 7, 1), answered, lack), later(3_600)) == {}


def test_runs_end_or_are_skipped_and_wishes_are_answered() -> None:
    wish = ActionDispatched(alert=1, run=5, action=2, type="reroute", policy=3, at=T0)
    run = ActionQueued(alert=1, run=5, action=2, type="reroute", trigger="alert-created", trigger_id="alert-1@1", at=T0)
    books = books_of(run, wish)
    assert missing(books, later(100_000)) == {RUNS: ("run-5",), WISHES: ("actions-1@1",)}
    moved_on = AlertAssigned(alert=1, policy=3, by=TOOL, at=T0)
    books.take(entries(Envelope(moved_on, moved_on.stream, 2, "ingest", causation="actions-1@1")), T0)
    over = ActionFailed(alert=1, run=5, action=2, error="no", at=T0)
    books.take(entries(Envelope(over, over.stream, 3, "connectors")), T0)
    assert missing(books, later(100_000)) == {}
    skipped = ActionSkipped(
        alert=1, action=9, trigger="alert-created", trigger_id="alert-1@1", reason="resolved", at=T0
    )
    assert missing(books_of(skipped), later(100_000)) == {}


def test_what_was_set_aside_has_an_alert_of_its_own_already() -> None:
    parked = StreamParked(reader="ingest.worker", parked="signal-s1", error="broken", at=T0)
    assert missing(books_of(signal(1), parked), later(3_600)) == {}


# -- lines

A: Place = ("alerts.v1", 0)
TRACK = Track(frozenset({"alerts.v1"}))


def look(seconds: float, end: int) -> Look:
    return Look(later(seconds), {A: end, ("signals.v1", 0): 99})


def test_what_was_heard_is_news_once_and_the_least_spoken_of_is_forgotten_first() -> None:
    heard = Heard(most=2)
    assert [heard.is_news("a", version) for version in (1, 2, 2, 1, 3)] == [True, True, False, False, True]
    assert heard.is_news("b", 1)
    assert not heard.is_news("a", 3)
    assert heard.is_news("c", 1)  # b was spoken of longest ago
    assert [heard.is_news(stream, 1) for stream in ("a", "c")] == [False, False]
    assert heard.is_news("b", 1)
    assert heard.is_news("a signal", 0)
    assert heard.is_news("a signal", 0)


def test_a_line_moves_only_when_what_a_reader_did_is_in_our_books() -> None:
    passed = tracked(TRACK, look(0, 5), Standing({A: 5}, 1), None)
    assert passed.handled is None
    unread = tracked(passed, look(5, 6), Standing({A: 6}, 1), later(-1))
    assert unread.handled is None
    assert tracked(unread, look(10, 6), Standing({A: 6}, 1), later(5)).handled == T0


def test_a_reader_without_members_or_far_behind_is_in_trouble() -> None:
    assert tracked(TRACK, look(0, 5), Standing({A: 5}, 0), None).troubled
    behind = tracked(TRACK, look(0, 5), Standing({A: 4}, 1), None)
    assert not behind.troubled
    assert behind.behind == 1
    assert tracked(behind, look(31, 5), Standing({A: 4}, 1), None).troubled


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=30))
def test_no_line_is_ahead_of_what_was_handled_and_read(steps: list[tuple[int, int]]) -> None:
    """The topic grows, the reader follows as it likes; the auditor itself has always read all."""
    end = position = 0
    track, ends = TRACK, dict[datetime, int]()
    for number, (grown, read) in enumerate(steps):
        end += grown
        position = min(end, position + read)
        at = later(number)
        ends[at] = end
        before = track.handled
        track = tracked(track, Look(at, {A: end}), Standing({A: position}, 1), at)
        if track.handled is not None:
            assert ends[track.handled] <= position
            assert before is None or before <= track.handled


def test_passed_looks_are_those_from_the_first_on() -> None:
    looks = (look(0, 1), look(1, 2), look(2, 3))
    assert reached_of(looks, {A: 2, ("signals.v1", 0): 99}) == looks[:2]
    assert has_passed({}, {A: 0})
    assert not has_passed({}, {A: 1})


def test_trouble_makes_a_line_unsteady_but_never_moves_it_back() -> None:
    line = moved(moved(None, later(10), later(20), troubled=False), later(5), later(30), troubled=True)
    assert line == Line(later(10), later(30))
    assert moved(None, None, T0, troubled=False) is None
