"""A person says where a reader goes on: its name and a word come in, positions in its service's ledger come out.

    python -m runtime.positions <reader> end      from the present end of its topics: nothing old is decided again
    python -m runtime.positions <reader> begin    from the start: everything is decided again

A reader asks for this when its positions do not fit its topics (docs/operations.md). Restart its role afterwards: one
that stands still does not look again by itself.
"""

import argparse
import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import entry_points
from typing import Final, Literal

from events.envelope import MalformedEvent, place_of
from runtime import logs
from runtime.bookmarks import RESTORED
from runtime.broker_kafka import of_process
from runtime.host import ROLES
from runtime.ledger_postgres import PostgresLedger
from runtime.parked import service_of
from runtime.ports import Broker, Ledger, Place, Record, Transaction, Unavailable
from runtime.role import Role
from runtime.settings import Settings
from runtime.subscription import Deciding

Where = Literal["begin", "end"]

PATIENCE_S: Final = 60.0
POLL_S: Final = 1.0


class NoSuchReader(Exception):
    """No installed role has this reader; the text names those there are."""


@dataclass(frozen=True)
class Moved:
    """Where a reader goes on, and how many streams it knows the version of."""

    positions: Mapping[Place, int]
    streams: int


async def move(ledger: Ledger, broker: Broker, reader: str, topics: Sequence[str], where: Where, at: datetime) -> Moved:
    """Set a reader's positions; `at` is now, for a restore before it is answered by this. At the end it knows every stream's version, so that the next event is no gap.

    Raises Unavailable.
    """
    if where == "begin":
        return await _begin(ledger, reader, await broker.begin_offsets(topics), at)
    return await _end(ledger, broker, reader, topics, at)


async def _begin(ledger: Ledger, reader: str, begins: Mapping[Place, int], at: datetime) -> Moved:
    """What was set aside is read again with all the rest."""
    async with ledger.begin() as tx:
        aside = await tx.parked_records(reader)
        await tx.unpark(reader, [(record.place, record.offset) for record in aside])
        await _set(tx, reader, begins, at)
    return Moved(begins, 0)


async def _end(ledger: Ledger, broker: Broker, reader: str, topics: Sequence[str], at: datetime) -> Moved:
    ends = await broker.end_offsets(topics)
    versions = await _versions(broker, topics, ends)
    async with ledger.begin() as tx:
        await _set(tx, reader, ends, at)
        await tx.note_seen(reader, versions)
    return Moved(ends, len(versions))


async def _set(tx: Transaction, reader: str, positions: Mapping[Place, int], at: datetime) -> None:
    await tx.forget_reader(reader)
    await tx.index_put(RESTORED, {reader: at.isoformat()})
    await tx.advance(reader, {place: (None, position) for place, position in positions.items()})


async def _versions(broker: Broker, topics: Sequence[str], ends: Mapping[Place, int]) -> dict[str, int]:
    """The highest version of every stream, up to these ends."""
    begins = await broker.begin_offsets(topics)
    missing = {place: end for place, end in ends.items() if begins.get(place, 0) < end}
    versions: dict[str, int] = {}
    reader = broker.tail(topics)
    await reader.start()
    try:
        while missing:
            for record in await reader.poll(POLL_S):
                if record.offset < ends.get(record.place, 0):
                    stream, version = _place(record)
                    versions[stream] = max(version, versions.get(stream, 0))
                if record.offset + 1 >= ends.get(record.place, 0):
                    missing.pop(record.place, None)
    finally:
        await reader.stop()
    return {stream: version for stream, version in versions.items() if version}


def _place(record: Record) -> tuple[str, int]:
    try:
        return place_of(record.value) if record.value is not None else ("", 0)
    except MalformedEvent:
        return "", 0


# -- from the command line


def readers(settings: Settings) -> dict[str, Sequence[str]]:
    """Every deciding reader of the installed services, with its topics. Roles are made for this, never started."""
    roles: list[Role] = [entry.load()(settings) for entry in entry_points(group=ROLES)]
    deciding = [part for role in roles for part in role.parts if isinstance(part, Deciding)]
    return {part.name: part.topics for part in deciding}


async def _move(settings: Settings, reader: str, where: Where) -> Moved:
    topics = readers(settings).get(reader)
    if topics is None:
        raise NoSuchReader(f"there is no reader {reader}; there are {', '.join(sorted(readers(settings)))}")
    broker = of_process(settings)  # the roles that were made share it already
    ledger = PostgresLedger(settings.database_of(service_of(reader)))
    await broker.start()
    try:
        async with asyncio.timeout(PATIENCE_S):
            return await move(ledger, broker, reader, topics, where, datetime.now(UTC))
    finally:
        await broker.stop()
        await ledger.stop()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m runtime.positions", description="Say where a reader goes on.")
    parser.add_argument("reader", help="as it named itself when it stopped, like escalator.worker")
    parser.add_argument("where", choices=["begin", "end"], help="decide everything again, or nothing old")
    told = parser.parse_args(arguments)
    settings = Settings()
    logs.setup(settings.log_level, settings.log_format, process="positions")
    try:
        moved = asyncio.run(_move(settings, told.reader, told.where))
    except (NoSuchReader, Unavailable, ValueError) as error:  # a role whose settings are missing says which
        sys.stderr.write(f"alarum: {error}\n")
        return 1
    except TimeoutError:
        sys.stderr.write(f"alarum: the topics could not be read within {PATIENCE_S:g} s\n")
        return 1
    for (topic, partition), position in sorted(moved.positions.items()):
        sys.stdout.write(f"{told.reader}: {topic}/{partition} goes on at {position}\n")
    sys.stdout.write(f"{told.reader} knows {moved.streams} streams; restart its role now\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
