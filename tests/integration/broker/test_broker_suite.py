"""What every broker promises, Kafka and memory alike."""

import asyncio
from datetime import UTC

import pytest

from runtime.ports import Broker, Message, PositionLost, Unavailable
from tests.integration.broker.conftest import CELLS, NARROW, WIDE, Seats, World, messages, polled, reads, until, values

KEYS = [f"alert-{number}" for number in range(12)]


async def test_each_keys_messages_keep_their_order(broker: Broker) -> None:
    batches = [messages(WIDE, *((key, f"{round_}") for key in KEYS)) for round_ in range(40)]
    await asyncio.gather(*(broker.producer.send(batch) for batch in batches))
    tail = broker.tail([WIDE.name])
    await tail.start()
    records = await reads(tail, lambda taken: len(taken) == 40 * len(KEYS))
    await tail.stop()
    for key in KEYS:
        assert values(records, key) == [f"{round_}" for round_ in range(40)]


async def test_a_key_stays_in_one_partition_and_keys_spread(broker: Broker) -> None:
    written = await broker.producer.send(messages(WIDE, *((key, "1") for key in KEYS + KEYS)))
    assert [place.partition for place in written[: len(KEYS)]] == [place.partition for place in written[len(KEYS) :]]
    assert len({place.partition for place in written}) > 1


async def test_an_acknowledgement_says_where_it_was_written(broker: Broker) -> None:
    first = await broker.producer.send(messages(NARROW, ("a", "1"), ("b", "2")))
    assert [(place.topic, place.partition, place.offset) for place in first] == [
        (NARROW.name, 0, 0),
        (NARROW.name, 0, 1),
    ]
    assert await broker.end_offsets([NARROW.name]) == {(NARROW.name, 0): 2}
    assert broker.producer.oldest_unacknowledged_s() == 0


async def test_a_record_comes_back_as_it_was_given(broker: Broker) -> None:
    await broker.producer.send([Message(NARROW.name, "alert-1", b"\x00\xff")])
    tail = broker.tail([NARROW.name])
    await tail.start()
    (record,) = await reads(tail, bool)
    await tail.stop()
    assert (record.topic, record.partition, record.offset, record.key, record.value) == (
        NARROW.name,
        0,
        0,
        "alert-1",
        b"\x00\xff",
    )
    assert record.timestamp.tzinfo is UTC


async def test_no_messages_are_no_work(broker: Broker) -> None:
    assert await broker.producer.send([]) == []


async def test_offsets_are_known_for_every_partition(broker: Broker) -> None:
    await broker.producer.send(messages(NARROW, ("a", "1")))
    begins = await broker.begin_offsets([WIDE.name, NARROW.name])
    ends = await broker.end_offsets([WIDE.name, NARROW.name])
    assert set(begins) == set(ends) == {(WIDE.name, number) for number in range(4)} | {(NARROW.name, 0)}
    assert begins[NARROW.name, 0] == 0
    assert ends[NARROW.name, 0] == 1


async def test_a_topic_that_does_not_exist_is_unavailable(broker: Broker) -> None:
    with pytest.raises(Unavailable, match="no topic"):
        await broker.end_offsets(["nowhere.v1"])


async def test_a_tail_reads_everything_from_the_start(broker: Broker) -> None:
    await broker.producer.send(messages(WIDE, *((key, "before") for key in KEYS)))
    tail = broker.tail([WIDE.name, NARROW.name])
    await tail.start()
    before = await reads(tail, lambda taken: len(taken) == len(KEYS))
    await broker.producer.send(messages(NARROW, ("late", "after")))
    after = await reads(tail, bool)
    assert sorted(record.key for record in before) == sorted(KEYS)
    assert values(after) == ["after"]
    assert await tail.end_offsets() == await broker.end_offsets([WIDE.name, NARROW.name])
    assert await tail.poll(0.1) == []
    await tail.stop()


async def test_a_tail_from_the_end_reads_only_what_comes(broker: Broker) -> None:
    await broker.producer.send(messages(NARROW, ("a", "before")))
    tail = broker.tail([NARROW.name], from_end=True)
    await tail.start()
    await until(lambda: _quiet(tail), meanwhile=lambda: asyncio.sleep(0.02))
    await broker.producer.send(messages(NARROW, ("a", "after")))
    records = await reads(tail, bool)
    await tail.stop()
    assert values(records) == ["after"]


