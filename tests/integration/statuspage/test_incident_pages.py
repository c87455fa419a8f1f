"""Incidents in a browser without JavaScript: from nothing to a first incident, its next words, its subscribers and its alerts."""

import html
import re

import httpx

from events.statuspage import IncidentCreated, IncidentLinked, IncidentUnlinked
from events.topics import INCIDENTS
from tests.integration.statuspage.house import ADA, BOB, CYD, House, in_virtual_time

SLOW = {"summary": "Checkout is slow", "status": "INVESTIGATING", "message": "**We** look", "sendNotification": "true"}


def words(page: httpx.Response) -> str:
    """What is read on a page."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page.text.partition("<main")[2] or page.text)).split())


def version_in(page: httpx.Response) -> str:
    found = re.search(r'name="version" value="(\d+)"', page.text)
    assert found is not None
    return found[1]


def test_a_newcomer_is_led_from_a_service_to_a_first_incident() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        async with house.browses(ADA) as browser:
            empty = await browser.get("/incidents")
            assert 'href="/services/new"' in empty.text
            assert 'href="/status-pages/new"' in empty.text
            shop = await house.makes("/services", {"name": "Shop"})
            calm = await browser.get("/incidents")
            assert "Nothing is wrong" in words(calm)
            assert 'href="/incidents/new"' in calm.text
            made = await browser.post("/incidents/new", data=SLOW | {f"impact.{shop}": "DEGRADED"})
            assert made.url.path == "/incidents/1"
            assert "<strong>We</strong> look" in made.text
            assert "Checkout is slow" in words(await browser.get("/incidents"))

    in_virtual_time(story)


def test_errors_are_at_their_fields_and_what_was_typed_stays() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        await house.makes("/services", {"name": "Shop"})
        async with house.browses(ADA) as browser:
            wrong = await browser.post("/incidents/new", data=SLOW | {"summary": ""})
            assert wrong.status_code == 422
            assert 'id="summary-error"' in wrong.text
            assert 'href="#affectedServices"' in wrong.text
            assert "choose at least one service" in words(wrong)
            assert "**We** look" in wrong.text
        assert not house.said(INCIDENTS.name)

    in_virtual_time(story)


def test_a_template_gives_its_words_and_the_forecast_says_who_will_be_told_before_anybody_is() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        shop = await house.makes("/services", {"name": "Shop"})
        body = {
            "name": "Down",
            "summary": "{{serviceName}}: {{alertSummary}}",
            "status": "IDENTIFIED",
            "message": "Soon",
        }
        down = await house.makes("/incident-templates", body)
        await house.does(BOB, "POST", f"/services/{shop}/private-subscribers", {"id": BOB, "type": "USER"})
        async with house.browses(ADA) as browser:
            chosen = {
                f"impact.{shop}": "MAJOR_OUTAGE",
                "template": str(down),
                "alert": "42",
                "alertSummary": "disk full",
            }
            filled = await browser.post("/incidents/new", data=chosen | {"op": "fill"})
            assert 'value="Shop: disk full"' in filled.text
            assert re.search(r'value="IDENTIFIED" selected', filled.text)
            told = await browser.post("/incidents/new", data=SLOW | chosen | {"op": "forecast"})
            assert "1 user, 0 public subscribers" in words(told)
            assert not house.said(INCIDENTS.name)
            await browser.post("/incidents/new", data=SLOW | chosen)
        [created] = [one.event for one in house.said(INCIDENTS.name) if isinstance(one.event, IncidentCreated)]
        assert created.alert == 42

    in_virtual_time(story)


def test_who_reads_an_old_page_is_shown_the_new_one_with_what_they_wrote() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        shop = await house.makes("/services", {"name": "Shop"})
        impact = {f"impact.{shop}": "DEGRADED"}
        async with house.browses(ADA) as browser:
            old = await browser.post("/incidents/new", data=SLOW | impact)
            mine = SLOW | impact | {"version": version_in(old), "status": "MONITORING", "message": "Better"}
            assert "Better" in words(await browser.post("/incidents/1", data=mine))
            late = await browser.post("/incidents/1", data=mine | {"message": "Worse"})
            assert late.status_code == 422
            assert "Somebody has changed this incident" in words(late)
            assert "Worse" in late.text
            again = await browser.post("/incidents/1", data=mine | {"message": "Worse", "version": version_in(late)})
            assert again.status_code == 200
            over = await browser.post("/incidents/1", data=SLOW | impact | {"status": "RESOLVED"})
            assert "Put it right" in words(over)
            right = await browser.post(
                "/incidents/1", data=SLOW | impact | {"status": "RESOLVED", "message": "It was us"}
            )
            assert "It was us" in words(right)

    in_virtual_time(story)


def test_everybody_subscribes_and_leaves_by_a_button_and_responders_see_to_others() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        shop = await house.makes("/services", {"name": "Shop"})
        affected = [{"impact": "DEGRADED", "service": {"id": shop}}]
        await house.makes("/incidents", {"summary": "Slow", "affectedServices": affected})
        await house.makes("/status-pages", {"name": "Shop", "subdomain": "shop", "services": [{"id": shop}]})
        for thing in ("/incidents/1", f"/services/{shop}", "/status-pages/1"):
            async with house.browses(CYD) as browser:
                told = await browser.post(f"{thing}/subscription", data={"op": "subscribe"})
                assert told.url.path == thing
                assert "You are told: you subscribed" in words(told)
                gone = await browser.post(f"{thing}/subscription", data={"op": "leave"})
                assert "You are not told of it" in words(gone)
                assert (await browser.post(f"{thing}/subscribers", data={"who": f"user:{BOB}"})).status_code == 403
            async with house.browses(BOB) as browser:
                added = await browser.post(f"{thing}/subscribers", data={"who": f"user:{ADA}"})
                assert "Ada A" in words(added)
                removed = await browser.post(f"{thing}/subscribers/delete", data={"who": f"user:{ADA}"})
                assert "Nobody is subscribed so far" in words(removed)
                for bad in ("", "pet:1", "user:0", "user:x", f"user:{'9' * 30}"):
                    assert (await browser.post(f"{thing}/subscribers", data={"who": bad})).status_code == 400

    in_virtual_time(story)


def test_an_alert_shows_its_incidents_and_leads_to_a_form_that_knows_it() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        shop = await house.makes("/services", {"name": "Shop"})
        affected = [{"impact": "DEGRADED", "service": {"id": shop}}]
        number = await house.makes("/incidents", {"summary": "Slow", "affectedServices": affected})
        part = "/fragments/alerts/42/incidents"
        async with house.browses(BOB) as browser:
            none = await browser.get(part, params={"summary": "Disk <full>"})
            assert "No incident tells users of this alert" in words(none)
            form = await browser.get(html.unescape(re.search(r'href="(/incidents/new[^"]*)"', none.text)[1]))  # type: ignore[index]
            assert 'value="Disk &lt;full&gt;"' in form.text
            assert 'name="alert" value="42"' in form.text
            linked = await browser.post(part, data={"incident": str(number), "op": "link"}, follow_redirects=False)
            assert linked.headers["Location"] == "/alerts/42"
            assert "Slow" in words(await browser.get(part))
            await browser.post(part, data={"incident": str(number), "op": "unlink"}, follow_redirects=False)
            assert "No incident tells users of this alert" in words(await browser.get(part))
            assert (await browser.post(part, data={"incident": "x"})).status_code == 400
            assert (await browser.post(part, data={"incident": "99"})).status_code == 404
            await browser.post(f"/incidents/{number}/alerts", data={"alert": "43"})
            assert "Alert 43" in words(await browser.get(f"/incidents/{number}"))
            await browser.post(f"/incidents/{number}/alerts/43/delete")
            assert (await browser.post(f"/incidents/{number}/alerts", data={"alert": ""})).status_code == 400
        said = [one.event for one in house.said(INCIDENTS.name)]
        assert [one.alert for one in said if isinstance(one, IncidentLinked)] == [42, 43]
        assert [one.alert for one in said if isinstance(one, IncidentUnlinked)] == [42, 43]

    in_virtual_time(story)


def test_stakeholders_read_what_users_are_told_and_cannot_say_it() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        shop = await house.makes("/services", {"name": "Shop"})
        affected = [{"impact": "DEGRADED", "service": {"id": shop}}]
        await house.makes("/incidents", {"summary": "Slow", "affectedServices": affected})
        async with house.browses(CYD) as browser:
            page = await browser.get("/incidents/1")
            assert "Slow" in words(page)
            assert 'action="/incidents/1"' not in page.text
            assert "Linked alerts" not in words(page)
            assert (await browser.get("/incidents/new")).status_code == 403
            assert (await browser.post("/incidents/new", data=SLOW | {f"impact.{shop}": "DEGRADED"})).status_code == 403
            assert (await browser.get("/incidents/99")).status_code == 404

    in_virtual_time(story)
