"""Maintenance windows: planned over HTTP, opened and closed by time, with what follows for services and people."""

from datetime import datetime, timedelta
from typing import Any

from events.accounts import Visibility
from events.ingest import SourceChanged
from events.statuspage import AnnouncementMade, Occasion
from tests.integration.statuspage.house import ADA, BOB, CYD, URL, House, in_virtual_time


def window(house: House, start: float, end: float, **more: Any) -> dict[str, Any]:
    """A body; `start` and `end` in minutes from now."""

    def at(minutes: float) -> str:
        return (house.now + timedelta(minutes=minutes)).isoformat()

    return {"summary": "New disks", "timezone": "Europe/Berlin", "start": at(start), "end": at(end), **more}


async def status_of(house: House, service: int) -> str:
    found = await house.reads(f"/services/{service}")
    status: str = found["status"]
    return status


async def is_in(house: House, maintenance: int, state: str) -> None:
    """Once the window is in this state."""
    for _ in range(40):
        if (await house.reads(f"/maintenance-windows/{maintenance}"))["state"] == state:
            return
        await house.passes(seconds=0.25)
    raise AssertionError(state)


def source(house: House, number: int = 5) -> None:
    house.says(SourceChanged(source=number, name="Disks", key_digest="0", key_cell="c", at=house.now))


def test_a_window_is_planned_read_replaced_and_deleted() -> None:
    async def story(house: House) -> None:
        source(house)
        await house.start_web()
        service = await house.makes("/services", {"name": "Checkout", "alias": "checkout"})
        body = window(house, 10, 20, alertSources=[{"id": 5}], services=[{"id": service}], description="*Slow*")
        made = await house.does(ADA, "POST", "/maintenance-windows", body)
        assert made.status_code == 200, made.text
        seen = made.json()
        number = seen.pop("id")
        assert made.headers["Location"] == f"{URL}/api/maintenance-windows/{number}"
        for name in ("start", "end"):
            assert datetime.fromisoformat(seen.pop(name)) == datetime.fromisoformat(body[name])
        assert seen == {
            "summary": "New disks",
            "description": "*Slow*",
            "timezone": "Europe/Berlin",
            "alertSources": [{"id": 5, "name": "Disks"}],
            "services": [{"id": service, "name": "Checkout", "alias": "checkout", "status": "OPERATIONAL"}],
            "createdBy": "Ada A",
            "notifications": {"atCreation": False, "atStart": False, "atEnd": False},
            "state": "PLANNED",
        }
        later = window(house, 15, 25, notifications={"atStart": True})
        changed = await house.does(ADA, "PUT", f"/maintenance-windows/{number}", later)
        assert changed.status_code == 200
        assert changed.json()["services"] == changed.json()["alertSources"] == []
        assert changed.json()["notifications"]["atStart"] is True
        assert (await house.does(ADA, "DELETE", f"/maintenance-windows/{number}")).status_code == 204
        assert (await house.does(ADA, "GET", f"/maintenance-windows/{number}")).status_code == 404
        assert house.lines(f"maintenance-{number}") == [
            "maintenance.changed",
            "maintenance.changed",
            "maintenance.deleted",
        ]

    in_virtual_time(story)


def test_time_opens_and_closes_it_and_services_are_then_as_they_would_be_without_it() -> None:
    async def story(house: House) -> None:
        await house.open()
        service = await house.makes("/services", {"name": "Checkout"})
        number = await house.makes("/maintenance-windows", window(house, 2, 4, services=[{"id": service}]))
        assert await status_of(house, service) == "OPERATIONAL"
        await house.passes(minutes=2)
        await is_in(house, number, "RUNNING")
        assert await status_of(house, service) == "UNDER_MAINTENANCE"
        read = await house.reads(f"/services/{service}")
        assert (await house.does(ADA, "PUT", f"/services/{service}", read)).json()["status"] == "UNDER_MAINTENANCE"
        put = await house.does(ADA, "PUT", f"/services/{service}", {"name": "Checkout", "status": "DEGRADED"})
        assert put.json()["status"] == "UNDER_MAINTENANCE"
        await house.passes(minutes=2)
        await is_in(house, number, "OVER")
        assert await status_of(house, service) == "DEGRADED"
        assert house.lines(f"maintenance-{number}") == [
            "maintenance.changed",
            "maintenance.started",
            "maintenance.ended",
        ]
        late = await house.does(ADA, "PUT", f"/maintenance-windows/{number}", window(house, 5, 6))
        assert (late.status_code, late.json()["code"]) == (409, "MAINTENANCE_OVER")

    in_virtual_time(story)


