"""What an open page is told, and what it is told when it comes back."""

from collections.abc import AsyncIterator

from web.live import Hub


def told(frame: bytes) -> dict[str, str]:
    """The fields of one frame."""
    pairs = (line.partition(": ") for line in frame.decode().splitlines() if line)
    return {name: value for name, _, value in pairs}


async def take(stream: AsyncIterator[bytes], count: int) -> list[dict[str, str]]:
    return [told(await anext(stream)) for _ in range(count)]


async def rest(stream: AsyncIterator[bytes]) -> list[dict[str, str]]:
    return [told(frame) async for frame in stream]


def publish(hub: Hub, *numbers: int) -> None:
    for number in numbers:
        hub.publish(f"alert-{number}@1", "alerts", {"id": number, "version": 1})


def data(number: int) -> str:
    return f'{{"id":{number},"version":1}}'


class TestTheStream:
    async def test_it_begins_with_an_id_and_nothing_of_the_past(self) -> None:
        hub = Hub()
        publish(hub, 1, 2)
        stream = hub.stream(None)
        [first] = await take(stream, 1)
        assert set(first) == {"id"}
        publish(hub, 3)
        [then] = await take(stream, 1)
        assert (then["event"], then["data"]) == ("alerts", data(3))
        assert then["id"].endswith(".alert-3@1")

    async def test_everybody_is_told(self) -> None:
        hub = Hub()
        streams = [hub.stream(None) for _ in range(3)]
        for stream in streams:
            await take(stream, 1)
        publish(hub, 1)
        assert [(await take(stream, 1))[0]["data"] for stream in streams] == [data(1)] * 3

    async def test_the_same_event_is_told_once(self) -> None:
        hub = Hub()
        stream = hub.stream(None)
        await take(stream, 1)
        publish(hub, 1, 1, 2)
        assert [frame["data"] for frame in await take(stream, 2)] == [data(1), data(2)]

    async def test_who_leaves_is_forgotten(self) -> None:
        hub = Hub()
        stream = hub.stream(None)
        await take(stream, 1)
        assert hub.open_streams == 1
        await stream.aclose()  # type: ignore[attr-defined]
        assert hub.open_streams == 0

    async def test_a_line_break_cannot_forge_a_frame(self) -> None:
        hub = Hub()
        stream = hub.stream(None)
        await take(stream, 1)
        hub.publish("e@1", "alerts", {"id": "1\n\nevent: forged"})
        [frame] = await take(stream, 1)
        assert frame["data"] == '{"id":"1\\n\\nevent: forged"}'


class TestComingBack:
    async def test_what_changed_since_a_page_was_made_is_told(self) -> None:
        hub = Hub()
        publish(hub, 1)
        position = hub.position
        publish(hub, 2)
        assert [frame["data"] for frame in await take(hub.stream(position), 1)] == [data(2)]

    async def test_what_was_missed_is_told(self) -> None:
        hub = Hub()
        stream = hub.stream(None)
        await take(stream, 1)
        publish(hub, 1)
        [seen] = await take(stream, 1)
        publish(hub, 2, 3)
        assert [frame["data"] for frame in await take(hub.stream(seen["id"]), 2)] == [data(2), data(3)]

    async def test_a_quiet_stream_is_resumed_by_its_first_id(self) -> None:
        hub = Hub()
        [first] = await take(hub.stream(None), 1)
        publish(hub, 1)
        [missed] = await take(hub.stream(first["id"]), 1)
        assert missed["data"] == data(1)

    async def test_who_missed_nothing_is_told_nothing_old(self) -> None:
        hub = Hub()
        publish(hub, 1)
        [first] = await take(hub.stream(None), 1)
        stream = hub.stream(first["id"])
        assert await take(stream, 1) == [first]
        publish(hub, 2)
        assert (await take(stream, 1))[0]["data"] == data(2)

    async def test_the_oldest_that_the_ring_can_follow_is_followed(self) -> None:
        hub = Hub(ring=2)
        publish(hub, 1)
        [one] = await take(hub.stream(None), 1)
        publish(hub, 2, 3)
        assert [frame["data"] for frame in await take(hub.stream(one["id"]), 2)] == [data(2), data(3)]

    async def test_who_was_away_too_long_fetches_everything_again(self) -> None:
        hub = Hub(ring=2)
        publish(hub, 1)
        [one] = await take(hub.stream(None), 1)
        publish(hub, 2, 3, 4)
        stream = hub.stream(one["id"])
        [resync] = await take(stream, 1)
        assert resync["event"] == "resync"
        publish(hub, 5)
        assert (await take(stream, 1))[0]["data"] == data(5)
        assert [frame["data"] for frame in await take(hub.stream(resync["id"]), 1)] == [data(5)]

    async def test_after_a_restart_nothing_is_silently_missed(self) -> None:
        before, after = Hub(), Hub()
        publish(before, 1)
        [seen] = await take(before.stream(None), 1)
        publish(after, 1, 2)
        [frame] = await take(after.stream(seen["id"]), 1)
        assert frame["event"] == "resync"


class TestLagging:
    async def test_who_lags_is_closed_and_comes_back_for_the_rest(self) -> None:
        hub = Hub(queue=3)
        slow, quick = hub.stream(None), hub.stream(None)
        await take(slow, 1)
        await take(quick, 1)
        publish(hub, 1)
        [seen] = await take(slow, 1)
        await take(quick, 1)
        publish(hub, 2, 3, 4)
        await take(quick, 3)
        publish(hub, 5)
        assert hub.open_streams == 1
        assert await rest(slow) == []
        again = await take(hub.stream(seen["id"]), 4)
        assert [frame["data"] for frame in again] == [data(number) for number in (2, 3, 4, 5)]
        assert [frame["data"] for frame in await take(quick, 1)] == [data(5)]

    async def test_closing_the_hub_ends_every_stream(self) -> None:
        hub = Hub()
        stream = hub.stream(None)
        await take(stream, 1)
        hub.close()
        assert await rest(stream) == []
