"""Where readers stand, kept outside of the ledger: positions go out as notes, and a restored ledger takes them back.

    look:    [positions of all readers] -> the outbox's end -> … everything up to it is acknowledged -> a note for each reader
    resume:  note -> what others said up to it is taken in as known (versions, beliefs, what was set aside) -> positions

A note never runs ahead: whatever was decided from what lies before it is on the broker. It may lag by some seconds; what lies
between the note and the end of the topic is doubtful: it is read again, and what was decided from it is recognised by its
cause (`Unit.recalls`). Why so: docs/decisions/0005-restore.md.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from events.envelope import Envelope, MalformedEvent, UnknownEvent, decode, encode, place_of
from events.positions import PlaceReached, ReaderPositioned, RecordAside
from events.topics import POSITIONS, SIGNALS
from runtime.ports import Broker, Clock, Ledger, Message, Parked, Place, PositionLost, Producer, Record, Unavailable
from runtime.records import Received, decode_record

RESTORED: Final = "restored"
"""Index: when events were last taken in from topics (its own name), and up to when a reader (its name) knows of that."""
READERS: Final = "readers"
"""Index: the deciding readers of this ledger."""
DOUBTED: Final = "doubted"
"""Index: `<reader>/<topic>/<partition>` -> the offset before which what is read may have been decided before the loss."""
AGAIN: Final = "It was set aside before the ledger was restored; the reason is in the events."
POLL_S = 1.0

Believe = Callable[[Sequence[Received]], Awaitable[None]]


@dataclass(frozen=True)
class Note:
    """A reader's positions and what it has set aside."""

    positions: Mapping[Place, int]
    aside: Mapping[tuple[Place, int], str] = field(default_factory=dict)

    @classmethod
    def of(cls, event: ReaderPositioned) -> "Note":
        positions = {(one.topic, one.partition): one.next for one in event.places}
        return cls(positions, {((one.topic, one.partition), one.offset): one.of for one in event.aside})

    def event(self, reader: str, at: datetime) -> ReaderPositioned:
        return ReaderPositioned(
            reader=reader,
            places=tuple(
                PlaceReached(topic=t, partition=p, next=end) for (t, p), end in sorted(self.positions.items())
            ),
            aside=tuple(
                RecordAside(topic=topic, partition=partition, offset=offset, of=stream)
                for ((topic, partition), offset), stream in sorted(self.aside.items())
            ),
            at=at,
        )


@dataclass(frozen=True)
class _Taken:
    """Notes that may go out once nothing waits for the broker up to `until` (None: nothing waited)."""

    notes: Mapping[str, Note]
    until: int | None


class Bookmarks:
    """What the relay's leader publishes about its service's readers; nothing before the ledger is known to be whole."""

    def __init__(
        self, service: str, ledger: Ledger, producer: Producer, *, clock: Clock, log: Any, is_whole: Callable[[], bool]
    ) -> None:
        self._service, self._ledger, self._producer = service, ledger, producer
        self._clock, self._log, self._is_whole = clock, log, is_whole
        self._told: dict[str, Note] = {}
        self._taken: _Taken | None = None

    async def look(self) -> None:
        """Take what changed, and publish it as soon as that may be: now, or at a later look."""
        if self._service not in POSITIONS or not self._is_whole():
            return
        try:
            self._taken = self._taken or await self._take()
            if self._taken is not None and await self._is_out(self._taken):
                await self._publish(self._taken.notes)
                self._taken = None
        except Unavailable as away:
            self._log.info("bookmarks.wait", reason=str(away))

    async def _take(self) -> _Taken | None:
        notes = {
            reader: note for reader, note in (await notes_in(self._ledger)).items() if note != self._told.get(reader)
        }
        # Asked after the positions were read: what was decided before them is in the outbox by now, or through.
        return _Taken(notes, await self._ledger.last_waiting()) if notes else None

    async def _is_out(self, taken: _Taken) -> bool:
        first = await self._ledger.first_waiting() if taken.until is not None else None
        return first is None or taken.until is None or first > taken.until

    async def _publish(self, notes: Mapping[str, Note]) -> None:
        await publish(self._producer, self._service, notes, self._clock.now())
        self._told.update(notes)


async def notes_in(ledger: Ledger) -> dict[str, Note]:
    """Where the deciding readers of a ledger stand, but for those that a restore has not reached yet."""
    async with ledger.begin() as tx:
        marks = await tx.index_scan(RESTORED, "")
        readers = [
            reader for reader in await tx.index_scan(READERS, "") if marks.get(RESTORED, "") <= marks.get(reader, "")
        ]
        return {reader: Note(await tx.positions(reader), _aside(await tx.parked_records(reader))) for reader in readers}


async def publish(producer: Producer, service: str, notes: Mapping[str, Note], at: datetime) -> None:
    """Raises Unavailable."""
    topic = POSITIONS[service].name
    events = [note.event(reader, at) for reader, note in sorted(notes.items())]
    await producer.send([Message(topic, one.key, encode(Envelope(one, one.stream, 0, service))) for one in events])


