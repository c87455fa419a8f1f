"""Waking: what one process commits, the others hear of; nobody is woken by its own words."""

import asyncio

from runtime.ports import Ledger
from tests.integration.ledger.conftest import Process


class Ear:
    """Counts how often a process was woken since it began to hear."""

    def __init__(self) -> None:
        self.heard = -1  # the first time says that it hears from now on
        self._changed = asyncio.Condition()
        self._telling: set[asyncio.Task[None]] = set()

    def woken(self) -> None:
        self.heard += 1
        self._telling.add(asyncio.create_task(self._tell()))

    async def hears(self, times: int) -> None:
        async with asyncio.timeout(10), self._changed:
            await self._changed.wait_for(lambda: self.heard >= times)

    async def _tell(self) -> None:
        async with self._changed:
            self._changed.notify_all()


async def _listening(ledger: Ledger) -> Ear:
    ear = Ear()
    await ledger.listen(ear.woken)
    await ear.hears(0)
    return ear


async def test_the_others_are_woken_and_the_speaker_is_not(process: Process) -> None:
    speaker, hearer, third = await process(), await process(), await process()
    own, others = await _listening(speaker), await _listening(hearer)
    await speaker.notify()
    await others.hears(1)
    for times in (1, 2):
        await third.notify()  # what the speaker hears by now is the third's alone
        await others.hears(1 + times)
        await own.hears(times)
    assert (own.heard, others.heard) == (2, 3)


async def test_many_words_at_once_are_heard_and_are_never_more(process: Process) -> None:
    speaker, hearer = await process(), await process()
    ear = await _listening(hearer)
    await asyncio.gather(*(speaker.notify() for _ in range(100)))
    await ear.hears(1)
    assert ear.heard <= 100


async def test_everybody_in_a_process_who_listens_is_woken(process: Process) -> None:
    speaker, hearer = await process(), await process()
    first = await _listening(hearer)
    second = Ear()
    second.heard = 0
    await hearer.listen(second.woken)
    await speaker.notify()
    await first.hears(1)
    await second.hears(1)
