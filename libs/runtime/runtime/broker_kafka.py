"""Kafka as the broker port: from addresses and a prefix come the process' one producer, its readers, and what topics are.

Nothing here fails because the broker is away: connections are sought in the background and made again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError, NoError, TopicAlreadyExistsError, for_code

from events.topics import Topic
from runtime import metrics
from runtime.kafka_link import Link, Names
from runtime.kafka_producer import PATIENCE_S, KafkaProducer
from runtime.kafka_readers import KafkaMember, KafkaTail
from runtime.kafka_security import OPEN, Security
from runtime.ports import Assignment, Place, Unavailable
from runtime.settings import Settings
from runtime.standing import Standing

T = TypeVar("T")

ASK_WITHIN_S = 2.0
ADMIN_TIMEOUT_MS = 10_000
CREATE_WITHIN_S = 30.0


class KafkaBroker:
    """One per process (`of_process`). Roles of a process share it; the last one that stops it ends it."""

    def __init__(
        self,
        bootstrap: Sequence[str],
        prefix: str = "",
        *,
        patience_s: float = PATIENCE_S,
        security: Security = OPEN,
    ) -> None:
        self._bootstrap, self._names, self._security = list(bootstrap), Names(prefix), security
        self._producer = KafkaProducer(bootstrap, self._names, patience_s=patience_s, security=security)
        self._asking: Link[AIOKafkaConsumer] = Link("offsets", self._open_asking, _stop)
        self._admin: Link[AIOKafkaAdminClient] = Link("topics", self._open_admin, _close)
        self._places: dict[str, tuple[Place, ...]] = {}
        self._users = 0

    @property
    def producer(self) -> KafkaProducer:
        return self._producer

    def member(self, topics: Sequence[str], group: str, instance: str, assignment: Assignment) -> KafkaMember:
        """See ports.Broker."""
        ends, security = self.end_offsets, self._security
        return KafkaMember(self._bootstrap, self._names, ends, topics, group, instance, assignment, security=security)

    def tail(self, topics: Sequence[str], from_end: bool = False) -> KafkaTail:
        """See ports.Broker."""
        begins, ends = self.begin_offsets, self.end_offsets
        return KafkaTail(self._bootstrap, self._names, begins, ends, topics, from_end=from_end, security=self._security)

    async def start(self) -> None:
        """Returns at once. Every user of the broker may call it."""
        self._users += 1
        if self._users == 1:
            await self._producer.start()
            await self._asking.start()
            await self._admin.start()

    async def stop(self) -> None:
        self._users -= 1
        if self._users == 0:
            await asyncio.gather(self._producer.stop(), self._asking.stop(), self._admin.stop())

    def ready(self) -> str | None:
        return self._producer.ready()

    async def end_offsets(self, topics: Sequence[str]) -> dict[Place, int]:
        """Where the partitions end now; asked on a connection of its own, where no fetch waits before it."""
        return await self._offsets(topics, lambda consumer, places: consumer.end_offsets(places))

    async def begin_offsets(self, topics: Sequence[str]) -> dict[Place, int]:
        return await self._offsets(topics, lambda consumer, places: consumer.beginning_offsets(places))

    async def describe(self, topics: Sequence[str]) -> dict[str, tuple[int, dict[str, str]]]:
        """Of those that exist: the number of partitions and the settings. Raises Unavailable."""
        return await self._ask(self._admin, lambda admin: self._describe(admin, topics), CREATE_WITHIN_S)

    async def create(self, topics: Sequence[Topic]) -> list[str]:
        """Create what is missing; the names of those created here. Raises Unavailable."""
        return await self._ask(self._admin, lambda admin: self._create(admin, topics), CREATE_WITHIN_S)

    async def standings(self, groups: Sequence[str]) -> dict[str, Standing]:
        """See standing.Standings."""
        return await self._ask(self._admin, lambda admin: self._standings(admin, groups), ASK_WITHIN_S)

    # -- asking

    async def _offsets(self, topics: Sequence[str], ask: "_AskOffsets") -> dict[Place, int]:
        async def answer(consumer: AIOKafkaConsumer) -> dict[Place, int]:
            places = {TopicPartition(self._names.wire(t), n): (t, n) for t, n in await self._partitions(topics)}
            offsets: Mapping[TopicPartition, int] = await ask(consumer, list(places))
            return {place: offsets[partition] for partition, place in places.items()}

        return await self._ask(self._asking, answer, ASK_WITHIN_S)

    async def _partitions(self, topics: Sequence[str]) -> list[Place]:
        """All partitions of these topics; their number is fixed at creation, so it is asked once."""
        unknown = [topic for topic in topics if topic not in self._places]
        if unknown:
            admin = await self._admin.get(ASK_WITHIN_S)
            for topic, number in (await self._counts(admin, unknown)).items():
                self._places[topic] = tuple((topic, partition) for partition in range(number))
        missing = [topic for topic in unknown if topic not in self._places]
        if missing:
            raise Unavailable(f"there is no topic {', '.join(missing)}; python -m runtime.topics creates them")
        return [place for topic in topics for place in self._places[topic]]

    async def _ask(self, link: Link[Any], question: Callable[[Any], Awaitable[T]], within_s: float) -> T:
        try:
            async with asyncio.timeout(within_s):
                return await question(await link.get(within_s))
        except TimeoutError:
            raise Unavailable(f"the broker did not answer within {within_s:g} s") from None
        except KafkaError as error:
            raise Unavailable(f"the broker refused: {error!r}") from error

    # -- topics

    async def _counts(self, admin: AIOKafkaAdminClient, topics: Sequence[str]) -> dict[str, int]:
        described = await admin.describe_topics([self._names.wire(topic) for topic in topics])
        return {
            self._names.ours(each["topic"]): len(each["partitions"])
            for each in described
            if for_code(each["error_code"]) is NoError and each["partitions"]
        }

    async def _describe(
        self, admin: AIOKafkaAdminClient, topics: Sequence[str]
    ) -> dict[str, tuple[int, dict[str, str]]]:
        counts = await self._counts(admin, topics)
        if not counts:
            return {}
        asked = [ConfigResource(ConfigResourceType.TOPIC, self._names.wire(topic)) for topic in counts]
        configs: dict[str, dict[str, str]] = {}
        for answer in await admin.describe_configs(asked):
            for _code, _message, _type, wire, entries in answer.resources:
                configs[self._names.ours(wire)] = {entry[0]: entry[1] for entry in entries}
        return {topic: (number, configs.get(topic, {})) for topic, number in counts.items()}

    async def _standings(self, admin: AIOKafkaAdminClient, groups: Sequence[str]) -> dict[str, Standing]:
        found = await asyncio.gather(*(self._standing(admin, self._names.wire(group)) for group in groups))
        return dict(zip(groups, found, strict=True))

    async def _standing(self, admin: AIOKafkaAdminClient, wire: str) -> Standing:
        """Group by group: aiokafka reads an answer about several as if each were some bytes shorter."""
        [answer] = await admin.describe_consumer_groups([wire])
        seats = sum(len(members) for _code, _name, _state, _type, _protocol, members, *_rest in answer.groups)
        told = await admin.list_consumer_group_offsets(wire)
        return Standing({self._place(partition): known.offset for partition, known in told.items()}, seats)

    def _place(self, partition: TopicPartition) -> Place:
        return self._names.ours(partition.topic), partition.partition

    async def _create(self, admin: AIOKafkaAdminClient, topics: Sequence[Topic]) -> list[str]:
        existing = await self._counts(admin, [topic.name for topic in topics])
        missing = [topic for topic in topics if topic.name not in existing]
        if not missing:
            return []
        answer = await admin.create_topics([self._new(topic) for topic in missing], timeout_ms=ADMIN_TIMEOUT_MS)
        for wire, code, *message in answer.topic_errors:
            error = for_code(code)
            if error not in {NoError, TopicAlreadyExistsError}:
                raise Unavailable(f"topic {wire} was not created: {error.__name__} {' '.join(map(str, message))}")
        await self._until_led(admin, [topic.name for topic in missing])
        return [topic.name for topic in missing]

    def _new(self, topic: Topic) -> NewTopic:
        """As many copies as the broker's `default.replication.factor` says; an empty map is how aiokafka takes that."""
        return NewTopic(self._names.wire(topic.name), topic.partitions, -1, {}, topic.config())

    async def _until_led(self, admin: AIOKafkaAdminClient, topics: Sequence[str]) -> None:
        """A new topic takes a moment until every partition has its leader."""
        wires = [self._names.wire(topic) for topic in topics]
        while True:
            described = await admin.describe_topics(wires)
            if all(for_code(t["error_code"]) is NoError and _led(t["partitions"]) for t in described):
                return
            await asyncio.sleep(0.05)

    # -- connections

    async def _open_asking(self) -> AIOKafkaConsumer:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._bootstrap, request_timeout_ms=ADMIN_TIMEOUT_MS, **self._security.options()
        )
        try:
            await consumer.start()
        except BaseException:
            await _stop(consumer)
            raise
        return consumer

    async def _open_admin(self) -> AIOKafkaAdminClient:
        admin = AIOKafkaAdminClient(
            bootstrap_servers=self._bootstrap, request_timeout_ms=ADMIN_TIMEOUT_MS, **self._security.options()
        )
        try:
            await admin.start()
        except BaseException:
            await admin._client.close()  # noqa: SLF001 -- its own `close` does nothing before it has started
            raise
        return admin


_AskOffsets = Callable[[AIOKafkaConsumer, list[TopicPartition]], Awaitable[Mapping[TopicPartition, int]]]

_of_process: KafkaBroker | None = None


def of_process(settings: Settings) -> KafkaBroker:
    """The broker of this process, made at the first call: there is one producer per process, whatever roles it hosts."""
    global _of_process  # noqa: PLW0603 -- one per process is what this is about
    if _of_process is None:
        _of_process = KafkaBroker(settings.bootstrap, settings.topic_prefix, security=settings.kafka_security)
        metrics.UNACKNOWLEDGED_SECONDS.set_function(_of_process.producer.oldest_unacknowledged_s)
    return _of_process


def _led(partitions: Sequence[Mapping[str, Any]]) -> bool:
    return bool(partitions) and all(partition["leader"] >= 0 for partition in partitions)


async def _stop(consumer: AIOKafkaConsumer) -> None:
    await consumer.stop()


async def _close(admin: AIOKafkaAdminClient) -> None:
    await admin.close()