async def published(broker: Broker, service: str, reader: str) -> Note | None:
    """The newest note of a reader. Raises Unavailable."""
    if service not in POSITIONS:
        return None
    topic, newest = POSITIONS[service].name, None
    async for records in read_up_to(broker, [topic], await broker.end_offsets([topic])):
        for record in records:
            event = _event(record)
            if isinstance(event, ReaderPositioned) and event.reader == reader:
                newest = event
    return None if newest is None else Note.of(newest)


# -- taking them back


async def resume(
    ledger: Ledger, broker: Broker, reader: str, topics: Sequence[str], note: Note, believe: Believe, at: datetime
) -> None:
    """Let a reader of a restored ledger go on from its note; `believe` takes in what others said before that, in order.

    Raises Unavailable, PositionLost where the note does not fit the topics, and Fenced where another replica was faster.
    """
    held = await ledger.positions(reader)
    begins, ends = await broker.begin_offsets(topics), await broker.end_offsets(topics)
    goals = {place: max(note.positions.get(place, begin), held.get(place, 0)) for place, begin in begins.items()}
    _check(goals, begins, ends)
    history = _History(note.aside)
    async for records in read_up_to(broker, _worth_reading(topics, note), goals):
        await believe(history.take(records))
    async with ledger.begin() as tx:
        marks = await tx.index_get(RESTORED, [RESTORED])
        moves = {
            place: (held.get(place), goal) for place, goal in goals.items() if place in held or goal > begins[place]
        }
        await tx.advance(reader, moves)
        await tx.note_seen(reader, history.versions)
        aside = await tx.parked_records(reader)
        await tx.unpark(reader, [(one.place, one.offset) for one in aside if (one.place, one.offset) not in note.aside])
        for record in history.aside:
            stream = note.aside[record.place, record.offset]
            await tx.park(reader, stream, record.place, record.offset, record.value or b"", AGAIN)
        doubtful = {f"{reader}/{t}/{p}": str(ends[t, p]) for (t, p), goal in goals.items() if goal < ends[t, p]}
        await tx.index_put(DOUBTED, doubtful)
        await tx.index_put(RESTORED, {reader: max(at.isoformat(), marks.get(RESTORED, ""))})
        await tx.index_put(READERS, {reader: ""})


async def doubted(ledger: Ledger, reader: str) -> dict[Place, int]:
    """The offsets before which what this reader reads may have been decided before a loss."""
    async with ledger.begin() as tx:
        entries = await tx.index_scan(DOUBTED, f"{reader}/")
    return {_place(key, reader): int(end) for key, end in entries.items()}


def doubt_key(reader: str, place: Place) -> str:
    return f"{reader}/{place[0]}/{place[1]}"


async def read_up_to(
    broker: Broker, topics: Sequence[str], ends: Mapping[Place, int]
) -> AsyncIterator[Sequence[Record]]:
    """All records of these topics before these ends, in the order of each partition."""
    begins = await broker.begin_offsets(topics)
    missing = {place for place in begins if begins[place] < ends.get(place, 0)}
    if not missing:
        return
    reader = broker.tail(topics)
    await reader.start()
    try:
        while missing:
            records = await reader.poll(POLL_S)
            yield [record for record in records if record.offset < ends.get(record.place, 0)]
            missing -= {record.place for record in records if record.offset + 1 >= ends.get(record.place, 0)}
    finally:
        await reader.stop()


@dataclass
class _History:
    """What was read on the way to a reader's positions."""

    wanted: Mapping[tuple[Place, int], str]
    versions: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    aside: list[Record] = field(default_factory=list)

    def take(self, records: Sequence[Record]) -> list[Received]:
        """The events that are known from now on; what was set aside is not."""
        found: list[Received] = []
        for record in records:
            stream, version = _stream(record)
            is_new = not version or version > self.versions[stream]
            if version:
                self.versions[stream] = max(version, self.versions[stream])
            if (record.place, record.offset) in self.wanted:
                self.aside.append(record)
            elif is_new and (received := _received(record)) is not None:
                found.append(received)
        return found


def _check(goals: Mapping[Place, int], begins: Mapping[Place, int], ends: Mapping[Place, int]) -> None:
    for (topic, partition), goal in sorted(goals.items()):
        begin, end = begins[topic, partition], ends[topic, partition]
        if not begin <= goal <= end:
            raise PositionLost(f"its last known position in {topic}/{partition}, {goal}, is not within {begin}–{end}")


def _worth_reading(topics: Sequence[str], note: Note) -> list[str]:
    """Signals have no versions, and nobody believes anything of old ones."""
    aside = {place[0] for place, _ in note.aside}
    return [topic for topic in topics if topic != SIGNALS.name or topic in aside]


def _aside(records: Sequence[Parked]) -> dict[tuple[Place, int], str]:
    return {(one.place, one.offset): one.stream for one in records}


def _event(record: Record) -> object:
    try:
        return decode(record.value).event if record.value is not None else None
    except (MalformedEvent, UnknownEvent):
        return None


def _received(record: Record) -> Received | None:
    try:
        return decode_record(record)
    except MalformedEvent:
        return None


def _stream(record: Record) -> tuple[str, int]:
    try:
        return place_of(record.value) if record.value is not None else ("", 0)
    except MalformedEvent:
        return "", 0


def _place(key: str, reader: str) -> Place:
    topic, _, partition = key.removeprefix(f"{reader}/").rpartition("/")
    return topic, int(partition)
