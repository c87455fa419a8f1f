"""The whole suite in one thread of the tests' own process, behind one port: the shipped roles, router and server.

Postgres is real, for it refuses what memory would take; the broker is in memory, and the outside answers at once. What
goes wrong inside is kept: a bug that became a 500, a background task that died, a record that was set aside.
"""

import asyncio
import base64
import logging
import threading
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

import httpx
from argon2 import PasswordHasher

import accounts.app
import connectors.app
import escalator.app
import ingest.app
import notifier.app
import statuspage.app
from accounts.passwords import Passwords
from channels.attempts import Attempt, Sent
from channels.mail import Mail
from connectors.outside import Outside
from runtime.broker_memory import MemoryBroker, MemoryCluster
from runtime.clock import SystemClock
from runtime.host import Server
from runtime.ledger_postgres import PostgresLedger
from runtime.migrate import migrate
from runtime.role import DIED, Role
from runtime.settings import Settings
from runtime.shell import Shell
from tests.e2e.suite import Suite
from web.router import Router

API_KEY: Final = "il1api" + "f" * 32
SECRET: Final = "sixteen characters of a secret"
KEYS: Final = "k1:" + base64.b64encode(bytes(32)).decode()
PUBLIC_ADDRESS: Final = "93.184.216.34"
ADMIN: Final = "root@example.org"
PATIENCE_S: Final = 60.0

T = TypeVar("T")
log = logging.getLogger(__name__)


class Mailbox:
    """Takes every mail, and forgets it."""

    async def send(self, _mail: Mail) -> Attempt:
        return Sent("250 taken")


