"""Services, templates and maintenance as a browser without JavaScript sees them."""

from datetime import timedelta

import httpx
import pytest

from events.accounts import Visibility
from events.ingest import SourceChanged
from tests.integration.statuspage.house import ADA, BOB, CYD, House, in_virtual_time


async def get(house: House, user: int, path: str) -> httpx.Response:
    async with house.browses(user) as browser:
        return await browser.get(path)


async def post(house: House, user: int, path: str, form: dict[str, str]) -> httpx.Response:
    async with house.browses(user) as browser:
        return await browser.post(path, data=form)


def test_a_newcomer_is_led_to_a_first_service() -> None:
    async def story(house: House) -> None:
        await house.open()
        empty = await get(house, ADA, "/services")
        assert "No services yet" in empty.text
        assert 'href="/services/new"' in empty.text
        assert 'href="/services/new"' not in (await get(house, BOB, "/services")).text
        made = await post(house, ADA, "/services/new", {"name": "Checkout", "alias": "checkout"})
        assert made.url.path.startswith("/services/")
        assert "Checkout was added" in made.text
        assert "It is as people set it" in made.text or "it is as people set it" in made.text
        assert "Add a status page for everybody else" in (await get(house, ADA, "/services")).text

    in_virtual_time(story)


def test_a_form_that_is_wrong_says_so_at_the_field_and_keeps_what_was_typed() -> None:
    async def story(house: House) -> None:
        await house.open()
        await house.makes("/services", {"name": "Checkout", "alias": "checkout"})
        nameless = await post(house, ADA, "/services/new", {"name": "", "description": "Carts"})
        assert nameless.status_code == 422
        assert 'id="name-error"' in nameless.text
        assert "Carts" in nameless.text
        taken = await post(house, ADA, "/services/new", {"name": "Shop", "alias": "CHECKOUT"})
        assert taken.status_code == 422
        assert 'id="alias-error"' in taken.text
        assert len(await house.reads("/services")) == 1

    in_virtual_time(story)


def test_a_service_says_why_it_is_so_and_what_its_days_were_like() -> None:
    async def story(house: House) -> None:
        await house.open()
        number = await house.makes("/services", {"name": "Checkout", "description": "**Carts** <script>"})
        set_ = await post(house, ADA, f"/services/{number}/status", {"status": "MAJOR_OUTAGE"})
        assert "Major outage" in set_.text
        assert "<strong>Carts</strong>" in set_.text
        assert "<script>" not in set_.text.partition("<main")[2]
        await house.passes(minutes=3)
        affected = [{"impact": "DEGRADED", "service": {"id": number}}]
        incident = await house.makes("/incidents", {"summary": "Slow carts", "affectedServices": affected})
        page = (await get(house, ADA, f"/services/{number}")).text
        assert f'<a href="/incidents/{incident}">Incident {incident}</a>' in page
        assert "Without all of these it would be: Major outage." in " ".join(page.split())
        assert page.count("<rect ") == 90
        assert "Days on which it was not all well" in page
        wrong = await post(house, ADA, f"/services/{number}/status", {"status": "BROKEN"})
        assert wrong.status_code == 400

    in_virtual_time(story)


def test_a_service_is_edited_without_touching_its_status_and_deleted() -> None:
    async def story(house: House) -> None:
        await house.open()
        number = await house.makes("/services", {"name": "Checkout", "status": "DEGRADED"})
        form = (await get(house, ADA, f"/services/{number}/edit")).text
        assert 'value="Checkout"' in form
        saved = await post(house, ADA, f"/services/{number}/edit", {"name": "Shop", "oneOpenIncidentOnly": "true"})
        assert "Saved" in saved.text
        read = await house.reads(f"/services/{number}")
        assert (read["name"], read["status"], read["oneOpenIncidentOnly"]) == ("Shop", "DEGRADED", True)
        assert "Shop was deleted" in (await post(house, ADA, f"/services/{number}/delete", {})).text
        assert (await get(house, ADA, f"/services/{number}")).status_code == 404

    in_virtual_time(story)


