"""The auditor of the suite: reads all traffic on its own, closes the books behind the readers' positions, and says what is missing.

    topics -> entries -> books      broker: ends, groups -> lines      books + lines -> missing -> `books.unbalanced` -> an alert

It reads in a group of its own, one for each replica, and keeps what waits together with its positions: a restart goes on
where it was. The services' own accounts are heard from their quiet topics; the page shows both.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

import httpx
from pydantic import BaseModel, TypeAdapter

from events.envelope import MalformedEvent
from events.machinery import BooksBalanced, BooksUnbalanced
from events.topics import ACTIONS, ALERTS, CONFIGURATION, ESCALATIONS, INCIDENTS, NOTIFICATIONS, SIGNALS, SOURCES
from ingest import synthetic
from ingest.audit_laws import (
    CONNECTORS,
    ESCALATOR,
    INGEST,
    NOTIFIER,
    SAYS,
    STATUSPAGE,
    Books,
    Heard,
    Item,
    Line,
    entries,
    moved,
)
from ingest.audit_lines import Look, Track, reached_of, tracked
from runtime import audit, books, metrics
from runtime.ports import Place, PositionLost, Reader, Record, Unavailable
from runtime.records import Received, decode_record
from runtime.role import Background
from runtime.shell import Shell
from runtime.standing import Standings
from runtime.views import View

TRAFFIC: Final = tuple(topic.name for topic in (SIGNALS, ALERTS, ESCALATIONS, NOTIFICATIONS, ACTIONS, INCIDENTS))
HEARD: Final = (*TRAFFIC, SOURCES.name)
"""With ingest's quiet topic, in which a parked signal is told."""

READERS: Final[Mapping[str, frozenset[str]]] = {
    INGEST: frozenset({SIGNALS.name, ACTIONS.name}),
    ESCALATOR: frozenset({ALERTS.name}),
    NOTIFIER: frozenset({ALERTS.name, ESCALATIONS.name}),
    CONNECTORS: frozenset({ALERTS.name, ESCALATIONS.name}),
    STATUSPAGE: frozenset({ACTIONS.name}),
}
"""Who must end what, and which topics of the books they read."""

LOOK_S: Final = 5.0
KEEP_S: Final = 30.0
POLL_S: Final = 1.0
PAUSE_S: Final = 1.0
LATE_READER: Final = timedelta(seconds=120)
LATE_CHECKS: Final = 3
POST_S: Final = 10.0
KEPT: Final = "audit"
REWIND: Final = 200
"""Records of each partition that a start reads again, to know what is said twice."""


class Told(View):
    """What the services say of their own accounts."""

    topics = tuple(topic.name for topic in CONFIGURATION.values())

    def __init__(self) -> None:
        self.unbalanced: dict[tuple[str, str], BooksUnbalanced] = {}

    def apply(self, received: Received) -> None:
        match received.envelope.event:
            case BooksUnbalanced(service=service, account=account) as said:
                self.unbalanced[service, account] = said
            case BooksBalanced(service=service, account=account):
                self.unbalanced.pop((service, account), None)
            case _:
                pass


class _Kept(BaseModel):
    """A checkpoint: what waits, what ended before it was heard of, and up to where the topics were read for it."""

    places: list[tuple[str, int, int]]
    waiting: list[tuple[str, str, str, datetime, datetime | None]]
    early: list[tuple[str, str]] = []
    at: datetime


_kept: Final = TypeAdapter(_Kept)


@dataclass
class Board:
    """What the page shows; filled by the auditor."""

    books: Books = field(default_factory=Books)
    missing: dict[str, tuple[str, ...]] = field(default_factory=dict)
    tracks: dict[str, Track] = field(default_factory=dict)
    lines: dict[str, Line] = field(default_factory=dict)
    trips: synthetic.RoundTrips = field(default_factory=synthetic.RoundTrips)
    looked_at: datetime | None = None
    began_at: datetime | None = None


