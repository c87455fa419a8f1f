"""Ledgers into topics: what a broker lost, or a topic that was made anew by mistake, is published again with the same ids.

    python -m runtime.republish              every ledger, into an empty broker
    python -m runtime.republish <topic>…     these topics only, which must be empty

    refuse (roles run, topics hold something) -> each ledger's lines in their order -> readers' positions by what they saw

The order within a partition is the one that was published before, so what a reader has decided is the beginning of each
partition, and its position goes behind that. Signals have no ledger: their topic begins anew.
"""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final, TypeVar

from events.topics import POSITIONS, SERVICES, SIGNALS, TOPICS
from runtime import bookmarks, logs
from runtime.bookmarks import RESTORED
from runtime.broker_kafka import of_process
from runtime.ledger_postgres import PostgresLedger
from runtime.parked import service_of
from runtime.ports import Broker, Ledger, OutboxLine, Place, Unavailable, Written
from runtime.positions import readers
from runtime.relay import message_of
from runtime.settings import Settings

T = TypeVar("T")

BATCH: Final = 1_000
PATIENCE_S: Final = 60.0
RETRY_S: Final = 0.5
NOTES: Final = frozenset(topic.name for topic in POSITIONS.values())
WRITERS: Final = {topic.name: topic.writer for topic in TOPICS if topic.name not in NOTES}


class Refused(Exception):
    """Nothing was published; the text says why, and what to do."""


@dataclass(frozen=True)
class Republished:
    """How many events each topic got, and where each reader goes on."""

    events: Mapping[str, int]
    positions: Mapping[str, Mapping[Place, int]]


@dataclass
class Follower:
    """A reader that goes on behind what it has seen: in come lines with the places they were written to."""

    reader: str
    ledger: Ledger
    topics: frozenset[str]
    next: dict[Place, int] = field(default_factory=dict)
    unseen: set[Place] = field(default_factory=set)

    async def follow(self, lines: Sequence[OutboxLine], written: Sequence[Written]) -> None:
        mine = [(one.line, at) for one, at in zip(lines, written, strict=True) if at.topic in self.topics]
        if not mine:
            return
        async with self.ledger.begin() as tx:
            seen = await tx.seen(self.reader, {line.stream for line, _ in mine})
        for line, at in mine:
            place = (at.topic, at.partition)
            if place not in self.unseen and (line.body is None or line.version <= seen.get(line.stream, 0)):
                self.next[place] = at.offset + 1
            else:
                self.unseen.add(place)

    async def go_on(self, begins: Mapping[Place, int], at: datetime) -> Mapping[Place, int]:
        """Set the positions in the topics that were published again; the others stay. Gives those that were set."""
        places = {place: begin for place, begin in begins.items() if place[0] in self.topics}
        async with self.ledger.begin() as tx:
            held = await tx.positions(self.reader)
            goals = {place: self.next.get(place, begin) for place, begin in places.items()}
            moves = {place: (held.get(place), goal) for place, goal in goals.items() if place in held or goal}
            await tx.advance(self.reader, moves)
            marks = await tx.index_get(RESTORED, [RESTORED, self.reader])
            if marks.get(RESTORED, "") <= marks.get(self.reader, ""):  # else it goes on from its note, or asks
                await tx.index_put(RESTORED, {self.reader: at.isoformat()})
        return {place: goal for place, (_, goal) in moves.items()}


async def republish(
    authors: Mapping[str, Ledger],
    followers: Sequence[Follower],
    broker: Broker,
    at: datetime,
    topics: Sequence[str] = (),
) -> Republished:
    """Publish these topics again (all, where none is named) from their services' ledgers, and note where readers stand.

    Raises Refused before anything was written, and Unavailable: then the topics must be emptied before it is said again.
    """
    _refuse_unknown(topics)
    chosen = list(topics) or [name for name, writer in WRITERS.items() if writer in authors]
    events = [name for name in chosen if name != SIGNALS.name]
    for service in {WRITERS[topic] for topic in events}:
        await _refuse_running(service, authors[service])
    await _refuse_filled(broker, events)
    if SIGNALS.name in chosen:
        await _refuse_signals_that_stand(broker, followers)
    counts = dict.fromkeys(chosen, 0)
    for service, ledger in authors.items():
        await _publish(ledger, broker, [topic for topic in events if WRITERS[topic] == service], followers, counts)
    begins = await broker.begin_offsets(chosen)
    positions = {follower.reader: await follower.go_on(begins, at) for follower in followers}
    for service, ledger in authors.items():
        if notes := await bookmarks.notes_in(ledger):
            await bookmarks.publish(broker.producer, service, notes, at)
    return Republished(counts, positions)


