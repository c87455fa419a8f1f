"""Shifts ahead as others hear of them: at every change in the same unit, every day by time, at the start for what was never planned."""

from datetime import timedelta
from typing import Any

from escalator import indexes
from escalator.domain.schedule import Set
from escalator.streams import SCHEDULE
from events.escalator import Layer, ScheduleChanged, ShiftsPlanned
from events.topics import ONCALL
from runtime.clock import LoopClock
from runtime.unit import Unit
from tests.integration.escalator.duty_room import ADA, BOB, T0, DutyRoom, in_virtual_time

LAYER = {"startsOn": "2026-02-23T04:02", "users": [{"id": ADA}, {"id": BOB}], "rotation": "P1D"}
ROTA = {"name": "Days", "timezone": "Europe/Berlin", "scheduleLayers": [LAYER]}


def plans(room: DutyRoom) -> list[ShiftsPlanned]:
    return [one.event for one in room.said(ONCALL.name) if isinstance(one.event, ShiftsPlanned)]


def test_a_schedule_is_planned_with_its_making_and_anew_with_every_change() -> None:
    async def story(room: DutyRoom) -> None:
        await room.open()
        number = await room.makes("/schedules", ROTA)
        (first,) = plans(room)
        assert (first.schedule, first.name, first.schedule_version) == (number, "Days", 1)
        assert [shift.user for shift in first.shifts] == [ADA, BOB, ADA, BOB]
        override: dict[str, Any] = {"user": {"id": BOB}, "start": "2026-03-03T10:00:00Z", "end": "2026-03-03T11:00:00Z"}
        assert (await room.does(ADA, "PUT", f"/schedules/{number}/overrides", override)).status_code in (200, 201)
        assert [shift.user for shift in plans(room)[-1].shifts] == [ADA, BOB, ADA, BOB, ADA, BOB]
        known = (await room.does(ADA, "GET", f"/schedules/{number}/overrides")).json()
        assert (await room.does(ADA, "DELETE", f"/schedules/{number}/overrides/{known[0]['id']}")).status_code == 204
        assert plans(room)[-1].shifts == first.shifts
        assert (await room.does(ADA, "DELETE", f"/schedules/{number}")).status_code == 204
        assert plans(room)[-1].shifts == ()
        assert len(plans(room)) == 4

    in_virtual_time(story)


def test_a_change_that_moves_no_shift_says_nothing() -> None:
    async def story(room: DutyRoom) -> None:
        await room.open()
        number = await room.makes("/schedules", ROTA)
        changed = await room.does(ADA, "PUT", f"/schedules/{number}", ROTA | {"showGaps": True})
        assert changed.status_code == 200, changed.text
        assert len(plans(room)) == 1

    in_virtual_time(story)


def test_every_day_it_is_planned_further_also_after_a_worker_was_away() -> None:
    async def story(room: DutyRoom) -> None:
        await room.start_web()
        worker = await room.start_worker()
        await room.makes("/schedules", ROTA)
        for days in (1, 7):
            known = len(plans(room))
            await room.end(worker)
            room.clock = LoopClock(T0 + timedelta(days=days))
            worker = await room.start_worker()
            await room.until(lambda known=known: len(plans(room)) > known)  # type: ignore[misc]
        assert [one.until - T0 > timedelta(days=days) for one, days in zip(plans(room), (2, 3, 9), strict=True)]

    in_virtual_time(story)


def test_a_schedule_that_was_made_before_shifts_were_told_is_planned_at_the_start_and_once() -> None:
    async def made_long_ago(unit: Unit) -> None:
        layer = Layer(starts_on="2026-02-23T04:02", users=(ADA, BOB), rotation="P1D")
        unit.fresh(SCHEDULE, 3)
        unit.decide(
            SCHEDULE, 3, Set(ScheduleChanged(schedule=3, name="Old", timezone="UTC", layers=(layer,), at=unit.at))
        )
        unit.put(indexes.SCHEDULES, {indexes.padded(3): "Old"})

    async def story(room: DutyRoom) -> None:
        await room.decides(made_long_ago)
        worker = await room.start_worker()
        await room.until(lambda: plans(room))
        await room.end(worker)
        await room.start_worker()
        await room.passes(minutes=5)
        assert [(one.schedule, len(one.shifts)) for one in plans(room)] == [(3, 4)]

    in_virtual_time(story)