def test_deleting_a_running_one_and_closing_it_early_free_its_services() -> None:
    async def story(house: House) -> None:
        await house.open()
        service, other = [await house.makes("/services", {"name": name}) for name in ("Checkout", "Search")]
        both = [{"id": service}, {"id": other}]
        first = await house.makes("/maintenance-windows", window(house, -1, 60, services=both))
        second = await house.makes("/maintenance-windows", window(house, -1, 60, services=both[:1]))
        assert [await status_of(house, one) for one in (service, other)] == ["UNDER_MAINTENANCE"] * 2
        assert (await house.does(ADA, "DELETE", f"/maintenance-windows/{first}")).status_code == 204
        assert [await status_of(house, one) for one in (service, other)] == ["UNDER_MAINTENANCE", "OPERATIONAL"]
        moved = await house.does(ADA, "PUT", f"/maintenance-windows/{second}", window(house, -1, 60, services=both[1:]))
        assert moved.status_code == 200
        assert [await status_of(house, one) for one in (service, other)] == ["OPERATIONAL", "UNDER_MAINTENANCE"]
        closed = await house.does(ADA, "PUT", f"/maintenance-windows/{second}", window(house, -9, -1))
        assert closed.json()["state"] == "OVER"
        assert await status_of(house, other) == "OPERATIONAL"

    in_virtual_time(story)


def test_a_service_that_is_gone_holds_nothing_up() -> None:
    async def story(house: House) -> None:
        await house.open()
        service = await house.makes("/services", {"name": "Checkout"})
        number = await house.makes("/maintenance-windows", window(house, 1, 2, services=[{"id": service}]))
        await house.does(ADA, "DELETE", f"/services/{service}")
        await house.passes(minutes=2)
        await is_in(house, number, "OVER")
        assert (await house.reads(f"/maintenance-windows/{number}"))["services"] == [{"id": service}]

    in_virtual_time(story)


def test_subscribers_are_told_at_the_occasions_that_were_chosen() -> None:
    async def story(house: House) -> None:
        await house.open()
        service = await house.makes("/services", {"name": "Checkout"})
        subscribers = [{"id": BOB, "type": "USER"}]
        await house.does(ADA, "PUT", f"/services/{service}/private-subscribers", subscribers)
        occasions = {"atCreation": True, "atStart": True, "atEnd": True}
        body = window(house, 1, 2, services=[{"id": service}], description="Slow", notifications=occasions)
        number = await house.makes("/maintenance-windows", body)
        quiet = await house.makes("/maintenance-windows", window(house, 1, 2, services=[{"id": service}]))
        await house.passes(minutes=2)
        await is_in(house, number, "OVER")
        await is_in(house, quiet, "OVER")
        await house.passes(seconds=1)
        made = [one.event for one in house.said() if isinstance(one.event, AnnouncementMade)]
        assert [one.occasion for one in made] == [
            Occasion.MAINTENANCE_PLANNED,
            Occasion.MAINTENANCE_STARTED,
            Occasion.MAINTENANCE_ENDED,
        ]
        assert {one.maintenance for one in made} == {number}
        assert [told.user for one in made for told in one.users] == [BOB] * 3
        assert [one.services for one in made][:2] == [("Checkout: Under maintenance",)] * 2
        assert made[0].message == "From Mon 2 Mar 2026, 04:01:00 CET to Mon 2 Mar 2026, 04:02:00 CET.\n\nSlow"

    in_virtual_time(story)


