"""A role: named parts that start in order and stop in reverse, and perhaps an HTTP app. A process hosts any set.

a part:  start() returns at once, what it needs is sought in the background; ready() says what is still missing
"""

import asyncio
from collections.abc import Callable, Coroutine, MutableMapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Protocol

ASGIApp = Callable[
    [
        MutableMapping[str, Any],
        Callable[[], Coroutine[Any, Any, MutableMapping[str, Any]]],
        Callable[[MutableMapping[str, Any]], Coroutine[Any, Any, None]],
    ],
    Coroutine[Any, Any, None],
]

DIED = "background_task_died"
"""The mark in the context that the loop's exception handler gets when a `Background` task dies."""


class Part(Protocol):
    """Something that runs in a role: a relay, a reader, a view, a connection."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    def ready(self) -> str | None:
        """None when it does its work, else what it waits for."""
        ...


@dataclass
class Role:
    """What runs under one name. `http` is served under the paths that the path table gives to this name."""

    name: str
    parts: Sequence[Part] = ()
    http: Any | None = None
    _started: list[Part] = field(default_factory=list, init=False, repr=False)

    async def start(self) -> None:
        """Start the parts in order. When one fails, those before it are stopped again."""
        try:
            for part in self.parts:
                self._started.append(part)
                await part.start()
        except BaseException:
            await self.stop()
            raise

    async def stop(self) -> None:
        """Stop the parts in reverse; one that fails to stop keeps no other from stopping."""
        failures: list[Exception] = []
        while self._started:
            try:
                await self._started.pop().stop()
            except Exception as failure:  # noqa: BLE001 -- raised below, all together
                failures.append(failure)
        if failures:
            raise ExceptionGroup(f"{self.name} did not stop cleanly", failures)

    def waits_for(self) -> list[str]:
        """What keeps this role from its work; empty when it is ready."""
        return [reason for part in self.parts if (reason := part.ready()) is not None]


class Background:
    """Tasks that are held (a task nobody holds is collected in the middle of its work) and must not die.

    One that raises, or returns though it was to run for ever, is told to the loop's exception handler under `DIED`;
    the host then ends the process, and its supervisor starts a fresh one.
    """

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def forever(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Run work that never returns by itself."""
        return self._hold(work, name, endless=True)

    def once(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Run work that may end, but not by an exception."""
        return self._hold(work, name, endless=False)

    async def stop(self) -> None:
        """Cancel them all and wait until they are gone."""
        tasks, self._tasks = self._tasks, set()
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError, Exception):  # an exception was told when it happened
                await task

    def _hold(self, work: Coroutine[Any, Any, Any], name: str, *, endless: bool) -> asyncio.Task[Any]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(lambda done: self._over(done, endless=endless))
        return task

    def _over(self, task: asyncio.Task[Any], *, endless: bool) -> None:
        held = task in self._tasks
        self._tasks.discard(task)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None or (endless and held):
            _tell(task, error)


def _tell(task: asyncio.Task[Any], error: BaseException | None) -> None:
    context = {"message": f"background task {task.get_name()} died", DIED: task.get_name()}
    task.get_loop().call_exception_handler(context if error is None else context | {"exception": error})