class Auditor:
    """A part of `ingest.web`; its own reader is the `Assignment` that says where to begin."""

    def __init__(self, shell: Shell, told: Told) -> None:
        settings = shell.settings
        self.board, self.told = Board(), told
        self._shell, self._kind = shell, books.kind_of(shell.service)
        self._grace = timedelta(seconds=settings.audit_grace_s)
        self._look_s = min(LOOK_S, settings.audit_grace_s / 4)
        self._next: dict[Place, int] = {}
        self._heard = Heard()
        self._looks: tuple[Look, ...] = ()
        self._read: datetime | None = None
        self._said: dict[str, tuple[str, ...]] = {}
        self._kept_at = 0.0
        self._goes_on = False
        self._background = Background()
        self._reader: Reader | None = None

    # -- a part

    async def start(self) -> None:
        self.board.tracks = {name: Track(topics) for name, topics in READERS.items()}
        self.board.began_at = self._shell.clock.now()
        self._background.forever(self._run(), "auditor reads")
        self._background.forever(self._look(), "auditor looks")

    async def stop(self) -> None:
        await self._background.stop()
        if self._reader is not None:
            await self._reader.stop()

    def ready(self) -> str | None:
        """Nobody waits for it."""
        return None

    # -- reading

    async def assigned(self, places: Sequence[Place]) -> Mapping[Place, int]:
        """A little before where it was; partitions that it never read begin at their end: what was before is not in its books."""
        await self._shell.opened.wait()
        ends = await self._shell.broker.end_offsets(HEARD)
        begins = await self._shell.broker.begin_offsets(HEARD)
        rewind = 0 if self._next else REWIND
        kept = self._next or await self._restored()
        for place in places:
            at = kept.get(place, ends[place])
            self._next[place] = at if begins[place] <= at <= ends[place] else ends[place]
        return {place: max(begins[place], self._next[place] - rewind) for place in places}

    async def revoked(self, places: Sequence[Place]) -> None:
        """Nobody else takes them: the group is this replica's own."""

    async def _run(self) -> None:
        name = f"ingest.audit.{self._shell.settings.replica}"
        reader = self._reader = self._shell.broker.member(HEARD, name, name, self)
        await reader.start()
        while True:
            try:
                for record in await reader.poll(POLL_S):
                    self._take(record)
            except Unavailable as away:
                self._shell.log.info("auditor waits", reason=str(away))
                await asyncio.sleep(PAUSE_S)
            except PositionLost as lost:
                self._shell.log.warning("auditor begins anew", reason=str(lost))
                self._next.clear()
                self.board.books = Books()
                await asyncio.sleep(PAUSE_S)

    def _take(self, record: Record) -> None:
        is_in_our_books = record.offset < self._next.get(record.place, 0)
        if not is_in_our_books:
            self._next[record.place] = record.offset + 1
        try:
            received = decode_record(record, lambda _record, _unknown: None) if record.value is not None else None
        except MalformedEvent:  # whoever must handle it sets it aside, and that is told
            return
        if received is None:
            return
        is_news = self._heard.is_news(received.envelope.stream, received.envelope.version)
        if is_news and not is_in_our_books:
            self.board.books.take(entries(received.envelope), self._shell.clock.now())
            took = self.board.trips.take(received.envelope.event)
            if took is not None:
                metrics.SYNTHETIC_SECONDS.observe(took)

    # -- looking

    async def _look(self) -> None:
        while True:
            await asyncio.sleep(self._look_s)
            try:
                await self.look()
            except Unavailable as away:
                self._shell.log.info("auditor does not see", reason=str(away))

    async def look(self) -> None:
        """Where everybody is; then what is missing is said, and what waits is kept."""
        broker, now = self._shell.broker, self._shell.clock.now()
        if not isinstance(broker, Standings):
            return
        ends = await broker.end_offsets(TRAFFIC)
        standings = await broker.standings(list(READERS))
        blind = self.board.looked_at is None or now - self.board.looked_at > self._grace / 2
        self._note_read(Look(now, ends))
        for name, track in self.board.tracks.items():
            known = self.board.tracks[name] = tracked(track, Look(now, ends), standings[name], self._read)
            line = moved(self.board.lines.get(name), known.handled, now, troubled=known.troubled or blind)
            if line is not None:
                self.board.lines[name] = line
                metrics.BOOKS_BEHIND_SECONDS.labels(name).set((now - line.handled).total_seconds())
        self.board.looked_at = now
        await self._judge(now)
        await self._keep()

    def _note_read(self, look: Look) -> None:
        """Up to when everything that was there has been read here."""
        self._looks = (*self._looks, look)[-1_000:]
        passed = reached_of(self._looks, self._next)
        if passed:
            self._read = passed[-1].at
            self._looks = self._looks[len(passed) :]

    async def _judge(self, now: datetime) -> None:
        board = self.board
        board.books.forget_early(min(now, self._read or now) - 4 * self._grace)
        board.missing = board.books.missing(board.lines, self._grace)
        board.missing |= {"readers": self._late_readers(), "check": self._late_check(now)}
        for account, number in board.books.open().items():
            metrics.BOOKS_OPEN.labels(account).set(number)
        for account, missing in board.missing.items():
            metrics.BOOKS_MISSING.labels("suite", account).set(len(missing))
            if self._said.get(account) != missing and (missing or account in self._said or self._knows_all(now)):
                await audit.say(self._shell, self._kind, f"suite.{account}", missing, ACCOUNTS[account])
                self._said[account] = missing

    def _knows_all(self, now: datetime) -> bool:
        """Whether it may say that nothing is missing: only who goes on from a checkpoint, once its lines had time to move."""
        began = self.board.began_at
        return self._goes_on and began is not None and now - began > 4 * self._grace

    def _late_readers(self) -> tuple[str, ...]:
        """Those that are behind and stay so."""
        late = (
            name
            for name, track in self.board.tracks.items()
            if track.behind and track.looks and track.looks[-1].at - track.looks[0].at > LATE_READER
        )
        return tuple(sorted(late))

    def _late_check(self, now: datetime) -> tuple[str, ...]:
        """The suite's own event did not come through for a while."""
        every_s = self._shell.settings.synthetic_every_s
        since = self.board.trips.last_at or self.board.began_at
        if not every_s or since is None:
            return ()
        age_s = max(0.0, (now - since).total_seconds())
        metrics.SYNTHETIC_AGE_SECONDS.set(age_s)
        return ("the suite's own event",) if age_s > LATE_CHECKS * every_s + 2 * self._grace.total_seconds() else ()

    # -- what a restart goes on with

    async def _keep(self) -> None:
        """A checkpoint from time to time: what is read again after a restart is taken as it was."""
        now = asyncio.get_running_loop().time()
        if now - self._kept_at < KEEP_S or not self._next:
            return
        self._kept_at = now
        waiting = [(*key, item.closer, item.since, item.due) for key, item in self.board.books.waiting.items()]
        places = [(*place, at) for place, at in self._next.items()]
        early = list(self.board.books.early)
        text = _Kept(places=places, waiting=waiting, early=early, at=self._shell.clock.now()).model_dump_json()
        async with self._shell.ledger.begin() as tx:
            await tx.index_put(KEPT, {self._shell.settings.replica: text})

    async def _restored(self) -> Mapping[Place, int]:
        async with self._shell.ledger.begin() as tx:
            text = (await tx.index_get(KEPT, [self._shell.settings.replica])).get(self._shell.settings.replica)
        if text is None:
            return {}
        kept = _kept.validate_json(text)
        self._goes_on = True
        now = self._shell.clock.now()
        for account, number, closer, _since, due in kept.waiting:
            self.board.books.waiting[account, number] = Item(closer, now, due)
        self.board.books.early |= dict.fromkeys(kept.early, now)
        return {(topic, partition): at for topic, partition, at in kept.places}