def test_it_is_found_by_its_filters() -> None:
    async def story(house: House) -> None:
        source(house)
        await house.open()
        service = await house.makes("/services", {"name": "Checkout"})
        coming = await house.makes("/maintenance-windows", window(house, 30, 40, services=[{"id": service}]))
        running = await house.makes("/maintenance-windows", window(house, -5, 20, alertSources=[{"id": 5}]))
        past = await house.makes("/maintenance-windows", window(house, 1, 2))
        await house.passes(minutes=2)
        await is_in(house, past, "OVER")

        async def found(query: str) -> list[int]:
            return [one["id"] for one in await house.reads(f"/maintenance-windows?{query}")]

        def at(minutes: float) -> str:
            return (house.now + timedelta(minutes=minutes)).isoformat().replace("+", "%2B")

        assert await found("") == [running, past, coming]
        assert await found("state=OPEN") == [running, coming]
        assert await found("state=CLOSED") == [past]
        assert await found(f"services={service}&services=99") == [coming]
        assert await found("sources=5") == [running]
        assert await found(f"from={at(25)}") == [coming]
        assert await found(f"until={at(25)}") == [running, past]
        assert await found("start-index=1&max-results=1") == [past]
        for query in ("state=SOON", "services=x", "from=yesterday", "max-results=101", "services=0"):
            assert (await house.does(ADA, "GET", f"/maintenance-windows?{query}")).status_code == 400, query

    in_virtual_time(story)


def test_what_is_wrong_is_refused_by_name() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        good = window(house, 1, 2)
        bodies: list[tuple[dict[str, Any], str]] = [
            ({"summary": "A"}, "start"),
            (good | {"summary": ""}, "summary"),
            (good | {"timezone": "Mars/Base"}, "timezone"),
            (good | {"start": "soon"}, "start"),
            (good | {"start": "2026-03-02T05:00:00"}, "start"),
            (window(house, -2, -1), "end"),
            (good | {"services": [{"id": 99}]}, "services.0.id"),
            (good | {"alertSources": [{"id": 99}]}, "alertSources.0.id"),
            (good | {"services": [{"id": 1}] * 51}, "services"),
            (good | {"notifications": {"atStart": "often"}}, "notifications.atStart"),
        ]
        for body, field in bodies:
            refused = await house.does(ADA, "POST", "/maintenance-windows", body)
            assert (refused.status_code, refused.json()["code"]) == (400, "VALIDATION_ERROR"), body
            assert refused.json()["message"].startswith(f"{field}: "), refused.json()
        backwards = await house.does(ADA, "POST", "/maintenance-windows", window(house, 2, 1))
        assert backwards.status_code == 400
        assert "end must be after start" in backwards.json()["message"]

    in_virtual_time(story)


def test_who_may_what() -> None:
    async def story(house: House) -> None:
        house.team(5, ADA, visibility=Visibility.PRIVATE)
        source(house)
        await house.start_web()
        hidden = await house.makes("/services", {"name": "Hidden", "teams": [{"id": 5}]})
        shown = await house.makes("/services", {"name": "Shown"})
        both = [{"id": hidden}, {"id": shown}]
        mixed = await house.makes("/maintenance-windows", window(house, 1, 2, services=both))
        secret = await house.makes("/maintenance-windows", window(house, 1, 2, services=both[:1]))
        silent = await house.makes("/maintenance-windows", window(house, 1, 2, alertSources=[{"id": 5}]))
        for user, seen in ((ADA, [mixed, secret, silent]), (BOB, [mixed, silent]), (CYD, [mixed])):
            assert [one["id"] for one in await house.reads("/maintenance-windows", user)] == seen
        named = (await house.reads(f"/maintenance-windows/{mixed}", BOB))["services"]
        assert named == [{"id": hidden}, {"id": shown, "name": "Shown", "status": "OPERATIONAL"}]
        assert (await house.does(BOB, "POST", "/maintenance-windows", window(house, 1, 2))).status_code == 403
        assert (await house.does(BOB, "DELETE", f"/maintenance-windows/{silent}")).status_code == 403

    in_virtual_time(story)


def test_a_restored_ledger_opens_and_closes_what_was_planned() -> None:
    async def story(house: House) -> None:
        await house.open()
        service = await house.makes("/services", {"name": "Checkout"})
        number = await house.makes("/maintenance-windows", window(house, 5, 10, services=[{"id": service}]))
        await house.lose_the_ledger()
        await house.start_worker(deciding=False)
        await house.start_web()
        assert [one["id"] for one in await house.reads("/maintenance-windows")] == [number]
        await house.passes(minutes=5)
        await is_in(house, number, "RUNNING")
        assert await status_of(house, service) == "UNDER_MAINTENANCE"

    in_virtual_time(story)
