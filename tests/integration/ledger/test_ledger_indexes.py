"""Indexes and ids: small look-ups that change together with the decisions, and numbers that are given once."""

import asyncio

import pytest

from runtime.ports import Ledger


async def test_entries_are_set_replaced_and_removed(ledger: Ledger) -> None:
    async with ledger.begin() as tx:
        await tx.index_put("open", {"a": "1", "b": "2", "c": "3"})
        await tx.index_put("closed", {"a": "9"})
    async with ledger.begin() as tx:
        await tx.index_put("open", {"a": "4", "b": None, "never": None})
        assert await tx.index_get("open", ["a", "b", "c", "d"]) == {"a": "4", "c": "3"}
        assert await tx.index_get("open", []) == {}
    async with ledger.begin() as tx:
        assert await tx.index_get("open", ["a", "b"]) == {"a": "4"}
        assert await tx.index_get("closed", ["a"]) == {"a": "9"}


async def test_a_scan_gives_what_begins_with_the_prefix_in_the_order_of_code_points(ledger: Ledger) -> None:
    keys = ["7/B", "7/a", "7/ä", "7/", "7/\U0001f600", "7/\U0010ffffz", "7", "70/a", "8/a", "7/%_", "Z"]
    async with ledger.begin() as tx:
        await tx.index_put("open", dict.fromkeys(keys, "x"))
        await tx.index_put("other", {"7/c": "x"})
    async with ledger.begin() as tx:
        assert list(await tx.index_scan("open", "7/")) == sorted(key for key in keys if key.startswith("7/"))
        assert list(await tx.index_scan("open", "7/\U0010ffff")) == ["7/\U0010ffffz"]
        assert list(await tx.index_scan("open", "7/%")) == ["7/%_"]
        assert list(await tx.index_scan("open", "")) == sorted(keys)
        assert await tx.index_scan("open", "nobody") == {}


@pytest.mark.parametrize("end", ["\U0010ffff", "\ud7ff"])
async def test_a_prefix_may_end_with_the_last_character_of_its_kind(ledger: Ledger, end: str) -> None:
    async with ledger.begin() as tx:
        await tx.index_put("open", {end + "a": "1", "b": "2", "\ue000": "3"})
        assert await tx.index_scan("open", end) == {end + "a": "1"}


@pytest.mark.parametrize("text", ["a\x00b", "\ud800"])
async def test_a_text_that_no_base_can_hold_is_a_mistake_and_not_an_outage(ledger: Ledger, text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 -- the two kinds of wrong text have words of their own
        async with ledger.begin() as tx:
            await tx.index_put("open", {text: "1"})
    async with ledger.begin() as tx:
        assert await tx.index_scan("open", "") == {}


async def test_ids_ascend_from_1_under_each_name(ledger: Ledger) -> None:
    async with ledger.begin() as tx:
        assert await tx.draw("alert", 3) == [1, 2, 3]
        assert await tx.draw("user", 1) == [1]
        assert await tx.draw("alert", 2) == [4, 5]


async def test_an_id_that_was_drawn_is_never_drawn_again_even_when_its_transaction_failed(ledger: Ledger) -> None:
    drawn: list[int] = []

    async def fail() -> None:
        async with ledger.begin() as tx:
            drawn.extend(await tx.draw("alert", 2))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with ledger.begin() as tx:
        assert min(await tx.draw("alert", 2)) > max(drawn)


async def test_processes_that_draw_at_once_draw_different_ids_the_first_time_too(ledger: Ledger, other: Ledger) -> None:
    async def draw(by: Ledger) -> list[int]:
        async with by.begin() as tx:
            return await tx.draw("alert", 5)

    drawn = await asyncio.gather(*(draw(by) for by in (ledger, other) * 3))
    assert len({number for batch in drawn for number in batch}) == 30
    assert all(batch == sorted(batch) for batch in drawn)


async def test_a_name_that_cannot_name_ids_is_refused(ledger: Ledger) -> None:
    with pytest.raises(ValueError, match="short name"):
        async with ledger.begin() as tx:
            await tx.draw("alert; drop table events", 1)