async def _publish(
    ledger: Ledger, broker: Broker, topics: Sequence[str], followers: Sequence[Follower], counts: dict[str, int]
) -> None:
    """One service's topics. Its relay is kept from leading meanwhile."""
    after = 0
    while topics and (lines := await ledger.lines(topics, after, BATCH)):
        await _lead(ledger)
        written = await broker.producer.send([message_of(one.line) for one in lines])
        for follower in followers:
            await follower.follow(lines, written)
        for one in lines:
            counts[one.line.topic] += 1
        after = lines[-1].seq
    if topics:
        await ledger.forget_published(topics)
        await ledger.note_published(await broker.end_offsets(topics))


def _refuse_unknown(topics: Sequence[str]) -> None:
    if unknown := [name for name in topics if name not in WRITERS]:
        raise Refused(f"{', '.join(unknown)}: no topic of ours; there are {', '.join(WRITERS)}")


async def _lead(ledger: Ledger) -> None:
    if not await ledger.lead():
        raise Refused(
            "a role of the service was started meanwhile: stop it, and empty the topics before you say this again"
        )


async def _refuse_running(service: str, ledger: Ledger) -> None:
    if not await ledger.lead():
        raise Refused(
            f"roles of {service} run and publish: stop them first (all roles, where the whole broker was lost)"
        )


async def _refuse_filled(broker: Broker, topics: Sequence[str]) -> None:
    begins, ends = await broker.begin_offsets(topics), await broker.end_offsets(topics)
    filled = sorted({place[0] for place, end in ends.items() if end > begins.get(place, 0)})
    if filled:
        raise Refused(
            f"{', '.join(filled)}: not empty. What is in the ledgers would be there twice, and late. If this broker did lose "
            f"its topics: stop the roles, delete these (kafka-topics --delete --topic …), python -m runtime.topics, and "
            f"say this again"
        )


async def _refuse_signals_that_stand(broker: Broker, followers: Sequence[Follower]) -> None:
    """Records in it are news only where it was made anew: where somebody has read further than it reaches now."""
    ends = await broker.end_offsets([SIGNALS.name])
    held = [await follower.ledger.positions(follower.reader) for follower in followers]
    past = any(position > ends[place] for one in held for place, position in one.items() if place in ends)
    if any(ends.values()) and not past:
        raise Refused(
            f"{SIGNALS.name} holds records, and nothing shows that it was made anew: every reader's position fits it. It would be "
            f"read again from its beginning, and people paged for the past"
        )


# -- from the command line


def followers_of(settings: Settings, ledgers: Mapping[str, Ledger]) -> list[Follower]:
    """Every reader with positions of the installed services."""
    return [
        Follower(reader, ledgers[service_of(reader)], frozenset(topics)) for reader, topics in readers(settings).items()
    ]


async def _republish(settings: Settings, topics: Sequence[str]) -> Republished:
    _refuse_unknown(topics)
    ledgers = {service: PostgresLedger(settings.database_of(service)) for service in SERVICES}
    followers = followers_of(settings, ledgers)
    broker = of_process(settings)  # the roles that were made for their readers share it already
    await broker.start()
    try:
        await _patiently(lambda: broker.end_offsets(list(topics) or list(WRITERS)))
        return await republish(ledgers, followers, broker, datetime.now(UTC), topics)
    finally:
        await broker.stop()
        for ledger in ledgers.values():
            await ledger.stop()


async def _patiently(ask: Callable[[], Awaitable[T]]) -> T:
    """Until the broker answers."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            try:
                return await ask()
            except Unavailable:
                await asyncio.sleep(RETRY_S)


def _told(done: Republished) -> Iterable[str]:
    yield from (f"{topic}: {count} events" for topic, count in done.events.items())
    for reader, positions in sorted(done.positions.items()):
        yield f"{reader}: {len(positions)} positions were set"
    yield "start the roles now (those of readers too that stood still)"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m runtime.republish", description="Publish ledgers into empty topics."
    )
    parser.add_argument("topics", nargs="*", metavar="TOPIC", help="only these; all, where none")
    topics: list[str] = parser.parse_args(arguments).topics
    settings = Settings()
    logs.setup(settings.log_level, settings.log_format, process="republish")
    try:
        done = asyncio.run(_republish(settings, topics))
    except (Refused, Unavailable, ValueError) as error:  # a role whose settings are missing says which
        sys.stderr.write(f"alarum: {error}\n")
        return 1
    except TimeoutError:
        sys.stderr.write(
            f"alarum: no broker with these topics answered within {PATIENCE_S:g} s; python -m runtime.topics?\n"
        )
        return 1
    sys.stdout.writelines(f"{line}\n" for line in _told(done))
    return 0


if __name__ == "__main__":
    sys.exit(main())
