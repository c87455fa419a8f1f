"""A deciding reader: records in, decisions out, in one transaction with the position that was reached.

    poll -> [positions CAS, known versions] -> react -> commit -> (outputs acknowledged) -> group offset

It resumes from the ledger's positions, never from the group's, and never resets by itself: a position that does
not fit its topic stops it with words that say what to do. After a restore it goes on from its last note (`bookmarks.py`). A batch that fails is tried record by record; a record
that fails three times is parked with everything behind it in its stream.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from events.envelope import MalformedEvent, UnknownEvent, place_of
from runtime import bookmarks, metrics, parked, traces
from runtime.bell import Bell
from runtime.bookmarks import DOUBTED, READERS, RESTORED, doubt_key
from runtime.parking import Park, Resume
from runtime.ports import Conflict, Fenced, Place, PositionLost, Reader, Record, Unavailable
from runtime.records import Received, decode_record
from runtime.role import Background
from runtime.shell import Shell
from runtime.unit import Unit

React = Callable[[Unit, Sequence[Received]], Awaitable[None]]

POLL_S = 1.0
PAUSE_S = 0.2
TRIES = 3
GAP_ALARM_S = 10.0
COMMIT_EVERY_S = 0.2
TELL_AT_LEAST_EVERY_S = 30.0
LOOK_FOR_REPLAYS_S = 2.0


@dataclass
class _Sorted:
    """What a batch holds for this reader, told apart."""

    fresh: list[Received] = field(default_factory=list)
    versions: dict[str, int] = field(default_factory=dict)
    ends: dict[Place, int] = field(default_factory=dict)
    waiting: dict[Place, str] = field(default_factory=dict)
    poison: list[tuple[Record, str, str]] = field(default_factory=list)


class Replaced(Exception):
    """The ledger is not the one that this process has written to: a fresh process must read what it lacks."""


async def nothing(_unit: Unit, _batch: Sequence[Received]) -> None:
    """For readers that believe nothing but what they decided."""


class Deciding:
    """One member of the reader's group: `react(unit, batch)` decides; positions, duplicates and failures are ours."""

    def __init__(
        self, shell: Shell, *, reader: str, topics: Sequence[str], react: React, believe: React = nothing
    ) -> None:
        """`believe` takes in what was decided on before a restore: what others said, where own events do not tell it."""
        self._shell = shell
        self._name = reader
        self._topics = list(topics)
        self._react = react
        self._believe = believe
        self._doubted: dict[Place, int] = {}
        self._reached: dict[Place, int] = {}
        self._moved_at = ""
        self._next: dict[Place, int] = {}
        self._stored_places: set[Place] = set()
        self._outputs: dict[Place, int] = {}
        self._inherited: dict[Place, int] = {}
        self._gaps: dict[Place, float] = {}
        self._waits: str | None = "not assigned yet"
        self._moves = Bell()
        self._idle = asyncio.Event()
        self._idle.set()
        self._background = Background()
        self._reader: Reader | None = None
        self._looked_for_replays = 0.0

    @property
    def name(self) -> str:
        return self._name

    @property
    def topics(self) -> Sequence[str]:
        return self._topics

    async def start(self) -> None:
        seat = f"{self._name}-{self._shell.settings.replica}-{_digest(self._topics)}"
        self._reader = self._shell.broker.member(self._topics, self._name, seat, self)
        self._background.forever(self._run(self._reader), f"reader {self._name}")
        self._background.forever(self._tell_group(self._reader), f"offsets {self._name}")

    async def stop(self) -> None:
        await self._background.stop()
        if self._reader is not None:
            await self._reader.stop()

    def ready(self) -> str | None:
        return f"{self._name}: {self._waits}" if self._waits else None

    # -- assignment (the broker's port calls these before reading goes on)

    async def assigned(self, places: Sequence[Place]) -> Mapping[Place, int]:
        """Where to go on: from the ledger; after a restore from the last note, and without one a person must say where."""
        await self._shell.opened.wait()
        await self._go_on_from_note()
        stored = await self._stored()
        begins = await self._shell.broker.begin_offsets(self._topics)
        ends = await self._shell.broker.end_offsets(self._topics)
        if await self._restored():
            raise PositionLost(self._help("this ledger was restored, and its positions are older than its events"))
        for place in places:
            self._next[place] = self._checked(place, stored, begins, ends)
        self._refuse_replaced(stored, places)
        self._stored_places = set(stored)
        self._doubted = await bookmarks.doubted(self._shell.ledger, self._name)
        self._inherited.update({place: self._next[place] for place in places if place in stored})
        self._waits = None
        await self._shell.advanced(self._name, {place: self._next[place] for place in places})
        return {place: self._next[place] for place in places}

    async def revoked(self, places: Sequence[Place]) -> None:
        await self._idle.wait()
        for place in places:
            self._next.pop(place, None)
            self._outputs.pop(place, None)
            self._inherited.pop(place, None)
            self._gaps.pop(place, None)
            self._shell.progress.get(self._name, {}).pop(place, None)

    def _checked(
        self, place: Place, stored: Mapping[Place, int], begins: Mapping[Place, int], ends: Mapping[Place, int]
    ) -> int:
        begin, end = begins.get(place, 0), ends.get(place, 0)
        if place not in stored:
            return begin
        position = stored[place]
        if position > end:
            raise PositionLost(self._help(f"{place[0]}/{place[1]} ends at {end}, before our position {position}"))
        if position < begin:
            raise PositionLost(self._help(f"{place[0]}/{place[1]} begins at {begin}, after our position {position}"))
        return position

    def _help(self, what: str) -> str:
        return (
            f"{self._name} does not go on: {what}. Was a topic re-created, or a backup put back? A topic that was: python -m "
            f"runtime.republish <topic>. To go on from the present end of its topics without deciding anything again: "
            f"python -m runtime.positions {self._name} end; to decide everything again: … begin"
        )

    async def _go_on_from_note(self) -> None:
        """Take the last note back, once after each restore; several replicas may try, and one does."""
        while await self._restored():
            note = await bookmarks.published(self._shell.broker, self._shell.service, self._name)
            if note is None:
                return
            try:
                await bookmarks.resume(
                    self._shell.ledger,
                    self._shell.broker,
                    self._name,
                    self._topics,
                    note,
                    self._take_as_known,
                    self._shell.clock.now(),
                )
            except Fenced:
                continue
            except PositionLost as lost:
                raise PositionLost(self._help(str(lost))) from None
            self._shell.log.warning("reader.resumed", reader=self._name, places=len(note.positions))

    async def _take_as_known(self, batch: Sequence[Received]) -> None:
        if batch:
            await self._shell.run(lambda unit: self._believe(unit, batch))

    def _refuse_replaced(self, stored: Mapping[Place, int], places: Sequence[Place]) -> None:
        """Raises Replaced, which ends the process: at its next start it takes in what this ledger lacks."""
        for place in places:
            if stored.get(place, 0) < self._reached.get(place, 0):
                raise Replaced(
                    f"{self._name} committed {self._reached[place]} in {place[0]}/{place[1]}, and its ledger says "
                    f"{stored.get(place)}: another one, or an older one, was put in its place"
                )

    async def _stored(self) -> Mapping[Place, int]:
        return await self._shell.ledger.positions(self._name)

    async def _restored(self) -> bool:
        """Events were taken in from topics since a person last said where this reader goes on."""
        async with self._shell.ledger.begin() as tx:
            marks = await tx.index_get(RESTORED, [RESTORED, self._name])
            moved_at = marks.get(self._name, "")
            is_restored = marks.get(RESTORED, "") > moved_at
            if moved_at > self._moved_at:  # somebody said where to go on: what was reached before is no measure
                self._moved_at = moved_at
                self._reached.clear()
            if not is_restored and not await tx.index_get(READERS, [self._name]):
                await tx.index_put(READERS, {self._name: ""})
        return is_restored

    # -- reading

    async def _run(self, reader: Reader) -> None:
        await reader.start()
        while True:
            try:
                records = await reader.poll(POLL_S)
                if records:
                    await self._handle(reader, records)
                await self._replay_what_was_asked(reader)
            except Unavailable as away:
                self._shell.log.warning("reader.waits", reader=self._name, reason=str(away))
                await asyncio.sleep(PAUSE_S)
            except PositionLost as lost:
                await self._stand_still(lost)

    async def _stand_still(self, lost: PositionLost) -> None:
        """Until a person has decided: the role is not ready and says why; a restart alone would change nothing."""
        self._waits = str(lost)
        metrics.READER_STOPPED.labels(self._name).set(1)
        self._shell.log.error("reader.stopped", reader=self._name, reason=str(lost))
        await asyncio.Event().wait()

    async def _handle(self, reader: Reader, records: Sequence[Record]) -> None:
        """The whole batch at once; again while the base is away; record by record when something in it fails."""
        self._idle.clear()
        try:
            await self._patiently(reader, records)
        finally:
            self._idle.set()

    async def _patiently(self, reader: Reader, records: Sequence[Record]) -> None:
        while True:
            try:
                await self._batch_or_singly(reader, records)
                return
            except Unavailable as away:
                self._shell.log.warning("batch.waits", reader=self._name, reason=str(away))
                await asyncio.sleep(PAUSE_S)
            except Fenced:
                self._shell.log.warning("reader.fenced", reader=self._name)
                await self._start_over(reader, {record.place for record in records})
                return

    async def _batch_or_singly(self, reader: Reader, records: Sequence[Record]) -> None:
        try:
            await self._once(reader, records)
        except (Unavailable, Fenced, Conflict):
            raise
        except Exception as error:
            self._shell.log.exception("batch.failed", reader=self._name, records=len(records), error=str(error))
            for record in records:
                await self._single(reader, record)

    async def _single(self, reader: Reader, record: Record) -> None:
        for attempt in range(TRIES):
            try:
                await self._once(reader, [record])
                return
            except (Unavailable, Fenced, Conflict):
                raise
            except Exception as error:
                self._shell.log.exception("record.failed", reader=self._name, place=record.place, attempt=attempt)
                reason = f"{type(error).__name__}: {error}"
        await self._park(record, reason)

    async def _once(self, reader: Reader, records: Sequence[Record]) -> None:
        """One transaction: what is new is decided on, and the position moves with it."""
        mine = [record for record in records if self._next.get(record.place, -1) <= record.offset]
        mine = [record for record in mine if record.place in self._next]
        if not mine:
            return
        batch = await self._shell.run(lambda unit: self._transact(unit, mine))
        await self._moved(batch.ends)
        self._count(batch, len(mine))
        if batch.waiting:
            await self._wait_for_gaps(reader, batch.waiting)

    async def _transact(self, unit: Unit, records: Sequence[Record]) -> _Sorted:
        batch = await self._sort(unit, records)
        moves = {place: (self._known(place), end) for place, end in batch.ends.items()}
        await unit.tx.advance(self._name, moves)
        for record, stream, error in batch.poison:
            await unit.tx.park(self._name, stream, record.place, record.offset, record.value or b"", error)
            await self._say(unit, Park(self._name, stream, error, unit.at))
        unit.recalls = any(record.offset < self._doubted.get(record.place, 0) for record in records)
        with traces.batch(self._name, batch.fresh) as traced:
            if traced:
                await self._react(unit, traced)
        await unit.tx.note_seen(self._name, batch.versions)
        unit.put(DOUBTED, {doubt_key(self._name, place): None for place in self._no_more_doubted(batch.ends)})
        return batch

    def _no_more_doubted(self, ends: Mapping[Place, int]) -> list[Place]:
        return [place for place, end in ends.items() if place in self._doubted and end >= self._doubted[place]]

    def _known(self, place: Place) -> int | None:
        """What the ledger holds for this place: nothing before the first batch."""
        return self._next[place] if place in self._stored_places else None

    async def _moved(self, ends: Mapping[Place, int]) -> None:
        """These positions are committed."""
        self._next.update(ends)
        self._reached.update(ends)
        self._outputs.update(ends)
        for place in self._no_more_doubted(ends):
            del self._doubted[place]
        self._moves.ring()
        for place in ends:
            self._gaps.pop(place, None)
        self._stored_places |= ends.keys()
        await self._shell.advanced(self._name, ends)

    async def _sort(self, unit: Unit, records: Sequence[Record]) -> _Sorted:
        batch = _Sorted()
        read = [(record, *self._decoded(record)) for record in records]
        streams = {stream for _, stream, version, _ in read if version}
        seen = await unit.tx.seen(self._name, streams) if streams else {}
        parked = await unit.tx.parked(self._name, {stream for _, stream, _, _ in read if stream})
        for record, stream, version, received in read:
            if record.place in batch.waiting:
                continue
            last = batch.versions.get(stream, seen.get(stream, 0))
            if version > last + 1:
                batch.waiting[record.place] = f"{stream} has {last}, {version} came"
                continue
            batch.ends[record.place] = record.offset + 1
            if version and version <= last:
                continue
            if version:
                batch.versions[stream] = version
            if stream in parked:
                batch.poison.append((record, stream, "behind a parked record of its stream"))
            elif received is not None:
                batch.fresh.append(received)
            elif record.value is not None and not stream:
                batch.poison.append((record, f"malformed-{record.place}-{record.offset}", "not an event of ours"))
        return batch

    def _decoded(self, record: Record) -> tuple[str, int, Received | None]:
        """(stream, version, event); no event for a tombstone or an unknown type, no stream for what is no event."""
        if record.value is None:
            return record.key, 0, None
        try:
            received = decode_record(record, self._skipped)
            if received is not None:
                return received.envelope.stream, received.envelope.version, received
            return *place_of(record.value), None
        except MalformedEvent as malformed:
            self._shell.log.error("record.malformed", reader=self._name, place=record.place, error=str(malformed))
            return "", 0, None

    def _count(self, batch: _Sorted, records: int) -> None:
        metrics.BATCH_SIZES.labels(self._name).observe(records)
        metrics.RECORDS.labels(self._name, "handled").inc(len(batch.fresh))
        metrics.RECORDS.labels(self._name, "parked").inc(len(batch.poison))
        now = asyncio.get_running_loop().time()
        metrics.GAP_SECONDS.labels(self._name).set(
            max((now - self._gaps.get(place, now) for place in batch.waiting), default=0.0)
        )

    def _skipped(self, record: Record, unknown: UnknownEvent) -> None:
        metrics.RECORDS.labels(self._name, "skipped").inc()
        self._shell.log.info("record.skipped", reader=self._name, topic=record.topic, type=str(unknown))

    # -- what goes wrong

    async def _park(self, record: Record, reason: str) -> None:
        stream = self._decoded(record)[0]
        metrics.RECORDS.labels(self._name, "parked").inc()
        self._shell.log.error("stream.parked", reader=self._name, stream=stream, place=record.place, reason=reason)

        async def set_aside(unit: Unit) -> None:
            end = record.offset + 1
            await unit.tx.advance(self._name, {record.place: (self._known(record.place), end)})
            await unit.tx.park(self._name, stream, record.place, record.offset, record.value or b"", reason)
            await self._say(unit, Park(self._name, stream, reason, unit.at))
            _, version, _ = self._decoded(record)
            if version:
                await unit.tx.note_seen(self._name, {stream: version})

        await self._shell.run(set_aside)
        await self._moved({record.place: record.offset + 1})

    async def _wait_for_gaps(self, reader: Reader, waiting: Mapping[Place, str]) -> None:
        """An event came before its predecessor: read again until it does; say so when it takes too long."""
        now = asyncio.get_running_loop().time()
        for place, what in waiting.items():
            since = self._gaps.setdefault(place, now)
            if now - since > GAP_ALARM_S:
                self._shell.log.error("reader.gap", reader=self._name, place=place, what=what)
        await asyncio.sleep(PAUSE_S)
        reader.forget(waiting.keys())

    async def _start_over(self, reader: Reader, places: Iterable[Place]) -> None:
        """Another replica went on in our place: look where it is, if the partitions are still ours at all."""
        held = [place for place in places if place in self._next]
        await self.assigned(held)
        reader.forget(held)

    # -- what was set aside, when a person asks for it again (`python -m runtime.parked replay`)

    async def _replay_what_was_asked(self, reader: Reader) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._looked_for_replays < LOOK_FOR_REPLAYS_S:
            return
        self._looked_for_replays = now
        for stream in await parked.asked(self._shell.ledger, self._name):
            self._idle.clear()
            try:
                await self._replay(reader, stream)
            finally:
                self._idle.set()

    async def _replay(self, reader: Reader, stream: str) -> None:
        held = {place: position for place, position in self._next.items() if place in self._stored_places}
        replay = parked.Replay(self._name, stream, self._react, held)
        try:
            count = await self._shell.run(lambda unit: self._resume(unit, replay, stream))
        except (Unavailable, Conflict):
            raise
        except Fenced:
            self._shell.log.warning("reader.fenced", reader=self._name)
            await self._start_over(reader, held)
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            self._shell.log.exception("replay.failed", reader=self._name, stream=stream)
            await self._shell.run(lambda unit: replay.give_up(unit, reason))
        else:
            if count is not None:
                self._shell.log.warning("replay.done", reader=self._name, stream=stream, records=count)

    async def _resume(self, unit: Unit, replay: parked.Replay, stream: str) -> int | None:
        count = await replay.decide(unit)
        if count is not None:
            await self._say(unit, Resume(self._name, stream, unit.at))
        return count

    async def _say(self, unit: Unit, command: Park | Resume) -> None:
        """Say it as an event of this service, from which an alert is made."""
        kind = self._shell.parking
        if kind is not None:
            await unit.load(kind, [self._name])
            unit.decide(kind, self._name, command)

    # -- telling the group how far we are, for lag monitors

    async def _tell_group(self, reader: Reader) -> None:
        told: dict[Place, int] = {}
        while True:
            await self._moves.wait(TELL_AT_LEAST_EVERY_S)
            await asyncio.sleep(COMMIT_EVERY_S)
            await self._take_over()
            reached = {place: end for place, end in self._outputs.items() if told.get(place) != end}
            if reached and await self._shell.relay.acknowledged(POLL_S):
                try:
                    await reader.commit(reached)
                    told.update(reached)
                except Unavailable as away:
                    self._shell.log.info("offsets.wait", reader=self._name, reason=str(away))

    async def _take_over(self) -> None:
        """What was handled before we came may not have been told: it is, once nothing waits for the broker any more."""
        if self._inherited and await self._shell.relay.drained():
            self._outputs = self._inherited | self._outputs
            self._inherited = {}


def _digest(topics: Iterable[str]) -> str:
    """What a member's seat in its group is called besides: the broker gives who comes back to their seat what they had, so
    that a reader which grew by a topic would never be given it. A new topic is read from its beginning.
    """
    return hashlib.sha256(",".join(sorted(topics)).encode()).hexdigest()[:8]
