"""Shifts as cells of quarter hours, also on the days when the clocks change."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from web.calendar import Cell, Shift, calendar

MONDAY = date(2026, 10, 19)
START = datetime(2026, 10, 18, 22, tzinfo=UTC)  # midnight in Berlin
HOUR = timedelta(hours=1)


def drawn(*shifts: Shift, days: int = 7) -> list[Cell]:
    return list(calendar("Week", MONDAY, days, "Europe/Berlin", [("Everyday", shifts)]).layers[0].cells)


def shift(who: str | None, start_h: float, end_h: float) -> Shift:
    return Shift(who, START + start_h * HOUR, START + end_h * HOUR)


class TestDays:
    def test_the_day_on_which_summer_time_ends_has_an_hour_more(self) -> None:
        week = calendar("Week", MONDAY, 7, "Europe/Berlin", [])
        assert [day.slots for day in week.days] == [96] * 6 + [100]
        assert (week.days[-1].note, week.days[0].note) == ("25 hours", "")

    def test_the_day_on_which_it_begins_has_one_less(self) -> None:
        week = calendar("Week", date(2026, 3, 29), 1, "Europe/Berlin", [])
        assert (week.days[0].slots, week.days[0].note) == (92, "23 hours")

    def test_a_shift_of_half_an_hour(self) -> None:
        day = calendar("Day", date(2026, 10, 4), 1, "Australia/Lord_Howe", []).days[0]
        assert (day.slots, day.note) == (94, "23.5 hours")

    def test_today_is_marked(self) -> None:
        week = calendar("Week", MONDAY, 7, "UTC", [], today=date(2026, 10, 20))
        assert [day.is_today for day in week.days].index(True) == 1


class TestCells:
    def test_what_is_between_shifts_is_left_empty(self) -> None:
        ada, bob = shift("Ada", 1, 2), shift("Bob", 4, 24)
        assert drawn(ada, bob, days=1) == [Cell(4), Cell(4, ada), Cell(8), Cell(80, bob)]

    def test_what_reaches_over_the_edges_says_so(self) -> None:
        ada = shift("Ada", -5, 30)
        assert drawn(ada, days=1) == [Cell(96, ada, from_before=True, goes_on=True)]

    def test_what_lies_outside_is_not_drawn(self) -> None:
        assert drawn(shift("Ada", -5, 0), shift("Bob", 24, 30), days=1) == [Cell(96)]

    def test_a_shift_of_a_minute_is_seen(self) -> None:
        minute = shift("Ada", 1, 1 + 1 / 60)
        assert drawn(minute, days=1) == [Cell(4), Cell(1, minute), Cell(91)]

    @given(st.lists(st.tuples(st.floats(-10, 180), st.floats(0.01, 50)), max_size=12))
    def test_a_row_is_always_as_wide_as_its_days(self, spans: list[tuple[float, float]]) -> None:
        cells = drawn(*(shift("Ada", start, start + length) for start, length in spans))
        assert sum(cell.slots for cell in cells) == 6 * 96 + 100
        assert all(cell.slots > 0 for cell in cells)
