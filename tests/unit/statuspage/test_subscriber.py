"""Double opt-in: asked, reminded once, forgotten after a week; confirmed by their own word only."""

from datetime import UTC, datetime, timedelta

from hypothesis import given as for_any
from hypothesis import strategies as st

from events.core import Event, Refusal
from events.statuspage import (
    SubscriberAsked,
    SubscriberChanged,
    SubscriberConfirmed,
    SubscriberLeft,
    SubscriberMailed,
    SubscriberReminded,
)
from statuspage.domain.subscriber import (
    Ask,
    AskAgain,
    Choose,
    Command,
    Confirm,
    Confirmed,
    Leave,
    Left,
    Nobody,
    Pending,
    State,
    Tell,
    Tick,
    subscriber,
)
from statuspage.streams import SUBSCRIBER

T0 = datetime(2026, 3, 1, tzinfo=UTC)
ASKED = SubscriberAsked(subscriber=5, page=1, cell="cell-1", mask="d***@example.org", at=T0)


def at(**length: float) -> datetime:
    return T0 + timedelta(**length)


def told(state: State, command: Command) -> list[Event]:
    outcome = subscriber.decide(state, command)
    assert isinstance(outcome, list), outcome
    return outcome


def after(*commands: Command) -> State:
    state: State = Nobody()
    for command in commands:
        state = subscriber.fold(told(state, command), state)
    return state


def test_nobody_is_confirmed_by_asking_but_who_is_imported() -> None:
    assert isinstance(after(Ask(ASKED)), Pending)
    imported = ASKED.model_copy(update={"imported": True})
    assert [type(event) for event in told(Nobody(), Ask(imported))] == [SubscriberAsked, SubscriberConfirmed]


def test_one_reminder_after_a_day_and_the_end_after_a_week() -> None:
    pending = after(Ask(ASKED))
    assert subscriber.due_at(pending) == at(hours=24)
    [reminded] = told(pending, Tick(2, at(hours=24)))
    assert isinstance(reminded, SubscriberReminded)
    assert reminded.by_time
    waiting = subscriber.evolve(pending, reminded)
    assert subscriber.due_at(waiting) == at(days=7)
    assert told(waiting, Tick(3, at(days=2))) == []
    [left] = told(waiting, Tick(3, at(days=7)))
    assert left == SubscriberLeft(subscriber=5, page=1, reason="never confirmed", at=at(days=7))
    assert told(pending, Tick(2, at(days=8))) == [left.model_copy(update={"at": at(days=8)})]


def test_a_mail_goes_at_most_once_an_hour_however_often_it_is_asked_for() -> None:
    pending = after(Ask(ASKED))
    assert told(pending, AskAgain(2, at(minutes=59))) == []
    [again] = told(pending, AskAgain(2, at(hours=1)))
    assert told(subscriber.evolve(pending, again), AskAgain(3, at(minutes=119))) == []
    confirmed = after(Ask(ASKED), Confirm(at(minutes=5)))
    assert told(confirmed, AskAgain(2, at(minutes=30))) == []
    assert len(told(confirmed, AskAgain(2, at(hours=2)))) == 1


def test_choices_are_told_once_and_outlive_the_confirmation() -> None:
    chosen = after(Ask(ASKED), Choose((3,), at(minutes=1)), Confirm(at(minutes=2)))
    assert isinstance(chosen, Confirmed)
    assert chosen.services == (3,)
    assert told(chosen, Choose((3,), at(minutes=3))) == []
    assert told(chosen, Choose((), at(minutes=3))) == [
        SubscriberChanged(subscriber=5, page=1, services=(), at=at(minutes=3))
    ]


def test_who_left_is_left_alone() -> None:
    left = after(Ask(ASKED), Confirm(T0), Leave("unsubscribed", T0))
    assert left == Left(1)
    assert told(left, Leave("unsubscribed", T0)) == []
    assert told(left, Tell(2, "NEWS", 7, None, "", T0)) == []
    for command in (Confirm(T0), AskAgain(2, T0), Choose((), T0)):
        assert isinstance(subscriber.decide(left, command), Refusal)


def test_what_became_of_a_mail_changes_nothing_but_is_known() -> None:
    confirmed = after(Ask(ASKED), Confirm(T0))
    [mailed] = told(confirmed, Tell(2, "INCIDENT_CREATED", 7, None, "550 no", T0))
    assert isinstance(mailed, SubscriberMailed)
    assert (mailed.incident, mailed.error) == (7, "550 no")
    assert subscriber.evolve(confirmed, mailed) == confirmed


HOURS = st.floats(min_value=0, max_value=24 * 30, allow_nan=False)
COMMANDS = st.one_of(
    st.builds(lambda h: AskAgain(2, at(hours=h)), HOURS),
    st.builds(lambda h: Confirm(at(hours=h)), HOURS),
    st.builds(lambda h: Leave("unsubscribed", at(hours=h)), HOURS),
    st.builds(lambda h: Choose((3,), at(hours=h)), HOURS),
    st.builds(lambda h: Tick(2, at(hours=h)), HOURS),
)


@for_any(st.lists(COMMANDS, max_size=12))
def test_nobody_is_confirmed_who_did_not_confirm_and_a_deadline_always_makes_progress(commands: list[Command]) -> None:
    state: State = subscriber.fold([ASKED])
    has_confirmed = False
    for command in commands:
        outcome = subscriber.decide(state, command)
        if isinstance(outcome, list):
            state = subscriber.fold(outcome, state)
            has_confirmed = has_confirmed or isinstance(command, Confirm)
        assert has_confirmed or not isinstance(state, Confirmed)
        assert SUBSCRIBER.codec.load(SUBSCRIBER.codec.dump(state)) == state
        due = subscriber.due_at(state)
        if due is not None:
            ticked = subscriber.fold(told(state, Tick(9, due)), state)
            assert subscriber.due_at(ticked) is None or subscriber.due_at(ticked) > due  # type: ignore[operator]
