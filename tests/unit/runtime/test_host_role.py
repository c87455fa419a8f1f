"""A role starts its parts in order and stops them in reverse; its background work does not die unheard."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from runtime.clock import LoopClock, SystemClock
from runtime.role import DIED, Background, Role


@dataclass
class Told:
    """A part that writes down what is asked of it."""

    name: str
    story: list[str]
    waits: str | None = None
    fails_to: str = ""

    async def start(self) -> None:
        self._do("start")

    async def stop(self) -> None:
        self._do("stop")

    def ready(self) -> str | None:
        return self.waits

    def _do(self, verb: str) -> None:
        self.story.append(f"{verb} {self.name}")
        if self.fails_to == verb:
            raise RuntimeError(f"{self.name} cannot {verb}")


async def test_parts_start_in_order_and_stop_in_reverse() -> None:
    story: list[str] = []
    role = Role("ingest.worker", [Told("ledger", story), Told("relay", story), Told("reader", story)])
    await role.start()
    await role.stop()
    assert story == ["start ledger", "start relay", "start reader", "stop reader", "stop relay", "stop ledger"]


async def test_a_part_that_cannot_start_stops_those_before_it() -> None:
    story: list[str] = []
    role = Role("r", [Told("a", story), Told("b", story, fails_to="start"), Told("c", story)])
    with pytest.raises(RuntimeError, match="b cannot start"):
        await role.start()
    assert story == ["start a", "start b", "stop b", "stop a"]


async def test_a_part_that_cannot_stop_keeps_no_other_from_stopping() -> None:
    story: list[str] = []
    role = Role("r", [Told("a", story), Told("b", story, fails_to="stop")])
    await role.start()
    with pytest.raises(ExceptionGroup, match="r did not stop cleanly"):
        await role.stop()
    assert story[-2:] == ["stop b", "stop a"]


def test_a_role_says_what_it_waits_for() -> None:
    assert Role("r", [Told("a", []), Told("b", [], waits="Kafka is away")]).waits_for() == ["Kafka is away"]
    assert Role("r", [Told("a", [])]).waits_for() == []


class Heard:
    """The loop's exception handler of a test."""

    def __init__(self) -> None:
        self.died: list[tuple[str, str]] = []
        self.event = asyncio.Event()
        asyncio.get_running_loop().set_exception_handler(self)

    def __call__(self, _loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        self.died.append((context[DIED], repr(context.get("exception"))))
        self.event.set()


async def test_a_background_task_that_raises_is_told() -> None:
    heard, background = Heard(), Background()

    async def breaks() -> None:
        raise ValueError("broken")

    background.forever(breaks(), "relay of ingest")
    await asyncio.wait_for(heard.event.wait(), 5)
    assert heard.died == [("relay of ingest", "ValueError('broken')")]


async def test_endless_work_that_ends_is_told_and_finite_work_is_not() -> None:
    heard, background = Heard(), Background()

    async def ends() -> None:
        return

    await background.once(ends(), "once")
    await background.forever(ends(), "forever")
    await asyncio.wait_for(heard.event.wait(), 5)
    assert heard.died == [("forever", "None")]


async def test_stopped_work_is_gone_and_silent() -> None:
    heard, background = Heard(), Background()
    task = background.forever(asyncio.Event().wait(), "waits")
    await background.stop()
    assert task.cancelled()
    assert heard.died == []


async def test_clocks_give_utc() -> None:
    start = datetime(2026, 3, 1, tzinfo=UTC)
    assert SystemClock().now().tzinfo is UTC
    assert LoopClock(start).now() - start == pytest.approx(
        timedelta(seconds=asyncio.get_running_loop().time()), abs=timedelta(seconds=5)
    )
