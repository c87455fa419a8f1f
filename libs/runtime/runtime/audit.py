"""A service audits its own books: laws look at its ledger every few seconds, and what stays missing is said as an event.

    laws -> missing ids -> seen in several rounds running? -> `books.unbalanced` in the service's quiet topic -> an alert

A law is a question to the base, asked in one transaction. What one look finds may be in the middle of its way, or in the
middle of a trouble that is told elsewhere: only what every one of several looks finds is named. A base that is away ends
the row of looks, so that nobody is told of what a fault merely delays.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final, cast

from runtime import books, metrics
from runtime.ports import StreamRow, Unavailable
from runtime.role import Background
from runtime.shell import Shell
from runtime.unit import Unit

LOOKS: Final = 4
NEWEST: Final = 20_000
"""Events at the end of the ledger that every look goes over; a slice as long moves through all that is older."""
NEWEST_STATES: Final = 4_000
OVERDUE: Final = timedelta(seconds=60)
OUTBOX_S: Final = 120.0
AT_MOST: Final = 1_000

HEADS = """
select r.stream, r.version as said, coalesce(s.version, 0) as held
from (select stream, max(version) as version from events where seq > $1 and seq <= $2 group by stream) r
left join streams s on s.stream = r.stream
where s.stream is null or s.version < r.version
limit 1000
"""
LAST = "select coalesce(max(seq), 0) from events"
RECENT = """
select s.stream, s.version, s.state, s.state_rev, s.due_at, s.parked
from (select distinct stream from events where seq > $1) r join streams s on s.stream = r.stream
where s.state is not null
"""
WAITING = "select stream, due_at from streams where due_at < $1 and parked is null limit 1000"

Findings = Mapping[str, str]
"""What is missing, by id, and what is amiss with it as a few words."""


@dataclass(frozen=True)
class Law:
    """An account: its name, what it says when it balances, and how to look for what is missing."""

    account: str
    says: str
    look: Callable[[Any, datetime], Awaitable[Findings]]
    """(the base's connection, the service's clock) -> findings."""


@dataclass(frozen=True)
class Patience:
    """In how many looks running each id was missing."""

    looks: Mapping[str, int] = field(default_factory=dict)

    def after(self, missing: Iterable[str]) -> "Patience":
        """One look more; what is there again is forgotten."""
        return Patience({one: self.looks.get(one, 0) + 1 for one in missing})

    def spent(self, looks: int) -> tuple[str, ...]:
        """What was missing in as many looks running, in order."""
        return tuple(sorted(one for one, number in self.looks.items() if number >= looks))


class Audit:
    """A part of the role that decides. Without a base in SQL there is nothing to look at."""

    def __init__(self, shell: Shell, laws: Sequence[Law] = (), *, looks: int = LOOKS) -> None:
        self._shell, self._every_s, self._looks = shell, shell.settings.audit_every_s, looks
        self._laws = (*_own_laws(shell), *laws)
        self._kind = books.kind_of(shell.service)
        self._patience = {law.account: Patience() for law in self._laws}
        self._said: dict[str, tuple[str, ...] | None] = {law.account: None for law in self._laws}
        self._rounds = 0
        self._background = Background()

    async def start(self) -> None:
        self._background.forever(self._run(), f"{self._shell.service}.audit")

    async def stop(self) -> None:
        await self._background.stop()

    def ready(self) -> str | None:
        """Nobody waits for it."""
        return None

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            try:
                await self.look()
            except Unavailable as away:
                self._patience, self._rounds = {law.account: Patience() for law in self._laws}, 0
                self._shell.log.info("audit waits", reason=str(away))

    async def look(self) -> None:
        """One look at every account; what stayed missing, or is there again, is said, once there were looks enough to know."""
        self._rounds += 1
        for law in self._laws:
            found = await self._find(law)
            self._patience[law.account] = self._patience[law.account].after(found)
            missing = self._patience[law.account].spent(self._looks)
            metrics.BOOKS_MISSING.labels(self._shell.service, law.account).set(len(missing))
            if self._rounds >= self._looks and missing != self._said[law.account]:
                text = "; ".join([law.says, *(f"{one}: {found[one]}" for one in missing[:3])])
                await say(self._shell, self._kind, law.account, missing, text)
                self._said[law.account] = missing

    async def _find(self, law: Law) -> Findings:
        async with self._shell.ledger.begin() as tx:
            return {} if tx.sql is None else await law.look(tx.sql, self._shell.clock.now())


async def say(shell: Shell, kind: Any, account: str, missing: tuple[str, ...], text: str) -> None:
    """Say as an event what is missing in an account; the same is never said twice."""

    async def work(unit: Unit) -> None:
        number = f"{shell.service}.{account}"
        await unit.load(kind, [number])
        unit.decide(kind, number, books.Found(shell.service, account, missing, text, unit.at))

    if missing:
        shell.log.error("books.unbalanced", account=account, missing=missing[: books.NAMED], number=len(missing))
    await shell.run(work)


# -- the laws that hold in every service


def _own_laws(shell: Shell) -> tuple[Law, ...]:
    return (
        Law("heads", "Every stream stands where its own events say", Heads().look),
        Law(
            "deadlines",
            "What waits for time has its next deadline, and no deadline is passed over",
            Deadlines(shell).look,
        ),
        Law("relay", f"What was decided reaches the broker within {OUTBOX_S:.0f} seconds", _outbox(shell)),
    )


class Heads:
    """Every event's stream is in the base with at least this version: the newest events, and a slice of the older ones."""

    def __init__(self) -> None:
        self._slice = 0

    async def look(self, sql: Any, _now: datetime) -> Findings:
        last = int(await sql.fetchval(LAST))
        newest = max(0, last - NEWEST)
        self._slice = self._slice if self._slice < newest else 0
        older = (self._slice, min(self._slice + NEWEST, newest))
        found = [*await sql.fetch(HEADS, newest, last), *await sql.fetch(HEADS, *older)]
        if not found:
            self._slice = older[1]  # what is missing is looked at again until it is named
        return {row["stream"]: f"its events end at {row['said']}, it stands at {row['held']}" for row in found}


class Deadlines:
    """What a stream's state waits for is among the deadlines, and none was due long ago."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell

    async def look(self, sql: Any, now: datetime) -> Findings:
        rows = await recent(sql)
        missing = {row.stream: "it waits for time, and has no deadline" for row in rows if self._lacks(row)}
        late = await sql.fetch(WAITING, now - OVERDUE)
        return missing | {row["stream"]: f"it was due at {row['due_at'].isoformat()}" for row in late}

    def _lacks(self, row: StreamRow) -> bool:
        kind, _ = self._shell.kind_of(row.stream)
        if kind is None or row.state is None or row.due_at is not None or row.parked or row.state_rev != kind.state_rev:
            return False
        return kind.decider.due_at(kind.codec.load(row.state)) is not None


async def recent(sql: Any, prefix: str = "") -> list[StreamRow]:
    """The heads of the streams that were spoken of last, with their states; those whose name begins so."""
    last = int(await sql.fetchval(LAST))
    rows = await sql.fetch(RECENT, max(0, last - NEWEST_STATES))
    return [StreamRow(**dict(row)) for row in rows if cast(str, row["stream"]).startswith(prefix)]


def _outbox(shell: Shell) -> Callable[[Any, datetime], Awaitable[Findings]]:
    async def look(_sql: Any, _now: datetime) -> Findings:
        waiting, age_s = await shell.ledger.outbox_lag()
        return {"outbox": f"{waiting} events wait, the oldest for {age_s:.0f} s"} if age_s > OUTBOX_S else {}

    return look
