"""Readers: how far they are moves with what they decided, and only one of two that believe to be the same goes on."""

import pytest

from runtime.ports import Fenced, Ledger, Parked

SIGNALS = [("signals.v1", number) for number in range(3)]
READER = "ingest.worker"


async def test_positions_are_what_they_were_advanced_to_by_reader(ledger: Ledger) -> None:
    async with ledger.begin() as tx:
        await tx.advance(READER, {SIGNALS[0]: (None, 5), SIGNALS[1]: (None, 0)})
        assert await tx.positions(READER) == {SIGNALS[0]: 5, SIGNALS[1]: 0}
    async with ledger.begin() as tx:
        await tx.advance(READER, {SIGNALS[0]: (5, 9), SIGNALS[2]: (None, 1)})
    assert await ledger.positions(READER) == {SIGNALS[0]: 9, SIGNALS[1]: 0, SIGNALS[2]: 1}
    assert await ledger.positions("another") == {}


@pytest.mark.parametrize(
    "move",
    [
        pytest.param({SIGNALS[0]: (4, 9)}, id="moved-by-another"),
        pytest.param({SIGNALS[0]: (None, 9)}, id="begun-by-another"),
        pytest.param({SIGNALS[1]: (0, 9)}, id="never-begun"),
        pytest.param({SIGNALS[0]: (5, 9), SIGNALS[1]: (3, 9)}, id="one-of-two"),
    ],
)
async def test_a_zombie_is_fenced_and_nothing_it_decided_remains(
    ledger: Ledger, move: dict[tuple[str, int], tuple[int | None, int]]
) -> None:
    async with ledger.begin() as tx:
        await tx.advance(READER, {SIGNALS[0]: (None, 5)})

    async def decide() -> None:
        async with ledger.begin() as tx:
            await tx.index_put("open", {"k": "1"})
            await tx.advance(READER, move)

    with pytest.raises(Fenced):
        await decide()
    assert await ledger.positions(READER) == {SIGNALS[0]: 5}
    async with ledger.begin() as tx:
        assert await tx.index_get("open", ["k"]) == {}


async def test_two_who_believe_to_be_the_same_reader_do_not_both_go_on(ledger: Ledger, other: Ledger) -> None:
    async with ledger.begin() as tx:
        await tx.advance(READER, {SIGNALS[0]: (None, 5)})
    async with other.begin() as tx:
        await tx.advance(READER, {SIGNALS[0]: (5, 6)})
    with pytest.raises(Fenced):
        async with ledger.begin() as tx:
            await tx.advance(READER, {SIGNALS[0]: (5, 7)})
    assert await ledger.positions(READER) == {SIGNALS[0]: 6}


async def test_a_reader_remembers_the_highest_version_it_saw(ledger: Ledger) -> None:
    async with ledger.begin() as tx:
        await tx.note_seen(READER, {"alert-1": 3, "alert-2": 1})
        await tx.note_seen(READER, {"alert-1": 2})
        await tx.note_seen(READER, {})
    async with ledger.begin() as tx:
        assert await tx.seen(READER, ["alert-1", "alert-2", "alert-3"]) == {"alert-1": 3, "alert-2": 1}
        assert await tx.seen("another", ["alert-1"]) == {}


async def test_what_was_set_aside_marks_its_stream_for_its_reader_only(ledger: Ledger) -> None:
    async with ledger.begin() as tx:
        await tx.park(READER, "source-1", SIGNALS[0], 7, b"\x00\xff", "it said \x00 and \ud800")
        await tx.park(READER, "source-1", SIGNALS[0], 7, b"\x00\xff", "once more")
        await tx.park(READER, "source-1", SIGNALS[0], 8, b"", "behind it")
    async with ledger.begin() as tx:
        assert await tx.parked(READER, ["source-1", "source-2"]) == {"source-1"}
        assert await tx.parked("another", ["source-1"]) == set()


async def test_what_was_set_aside_is_listed_in_the_order_it_was_read_and_taken_back_one_by_one(ledger: Ledger) -> None:
    async with ledger.begin() as tx:
        await tx.park(READER, "source-1", SIGNALS[0], 12, b"behind", "behind a parked record of its stream")
        await tx.park(READER, "source-1", SIGNALS[0], 9, b"\x00\xff", "ValueError")
        await tx.park(READER, "source-2", SIGNALS[1], 1, b"other", "ValueError")
        await tx.park("another", "source-1", SIGNALS[0], 9, b"theirs", "ValueError")
    async with ledger.begin() as tx:
        first, second = await tx.parked_records(READER, "source-1")
        assert first == Parked(READER, "source-1", SIGNALS[0], 9, b"\x00\xff", "ValueError")
        assert (second.offset, second.body) == (12, b"behind")
        assert [record.stream for record in await tx.parked_records(READER)] == ["source-1", "source-1", "source-2"]
        assert len(await tx.parked_records()) == 4
        await tx.unpark(READER, [(SIGNALS[0], 9), (SIGNALS[0], 10)])
        await tx.unpark(READER, [])
    async with ledger.begin() as tx:
        assert [record.offset for record in await tx.parked_records(READER, "source-1")] == [12]
        assert [record.body for record in await tx.parked_records("another")] == [b"theirs"]
        assert await tx.parked(READER, ["source-1"]) == {"source-1"}


async def test_a_reader_that_is_forgotten_begins_anew_and_keeps_what_it_set_aside(ledger: Ledger) -> None:
    async with ledger.begin() as tx:
        await tx.advance(READER, {SIGNALS[0]: (None, 5)})
        await tx.advance("another", {SIGNALS[0]: (None, 3)})
        await tx.note_seen(READER, {"alert-1": 3})
        await tx.note_seen("another", {"alert-1": 2})
        await tx.park(READER, "source-1", SIGNALS[0], 4, b"x", "ValueError")
    async with ledger.begin() as tx:
        await tx.forget_reader(READER)
        await tx.advance(READER, {SIGNALS[1]: (None, 1)})
    async with ledger.begin() as tx:
        assert await tx.positions(READER) == {SIGNALS[1]: 1}
        assert await tx.seen(READER, ["alert-1"]) == {}
        assert (await tx.positions("another"), await tx.seen("another", ["alert-1"])) == (
            {SIGNALS[0]: 3},
            {"alert-1": 2},
        )
        assert await tx.parked(READER, ["source-1"]) == {"source-1"}
