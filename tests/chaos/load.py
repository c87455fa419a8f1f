"""What sends: raw HTTP on connections that it keeps, in an open loop. Its list of answers is what everything is judged by."""

import asyncio
import json
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

from tests.chaos.script import Script, Shot

ANSWER_WITHIN_S: Final = 20.0
UNREACHED, CUT_OFF = "UNREACHED", "CUT_OFF"
SURELY_NOT: Final = frozenset({UNREACHED, "BROKER_BUSY", "UNAVAILABLE"})
"""Codes of events that were not stored, as the sender was told or could see."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one event for its sender: instants are seconds since the epoch, status 0 is no answer at all."""

    shot: Shot
    sent: float
    answered: float
    status: int
    code: str = ""

    @property
    def is_yes(self) -> bool:
        return 200 <= self.status < 300

    @property
    def is_doubtful(self) -> bool:
        """It may be stored or not."""
        return not self.is_yes and self.code not in SURELY_NOT


class Door:
    """One gateway's connections."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def post(self, body: bytes) -> tuple[int, str]:
        """The status and the code of a refusal; (0, …) where nobody answered."""
        try:
            reader, writer = await self._connection()
        except OSError:
            return 0, UNREACHED
        try:
            writer.write(_HEAD % len(body) + body)
            status, said = await _answer(reader)
        except (OSError, asyncio.IncompleteReadError):
            writer.close()
            return 0, CUT_OFF
        except BaseException:
            writer.close()
            raise
        self._idle.append((reader, writer))
        return status, str(said.get("code", ""))

    async def _connection(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """One that the other side has not closed meanwhile."""
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof():
                return reader, writer
            writer.close()
        return await asyncio.open_connection("127.0.0.1", self.port)

    def close(self) -> None:
        for _, writer in self._idle:
            writer.close()
        self._idle.clear()


_HEAD: Final = (
    b"POST /api/events HTTP/1.1\r\nHost: chaos\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
)


async def _answer(reader: asyncio.StreamReader) -> tuple[int, dict[str, Any]]:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
    said: dict[str, Any] = json.loads(await reader.readexactly(length))
    return int(head.split(" ", 2)[1]), said


class Load:
    """Sends a script at a steady pace in a thread of its own, whatever becomes of the events before; by turns to each gateway."""

    def __init__(self, script: Script, ports: Sequence[int], rate: float) -> None:
        self.script, self.rate = script, rate
        self.answers: list[Answer] = []
        self.sent = 0
        self._begun = 0.0
        self._doors = [Door(port) for port in ports]
        self._over = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._send()), name="load")

    def __enter__(self) -> "Load":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Send no more, and wait for the last answers."""
        self._over.set()
        self._thread.join()

    def instant_of(self, number: int) -> float:
        """When this event was to be sent, in seconds since the epoch."""
        return self._begun + number / self.rate

    async def _send(self) -> None:
        loop = asyncio.get_running_loop()
        begin, self._begun = loop.time(), time.time()
        async with asyncio.TaskGroup() as group:
            for number in count():
                if self._over.is_set():
                    break
                if (early := begin + number / self.rate - loop.time()) > 0:
                    await asyncio.sleep(early)
                group.create_task(self._one(self.script.shot(number)))
                self.sent = number + 1
        for door in self._doors:
            door.close()

    async def _one(self, shot: Shot) -> None:
        sent, door = time.time(), self._doors[shot.number % len(self._doors)]
        try:
            async with asyncio.timeout(ANSWER_WITHIN_S):
                status, code = await door.post(json.dumps(shot.body).encode())
        except TimeoutError:
            status, code = 0, CUT_OFF
        self.answers.append(Answer(shot, sent, time.time(), status, code))
