"""Storms: three messages at once, one for all the rest, and nothing for what was answered meanwhile."""

from datetime import UTC, datetime, timedelta

from hypothesis import given as for_any
from hypothesis import strategies as st

from events.core import Event
from events.notifier import Carried, MessageComposed, MessageHeld, MessageWindowClosed
from notifier.domain.window import Close, Command, Open, Quiet, State, Tell, due_at, window

T0 = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
LENGTH = timedelta(seconds=180)
ADA, MAIL, DISK = 7, 1, 5


def at(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def carried(number: int) -> Carried:
    return Carried(notification=number, alert=1000 + number, user=ADA)


def tell(number: int, seconds: float = 0) -> Tell:
    return Tell(DISK, MAIL, carried(number), message=100 + number, at=at(seconds), length=LENGTH)


def close(*alive: int, seconds: float = 180) -> Close:
    return Close(frozenset(alive), message=999, at=at(seconds))


def decided(*commands: Command) -> list[Event]:
    return run(commands)[1]


def run(commands: tuple[Command, ...] | list[Command]) -> tuple[State, list[Event]]:
    state: State = Quiet()
    history: list[Event] = []
    for command in commands:
        outcome = window.decide(state, command)
        assert isinstance(outcome, list)
        state, history = window.fold(outcome, state), [*history, *outcome]
    return state, history


def composed(number: int, place: int, seconds: float = 0, ends: float = 180) -> MessageComposed:
    return MessageComposed(
        contact=MAIL,
        source=DISK,
        message=100 + number,
        user=ADA,
        carries=(carried(number),),
        place=place,
        window_ends_at=at(ends),
        at=at(seconds),
    )


class TestAStorm:
    def test_the_first_goes_at_once_and_opens_the_window(self) -> None:
        assert decided(tell(1)) == [composed(1, place=1)]
        assert due_at(run([tell(1)])[0]) == at(180)

    def test_two_more_go_at_once_and_everything_else_waits(self) -> None:
        assert decided(tell(1), tell(2, 1), tell(3, 2), tell(4, 3))[1:] == [
            composed(2, place=2, seconds=1),
            composed(3, place=3, seconds=2),
            MessageHeld(contact=MAIL, source=DISK, held=carried(4), until=at(180), at=at(3)),
        ]

    def test_the_last_message_names_all_the_rest(self) -> None:
        storm = [tell(number) for number in range(1, 7)]
        gathered, closed = decided(*storm, close(4, 5, 6))[-2:]
        assert isinstance(gathered, MessageComposed)
        assert gathered.place == 0
        assert [one.notification for one in gathered.carries] == [4, 5, 6]
        assert closed == MessageWindowClosed(contact=MAIL, source=DISK, at=at(180))

    def test_what_was_answered_while_it_waited_is_not_named(self) -> None:
        storm = [tell(number) for number in range(1, 7)]
        gathered = decided(*storm, close(5))[-2]
        assert isinstance(gathered, MessageComposed)
        assert [one.notification for one in gathered.carries] == [5]

    def test_when_none_remain_there_is_no_message(self) -> None:
        storm = [tell(number) for number in range(1, 7)]
        assert decided(*storm, close())[6:] == [MessageWindowClosed(contact=MAIL, source=DISK, at=at(180))]

    def test_two_hundred_alerts_make_four_messages(self) -> None:
        storm: list[Command] = [tell(number, number / 20) for number in range(200)]
        messages = [one for one in decided(*storm, close(*range(200))) if isinstance(one, MessageComposed)]
        assert len(messages) == 4
        assert sum(len(one.carries) for one in messages) == 200


class TestAQuietTime:
    def test_a_window_that_is_over_closes_and_the_next_message_goes_at_once(self) -> None:
        assert decided(tell(1), close())[1:] == [MessageWindowClosed(contact=MAIL, source=DISK, at=at(180))]
        assert decided(tell(1), close(), tell(2, 300))[-1] == composed(2, place=1, seconds=300, ends=480)

    def test_a_message_after_the_end_does_not_wait_for_the_closing(self) -> None:
        assert decided(tell(1), tell(2, 181))[1:] == [
            MessageWindowClosed(contact=MAIL, source=DISK, at=at(181)),
            composed(2, place=1, seconds=181, ends=361),
        ]

    def test_a_window_does_not_close_before_its_end(self) -> None:
        assert decided(tell(1), close(seconds=179)) == [composed(1, place=1)]

    def test_the_same_notification_waits_once(self) -> None:
        storm = [tell(number) for number in range(1, 5)]
        assert decided(*storm, tell(4, 5)) == decided(*storm)


@st.composite
def nights(draw: st.DrawFn) -> list[Command]:
    """Notifications at random times, closings whenever due, in the order of time."""
    times = sorted(draw(st.lists(st.integers(0, 1200), max_size=40)))
    commands: list[Command] = []
    state: State = Quiet()
    for number, seconds in enumerate(times):
        due = due_at(state)
        if due is not None and due <= at(seconds) and draw(st.booleans()):
            held = state.held.values() if isinstance(state, Open) else ()
            alive = frozenset(one.notification for one in held if draw(st.booleans()))
            commands.append(Close(alive, 5000 + number, max(due, at(seconds))))
            state = run(commands)[0]
        commands.append(tell(number, seconds))
        state = run(commands)[0]
    return commands


class TestLaws:
    @for_any(nights())
    def test_never_more_than_four_messages_in_a_window(self, night: list[Command]) -> None:
        count = 0
        for event in run(night)[1]:
            match event:
                case MessageComposed():
                    count += 1
                    assert count <= 4
                case MessageWindowClosed():
                    count = 0
                case _:
                    pass

    @for_any(nights())
    def test_every_notification_is_carried_once_or_waits_or_was_answered(self, night: list[Command]) -> None:
        state, history = run(night)
        told = [one.notification for event in history if isinstance(event, MessageComposed) for one in event.carries]
        assert len(told) == len(set(told))
        answered = {
            one.notification for event in history if isinstance(event, MessageHeld) for one in [event.held]
        } - set(told)
        held = set(state.held) if isinstance(state, Open) else set()
        asked = {command.carried.notification for command in night if isinstance(command, Tell)}
        assert set(told) | answered == asked
        assert held <= answered

    @for_any(nights())
    def test_a_closing_at_the_deadline_makes_progress(self, night: list[Command]) -> None:
        state, _ = run(night)
        due = due_at(state)
        if due is not None:
            outcome = window.decide(state, Close(frozenset(), 9999, due))
            assert isinstance(outcome, list)
            assert due_at(window.fold(outcome, state)) is None