class Complaints(logging.Handler):
    """What the suite itself holds for a bug: tracebacks behind 500s, and tasks that died."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.heard: list[str] = []
        self.setFormatter(logging.Formatter("%(name)s: %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self.heard.append(f"{self.format(record)} {getattr(record, 'path', '')}")

    def died(self, _loop: asyncio.AbstractEventLoop, context: Mapping[str, Any]) -> None:
        if DIED in context or "exception" in context:
            self.heard.append(f"{context['message']}: {context.get('exception')!r}")


class House:
    """`url` is where it answers, once it is `open`."""

    def __init__(self, database_template: str, pages: Path) -> None:
        self.settings = Settings.model_validate(
            {
                "database_url": database_template,
                "vault_keys": KEYS,
                "people_keys": KEYS,
                "secret_key": SECRET,
                "pages_dir": str(pages),
                "synthetic_every_s": 0,
                "minute_s": 1,
                "first_admin_email": ADMIN,
                "first_admin_key": API_KEY,
            }
        )
        self.cluster = MemoryCluster()
        self.complaints = Complaints()
        self._ledgers: list[PostgresLedger] = []
        self._brokers: list[MemoryBroker] = []
        self._roles: Sequence[Role] = []
        self._server: Server | None = None

    @property
    def url(self) -> str:
        assert self._server is not None, "it is not open"
        return f"http://127.0.0.1:{self._server.port}"

    async def open(self) -> None:
        asyncio.get_running_loop().set_exception_handler(self.complaints.died)
        logging.getLogger("web").addHandler(self.complaints)
        await migrate(self.settings.database_url)
        self._roles = self._made()
        for ledger in self._ledgers:
            await ledger.start()
        for role in self._roles:
            await role.start()
        async with asyncio.timeout(PATIENCE_S):
            while any(role.waits_for() for role in self._roles):
                await asyncio.sleep(0.02)
        apps = {role.name: role.http for role in self._roles if role.http is not None}
        self._server = Server(Router(apps), "127.0.0.1", 0, drain_s=1)
        self._server.open()
        self._server.serve()

    async def close(self) -> None:
        if self._server is not None:
            await self._server.stop()
        for role in self._roles:
            await role.stop()
        for ledger in self._ledgers:
            await ledger.stop()
        for broker in self._brokers:
            await broker.stop()
        await self.cluster.stop()
        logging.getLogger("web").removeHandler(self.complaints)

    async def settled(self) -> None:
        """Until every deciding reader has come to the ends of its topics. Raises TimeoutError."""
        async with asyncio.timeout(PATIENCE_S):
            while behind := await self._behind():
                log.debug("behind: %s", behind)
                await asyncio.sleep(0.05)

    async def _behind(self) -> list[str]:
        found: list[str] = []
        for ledger in self._ledgers:
            async with ledger.begin() as tx:
                rows = await tx.sql.fetch("select reader, topic, partition, next from positions")
            ends = self.cluster.ends(sorted({row["topic"] for row in rows}))
            found += [
                f"{row['reader']} in {row['topic']}"
                for row in rows
                if row["next"] < ends[row["topic"], row["partition"]]
            ]
        return found

    async def set_aside(self) -> list[str]:
        """What a reader could not handle, and why."""
        found: list[str] = []
        for ledger in self._ledgers:
            async with ledger.begin() as tx:
                found += [f"{one.reader} {one.stream}: {one.error}" for one in await tx.parked_records()]
        return found

    def _made(self) -> Sequence[Role]:
        settings, clock, mail = self.settings, SystemClock(), Mailbox()
        weak = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
        edge = self._shell(ingest.app, "ingest")
        return [
            accounts.app.web_role(self._shell(accounts.app, "accounts"), weak),
            ingest.app.gateway_role(edge, settings, clock),
            Role("ingest.worker", ingest.app.worker_parts(self._shell(ingest.app, "ingest"))),
            ingest.app.web_role(self._shell(ingest.app, "ingest")),
            Role("escalator.worker", escalator.app.worker_parts(self._shell(escalator.app, "escalator"))),
            escalator.app.web_role(self._shell(escalator.app, "escalator")),
            Role("notifier.worker", notifier.app.worker_parts(self._shell(notifier.app, "notifier"), mail)),
            notifier.app.web_role(self._shell(notifier.app, "notifier"), mail),
            Role(
                "connectors.worker",
                connectors.app.worker_parts(self._shell(connectors.app, "connectors"), self._outside(), mail),
            ),
            connectors.app.web_role(self._shell(connectors.app, "connectors"), self._outside()),
            Role("statuspage.worker", statuspage.app.worker_parts(self._shell(statuspage.app, "statuspage"), mail)),
            statuspage.app.web_role(self._shell(statuspage.app, "statuspage")),
            statuspage.app.reader(settings),
        ]

    def _shell(self, app: Any, service: str) -> Shell:
        ledger, broker = PostgresLedger(self.settings.database_of(service)), MemoryBroker(self.cluster)
        self._ledgers.append(ledger)
        self._brokers.append(broker)
        shell: Shell = app.shell_of(self.settings, ledger, broker, SystemClock())
        return shell

    def _outside(self) -> Outside:
        async def resolve(_host: str, _port: int) -> Sequence[str]:
            return [PUBLIC_ADDRESS]

        return Outside(self.settings, httpx.MockTransport(lambda _request: httpx.Response(200, json={})), resolve)


class Thread:
    """A loop of its own: tests ask from outside, as clients do, and a hang is theirs to see."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="the suite", daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T], within_s: float = PATIENCE_S) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(within_s)

    def stop(self) -> None:
        """What is left, such as the connections of live pages, is cancelled first."""
        self.run(_cancelled())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _cancelled() -> None:
    left = asyncio.all_tasks() - {asyncio.current_task()}
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


class Observed(Suite):
    """A house as journeys know a suite, and what may be asked of it afterwards."""

    house: House
    thread: Thread

    def found_wrong(self) -> list[str]:
        """What the suite complained of since the last question."""
        heard, self.house.complaints.heard = self.house.complaints.heard, []
        return heard

    def in_the_end(self) -> list[str]:
        """The same, and what readers set aside, once they have read everything."""
        self.thread.run(self.house.settled())
        return [*self.found_wrong(), *self.thread.run(self.house.set_aside())]


@contextmanager
def a_house(database_template: str, folder: Path) -> Iterator[Observed]:
    """A house that is open, as a suite with an administrator's API key."""
    thread, house = Thread(), House(database_template, folder / "pages")
    try:
        thread.run(house.open())
        suite = Observed(folder, 0, {}, {"URL": house.url, "API_KEY": API_KEY})
        suite.house, suite.thread = house, thread
        yield suite
        suite.api.close()
        suite.public.close()
    finally:
        thread.run(house.close())
        thread.stop()
