"""Streams: what is written is there, in order and for ever; what is not committed never was."""

import asyncio

import pytest

from runtime.ports import Conflict, Ledger, StreamRow
from tests.integration.ledger.facts import at, delivery, head, line, write


async def test_a_stream_that_was_never_written_has_version_0_and_no_history(ledger: Ledger) -> None:
    async with ledger.begin() as tx:
        assert await tx.lock(["alert-1"]) == {"alert-1": StreamRow("alert-1")}
        assert await tx.history("alert-1") == []


async def test_a_stream_that_was_only_locked_is_no_stream(ledger: Ledger) -> None:
    async with ledger.begin() as tx:
        await tx.lock(["alert-1", "alert-2"])
    async with ledger.begin() as tx:
        assert await tx.peek(["alert-1", "alert-2"]) == {}
        assert await tx.due(at(10**9), 10) == []
        assert await tx.lock(["alert-1"]) == {"alert-1": StreamRow("alert-1")}
    assert await ledger.is_empty()
    assert await ledger.earliest_due() is None


async def test_events_come_back_in_order_and_byte_for_byte(ledger: Ledger) -> None:
    first, second = line("alert-1", 1, b'{"a": "\xc3\xa4\\u0000"}'), line("alert-1", 2, b"\x00\xff")
    await write(ledger, first, line("alert-2", 1))
    await write(ledger, second)
    async with ledger.begin() as tx:
        assert await tx.history("alert-1") == [first, second]
    assert not await ledger.is_empty()


async def test_a_head_comes_back_as_it_was_set(ledger: Ledger) -> None:
    row = head("alert-1", 1, state=b"Pending {}", state_rev=3, due_at=at(5.000001), parked="a reason")
    await write(ledger, line("alert-1", 1), heads=[row])
    async with ledger.begin() as tx:
        assert await tx.peek(["alert-1", "alert-2"]) == {"alert-1": row}
        assert await tx.lock(["alert-1"]) == {"alert-1": row}


async def test_a_head_can_be_set_without_an_event(ledger: Ledger) -> None:
    await write(ledger, line("alert-1", 1))
    await write(ledger, heads=[head("alert-1", 1, due_at=at(5))])
    assert await ledger.earliest_due() == at(5)
    assert await ledger.first_waiting() == ledger.written()


async def test_a_transaction_sees_what_it_wrote_itself(ledger: Ledger) -> None:
    async with ledger.begin() as tx:
        await tx.append([line("alert-1", 1)], [head("alert-1", 1)])
        assert (await tx.peek(["alert-1"]))["alert-1"].version == 1
        await tx.append([line("alert-1", 2)], [head("alert-1", 2)])
        assert [each.version for each in await tx.history("alert-1")] == [1, 2]


async def test_nothing_at_all_is_written_when_the_body_raises(ledger: Ledger) -> None:
    async def fail() -> None:
        async with ledger.begin() as tx:
            await tx.append([line("alert-1", 1)], [head("alert-1", 1, due_at=at(0))])
            await tx.advance("worker", {("signals.v1", 0): (None, 5)})
            await tx.note_seen("worker", {"source-1": 4})
            await tx.index_put("open", {"k": "1"})
            await tx.enqueue([delivery(1)])
            await tx.park("worker", "source-1", ("signals.v1", 0), 4, b"x", "because")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await ledger.is_empty()
    assert await ledger.first_waiting() is None
    assert ledger.written() == 0
    assert await ledger.outbox_lag() == (0, 0.0)
    assert await ledger.earliest_due() is None
    assert await ledger.earliest_delivery() is None
    assert await ledger.positions("worker") == {}
    async with ledger.begin() as tx:
        assert await tx.seen("worker", ["source-1"]) == {}
        assert await tx.index_get("open", ["k"]) == {}
        assert await tx.parked("worker", ["source-1"]) == set()


async def test_nothing_is_written_when_the_body_is_cancelled(ledger: Ledger) -> None:
    appended = asyncio.Event()

    async def hang() -> None:
        async with ledger.begin() as tx:
            await tx.append([line("alert-1", 1)], [head("alert-1", 1)])
            appended.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(hang())
    await appended.wait()
    task.cancel()
    await asyncio.wait([task])
    assert await ledger.is_empty()
    await write(ledger, line("alert-1", 1))  # and nothing stays locked


async def test_others_see_nothing_before_the_commit(ledger: Ledger, other: Ledger) -> None:
    async with ledger.begin() as tx:
        await tx.append([line("alert-1", 1)], [head("alert-1", 1, due_at=at(0))])
        assert await other.is_empty()
        assert await other.first_waiting() is None
        assert await other.earliest_due() is None
    assert not await other.is_empty()


