"""Single parts without a suite: CPU of one request in the router, of one event in the gateway's app, of one alert in the deciding worker.

Run by the Python of the version that is measured (`python bench/parts.py`), against nothing but public names of its
packages; prints JSON {part: µs}. CPU, not time: what else runs on the machine counts little.
"""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

REQUESTS, ROUNDS, AT_ONCE = 1_000, 5, 16
BODY = {
    "eventType": "ALERT",
    "summary": "Bench r1-1",
    "alertKey": "r1-1",
    "details": "The disk of a machine that nobody has is as good as full.",
    "labels": {"machine": "m1", "zone": "north"},
}
OTHER_SIDE = """
import asyncio
ANSWER = b"HTTP/1.1 202 Accepted\\r\\ncontent-type: application/json\\r\\ncontent-length: 12\\r\\n\\r\\n" + b'{"a":"abcd"}'
class Answers(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.seen = transport, b""
    def data_received(self, data):
        self.seen += data
        while b"\\r\\n\\r\\n" in self.seen:
            head, _, rest = self.seen.partition(b"\\r\\n\\r\\n")
            length = int(head.lower().split(b"content-length: ")[1].split(b"\\r\\n")[0])
            if len(rest) < length:
                return
            self.seen = rest[length:]
            self.transport.write(ANSWER)
async def main():
    server = await asyncio.get_running_loop().create_server(Answers, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()
asyncio.run(main())
"""


def scope(body: bytes) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "path": "/api/events",
        "raw_path": b"/api/events",
        "query_string": b"",
        "root_path": "",
        "scheme": "http",
        "headers": [
            (b"host", b"bench"),
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
        ],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 2),
    }


async def asked(app: Any, body: bytes) -> None:
    """One request to an ASGI app, as a server would hand it over."""
    gone, was_read = asyncio.Event(), False

    async def receive() -> dict[str, Any]:
        nonlocal was_read
        if not was_read:
            was_read = True
            return {"type": "http.request", "body": body, "more_body": False}
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        assert message.get("status", 202) == 202, message

    await app(scope(body), receive, send)


async def cpu_us(one: Callable[[], Awaitable[None]], at_once: int = 1, count: int = REQUESTS) -> float:
    """The least over some rounds, for each."""

    async def some(numbers: Any) -> None:
        for _ in numbers:
            await one()

    best = float("inf")
    for _ in range(ROUNDS):
        began, numbers = time.process_time(), iter(range(count))
        await asyncio.gather(*(some(numbers) for _ in range(at_once)))
        best = min(best, (time.process_time() - began) / count * 1e6)
    return best


async def router() -> float:
    """A POST that goes through to another process and back."""
    from web.router import Router

    other = subprocess.Popen([sys.executable, "-c", OTHER_SIDE], stdout=subprocess.PIPE, text=True)  # noqa: ASYNC220
    try:
        assert other.stdout is not None
        port = int(other.stdout.readline())
        body = json.dumps(BODY).encode()
        async with Router({}, {"ingest.gateway": f"http://127.0.0.1:{port}"}) as app:
            return await cpu_us(lambda: asked(app, body), AT_ONCE)
    finally:
        other.kill()
        other.wait()


class _Broker:
    """Takes everything at once."""

    def oldest_unacknowledged_s(self) -> float:
        return 0.0

    async def send(self, messages: Any) -> list[Any]:
        from runtime.ports import Written

        return [Written(message.topic, 0, 0) for message in messages]


async def gateway() -> float:
    """An event from the ASGI call to the answer, before a broker that costs nothing."""
    from ingest import synthetic
    from ingest.gateway import Gateway
    from ingest.keys import Keys
    from runtime.clock import SystemClock

    async def caught_up() -> None:
        return

    keys, broker = Keys(synthetic.source("secret")), _Broker()
    app = Gateway(keys, caught_up, lambda: broker, SystemClock(), "http://127.0.0.1").app()
    body = json.dumps(BODY | {"integrationKey": synthetic.key_of("secret")}).encode()
    return await cpu_us(lambda: asked(app, body))


async def worker() -> float:
    """A signal, from its bytes to its alert's events in a ledger in memory, five hundred at a time."""
    from events.envelope import Envelope, encode
    from events.escalator import PolicyChanged, Rule
    from events.ingest import SignalReceived, SourceChanged
    from ingest.maintenance import Maintenance
    from ingest.policies import Policies
    from ingest.sources import Save
    from ingest.streams import KINDS, SOURCE
    from ingest.worker import Worker
    from runtime.broker_memory import MemoryBroker, MemoryCluster
    from runtime.clock import SystemClock
    from runtime.ledger_memory import MemoryLedger
    from runtime.ports import Record
    from runtime.records import decode_record
    from runtime.settings import Settings
    from runtime.shell import Shell

    async def known() -> None:
        return

    now, clock, policies = datetime.now(UTC), SystemClock(), Policies()
    broker = MemoryBroker(MemoryCluster())
    shell = Shell(
        "ingest", settings=Settings(), ledger=MemoryLedger(clock=clock), broker=broker, clock=clock, kinds=KINDS
    )
    policies.take(PolicyChanged(policy=3, name="P", rules=(Rule(targets=(), timeout_min=5),), at=now))
    deciding = Worker(policies, known, 60.0, maintenance=Maintenance(), windows_are_known=known)

    async def save(unit: Any) -> None:
        await unit.load(SOURCE, [5])
        unit.decide(SOURCE, 5, Save(SourceChanged(source=5, name="S", key_digest="d", key_cell="c", policy=3, at=now)))

    await shell.run(save)
    numbers = iter(range(10**9))

    def record(number: int) -> Record:
        body = json.dumps(BODY | {"alertKey": f"k{number}"})
        signal = SignalReceived(signal=f"s{number}", source=5, integration="api", body=body, at=now)
        return Record("signals.v1", 0, number, signal.key, encode(Envelope(signal, signal.stream, 0, "ingest")), now)

    best = float("inf")
    for _ in range(ROUNDS):
        records = [record(next(numbers)) for _ in range(500)]
        began = time.process_time()
        received = [one for each in records if (one := decode_record(each)) is not None]
        await shell.run(lambda unit, batch=received: deciding.react(unit, batch))  # type: ignore[misc]
        best = min(best, (time.process_time() - began) / 500 * 1e6)
    return best


async def main() -> None:
    parts = {"router, a proxied event": router, "gateway, an event": gateway, "ingest.worker, an alert": worker}
    sys.stdout.write(json.dumps({name: await part() for name, part in parts.items()}) + "\n")


if __name__ == "__main__":
    import uvloop

    uvloop.run(main())