ACCOUNTS: Final[Mapping[str, str]] = {
    **SAYS,
    "readers": f"Every reader goes on within {LATE_READER.total_seconds():.0f} seconds",
    "check": "The suite's own event comes through",
}


class Checks:
    """A part that sends the suite's own event, and calls outside while all is well: whoever waits for the call hears the silence."""

    def __init__(self, shell: Shell, auditor: Auditor, client: httpx.AsyncClient | None = None) -> None:
        settings = shell.settings
        self._shell, self._auditor = shell, auditor
        self._every_s, self._key = settings.synthetic_every_s, synthetic.key_of(settings.secret_key.get_secret_value())
        base = settings.synthetic_url or settings.upstream_urls.get("ingest.gateway") or settings.public_url
        self._url, self._outside = f"{base.rstrip('/')}/api/events", settings.deadman_url.get_secret_value()
        self._client = client or httpx.AsyncClient(timeout=POST_S)
        self._background = Background()

    async def start(self) -> None:
        if self._every_s:
            self._background.forever(self._run(), "checks")

    async def stop(self) -> None:
        await self._background.stop()
        await self._client.aclose()

    def ready(self) -> str | None:
        """Nobody waits for it."""
        return None

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            await self._post(self._url, synthetic.body(self._key, self._shell.clock.now()), "check.not_taken")
            if self._outside and self.is_well():
                await self._post(self._outside, {"suite": "balanced"}, "deadman.not_reached")

    def is_well(self) -> bool:
        """All books balance, and the last check came through within two turns."""
        board, now = self._auditor.board, self._shell.clock.now()
        if any(board.missing.values()) or self._auditor.told.unbalanced or board.trips.last_at is None:
            return False
        looked = board.looked_at is not None and (now - board.looked_at).total_seconds() < 2 * self._every_s
        return looked and (now - board.trips.last_at).total_seconds() < 2 * self._every_s

    async def _post(self, url: str, body: Mapping[str, object], trouble: str) -> None:
        """Whether it was taken shows elsewhere; here it is only logged. Addresses may hold secrets, and are not."""
        try:
            answer = await self._client.post(url, json=body)
            if answer.status_code >= 400:
                self._shell.log.warning(trouble, status=answer.status_code)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            self._shell.log.warning(trouble, error=type(error).__name__)
