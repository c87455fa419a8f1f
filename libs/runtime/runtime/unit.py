"""A unit of work: commands go in, and on commit events, heads, indexes and deliveries come out, all or nothing.

    load (locks) -> decide (pure, in memory) -> … -> flush into the transaction

Streams are locked in sorted order per `load`; a second `load` may take more (a conflict then retries the batch).
"""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Generic, TypeVar

from events.core import Event, Outcome, Refusal
from events.envelope import Envelope, UnknownEvent, decode, encode
from runtime.breath import breathing
from runtime.ports import Delivery, Line, StreamRow, Transaction
from runtime.streams import Kind

S = TypeVar("S")
C = TypeVar("C")


@dataclass(frozen=True)
class Cause:
    """Why something is decided: the event that led to it (none for a person's wish or time) and the trace."""

    event_id: str | None = None
    traceparent: str | None = None

    @classmethod
    def of(cls, envelope: Envelope) -> "Cause":
        return cls(envelope.id, envelope.traceparent)


NO_CAUSE = Cause()


class NewerEvents(Exception):
    """The stream holds events that this code does not know: only newer code may decide on it."""


@dataclass(frozen=True)
class Known(Generic[S]):
    """A stream as it stands: its state and version (0: it does not exist)."""

    state: S
    version: int


