"""Services over HTTP, as the published clients use them."""

from datetime import timedelta
from typing import Any

from events.accounts import Visibility
from tests.integration.statuspage.house import ADA, BOB, CYD, ROOT, URL, House, in_virtual_time

CHECKOUT: dict[str, Any] = {"name": "Checkout", "alias": "checkout", "description": "Carts and payment"}


def test_a_service_is_made_read_replaced_and_deleted() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        made = await house.does(ADA, "POST", "/services", CHECKOUT)
        assert made.status_code == 201
        number = made.json()["id"]
        assert made.headers["Location"] == f"{URL}/api/services/{number}"
        assert made.json() == {
            "id": number,
            "name": "Checkout",
            "alias": "checkout",
            "status": "OPERATIONAL",
            "description": "Carts and payment",
            "oneOpenIncidentOnly": False,
            "showUptimeHistory": True,
            "teams": [],
        }
        changed = await house.does(ADA, "PUT", f"/services/{number}", {"name": "Shop", "status": "DEGRADED"})
        assert changed.status_code == 200
        assert await house.reads(f"/services/{number}") == changed.json()
        assert {"alias", "uptime", "subscribed"} & set(changed.json()) == set()
        assert (changed.json()["name"], changed.json()["status"]) == ("Shop", "DEGRADED")
        assert (await house.reads("/services/name/sHOP"))["id"] == number
        assert (await house.does(ADA, "DELETE", f"/services/{number}")).status_code == 204
        assert (await house.does(ADA, "GET", f"/services/{number}")).status_code == 404
        assert house.lines(f"service-{number}") == [
            "service.changed",
            "service.changed",
            "service.causes_changed",
            "service.status_changed",
            "service.deleted",
        ]

    in_virtual_time(story)


def test_an_alias_is_given_once_in_whatever_case_and_is_free_again_after_a_restore_too() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        number = await house.makes("/services", CHECKOUT)
        await house.lose_the_ledger()
        await house.start_web()
        again = await house.does(ADA, "POST", "/services", CHECKOUT | {"alias": "CheckOut"})
        assert (again.status_code, again.json()["code"]) == (409, "DUPLICATE")
        assert again.json()["message"].startswith("alias: ")
        assert (await house.does(ADA, "PUT", f"/services/{number}", CHECKOUT)).status_code == 200
        assert (await house.does(ADA, "PUT", f"/services/{number}", {"name": "Checkout"})).status_code == 200
        await house.makes("/services", CHECKOUT | {"alias": "CheckOut"})

    in_virtual_time(story)


def test_what_is_wrong_is_refused_by_name() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        bodies: list[tuple[dict[str, Any], str]] = [
            ({}, "name"),
            ({"name": " "}, "name"),
            ({"name": "A", "status": "BROKEN"}, "status"),
            ({"name": "A", "teams": [{"id": 99}]}, "teams.0.id"),
            ({"name": "A", "teams": [{"name": "Shop"}]}, "teams.0.id"),
            ({"name": "A", "alias": 5}, "alias"),
        ]
        for body, field in bodies:
            refused = await house.does(ADA, "POST", "/services", body)
            assert (refused.status_code, refused.json()["code"]) == (400, "VALIDATION_ERROR")
            assert refused.json()["message"].startswith(f"{field}: "), refused.json()
        for query in ("max-results=101", "max-results=26&include=uptime", "start-index=-1", "max-results=x"):
            assert (await house.does(ADA, "GET", f"/services?{query}")).status_code == 400, query
        assert await house.reads("/services?max-results=25&include=uptime") == []

    in_virtual_time(story)


def test_who_may_what() -> None:
    async def story(house: House) -> None:
        house.team(5, ADA, visibility=Visibility.PRIVATE)
        house.team(6, CYD)
        await house.start_web()
        hidden = await house.makes("/services", {"name": "Hidden", "teams": [{"id": 5}]})
        open_to_all = await house.makes("/services", {"name": "Open"})
        of_others = await house.makes("/services", {"name": "Shop's", "teams": [{"id": 6}]})
        for user, seen in ((ROOT, 3), (ADA, 3), (BOB, 2), (CYD, 2)):
            assert len(await house.reads("/services", user)) == seen
        assert (await house.does(BOB, "GET", f"/services/{hidden}")).status_code == 404
        for user in (BOB, CYD):
            assert (await house.does(user, "POST", "/services", {"name": "Mine"})).status_code == 403
            assert (await house.does(user, "DELETE", f"/services/{open_to_all}")).status_code == 403
        assert (await house.does(CYD, "GET", f"/services/{of_others}")).status_code == 200

    in_virtual_time(story)


def test_uptime_is_told_when_asked_for() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        number = await house.makes("/services", CHECKOUT)
        await house.passes(minutes=27)
        await house.does(ADA, "PUT", f"/services/{number}", CHECKOUT | {"status": "MAJOR_OUTAGE"})
        began = house.now
        await house.passes(minutes=3)
        [listed] = await house.reads("/services?include=uptime")
        uptime = listed["uptime"]
        assert [(one["status"], one["from"][:16]) for one in uptime["outages"]] == [
            ("MAJOR_OUTAGE", began.isoformat()[:16])
        ]
        assert round(uptime["uptimePercentage"]["p30"], 1) == 90.0
        assert uptime["rangeStart"][:10] == (house.now - timedelta(days=90)).isoformat()[:10]

    in_virtual_time(story)


def test_open_incidents_and_subscriptions_are_told_when_asked_for() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        number = await house.makes("/services", CHECKOUT)
        quiet = await house.makes("/services", {"name": "Quiet"})
        affected = [{"impact": "DEGRADED", "service": {"id": number}}]
        incident = await house.makes("/incidents", {"summary": "Slow", "affectedServices": affected})
        subscribed = await house.does(
            ADA, "PUT", f"/services/{number}/private-subscribers", [{"id": ADA, "type": "USER"}]
        )
        assert subscribed.is_success
        listed = await house.reads("/services?include=incidents&include=subscribed")
        assert [(one["id"], one["subscribed"]) for one in listed] == [(number, True), (quiet, False)]
        assert [[seen["id"] for seen in one["incidents"]] for one in listed] == [[incident], []]
        assert listed[0]["status"] == "DEGRADED"
        assert "incidents" not in await house.reads(f"/services/{number}")

    in_virtual_time(story)
