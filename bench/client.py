"""Load over HTTP/1.1 on bare asyncio protocols: requests go in as bytes, statuses and instants come out.

A client that costs more than what it asks measures itself: nothing is parsed here but a status and a length.
"""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final, cast

CONNECT_S: Final = 10.0
PACE_S: Final = 0.001
BUSY: Final = 503
INSIST_S: Final = 0.05

EventOf = Callable[[int], bytes]
"""The request of the event with this number."""


class Torn(Exception):
    """The other side closed the connection in the middle."""


@dataclass(frozen=True)
class Answer:
    status: int
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Connection(asyncio.Protocol):
    """One connection that is kept; one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._seen = bytearray()
        self._waiter: asyncio.Future[Answer] | None = None

    def ask(self, request: bytes) -> "asyncio.Future[Answer]":
        """Send one request. The future raises `Torn`."""
        assert self._transport is not None, "not connected"
        self._waiter = asyncio.get_running_loop().create_future()
        if self._transport.is_closing():
            self._waiter.set_exception(Torn("it was closed"))
        self._transport.write(request)
        return self._waiter

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._seen += data
        end = self._seen.find(b"\r\n\r\n")
        if end < 0:
            return
        whole = end + 4 + _length(bytes(self._seen[:end]))
        if len(self._seen) < whole:
            return
        answer = Answer(int(self._seen[9:12]), bytes(self._seen[end + 4 : whole]))
        del self._seen[:whole]
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(answer)

    def connection_lost(self, error: Exception | None) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(Torn(str(error or "it was closed")))


def _length(head: bytes) -> int:
    """What `Content-Length` says. Raises ValueError where it is missing: nothing else is spoken here."""
    _, found, rest = head.lower().partition(b"content-length:")
    if not found:
        raise ValueError(f"an answer without a length: {head[:200]!r}")
    return int(rest.split(b"\r\n", 1)[0])


def post(path: str, body: Mapping[str, Any]) -> bytes:
    """A request with a JSON body."""
    said = json.dumps(body, separators=(",", ":")).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {len(said)}\r\n\r\n"
    )
    return head.encode() + said


def get(path: str, token: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\r\n".encode()


@asynccontextmanager
async def connected(port: int, count: int) -> AsyncIterator[list[Connection]]:
    """So many connections to a port of this machine."""
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(CONNECT_S):
        made = [(await loop.create_connection(Connection, "127.0.0.1", port))[1] for _ in range(count)]
    try:
        yield made
    finally:
        for connection in made:
            connection.close()


@dataclass(frozen=True)
class Sample:
    """One request: its number, when it was due (equal to when it was sent, where nothing paced it) and answered; seconds
    since the epoch. Status 0: the connection broke."""

    number: int
    due_at: float
    answered_at: float
    status: int


@dataclass
class Load:
    """What became of a load."""

    samples: list[Sample] = field(default_factory=list)
    began_at: float = 0.0
    ended_at: float = 0.0

    @property
    def accepted(self) -> list[Sample]:
        """Those that were answered with yes."""
        return [sample for sample in self.samples if 200 <= sample.status < 300]

    @property
    def per_s(self) -> float:
        return len(self.accepted) / max(self.ended_at - self.began_at, 1e-9)

    @property
    def latencies_ms(self) -> list[float]:
        return [(sample.answered_at - sample.due_at) * 1000 for sample in self.accepted]

    @property
    def refused(self) -> dict[int, int]:
        """Statuses of those that were not accepted, with their numbers."""
        return dict(Counter(sample.status for sample in self.samples if not 200 <= sample.status < 300))


async def closed_loop(
    port: int, connections: int, request_of: EventOf, *, seconds: float = 1e9, count: int = 10**9, insists: bool = False
) -> Load:
    """Each connection asks again as soon as it was answered: as many as the other side takes in that time.

    Who `insists` sends what was refused for now (503) again a moment later, as tools do.
    """
    load = Load()
    numbers = iter(range(count))

    async def asking(connection: Connection, until: float) -> None:
        for number in numbers:
            due_at, request = time.time(), request_of(number)
            sample = await _asked(connection, request, number, due_at)
            while insists and sample.status == BUSY:
                load.samples.append(sample)
                await asyncio.sleep(INSIST_S)
                sample = await _asked(connection, request, number, due_at)
            load.samples.append(sample)
            if time.time() >= until or sample.status == 0:
                return

    async with connected(port, connections) as made:
        load.began_at = time.time()
        await asyncio.gather(*(asking(connection, load.began_at + seconds) for connection in made))
        load.ended_at = time.time()
    return load


async def open_loop(port: int, connections: int, request_of: EventOf, *, rate: float, count: int) -> Load:
    """So many a second, whatever the answers do; latency counts from the instant at which each was due."""
    load = Load()
    due: asyncio.Queue[tuple[int, float] | None] = asyncio.Queue()

    async def pace() -> None:
        for number in range(count):
            at = load.began_at + number / rate
            while (left := at - time.time()) > 0:
                await asyncio.sleep(max(left, PACE_S))
            due.put_nowait((number, at))
        for _ in range(connections):
            due.put_nowait(None)

    async def asking(connection: Connection) -> None:
        while (one := await due.get()) is not None:
            load.samples.append(await _asked(connection, request_of(one[0]), *one))

    async with connected(port, connections) as made:
        load.began_at = time.time()
        await asyncio.gather(pace(), *map(asking, made))
        load.ended_at = time.time()
    return load


async def _asked(connection: Connection, request: bytes, number: int, due_at: float) -> Sample:
    try:
        answer = await connection.ask(request)
    except Torn:
        return Sample(number, due_at, time.time(), 0)
    return Sample(number, due_at, time.time(), answer.status)


def percentile(values: Sequence[float], share: float) -> float | None:
    """The value below which this share lies (nearest rank); None where there are none."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