class Unit:
    """One transaction's worth of decisions of one service."""

    def __init__(self, tx: Transaction, service: str, at: datetime) -> None:
        self.tx = tx
        self.service = service
        self.at = at
        self.decided: list[Envelope] = []
        self._lines: list[Line] = []
        self._heads: dict[str, StreamRow] = {}
        self._kinds: dict[str, Kind[Any, Any]] = {}
        self._states: dict[str, Any] = {}
        self._changed: set[str] = set()
        self._index: dict[str, dict[str, str | None]] = {}
        self._deliveries: list[Delivery] = []
        self._settled: list[int] = []
        self._erased: list[str] = []
        self._postponed: dict[str, datetime] = {}
        self._touched: set[str] = set()
        self.earliest_due: datetime | None = None
        self.recalls = False
        """What is read now may have been decided before this ledger was restored: a stream that knows its cause passes it over."""
        self._causes: dict[str, set[str | None]] = {}
        self._histories: Mapping[str, Sequence[Line]] = {}

    # -- streams

    async def load(self, kind: Kind[S, C], ids: Iterable[int | str]) -> None:
        """Lock these streams and know their states. Those already loaded are left as they are."""
        wanted = {kind.stream(number) for number in ids} - self._heads.keys()
        if wanted:
            heads = await self.tx.lock(wanted)
            unread = [stream for stream, head in heads.items() if self._is_to_be_read(kind, head)]
            self._histories = await self.tx.histories(unread) if unread else {}
            async for stream, head in breathing(heads.items()):
                await self.take(kind, stream, head)
            self._histories = {}

    async def take(self, kind: Kind[S, C], stream: str, head: StreamRow) -> None:
        """Know a stream whose head is locked already (a tick's)."""
        self._heads[stream] = head
        self._kinds[stream] = kind
        self._states[stream] = await self._state(kind, head)
        if self.recalls and head.version:
            self._causes[stream] = _causes(await self._history(stream))

    async def peek(self, kind: Kind[S, C], ids: Iterable[int | str]) -> dict[str, Known[S]]:
        """States of streams of ours without locking them, by stream; what this unit has loaded is as it stands here."""
        streams = {kind.stream(number) for number in ids}
        known = {stream: self._known(stream) for stream in streams & self._heads.keys()}
        heads = await self.tx.peek(streams - known.keys()) if streams - known.keys() else {}
        for stream, head in heads.items():
            known[stream] = Known(await self._state(kind, head), head.version)
        return {stream: known.get(stream) or Known(kind.decider.initial, 0) for stream in streams}

    def state(self, kind: Kind[S, C], number: int | str) -> S:
        """The state of a loaded stream, decisions of this unit included."""
        state: S = self._states[kind.stream(number)]
        return state

    def version(self, kind: Kind[S, C], number: int | str) -> int:
        return self._heads[kind.stream(number)].version

    def fresh(self, kind: Kind[S, C], number: int | str) -> None:
        """Begin a stream whose id was just drawn: nobody else can know it, so it needs no lock."""
        stream = kind.stream(number)
        self._heads[stream] = StreamRow(stream)
        self._kinds[stream] = kind
        self._states[stream] = kind.decider.initial

    def decide(self, kind: Kind[S, C], number: int | str, command: C, cause: Cause = NO_CAUSE) -> Outcome:
        """Give a command to a loaded stream. Its events (none: nothing to change) are part of this unit from now on."""
        stream = kind.stream(number)
        if cause.event_id is not None and cause.event_id in self._causes.get(stream, ()):
            return []
        outcome = kind.decider.decide(self._states[stream], command)
        if isinstance(outcome, Refusal):
            return outcome
        for event in outcome:
            self._record(kind, stream, event, cause)
        return outcome

    def _record(self, kind: Kind[Any, Any], stream: str, event: Event, cause: Cause) -> None:
        head = self._heads[stream]
        version = head.version + 1
        envelope = Envelope(event, stream, version, self.service, cause.event_id, cause.traceparent)
        self._lines.append(Line(stream, version, kind.topic, event.key, envelope.type, encode(envelope)))
        self.decided.append(envelope)
        self._heads[stream] = replace(head, version=version)
        self._states[stream] = kind.decider.evolve(self._states[stream], event)
        self._changed.add(stream)

    async def _state(self, kind: Kind[S, C], head: StreamRow) -> S:
        if head.version == 0:
            return kind.decider.initial
        if head.state is not None and head.state_rev == kind.state_rev:
            state: S = kind.codec.load(head.state)
            return state
        return kind.decider.fold(_events(await self._history(head.stream)))

    def _is_to_be_read(self, kind: Kind[Any, Any], head: StreamRow) -> bool:
        """Whether the head alone does not say enough: its state is not kept, or its causes are asked for."""
        is_kept = head.state is not None and head.state_rev == kind.state_rev
        return head.version > 0 and (self.recalls or not is_kept)

    async def _history(self, stream: str) -> Sequence[Line]:
        """All events of a stream; where many are loaded, they were read at once."""
        known = self._histories.get(stream)
        return await self.tx.history(stream) if known is None else known

    def _known(self, stream: str) -> Known[Any]:
        return Known(self._states[stream], self._heads[stream].version)

    # -- cells

    async def put_cell(self, topic: str, event: Event, cause: Cause = NO_CAUSE) -> None:
        """Publish a sealed cell; the events that refer to it follow behind it."""
        stream = event.stream
        head = (await self.tx.lock([stream]))[stream] if stream not in self._heads else self._heads[stream]
        version = head.version + 1
        envelope = Envelope(event, stream, version, self.service, cause.event_id, cause.traceparent)
        self._lines.append(Line(stream, version, topic, stream, envelope.type, encode(envelope)))
        self._heads[stream] = replace(head, version=version)
        self._changed.add(stream)

    async def erase_cell(self, topic: str, cell: str) -> None:
        """Erase a cell: a tombstone on the topic, and its earlier content is blanked in the ledger."""
        head = (await self.tx.lock([cell]))[cell] if cell not in self._heads else self._heads[cell]
        self._lines.append(Line(cell, head.version + 1, topic, cell, "cell.erased", None))
        self._heads[cell] = replace(head, version=head.version + 1)
        self._changed.add(cell)
        self._erased.append(cell)

    # -- what changes together with it

    async def draw(self, name: str, count: int = 1) -> list[int]:
        """Fresh ids."""
        return await self.tx.draw(name, count) if count else []

    async def index(self, name: str, keys: Iterable[str]) -> dict[str, str]:
        """Index entries as they stand in this unit."""
        wanted = set(keys)
        entries = await self.tx.index_get(name, wanted) if wanted else {}
        pending = {key: value for key, value in self._index.get(name, {}).items() if key in wanted}
        return {key: value for key, value in (entries | pending).items() if value is not None}

    async def scan(self, name: str, prefix: str) -> dict[str, str]:
        """Index entries by prefix, as they stand in this unit."""
        pending = {key: value for key, value in self._index.get(name, {}).items() if key.startswith(prefix)}
        entries = await self.tx.index_scan(name, prefix) | pending
        return {key: value for key, value in sorted(entries.items()) if value is not None}

    def put(self, name: str, entries: Mapping[str, str | None]) -> None:
        """Set or (None) remove index entries."""
        self._index.setdefault(name, {}).update(entries)

    def deliver(self, delivery: Delivery) -> None:
        self._deliveries.append(replace(delivery, created_at=self.at))

    def settle(self, deliveries: Iterable[int]) -> None:
        self._settled.extend(deliveries)

    @property
    def changed(self) -> set[str]:
        """Streams that this unit decided something on."""
        return self._changed

    def touch(self, kind: Kind[Any, Any], number: int | str) -> None:
        """Write a loaded stream's head again, with its state and deadline as they fold now."""
        self._touched.add(kind.stream(number))

    def postpone(self, kind: Kind[Any, Any], number: int | str, until: datetime) -> None:
        """Do not come back to a stream before `until`, although it is due: nothing could be decided on it."""
        self._postponed[kind.stream(number)] = until

    @property
    def wrote(self) -> bool:
        """There is something for the relay."""
        return bool(self._lines)

    @property
    def delivers(self) -> bool:
        """There is something to be sent outside."""
        return bool(self._deliveries)

    async def flush(self) -> Sequence[Envelope]:
        """Write everything into the transaction; the engine commits it."""
        for stream in self._erased:
            await self.tx.erase(stream)
        rewritten = self._changed | self._touched | self._postponed.keys()
        if rewritten:
            await self.tx.append(self._lines, [self._head(stream) async for stream in breathing(sorted(rewritten))])
        for name, entries in self._index.items():
            await self.tx.index_put(name, entries)
        if self._settled:
            await self.tx.settle(self._settled)
        if self._deliveries:
            await self.tx.enqueue(self._deliveries)
        return self.decided

    def _head(self, stream: str) -> StreamRow:
        head, kind = self._heads[stream], self._kinds.get(stream)
        if kind is None:
            return head
        state = self._states[stream]
        due_at = self._postponed.get(stream) or kind.decider.due_at(state)
        if due_at is not None:
            self.earliest_due = min(due_at, self.earliest_due or due_at)
        return replace(head, state=kind.codec.dump(state), state_rev=kind.state_rev, due_at=due_at)


def _causes(lines: Sequence[Line]) -> set[str | None]:
    """What led to these; what only newer code can read has no say."""
    causes: set[str | None] = set()
    for line in lines:
        with suppress(UnknownEvent):
            causes.add(decode(line.body).causation if line.body is not None else None)
    return causes


def _events(lines: Sequence[Line]) -> list[Event]:
    try:
        return [decode(line.body).event for line in lines if line.body is not None]
    except UnknownEvent as unknown:
        raise NewerEvents(f"{lines[0].stream} holds {unknown}: run newer code") from unknown
