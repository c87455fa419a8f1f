"""Incident templates over HTTP, as the published clients use them."""

from typing import Any

from events.accounts import Visibility
from tests.integration.statuspage.house import ADA, BOB, CYD, URL, House, in_virtual_time

OUTAGE: dict[str, Any] = {
    "name": "Outage",
    "summary": "{{alertSummary}} at {{ serviceName }}",
    "status": "IDENTIFIED",
    "message": "We look at **{{alertDetails}}**",
    "sendNotification": True,
}


def test_a_template_is_made_read_replaced_and_deleted() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        made = await house.does(ADA, "POST", "/incident-templates", OUTAGE)
        assert made.status_code == 201
        number = made.json()["id"]
        assert made.headers["Location"] == f"{URL}/api/incident-templates/{number}"
        assert made.json() == OUTAGE | {"id": number, "teams": []}
        assert await house.reads("/incident-templates/name/outage") == made.json()
        changed = await house.does(ADA, "PUT", f"/incident-templates/{number}", {"name": "Plain", "summary": "Down"})
        assert changed.json() == {
            "id": number,
            "name": "Plain",
            "summary": "Down",
            "status": "INVESTIGATING",
            "message": "",
            "sendNotification": False,
            "teams": [],
        }
        assert await house.reads("/incident-templates") == [changed.json()]
        assert (await house.does(ADA, "DELETE", f"/incident-templates/{number}")).status_code == 204
        assert (await house.does(ADA, "GET", f"/incident-templates/{number}")).status_code == 404
        assert (await house.does(ADA, "PUT", f"/incident-templates/{number}", OUTAGE)).status_code == 404

    in_virtual_time(story)


def test_a_placeholder_that_nothing_can_fill_is_refused_by_its_name() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        for field, text in (("summary", "{{alertSumary}}"), ("message", "See {{ alert.id }}")):
            refused = await house.does(ADA, "POST", "/incident-templates", OUTAGE | {field: text})
            assert (refused.status_code, refused.json()["code"]) == (400, "VALIDATION_ERROR")
            assert refused.json()["message"].startswith(f"{field}: there is no placeholder {{{{alert")
        for body in ({}, {"name": "A"}, {"name": "A", "summary": ""}, OUTAGE | {"status": "GONE"}):
            assert (await house.does(ADA, "POST", "/incident-templates", body)).status_code == 400
        assert (await house.does(ADA, "GET", "/incident-templates?max-results=101")).status_code == 400
        assert await house.reads("/incident-templates") == []

    in_virtual_time(story)


def test_who_may_what() -> None:
    async def story(house: House) -> None:
        house.team(5, ADA, visibility=Visibility.PRIVATE)
        await house.start_web()
        hidden = await house.makes("/incident-templates", OUTAGE | {"teams": [{"id": 5}]})
        assert (await house.does(BOB, "GET", f"/incident-templates/{hidden}")).status_code == 404
        assert (await house.does(BOB, "POST", "/incident-templates", OUTAGE)).status_code == 403
        assert (await house.does(CYD, "GET", "/incident-templates")).status_code == 403

    in_virtual_time(story)
