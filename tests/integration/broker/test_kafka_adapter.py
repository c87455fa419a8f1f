"""What only the real broker can show: one producer, a session that breaks, a broker that is away, topics as declared."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio
from aiokafka import TopicPartition

from events.topics import TOPICS as ALL_TOPICS
from events.topics import Topic
from runtime import metrics, topics
from runtime.broker_kafka import KafkaBroker
from runtime.kafka_producer import KafkaProducer
from runtime.ports import Message, Unavailable
from runtime.topics import TopicCheck, TopicsDiffer
from tests.backend import Backend
from tests.integration.broker.conftest import CELLS, NARROW, TOPICS, Seats, messages, polled, reads, until, values

NOBODY_THERE = "127.0.0.1:1"


@pytest_asyncio.fixture
async def kafka(backend: Backend, topic_prefix: str) -> AsyncIterator[KafkaBroker]:
    broker = KafkaBroker([backend.bootstrap], topic_prefix, patience_s=3.0)
    await broker.start()
    await broker.create(TOPICS)
    yield broker
    await backend.heal()
    await broker.stop()


class TestOneProducer:
    async def test_a_second_producer_in_the_process_is_refused(self) -> None:
        first = KafkaProducer([NOBODY_THERE])
        with pytest.raises(RuntimeError, match="one per process"):
            KafkaProducer([NOBODY_THERE])
        await first.stop()
        await KafkaProducer([NOBODY_THERE]).stop()

    async def test_a_session_that_broke_is_made_again(self, kafka: KafkaBroker) -> None:
        (written,) = await kafka.producer.send(messages(NARROW, ("a", "1")))
        session = kafka.producer._link.held
        assert session is not None
        wire = TopicPartition(kafka._names.wire(NARROW.name), written.partition)
        session._txn_manager.increment_sequence_number(wire, 5)  # the broker takes nothing after a hole
        with pytest.raises(Unavailable, match="OutOfOrderSequence"):
            await kafka.producer.send(messages(NARROW, ("a", "lost")))
        assert kafka.producer.oldest_unacknowledged_s() == 0
        (again,) = await kafka.producer.send(messages(NARROW, ("a", "2")))
        assert again.offset == written.offset + 1
        assert kafka.producer._link.held is not session

    async def test_a_message_that_is_too_large_is_the_callers_mistake(self, kafka: KafkaBroker) -> None:
        with pytest.raises(ValueError, match="bytes"):
            await kafka.producer.send([Message(NARROW.name, "a", b"x" * (6 * 1024 * 1024 + 1))])
        await kafka.producer.send([Message(NARROW.name, "a", b"x" * (5 * 1024 * 1024))])

    async def test_events_say_what_they_are_and_tombstones_say_nothing(self, kafka: KafkaBroker) -> None:
        await kafka.producer.send(messages(CELLS, ("a", "1"), ("a", None)))
        tail = kafka.tail([CELLS.name])
        await tail.start()
        consumer = await tail._link.get(10)
        taken: list[tuple[tuple[str, bytes], ...]] = []
        async with asyncio.timeout(20):
            while len(taken) < 2:
                for records in (await consumer.getmany(timeout_ms=1000)).values():
                    taken += [record.headers for record in records]
        await tail.stop()
        assert taken == [(("content-type", b"application/cloudevents+json"),), ()]


class TestAway:
    async def test_nothing_fails_to_start_while_the_broker_is_away(self) -> None:
        broker = KafkaBroker([NOBODY_THERE], patience_s=0.5)
        await broker.start()
        member, tail = broker.member([NARROW.name], "g", "g-0", Seats()), broker.tail([NARROW.name])
        await member.start()
        await tail.start()
        sending = asyncio.ensure_future(broker.producer.send(messages(NARROW, ("a", "1"))))
        await until(lambda: broker.producer.oldest_unacknowledged_s() > 0.3, meanwhile=lambda: asyncio.sleep(0.02))
        for attempt in (sending, member.poll(0.05), tail.poll(0.05), broker.end_offsets([NARROW.name])):
            with pytest.raises(Unavailable):
                await attempt
        assert broker.producer.oldest_unacknowledged_s() == 0  # it was never handed over, so nothing is under way
        assert "away" in (broker.ready() or "")
        await member.stop()
        await tail.stop()
        await broker.stop()

    async def test_what_was_never_handed_over_is_never_written(self, backend: Backend, kafka: KafkaBroker) -> None:
        """Behind a call that cannot hand over, others wait for their turn; refused there, they leave no trace."""
        await kafka.producer.send(messages(NARROW, ("a", "before")))
        await backend.freeze_broker()
        big = [Message(NARROW.name, "a", b"x" * 200_000) for _ in range(4)]  # more than the buffer of a partition
        full = asyncio.ensure_future(kafka.producer.send(big))
        await until(kafka.producer._turn.locked, meanwhile=lambda: asyncio.sleep(0.01))
        refused = [asyncio.ensure_future(kafka.producer.send(messages(NARROW, ("a", "refused")))) for _ in range(5)]
        for call in (full, *refused):
            with pytest.raises(Unavailable):
                await call
        await backend.thaw_broker()
        await until(lambda: kafka.producer.oldest_unacknowledged_s() == 0, meanwhile=lambda: asyncio.sleep(0.02))
        await kafka.producer.send(messages(NARROW, ("a", "after")))
        tail = kafka.tail([NARROW.name])
        await tail.start()
        records = await reads(tail, lambda taken: bool(taken) and taken[-1].value == b"after")
        await tail.stop()
        assert "refused" not in values(records)
        assert records[0].value == b"before"

    async def test_everybody_lives_through_a_killed_broker(self, backend: Backend, kafka: KafkaBroker) -> None:
        seats = Seats()
        member, tail = kafka.member([NARROW.name], "g", "g-0", seats), kafka.tail([NARROW.name])
        await member.start()
        await tail.start()
        await kafka.producer.send(messages(NARROW, ("a", "1")))
        await reads(member, bool, moved=seats.moved)
        await reads(tail, bool)
        await backend.kill_broker()
        sending = asyncio.ensure_future(kafka.producer.send(messages(NARROW, ("a", "2"))))
        assert await polled(member) == []
        assert await polled(tail) == []
        await asyncio.wait({sending})
        await backend.restart_broker()

        async def send_again() -> None:
            try:
                await kafka.producer.send(messages(NARROW, ("a", "3")))
                done.append(True)
            except Unavailable:
                return

        done: list[bool] = []
        await until(lambda: bool(done), meanwhile=send_again)
        from_member = values(await reads(member, lambda taken: "3" in values(taken), moved=seats.moved))
        from_tail = values(await reads(tail, lambda taken: "3" in values(taken)))
        assert from_member == from_tail
        assert list(dict.fromkeys(from_tail)) in (["2", "3"], ["3"])
        await member.stop()
        await tail.stop()
        assert isinstance(sending.exception() or Unavailable(), Unavailable)

    async def test_offsets_are_answered_while_fetches_wait_for_records(self, kafka: KafkaBroker) -> None:
        """A fetch that waits 500 ms blocks its connection: gates and barriers must not stand behind it."""
        tails = [kafka.tail([NARROW.name], from_end=True) for _ in range(3)]
        for tail in tails:
            await tail.start()
        polls = [asyncio.ensure_future(reads(tail, bool)) for tail in tails]
        for _ in range(20):
            await kafka.end_offsets([NARROW.name])
        assert not any(poll.done() for poll in polls)
        await kafka.producer.send(messages(NARROW, ("a", "1")))
        assert [values(records) for records in await asyncio.gather(*polls)] == [["1"]] * 3
        for tail in tails:
            await tail.stop()


class TestTopics:
    async def test_all_topics_are_created_as_declared_and_only_once(self, backend: Backend, topic_prefix: str) -> None:
        broker = KafkaBroker([backend.bootstrap], topic_prefix)
        await broker.start()
        assert await topics.create(broker) == [topic.name for topic in ALL_TOPICS]
        assert await topics.create(broker) == []
        found = await broker.describe([topic.name for topic in ALL_TOPICS])
        assert {name: partitions for name, (partitions, _) in found.items()} == {
            topic.name: topic.partitions for topic in ALL_TOPICS
        }
        assert found["signals.v1"][1]["flush.messages"] == "1"
        assert found["people.v1"][1]["cleanup.policy"] == "compact"
        await broker.stop()

    @pytest.mark.parametrize(
        ("declared", "words"),
        [
            (replace(NARROW, partitions=3), "narrow.v1 has partitions 1, not 3"),
            (replace(NARROW, compacted=True), "cleanup.policy delete, not compact"),
            (replace(NARROW, flush_each=True), "flush.messages 9223372036854775807, not 1"),
            (replace(NARROW, name="gone.v1"), "gone.v1 is missing: run python -m runtime.topics"),
        ],
    )
    async def test_another_shape_is_refused_with_what_to_do(
        self, kafka: KafkaBroker, declared: Topic, words: str
    ) -> None:
        with pytest.raises(TopicsDiffer, match=words):
            await topics.check(kafka, [CELLS, declared])

    async def test_a_process_with_wrong_topics_is_ended(self, kafka: KafkaBroker) -> None:
        died = asyncio.Event()
        asyncio.get_running_loop().set_exception_handler(lambda _loop, _context: died.set())
        good, bad = TopicCheck(kafka, TOPICS), TopicCheck(kafka, [replace(NARROW, partitions=2)])
        await good.start()
        await until(lambda: good.ready() is None, meanwhile=lambda: asyncio.sleep(0.02))
        assert not died.is_set()
        await bad.start()
        await asyncio.wait_for(died.wait(), 20)
        assert bad.ready() is not None

    async def test_from_the_command_line(self, backend: Backend, topic_prefix: str) -> None:
        environment = os.environ | {"KAFKA_BOOTSTRAP": backend.bootstrap, "TOPIC_PREFIX": topic_prefix}
        for _ in range(2):
            done = await asyncio.to_thread(
                subprocess.run,
                [sys.executable, "-m", "runtime.topics"],
                env=environment,
                capture_output=True,
                check=False,
            )
            assert done.returncode == 0, done.stderr.decode()
        assert b'"created": []' in done.stderr


class TestFigures:
    async def test_lag_is_what_was_fetched_and_not_yet_given_out(self, kafka: KafkaBroker) -> None:
        await kafka.producer.send(messages(NARROW, *((f"k{n}", "x") for n in range(10))))
        seats = Seats()
        member = kafka.member([NARROW.name], "lagging", "lagging-0", seats)
        await member.start()
        first = await reads(member, bool, moved=seats.moved)
        read = len(first)
        while read < 4:
            read += len(await member.poll(1, limit=1))

        def shown() -> str:
            lines = metrics.exposition().decode().splitlines()
            return next(line for line in lines if line.startswith('alarum_reader_lag_records{reader="lagging"}'))

        assert shown().endswith(f" {10 - read}.0")
        await reads(member, lambda taken: len(taken) + read == 10)
        assert shown().endswith(" 0.0")
        await member.stop()
