"""The main story in virtual time, told whole: anything that is not expected fails it."""

from datetime import timedelta

from events.core import Event
from events.escalator import EscalationEnded, EscalationLevelReached
from events.ingest import AlertAccepted, AlertResolved
from events.notifier import NotificationEvent
from tests.simulation.town import Town, in_virtual_time

Story = list[tuple[int, str, int | None]]


def whom(event: Event) -> int | None:
    match event:
        case EscalationLevelReached(responders=(responder,)):
            return responder.user
        case NotificationEvent(user=user):
            return user
        case AlertAccepted(by=by):
            return by.user
        case _:
            return None


def test_nobody_answers_the_next_person_accepts_and_the_tool_recovers() -> None:
    async def night() -> tuple[Story, list[str], list[str], int, int]:
        town = Town()
        await town.start()
        ada, bob = await town.user("Ada"), await town.user("Bob")
        key = await town.source(await town.policy((5, [ada]), (5, [bob])))
        began = town.clock.now()
        await town.post(key, summary="Disk full", alertKey="db-1")
        await town.until(lambda: town.mailbox.to("bob@example.org"))
        await town.post(key, summary="Disk still full", alertKey="DB-1 ")
        await town.accept(1, bob)
        await town.until(lambda: town.clock.now() - began > timedelta(minutes=30))
        await town.post(key, eventType="RESOLVE", alertKey="db-1")
        await town.until(lambda: any(isinstance(one.event, AlertResolved) for one in town.envelopes("alerts.v1")))
        await town.until(lambda: town.clock.now() - began > timedelta(hours=1))
        story = [
            (town.minutes(one.event.at, began), one.type, whom(one.event))
            for one in town.envelopes()
            if not one.type.startswith("message.")
        ]
        mails = town.mailbox.to("ada@example.org"), town.mailbox.to("bob@example.org")
        await town.stop()
        return story, *mails, ada, bob

    story, to_ada, to_bob, ada, bob = in_virtual_time(night)
    assert sorted(story, key=lambda line: line[0]) == [
        (0, "alert.created", None),
        (0, "escalation.started", None),
        (0, "escalation.level_reached", ada),
        (0, "notification.queued", ada),
        (0, "notification.dispatched", ada),
        (0, "notification.sent", ada),
        (5, "escalation.level_reached", bob),
        (5, "notification.queued", bob),
        (5, "notification.dispatched", bob),
        (5, "notification.sent", bob),
        (5, "alert.repeated", None),
        (5, "alert.accepted", bob),
        (5, "escalation.halted", None),
        (30, "alert.resolved", None),
        (30, "escalation.halted", None),
    ]
    assert [len(to_ada), len(to_bob)] == [1, 1]


def test_nobody_at_all_answers() -> None:
    async def night() -> list[str]:
        town = Town()
        await town.start()
        ada = await town.user("Ada")
        key = await town.source(await town.policy((5, [ada]), repeating=True, frequency=3))
        await town.post(key, summary="Disk full")
        await town.until(lambda: any(isinstance(one.event, EscalationEnded) for one in town.envelopes()))
        told = town.mailbox.to("ada@example.org")
        await town.stop()
        return told

    assert len(in_virtual_time(night)) == 3


def test_the_same_seed_tells_the_same_story_twice() -> None:
    async def night() -> list[tuple[str, str]]:
        town = Town(seed=7)
        town.faults.delay_s = 0.3
        town.faults.duplicates = 0.1
        await town.start()
        ada = await town.user("Ada")
        key = await town.source(await town.policy((1, [ada]), (1, [ada])))
        for number in range(10):
            await town.post_until_taken(key, summary=f"Alert {number}", alertKey=f"alert-{number}")
        await town.until(lambda: sum(isinstance(one.event, EscalationEnded) for one in town.envelopes()) == 10)
        story = [(str(received.timestamp), received.envelope.id) for received in town.events()]
        await town.stop()
        return story

    assert in_virtual_time(night) == in_virtual_time(night)
