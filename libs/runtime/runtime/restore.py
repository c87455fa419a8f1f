"""Restore is start: before its first command a service reads its own topics and takes in what its ledger lacks.

With an empty ledger this is the restore, with an old backup the reconciliation, every other time it finds nothing.
What was decided is never decided again; an event that is here with other content stops the service, and so does a topic
that ends before what was published to it.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from events.envelope import Envelope, MalformedEvent, UnknownEvent, decode, heading_of
from runtime.bookmarks import RESTORED
from runtime.ports import Line, Place, PositionLost, Reader, Record, Unavailable
from runtime.role import Background
from runtime.shell import Shell
from runtime.unit import Unit

__all__ = ["RESTORED", "Restore"]

RETRY_S = 0.5
POLL_S = 1.0
BATCH = 500


class Restore:
    """The first part of each role with a ledger: opens the shell once the ledger holds what its topics hold."""

    def __init__(self, shell: Shell, topics: Sequence[str]) -> None:
        self._shell = shell
        self._topics = list(topics)
        self._waits: str | None = "its own topics were not read yet"
        self._background = Background()
        shell.opened.clear()

    async def start(self) -> None:
        self._background.once(self._run(), f"restore {self._shell.service}")

    async def stop(self) -> None:
        await self._background.stop()

    def ready(self) -> str | None:
        return self._waits

    async def _run(self) -> None:
        while True:
            try:
                await self._reconcile()
                break
            except Unavailable as away:
                self._shell.log.info("restore.waits", reason=str(away))
                await asyncio.sleep(RETRY_S)
            except PositionLost as lost:
                self._waits = str(lost)
                self._shell.log.error("restore.stopped", reason=str(lost))
                return
        self._waits = None
        self._shell.opened.set()

    async def _reconcile(self) -> None:
        known = await self._shell.ledger.last_published()
        ends = await self._shell.broker.end_offsets(self._topics)
        begins = await self._shell.broker.begin_offsets(self._topics)
        _refuse_shorter(known, ends)
        missing = {place: end for place, end in ends.items() if max(known.get(place, 0), begins.get(place, 0)) < end}
        for quiet in (True, False):  # what is configured first: the rest is understood by it
            some = {place: end for place, end in missing.items() if (place[0] in _quiet(ends)) is quiet}
            if some:
                await self._read(some, known)
        await self._shell.ledger.note_published(ends)

    async def _read(self, ends: Mapping[Place, int], known: Mapping[Place, int]) -> None:
        reader = self._shell.broker.tail(sorted({topic for topic, _ in ends}))
        await reader.start()
        try:
            taken = await self._take_all(reader, dict(ends), known)
        finally:
            await reader.stop()
        if taken:
            self._shell.log.warning("restore.took", events=taken)

    async def _take_all(self, reader: Reader, missing: dict[Place, int], known: Mapping[Place, int]) -> int:
        taken, batch = 0, list[Record]()
        while missing:
            for record in await reader.poll(POLL_S, BATCH):
                end = missing.get(record.place)
                if end is None:
                    continue
                if record.offset >= known.get(record.place, 0):
                    batch.append(record)
                if record.offset + 1 >= end:
                    del missing[record.place]
            if len(batch) >= BATCH or (batch and not missing):
                taken += await self._adopt(batch)
                batch = []
        return taken

    async def _adopt(self, records: Sequence[Record]) -> int:
        lines = [line for record in records if (line := _line(record)) is not None]
        return await self._shell.run_unopened(lambda unit: self._take(unit, lines))

    async def _take(self, unit: Unit, lines: Sequence[Line]) -> int:
        """All in one transaction: events without their deadlines would be taken for old news after a crash."""
        taken = await unit.tx.adopt(lines)
        if taken:
            await self._refold(unit, lines)
        return taken

    async def _refold(self, unit: Unit, lines: Sequence[Line]) -> None:
        """Heads, deadlines, indexes and read models of what was taken in, as if it had been decided here."""
        unit.put(RESTORED, {RESTORED: unit.at.isoformat()})
        by_kind: dict[str, set[str]] = defaultdict(set)
        for line in lines:
            kind, number = self._shell.kind_of(line.stream)
            if kind is not None:
                by_kind[kind.name].add(number)
        for name, numbers in by_kind.items():
            await unit.load(self._shell.kinds[name], numbers)
            for number in numbers:
                unit.touch(self._shell.kinds[name], number)
        envelopes = [envelope for line in lines if (envelope := _envelope(line)) is not None]
        await self._shell.reindex(unit, envelopes)
        await self._shell.project(unit.tx, envelopes)


def _quiet(places: Iterable[Place]) -> set[str]:
    """Topics with one partition hold what is configured, and cells."""
    counts = Counter(topic for topic, _ in places)
    return {topic for topic, partitions in counts.items() if partitions == 1}


def _refuse_shorter(known: Mapping[Place, int], ends: Mapping[Place, int]) -> None:
    """Raises PositionLost."""
    for (topic, partition), end in sorted(ends.items()):
        if known.get((topic, partition), 0) > end:
            raise PositionLost(
                f"{topic}/{partition} ends at {end}, though {known[topic, partition]} records were published to it. Was the "
                f"topic made anew, or the broker? Nothing is lost but signals: stop the roles, empty the topic (or take a "
                f"fresh broker, and run python -m runtime.topics), then: python -m runtime.republish {topic} (no name for all)"
            )


def _line(record: Record) -> Line | None:
    """The ledger's line of a record of our own; signals have no version and no place in a ledger."""
    if record.value is None:
        return None
    try:
        stream, version, kind = heading_of(record.value)
    except MalformedEvent:
        return None
    if version == 0:
        return None
    return Line(stream, version, record.topic, record.key, kind, record.value)


def _envelope(line: Line) -> Envelope | None:
    try:
        return decode(line.body) if line.body is not None else None
    except UnknownEvent:
        return None
