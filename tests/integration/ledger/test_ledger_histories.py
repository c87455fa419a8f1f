"""Many streams' events at once: as they come one by one, without those that have none."""

from runtime.ports import Ledger
from tests.integration.ledger.facts import line, write


async def test_histories_of_many_streams_come_together_each_in_its_order(ledger: Ledger) -> None:
    streams = ["alert-1", "alert-10", "alert-2"]
    await write(ledger, *(line(stream, 1) for stream in streams))
    await write(ledger, *(line(stream, 2) for stream in reversed(streams)), line("alert-3", 1))
    async with ledger.begin() as tx:
        found = await tx.histories([*streams, "alert-4"])
        assert found == {stream: await tx.history(stream) for stream in streams}
        assert [each.version for each in found["alert-10"]] == [1, 2]
        assert await tx.histories([]) == {}
