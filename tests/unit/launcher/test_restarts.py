"""How long a process that ended waits for its next start."""

from itertools import accumulate, repeat

from launcher.supervisor import FIRST_PAUSE_S, LONGEST_PAUSE_S, SETTLED_S, next_pause


def test_who_ends_again_and_again_waits_longer_each_time_and_not_for_ever() -> None:
    pauses = list(accumulate(repeat(1.0, 10), next_pause, initial=FIRST_PAUSE_S))
    assert pauses[:4] == [0.5, 1.0, 2.0, 4.0]
    assert pauses[-1] == LONGEST_PAUSE_S


def test_who_was_killed_after_a_while_is_back_at_once() -> None:
    assert next_pause(LONGEST_PAUSE_S, lived_s=SETTLED_S + 1) == FIRST_PAUSE_S
