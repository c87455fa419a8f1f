"""After a loss a reader goes on from its last note: nothing is decided twice, nothing is passed over, nobody is asked."""

from collections.abc import Mapping, Sequence

import pytest

from events.envelope import decode
from events.topics import POSITIONS
from runtime import bookmarks
from runtime.ports import Ledger, Line, Place
from runtime.records import Received
from runtime.restore import Restore
from runtime.subscription import Deciding
from runtime.unit import Unit
from tests.integration.machinery import echo
from tests.integration.machinery.conftest import READER, Bench, Process


@pytest.fixture(autouse=True)
def _noting(monkeypatch: pytest.MonkeyPatch) -> None:
    """The toy service notes its positions."""
    monkeypatch.setitem(POSITIONS, "echo", echo.NOTED)


async def noted(bench: Bench, process: Process) -> Mapping[Place, int]:
    """Wait until the newest note is where the reader stands."""

    async def look() -> Mapping[Place, int]:
        note = await bookmarks.published(process.shell.broker, "echo", READER)
        held = await process.shell.ledger.positions(READER)
        return note.positions if note is not None and held and dict(note.positions) == held else {}

    found: Mapping[Place, int] = await bench.until(look, "a note of where the reader stands")
    return found


def crash(process: Process) -> None:
    """What is stopped from now on leaves no last note behind."""
    process.shell.relay._bookmarks = None


async def picture(ledger: Ledger, *streams: str) -> object:
    async with ledger.begin() as tx:
        heads = await tx.peek(streams)
        return {stream: (head.version, head.state, head.due_at) for stream, head in heads.items()}


async def test_what_was_decided_after_the_last_note_is_not_decided_again_and_what_came_later_is(bench: Bench) -> None:
    first = await bench.process(ticks=False)
    await bench.say(1, "one", "later")
    await bench.until_said(1, "one", "later")
    await noted(bench, first)
    crash(first)
    await bench.say(1, "doubtful")
    await bench.say(2, "doubtful too")
    await bench.until_said(1, "one", "later", "doubtful")
    await bench.until_said(2, "doubtful too")
    before = (
        await picture(first.shell.ledger, "escalation-1", "escalation-2"),
        await first.shell.ledger.positions(READER),
    )
    await first.stop()
    await bench.say(1, "came while it was away")

    second = await bench.process(ledger=await bench.world.empty_ledger(), ticks=False)

    await bench.until_said(1, "one", "later", "doubtful", "came while it was away")
    await bench.say(2, "news")
    await bench.until_said(2, "doubtful too", "news")

    async def is_sure() -> bool:
        return not await bookmarks.doubted(second.shell.ledger, READER)

    await bench.until(is_sure, "the end of doubt")
    third = await bench.shell(ledger=await bench.world.empty_ledger())
    restore = Restore(third, [echo.SAID])
    await restore.start()
    await bench.until(lambda: _is_whole(restore))
    assert await picture(third.ledger, "escalation-2") == await picture(second.shell.ledger, "escalation-2")
    await restore.stop()
    assert all(
        position >= before[1][place] for place, position in (await second.shell.ledger.positions(READER)).items()
    )


async def _is_whole(restore: Restore) -> bool:
    return restore.ready() is None


async def test_an_orderly_end_leaves_no_doubt_and_the_same_picture(bench: Bench) -> None:
    first = await bench.process(ticks=False)
    await bench.say(1, "one", "later")
    await bench.until_said(1, "one", "later")
    before = await picture(first.shell.ledger, "escalation-1"), await first.shell.ledger.positions(READER)
    await first.stop()
    second = await bench.process(ledger=await bench.world.empty_ledger(), ticks=False)

    async def is_there() -> bool:
        return (
            await picture(second.shell.ledger, "escalation-1"),
            await second.shell.ledger.positions(READER),
        ) == before

    await bench.until(is_there)
    assert await bookmarks.doubted(second.shell.ledger, READER) == {}
    assert await bench.reasons(1) == ["one", "later"]


async def test_an_old_backup_catches_up_with_what_was_decided_since_and_then_goes_on(bench: Bench) -> None:
    first = await bench.process(ticks=False)
    await bench.say(1, "one")
    await bench.until_said(1, "one")
    backup, positions = await bench.records(echo.SAID), await first.shell.ledger.positions(READER)
    await bench.say(1, "since")
    await bench.until_said(1, "one", "since")
    await noted(bench, first)
    crash(first)
    await bench.say(1, "doubtful")
    await bench.until_said(1, "one", "since", "doubtful")
    await first.stop()
    old = await bench.world.empty_ledger()
    async with old.begin() as tx:
        await tx.adopt([line(record.value) for record in backup if record.value is not None])
        await tx.advance(READER, {place: (None, position) for place, position in positions.items()})
        await tx.note_seen(READER, {"alert-1": 1})
        await tx.index_put(bookmarks.READERS, {READER: ""})

    await bench.process(ledger=old, ticks=False)

    await bench.say(1, "news")
    await bench.until_said(1, "one", "since", "doubtful", "news")


def line(body: bytes) -> Line:
    envelope = decode(body)
    return Line(envelope.stream, envelope.version, echo.SAID, envelope.event.key, envelope.type, body)


async def test_what_was_set_aside_is_set_aside_again_and_can_be_replayed(bench: Bench) -> None:
    first = await bench.process(ticks=False)
    await bench.say(1, "poison", "behind it")
    await bench.say(2, "one")
    await bench.until_said(2, "one")

    before = await bench.until(lambda: two_aside(first.shell.ledger))
    await noted(bench, first)
    await first.stop()
    second = await bench.process(ledger=await bench.world.empty_ledger(), ticks=False)
    await bench.say(2, "two")
    await bench.until_said(2, "one", "two")
    assert await two_aside(second.shell.ledger) == before


async def two_aside(ledger: Ledger) -> object:
    async with ledger.begin() as tx:
        found = [(one.stream, one.place, one.offset, one.body) for one in await tx.parked_records(READER)]
    return found if len(found) == 2 else None


async def test_what_others_said_before_is_believed_again_but_not_decided_on(bench: Bench) -> None:
    heard: list[str] = []

    async def believe(_unit: Unit, batch: Sequence[Received]) -> None:
        heard.extend(received.envelope.id for received in batch)

    first = await bench.process(ticks=False)
    await bench.say(1, "one", "two")
    await bench.until_said(1, "one", "two")
    await first.stop()
    shell = await bench.shell(ledger=await bench.world.empty_ledger())
    reader = Deciding(shell, reader=READER, topics=[echo.HEARD], react=echo.react, believe=believe)
    second = Process(shell, [Restore(shell, [echo.SAID]), shell.relay, reader])
    bench.processes.append(await second.start())
    await bench.say(1, "three")
    await bench.until_said(1, "one", "two", "three")
    assert heard == ["alert-1@1", "alert-1@2"]


async def test_a_process_whose_ledger_was_emptied_beneath_it_ends_instead_of_deciding_all_again(bench: Bench) -> None:
    first = await bench.process(ticks=False)
    await bench.say(1, "one")
    await bench.until_said(1, "one")
    await first.stop()
    [reader] = [part for part in first.parts if isinstance(part, Deciding)]
    emptied = await bench.world.empty_ledger()
    first.shell.ledger = emptied
    with pytest.raises(Exception, match="another one, or an older one"):
        await reader.assigned(list(reader._reached))
