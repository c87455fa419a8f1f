"""Reading everything again, watched from outside: a reader's place or a whole ledger is taken away, and its return is timed."""

import asyncio
import os
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final
from urllib.parse import urlsplit

import asyncpg

from bench.suites import CannotRun, Suite, until_ready
from launcher.processes import family, is_alive, signal_all

LOOK_S: Final = 0.02
STILL_S: Final = 3.0
LONGEST_S: Final = 300.0
READER: Final = "ingest.web"


async def projected_again(suite: Suite) -> tuple[int, float]:
    """(events, seconds) of a projection that begins anew: from its first step to its last."""
    with _away(suite, READER):
        await asyncio.to_thread(_command, suite, ["runtime.positions", READER, "begin"])
    connection = await asyncpg.connect(suite.dsn("ingest"))
    try:
        query = "select coalesce(sum(next), 0)::bigint from positions where reader = $1"
        return await _watched(lambda: connection.fetchval(query, READER))
    finally:
        await connection.close()


async def restored(suite: Suite, service: str) -> tuple[int, float]:
    """(events, seconds) of a ledger that is taken in from its topics: from the first event to the last."""
    roles = f"{service}.worker", f"{service}.web"
    with _away(suite, *roles):
        await _drop(suite.dsn(service))
        await asyncio.to_thread(_command, suite, ["runtime.migrate", service])
    connection = await asyncpg.connect(suite.dsn(service))
    try:
        taken = await _watched(lambda: connection.fetchval("select coalesce(max(seq), 0)::bigint from events"))
    finally:
        await connection.close()
    await until_ready(suite.ops[roles[0]])
    return taken


async def _watched(look: Callable[[], Awaitable[int]]) -> tuple[int, float]:
    """How far a number grew, and in what time, from when it first moved until it stood still. Raises CannotRun."""
    until, first = time.monotonic() + LONGEST_S, await look()
    began = moved = None
    last = first
    while moved is None or time.monotonic() - moved < STILL_S:
        if time.monotonic() > until:
            raise CannotRun("it did not come to an end")
        await asyncio.sleep(LOOK_S)
        now = await look()
        if now != last:
            moved = time.monotonic()
            if began is None:
                began, first = moved, now  # what the first step took cannot be seen
            last = now
    assert began is not None
    return last - first, moved - began


@contextmanager
def _away(suite: Suite, *names: str) -> Iterator[None]:
    """These are killed and stay away, because their supervisor is frozen meanwhile."""
    supervisor = suite.who("supervisor")
    os.kill(supervisor.pid, signal.SIGSTOP)
    try:
        for name in names:
            who = suite.who(name)
            signal_all(family(who), signal.SIGKILL)
            while is_alive(who):
                time.sleep(LOOK_S)
        yield
    finally:
        os.kill(supervisor.pid, signal.SIGCONT)


def _command(suite: Suite, words: list[str]) -> None:
    command = [str(suite.version.python), "-m", *words]
    environment = suite.environment_of("ingest.worker")
    done = subprocess.run(command, env=environment, cwd=suite.data_dir, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CannotRun(f"{' '.join(words)}: {done.stdout}{done.stderr}")


async def _drop(dsn: str) -> None:
    parts = urlsplit(dsn)
    connection = await asyncpg.connect(parts._replace(path="/postgres").geturl())
    try:
        await connection.execute(f'drop database "{parts.path[1:]}" with (force)')
    finally:
        await connection.close()
