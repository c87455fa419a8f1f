"""Uptime by the published formula: what counts as an outage, what a window sees of it, and what must always hold."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given as for_any
from hypothesis import strategies as st

from events.statuspage import ServiceStatus
from statuspage.domain.uptime import (
    LONGEST,
    History,
    Outage,
    Span,
    bars,
    outages,
    percentages,
    remembered,
    turned,
    uptime,
    worst,
)

T0 = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
UP, MAINTAINED, DEGRADED, PARTIAL, MAJOR = ServiceStatus


def at(minutes: float) -> datetime:
    return T0 + timedelta(minutes=minutes)


def history(*turns: tuple[ServiceStatus, float]) -> History:
    told: History = ()
    for status, minutes in turns:
        told = turned(told, status, at(minutes))
    return told


turns = st.lists(st.tuples(st.sampled_from(ServiceStatus), st.integers(1, 3000)), max_size=12)


def any_history(gaps: list[tuple[ServiceStatus, int]]) -> History:
    """A service that began at T0; (status, minutes after the turn before)."""
    told, passed = history((UP, 0)), 0
    for status, gap in gaps:
        passed += gap
        told = turned(told, status, at(passed))
    return told


class TestWhatIsTold:
    def test_the_same_status_again_is_no_turn(self) -> None:
        assert history((UP, 0), (UP, 5)) == (Span(UP, T0),)

    def test_two_turns_at_once_leave_the_later(self) -> None:
        assert history((UP, 0), (MAJOR, 5), (PARTIAL, 5)) == (Span(UP, T0), Span(PARTIAL, at(5)))

    def test_a_turn_that_is_taken_back_at_once_never_was(self) -> None:
        assert history((UP, 0), (MAJOR, 5), (UP, 5)) == (Span(UP, T0),)

    def test_what_was_told_before_the_last_turn_is_not_told_anew(self) -> None:
        assert history((UP, 0), (MAJOR, 5), (UP, 10), (PARTIAL, 2)) == (
            Span(UP, T0),
            Span(MAJOR, at(5)),
            Span(PARTIAL, at(10)),
        )

    @for_any(turns)
    def test_turns_are_in_order_and_no_two_neighbours_are_the_same(self, gaps: list[tuple[ServiceStatus, int]]) -> None:
        told = any_history(gaps)
        assert all(one.since < following.since for one, following in pairwise(told))
        assert all(one.status is not following.status for one, following in pairwise(told))

    @for_any(turns, st.integers(0, 400_000))
    def test_what_is_forgotten_no_window_asks_for(self, gaps: list[tuple[ServiceStatus, int]], later: int) -> None:
        told = any_history(gaps)
        now = told[-1].since + timedelta(minutes=later)
        kept = remembered(told, now)
        if kept == told:
            return
        assert kept[0].since <= now - LONGEST
        assert percentages(kept, now) == percentages(told, now)
        assert bars(kept, now, ZoneInfo("Europe/Berlin")) == bars(told, now, ZoneInfo("Europe/Berlin"))


class TestOutages:
    @pytest.mark.parametrize("status", [UP, MAINTAINED, DEGRADED])
    def test_what_counts_as_up_is_none(self, status: ServiceStatus) -> None:
        assert outages(history((status, 0)), T0, at(100)) == []

    @pytest.mark.parametrize("status", [PARTIAL, MAJOR])
    def test_one_is_cut_to_the_window(self, status: ServiceStatus) -> None:
        told = history((UP, 0), (status, 10), (UP, 40))
        assert outages(told, T0, at(100)) == [Outage(status, at(10), at(40))]
        assert outages(told, at(20), at(30)) == [Outage(status, at(20), at(30))]
        assert outages(told, at(40), at(50)) == []

    def test_one_that_lasts_reaches_to_the_end_of_the_window(self) -> None:
        assert outages(history((UP, 0), (MAJOR, 10)), T0, at(15)) == [Outage(MAJOR, at(10), at(15))]

    def test_less_than_a_minute_is_ignored(self) -> None:
        assert outages(history((UP, 0), (MAJOR, 10), (UP, 10.99)), T0, at(100)) == []
        assert len(outages(history((UP, 0), (MAJOR, 10), (UP, 11)), T0, at(100))) == 1

    def test_short_ones_without_a_pause_are_one(self) -> None:
        told = history((UP, 0), (PARTIAL, 10), (MAJOR, 10.7), (UP, 11.4))
        assert outages(told, T0, at(100)) == [Outage(PARTIAL, at(10), at(10.7)), Outage(MAJOR, at(10.7), at(11.4))]

    def test_the_edge_of_a_window_makes_none_shorter(self) -> None:
        told = history((UP, 0), (MAJOR, 10), (UP, 12))
        assert outages(told, at(11.5), at(100)) == [Outage(MAJOR, at(11.5), at(12))]


class TestUptime:
    @pytest.mark.parametrize(
        ("status", "percent"), [(UP, 100.0), (MAINTAINED, 100.0), (DEGRADED, 100.0), (PARTIAL, 97.0), (MAJOR, 90.0)]
    )
    def test_a_tenth_of_the_time(self, status: ServiceStatus, percent: float) -> None:
        assert uptime(history((UP, 0), (status, 10), (UP, 20)), T0, at(100)) == pytest.approx(percent)

    def test_both_kinds_add_up(self) -> None:
        told = history((UP, 0), (PARTIAL, 10), (MAJOR, 30), (UP, 40))
        assert uptime(told, T0, at(100)) == pytest.approx(100 * (1 - (10 + 0.3 * 20) / 100))

    def test_a_service_younger_than_the_window_is_measured_from_its_beginning(self) -> None:
        told = history((UP, 0), (MAJOR, 50))
        assert uptime(told, T0 - timedelta(days=90), at(100)) == pytest.approx(50.0)
        assert percentages(told, at(100)) == {days: pytest.approx(50.0) for days in (30, 60, 90)}

    def test_of_no_time_at_all_it_is_whole(self) -> None:
        assert uptime((), T0, at(1)) == 100.0
        assert uptime(history((MAJOR, 0)), T0, T0) == 100.0

    @for_any(turns, st.integers(1, 5000))
    def test_it_lies_between_nothing_and_all(self, gaps: list[tuple[ServiceStatus, int]], length: int) -> None:
        assert 0.0 <= uptime(any_history(gaps), T0, at(length)) <= 100.0

    @for_any(turns, st.integers(1, 5000), st.integers(1, 5000))
    def test_of_a_whole_it_is_the_mean_of_its_parts(
        self, gaps: list[tuple[ServiceStatus, int]], first: int, second: int
    ) -> None:
        """Within one and the same telling: whether the last outage is long enough depends on when one asks."""
        told = any_history([*gaps, (UP, 5000 * 13)])
        whole = uptime(told, T0, at(first + second))
        parts = (first * uptime(told, T0, at(first)) + second * uptime(told, at(first), at(first + second))) / (
            first + second
        )
        assert whole == pytest.approx(parts)

    @for_any(turns, st.integers(1, 5000))
    def test_worse_is_never_better(self, gaps: list[tuple[ServiceStatus, int]], length: int) -> None:
        told = any_history(gaps)
        worse = tuple(Span(MAJOR if span.status is PARTIAL else span.status, span.since) for span in told)
        assert uptime(worse, T0, at(length)) <= uptime(told, T0, at(length)) + 1e-9


class TestBars:
    def test_there_is_one_for_each_day_of_the_zone_the_last_up_to_now(self) -> None:
        told = bars(history((UP, 0)), at(60), ZoneInfo("Europe/Berlin"), 3)
        assert [one.start.isoformat() for one in told] == [
            "2026-02-28T00:00:00+01:00",
            "2026-03-01T00:00:00+01:00",
            "2026-03-02T00:00:00+01:00",
        ]
        assert [one.uptime for one in told] == [None, None, 100.0]

    def test_a_day_is_as_bad_as_its_worst_hour(self) -> None:
        told = history((UP, 0), (PARTIAL, 60), (MAINTAINED, 120))
        today = bars(told, at(240), ZoneInfo("UTC"), 1)[0]
        assert today.worst is PARTIAL
        assert today.uptime == pytest.approx(100 * (1 - 0.3 * 60 / 240))

    def test_an_outage_too_short_to_count_is_passed_over(self) -> None:
        told = history((UP, 0), (MAJOR, 60), (UP, 60.5))
        today = bars(told, at(240), ZoneInfo("UTC"), 1)[0]
        assert (today.worst, today.uptime) == (UP, 100.0)

    def test_the_day_on_which_clocks_go_forward_has_its_23_hours(self) -> None:
        berlin = ZoneInfo("Europe/Berlin")
        told = (Span(UP, datetime(2026, 3, 1, tzinfo=UTC)), Span(MAJOR, datetime(2026, 3, 29, 10, tzinfo=UTC)))
        day = bars(told, datetime(2026, 3, 30, 12, tzinfo=UTC), berlin, 2)[0]
        assert day.uptime == pytest.approx(100 * 11 / 23)


def test_the_worst_of_several() -> None:
    assert worst([UP, PARTIAL, DEGRADED]) is PARTIAL
    assert worst([]) is None
