"""A deciding reader: once each, in order, never lost, and stopped rather than guessing (docs/promises.md)."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
import structlog

from runtime import subscription
from runtime.ports import Message
from runtime.records import Received
from runtime.unit import Unit
from tests.integration.machinery import echo
from tests.integration.machinery.conftest import READER, Bench


async def test_what_is_heard_is_said_once_and_in_order(bench: Bench) -> None:
    await bench.process()
    await bench.say(1, "one", "two", "three")
    await bench.until_said(1, "one", "two", "three")
    assert [envelope.version for envelope in await bench.said()] == [1, 2, 3]


async def test_a_decision_carries_what_caused_it(bench: Bench) -> None:
    await bench.process()
    await bench.say(1, "one")
    await bench.until_said(1, "one")
    assert [envelope.causation for envelope in await bench.said()] == ["alert-1@1"]


async def test_an_event_that_is_published_twice_decides_once(bench: Bench) -> None:
    await bench.process()
    await bench.say(1, "one")
    await bench.say(1, "one", version=1)
    await bench.say(1, "two")
    await bench.until_said(1, "one", "two")


async def test_a_restarted_process_goes_on_where_the_ledger_is(bench: Bench) -> None:
    first = await bench.process()
    await bench.say(1, "one")
    await bench.until_said(1, "one")
    await first.stop()
    await bench.say(1, "two")
    await bench.process()
    await bench.until_said(1, "one", "two")


async def test_a_crash_between_deciding_and_committing_leaves_nothing_and_loses_nothing(bench: Bench) -> None:
    reached, stuck = asyncio.Event(), asyncio.Event()

    async def dies_before_commit(unit: Unit, batch: Sequence[Received]) -> None:
        await echo.react(unit, batch)
        reached.set()
        await stuck.wait()

    doomed = await bench.process(react=dies_before_commit)
    await bench.say(1, "one")
    await reached.wait()
    await doomed.stop()
    assert await bench.said() == []
    await bench.process()
    await bench.until_said(1, "one")


async def test_a_successor_waits_for_its_predecessor(bench: Bench) -> None:
    await bench.process()
    await bench.say(1, "one")
    await bench.until_said(1, "one")
    await bench.say(1, "three", version=3)
    await bench.say(2, "meanwhile")
    await bench.until_said(2, "meanwhile")
    assert await bench.reasons(1) == ["one"]
    await bench.publish([echo.comment(1, 2, "two", datetime.now(UTC))])
    await bench.publish([echo.comment(1, 3, "three", datetime.now(UTC))])


async def test_poison_parks_its_stream_and_nobody_elses(bench: Bench) -> None:
    process = await bench.process()
    await bench.say(1, "one", "poison", "behind")
    await bench.say(2, "one", "two")
    await bench.until_said(2, "one", "two")

    async def parked() -> set[str]:
        async with process.shell.ledger.begin() as tx:
            return await tx.parked(READER, ["alert-1", "alert-2"])

    assert await bench.until(parked) == {"alert-1"}
    assert await bench.reasons(1) == ["one"]


async def test_what_is_no_event_of_ours_stops_nobody(bench: Bench) -> None:
    await bench.process()
    await bench.publish([Message(echo.HEARD, "alert-1", b"no event at all")])
    await bench.say(1, "one")
    await bench.until_said(1, "one")


async def test_a_type_that_only_newer_code_knows_is_passed_over_in_order(bench: Bench) -> None:
    await bench.process()
    newer = echo.comment(1, 1, "x", datetime.now(UTC))
    assert newer.value is not None
    await bench.publish([Message(newer.topic, newer.key, newer.value.replace(b"alert.commented", b"alert.dreamt_of"))])
    await bench.say(1, "two", version=2)
    await bench.until_said(1, "two")


async def test_the_group_offset_follows_only_what_the_broker_acknowledged(bench: Bench) -> None:
    process = await bench.process()
    await bench.say(1, "one")
    await bench.until_said(1, "one")
    positions = await process.shell.ledger.positions(READER)
    assert sum(positions.values()) == 1


async def test_two_replicas_share_the_work_and_repeat_nothing(bench: Bench) -> None:
    await bench.process("0")
    await bench.process("1")
    for alert in range(1, 41):
        await bench.say(alert, "one", "two")

    async def all_said() -> bool:
        return len(await bench.said()) >= 80

    await bench.until(all_said, "80 events")
    ids = [envelope.id for envelope in await bench.said()]
    assert sorted(set(ids)) == sorted(f"escalation-{alert}@{version}" for alert in range(1, 41) for version in (1, 2))


async def test_a_reader_whose_topic_was_re_created_stops_and_says_what_to_do(bench: Bench) -> None:
    process = await bench.process()
    await bench.say(1, "one")
    await bench.until_said(1, "one")
    await process.stop()
    async with process.shell.ledger.begin() as tx:
        stored = await tx.positions(READER)
        place, reached = next(iter(stored.items()))
        await tx.advance(READER, {place: (reached, reached + 1_000)})
    stopped = await bench.process()

    async def refuses() -> str:
        return next(
            (reason for part in stopped.parts if (reason := part.ready()) and "runtime.positions" in reason), ""
        )

    assert "ends at" in await bench.until(refuses)
    await bench.say(1, "two")
    assert await bench.reasons(1) == ["one"]


async def test_a_reader_that_grows_by_a_topic_hears_it_from_its_beginning_and_nothing_of_the_others_again(
    bench: Bench,
) -> None:
    older = await bench.process()
    await bench.say(1, "one")
    await bench.publish([echo.elsewhere(1, 1, "said before the upgrade", datetime.now(UTC))])
    await bench.until_said(1, "one")
    await older.stop()
    newer = await bench.process(topics=(echo.HEARD, echo.HEARD_LATER))
    await bench.until_said(1, "one", "said before the upgrade")
    assert [reason for part in newer.parts if (reason := part.ready())] == []
    await newer.stop()
    await bench.process(topics=(echo.HEARD, echo.HEARD_LATER))
    await bench.publish([echo.elsewhere(1, 2, "after it", datetime.now(UTC))])
    await bench.until_said(1, "one", "said before the upgrade", "after it")


async def test_a_predecessor_that_does_not_come_raises_an_alarm(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subscription, "GAP_ALARM_S", 0.5)
    with structlog.testing.capture_logs() as said:
        await bench.process()
        await bench.say(1, "three", version=3)

        async def alarmed() -> list[str]:
            return [line["what"] for line in said if line["event"] == "reader.gap" and line["log_level"] == "error"]

        assert "alert-1 has 0, 3 came" in await bench.until(alarmed, "the alarm")
        assert await bench.reasons(1) == []
