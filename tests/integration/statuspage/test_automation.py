"""Alert actions in the worker: services go down and incidents open with an alert, and go when it goes, each once."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import given as for_any
from hypothesis import strategies as st

from events.connectors import ActionDispatched
from events.envelope import Envelope
from events.statuspage import (
    AnnouncementMade,
    AutomationApplied,
    AutomationRefused,
    IncidentCreated,
    IncidentStatus,
    IncidentUpdated,
)
from events.topics import INCIDENTS
from tests.integration.statuspage.house import ADA, BOB, House, in_virtual_time

DISK, CPU = 42, 43
TELL = 5

Answer = AutomationApplied | AutomationRefused


@dataclass
class Connectors:
    """What the other side does: asks, and waits for the answer."""

    house: House
    runs: int = 0

    async def asks(self, alert: int = DISK, *, repeats: int = 0, **more: Any) -> Answer:
        """Dispatch a run and give its answer."""
        self.runs += 1
        run = self.runs
        fields: dict[str, Any] = {"action": TELL, "name": "Tell users", "type": "automation_rule"} | more
        asked: Envelope | None = None
        for _ in range(repeats + 1):
            asked = self.house.says(ActionDispatched(alert=alert, run=run, at=self.house.now, **fields))
        assert asked is not None
        answer: Answer = await self.house.until(lambda: self._answer(run, asked))
        return answer

    def _answer(self, run: int, asked: Envelope) -> Answer | None:
        found = [
            (one.event, one.causation)
            for one in self.house.said(INCIDENTS.name)
            if isinstance(one.event, Answer) and one.event.run == run
        ]
        if not found:
            return None
        [(event, causation)] = found
        assert causation is not None
        assert causation.startswith(f"actions-{event.alert}@")
        return event


async def status_of(house: House, service: int) -> str:
    found: str = (await house.reads(f"/services/{service}"))["status"]
    return found


async def template(house: House, **more: Any) -> int:
    words = {
        "name": "Down",
        "summary": "{{serviceName}}: {{alertSummary}}",
        "status": "IDENTIFIED",
        "message": "{{serviceName}} was {{serviceStatusOld}} and is {{serviceStatus}}.",
    }
    return await house.makes("/incident-templates", words | more)


def test_an_alert_takes_services_down_opens_an_incident_and_all_of_it_closes_on_recovery() -> None:
    async def story(house: House) -> None:
        await house.open()
        tool = Connectors(house)
        shop = await house.makes("/services", {"name": "Shop"})
        await house.does(BOB, "POST", f"/services/{shop}/private-subscribers", {"id": BOB, "type": "USER"})
        down: dict[str, Any] = {"services": (shop,), "service_status": "MAJOR_OUTAGE", "send_notification": True}
        facts = {"alertSummary": "disk full"}
        opened = await tool.asks(template=await template(house), facts=facts, **down)
        assert isinstance(opened, AutomationApplied)
        assert (opened.services, opened.service_status, opened.resolved) == ((shop,), "MAJOR_OUTAGE", False)
        incident = await house.reads(f"/incidents/{opened.incident}?include=history")
        assert (incident["summary"], incident["status"]) == ("Shop: disk full", "IDENTIFIED")
        assert incident["message"] == "Shop was Operational and is Major outage."
        assert "creator" not in incident["history"][0]
        assert await status_of(house, shop) == "MAJOR_OUTAGE"
        closed = await tool.asks(resolve=True, **down)
        assert isinstance(closed, AutomationApplied)
        assert (closed.resolved, closed.incident) == (True, opened.incident)
        assert (await house.reads(f"/incidents/{opened.incident}"))["status"] == "RESOLVED"
        assert await status_of(house, shop) == "OPERATIONAL"
        told = [one.event for one in house.said(INCIDENTS.name) if isinstance(one.event, AnnouncementMade)]
        assert [(one.occasion.value, [each.user for each in one.users]) for one in told] == [
            ("INCIDENT_CREATED", [BOB]),
            ("INCIDENT_RESOLVED", [BOB]),
        ]

    in_virtual_time(story)


def test_without_a_template_the_services_only_have_the_status_while_an_alert_says_so() -> None:
    async def story(house: House) -> None:
        await house.open()
        tool = Connectors(house)
        shop = await house.makes("/services", {"name": "Shop"})
        await tool.asks(DISK, services=(shop,), service_status="DEGRADED")
        await tool.asks(CPU, services=(shop,), service_status="MAJOR_OUTAGE")
        assert await status_of(house, shop) == "MAJOR_OUTAGE"
        await tool.asks(CPU, services=(shop,), resolve=True)
        assert await status_of(house, shop) == "DEGRADED"
        await tool.asks(DISK, action=6, services=(shop,), service_status="PARTIAL_OUTAGE")
        assert await status_of(house, shop) == "PARTIAL_OUTAGE"
        await tool.asks(DISK, action=6, resolve=True)
        assert await status_of(house, shop) == "DEGRADED", "the alert's other action still says so"
        await tool.asks(DISK, resolve=True)
        assert await status_of(house, shop) == "OPERATIONAL"
        assert not [one for one in house.said(INCIDENTS.name) if isinstance(one.event, IncidentCreated)]

    in_virtual_time(story)


def test_a_service_that_may_have_one_incident_takes_the_second_alert_in_and_ends_with_the_last() -> None:
    async def story(house: House) -> None:
        await house.open()
        tool, down = Connectors(house), await template(house)
        shop = await house.makes("/services", {"name": "Shop", "oneOpenIncidentOnly": True})
        first = await tool.asks(DISK, services=(shop,), service_status="DEGRADED", template=down)
        second = await tool.asks(CPU, services=(shop,), service_status="MAJOR_OUTAGE", template=down)
        assert isinstance(first, AutomationApplied)
        assert isinstance(second, AutomationApplied)
        assert first.incident == second.incident
        assert await status_of(house, shop) == "MAJOR_OUTAGE"
        await tool.asks(DISK, resolve=True)
        assert (await house.reads(f"/incidents/{first.incident}"))["status"] == "IDENTIFIED"
        await tool.asks(CPU, resolve=True)
        assert (await house.reads(f"/incidents/{first.incident}"))["status"] == "RESOLVED"
        assert await status_of(house, shop) == "OPERATIONAL"

    in_virtual_time(story)


def test_an_incident_that_a_person_opened_is_joined_and_left_open() -> None:
    async def story(house: House) -> None:
        await house.open()
        tool = Connectors(house)
        shop = await house.makes("/services", {"name": "Shop", "oneOpenIncidentOnly": True})
        affected = [{"impact": "DEGRADED", "service": {"id": shop}}]
        number = await house.makes("/incidents", {"summary": "Slow", "affectedServices": affected})
        joined = await tool.asks(services=(shop,), service_status="DEGRADED", template=await template(house))
        assert isinstance(joined, AutomationApplied)
        assert joined.incident == number
        closed = await tool.asks(resolve=True)
        assert isinstance(closed, AutomationApplied)
        assert "goes on" in closed.text
        assert (await house.reads(f"/incidents/{number}"))["status"] == "INVESTIGATING"

    in_virtual_time(story)


def test_what_cannot_be_done_is_refused_with_a_reason_and_nothing_is_left_of_it() -> None:
    async def story(house: House) -> None:
        await house.open()
        tool = Connectors(house)
        shop = await house.makes("/services", {"name": "Shop"})
        gone = await house.makes("/services", {"name": "Gone"})
        await house.does(ADA, "DELETE", f"/services/{gone}")
        refused = [
            await tool.asks(services=(shop,), service_status="MAJOR_OUTAGE", template=99),
            await tool.asks(services=(gone, 99), service_status="MAJOR_OUTAGE"),
            await tool.asks(services=(), service_status="MAJOR_OUTAGE"),
            await tool.asks(services=(shop,)),
            await tool.asks(services=(shop,), service_status="BROKEN"),
        ]
        assert all(isinstance(one, AutomationRefused) and one.reason for one in refused)
        assert "template 99" in str(refused[0])
        assert await status_of(house, shop) == "OPERATIONAL"
        some = await tool.asks(services=(gone, shop), service_status="DEGRADED")
        assert isinstance(some, AutomationApplied)
        assert some.services == (shop,)

    in_virtual_time(story)


def test_what_is_over_before_it_began_is_not_begun() -> None:
    async def story(house: House) -> None:
        await house.open()
        tool = Connectors(house)
        shop = await house.makes("/services", {"name": "Shop"})
        early = await tool.asks(resolve=True)
        assert isinstance(early, AutomationApplied)
        assert early.text == "There was nothing to close"
        late = await tool.asks(services=(shop,), service_status="MAJOR_OUTAGE", template=await template(house))
        assert isinstance(late, AutomationRefused)
        assert await status_of(house, shop) == "OPERATIONAL"

    in_virtual_time(story)


def test_other_actions_are_passed_over() -> None:
    async def story(house: House) -> None:
        await house.open()
        tool = Connectors(house)
        shop = await house.makes("/services", {"name": "Shop"})
        house.says(ActionDispatched(alert=DISK, run=77, action=9, type="reroute", policy=3, at=house.now))
        await tool.asks(services=(shop,), service_status="DEGRADED")
        assert [one.event.run for one in house.said(INCIDENTS.name) if isinstance(one.event, Answer)] == [1]

    in_virtual_time(story)


def test_a_killed_worker_goes_on_where_it_was() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        worker = await house.start_worker()
        tool, down = Connectors(house), await template(house)
        shop = await house.makes("/services", {"name": "Shop"})
        await tool.asks(services=(shop,), service_status="MAJOR_OUTAGE", template=down)
        await house.end(worker)
        asked = asyncio.create_task(tool.asks(resolve=True))
        await house.passes(seconds=5)
        assert not asked.done()
        await house.start_worker()
        closed = await asyncio.wait_for(asked, timedelta(minutes=10).total_seconds())
        assert isinstance(closed, AutomationApplied)
        assert await status_of(house, shop) == "OPERATIONAL"

    in_virtual_time(story)


@pytest.mark.parametrize("first_with", [True, False])
def test_an_action_that_was_changed_between_two_runs_leaves_nothing_behind(first_with: bool) -> None:
    async def story(house: House) -> None:
        await house.open()
        tool, down = Connectors(house), await template(house)
        shop = await house.makes("/services", {"name": "Shop"})
        for with_template in (first_with, not first_with):
            await tool.asks(services=(shop,), service_status="MAJOR_OUTAGE", template=down if with_template else None)
        assert await status_of(house, shop) == "MAJOR_OUTAGE"
        await tool.asks(resolve=True)
        assert await status_of(house, shop) == "OPERATIONAL"

    in_virtual_time(story)


asked = st.tuples(st.sampled_from([DISK, CPU]), st.integers(1, 4), st.booleans(), st.booleans())
"""(alert, run, it is over, with a template)"""


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@for_any(st.lists(asked, min_size=1, max_size=8), st.booleans())
def test_whatever_comes_however_often_an_alerts_action_opens_once_and_leaves_nothing_behind(
    wishes: Sequence[tuple[int, int, bool, bool]], only: bool
) -> None:
    async def story(house: House) -> None:
        await house.open()
        shop = await house.makes("/services", {"name": "Shop", "oneOpenIncidentOnly": only})
        down = await template(house)
        for alert, run, over, with_template in wishes:
            house.says(
                ActionDispatched(
                    alert=alert,
                    run=alert * 100 + run,
                    action=TELL,
                    type="automation_rule",
                    services=(shop,),
                    service_status="MAJOR_OUTAGE",
                    template=down if with_template else None,
                    resolve=over,
                    at=house.now,
                )
            )
        for alert in (DISK, CPU):
            house.says(
                ActionDispatched(
                    alert=alert, run=999 + alert, action=TELL, type="automation_rule", resolve=True, at=house.now
                )
            )
        runs = {alert * 100 + run for alert, run, *_ in wishes} | {999 + DISK, 999 + CPU}

        def answers() -> list[Answer]:
            return [one.event for one in house.said(INCIDENTS.name) if isinstance(one.event, Answer)]

        await house.until(lambda: {one.run for one in answers()} == runs)
        assert len(answers()) == len(runs)
        created = [one.event for one in house.said(INCIDENTS.name) if isinstance(one.event, IncidentCreated)]
        assert len({(one.alert, one.action) for one in created}) == len(created)
        assert not only or len(created) <= 2
        ended = [
            one.event.incident
            for one in house.said(INCIDENTS.name)
            if isinstance(one.event, IncidentUpdated) and one.event.status is IncidentStatus.RESOLVED
        ]
        assert sorted(ended) == sorted(one.incident for one in created)
        assert await status_of(house, shop) == "OPERATIONAL"

    in_virtual_time(story)
