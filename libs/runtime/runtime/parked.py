"""What readers set aside: records that could not be handled come out as a list, or are handled again when asked.

    python -m runtime.parked list [reader]              what is set aside, and why
    python -m runtime.parked replay <reader> <stream>   handle this stream's records again, in order

A replay is only asked for here. The reader that holds the stream's partition sees the wish within seconds, decides
the records in order in one transaction, and goes on with the stream; when one of them fails again, all stay aside.
"""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from runtime import logs, traces
from runtime.ledger_postgres import PostgresLedger
from runtime.migrate import installed
from runtime.ports import Ledger, Parked, Place, Record, Unavailable
from runtime.records import Received, decode_record
from runtime.settings import Settings
from runtime.unit import Unit

REPLAY: Final = "replay"
"""The index of wishes: `<reader>/<stream>` -> when it was asked for."""

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

React = Callable[[Unit, Sequence[Received]], Awaitable[None]]


class NothingParked(Exception):
    """This reader has set nothing of this stream aside."""


async def ask(ledger: Ledger, reader: str, stream: str, at: datetime) -> int:
    """Wish for a replay; the number of records that wait for it. Raises NothingParked."""
    async with ledger.begin() as tx:
        waiting = await tx.parked_records(reader, stream)
        if not waiting:
            raise NothingParked(f"{reader} has set nothing of {stream} aside")
        await tx.index_put(REPLAY, {f"{reader}/{stream}": at.isoformat()})
    return len(waiting)


async def asked(ledger: Ledger, reader: str) -> list[str]:
    """The streams whose records are wished for."""
    async with ledger.begin() as tx:
        return [key.removeprefix(f"{reader}/") for key in await tx.index_scan(REPLAY, f"{reader}/")]


class Replay:
    """One stream's parked records, handled again. `held` are the reader's partitions and positions."""

    def __init__(self, reader: str, stream: str, react: React, held: Mapping[Place, int]) -> None:
        self._reader, self._stream, self._react, self._held = reader, stream, react, held
        self._trying: Parked | None = None

    async def decide(self, unit: Unit) -> int | None:
        """Handle the records in order, and forget them with the wish; how many there were, None when they are another
        replica's to handle. Moving a position to where it is fences whoever holds it no more. Raises what handling raises.
        """
        self._trying = None
        records = await unit.tx.parked_records(self._reader, self._stream)
        places = {record.place for record in records}
        if not places <= self._held.keys():
            return None
        await unit.tx.advance(self._reader, {place: (self._held[place], self._held[place]) for place in places})
        for record in records:
            await self._handle(unit, record)
        await unit.tx.unpark(self._reader, [(record.place, record.offset) for record in records])
        self._drop_wish(unit)
        return len(records)

    async def give_up(self, unit: Unit, reason: str) -> None:
        """Drop the wish and keep the newer reason with the record that failed; everything stays aside."""
        self._drop_wish(unit)
        if (record := self._trying) is not None:
            await unit.tx.unpark(record.reader, [(record.place, record.offset)])
            await unit.tx.park(record.reader, record.stream, record.place, record.offset, record.body, reason)

    async def _handle(self, unit: Unit, record: Parked) -> None:
        self._trying = record
        received = decode_record(_read_again(record))
        if received is not None:
            with traces.batch(record.reader, [received]) as traced:
                await self._react(unit, traced)

    def _drop_wish(self, unit: Unit) -> None:
        unit.put(REPLAY, {f"{self._reader}/{self._stream}": None})


def _read_again(record: Parked) -> Record:
    """As it was read; when the broker had taken it was not kept."""
    topic, partition = record.place
    return Record(topic, partition, record.offset, record.stream, record.body or None, EPOCH)


# -- from the command line


async def _list(settings: Settings, reader: str | None) -> int:
    services = sorted(installed()) if reader is None else [service_of(reader)]
    found = [record for service in services for record in await _parked_in(settings, service, reader)]
    for record in found:
        topic, partition = record.place
        sys.stdout.write(f"{record.reader}  {record.stream}  {topic}/{partition}@{record.offset}  {record.error}\n")
    if not found:
        sys.stdout.write("nothing is set aside\n")
    return 0


async def _parked_in(settings: Settings, service: str, reader: str | None) -> list[Parked]:
    ledger = PostgresLedger(settings.database_of(service))
    try:
        async with ledger.begin() as tx:
            return await tx.parked_records(reader)
    finally:
        await ledger.stop()


async def _replay(settings: Settings, reader: str, stream: str) -> int:
    ledger = PostgresLedger(settings.database_of(service_of(reader)))
    try:
        waiting = await ask(ledger, reader, stream, datetime.now(UTC))
    finally:
        await ledger.stop()
    sys.stdout.write(
        f"{reader} will handle {waiting} of {stream} again; what becomes of it is in its log and in `list`\n"
    )
    return 0


def service_of(reader: str) -> str:
    """The service whose ledger a reader writes to: readers are named `<service>.<role>`."""
    return reader.partition(".")[0]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m runtime.parked", description="Records that readers set aside.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    listing = verbs.add_parser("list", help="what is set aside, and why")
    listing.add_argument("reader", nargs="?", help="only this reader's")
    replaying = verbs.add_parser("replay", help="handle a stream's records again, in order")
    replaying.add_argument("reader")
    replaying.add_argument("stream")
    told = parser.parse_args(arguments)
    settings = Settings()
    logs.setup(settings.log_level, settings.log_format, process="parked")
    work = _list(settings, told.reader) if told.verb == "list" else _replay(settings, told.reader, told.stream)
    try:
        return asyncio.run(work)
    except (NothingParked, Unavailable) as error:
        sys.stderr.write(f"alarum: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())
