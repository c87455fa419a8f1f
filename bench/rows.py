"""The rows of the table: each drives a running suite from outside and gives its figures. Rows come in the order in which they run.

What a row leaves behind is worked off before the next begins. Events enter at the gateway, as behind an ingress; the router's own
cost is a row of its own.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from bench import ballast, reborn
from bench.client import Connection, Load, closed_loop, connected, get, open_loop, percentile
from bench.figures import Figure
from bench.sink import Sink
from bench.stream import drained, lateness_ms, steps
from bench.suites import MINUTE_S, STORM_WINDOW_S, Suite
from bench.usage import Used, measured, memory_mb
from bench.world import PEOPLE, World, address_of, climbing

GATEWAY, ROUTER = "ingest.gateway", "router"
LOOK_S: Final = 0.05
PATIENCE_S: Final = 60.0


@dataclass
class Pace:
    """What must be equal for all versions of one run: found by whoever runs first."""

    sustained: float | None = None


@dataclass
class Bench:
    """One suite under measurement, and how long its rows may be."""

    suite: Suite
    world: World
    sink: Sink
    pace: Pace
    long: bool = False
    rates: tuple[int, ...] = (1, 100, 500)
    _runs: int = 0
    _climbers: dict[int, World] = field(default_factory=dict)

    def mark(self) -> str:
        """The beginning of tokens that no other load of this suite has."""
        self._runs += 1
        return f"r{self._runs}"

    async def settled(self) -> None:
        """Nothing is under way, and no storm's window is open."""
        await drained(self.suite)
        await asyncio.sleep(STORM_WINDOW_S)
        await drained(self.suite)

    async def climbers(self, minutes: int) -> World:
        if minutes not in self._climbers:
            self._climbers[minutes] = await climbing(self.suite, self.world.people, minutes, f"Climb {minutes}")
        return self._climbers[minutes]

    @property
    def gateway(self) -> int:
        return self.suite.port_of(GATEWAY)


Row = Callable[[Bench], Awaitable[list[Figure]]]


# -- idle


async def idle(bench: Bench) -> list[Figure]:
    """Nobody does anything but the suite's own check."""
    seconds = 300.0 if bench.long else 30.0
    await bench.settled()
    with measured(bench.suite) as used:
        await asyncio.sleep(seconds)
    memory = memory_mb(bench.suite)
    row = f"idle, {seconds:.0f} s"
    return [
        Figure(row, "memory (PSS)", sum(memory.values()), "MB", "≤ 1,200, two processes"),
        Figure(row, "CPU", used.cores * 100, "% of a core", "≤ 15, two processes"),
        *_each("idle", used, memory),
    ]


def _each(when: str, used: Used, memory: Mapping[str, float]) -> list[Figure]:
    return [
        figure
        for name in sorted(memory)
        for figure in (
            Figure(f"process {name}", f"{when}, memory", memory[name], "MB"),
            Figure(f"process {name}", f"{when}, CPU", used.by_name.get(name, 0.0) / used.seconds * 100, "%"),
        )
    ]


# -- what the gateway takes


@dataclass(frozen=True)
class Taking:
    """One cell of the matrix."""

    door: str
    connections: int
    distinct: bool
    sources: int

    @property
    def title(self) -> str:
        keys, senders = "distinct" if self.distinct else "equal", "source" if self.sources == 1 else "sources"
        way = "" if self.door == GATEWAY else f" via {self.door}"
        return f"accepted{way}, {self.connections} connections, {keys} keys, {self.sources} {senders}"


SOME: Final = (
    Taking(GATEWAY, 1, True, 1),
    Taking(GATEWAY, 16, True, 1),
    Taking(GATEWAY, 64, True, 1),
    Taking(GATEWAY, 64, True, 100),
    Taking(GATEWAY, 64, False, 1),
    Taking(GATEWAY, 64, False, 100),
    Taking(ROUTER, 64, False, 1),
    Taking(ROUTER, 64, True, 100),
)
ALL: Final = tuple(
    Taking(door, connections, distinct, sources)
    for door in (GATEWAY, ROUTER)
    for connections in (1, 16, 64)
    for distinct in (True, False)
    for sources in (1, 100)
)