async def _quiet(reader: object) -> bool:
    """A poll that answers at all says that the reader has found its place."""
    try:
        assert await reader.poll(0.05) == []  # type: ignore[attr-defined]
    except Unavailable:
        return False
    return True


async def test_tombstones_come_as_none(broker: Broker) -> None:
    await broker.producer.send(messages(CELLS, ("person-1", "Ada"), ("person-1", None), ("person-2", "Bob")))
    tail = broker.tail([CELLS.name])
    await tail.start()
    records = await reads(tail, lambda taken: len(taken) == 3)
    await tail.stop()
    assert values(records) == ["Ada", None, "Bob"]


async def test_a_member_reads_from_the_positions_it_is_given(broker: Broker) -> None:
    await broker.producer.send(messages(NARROW, *((f"k{n}", f"{n}") for n in range(10))))
    seats = Seats({(NARROW.name, 0): 7})
    member = broker.member([NARROW.name], "g", "g-0", seats)
    await member.start()
    records = await reads(member, lambda taken: len(taken) >= 3)
    await member.stop()
    assert values(records) == ["7", "8", "9"]


async def test_the_groups_own_offset_is_never_used(broker: Broker) -> None:
    await broker.producer.send(messages(NARROW, *((f"k{n}", f"{n}") for n in range(4))))
    first = Seats()
    member = broker.member([NARROW.name], "g", "g-0", first)
    await member.start()
    await reads(member, lambda taken: len(taken) == 4)
    await member.commit({(NARROW.name, 0): 4})
    await member.stop()

    again = broker.member([NARROW.name], "g", "g-0", Seats({(NARROW.name, 0): 1}))
    await again.start()
    assert values(await reads(again, lambda taken: len(taken) == 3)) == ["1", "2", "3"]
    await again.stop()


async def test_a_poll_takes_no_more_than_the_limit_and_loses_nothing(broker: Broker) -> None:
    await broker.producer.send(messages(NARROW, *((f"k{n}", f"{n}") for n in range(10))))
    tail = broker.tail([NARROW.name])
    await tail.start()
    taken: list[str | None] = []
    async with asyncio.timeout(30):
        while len(taken) < 10:
            records = await tail.poll(5, limit=3)
            assert len(records) <= 3
            taken += values(records)
    await tail.stop()
    assert taken == [f"{n}" for n in range(10)]


async def test_what_is_forgotten_is_read_again_from_where_the_assignment_says(broker: Broker) -> None:
    await broker.producer.send(messages(NARROW, ("a", "1"), ("a", "2"), ("a", "3")))
    seats = Seats()
    member = broker.member([NARROW.name], "g", "g-0", seats)
    await member.start()
    await reads(member, lambda taken: len(taken) == 3)
    seats.positions[NARROW.name, 0] = 1
    member.forget([(NARROW.name, 0)])
    again = await reads(member, lambda taken: len(taken) == 2)
    await member.stop()
    assert values(again) == ["2", "3"]


async def test_two_members_share_the_partitions_and_all_is_read(world: World) -> None:
    one, two = await world.process(), await world.process()
    seats = [Seats(), Seats()]
    members = [
        broker.member([WIDE.name], "g", f"g-{n}", seat)
        for n, (broker, seat) in enumerate(zip((one, two), seats, strict=True))
    ]
    taken: list[str] = []

    async def poll_both() -> None:
        for member, seat in zip(members, seats, strict=True):
            records = await polled(member, 0.05)
            seat.moved(records)
            for other in seats:
                other.positions.update(seat.positions)
            taken.extend(record.key for record in records)

    await members[0].start()
    await until(lambda: len(seats[0].held) == 4, meanwhile=poll_both)
    await members[1].start()
    await until(lambda: len(seats[0].held) == len(seats[1].held) == 2, meanwhile=poll_both)
    assert seats[0].held.isdisjoint(seats[1].held)
    assert seats[0].story[:3] == ["assigned", "revoked", "assigned"]

    await one.producer.send(messages(WIDE, *((key, "1") for key in KEYS)))
    await until(lambda: len(taken) >= len(KEYS), meanwhile=poll_both)
    assert sorted(taken) == sorted(KEYS)
    for member in members:
        await member.stop()


