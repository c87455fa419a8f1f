"""Restore is start: what the topics hold and the ledger lacks is taken in, never decided again."""

from runtime.restore import Restore
from runtime.unit import Known, Unit
from tests.integration.machinery import echo
from tests.integration.machinery.conftest import READER, Bench


async def test_an_empty_ledger_takes_in_what_was_published_with_state_and_deadline(bench: Bench) -> None:
    first = await bench.process(ticks=False)
    await bench.say(1, "one", "later")
    await bench.until_said(1, "one", "later")
    before = await first.shell.run(look)
    await first.stop()
    restored = await bench.shell(ledger=await bench.world.empty_ledger())
    restore = Restore(restored, [echo.SAID])
    await restore.start()

    async def is_open() -> bool:
        return restore.ready() is None

    await bench.until(is_open)
    assert await restored.run(look) == before
    assert await restored.ledger.earliest_due() is not None
    await restore.stop()


async def look(unit: Unit) -> Known[echo.State]:
    return (await unit.peek(echo.ECHO, [1]))["escalation-1"]


async def test_after_a_restore_a_reader_without_positions_stops_instead_of_deciding_all_again(bench: Bench) -> None:
    first = await bench.process()
    await bench.say(1, "one")
    await bench.until_said(1, "one")
    await first.stop()
    stopped = await bench.process(ledger=await bench.world.empty_ledger())

    async def refuses() -> str:
        return next((reason for part in stopped.parts if (reason := part.ready()) and "restored" in reason), "")

    assert "runtime.positions" in await bench.until(refuses)
    assert await bench.reasons(1) == ["one"]


async def test_after_an_old_backup_a_reader_stops_instead_of_deciding_again_what_came_since(bench: Bench) -> None:
    first = await bench.process()
    await bench.say(1, "one")
    await bench.until_said(1, "one")
    positions = await first.shell.ledger.positions(READER)
    await bench.say(1, "since")
    await bench.until_said(1, "one", "since")
    await first.stop()
    backup = await bench.world.empty_ledger()
    async with backup.begin() as tx:
        await tx.advance(READER, {place: (None, position) for place, position in positions.items()})
    stopped = await bench.process(ledger=backup)

    async def refuses() -> str:
        return next((reason for part in stopped.parts if (reason := part.ready()) and "restored" in reason), "")

    assert "older than its events" in await bench.until(refuses)
    assert await bench.reasons(1) == ["one", "since"]


async def test_a_restart_with_nothing_missing_takes_in_nothing(bench: Bench) -> None:
    first = await bench.process()
    await bench.say(1, "one")
    await bench.until_said(1, "one")
    await first.stop()
    second = await bench.process()
    await bench.say(1, "two")
    await bench.until_said(1, "one", "two")
    known = await second.shell.run(look)
    assert known.version == 2