async def accepted(bench: Bench) -> list[Figure]:
    """As many events as connections that never rest bring in."""
    return [figure for cell in (ALL if bench.long else SOME) for figure in await _accepted(bench, cell)]


async def _accepted(bench: Bench, cell: Taking) -> list[Figure]:
    mark, seconds = bench.mark(), 10.0 if bench.long else 3.0

    def event(number: int) -> bytes:
        key = None if cell.distinct else f"{mark}-same"
        return bench.world.event(number % cell.sources, f"{mark}-{number}", key=key)

    port = bench.suite.port if cell.door == ROUTER else bench.gateway
    with measured(bench.suite) as used:
        load = await closed_loop(port, cell.connections, event, seconds=seconds)
    await drained(bench.suite)
    names = {GATEWAY, cell.door}
    cpu_us = sum(used.by_name[name] for name in names) / max(1, len(load.accepted)) * 1e6
    aim = "≥ 5,000" if cell.connections == 64 else ""
    return [
        Figure(cell.title, "accepted", load.per_s, "/s", aim),
        *_latency(cell.title, load),
        Figure(cell.title, "CPU of the edge for each", cpu_us, "µs"),
        *_refused(cell.title, load),
    ]


def _latency(row: str, load: Load) -> list[Figure]:
    return [
        Figure(row, "answer p50", percentile(load.latencies_ms, 0.5), "ms"),
        Figure(row, "answer p99", percentile(load.latencies_ms, 0.99), "ms"),
    ]


def _refused(row: str, load: Load) -> list[Figure]:
    return [Figure(row, f"answered {status or 'nothing'}", float(number)) for status, number in load.refused.items()]


# -- from the event to the message


async def messages(bench: Bench) -> list[Figure]:
    """Distinct alerts at a steady rate, each a message of its own: until the mail server has taken it."""
    figures = []
    for rate in bench.rates:
        seconds = 60.0 if bench.long else 10.0 if rate <= 100 else 4.0
        figures += await _messages(bench, rate, int(rate * seconds))
    return figures


AIMS: Final = {100: ("≤ 20", "≤ 60"), 500: ("", "≤ 200")}


async def _messages(bench: Bench, rate: int, count: int) -> list[Figure]:
    await bench.settled()
    mark, before = bench.mark(), len(bench.sink.mails)
    load = await open_loop(
        bench.gateway, 64, lambda number: bench.world.event(number, f"{mark}-{number}"), rate=rate, count=count
    )
    sent = {f"{mark}-{sample.number}": sample.due_at for sample in load.accepted}
    arrived = await _named(bench.sink, before, mark, len(sent))
    took = [(arrived[token] - at) * 1000 for token, at in sent.items() if token in arrived]
    row, (p50, p99) = f"event → message at {rate}/s", AIMS.get(rate, ("", ""))
    over = max(arrived.values(), default=load.began_at) - load.began_at
    return [
        Figure(row, "p50", percentile(took, 0.5), "ms", p50),
        Figure(row, "p99", percentile(took, 0.99), "ms", p99),
        Figure(row, "max", max(took, default=None), "ms"),
        Figure(row, "messages", len(took) / over if over else None, "/s"),
        Figure(row, "without a message", float(len(sent) - len(took))),
        *_refused(row, load),
    ]


async def _named(sink: Sink, before: int, mark: str, count: int) -> dict[str, float]:
    """When each token that begins so was first named in a mail; waits for all of them, for a while."""
    arrived: dict[str, float] = {}
    read = before

    def all_named() -> bool:
        nonlocal read
        for mail in sink.mails[read:]:
            for token in mail.tokens:
                if token.startswith(f"{mark}-"):
                    arrived.setdefault(token, mail.at)
        read = len(sink.mails)
        return len(arrived) >= count

    await sink.until(all_named, PATIENCE_S)
    return arrived