def test_who_may_not_change_is_offered_nothing_and_refused() -> None:
    async def story(house: House) -> None:
        house.team(5, ADA, visibility=Visibility.PRIVATE)
        await house.open()
        number = await house.makes("/services", {"name": "Checkout"})
        hidden = await house.makes("/services", {"name": "Hidden", "teams": [{"id": 5}]})
        for user in (BOB, CYD):
            page = await get(house, user, f"/services/{number}")
            assert page.status_code == 200
            assert "Set the status" not in page.text
            assert (await get(house, user, f"/services/{number}/edit")).status_code == 403
            assert (await post(house, user, f"/services/{number}/status", {"status": "DEGRADED"})).status_code == 403
            assert (await post(house, user, f"/services/{number}/delete", {})).status_code == 403
            assert (await get(house, user, f"/services/{hidden}")).status_code == 404
            assert "Hidden" not in (await get(house, user, "/services")).text
        assert "Incident templates" not in (await get(house, CYD, "/services")).text
        assert (await get(house, CYD, "/templates")).status_code == 403
        assert (await get(house, BOB, "/templates/new")).status_code == 403
        assert (await get(house, BOB, "/maintenance/new")).status_code == 403

    in_virtual_time(story)


def test_a_template_is_made_changed_and_deleted_by_its_form() -> None:
    async def story(house: House) -> None:
        await house.open()
        assert "No templates yet" in (await get(house, ADA, "/templates")).text
        wrong = await post(house, ADA, "/templates/new", {"name": "Outage", "summary": "{{alertSumary}}"})
        assert wrong.status_code == 422
        assert 'id="summary-error"' in wrong.text
        assert "{{alertSumary}}" in wrong.text
        good = {"name": "Outage", "summary": "{{alertSummary}}", "status": "IDENTIFIED", "sendNotification": "true"}
        assert "Outage was added" in (await post(house, ADA, "/templates/new", good)).text
        [made] = await house.reads("/incident-templates")
        assert (made["status"], made["sendNotification"]) == ("IDENTIFIED", True)
        assert "{{alertSummary}}" in (await get(house, ADA, f"/templates/{made['id']}")).text
        await post(house, ADA, f"/templates/{made['id']}", {"name": "Outage", "summary": "Down"})
        [changed] = await house.reads("/incident-templates")
        assert (changed["summary"], changed["sendNotification"]) == ("Down", False)
        assert "Outage was deleted" in (await post(house, ADA, f"/templates/{made['id']}/delete", {})).text

    in_virtual_time(story)


def test_maintenance_is_planned_in_a_zones_own_time() -> None:
    async def story(house: House) -> None:
        house.says(SourceChanged(source=5, name="Disks", key_digest="0", key_cell="c", at=house.now))
        await house.open()
        assert "No maintenance is planned" in (await get(house, ADA, "/maintenance")).text
        service = await house.makes("/services", {"name": "Checkout"})
        offered = (await get(house, ADA, f"/maintenance/new?service={service}")).text
        assert 'value="Europe/Berlin"' in offered
        assert 'value="2026-03-02T05:00"' in offered
        form = {
            "summary": "New disks",
            "timezone": "America/New_York",
            "start": "2026-03-02T20:00",
            "end": "2026-03-02T21:30",
            f"services.{service}": "true",
            "alertSources.5": "true",
            "notifications.atStart": "true",
        }
        page = await post(house, ADA, "/maintenance/new", form)
        assert "The maintenance is planned" in page.text
        assert "when it starts" in page.text
        [made] = await house.reads("/maintenance-windows")
        assert (made["start"], made["end"]) == ("2026-03-03T01:00:00Z", "2026-03-03T02:30:00Z")
        assert [one["name"] for one in (*made["services"], *made["alertSources"])] == ["Checkout", "Disks"]
        edited = (await get(house, ADA, f"/maintenance/{made['id']}/edit")).text
        assert 'value="2026-03-02T20:00"' in edited
        listed = (await get(house, ADA, "/maintenance")).text
        assert "Checkout, Disks" in listed
        assert "New disks" in (await get(house, ADA, f"/services/{service}")).text

    in_virtual_time(story)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"start": ""}, "start"),
        ({"start": "soon"}, "start"),
        ({"start": "0001-01-01T00:00"}, "start"),
        ({"end": "9999-12-31T23:59"}, "end"),
        ({"end": "2026-03-02T19:00"}, "end"),
        ({"start": "2025-01-01T00:00", "end": "2025-01-01T01:00"}, "end"),
        ({"timezone": "Mars/Base"}, "timezone"),
        ({"summary": ""}, "summary"),
        ({"services.99": "true"}, "services"),
        ({"start": "2026-03-29T02:30", "end": "2026-03-29T04:00"}, "start"),
    ],
)
def test_what_is_wrong_with_a_maintenance_is_said_at_its_field(changes: dict[str, str], field: str) -> None:
    good = {"summary": "Disks", "timezone": "Europe/Berlin", "start": "2026-03-02T20:00", "end": "2026-03-02T21:00"}

    async def story(house: House) -> None:
        await house.open()
        wrong = await post(house, ADA, "/maintenance/new", good | changes)
        assert wrong.status_code == 422
        assert wrong.text.partition("There is a problem")[2].count('<li><a href="#') == 1
        assert f'href="#{field}"' in wrong.text
        assert await house.reads("/maintenance-windows") == []

    in_virtual_time(story)