async def test_a_version_that_somebody_else_has_written_is_a_conflict_and_changes_nothing(ledger: Ledger) -> None:
    await write(ledger, line("alert-1", 1, b"first"))
    with pytest.raises(Conflict):
        await write(ledger, line("alert-2", 1), line("alert-1", 1, b"second"))
    async with ledger.begin() as tx:
        assert [each.body for each in await tx.history("alert-1")] == [b"first"]
        assert await tx.peek(["alert-2"]) == {}


async def test_whoever_waits_for_a_lock_sees_what_was_decided_meanwhile(ledger: Ledger, other: Ledger) -> None:
    """Fifty increments by two processes give version 50: none is lost."""

    async def decide(by: Ledger, times: int) -> None:
        for _ in range(times):
            async with by.begin() as tx:
                known = (await tx.lock(["alert-1"]))["alert-1"]
                await tx.append([line("alert-1", known.version + 1)], [head("alert-1", known.version + 1)])

    await asyncio.gather(decide(ledger, 25), decide(other, 25))
    async with ledger.begin() as tx:
        assert [each.version for each in await tx.history("alert-1")] == list(range(1, 51))


async def test_those_who_lock_the_same_streams_in_any_order_never_lock_each_other_out(
    ledger: Ledger, other: Ledger
) -> None:
    streams = [f"alert-{number}" for number in range(20)]
    await write(ledger, *(line(stream, 1) for stream in streams[::3]))  # some exist, some do not

    async def take(by: Ledger, order: list[str]) -> None:
        for _ in range(10):
            async with by.begin() as tx:
                known = await tx.lock(order)
                await tx.append([], [head(stream, known[stream].version) for stream in order])

    await asyncio.gather(take(ledger, streams), take(other, streams[::-1]), take(ledger, streams[5:] + streams[:5]))


async def test_an_erased_cell_keeps_its_versions_and_loses_its_content(ledger: Ledger) -> None:
    await write(ledger, line("cell-1", 1, b"secret"), line("cell-2", 1, b"kept"))
    async with ledger.begin() as tx:
        await tx.erase("cell-1")
        await tx.append([line("cell-1", 2, None)], [head("cell-1", 2)])
    async with ledger.begin() as tx:
        assert [(each.version, each.body) for each in await tx.history("cell-1")] == [(1, None), (2, None)]
        assert [each.body for each in await tx.history("cell-2")] == [b"kept"]
    await ledger.lead()
    waiting = {each.line.stream: each.line.body for each in await ledger.outbox([], 10)}
    assert waiting == {"cell-1": None, "cell-2": b"kept"}


async def test_what_is_due_comes_earliest_first_and_what_is_not_stays_silent(ledger: Ledger) -> None:
    dues = {"alert-1": at(30), "alert-2": at(10), "alert-3": at(20), "alert-4": at(31), "alert-5": None}
    heads = [head(stream, 1, due_at=due) for stream, due in dues.items()]
    await write(ledger, *(line(stream, 1) for stream in dues), heads=heads)
    async with ledger.begin() as tx:
        assert [row.stream for row in await tx.due(at(30), 10)] == ["alert-2", "alert-3", "alert-1"]
        assert [row.stream for row in await tx.due(at(30), 2)] == ["alert-2", "alert-3"]
        assert await tx.due(at(9.999), 10) == []
    assert await ledger.earliest_due() == at(10)


async def test_a_parked_stream_is_not_due(ledger: Ledger) -> None:
    await write(ledger, line("alert-1", 1), heads=[head("alert-1", 1, due_at=at(0), parked="it failed")])
    async with ledger.begin() as tx:
        assert await tx.due(at(1), 10) == []
    assert await ledger.earliest_due() is None


async def test_two_replicas_never_tick_the_same_stream(ledger: Ledger, other: Ledger) -> None:
    streams = [f"alert-{number}" for number in range(40)]
    heads = [head(stream, 1, due_at=at(0)) for stream in streams]
    await write(ledger, *(line(stream, 1) for stream in streams), heads=heads)
    ticked: list[str] = []

    async def tick(by: Ledger) -> None:
        while True:
            async with by.begin() as tx:
                due = await tx.due(at(1), 3)
                ticked.extend(row.stream for row in due)
                await asyncio.sleep(0)
                await tx.append([line(row.stream, 2) for row in due], [head(row.stream, 2) for row in due])
            if not due:
                return

    await asyncio.gather(tick(ledger), tick(other))
    assert sorted(ticked) == sorted(streams)
