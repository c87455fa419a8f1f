"""Who is on call: rules by example, the bugs that others had by name, and a minute-by-minute oracle that knows no shortcuts."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given as for_any
from hypothesis import settings
from hypothesis import strategies as st

from escalator.oncall import Gap, OnCall, duty_end, gaps, recorded_shifts, shifts, who
from escalator.rotation import Step, step
from escalator.wallclock import instant, wall
from escalator.week import DAYS, weekly
from events.escalator import Layer, Override, Restriction, ScheduleChanged, ScheduleType, Shift, TimeOfWeek

ADA, BOB, CYD = 7, 8, 9
BERLIN, NEW_YORK, LORD_HOWE = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"
MADE = datetime(2025, 1, 1, tzinfo=UTC)


def schedule(
    *layers: Layer,
    zone: str = BERLIN,
    shifts: Sequence[Shift] = (),
    overrides: Sequence[Override] = (),
    made: datetime = MADE,
) -> ScheduleChanged:
    return ScheduleChanged(
        schedule=3,
        name="SRE",
        timezone=zone,
        type=ScheduleType.STATIC if shifts else ScheduleType.RECURRING,
        layers=layers,
        shifts=tuple(shifts),
        overrides=tuple(overrides),
        at=made,
    )


def layer(
    *users: int,
    start: str = "2026-01-05T09:00",
    rotation: str = "P7D",
    end: str | None = None,
    only: Sequence[Restriction] = (),
    name: str = "",
) -> Layer:
    return Layer(name=name, starts_on=start, ends_on=end, users=users, rotation=rotation, restrictions=tuple(only))


def hours(start: str, end: str) -> Restriction:
    """`hours("MONDAY 09:00", "FRIDAY 17:00")`"""
    (from_day, from_time), (to_day, to_time) = start.split(), end.split()
    return Restriction(start=TimeOfWeek(day=from_day, time=from_time), end=TimeOfWeek(day=to_day, time=to_time))


def local(text: str, zone: str = BERLIN) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


def naive(year: int, month: int, day: int, hour: int = 0, minute: int = 0) -> datetime:
    return datetime(year, month, day, hour, minute)  # noqa: DTZ001 (what a wall clock shows)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def override(number: int, user: int, start: str, end: str, zone: str = BERLIN) -> Override:
    return Override(override=number, user=user, start=local(start, zone), end=local(end, zone))


def users(found: Sequence[OnCall]) -> list[int]:
    return [shift.user for shift in found]


def edges(found: Sequence[OnCall], zone: str = BERLIN) -> list[tuple[str, int]]:
    return [(wall(shift.start, ZoneInfo(zone)).isoformat(" ", "minutes"), shift.user) for shift in found]


def duty(rota: ScheduleChanged, at: datetime) -> OnCall:
    found = who(rota, at)
    assert isinstance(found, OnCall)
    return found


def length(shift: OnCall) -> timedelta:
    assert shift.end is not None
    return shift.end - shift.start


class TestTurns:
    def test_a_weekly_turn_changes_at_the_hand_over_time(self) -> None:
        rota = schedule(layer(ADA, BOB))
        assert duty(rota, local("2026-01-12T08:59")).user == ADA
        assert duty(rota, local("2026-01-12T09:00")).user == BOB
        assert duty(rota, local("2026-01-19T09:00")).user == ADA

    def test_it_says_since_when_until_when_and_why(self) -> None:
        found = duty(schedule(layer(ADA, BOB, name="weeks")), local("2026-01-13T03:00"))
        assert (found.start, found.end) == (local("2026-01-12T09:00"), local("2026-01-19T09:00"))
        assert (found.layer, found.override) == ("weeks", None)
        assert found.reason == "Schedule «SRE»: turn in layer «weeks» until Mon 19 Jan 2026 09:00 (Europe/Berlin)"

    def test_a_layer_without_a_name_is_called_by_its_place(self) -> None:
        assert duty(schedule(layer(ADA), layer(BOB)), local("2026-02-01T00:00")).layer == "#2"

    def test_eight_hour_turns_keep_to_the_wall(self) -> None:
        rota = schedule(layer(ADA, BOB, CYD, start="2026-01-05T06:00", rotation="PT8H"))
        assert edges(shifts(rota, local("2026-07-01T06:00"), local("2026-07-02T06:00"))) == [
            ("2026-07-01 06:00", ADA),
            ("2026-07-01 14:00", BOB),
            ("2026-07-01 22:00", CYD),
        ]

    def test_nobody_before_it_begins_nor_after_it_ends(self) -> None:
        rota = schedule(layer(ADA, end="2026-02-01T00:00"))
        before, after = who(rota, local("2026-01-05T08:59")), who(rota, local("2026-02-01T00:00"))
        assert before == Gap(None, local("2026-01-05T09:00"), before.reason)
        assert after == Gap(local("2026-02-01T00:00"), None, "Schedule «SRE»: nobody is on call")

    def test_an_offset_in_the_beginning_is_an_instant(self) -> None:
        rota = schedule(layer(ADA, BOB, start="2026-01-05T08:00:00Z"))
        assert duty(rota, utc("2026-01-12T08:00")).start == local("2026-01-12T09:00")

    def test_people_may_take_several_turns(self) -> None:
        rota = schedule(layer(ADA, ADA, BOB, rotation="P1D"))
        assert users(shifts(rota, local("2026-01-05T09:00"), local("2026-01-09T09:00"))) == [ADA, ADA, BOB, ADA]

    def test_rest_begins_when_somebody_else_takes_over(self) -> None:
        rota = schedule(layer(ADA, ADA, BOB, rotation="P1D"))
        found = duty(rota, local("2026-01-05T10:00"))
        assert duty_end(rota, found, local("2026-03-01T00:00")) == local("2026-01-07T09:00")

    def test_who_is_alone_rests_never_within_the_horizon(self) -> None:
        rota = schedule(layer(ADA, rotation="P1D"))
        assert duty_end(rota, duty(rota, local("2026-01-05T10:00")), local("2026-02-01T00:00")) is None

    @pytest.mark.parametrize(
        ("text", "length"),
        [
            ("P7D", Step(0, timedelta(days=7))),
            ("P1W", Step(0, timedelta(days=7))),
            ("PT8H", Step(0, timedelta(hours=8))),
            ("P1DT12H", Step(0, timedelta(hours=36))),
            ("P1M", Step(1, timedelta(0))),
            ("P1Y2M", Step(14, timedelta(0))),
        ],
    )
    def test_durations_are_read(self, text: str, length: Step) -> None:
        assert step(text) == length

    @pytest.mark.parametrize(
        "text", ["", "P", "PT", "P0D", "PT0S", "7D", "P-1D", "P1.5D", "P1DT", "p7d", "P99999999D", "weekly"]
    )
    def test_what_is_no_duration_is_none(self, text: str) -> None:
        assert step(text) is None


class TestPrecedence:
    def test_the_last_layer_that_has_somebody_wins(self) -> None:
        office = layer(BOB, start="2026-01-05T00:00", only=(hours("MONDAY 09:00", "FRIDAY 17:00"),))
        rota = schedule(layer(ADA, start="2026-01-05T00:00"), office)
        assert edges(shifts(rota, local("2026-01-12T00:00"), local("2026-01-19T00:00"))) == [
            ("2026-01-12 00:00", ADA),
            ("2026-01-12 09:00", BOB),
            ("2026-01-16 17:00", ADA),
        ]

    def test_an_empty_last_layer_does_not_count(self) -> None:
        assert duty(schedule(layer(ADA), layer()), local("2026-01-13T03:00")).user == ADA

    def test_an_override_wins_over_every_layer_and_ends_the_shift_below(self) -> None:
        rota = schedule(layer(ADA), overrides=[override(1, CYD, "2026-01-06T10:00", "2026-01-06T12:00")])
        found = shifts(rota, local("2026-01-06T00:00"), local("2026-01-07T00:00"))
        assert edges(found) == [("2026-01-05 09:00", ADA), ("2026-01-06 10:00", CYD), ("2026-01-06 12:00", ADA)]
        assert [shift.override for shift in found] == [None, 1, None]

    def test_of_two_overrides_the_one_made_later_wins(self) -> None:
        early, late = (
            override(1, BOB, "2026-01-06T10:00", "2026-01-06T16:00"),
            override(2, CYD, "2026-01-06T12:00", "2026-01-06T14:00"),
        )
        assert users(
            shifts(schedule(layer(ADA), overrides=[early, late]), local("2026-01-06T09:30"), local("2026-01-06T18:00"))
        ) == [ADA, BOB, CYD, BOB, ADA]
        assert users(
            shifts(schedule(layer(ADA), overrides=[late, early]), local("2026-01-06T09:30"), local("2026-01-06T18:00"))
        ) == [ADA, BOB, ADA]

    def test_overrides_can_be_left_out(self) -> None:
        rota = schedule(layer(ADA), overrides=[override(1, CYD, "2026-01-06T10:00", "2026-01-06T12:00")])
        assert users(shifts(rota, local("2026-01-06T00:00"), local("2026-01-07T00:00"), overrides=False)) == [ADA]

    def test_an_override_fills_a_gap(self) -> None:
        rota = schedule(overrides=[override(1, CYD, "2026-01-06T10:00", "2026-01-06T12:00")])
        assert duty(rota, local("2026-01-06T11:00")).user == CYD
        assert who(rota, local("2026-01-06T12:00")) == Gap(
            local("2026-01-06T12:00"), None, "Schedule «SRE»: nobody is on call"
        )


class TestStaticShifts:
    def test_they_are_what_they_say_and_nobody_is_between(self) -> None:
        monday = Shift(user=ADA, start=local("2026-01-05T09:00"), end=local("2026-01-05T17:00"))
        tuesday = Shift(user=BOB, start=local("2026-01-06T09:00"), end=local("2026-01-06T17:00"))
        rota = schedule(shifts=[monday, tuesday])
        assert users(shifts(rota, local("2026-01-05T00:00"), local("2026-01-07T00:00"))) == [ADA, BOB]
        assert gaps(rota, local("2026-01-05T10:00"), local("2026-01-06T10:00")) == [
            Gap(
                monday.end,
                tuesday.start,
                "Schedule «SRE»: nobody is on call until Tue 06 Jan 2026 09:00 (Europe/Berlin)",
            )
        ]

    def test_two_shifts_of_one_person_stay_two(self) -> None:
        first = Shift(user=ADA, start=local("2026-01-05T09:00"), end=local("2026-01-06T09:00"))
        second = Shift(user=ADA, start=local("2026-01-06T09:00"), end=local("2026-01-07T09:00"))
        assert len(shifts(schedule(shifts=[first, second]), first.start, second.end)) == 2


class TestRestrictions:
    def test_a_night_over_midnight_belongs_to_the_day_it_starts_on(self) -> None:
        rota = schedule(layer(ADA, start="2026-01-05T00:00", only=(hours("MONDAY 22:00", "TUESDAY 06:00"),)))
        (night,) = shifts(rota, local("2026-01-12T00:00"), local("2026-01-18T00:00"))
        assert (night.start, night.end) == (local("2026-01-12T22:00"), local("2026-01-13T06:00"))

    def test_the_same_day_twice_with_an_earlier_end_is_the_night_and_not_the_week(self) -> None:
        assert weekly([hours("MONDAY 22:00", "MONDAY 06:00")]) == weekly([hours("MONDAY 22:00", "TUESDAY 06:00")])

    def test_a_stretch_over_the_end_of_the_week_is_one_stretch(self) -> None:
        rota = schedule(layer(ADA, start="2026-01-02T18:00", only=(hours("FRIDAY 18:00", "MONDAY 08:00"),)))
        found = shifts(rota, local("2026-01-14T00:00"), local("2026-01-21T00:00"))
        assert [(shift.start, shift.end) for shift in found] == [(local("2026-01-16T18:00"), local("2026-01-19T08:00"))]

    def test_stretches_that_touch_are_one(self) -> None:
        assert weekly([hours("MONDAY 12:00", "MONDAY 17:00"), hours("MONDAY 09:00", "MONDAY 12:00")]) == ((540, 1020),)

    def test_a_hand_over_inside_a_stretch_is_a_hand_over(self) -> None:
        rota = schedule(layer(ADA, BOB, start="2026-01-05T00:00", only=(hours("SUNDAY 22:00", "MONDAY 06:00"),)))
        found = shifts(rota, local("2026-01-11T00:00"), local("2026-01-13T00:00"))
        assert edges(found) == [("2026-01-11 22:00", ADA), ("2026-01-12 00:00", BOB)]

    def test_days_that_cover_the_week_restrict_nothing(self) -> None:
        everyday = [
            hours(f"{day} 00:00", f"{after} 00:00") for day, after in zip(DAYS, [*DAYS[1:], DAYS[0]], strict=True)
        ]
        assert weekly(everyday) == ()


class TestClocksThatChange:
    """Berlin: 29 March 2026 02:00 → 03:00, 25 October 2026 03:00 → 02:00. Lord Howe: by half an hour."""

    def test_a_skipped_hand_over_happens_at_the_first_instant_after_the_gap(self) -> None:
        assert instant(naive(2026, 3, 29, 2, 30), ZoneInfo(BERLIN)) == utc("2026-03-29T01:00")

    def test_an_hour_that_comes_twice_hands_over_the_first_time(self) -> None:
        assert instant(naive(2026, 10, 25, 2, 30), ZoneInfo(BERLIN)) == utc("2026-10-25T00:30")

    def test_half_an_hour_is_skipped_on_lord_howe(self) -> None:
        assert instant(naive(2026, 10, 4, 2, 15), ZoneInfo(LORD_HOWE)) == utc("2026-10-03T15:30")

    def test_half_an_hour_comes_twice_on_lord_howe(self) -> None:
        assert instant(naive(2026, 4, 5, 1, 45), ZoneInfo(LORD_HOWE)) == utc("2026-04-04T14:45")

    def test_a_day_that_never_was_in_samoa(self) -> None:
        assert instant(naive(2011, 12, 30, 12, 0), ZoneInfo("Pacific/Apia")) == utc("2011-12-30T10:00")

    def test_daily_turns_keep_their_local_hour(self) -> None:
        rota = schedule(layer(ADA, BOB, start="2026-03-27T09:00", rotation="P1D"))
        found = shifts(rota, local("2026-03-28T09:00"), local("2026-03-31T09:00"))
        assert [length(shift) for shift in found] == [
            timedelta(hours=23),
            timedelta(hours=24),
            timedelta(hours=24),
        ]
        assert {wall(shift.start, ZoneInfo(BERLIN)).time() for shift in found} == {time(9)}

    def test_a_night_shift_is_an_hour_longer_in_autumn(self) -> None:
        rota = schedule(layer(ADA, BOB, start="2026-10-01T22:00", rotation="PT8H"))
        night = duty(rota, utc("2026-10-25T01:00"))
        assert length(night) == timedelta(hours=9)

    def test_an_hourly_turn_inside_the_skipped_hour_is_empty_and_the_next_begins_on_time(self) -> None:
        rota = schedule(layer(ADA, BOB, CYD, start="2026-03-29T00:00", rotation="PT1H"))
        assert edges(shifts(rota, local("2026-03-29T00:00"), local("2026-03-29T05:00"))) == [
            ("2026-03-29 00:00", ADA),
            ("2026-03-29 01:00", BOB),
            ("2026-03-29 03:00", ADA),
            ("2026-03-29 04:00", BOB),
        ]

    def test_a_restriction_that_begins_in_the_gap_begins_after_it(self) -> None:
        rota = schedule(layer(ADA, start="2026-01-01T00:00", only=(hours("SUNDAY 02:30", "SUNDAY 05:00"),)))
        (shift,) = shifts(rota, local("2026-03-29T00:00"), local("2026-03-30T00:00"))
        assert (shift.start, shift.end) == (utc("2026-03-29T01:00"), utc("2026-03-29T03:00"))


class TestBugsThatOthersHad:
    def test_month_ends_do_not_drift_and_do_not_page_the_previous_person(self) -> None:
        rota = schedule(layer(ADA, BOB, CYD, start="2026-01-31T09:00", rotation="P1M"))
        assert edges(shifts(rota, local("2026-02-01T00:00"), local("2026-06-01T00:00"))) == [
            ("2026-01-31 09:00", ADA),
            ("2026-02-28 09:00", BOB),
            ("2026-03-31 09:00", CYD),
            ("2026-04-30 09:00", ADA),
            ("2026-05-31 09:00", BOB),
        ]

    def test_a_long_window_is_not_cut_after_a_hundred_periods(self) -> None:
        rota = schedule(layer(ADA, BOB, rotation="P1D"))
        found = shifts(rota, local("2026-01-05T09:00"), local("2027-01-05T09:00"))
        assert len(found) == 365
        assert all(earlier.end == later.start for earlier, later in pairwise(found))

    def test_a_daily_window_goes_on_after_the_62nd_day(self) -> None:
        rota = schedule(
            layer(ADA, start="2026-01-05T00:00", only=[hours(f"{day} 09:00", f"{day} 17:00") for day in DAYS])
        )
        assert len(shifts(rota, local("2026-01-05T00:00"), local("2026-04-15T00:00"))) == 100

    def test_the_part_before_the_first_hand_over_consumes_no_turn(self) -> None:
        rota = schedule(
            layer(ADA, BOB, start="2026-01-05T09:00", rotation="P1D", only=(hours("MONDAY 17:00", "SUNDAY 17:00"),))
        )
        assert duty(rota, local("2026-01-05T18:00")).user == ADA
        assert duty(rota, local("2026-01-06T09:00")).user == BOB

    def test_sunday_to_monday_is_not_there_twice(self) -> None:
        rota = schedule(layer(ADA, start="2026-01-01T00:00", only=(hours("SUNDAY 22:00", "MONDAY 06:00"),)))
        found = shifts(rota, local("2026-01-11T00:00"), local("2026-01-13T00:00"))
        assert [(shift.start, shift.end) for shift in found] == [(local("2026-01-11T22:00"), local("2026-01-12T06:00"))]

    def test_a_deleted_layer_leaves_nobody_on_call(self) -> None:
        assert isinstance(who(schedule(), local("2026-01-13T03:00")), Gap)

    def test_an_override_works_at_once_and_not_at_the_next_hand_over(self) -> None:
        rota = schedule(layer(ADA), overrides=[override(1, BOB, "2026-01-06T10:17", "2026-01-07T00:00")])
        assert duty(rota, local("2026-01-06T10:16:59")).user == ADA
        assert duty(rota, local("2026-01-06T10:17")).user == BOB

    def test_overrides_are_not_followed_from_person_to_person(self) -> None:
        day = ("2026-01-06T00:00", "2026-01-07T00:00")
        rota = schedule(layer(ADA), overrides=[override(1, CYD, *day), override(2, BOB, *day)])
        assert users(shifts(rota, local("2026-01-06T00:00"), local("2026-01-06T23:00"))) == [BOB]

    def test_an_inverted_weekend_does_not_cover_the_week(self) -> None:
        rota = schedule(layer(ADA, start="2026-01-01T00:00", only=(hours("SATURDAY 08:00", "SATURDAY 06:00"),)))
        assert isinstance(who(rota, local("2026-01-14T12:00")), Gap)
        assert isinstance(who(rota, local("2026-01-18T05:00")), OnCall)

    def test_weekly_turns_do_not_drift_over_years_of_clock_changes(self) -> None:
        rota = schedule(layer(ADA, BOB, start="2015-01-05T09:00"), zone=NEW_YORK)
        found = duty(rota, local("2026-07-15T12:00", NEW_YORK))
        assert wall(found.start, ZoneInfo(NEW_YORK)) == naive(2026, 7, 13, 9)

    def test_after_a_long_gap_somebody_is_on_call_again(self) -> None:
        rota = schedule(layer(ADA, end="2026-02-01T00:00"), layer(BOB, start="2029-01-01T00:00"))
        assert who(rota, local("2027-06-01T00:00")).end == local("2029-01-01T00:00")
        assert duty(rota, local("2029-06-01T00:00")).user == BOB

    def test_an_old_hourly_schedule_has_the_right_person(self) -> None:
        rota = schedule(layer(ADA, BOB, CYD, start="1999-01-01T00:00", rotation="PT1H"), zone="UTC")
        passed = int((utc("2026-06-01T10:30") - utc("1999-01-01T00:00")) / timedelta(hours=1))
        assert passed > 200_000
        assert duty(rota, utc("2026-06-01T10:30")).user == (ADA, BOB, CYD)[passed % 3]

    def test_hours_are_the_schedules_and_not_the_viewers(self) -> None:
        rota = schedule(
            layer(ADA, start="2026-01-01T00:00", only=(hours("MONDAY 09:00", "MONDAY 17:00"),)), zone=NEW_YORK
        )
        (shift,) = shifts(rota, utc("2026-01-12T00:00"), utc("2026-01-13T00:00"))
        assert shift.start == utc("2026-01-12T14:00")

    def test_on_call_since_is_not_cut_to_now(self) -> None:
        assert duty(schedule(layer(ADA)), local("2026-01-08T00:00")).start == local("2026-01-05T09:00")

    @pytest.mark.parametrize(
        "broken",
        [
            Restriction(start=TimeOfWeek(day="MOONDAY", time="09:00"), end=TimeOfWeek(day="FRIDAY", time="17:00")),
            Restriction(start=TimeOfWeek(day="MONDAY", time="25:00"), end=TimeOfWeek(day="FRIDAY", time="17:00")),
            Restriction(start=TimeOfWeek(day="", time=""), end=TimeOfWeek(day="", time="")),
        ],
    )
    def test_a_malformed_restriction_neither_crashes_nor_silences(self, broken: Restriction) -> None:
        assert duty(schedule(layer(ADA, only=(broken,))), local("2026-01-13T03:00")).user == ADA

    def test_a_malformed_restriction_leaves_the_others_in_force(self) -> None:
        broken = Restriction(start=TimeOfWeek(day="?", time="?"), end=TimeOfWeek(day="?", time="?"))
        rota = schedule(layer(ADA, start="2026-01-01T00:00", only=(broken, hours("MONDAY 09:00", "MONDAY 17:00"))))
        assert isinstance(who(rota, local("2026-01-13T03:00")), Gap)

    def test_a_restriction_of_no_length_does_not_silently_page_nobody(self) -> None:
        rota = schedule(layer(ADA, start="2026-01-01T00:00", only=(hours("MONDAY 09:00", "MONDAY 09:00"),)))
        assert duty(rota, local("2026-01-12T20:00")).user == ADA

    def test_a_malformed_rotation_never_hands_over(self) -> None:
        found = duty(schedule(layer(ADA, BOB, rotation="weekly")), local("2036-01-13T03:00"))
        assert (found.user, found.end) == (ADA, None)

    def test_a_malformed_beginning_or_an_unknown_zone_does_not_crash(self) -> None:
        assert isinstance(who(schedule(layer(ADA, start="soon")), local("2026-01-13T03:00")), Gap)
        assert duty(schedule(layer(ADA), zone="Moon/Tranquility"), utc("2026-01-13T03:00")).user == ADA

    @pytest.mark.parametrize("at", ["1200-01-01T00:00", "8999-12-31T23:59", "9999-12-31T23:59"])
    def test_no_date_is_too_far(self, at: str) -> None:
        who(
            schedule(
                layer(ADA, BOB, rotation="P1M"),
                layer(CYD, rotation="PT1H", only=(hours("MONDAY 09:00", "FRIDAY 17:00"),)),
            ),
            utc(at),
        )


class TestWhatIsPastStaysPast:
    EDITED = datetime(2026, 1, 14, 12, tzinfo=UTC)

    def test_an_edit_changes_only_what_comes(self) -> None:
        before = schedule(layer(ADA, name="one"))
        after = schedule(layer(BOB, name="two"), made=self.EDITED)
        found = recorded_shifts([before, after], local("2026-01-12T10:00"), local("2026-01-16T00:00"))
        assert [(shift.user, shift.start, shift.end) for shift in found] == [
            (ADA, local("2026-01-12T09:00"), self.EDITED),
            (BOB, self.EDITED, local("2026-01-19T09:00")),
        ]

    def test_a_shift_that_an_edit_does_not_touch_stays_one(self) -> None:
        before = schedule(layer(ADA))
        after = schedule(
            layer(ADA), overrides=[override(1, BOB, "2026-01-16T00:00", "2026-01-17T00:00")], made=self.EDITED
        )
        found = recorded_shifts([before, after], local("2026-01-13T00:00"), local("2026-01-16T00:00"))
        assert [(shift.user, shift.start, shift.end) for shift in found] == [
            (ADA, local("2026-01-12T09:00"), local("2026-01-16T00:00"))
        ]

    def test_before_it_was_made_the_rotation_is_shown_as_it_falls(self) -> None:
        made_late = schedule(layer(ADA, BOB), made=datetime(2027, 1, 1, tzinfo=UTC))
        assert users(recorded_shifts([made_late], local("2026-01-05T09:00"), local("2026-01-19T09:00"))) == [ADA, BOB]


# -- the oracle: it walks minute by minute and asks each track what the wall clock says --------------------------------


def naive_holder(rota: ScheduleChanged, at: datetime) -> int | None:
    """The user on call at `at`, found without any of the shortcuts under test."""
    zone = ZoneInfo(rota.timezone)
    for booked in reversed(rota.overrides):
        if booked.start <= at < booked.end:
            return booked.user
    for one in reversed(rota.layers):
        holder = naive_layer(one, at, zone)
        if holder is not None:
            return holder
    return next((booked.user for booked in reversed(rota.shifts) if booked.start <= at < booked.end), None)


def naive_layer(one: Layer, at: datetime, zone: ZoneInfo) -> int | None:
    begin = datetime.fromisoformat(one.starts_on)
    if not one.users or at < naive_instant(begin, zone):
        return None
    if one.ends_on and at >= naive_instant(datetime.fromisoformat(one.ends_on), zone):
        return None
    if one.restrictions and not any(naive_open(restriction, at, zone) for restriction in one.restrictions):
        return None
    return one.users[naive_turn(begin, LENGTHS[one.rotation], at, zone) % len(one.users)]


def naive_turn(begin: datetime, length: timedelta, at: datetime, zone: ZoneInfo) -> int:
    """Counts hand-overs from the first one on."""
    turn = 0
    while naive_instant(begin + length * (turn + 1), zone) <= at:
        turn += 1
    return turn


def naive_open(restriction: Restriction, at: datetime, zone: ZoneInfo) -> bool:
    """Some day near `at` starts the stretch that holds it."""
    today = at.astimezone(zone).date()
    for back in range(-2, 10):
        day = today - timedelta(days=back)
        if DAYS[day.weekday()] != restriction.start.day:
            continue
        length = (DAYS.index(restriction.end.day) - day.weekday()) % 7
        if length == 0 and restriction.end.time <= restriction.start.time:
            length = 1
        start = naive_instant(naive_clock(day, restriction.start.time), zone)
        if start <= at < naive_instant(naive_clock(day + timedelta(days=length), restriction.end.time), zone):
            return True
    return False


def naive_clock(day: date, text: str) -> datetime:
    return datetime.combine(day, time.fromisoformat(text))


KNOWN: dict[tuple[datetime, str], datetime] = {}


def naive_instant(shown: datetime, zone: ZoneInfo) -> datetime:
    """The first minute at which the wall clock of the zone shows `shown` or later."""
    key = (shown, zone.key)
    if key not in KNOWN:
        at = shown.replace(tzinfo=UTC) - timedelta(hours=15)
        while at.astimezone(zone).replace(tzinfo=None) < shown:
            at += timedelta(minutes=15)
        KNOWN[key] = at
    return KNOWN[key]


LENGTHS = {
    "P1D": timedelta(days=1),
    "P7D": timedelta(days=7),
    "PT8H": timedelta(hours=8),
    "PT1H": timedelta(hours=1),
    "P1DT12H": timedelta(hours=36),
}
# weeks in which these zones change their clocks, and one in which nothing happens
WEEKS = [
    (BERLIN, date(2026, 3, 27)),
    (BERLIN, date(2026, 10, 23)),
    (NEW_YORK, date(2026, 3, 6)),
    (NEW_YORK, date(2026, 10, 30)),
    (LORD_HOWE, date(2026, 4, 3)),
    (LORD_HOWE, date(2026, 10, 2)),
    ("America/St_Johns", date(2026, 3, 6)),
    ("Asia/Kolkata", date(2026, 6, 1)),
    ("Africa/Casablanca", date(2026, 2, 13)),
    ("America/Santiago", date(2026, 4, 3)),
]
quarters = st.integers(0, 95).map(lambda quarter: f"{quarter // 4:02}:{quarter % 4 * 15:02}")
moments = st.builds(TimeOfWeek, day=st.sampled_from(DAYS), time=quarters)
restrictions = st.builds(Restriction, start=moments, end=moments)
people = st.lists(st.sampled_from([ADA, BOB, CYD]), max_size=4).map(tuple)


Made = tuple[date, ScheduleChanged]


@st.composite
def rotas(draw: st.DrawFn) -> Made:
    zone, first = draw(st.sampled_from(WEEKS))
    days = st.integers(-20, 3).map(lambda offset: first + timedelta(days=offset))

    def clock(dates: st.SearchStrategy[date]) -> st.SearchStrategy[str]:
        return st.builds(lambda day, quarter: f"{day}T{quarter}", dates, quarters)

    layers = st.builds(
        Layer,
        starts_on=clock(days),
        ends_on=st.none() | clock(st.integers(0, 5).map(lambda offset: first + timedelta(days=offset))),
        users=people,
        rotation=st.sampled_from(sorted(LENGTHS)),
        restrictions=st.lists(restrictions, max_size=3).map(tuple),
    )
    begins = st.integers(-200, 500).map(lambda quarter: local(str(first), zone) + timedelta(minutes=15 * quarter))
    lengths = st.integers(1, 200).map(lambda quarter: timedelta(minutes=15 * quarter))
    stretches = st.tuples(st.sampled_from([ADA, BOB, CYD]), begins, lengths)
    booked = draw(st.lists(stretches, max_size=4))
    return first, schedule(
        *draw(st.lists(layers, max_size=3)),
        zone=zone,
        overrides=[
            Override(override=number, user=user, start=start, end=start + length)
            for number, (user, start, length) in enumerate(booked)
        ],
        shifts=[
            Shift(user=user, start=start, end=start + length)
            for user, start, length in draw(st.lists(stretches, max_size=2))
        ],
    )


def holder(rota: ScheduleChanged, at: datetime) -> int | None:
    found = who(rota, at)
    return found.user if isinstance(found, OnCall) else None


class TestAgainstTheOracle:
    @settings(max_examples=120, deadline=None)
    @for_any(rotas(), st.integers(0, 6 * 24 * 60 - 180))
    def test_every_minute_of_three_hours_anywhere_in_the_week(self, made: Made, minute: int) -> None:
        first, rota = made
        begin = local(str(first), rota.timezone).astimezone(UTC) + timedelta(minutes=minute)
        for passed in range(180):
            at = begin + timedelta(minutes=passed)
            assert holder(rota, at) == naive_holder(rota, at), at

    @settings(max_examples=40, deadline=None)
    @for_any(rotas())
    def test_every_quarter_of_the_days_around_a_clock_change(self, made: Made) -> None:
        first, rota = made
        begin = local(str(first + timedelta(days=1)), rota.timezone).astimezone(UTC)
        for quarter in range(2 * 96 + 8):
            at = begin + timedelta(minutes=15 * quarter)
            assert holder(rota, at) == naive_holder(rota, at), at


class TestLaws:
    @settings(max_examples=100, deadline=None)
    @for_any(rotas())
    def test_shifts_and_gaps_tile_the_window_in_order(self, made: Made) -> None:
        first, rota = made
        start = local(str(first), rota.timezone)
        end = start + timedelta(days=7)
        spans: list[OnCall | Gap] = sorted(
            [*shifts(rota, start, end), *gaps(rota, start, end)], key=lambda span: span.start or MADE
        )
        assert spans[0].start is None or spans[0].start <= start
        assert spans[-1].end is None or spans[-1].end >= end
        assert all(one.end == following.start for one, following in pairwise(spans))

    @settings(max_examples=100, deadline=None)
    @for_any(rotas(), st.integers(0, 7 * 24 * 60))
    def test_the_shift_in_the_list_is_the_answer_for_each_instant_in_it(self, made: Made, minute: int) -> None:
        first, rota = made
        at = local(str(first), rota.timezone).astimezone(UTC) + timedelta(minutes=minute)
        found = shifts(rota, at, at + timedelta(minutes=1))
        assert ([now for now in [who(rota, at)] if isinstance(now, OnCall)]) == found[:1] or found[0].start > at

    @settings(max_examples=100, deadline=None)
    @for_any(rotas(), st.integers(0, 7 * 24 * 60))
    def test_just_before_its_end_it_is_still_the_same_and_at_its_end_it_is_not(self, made: Made, minute: int) -> None:
        first, rota = made
        now = who(rota, local(str(first), rota.timezone).astimezone(UTC) + timedelta(minutes=minute))
        if now.end is not None:
            assert who(rota, now.end - timedelta(microseconds=1)) == now
            assert who(rota, now.end) != now

    @for_any(
        st.datetimes(naive(1971, 1, 1), naive(2100, 1, 1)),
        st.datetimes(naive(1971, 1, 1), naive(2100, 1, 1)),
        st.sampled_from([BERLIN, LORD_HOWE, "Pacific/Apia", "Africa/Casablanca"]),
    )
    def test_the_wall_never_runs_backwards(self, one: datetime, other: datetime, zone: str) -> None:
        earlier, later = sorted((one, other))
        assert instant(earlier, ZoneInfo(zone)) <= instant(later, ZoneInfo(zone))
