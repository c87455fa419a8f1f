"""Restore: lines of our own topics that the ledger lacks are taken in once, and never published again."""

import pytest

from runtime.ports import Ledger, StreamRow
from tests.integration.ledger.facts import at, head, line, write


async def test_an_empty_ledger_takes_everything_and_publishes_nothing(ledger: Ledger) -> None:
    lines = [line("alert-1", 1, b"a"), line("alert-2", 1, b"b"), line("alert-1", 2, b"c")]
    assert await ledger.adopt(lines) == 3
    async with ledger.begin() as tx:
        assert await tx.history("alert-1") == [lines[0], lines[2]]
        assert await tx.peek(["alert-1", "alert-2"]) == {
            "alert-1": StreamRow("alert-1", 2),
            "alert-2": StreamRow("alert-2", 1),
        }
    assert await ledger.first_waiting() is None


async def test_only_what_is_missing_is_taken_and_its_stream_is_folded_again(ledger: Ledger) -> None:
    await write(ledger, line("alert-1", 1, b"a"), heads=[head("alert-1", 1, state=b"Pending {}", state_rev=2)])
    await write(ledger, line("alert-2", 1, b"b"), heads=[head("alert-2", 1, state=b"Pending {}", state_rev=2)])
    lines = [line("alert-1", 1, b"a"), line("alert-1", 2, b"c"), line("alert-2", 1, b"b")]
    assert await ledger.adopt(lines) == 1
    assert await ledger.adopt(lines) == 0
    async with ledger.begin() as tx:
        heads = await tx.peek(["alert-1", "alert-2"])
    assert (heads["alert-1"].version, heads["alert-1"].state, heads["alert-1"].state_rev) == (2, None, 0)
    assert heads["alert-2"] == head("alert-2", 1, state=b"Pending {}", state_rev=2)


async def test_what_still_waits_for_the_broker_goes_on_waiting(ledger: Ledger) -> None:
    await write(ledger, line("alert-1", 1, b"a"))
    assert await ledger.adopt([line("alert-1", 1, b"a"), line("alert-2", 1)]) == 1
    await ledger.lead()
    assert [each.line for each in await ledger.outbox([], 10)] == [line("alert-1", 1, b"a")]


async def test_a_line_that_was_published_twice_is_taken_once(ledger: Ledger) -> None:
    assert await ledger.adopt([line("alert-1", 1, b"a"), line("alert-1", 1, b"a")]) == 1


@pytest.mark.parametrize("here", [True, False], ids=["in-the-ledger", "in-the-same-batch"])
async def test_a_line_with_another_body_stops_it_and_nothing_is_taken(ledger: Ledger, *, here: bool) -> None:
    lines = [line("alert-2", 1), line("alert-1", 1, b"a"), line("alert-1", 1, b"other")]
    if here:
        await write(ledger, lines.pop(1))
    with pytest.raises(ValueError, match="alert-1@1"):
        await ledger.adopt(lines)
    async with ledger.begin() as tx:
        assert await tx.peek(["alert-2"]) == {}


async def test_what_was_erased_here_is_not_brought_back_and_is_no_contradiction(ledger: Ledger) -> None:
    await write(ledger, line("cell-1", 1, b"secret"))
    async with ledger.begin() as tx:
        await tx.erase("cell-1")
    assert await ledger.adopt([line("cell-1", 1, b"secret")]) == 0
    async with ledger.begin() as tx:
        assert [each.body for each in await tx.history("cell-1")] == [None]


async def test_compacted_topics_leave_gaps_and_the_highest_version_counts(ledger: Ledger) -> None:
    assert await ledger.adopt([line("cell-1", 3, b"c"), line("cell-1", 2, b"b")]) == 2
    async with ledger.begin() as tx:
        assert [each.version for each in await tx.history("cell-1")] == [2, 3]
        assert (await tx.lock(["cell-1"]))["cell-1"].version == 3


async def test_ids_go_on_a_thousand_above_what_the_lines_use(ledger: Ledger) -> None:
    body = b'{"id": "alert-42@2", "data": {"at": "2026-03-01T03:00:00Z", "alert": 42, "comment": 7, "muted": true}}'
    async with ledger.begin() as tx:
        await tx.draw("user", 2)
    await ledger.adopt([line("alert-41", 1), line("alert-42", 2, body), line("user-5", 1), line("page-4-9", 1)])
    async with ledger.begin() as tx:
        assert await tx.draw("alert", 2) == [1043, 1044]
        assert await tx.draw("comment", 1) == [1008]
        assert min(await tx.draw("user", 1)) > 1005
        assert await tx.draw("page", 1) == [1]
        assert await tx.draw("muted", 1) == [1]


async def test_ids_stay_when_nothing_is_taken(ledger: Ledger) -> None:
    await write(ledger, line("alert-1", 1))
    async with ledger.begin() as tx:
        await tx.draw("alert", 1)
    assert await ledger.adopt([line("alert-1", 1)]) == 0
    assert await ledger.adopt([]) == 0
    async with ledger.begin() as tx:
        assert await tx.draw("alert", 1) == [2]


async def test_where_topics_were_known_to_end_never_goes_back(ledger: Ledger) -> None:
    assert await ledger.last_published() == {}
    await ledger.note_published({("alerts.v1", 0): 5, ("alerts.v1", 1): 2})
    await ledger.note_published({("alerts.v1", 0): 4, ("alerts.v1", 1): 3})
    await ledger.note_published({})
    assert await ledger.last_published() == {("alerts.v1", 0): 5, ("alerts.v1", 1): 3}


async def test_a_deadline_that_a_stream_had_is_kept_until_it_is_folded(ledger: Ledger) -> None:
    await write(ledger, line("alert-1", 1), heads=[head("alert-1", 1, due_at=at(5))])
    await ledger.adopt([line("alert-1", 2)])
    assert await ledger.earliest_due() == at(5)
