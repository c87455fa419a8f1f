"""The worker on its ports: alerts climb in time, people are looked up when a level is reached, and nothing wakes a halted one."""

from typing import Any

from events.escalator import EscalationLevelReached, EscalationLevelSkipped, EscalationStarted
from events.shared import Priority
from events.topics import ESCALATIONS
from tests.integration.escalator.duty_room import ADA, BOB, DutyRoom, in_virtual_time


def rule(*users: int, wait: int = 5, **more: Any) -> dict[str, Any]:
    return {"escalationTimeout": wait, "users": [{"id": user} for user in users], **more}


def policy(*rules: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": "Primary", "escalationRules": list(rules), **more}


LAYER = {"startsOn": "2026-02-23T04:02", "users": [{"id": ADA}, {"id": BOB}], "rotation": "P7D"}
NIGHT = {"name": "Night", "timezone": "Europe/Berlin", "scheduleLayers": [LAYER]}


def test_nobody_answers_and_the_next_person_is_told() -> None:
    async def story(room: DutyRoom) -> None:
        await room.open()
        room.alert(42, await room.makes("/escalation-policies", policy(rule(ADA), rule(BOB))))
        await room.passes(minutes=20)
        assert room.story(42) == [(0, "started"), (0, "level_reached 0 7"), (5, "level_reached 1 8"), (10, "ended")]

    in_virtual_time(story)


def test_an_acceptance_halts_it() -> None:
    async def story(room: DutyRoom) -> None:
        await room.open()
        room.alert(42, await room.makes("/escalation-policies", policy(rule(ADA), rule(BOB))))
        await room.passes(minutes=2)
        room.accepted(42)
        await room.passes(minutes=20)
        assert room.story(42) == [(0, "started"), (0, "level_reached 0 7"), (2, "halted")]

    in_virtual_time(story)


def test_an_acceptance_that_the_broker_has_is_known_before_the_next_level() -> None:
    """The worker is away while the patience is spent and the acceptance comes."""

    async def story(room: DutyRoom) -> None:
        await room.start_web()
        worker = await room.start_worker()
        room.alert(42, await room.makes("/escalation-policies", policy(rule(ADA), rule(BOB))))
        await room.until(lambda: room.story(42))
        await room.end(worker)
        await room.passes(minutes=6)
        room.accepted(42)
        await room.start_worker()
        await room.passes(minutes=20)
        assert [line for _, line in room.story(42)] == ["started", "level_reached 0 7", "halted"]

    in_virtual_time(story)


def test_a_worker_that_comes_back_goes_on_and_tells_nobody_twice() -> None:
    async def story(room: DutyRoom) -> None:
        await room.start_web()
        worker = await room.start_worker()
        room.alert(42, await room.makes("/escalation-policies", policy(rule(ADA), rule(BOB), rule(ADA))))
        await room.until(lambda: room.story(42))
        await room.end(worker)
        await room.passes(minutes=30)
        await room.start_worker()
        await room.passes(minutes=7)
        assert [line for _, line in room.story(42)] == [
            "started",
            "level_reached 0 7",
            "level_reached 1 8",
            "level_reached 2 7",
        ]

    in_virtual_time(story)


def test_whoever_is_on_call_when_the_level_is_reached_is_told_with_the_reason() -> None:
    async def story(room: DutyRoom) -> None:
        await room.open()
        night = await room.makes("/schedules", NIGHT)
        by_schedule = {"escalationTimeout": 5, "schedules": [{"id": night}]}
        room.alert(42, await room.makes("/escalation-policies", policy(by_schedule, by_schedule)))
        await room.passes(minutes=6)
        first, second = [
            one.event for one in room.said(ESCALATIONS.name) if isinstance(one.event, EscalationLevelReached)
        ]
        assert (first.responders[0].user, second.responders[0].user) == (ADA, BOB)
        reason = first.responders[0].reason
        assert (reason.policy_version, reason.rule, reason.schedule, reason.schedule_version) == (1, 0, night, 1)
        assert "Schedule «Night»: turn in layer «#1» until Mon 02 Mar 2026 04:02" in reason.text

    in_virtual_time(story)


def test_an_empty_schedule_falls_through_at_once() -> None:
    async def story(room: DutyRoom) -> None:
        await room.open()
        ended = {**NIGHT, "scheduleLayers": [{**LAYER, "endsOn": "2026-02-24T00:00"}]}
        empty = await room.makes("/schedules", ended)
        by_schedule = {"escalationTimeout": 5, "schedules": [{"id": empty}]}
        room.alert(42, await room.makes("/escalation-policies", policy(by_schedule, rule(BOB))))
        await room.until(lambda: len(room.story(42)) == 3)
        assert room.story(42) == [(0, "started"), (0, "level_skipped 0"), (0, "level_reached 1 8")]
        (skipped,) = [one.event for one in room.said() if isinstance(one.event, EscalationLevelSkipped)]
        assert skipped.vacancies[0].text == "Policy «Primary», level 1: Schedule «Night»: nobody is on call"

    in_virtual_time(story)


def test_who_was_deleted_is_not_told_and_a_team_is_told_whole() -> None:
    async def story(room: DutyRoom) -> None:
        room.team(4, ADA, BOB)
        await room.open()
        to_team = {"escalationTimeout": 5, "teams": [{"id": 4}]}
        room.alert(1, await room.makes("/escalation-policies", policy(to_team)))
        await room.until(lambda: len(room.story(1)) == 2)
        room.deleted(BOB)
        await room.passes(minutes=1)
        room.alert(2, 1)
        await room.until(lambda: len(room.story(2)) == 2)
        assert room.story(1)[1] == (0, "level_reached 0 7 8")
        assert room.story(2)[1] == (1, "level_reached 0 7")

    in_virtual_time(story)


def test_low_priority_stops_after_the_first_rule_and_a_short_minute_is_short() -> None:
    async def story(room: DutyRoom) -> None:
        await room.open()
        number = await room.makes("/escalation-policies", policy(rule(ADA), rule(BOB), repeating=True, frequency=3))
        room.alert(1, number, Priority.LOW)
        room.alert(2, number)
        await room.passes(minutes=1)
        assert [line for _, line in room.story(1)] == ["started", "level_reached 0 7", "ended"]
        assert len([line for _, line in room.story(2) if line.startswith("level_reached")]) == 6

    in_virtual_time(story, minute_s=1)


def test_a_policy_that_is_gone_is_stood_in_for_by_the_default_one() -> None:
    async def story(room: DutyRoom) -> None:
        await room.open()
        default = await room.makes("/escalation-policies", policy(rule(ADA)))
        room.alert(42, 99)
        await room.until(lambda: room.story(42))
        (started,) = [one.event for one in room.said() if isinstance(one.event, EscalationStarted)]
        assert (started.policy, started.policy_reason) == (
            default,
            "Policy 99 is gone; the default policy «Primary» stands in",
        )

    in_virtual_time(story)


def test_an_alert_without_any_policy_says_that_nobody_is_told() -> None:
    async def story(room: DutyRoom) -> None:
        await room.open()
        room.alert(42, None)
        await room.until(lambda: room.story(42))
        assert room.story(42) == [(0, "started"), (0, "ended")]

    in_virtual_time(story)