async def test_partitions_move_only_after_nothing_of_them_is_in_flight(world: World) -> None:
    one, two = await world.process(), await world.process()
    busy, other = Seats(), Seats()
    first, second = one.member([WIDE.name], "g", "g-0", busy), two.member([WIDE.name], "g", "g-1", other)

    async def poll_both() -> None:
        await polled(first, 0.05)
        await polled(second, 0.05)

    await first.start()
    await until(lambda: len(busy.held) == 4, meanwhile=poll_both)
    busy.let_go.clear()  # a batch is being handled
    await second.start()
    for _ in range(10):
        await poll_both()
    assert len(busy.held) == 4
    assert other.held == set()
    busy.let_go.set()
    await until(lambda: len(other.held) == 2, meanwhile=poll_both)
    await first.stop()
    await second.stop()


async def test_a_member_that_comes_back_takes_its_own_partitions_and_disturbs_nobody(world: World) -> None:
    one, two = await world.process(), await world.process()
    stays, goes = Seats(), Seats()
    first, second = one.member([WIDE.name], "g", "g-0", stays), two.member([WIDE.name], "g", "g-1", goes)

    async def poll_both() -> None:
        await polled(first, 0.05)
        await polled(second, 0.05)

    await first.start()
    await second.start()
    await until(lambda: len(stays.held) == len(goes.held) == 2, meanwhile=poll_both)
    told = list(stays.story)
    await second.stop()

    back = Seats()
    third = two.member([WIDE.name], "g", "g-1", back)
    await third.start()
    began = asyncio.get_running_loop().time()
    await until(lambda: len(back.held) == 2, meanwhile=lambda: polled(third, 0.05))
    assert asyncio.get_running_loop().time() - began < 5  # a killed member's partitions would take 6 s
    assert back.held == goes.held
    assert stays.story == told
    await first.stop()
    await third.stop()


async def test_a_frozen_broker_is_unavailable_and_what_was_handed_over_arrives(world: World) -> None:
    broker = await world.process()
    await broker.producer.send(messages(NARROW, ("a", "before")))
    await world.freeze()
    sending = asyncio.ensure_future(broker.producer.send(messages(NARROW, ("a", "during"))))
    await until(lambda: broker.producer.oldest_unacknowledged_s() > 0.3, meanwhile=lambda: asyncio.sleep(0.02))
    earlier = broker.producer.oldest_unacknowledged_s()
    with pytest.raises(Unavailable):
        await sending
    assert broker.producer.oldest_unacknowledged_s() > earlier  # its caller has gone, but it is still under way
    with pytest.raises(Unavailable):
        await broker.end_offsets([NARROW.name])

    await world.thaw()
    await until(lambda: broker.producer.oldest_unacknowledged_s() == 0, meanwhile=lambda: asyncio.sleep(0.02))
    await broker.producer.send(messages(NARROW, ("a", "after")))
    tail = broker.tail([NARROW.name])
    await tail.start()
    records = await reads(tail, lambda taken: len(taken) >= 3)
    await tail.stop()
    assert values(records) == ["before", "during", "after"]


async def test_readers_live_through_a_frozen_broker(world: World) -> None:
    broker = await world.process()
    await broker.producer.send(messages(NARROW, ("a", "1")))
    seats = Seats()
    member, tail = broker.member([NARROW.name], "g", "g-0", seats), broker.tail([NARROW.name])
    await member.start()
    await tail.start()
    await reads(member, bool, moved=seats.moved)
    await reads(tail, bool)
    await world.freeze()
    assert await polled(member) == []
    assert await polled(tail) == []
    await world.thaw()
    await broker.producer.send(messages(NARROW, ("a", "2")))
    assert values(await reads(member, bool)) == ["2"]
    assert values(await reads(tail, bool)) == ["2"]
    await member.stop()
    await tail.stop()


async def test_a_position_beyond_the_end_stops_the_reader_with_words(broker: Broker) -> None:
    await broker.producer.send(messages(NARROW, ("a", "1")))
    member = broker.member([NARROW.name], "g", "g-0", Seats({(NARROW.name, 0): 99}))
    await member.start()
    with pytest.raises(PositionLost):
        await reads(member, bool)
    await member.stop()
