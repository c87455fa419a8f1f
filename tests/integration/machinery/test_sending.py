"""Deliveries: at least once, marked when repeated, after a last look, and patient with the other side."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from runtime import deliveries
from runtime.deliveries import Deliveries, Later, Refused, Result, Sent
from runtime.gate import Gate
from runtime.ports import Delivery
from runtime.shell import Shell
from runtime.unit import Unit
from tests.integration.machinery import echo
from tests.integration.machinery.conftest import READER, Bench


@dataclass
class Postman:
    """A sender whose other side answers as told; it writes down what became of each delivery."""

    answer: Callable[[Delivery], Result] = lambda _delivery: Sent("250 taken")
    is_wanted: bool = True
    tried: list[Delivery] = field(default_factory=list)
    fates: list[tuple[int, Result]] = field(default_factory=list)
    blocked: asyncio.Event | None = None

    async def wanted(self, unit: Unit, delivery: Delivery) -> bool:
        return self.is_wanted

    async def send(self, delivery: Delivery) -> Result:
        self.tried.append(delivery)
        if self.blocked is not None:
            await self.blocked.wait()
        return self.answer(delivery)

    async def settle(self, unit: Unit, delivery: Delivery, result: Result, next_at: datetime | None) -> None:
        self.fates.append((delivery.id, result))


def delivery(
    shell: Shell, number: int, target: str = "", lane: int = 0, lasts: timedelta = timedelta(hours=1)
) -> Delivery:
    now = shell.clock.now()
    return Delivery(
        id=number,
        channel="email",
        stream="window-1-1",
        target=target or f"contact-{number}",
        not_before=now,
        deadline=now + lasts,
        payload=json.dumps({"number": number}).encode(),
        lane=lane,
    )


async def hand_over(shell: Shell, *all_of_them: Delivery) -> None:
    async def work(unit: Unit) -> None:
        for one in all_of_them:
            unit.deliver(one)

    await shell.run(work)


async def test_what_is_taken_is_sent_once_and_settled(bench: Bench) -> None:
    shell, postman = await bench.shell(), Postman()
    sending = Deliveries(shell, postman)
    await hand_over(shell, delivery(shell, 1), delivery(shell, 2))
    await sending.start()

    async def settled() -> bool:
        return await shell.ledger.earliest_delivery() is None

    await bench.until(settled)
    await sending.stop()
    assert sorted(fate for fate, _ in postman.fates) == [1, 2]


async def test_what_is_not_wanted_any_more_is_not_sent(bench: Bench) -> None:
    shell, postman = await bench.shell(), Postman(is_wanted=False)
    sending = Deliveries(shell, postman)
    await hand_over(shell, delivery(shell, 1))
    await sending.start()

    async def gone() -> bool:
        return await shell.ledger.earliest_delivery() is None

    await bench.until(gone)
    await sending.stop()
    assert postman.tried == []


async def test_one_at_a_time_goes_to_one_target(bench: Bench) -> None:
    shell, postman = await bench.shell(), Postman(blocked=asyncio.Event())
    assert postman.blocked is not None
    sending = Deliveries(shell, postman)
    await hand_over(
        shell, *(delivery(shell, number, target="ada") for number in (1, 2)), delivery(shell, 3, target="bob")
    )
    await sending.start()

    async def two_underway() -> bool:
        return len(postman.tried) >= 2

    await bench.until(two_underway)
    assert sorted(one.target for one in postman.tried) == ["ada", "bob"]
    postman.blocked.set()

    async def all_three() -> bool:
        return len(postman.fates) == 3

    await bench.until(all_three)
    await sending.stop()


async def test_a_temporary_failure_is_tried_again_with_the_count_of_attempts(bench: Bench) -> None:
    shell = await bench.shell()
    postman = Postman(answer=lambda one: Later("451 busy", 0.01) if one.attempts < 2 else Sent("250 taken"))
    sending = Deliveries(shell, postman)
    await hand_over(shell, delivery(shell, 1))
    await sending.start()

    async def taken() -> bool:
        return postman.fates[-1:] == [(1, Sent("250 taken"))]

    await bench.until(taken)
    await sending.stop()
    assert [one.attempts for one in postman.tried] == [0, 1, 2]
    assert not any(one.leased_before for one in postman.tried)


async def test_past_its_deadline_it_has_failed_and_says_after_how_many_attempts(bench: Bench) -> None:
    shell = await bench.shell()
    postman = Postman(answer=lambda _: Later("connection refused", 60))
    sending = Deliveries(shell, postman)
    await hand_over(shell, delivery(shell, 1, lasts=timedelta(seconds=30)))
    await sending.start()

    async def given_up() -> bool:
        return bool(postman.fates)

    await bench.until(given_up)

    async def forgotten() -> bool:
        return await shell.ledger.earliest_delivery() is None

    await bench.until(forgotten)
    await sending.stop()
    assert postman.fates == [(1, Refused("gave up after 1 attempts: connection refused"))]


async def test_who_dies_between_sending_and_recording_leaves_a_repeat_that_is_marked(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "LEASE", timedelta(milliseconds=300))
    shell, doomed = await bench.shell(), Postman(blocked=asyncio.Event())
    dying = Deliveries(shell, doomed)
    await hand_over(shell, delivery(shell, 1))
    await dying.start()

    async def underway() -> bool:
        return bool(doomed.tried)

    await bench.until(underway)
    await dying.stop()
    assert doomed.fates == []

    successor = Postman()
    sending = Deliveries(await bench.shell("1"), successor)
    await sending.start()

    async def sent() -> bool:
        return bool(successor.fates)

    await bench.until(sent)
    await sending.stop()
    assert [one.leased_before for one in successor.tried] == [True]


async def test_one_that_breaks_its_sender_keeps_no_other_from_going(bench: Bench) -> None:
    def breaks(one: Delivery) -> Result:
        if one.id == 1:
            raise KeyError("a bug that only this one meets")
        return Sent("250 taken")

    shell, postman = await bench.shell(), Postman(answer=breaks)
    sending = Deliveries(shell, postman)
    await hand_over(shell, delivery(shell, 1), delivery(shell, 2))
    await sending.start()

    async def both() -> bool:
        return len(postman.fates) >= 2

    await bench.until(both)
    await sending.stop()
    assert sorted(postman.fates[:2], key=lambda fate: fate[0]) == [
        (1, Later("internal error: KeyError")),
        (2, Sent("250 taken")),
    ]


async def test_a_claim_that_could_not_await_the_newest_news_says_so(bench: Bench) -> None:
    shell, postman = await bench.shell(), Postman()
    await bench.say(1, "never read")
    sending = Deliveries(shell, postman, Gate(shell, READER, [echo.HEARD], patience_s=0.2))
    await hand_over(shell, delivery(shell, 1))
    await sending.start()

    async def sent() -> bool:
        return bool(postman.fates)

    await bench.until(sent)
    await sending.stop()
    assert [one.gate_timed_out for one in postman.tried] == [True]


def test_pauses_grow_to_ten_seconds_unless_the_other_side_says() -> None:
    assert [deliveries.pause_s(attempts, None) for attempts in (1, 2, 3, 4, 5, 99)] == [1, 2, 4, 8, 10, 10]
    assert deliveries.pause_s(3, 42.0) == 42.0