async def burst(bench: Bench) -> list[Figure]:
    """A thousand alerts at once over a hundred people, ten for each."""
    await bench.settled()
    mark, before = bench.mark(), len(bench.sink.mails)
    load = await closed_loop(
        bench.gateway,
        64,
        lambda number: bench.world.event(number % PEOPLE, f"{mark}-{number}"),
        count=1_000,
        insists=True,
    )
    everybody = {address_of(number) for number in range(PEOPLE)}
    told: dict[str, float] = {}

    def all_told() -> bool:
        for mail in bench.sink.mails[before:]:
            for to in mail.to:
                told.setdefault(to, mail.at)
        return everybody <= told.keys()

    await bench.sink.until(all_told, PATIENCE_S)
    arrived = await _named(bench.sink, before, mark, len(load.accepted))
    row = "burst, 1,000 alerts over 100 people"
    return [
        Figure(row, "accepted after", load.ended_at - load.began_at, "s"),
        Figure(row, "everybody told after", max(told.values()) - load.began_at if told else None, "s", "≤ 1"),
        Figure(row, "every alert told after", max(arrived.values()) - load.began_at if arrived else None, "s"),
        Figure(row, "people told", float(len(everybody & told.keys()))),
        Figure(row, "alerts told", float(len(arrived))),
        Figure(row, "messages", float(len(bench.sink.mails) - before)),
        *_refused(row, load),
    ]


# -- time


@dataclass(frozen=True)
class Climb:
    """So many alerts, spread evenly over the time that each then waits for its second level."""

    alerts: int
    minutes: int
    aim: str = ""

    @property
    def seconds(self) -> float:
        return self.minutes * MINUTE_S


CLIMBS: Final = (Climb(20, 1), Climb(1_000, 1))
LONG_CLIMBS: Final = (*CLIMBS, Climb(10_000, 6, "≤ 25, two replicas"), Climb(100_000, 60, "≤ 100, two replicas"))


async def lateness(bench: Bench) -> list[Figure]:
    """How long after its instant a second level is heard of by a reader of the topic, with so many escalations waiting."""
    return [figure for climb in (LONG_CLIMBS if bench.long else CLIMBS) for figure in await _lateness(bench, climb)]


async def _lateness(bench: Bench, climb: Climb) -> list[Figure]:
    world, mark = await bench.climbers(climb.minutes), bench.mark()
    await drained(bench.suite)
    async with steps(bench.suite) as heard:
        load = await open_loop(
            bench.gateway,
            64,
            lambda number: world.event(number, f"{mark}-{number}"),
            rate=climb.alerts / climb.seconds,
            count=climb.alerts,
        )
        until = time.monotonic() + climb.seconds + PATIENCE_S
        while len(lateness_ms(heard)) < len(load.accepted) and time.monotonic() < until:
            await asyncio.sleep(1.0)
    late = lateness_ms(heard)
    row = f"lateness, {climb.alerts:,} escalations in progress"
    return [
        Figure(row, "p50", percentile(late, 0.5), "ms"),
        Figure(row, "p99", percentile(late, 0.99), "ms", climb.aim),
        Figure(row, "max", max(late, default=None), "ms"),
        Figure(row, "not heard of", float(len(load.accepted) - len(late))),
    ]


async def two_replicas(bench: Bench) -> list[Figure]:
    """From here on two escalators share the work; then the same again."""
    await bench.suite.another("escalator.worker")
    climbs = LONG_CLIMBS[2:] if bench.long else CLIMBS[1:]
    figures = [figure for climb in climbs for figure in await _lateness(bench, climb)]
    return [Figure(f"{one.row}, two replicas", one.name, one.value, one.unit, one.aim) for one in figures]


# -- what an alert costs


async def cost(bench: Bench) -> list[Figure]:
    """A hundred alerts a second for a while: CPU and bytes of the whole suite for each, above what it takes idle."""
    return await _cost(bench, await _newest(bench))


