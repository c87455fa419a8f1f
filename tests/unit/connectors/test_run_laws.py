"""All actions of one alert: each (action, trigger, event) runs exactly once or has a reason, in order, whatever happens."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given as for_any
from hypothesis import settings
from hypothesis import strategies as st

from connectors.domain.runs import (
    MOST_WAITING,
    NO_ANSWER,
    TOO_MANY,
    Answer,
    Blank,
    Busy,
    CallOff,
    Command,
    Defer,
    Fail,
    Idle,
    Made,
    Plan,
    Planned,
    Queue,
    Reply,
    Skip,
    State,
    Succeed,
    Tick,
    due_at,
    head_of,
    key,
    log_of,
    runs,
)
from connectors.streams import RUNS
from events.connectors import (
    ActionAnswer,
    ActionConfigured,
    ActionDispatched,
    ActionFailed,
    ActionPlanned,
    ActionQueued,
    ActionSkipped,
    ActionSucceeded,
    AlertPicture,
)
from events.core import Event

T0 = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
PICTURE = AlertPicture(summary="Disk full", source=5, source_name="Disks")
PARAMS = {"escalationPolicyId": "9", "serviceIds": [7, "8"], "serviceStatus": "DEGRADED", "templateId": 3}


def action(number: int = 1, kind: str = "webhook") -> ActionConfigured:
    return ActionConfigured(action=number, name=f"A{number}", type=kind, sources=(5,), params=PARAMS, at=T0)


def queue(run: int, number: int = 1, kind: str = "webhook", trigger: str = "alert-created", event: str = "") -> Queue:
    return Queue(42, run, action(number, kind), trigger, event or f"alert-42@{run}", PICTURE, T0)


def plan(number: int = 1, at: datetime = T0 + MINUTE, event: str = "alert-42@1") -> Plan:
    return Plan(42, Planned(number, f"A{number}", "v-alert-not-resolved", event, at), T0)


def told(*commands: Command) -> tuple[State, list[Any]]:
    """The state after these commands, and what was said."""
    state: State = Blank()
    story: list[Event] = []
    for command in commands:
        decided = runs.decide(state, command)
        assert isinstance(decided, list)
        state = runs.fold(decided, state)
        story += decided
    return state, story


def types(story: list[Event]) -> list[str]:
    return [event.wire_type().partition(".")[2] for event in story]


def test_only_the_head_is_with_the_other_side() -> None:
    state, _ = told(queue(1), queue(2, 2), queue(3, 3))
    assert isinstance(state, Busy)
    assert (state.head.run.id, [run.id for run in state.waiting]) == (1, [2, 3])
    state, _ = told(queue(1), queue(2, 2), Succeed(2, 1, "", T0), Fail(2, 1, "", T0), Succeed(1, 1, "done", T0))
    assert isinstance(state, Busy)
    assert state.head.run.id == 2


def test_the_same_trigger_runs_an_action_once() -> None:
    _, story = told(queue(1), queue(2, event="alert-42@1"), Succeed(1, 1, "", T0), queue(3, event="alert-42@1"))
    assert types(story) == ["queued", "succeeded"]


def test_another_service_is_asked_when_it_is_its_turn() -> None:
    _, story = told(queue(1), queue(2, 2, "reroute"), Succeed(1, 1, "", T0 + MINUTE))
    assert types(story) == ["queued", "queued", "succeeded", "dispatched"]
    asked = story[-1]
    assert (asked.run, asked.policy, asked.facts["alertSummary"], asked.facts["alertSourceName"]) == (
        2,
        9,
        "Disk full",
        "Disks",
    )


def test_the_status_page_is_asked_with_everything_it_needs() -> None:
    _, story = told(queue(1, 1, "automation_rule"))
    (_, asked) = story
    assert isinstance(asked, ActionDispatched)
    assert (asked.services, asked.service_status, asked.template, asked.resolve) == ((7, 8), "DEGRADED", 3, False)


@pytest.mark.parametrize("reply", [Reply(T0, run=1), Reply(T0, version=2)])
def test_a_reply_ends_what_was_asked(reply: Reply) -> None:
    state, story = told(queue(1, 1, "reroute"), queue(2), reply)
    assert types(story) == ["queued", "dispatched", "queued", "succeeded"]
    assert head_of(state) is not None


@pytest.mark.parametrize(
    "reply", [Reply(T0, run=2), Reply(T0, version=1), Reply(T0, version=3), Reply(T0, run=1, version=3)]
)
def test_a_reply_to_something_else_ends_nothing(reply: Reply) -> None:
    _, story = told(queue(1, 1, "reroute"), reply)
    assert types(story) == ["queued", "dispatched"]


def test_a_reply_to_what_was_sent_outside_means_nothing() -> None:
    _, story = told(queue(1), Reply(T0, run=1))
    assert types(story) == ["queued"]


def test_silence_ends_after_five_minutes_and_a_late_reply_changes_nothing() -> None:
    state, _ = told(queue(1, 1, "reroute"))
    assert due_at(state) == T0 + 5 * MINUTE
    _, story = told(queue(1, 1, "reroute"), Tick(T0 + 4 * MINUTE), Tick(T0 + 5 * MINUTE), Reply(T0, run=1))
    assert types(story) == ["queued", "dispatched", "failed"]
    assert story[-1].error == NO_ANSWER


def test_what_cannot_wait_any_more_is_skipped_with_a_reason() -> None:
    _, story = told(*(queue(run) for run in range(1, MOST_WAITING + 3)))
    assert types(story)[-2:] == ["queued", "skipped"]
    assert story[-1].reason == TOO_MANY


def test_nothing_is_closed_that_was_never_opened() -> None:
    closing = queue(1, 1, "automation_rule", "alert-resolved")
    assert told(closing)[1] == []
    _, story = told(queue(1, 1, "automation_rule"), Reply(T0, run=1), replace(closing, run=2))
    assert story[-1].resolve


def test_the_same_words_are_told_once() -> None:
    later = [Defer(1, attempt, error, T0, T0) for attempt, error in [(1, "away"), (2, "away"), (3, "HTTP 503")]]
    _, story = told(queue(1), queue(2), *later, Defer(2, 1, "not its turn", T0, T0))
    assert types(story) == ["queued", "queued", "deferred", "deferred"]


def test_what_was_made_is_known_to_the_next_run() -> None:
    connected = replace(queue(1, kind="jira"), action=action(1, "jira").model_copy(update={"connector": 4}))
    state, _ = told(connected, Succeed(1, 1, "", T0, "https://jira.example/browse/OPS-1", "OPS-1"))
    assert log_of(state).made == {1: Made("OPS-1", "https://jira.example/browse/OPS-1", 4)}
    assert RUNS.codec.load(RUNS.codec.dump(state)) == state


def test_an_answer_is_always_told() -> None:
    assert types(told(Answer(42, ActionAnswer.ACCEPT, 1, "slack", "grace", T0))[1]) == ["answered"]


def test_a_plan_is_queued_at_its_time_or_called_off() -> None:
    state, _ = told(plan())
    assert due_at(state) == T0 + MINUTE
    wanted = queue(1, 1, trigger="v-alert-not-resolved", event="alert-42@1")
    assert types(told(plan(), wanted, wanted)[1]) == ["planned", "queued"]
    off = CallOff(42, frozenset({"v-alert-not-resolved"}), "over", T0)
    state, story = told(plan(), off, off, plan(), wanted)
    assert types(story) == ["planned", "skipped"]
    assert due_at(state) is None


# -- laws


NUMBERS = st.integers(1, 3)
TRIGGERS = st.sampled_from(["alert-created", "alert-resolved", "v-alert-not-resolved"])
EVENTS = st.sampled_from(["alert-42@1", "alert-42@2", "escalation-42@1"])
KINDS = {1: "webhook", 2: "reroute", 3: "automation_rule"}
RUN_IDS = st.integers(1, 12)
INSTANTS = st.integers(0, 30).map(lambda minutes: T0 + minutes * MINUTE)


def _queue(run: int, number: int, trigger: str, event: str, at: datetime) -> Queue:
    return Queue(42, run, action(number, KINDS[number]), trigger, event, PICTURE, at)


def _plan(number: int, trigger: str, event: str, at: datetime) -> Plan:
    return Plan(42, Planned(number, "", trigger, event, at + MINUTE), at)


COMMANDS: st.SearchStrategy[Command] = st.one_of(
    st.builds(_queue, RUN_IDS, NUMBERS, TRIGGERS, EVENTS, INSTANTS),
    st.builds(_plan, NUMBERS, TRIGGERS, EVENTS, INSTANTS),
    st.builds(
        lambda number, trigger, event, at: Skip(42, number, "", trigger, event, "why", at),
        NUMBERS,
        TRIGGERS,
        EVENTS,
        INSTANTS,
    ),
    st.builds(lambda trigger, at: CallOff(42, frozenset({trigger}), "over", at), TRIGGERS, INSTANTS),
    st.builds(lambda run, at: Succeed(run, 1, "", at, None, "ref"), RUN_IDS, INSTANTS),
    st.builds(lambda run, at: Fail(run, 1, "no", at), RUN_IDS, INSTANTS),
    st.builds(lambda run, error, at: Defer(run, 1, error, at, at), RUN_IDS, st.sampled_from("ab"), INSTANTS),
    st.builds(lambda run, error, at: Reply(at, run=run, error=error), RUN_IDS, st.sampled_from([None, "no"]), INSTANTS),
    st.builds(Tick, INSTANTS),
)


def fresh_ids(commands: list[Command]) -> list[Command]:
    """Runs get ids that nobody had, as the ledger draws them."""
    return [replace(one, run=place) if isinstance(one, Queue) else one for place, one in enumerate(commands, 1)]


@for_any(st.lists(COMMANDS, max_size=40))
@settings(deadline=None)
def test_each_trigger_is_settled_at_most_once_and_every_run_ends_at_most_once(given: list[Command]) -> None:
    _, story = told(*fresh_ids(given))
    settled = [
        key(one.action, one.trigger, one.trigger_id) for one in story if isinstance(one, ActionQueued | ActionSkipped)
    ]
    assert len(settled) == len(set(settled))
    ends = [one.run for one in story if isinstance(one, ActionSucceeded | ActionFailed)]
    assert len(ends) == len(set(ends))


@for_any(st.lists(COMMANDS, max_size=40))
@settings(deadline=None)
def test_runs_end_in_the_order_in_which_they_were_queued(given: list[Command]) -> None:
    state, story = told(*fresh_ids(given))
    queued = [one.run for one in story if isinstance(one, ActionQueued)]
    ends = [one.run for one in story if isinstance(one, ActionSucceeded | ActionFailed)]
    assert ends == queued[: len(ends)]
    waiting = [state.head.run.id, *(run.id for run in state.waiting)] if isinstance(state, Busy) else []
    assert ends + waiting == queued


@for_any(st.lists(COMMANDS, max_size=40))
@settings(deadline=None)
def test_every_trigger_that_was_met_is_queued_skipped_or_still_planned(given: list[Command]) -> None:
    commands = fresh_ids(given)
    state, story = told(*commands)
    met = {
        key(one.action.action, one.trigger, one.trigger_id)
        for one in commands
        if isinstance(one, Queue) and not _closes(one)
    }
    met |= {one.planned.key for one in commands if isinstance(one, Plan)}
    settled = {
        key(one.action, one.trigger, one.trigger_id) for one in story if isinstance(one, ActionQueued | ActionSkipped)
    }
    assert met <= settled | {one.key for one in log_of(state).plans}


def _closes(wanted: Queue) -> bool:
    return wanted.action.type == "automation_rule" and wanted.trigger == "alert-resolved"


@for_any(st.lists(COMMANDS, max_size=40))
@settings(deadline=None)
def test_deciding_again_decides_nothing_more(given: list[Command]) -> None:
    state: State = Blank()
    for command in fresh_ids(given):
        once = runs.decide(state, command)
        assert isinstance(once, list)
        state = runs.fold(once, state)
        if not isinstance(command, Tick):
            assert runs.decide(state, command) == []


@for_any(st.lists(COMMANDS, max_size=40))
@settings(deadline=None)
def test_time_always_makes_progress(given: list[Command]) -> None:
    """At its deadline a stream has a plan that is due, or a head that fails."""
    state, _ = told(*fresh_ids(given))
    if (at := due_at(state)) is None:
        return
    due = [one for one in log_of(state).plans if one.due_at <= at]
    assert due or runs.decide(state, Tick(at))


@for_any(st.lists(COMMANDS, max_size=40))
@settings(deadline=None)
def test_any_history_folds_and_counts_its_versions(given: list[Command]) -> None:
    state, story = told(*fresh_ids(given))
    assert log_of(state).version == len(story)
    assert RUNS.codec.load(RUNS.codec.dump(state)) == state
    shuffled = runs.fold(reversed(story))
    assert log_of(shuffled).version == len(story)
    assert isinstance(shuffled, Blank | Idle | Busy)
    assert all(isinstance(one, ActionPlanned) or one.alert == 42 for one in story)
