"""Deliveries: a first page before repeats, one at a time for each target, nothing twice unless its sender died."""

import asyncio

from runtime.ports import Ledger
from tests.integration.ledger.facts import T0, at, claim, delivery, enqueue, ids


async def test_a_delivery_comes_back_as_it_was_put(ledger: Ledger) -> None:
    put = delivery(1, payload=b"\x00\xff", lane=2, attempts=3)
    await enqueue(ledger, put)
    assert await claim(ledger) == [put]


async def test_the_first_lane_goes_first_and_its_newest_before_all(ledger: Ledger) -> None:
    lanes = {1: 1, 2: 0, 3: 1, 4: 0, 5: 2}
    await enqueue(ledger, *(delivery(number, f"target-{number}", lane=lane) for number, lane in lanes.items()))
    assert ids(await claim(ledger)) == [4, 2, 1, 3, 5]


async def test_what_was_put_at_the_same_instant_goes_by_number(ledger: Ledger) -> None:
    same = [delivery(number, f"target-{number}", lane=number % 2, created_at=T0) for number in range(1, 5)]
    await enqueue(ledger, *same)
    assert ids(await claim(ledger)) == [4, 2, 1, 3]


async def test_no_more_are_claimed_than_were_asked_for_and_the_best_ones(ledger: Ledger) -> None:
    await enqueue(ledger, *(delivery(number, f"target-{number}", lane=1) for number in (3, 1, 2)))
    assert ids(await claim(ledger, limit=2)) == [1, 2]
    assert ids(await claim(ledger, limit=2)) == [3]


async def test_nothing_goes_before_its_time(ledger: Ledger) -> None:
    await enqueue(ledger, delivery(1, not_before=at(5)))
    assert await claim(ledger, now=4.9) == []
    assert ids(await claim(ledger, now=5)) == [1]


async def test_a_target_has_one_in_flight_until_that_is_settled(ledger: Ledger, other: Ledger) -> None:
    await enqueue(ledger, delivery(1), delivery(2), delivery(3, "bob@example.org"))
    assert ids(await claim(ledger)) == [3, 2]
    assert await claim(other) == []
    async with ledger.begin() as tx:
        await tx.settle([2])
    assert ids(await claim(other)) == [1]


async def test_a_busy_target_is_passed_over(ledger: Ledger) -> None:
    await enqueue(ledger, delivery(1), delivery(2, "bob@example.org"))
    assert ids(await claim(ledger, busy=["ada@example.org"])) == [2]


async def test_a_lease_that_ran_out_is_given_again_and_says_so(ledger: Ledger, other: Ledger) -> None:
    await enqueue(ledger, delivery(1))
    [first] = await claim(ledger, now=0)
    assert not first.leased_before
    assert await claim(other, now=29.9) == []
    [again] = await claim(other, now=30)
    assert (again.id, again.leased_before) == (1, True)


async def test_a_lease_given_back_is_tried_again_at_its_time_and_is_no_repeat(ledger: Ledger) -> None:
    await enqueue(ledger, delivery(1))
    await claim(ledger)
    async with ledger.begin() as tx:
        await tx.postpone(1, at(8), 1)
    assert await claim(ledger, now=7) == []
    [again] = await claim(ledger, now=8)
    assert (again.attempts, again.leased_before) == (1, False)


async def test_what_is_settled_is_over(ledger: Ledger) -> None:
    await enqueue(ledger, delivery(1), delivery(2, "bob@example.org"))
    await claim(ledger)
    async with ledger.begin() as tx:
        await tx.settle([1, 2, 99])
        await tx.postpone(1, at(0), 1)
    assert await claim(ledger, now=1000) == []
    assert await ledger.earliest_delivery() is None


async def test_a_claim_that_is_rolled_back_leases_nothing(ledger: Ledger) -> None:
    await enqueue(ledger, delivery(1))
    try:
        async with ledger.begin() as tx:
            await tx.claim(at(0), at(30), 10, [])
            _ = 1 / 0
    except ZeroDivisionError:
        pass
    [again] = await claim(ledger)
    assert not again.leased_before


async def test_claiming_at_once_gives_nothing_twice_and_no_target_two(ledger: Ledger, other: Ledger) -> None:
    """Also while new deliveries for the same targets come in, newer than what is being claimed."""
    await enqueue(ledger, *(delivery(number, f"target-{number % 10}") for number in range(100)))
    sent: list[int] = []
    in_flight: set[str] = set()

    async def send(by: Ledger) -> None:
        while claimed := await claim(by, now=0, limit=3):
            targets = [each.target for each in claimed]
            assert len(set(targets)) == len(targets)
            assert not in_flight & set(targets)
            in_flight.update(targets)
            await asyncio.sleep(0)
            in_flight.difference_update(targets)
            sent.extend(ids(claimed))
            async with by.begin() as tx:
                await tx.settle(ids(claimed))

    async def put() -> None:
        for number in range(100, 150):
            await enqueue(other, delivery(number, f"target-{number % 10}"))

    await asyncio.gather(put(), *(send(by) for by in (ledger, other, ledger)))
    await send(ledger)
    assert sorted(sent) == list(range(150))


async def test_a_target_that_another_is_claiming_for_waits_even_for_something_newer(
    ledger: Ledger, other: Ledger
) -> None:
    await enqueue(ledger, delivery(1))
    claimed = asyncio.Event()
    go_on = asyncio.Event()

    async def claim_slowly() -> list[int]:
        async with ledger.begin() as tx:
            first = await tx.claim(at(0), at(30), 10, [])
            claimed.set()
            await go_on.wait()
            return ids(first)

    slow = asyncio.create_task(claim_slowly())
    await claimed.wait()
    rival = asyncio.create_task(_enqueue_and_claim(other))
    await asyncio.wait([rival], timeout=0.2)  # in memory it has to wait for the first one's end
    go_on.set()
    assert (await slow, await rival) == ([1], [])


async def _enqueue_and_claim(by: Ledger) -> list[int]:
    await enqueue(by, delivery(2))
    return ids(await claim(by))


async def test_the_next_instant_of_sending_counts_leases_and_leaves_busy_targets_aside(ledger: Ledger) -> None:
    assert await ledger.earliest_delivery() is None
    await enqueue(ledger, delivery(1, not_before=at(9)), delivery(2, not_before=at(2)))
    await enqueue(ledger, delivery(3, "bob@example.org", not_before=at(20)))
    assert await ledger.earliest_delivery() == at(2)
    assert ids(await claim(ledger, now=2)) == [2]
    assert await ledger.earliest_delivery() == at(20)
    assert await ledger.earliest_delivery(["bob@example.org"]) == at(32)
    assert await ledger.earliest_delivery(["bob@example.org", "ada@example.org"]) is None
