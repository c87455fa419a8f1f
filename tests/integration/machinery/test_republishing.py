"""Topics that were lost are published again from the ledgers: the same ids in the same order, and nothing is decided again."""

import asyncio
import os
import subprocess
import sys
from base64 import b64encode
from collections.abc import Sequence
from datetime import UTC, datetime
from secrets import token_hex
from urllib.parse import urlsplit

import pytest

from events.envelope import decode
from events.topics import SIGNALS
from runtime.ledger_postgres import PostgresLedger
from runtime.ports import Ledger, Line, Message, StreamRow
from runtime.republish import Follower, Refused, Republished, republish
from runtime.restore import Restore
from tests.backend import Backend
from tests.integration.machinery import echo
from tests.integration.machinery.conftest import READER, Bench, Process

TOPICS = (echo.HEARD, echo.SAID)


class Author:
    """The service whose comments are heard, with a ledger and a relay of its own."""

    def __init__(self, bench: Bench, ledger: Ledger) -> None:
        self._bench, self.ledger = bench, ledger
        self._said = 0

    async def publishes(self) -> Process:
        shell = await self._bench.shell(ledger=self.ledger)
        process = Process(shell, [shell.relay])
        self._bench.processes.append(process)
        return await process.start()

    async def say(self, alert: int, *texts: str) -> None:
        for text in texts:
            self._said += 1
            version = self._bench.versions[alert] = self._bench.versions.get(alert, 0) + 1
            line = _line(echo.comment(alert, version, text, datetime.now(UTC)), version)
            async with self.ledger.begin() as tx:
                await tx.append([line], [StreamRow(line.stream, version)])


def _line(message: Message, version: int) -> Line:
    assert message.value is not None
    return Line(decode(message.value).stream, version, message.topic, message.key, "alert.commented", message.value)


async def again(bench: Bench, author: Ledger, reader: Ledger, topics: Sequence[str] = TOPICS) -> Republished:
    follower = Follower(READER, reader, frozenset([echo.HEARD]))
    return await republish(
        {"ingest": author, "escalator": reader}, [follower], await bench.world.broker(), datetime.now(UTC), topics
    )


async def test_after_the_loss_of_a_broker_all_is_there_again_and_what_was_not_decided_is_decided_once(
    bench: Bench,
) -> None:
    author = Author(bench, await bench.world.empty_ledger())
    publishing = await author.publishes()
    await author.say(1, "one", "two")
    await author.say(2, "one")
    first = await bench.process(ledger=(echoing := await bench.world.empty_ledger()), ticks=False)
    await bench.until_said(1, "one", "two")
    await bench.until_said(2, "one")
    await first.stop()
    await author.say(1, "never heard")
    await publishing.shell.relay.acknowledged(10)
    await publishing.stop()
    before = {topic: sorted(one.value or b"" for one in await bench.records(topic)) for topic in TOPICS}
    await bench.world.lose_topics()
    bench.author = None

    done = await again(bench, author.ledger, echoing)

    assert done.events == {echo.HEARD: 4, echo.SAID: 3}
    assert {topic: sorted(one.value or b"" for one in await bench.records(topic)) for topic in TOPICS} == before
    second = await bench.process(ledger=echoing, ticks=False)
    await bench.until_said(1, "one", "two", "never heard")
    await author.publishes()
    await author.say(2, "two")
    await bench.until_said(2, "one", "two")
    assert all(part.ready() is None for part in second.parts)


async def test_a_topic_that_holds_something_or_whose_writer_runs_is_refused_and_nothing_is_written(
    bench: Bench,
) -> None:
    echoing = await bench.world.empty_ledger()
    author = Author(bench, await bench.world.empty_ledger())
    publishing = await author.publishes()
    await author.say(1, "one")
    await publishing.shell.relay.acknowledged(10)
    with pytest.raises(Refused, match="ingest run and publish"):
        await again(bench, await bench.world.ledger(), echoing)
    await publishing.stop()
    with pytest.raises(Refused, match=r"alerts\.v1: not empty"):
        await again(bench, author.ledger, echoing)
    assert len(await bench.records(echo.HEARD)) == 1


async def test_a_service_whose_topic_was_made_anew_takes_no_command_and_says_what_to_do(bench: Bench) -> None:
    first = await bench.process(ledger=(echoing := await bench.world.empty_ledger()), ticks=False)
    await bench.say(1, "one")
    await bench.until_said(1, "one")
    await first.shell.ledger.note_published(await first.shell.broker.end_offsets([echo.SAID]))
    await first.stop()
    await bench.world.lose_topics()
    stopped = await bench.shell(ledger=echoing)
    restore = Restore(stopped, [echo.SAID])
    await restore.start()

    async def refuses() -> str:
        return reason if "runtime.republish" in (reason := restore.ready() or "") else ""

    assert f"republish {echo.SAID}" in await bench.until(refuses)
    assert not stopped.opened.is_set()
    await restore.stop()


async def test_signals_begin_anew_only_where_somebody_has_read_further_than_they_reach(bench: Bench) -> None:
    follower = Follower("ingest.worker", await bench.world.empty_ledger(), frozenset([SIGNALS.name]))
    broker = await bench.world.broker()
    await broker.create([SIGNALS])  # type: ignore[attr-defined]
    await bench.publish([Message(SIGNALS.name, "source-1", b"{}")])
    with pytest.raises(Refused, match="nothing shows"):
        await republish({"ingest": follower.ledger}, [follower], broker, datetime.now(UTC), [SIGNALS.name])
    [place] = [place for place, end in (await broker.end_offsets([SIGNALS.name])).items() if end]
    async with follower.ledger.begin() as tx:
        await tx.advance(follower.reader, {place: (None, 5)})
    done = await republish({"ingest": follower.ledger}, [follower], broker, datetime.now(UTC), [SIGNALS.name])
    assert done.positions == {"ingest.worker": {place: 0}}


@pytest.mark.soak
async def test_the_command_publishes_every_service_and_refuses_to_do_it_twice(backend: Backend) -> None:
    await backend.heal()
    mark = f"t{token_hex(4)}"
    template = urlsplit(backend.dsn)._replace(path=f"/{mark}_{{service}}").geturl()
    key = f"k1:{b64encode(bytes(32)).decode()}"
    environment = {
        **os.environ,
        "KAFKA_BOOTSTRAP": backend.bootstrap,
        "TOPIC_PREFIX": f"{mark}.",
        "DATABASE_URL": template,
        "VAULT_KEYS": key,
        "PEOPLE_KEYS": key,
        "SECRET_KEY": "k" * 32,
    }

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    for step in ("runtime.topics", "runtime.migrate"):
        done = await asyncio.to_thread(run, step)
        assert done.returncode == 0, done.stderr
    ledger = PostgresLedger(template.replace("{service}", "ingest"))
    line = _line(echo.comment(1, 1, "one", datetime.now(UTC)), 1)
    async with ledger.begin() as tx:
        await tx.append([line], [StreamRow(line.stream, 1)])
    await ledger.stop()

    done = await asyncio.to_thread(run, "runtime.republish")
    assert done.returncode == 0, done.stderr
    assert "alerts.v1: 1 events" in done.stdout
    again = await asyncio.to_thread(run, "runtime.republish")
    assert again.returncode == 1
    assert "alerts.v1: not empty" in again.stderr
    unknown = await asyncio.to_thread(run, "runtime.republish", "nonsense")
    assert "no topic of ours" in unknown.stderr
