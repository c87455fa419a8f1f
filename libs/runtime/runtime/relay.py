"""The relay: what the outbox holds goes to the broker, in order, and leaves the outbox once the broker has it.

    Following --the leadership is free (asked every 200 ms)--> Leading --its connection is lost--> Following

    leading:  [forget what was acknowledged, read the next] -> send -> acknowledged -> …   one round trip a turn

At least once: whoever dies between sending and forgetting leaves lines that the next leader sends again, in the same
order; readers drop what they have seen. One leader per service; every process that writes runs a relay.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from events.envelope import CONTENT_TYPE
from runtime.bell import Bell
from runtime.bookmarks import Bookmarks
from runtime.ports import Clock, Ledger, Line, Message, OutboxLine, Place, Producer, Unavailable, Written
from runtime.role import Background

LIMIT = 1_000
LEAD_RETRY_S = 0.2
LOOK_AGAIN_S = 0.25
FOLLOW_S = 0.01
BEAT_S = 1.0
MOMENT_S = 0.0005  # a rest shorter than this may not move a virtual clock at all
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 1.0
LAST_TURN_S = 2.0
LAST_NOTE_S = 0.5
HEADERS = (("content-type", CONTENT_TYPE.encode()),)


@dataclass(frozen=True)
class _Waiter:
    """Somebody who waits until everything up to `seq` is out."""

    seq: int
    out: "asyncio.Future[None]"

    def tell(self) -> None:
        if not self.out.done():
            self.out.set_result(None)


class Relay:
    """A part of every role with a ledger. Public figures are for metrics: `waiting`, `oldest_s`, `sent`, `last_sent_at`."""

    def __init__(
        self, ledger: Ledger, producer: Producer, log: Any, clock: Clock, bookmarks: Bookmarks | None = None
    ) -> None:
        """`bookmarks` are looked after by whoever leads."""
        self.leads = False
        self.waiting = 0
        self.oldest_s = 0.0
        self.sent = 0
        self.last_sent_at: datetime | None = None
        self._ledger = ledger
        self._producer = producer
        self._log = log
        self._clock = clock
        self._bell = Bell()
        self._told = 0
        self._waiters: list[_Waiter] = []
        self._published: dict[Place, int] = {}
        self._beat_at = 0.0
        self._pause_s = FIRST_PAUSE_S
        self._waits: str | None = "the relay has not reached the base yet"
        self._background = Background()
        self._task: asyncio.Task[Any] | None = None
        self._stopping = False
        self._bookmarks = bookmarks
        self._noting: asyncio.Task[Any] | None = None
        self._note_at = 0.0

    async def start(self) -> None:
        self._stopping = False
        self._task = self._background.once(self._run(), "relay")  # it ends when it is told to stop

    async def stop(self) -> None:
        """Ends the turn that is running, so that nothing is sent twice for no reason; then others may lead."""
        self._stopping = True
        self._bell.ring()
        if self._task is not None:
            await asyncio.wait([self._task], timeout=LAST_TURN_S)
        await self._background.stop()
        if self.leads and self._bookmarks is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LAST_NOTE_S):
                    await self._bookmarks.look()
        self.leads = False
        with contextlib.suppress(Unavailable):  # then the base has dropped us already
            await self._ledger.resign()

    def ready(self) -> str | None:
        return self._waits

    def wake(self) -> None:
        """There may be something to send: this process committed, or heard that another did."""
        self._bell.ring()

    async def acknowledged(self, timeout_s: float) -> bool:
        """Wait until the broker has everything that this process committed so far, whoever leads; says whether it has."""
        waiter = _Waiter(self._ledger.written(), asyncio.get_running_loop().create_future())
        if waiter.seq == 0:
            return True
        self._waiters.append(waiter)
        self._bell.ring()
        try:
            async with asyncio.timeout(timeout_s):
                await waiter.out
        except TimeoutError:
            return False
        finally:
            self._waiters.remove(waiter)
        return True

    async def drained(self) -> bool:
        """Nothing of this service waits for the broker, as far as the base can say."""
        try:
            return await self._ledger.first_waiting() is None
        except Unavailable:
            return False

    # -- leading and following

    async def _run(self) -> None:
        while not self._stopping:
            try:
                if await self._lead():
                    await self._turns()
                else:
                    await self._follow()
            except Unavailable as away:
                self._waits = str(away)
                self._log.warning("relay.waits", reason=self._waits)
                await self._rest()

    async def _rest(self) -> None:
        """Longer each time; commits do not shorten it, for they cannot bring back what is away."""
        until = _time() + self._pause_s
        self._pause_s = min(LONGEST_PAUSE_S, self._pause_s * 2)
        while not self._stopping and (left := until - _time()) > MOMENT_S:
            await self._bell.wait(left)

    async def _lead(self) -> bool:
        leads = await self._ledger.lead()
        if leads != self.leads:
            self._log.info("relay.leads" if leads else "relay.follows")
        self.leads = leads
        return leads

    async def _follow(self) -> None:
        """Tell the leader what we committed, and look after those who wait here, until it is time to ask again."""
        self._works()
        until = _time() + LEAD_RETRY_S
        while not self._stopping and (left := until - _time()) > MOMENT_S:
            if self._ledger.written() > self._told:
                self._told = self._ledger.written()
                await self._ledger.notify()
            if self._waiters:
                await self._look_for_waiters()
            await self._bell.wait(min(left, FOLLOW_S) if self._waiters else left)
        await self._measure()

    async def _look_for_waiters(self) -> None:
        waiters = list(self._waiters)
        first = await self._ledger.first_waiting()
        for waiter in waiters:
            if first is None or first > waiter.seq:
                waiter.tell()

    # -- publishing

    async def _turns(self) -> None:
        """Read, send, forget, for as long as we lead."""
        acknowledged: Sequence[int] = ()
        try:
            while acknowledged or not self._stopping:
                acknowledged = await self._turn(acknowledged)
                self._works()
                await self._measure()
                self._note_positions()
        except Unavailable:
            self.leads = False
            raise

    async def _turn(self, acknowledged: Sequence[int]) -> Sequence[int]:
        """One turn: forgets what the broker has, sends what comes next, and says what the broker has now."""
        waiters = list(self._waiters)
        lines = await self._ledger.outbox(acknowledged, LIMIT)
        if self._stopping:
            return ()
        if lines:
            self._note(await self._send(lines))
        _tell_covered(waiters, lines)
        if not lines:
            await self._bell.wait(LOOK_AGAIN_S)
        return [line.seq for line in lines]

    def _works(self) -> None:
        self._waits = None
        self._pause_s = FIRST_PAUSE_S

    async def _send(self, lines: Sequence[OutboxLine]) -> list[Written]:
        """Hand over and wait. While the broker lets us wait, the base is shown that we live."""
        messages = [message_of(line.line) for line in lines]
        sending = asyncio.ensure_future(self._producer.send(messages))
        try:
            while not (await asyncio.wait([sending], timeout=BEAT_S))[0]:
                await self._ledger.lead()
                await self._measure()
            return sending.result()
        finally:
            if not sending.done():
                sending.cancel()
                await asyncio.wait([sending])

    def _note(self, written: Sequence[Written]) -> None:
        self.sent += len(written)
        self.last_sent_at = self._clock.now()
        for each in written:
            place = (each.topic, each.partition)
            self._published[place] = max(each.offset + 1, self._published.get(place, 0))

    async def _note_published(self) -> None:
        """Where our topics end: a restore may begin too early, never too late."""
        places = dict(self._published)
        if places:
            await self._ledger.note_published(places)
            self._published = {place: end for place, end in self._published.items() if places.get(place) != end}

    async def _measure(self) -> None:
        """Once a second, so that neither figures nor the marks of a restore cost the turns anything."""
        if _time() >= self._beat_at:
            self._beat_at = _time() + BEAT_S
            await self._note_published()
            self.waiting, self.oldest_s = await self._ledger.outbox_lag()

    def _note_positions(self) -> None:
        """Beside the turns: nobody waits for it."""
        if self._bookmarks is None or _time() < self._note_at or (self._noting is not None and not self._noting.done()):
            return
        self._note_at = _time() + BEAT_S
        self._noting = self._background.once(self._bookmarks.look(), "bookmarks")


def _tell_covered(waiters: Sequence[_Waiter], lines: Sequence[OutboxLine]) -> None:
    """What they wait for was committed before this turn read: it was among these lines, or it was out before."""
    for waiter in waiters:
        if len(lines) < LIMIT or waiter.seq <= lines[-1].seq:
            waiter.tell()


def message_of(line: Line) -> Message:
    """An event as it is published; nothing but its key where it was erased."""
    return Message(line.topic, line.key, line.body, HEADERS if line.body is not None else ())


def _time() -> float:
    return asyncio.get_running_loop().time()
