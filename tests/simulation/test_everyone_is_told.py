"""One alert tells everyone else too, and closes what it opened; whatever goes wrong, nothing runs twice or in silence."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from events.connectors import ActionFailed, ActionQueued, ActionSkipped, ActionSucceeded
from events.ingest import AlertCreated, AlertResolved
from events.notifier import NoticeSent
from events.statuspage import AutomationApplied, IncidentCreated, IncidentStatus, IncidentUpdated, ServiceStatusChanged
from tests.simulation.city import City, a_folder
from tests.simulation.town import in_virtual_time

LIFE = ["alert-created", "alert-acknowledged", "alert-resolved"]


def in_a_city(story: Callable[[City], Awaitable[None]], seed: int = 0) -> None:
    with a_folder() as pages:

        async def told() -> None:
            city = City(pages, seed)
            await city.start()
            try:
                await story(city)
            finally:
                await city.stop()

        in_virtual_time(told)


def test_everyone_is_told_and_all_of_it_closes_on_recovery() -> None:
    async def night(city: City) -> None:
        ada, bob = await city.user("Ada"), await city.user("Bob")
        key = await city.source(await city.policy((5, [ada])))
        await city.everything(1, bob)
        await city.post(key, summary="Disk full", alertKey="db-1")
        await city.until(lambda: len(city.said(ActionSucceeded)) == 4)
        assert city.mailbox.to("ada@example.org") == ["[HIGH] Disk full"]
        await city.until(lambda: city.mailbox.to("bob@example.org"))
        assert status_of(city) == "MAJOR_OUTAGE"
        await city.until(lambda: [one["status"] for one in city.public_summary()["incidents"]] == ["investigating"])
        assert city.public_summary()["components"][0]["status"] == "major_outage"

        await city.accept(1, ada)
        await city.post(key, eventType="RESOLVE", alertKey="db-1")
        await city.until(lambda: len(city.said(ActionSucceeded)) == 11)
        assert city.said(ActionFailed, ActionSkipped) == []
        assert city.receiver.events == LIFE
        assert city.receiver.complaints == city.slack.complaints == []
        [issue] = city.jira.issues.values()
        assert issue.status == "Done"
        assert city.slack.message.changes == 2
        assert status_of(city) == "OPERATIONAL"
        assert [one.status for one in city.said(IncidentUpdated)] == [IncidentStatus.RESOLVED]
        await city.until(lambda: not city.public_summary()["incidents"])
        await city.until(lambda: len(city.mailbox.to("bob@example.org")) == 2)
        assert len(city.said(NoticeSent)) == 2

    in_a_city(night)


def status_of(city: City) -> str:
    changes = city.said(ServiceStatusChanged)
    return changes[-1].status.value if changes else "OPERATIONAL"


@pytest.mark.parametrize("seed", range(4))
def test_whatever_goes_wrong_each_action_runs_once_for_each_trigger_or_says_why_not(seed: int) -> None:
    async def night(city: City) -> None:
        city.faults.delay_s, city.faults.poll_errors = 0.2, 0.01
        ada, bob = await city.user("Ada"), await city.user("Bob")
        key = await city.source(await city.policy((5, [ada])))
        await city.everything(1, bob)
        troubles = [asyncio.create_task(one_trouble(city)) for _ in range(6)]
        await asyncio.gather(*(one_alert(city, key, number) for number in range(8)), *troubles)
        await city.until(lambda: all_is_over(city), timedelta(hours=12))
        every_trigger_ran_once(city)
        the_world_stands_as_before(city)

    in_a_city(night, seed)


async def one_alert(city: City, key: str, number: int) -> None:
    await asyncio.sleep(city.random.uniform(0, 1800))
    await city.post_until_taken(key, summary=f"alert-{number}", alertKey=f"alert-{number}")
    await asyncio.sleep(city.random.uniform(0, 900))
    await city.post_until_taken(key, eventType="RESOLVE", alertKey=f"alert-{number}")


async def one_trouble(city: City) -> None:
    await asyncio.sleep(city.random.uniform(30, 1800))
    match city.random.randrange(4):
        case 0:
            node = city.nodes[city.random.choice(sorted(city.nodes))]
            await node.kill()
            await asyncio.sleep(city.random.uniform(0, 90))
            await node.start()
        case 1:
            city.faults.freeze()
            await asyncio.sleep(city.random.uniform(1, 40))
            city.faults.thaw()
        case 2:
            disk = city.disks[city.random.choice(["ingest", "connectors", "statuspage", "notifier"])]
            disk.away = True
            await asyncio.sleep(city.random.uniform(1, 60))
            disk.away = False
        case _:
            host = city.random.choice(sorted(city.tools))
            city.away.add(host)
            await asyncio.sleep(city.random.uniform(10, 300))
            city.away.discard(host)


def all_is_over(city: City) -> bool:
    queued = len(city.said(ActionQueued))
    return len(city.said(AlertResolved)) == 8 and queued == len(city.said(ActionSucceeded, ActionFailed)) >= 8 * 8


def every_trigger_ran_once(city: City) -> None:
    planned = Counter((one.alert, one.action, one.trigger_id) for one in city.said(ActionQueued, ActionSkipped))
    assert [wish for wish, times in planned.items() if times > 1] == []
    ended = Counter((one.alert, one.run) for one in city.said(ActionSucceeded, ActionFailed))
    assert set(ended.values()) == {1}
    assert set(ended) == {(one.alert, one.run) for one in city.said(ActionQueued)}
    for alert in (one.alert for one in city.said(AlertCreated)):
        told = {(action, trigger.split("@")[0]) for number, action, trigger in planned if number == alert}
        assert len({action for action, _ in told}) == 4, f"alert {alert} left somebody out"


def the_world_stands_as_before(city: City) -> None:
    """Whoever was told of a beginning was told of the end; receivers saw every step, repeats under the same id."""
    assert city.said(ActionFailed) == []
    assert city.receiver.complaints == city.slack.complaints == []
    assert Counter(got.json["eventType"] for got in {got.number: got for got in city.receiver.taken}.values()) == {
        "alert-created": 8,
        "alert-resolved": 8,
    }
    assert {issue.status for issue in city.jira.issues.values()} == {"Done"}
    assert len(city.jira.issues) == 8
    assert status_of(city) == "OPERATIONAL"
    opened = {one.incident for one in city.said(IncidentCreated)}
    closed = {one.incident for one in city.said(IncidentUpdated) if one.status is IncidentStatus.RESOLVED}
    assert opened == closed
    assert all(one.incident in opened for one in city.said(AutomationApplied))