def test_maintenance_is_ended_early_by_a_button() -> None:
    async def story(house: House) -> None:
        await house.open()
        service = await house.makes("/services", {"name": "Checkout"})
        times = {"start": house.now.isoformat(), "end": (house.now + timedelta(hours=1)).isoformat()}
        body = {"summary": "Disks", **times, "services": [{"id": service}]}
        number = await house.makes("/maintenance-windows", body)
        assert "End it now" in (await get(house, ADA, f"/maintenance/{number}")).text
        await house.passes(minutes=1)
        ended = await post(house, ADA, f"/maintenance/{number}/end", {})
        assert "The maintenance is over" in ended.text
        assert "End it now" not in ended.text
        assert (await house.reads(f"/services/{service}"))["status"] == "OPERATIONAL"
        assert (await post(house, ADA, f"/maintenance/{number}/end", {})).status_code == 409
        assert "Disks" in (await get(house, ADA, "/maintenance?state=CLOSED")).text
        assert "was deleted" in (await post(house, ADA, f"/maintenance/{number}/delete", {})).text

    in_virtual_time(story)


def test_what_is_hidden_from_who_edits_a_maintenance_stays_in_it() -> None:
    async def story(house: House) -> None:
        house.team(5, BOB, visibility=Visibility.PRIVATE)
        secret = SourceChanged(source=6, name="Vault", key_digest="0", key_cell="c", teams=(5,), at=house.now)
        house.says(secret)
        await house.open()
        service = await house.makes("/services", {"name": "Checkout"})
        times = {"start": "2026-03-02T20:00:00Z", "end": "2026-03-02T21:00:00Z"}
        body = {"summary": "Disks", **times, "services": [{"id": service}], "alertSources": [{"id": 6}]}
        number = await house.makes("/maintenance-windows", body)
        page = (await get(house, ADA, f"/maintenance/{number}/edit")).text
        assert "Vault" not in page
        assert "source 6" in (await get(house, ADA, f"/maintenance/{number}")).text
        assert (await house.reads(f"/maintenance-windows/{number}"))["alertSources"] == [{"id": 6}]
        form = {"summary": "Disks again", "timezone": "UTC", "start": "2026-03-02T20:00", "end": "2026-03-02T21:00"}
        await post(house, ADA, f"/maintenance/{number}/edit", form | {f"services.{service}": "true"})
        changed = await house.reads(f"/maintenance-windows/{number}")
        assert changed["summary"] == "Disks again"
        assert [one["id"] for one in changed["alertSources"]] == [6]

    in_virtual_time(story)
