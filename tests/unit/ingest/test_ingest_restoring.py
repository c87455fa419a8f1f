"""What a restore brings back of ingest's indexes: given alerts of before, when tools speak again, then nothing is decided twice."""

from events.envelope import Envelope
from events.ingest import DropReason, SignalReceived
from ingest.desk import reindex
from ingest.intake import Grouping
from ingest.worker import LAST, SENDER
from runtime.records import Received
from runtime.unit import Unit
from tests.unit.ingest.test_ingest_worker import T0, Desk, drops, kinds, told


async def lose_and_restore(desk: Desk) -> None:
    """The indexes are gone, and come back from the events."""

    async def forget(unit: Unit) -> None:
        for index in (LAST, SENDER):
            unit.put(index, dict.fromkeys(await unit.scan(index, "")))

    await desk.run(forget)
    restored = sorted(desk.envelopes, key=lambda one: not one.stream.startswith("source-"))
    await desk.run(lambda unit: reindex(unit, restored))


async def hear_doubtful(desk: Desk, *signals: SignalReceived) -> list[str]:
    batch = [
        Received(Envelope(signal, signal.stream, 0, "ingest"), "signals.v1", 0, offset, T0)
        for offset, signal in enumerate(signals)
    ]

    async def work(unit: Unit) -> None:
        unit.recalls = True
        await desk.worker.react(unit, batch)

    return kinds(await desk.run(work))


def test_the_last_alert_of_a_group_is_known_again() -> None:
    async def story(desk: Desk) -> None:
        desk.policy()
        await desk.source(5, alert_creation=Grouping.OPEN)
        await desk.source(6, alert_creation=Grouping.SUBJECT)
        await desk.hear(desk.signal(key=None), desk.signal(key=None, source=6))
        await lose_and_restore(desk)
        news = await desk.hear(desk.signal(key=None), desk.signal(key=None, source=6))
        assert kinds(news) == ["alert.repeated", "alert.repeated"]

    told(story)


def test_a_senders_repeat_is_known_again() -> None:
    async def story(desk: Desk) -> None:
        desk.policy()
        await desk.source()
        first = desk.signal(key=None).model_copy(update={"sender_id": "mine"})
        await desk.hear(first)
        await lose_and_restore(desk)
        assert drops(await desk.hear(first)) == [DropReason.DUPLICATE_SIGNAL]

    told(story)


def test_signals_that_any_event_names_are_passed_over_and_the_others_are_decided_on() -> None:
    async def story(desk: Desk) -> None:
        desk.policy()
        await desk.source()
        named = [
            *(desk.signal(key="a"), desk.signal(key="a"), desk.signal(key="a"), desk.signal(key=None)),
            *(desk.signal("ACCEPT", key="a"), desk.signal("RESOLVE", key="a"), desk.signal("RESOLVE", key="a")),
            *(desk.signal("COMMENT", key="b", comments=[{"content": "x"}]), desk.signal(source=9)),
        ]
        await desk.hear(*named)
        await lose_and_restore(desk)
        assert await hear_doubtful(desk, *named) == []
        assert await hear_doubtful(desk, *named, desk.signal(key="new")) == ["alert.created"]

    told(story)


def test_outside_of_doubt_a_repeated_id_is_no_reason_to_pass_over_what_a_tool_says() -> None:
    """Ids that are not the sender's own are never the same: nothing is looked up for them."""

    async def story(desk: Desk) -> None:
        desk.policy()
        await desk.source()
        await desk.hear(desk.signal(key="a"))
        await lose_and_restore(desk)
        assert kinds(await desk.hear(desk.signal(key="a"))) == ["alert.repeated"]

    told(story)
