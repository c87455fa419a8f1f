"""Who does not answer is left alone for a while, then asked once, and by nobody else meanwhile."""

from datetime import UTC, datetime, timedelta

from runtime.circuits import FAILURES, OPEN, Circuits

T0 = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def opened() -> Circuits:
    circuits = Circuits()
    for _ in range(FAILURES):
        assert circuits.wait("dead.example", T0) is None
        circuits.failed("dead.example", T0)
    return circuits


def test_it_opens_after_failures_in_a_row_and_says_how_long_to_wait() -> None:
    assert opened().wait("dead.example", T0 + SECOND) == OPEN - SECOND


def test_others_are_not_concerned() -> None:
    assert opened().wait("alive.example", T0) is None


def test_a_success_between_failures_begins_the_count_again() -> None:
    circuits = Circuits()
    for _ in range(FAILURES - 1):
        circuits.failed("flaky.example", T0)
    circuits.succeeded("flaky.example")
    for _ in range(FAILURES - 1):
        circuits.failed("flaky.example", T0)
    assert circuits.wait("flaky.example", T0) is None


def test_one_probe_goes_and_the_others_wait_for_it() -> None:
    circuits, later = opened(), T0 + OPEN
    assert circuits.wait("dead.example", later) is None
    assert circuits.wait("dead.example", later) == OPEN


def test_a_probe_that_fails_opens_it_again() -> None:
    circuits, later = opened(), T0 + OPEN
    circuits.wait("dead.example", later)
    circuits.failed("dead.example", later + SECOND)
    assert circuits.wait("dead.example", later + OPEN) == SECOND


def test_a_probe_that_succeeds_closes_it() -> None:
    circuits, later = opened(), T0 + OPEN
    circuits.wait("dead.example", later)
    circuits.succeeded("dead.example")
    assert [circuits.wait("dead.example", later) for _ in range(3)] == [None, None, None]


def test_a_probe_that_never_reports_keeps_nobody_out_for_ever() -> None:
    circuits = opened()
    circuits.wait("dead.example", T0 + OPEN)
    assert circuits.wait("dead.example", T0 + 2 * OPEN) is None
