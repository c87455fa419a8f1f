"""One notice: from what is to be told to its one end."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given as for_any
from hypothesis import strategies as st

from events.core import Event
from events.notifier import NoticeCancelled, NoticeFailed, NoticeGathered, NoticeKind, NoticeQueued, NoticeSent
from notifier.domain.notice import (
    Blank,
    Cancel,
    Cancelled,
    Command,
    Fail,
    Failed,
    Gather,
    Gathered,
    Queue,
    Sent,
    State,
    Succeed,
    Waiting,
    notice,
)

T0 = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
LATER = T0 + timedelta(minutes=3)
ADA = 7

queue = Queue(
    user=ADA,
    kind=NoticeKind.ALERT_UPDATE,
    occasion="ALERT_ACCEPTED",
    occurrence="update/42/alert-42@2/7/1",
    contact=1,
    mask="a***@example.org",
    send_at=LATER,
    title="Disk full",
    at=T0,
    notice=100,
    alert=42,
)
gather = Gather(message=5, until=LATER, at=LATER)
hold = Gather(message=None, until=LATER, at=LATER)
succeed = Succeed(message=5, message_id="<m@host>", reply="250 OK", attempt=1, at=LATER)
fail = Fail("550 no such user", LATER)
cancel = Cancel("gone", LATER)
ENDS = (NoticeSent, NoticeFailed, NoticeCancelled)


def run(commands: list[Command]) -> tuple[State, list[Event]]:
    state, history = notice.initial, list[Event]()
    for command in commands:
        decided = notice.decide(state, command)
        assert isinstance(decided, list)
        state, history = notice.fold(decided, state), [*history, *decided]
    return state, history


def after(*commands: Command) -> State:
    return run(list(commands))[0]


def test_what_is_queued_waits_for_its_time_and_keeps_all_that_is_told() -> None:
    state, (queued,) = run([queue])
    assert isinstance(queued, NoticeQueued)
    assert (queued.notice, queued.notification, queued.stream, queued.key) == (100, 100, "notice-100", "alert-42")
    assert state == Waiting(queued)
    assert notice.due_at(state) == LATER


def test_a_notice_of_no_alert_has_its_own_key() -> None:
    _, (queued,) = run([Queue(**{**vars(queue), "alert": None})])
    assert queued.key == "notice-100"


def test_what_is_gathered_is_due_no_more() -> None:
    state = after(queue, gather)
    assert isinstance(state, Gathered)
    assert notice.due_at(state) is None


def test_what_is_held_says_until_when_and_what_goes_says_in_which_mail() -> None:
    (held,), (going,) = notice.decide(after(queue), hold), notice.decide(after(queue), gather)  # type: ignore[misc]
    assert isinstance(held, NoticeGathered)
    assert (held.message, held.until) == (None, LATER)
    assert isinstance(going, NoticeGathered)
    assert (going.message, going.until) == (5, None)


@pytest.mark.parametrize(("end", "situation"), [(succeed, Sent), (fail, Failed), (cancel, Cancelled)])
def test_a_gathered_notice_ends(end: Command, situation: type[State]) -> None:
    assert isinstance(after(queue, gather, end), situation)


def test_a_waiting_notice_can_only_be_cancelled() -> None:
    assert notice.decide(after(queue), succeed) == notice.decide(after(queue), fail) == []
    assert isinstance(after(queue, cancel), Cancelled)


def test_nothing_becomes_of_what_was_never_queued() -> None:
    assert after(gather, succeed, fail, cancel) == Blank()


commands: st.SearchStrategy[list[Command]] = st.lists(
    st.sampled_from([queue, gather, hold, succeed, fail, cancel]), max_size=12
)


@for_any(commands)
def test_each_notice_ends_at_most_once(asked: list[Command]) -> None:
    _, history = run(asked)
    assert sum(isinstance(event, ENDS) for event in history) <= 1
    assert not history or isinstance(history[0], NoticeQueued)


@for_any(commands, st.sampled_from([queue, gather, hold, succeed, fail, cancel]))
def test_the_same_command_twice_decides_nothing_more(asked: list[Command], again: Command) -> None:
    assert notice.decide(after(*asked, again), again) == []


@for_any(commands)
def test_the_history_gives_the_state_back(asked: list[Command]) -> None:
    state, history = run(asked)
    assert notice.fold(history) == state


@for_any(commands)
def test_a_tick_at_its_time_makes_progress(asked: list[Command]) -> None:
    state = after(*asked)
    if notice.due_at(state) is not None:
        assert notice.decide(state, gather)