async def _cost(bench: Bench, base: int) -> list[Figure]:
    rate, seconds = 100, 60 if bench.long else 15
    await bench.settled()
    with measured(bench.suite) as resting:
        await asyncio.sleep(5.0)
    bytes_before = await ballast.bytes_of(bench.suite)
    mark = bench.mark()
    with measured(bench.suite) as whole:
        with measured(bench.suite) as loaded:
            load = await open_loop(
                bench.gateway,
                64,
                lambda number: bench.world.event(number, f"{mark}-{number}"),
                rate=rate,
                count=rate * seconds,
            )
        memory = memory_mb(bench.suite)
        await drained(bench.suite)
    grown = await ballast.bytes_of(bench.suite)
    alerts = max(1, len(load.accepted))
    row = f"cost of an alert, {_about(base)} in the base"
    spent_s = whole.suite_s - resting.cores * whole.seconds
    return [
        Figure(row, "CPU of the suite", spent_s / alerts * 1000, "ms"),
        Figure(row, "in Postgres", (grown.postgres - bytes_before.postgres) / alerts / 1000, "KB"),
        Figure(row, "in Kafka", (grown.kafka - bytes_before.kafka) / alerts / 1000, "KB"),
        Figure(f"loaded, {rate}/s", "CPU", loaded.cores * 100, "% of a core"),
        Figure(f"loaded, {rate}/s", "memory (PSS)", sum(memory.values()), "MB"),
        *_each("loaded", loaded, memory),
    ]


def _about(base: int) -> str:
    return f"{base / 1e6:.0f} M" if base >= 500_000 else f"{round(base, -4):,}"


# -- decided and visible


async def decided(bench: Bench) -> list[Figure]:
    """A block at once until `GET /alerts` shows all of it; then a steady rate that leaves some room."""
    block, seconds = (20_000, 300.0) if bench.long else (2_000, 15.0)
    found = await _block(bench, block)
    if bench.pace.sustained is None:
        bench.pace.sustained = max(10.0, round(0.7 * (found[0].value or 0.0), -1))
    return found + await _sustained(bench, bench.pace.sustained, seconds)


async def _block(bench: Bench, count: int) -> list[Figure]:
    await drained(bench.suite)
    mark, before = bench.mark(), await _newest(bench)
    sending = asyncio.create_task(
        closed_loop(
            bench.gateway, 64, lambda n: bench.world.event(n % PEOPLE, f"{mark}-{n}"), count=count, insists=True
        )
    )
    seen_at = None
    async with connected(bench.suite.port, 1) as [connection]:
        until = time.monotonic() + PATIENCE_S + count / 20
        while seen_at is None and time.monotonic() < until:
            if await _newest_of(bench, connection) >= before + count:
                seen_at = time.time()
            await asyncio.sleep(LOOK_S)
    load = await sending
    row = f"decided, a block of {count:,} alerts"
    took = seen_at - load.began_at if seen_at else None
    return [
        Figure(row, "decided and visible", count / took if took else None, "/s", "≥ 1,500"),
        *_refused(row, load),
    ]


async def _sustained(bench: Bench, rate: float, seconds: float) -> list[Figure]:
    await drained(bench.suite)
    mark, before, looks = bench.mark(), await _newest(bench), list[tuple[float, int]]()
    count = int(rate * seconds)
    sending = asyncio.create_task(
        open_loop(bench.gateway, 64, lambda n: bench.world.event(n % PEOPLE, f"{mark}-{n}"), rate=rate, count=count)
    )
    async with connected(bench.suite.port, 1) as [connection]:
        while not sending.done():
            visible = await _newest_of(bench, connection) - before
            looks.append((time.time(), visible))
            await asyncio.sleep(LOOK_S)
    load = await sending
    waits = _waits_ms(load, looks)
    row = f"decided, {rate:.0f}/s for {seconds:.0f} s"
    return [
        Figure(row, "oldest unseen, p50", percentile(waits, 0.5), "ms"),
        Figure(row, "oldest unseen, p99", percentile(waits, 0.99), "ms", "≤ 1,000"),
        Figure(row, "in the last quarter, p50", percentile(waits[-len(waits) // 4 :], 0.5), "ms"),
        *_refused(row, load),
    ]


def _waits_ms(load: Load, looks: Sequence[tuple[float, int]]) -> list[float]:
    """How long, at each look, the oldest accepted alert that the list does not show yet had been accepted."""
    accepted_at = sorted(sample.answered_at for sample in load.accepted)
    oldest = ((at, accepted_at[visible] if visible < len(accepted_at) else at) for at, visible in looks)
    return [max(0.0, at - since) * 1000 for at, since in oldest]


async def _newest(bench: Bench) -> int:
    async with connected(bench.suite.port, 1) as [connection]:
        return await _newest_of(bench, connection)


async def _newest_of(bench: Bench, connection: Connection) -> int:
    """The number of the newest alert in the list: ids are drawn one by one."""
    answer = await connection.ask(get("/api/alerts?max-results=1", bench.suite.settings["API_KEY"]))
    found = answer.json()
    return int(found[0]["id"]) if found else 0


# -- reading


async def reads(bench: Bench) -> list[Figure]:
    """Lists, searches and details, one after the other, as one person clicks."""
    newest = await _newest(bench)
    source = bench.world.sources[0].id
    asked = {
        "list": "/api/alerts?max-results=50",
        "list of open ones": "/api/alerts?states=PENDING&states=ACCEPTED&max-results=50",
        "list of a source's": f"/api/alerts?sources={source}&max-results=50",
        "count of open ones": "/api/alerts/count?states=PENDING&states=ACCEPTED",
        "one alert": f"/api/alerts/{newest}",
        "its log": f"/api/alerts/{newest}/log-entries?max-results=50",
    }
    row = f"reads, {_about(newest)} alerts in the base"
    await drained(bench.suite)
    figures = []
    async with connected(bench.suite.port, 1) as [connection]:
        for name, path in asked.items():
            took = [await _timed(bench, connection, path) for _ in range(100)]
            figures += [
                Figure(row, f"{name}, p50", percentile(took, 0.5), "ms"),
                Figure(row, f"{name}, p99", percentile(took, 0.99), "ms", "≤ 50"),
            ]
    return figures


async def _timed(bench: Bench, connection: Connection, path: str) -> float:
    began = time.perf_counter()
    answer = await connection.ask(get(path, bench.suite.settings["API_KEY"]))
    assert answer.status == 200, f"{path}: {answer.status} {answer.body[:200]!r}"
    return (time.perf_counter() - began) * 1000


async def million(bench: Bench) -> list[Figure]:
    """The base is filled with copies until it holds a million alerts; then reading and cost are measured again."""
    with suppress(ValueError):
        await ballast.fill(bench.suite, 1_000_000)
    return [*await reads(bench), *await _cost(bench, 1_000_000)]


# -- reading everything again


async def replay(bench: Bench) -> list[Figure]:
    """A projection forgets how far it came and reads its topics from the beginning."""
    await drained(bench.suite)
    events, seconds = await reborn.projected_again(bench.suite)
    row = "replay of ingest.web's projection"
    return [
        Figure(row, "events", float(events)),
        Figure(row, "taken in", events / seconds if seconds else None, "/s", "≥ 50,000"),
    ]


async def restore(bench: Bench) -> list[Figure]:
    """A service's base is dropped; it takes its ledger back from its topics."""
    await drained(bench.suite)
    events, seconds = await reborn.restored(bench.suite, "escalator")
    row = "restore of the escalator's ledger"
    return [
        Figure(row, "events", float(events)),
        Figure(row, "taken in", events / seconds if seconds else None, "/s", "≥ 50,000"),
    ]


ROWS: Final[Mapping[str, Row]] = {
    "idle": idle,
    "accepted": accepted,
    "messages": messages,
    "burst": burst,
    "lateness": lateness,
    "cost": cost,
    "decided": decided,
    "reads": reads,
    "million": million,
    "replay": replay,
    "restore": restore,
    "replicas": two_replicas,
}
LONG_ONLY: Final = frozenset({"million", "replicas"})
