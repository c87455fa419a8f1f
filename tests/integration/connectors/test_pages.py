"""The pages as a browser without JavaScript sees them: connecting a tool, making actions, pressing a button."""

import re
from typing import Any

import httpx
import pytest

from connectors.configuration import VAULT
from tests.integration.connectors.house import ADA, BOB, CYD, DISK, ROOT, House, in_virtual_time

JIRA = {
    "type": "jira",
    "name": "Our Jira",
    "params.url": "https://jira.example.org",
    "params.email": "bot@example.org",
    "params.password": "the-token",
}
HOOK = {
    "connectorType": "webhook",
    "name": "Tell the bus",
    "params.webhookUrl": "https://bot:hush@bus.example.org/in",
    "params.headers": "X-Team: Storage\n\nAuthorization: Bearer hush\n",
    f"alertSources.{DISK}": "true",
    "triggerMode": "AUTOMATIC",
    "triggerTypes.alert-created": "true",
    "triggerTypes.v-alert-not-resolved": "true",
    "escalationEndedDelaySec": "0",
    "notResolvedDelaySec": "1800",
}


async def get(house: House, user: int, path: str, **headers: str) -> httpx.Response:
    async with house.browses(user) as browser:
        return await browser.get(path, headers=headers)


async def post(
    house: House, user: int, path: str, form: dict[str, str] | None = None, **headers: str
) -> httpx.Response:
    async with house.browses(user) as browser:
        return await browser.post(path, data=form or {}, headers=headers)


def knows_us(request: httpx.Request) -> httpx.Response:
    return httpx.Response(200, json={"displayName": "Alarum bot"})


def test_a_newcomer_is_led_from_nothing_to_a_connected_tool() -> None:
    async def story(house: House) -> None:
        house.tools["jira.example.org"] = knows_us
        await house.start_web()
        empty = (await get(house, ROOT, "/connectors")).text
        assert "No connectors yet" in empty
        assert 'href="/connectors/new"' in empty
        kinds = (await get(house, ROOT, "/connectors/new")).text
        assert "API token" in kinds
        assert "chat:write" in kinds
        assert 'name="params.password"' in (await get(house, ROOT, "/connectors/new?kind=jira")).text
        made = await post(house, ROOT, "/connectors/new", JIRA)
        assert made.url.path == "/connectors/1"
        assert "http://127.0.0.1:8080/hooks/jira/1-" in made.text
        assert "the-token" not in made.text
        assert "No alert action uses it yet" in made.text
        tried = await post(house, ROOT, "/connectors/1/test")
        assert "Jira knows us as Alarum bot" in tried.text
        assert "Our Jira" in (await get(house, ROOT, "/connectors")).text

    in_virtual_time(story)


def test_a_connection_is_tested_before_it_is_saved() -> None:
    async def story(house: House) -> None:
        house.tools["jira.example.org"] = lambda _request: httpx.Response(401, text="Basic authentication failed")
        await house.start_web()
        tried = await post(house, ROOT, "/connectors/new", {**JIRA, "op": "test"})
        assert "HTTP 401: Basic authentication failed" in tried.text
        assert 'value="Our Jira"' in tried.text
        assert "the-token" not in tried.text
        part = await post(house, ROOT, "/connectors/new", {**JIRA, "op": "test"}, **{"HX-Request": "true"})
        assert "<html" not in part.text
        assert 'id="trial"' in part.text
        assert "params.url" not in part.text
        assert "No connectors yet" in (await get(house, ROOT, "/connectors")).text

    in_virtual_time(story)


def test_what_is_wrong_with_a_connector_is_said_at_its_field() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        wrong = await post(house, ROOT, "/connectors/new", {**JIRA, "params.url": "jira", "params.password": ""})
        assert wrong.status_code == 422
        assert 'id="params.url-error"' in wrong.text
        assert 'href="#params.url"' in wrong.text
        lacking = await post(house, ROOT, "/connectors/new", {**JIRA, "params.password": ""})
        assert 'id="params.password-error"' in lacking.text
        again = {**JIRA, "op": "test", "params.url": "jira"}
        part = await post(house, ROOT, "/connectors/new", again, **{"HX-Request": "true"})
        assert part.headers["HX-Retarget"] == "#connector-form"

    in_virtual_time(story)


def test_a_connector_is_edited_without_its_secret_and_deleted_only_when_unused() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        await post(house, ROOT, "/connectors/new", JIRA)
        form = (await get(house, ROOT, "/connectors/1/edit")).text
        assert "bot@example.org" in form
        assert "the-token" not in form
        saved = await post(house, ROOT, "/connectors/1/edit", {**JIRA, "name": "Jira of ours", "params.password": ""})
        assert saved.url.path == "/connectors/1"
        assert "Jira of ours" in saved.text
        action = {"connectorType": "jira", "connectorId": "1", "name": "Open an issue", "params": {"project": "OPS"}}
        await house.makes("/alert-actions", {**action, "triggerTypes": ["alert-created"]})
        assert "Open an issue" in (await get(house, ROOT, "/connectors/1")).text
        refused = await post(house, ROOT, "/connectors/1/delete")
        assert refused.status_code == 409
        assert "Open an issue" in refused.text
        await post(house, ADA, "/actions/1/delete")
        gone = await post(house, ROOT, "/connectors/1/delete")
        assert gone.url.path == "/connectors"
        assert "Jira of ours was deleted" in gone.text

    in_virtual_time(story)


def test_connectors_are_an_administrators() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        assert (await get(house, ADA, "/connectors")).status_code == 403
        assert (await post(house, ADA, "/connectors/new", JIRA)).status_code == 403
        assert 'href="/connectors"' not in (await get(house, ADA, "/actions")).text
        assert 'href="/connectors"' in (await get(house, ROOT, "/actions")).text
        assert (await get(house, CYD, "/actions")).status_code == 403

    in_virtual_time(story)


def test_an_action_is_made_by_its_form_and_reads_back_into_it() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        empty = (await get(house, ADA, "/actions")).text
        assert "No alert actions yet" in empty
        assert 'href="/actions/new"' in empty
        assert 'href="/actions/new?kind=webhook"' in (await get(house, ADA, "/actions/new")).text
        fresh = (await get(house, ADA, "/actions/new?kind=webhook")).text
        assert re.search(r'name="triggerTypes.alert-created"[^>]* checked', fresh)
        made = await post(house, ADA, "/actions/new", HOOK)
        assert made.url.path == "/actions/1"
        assert "https://***@bus.example.org/in" in made.text
        assert "30 minutes" in made.text
        assert "Disks" in made.text
        assert "hush" not in made.text
        form = (await get(house, ADA, "/actions/1/edit")).text
        assert "X-Team: Storage\nAuthorization: ***" in form
        assert re.search(rf'name="alertSources.{DISK}"[^>]* checked', form)
        masked = {
            **HOOK,
            "params.webhookUrl": "https://***@bus.example.org/other",
            "params.headers": "Authorization: ***",
        }
        saved = await post(house, ADA, "/actions/1/edit", masked)
        assert "https://***@bus.example.org/other" in saved.text
        assert "Tell the bus" in (await get(house, BOB, "/actions")).text

    in_virtual_time(story)


@pytest.mark.parametrize(
    ("change", "field", "words"),
    [
        ({"name": ""}, "name", "is required"),
        ({"params.webhookUrl": "bus"}, "params.webhookUrl", "must be an address"),
        (
            {"params.headers": "X-Team: Storage\nno header"},
            "params.headers",
            "line 2: must be the name of an HTTP header",
        ),
        ({"alertSources.99": "true"}, "alertSources", "there is no alert source 99"),
        ({"notResolvedDelaySec": "5"}, "notResolvedDelaySec", "must be 0 or between 60 and 172800"),
    ],
)
def test_what_is_wrong_with_an_action_is_said_at_its_field(change: dict[str, str], field: str, words: str) -> None:
    async def story(house: House) -> None:
        await house.start_web()
        wrong = await post(house, ADA, "/actions/new", HOOK | change)
        assert wrong.status_code == 422
        assert f'href="#{field}"' in wrong.text
        assert f'id="{field}"' in wrong.text
        assert wrong.text.count(words) >= 2, "in the summary and at the field"

    in_virtual_time(story)


def test_an_action_needs_a_moment_or_a_button() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        never = {name: value for name, value in HOOK.items() if not name.startswith("triggerTypes.")}
        wrong = await post(house, ADA, "/actions/new", never)
        assert wrong.status_code == 422
        assert "needs at least one trigger" in wrong.text
        by_hand = await post(house, ADA, "/actions/new", {**never, "triggerMode": "MANUAL"})
        assert "a button on the alert is pressed" in by_hand.text

    in_virtual_time(story)


def test_forms_lead_to_what_is_lacking() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        assert "Ask an administrator to connect it" in (await get(house, ADA, "/actions/new?kind=jira")).text
        assert 'href="/connectors/new?kind=jira"' in (await get(house, ROOT, "/actions/new?kind=jira")).text
        assert 'href="/services/new"' in (await get(house, ADA, "/actions/new?kind=automation_rule")).text
        assert 'href="/policies/new"' in (await get(house, ADA, "/actions/new?kind=reroute")).text

    in_virtual_time(story)


def test_services_are_taken_down_by_an_action_made_by_its_form() -> None:
    async def story(house: House) -> None:
        house.service(11)
        house.template(12)
        house.policy(3)
        await house.start_web()
        form = {
            "connectorType": "automation_rule",
            "name": "Checkout is down",
            "params.serviceIds.11": "true",
            "params.serviceStatus": "MAJOR_OUTAGE",
            "params.templateId": "12",
            "params.resolveIncident": "true",
            "params.alertType": "CREATED",
            f"alertSources.{DISK}": "true",
            "triggerMode": "AUTOMATIC",
        }
        made = await post(house, ADA, "/actions/new", form)
        assert made.url.path == "/actions/1", made.text
        for words in ("Checkout", "Major outage", "Outage", "all of it is closed", "are not told", "it is created"):
            assert words in made.text
        again = (await get(house, ADA, "/actions/1/edit")).text
        assert re.search(r'name="params.serviceIds.11"[^>]* checked', again)
        assert re.search(r'name="params.resolveIncident"[^>]* checked', again)
        assert not re.search(r'name="params.sendNotification"[^>]* checked', again)
        rerouted = {**form, "connectorType": "reroute", "params.escalationPolicyId": "3", "triggerMode": "MANUAL"}
        assert "Second line" in (await post(house, ADA, "/actions/new", rerouted)).text

    in_virtual_time(story)


def test_a_new_signing_secret_is_shown_once_to_who_may_change_the_action() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        await post(house, ADA, "/actions/new", HOOK)
        assert "whsec_" not in (await get(house, ADA, "/actions/1")).text
        shown = await post(house, ADA, "/actions/1/signing-secret")
        assert re.search(r"whsec_[A-Za-z0-9+/]{32}", shown.text)
        assert "whsec_" not in (await get(house, ADA, "/actions/1")).text
        assert (await post(house, BOB, "/actions/1/signing-secret")).status_code == 403
        assert "Make a new secret" not in (await get(house, BOB, "/actions/1")).text

    in_virtual_time(story)


def test_responders_read_actions_and_change_none() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        await post(house, ADA, "/actions/new", HOOK)
        page = (await get(house, BOB, "/actions/1")).text
        assert "/actions/1/edit" not in page
        assert (await post(house, BOB, "/actions/new", HOOK)).status_code == 422
        assert "This needs the role USER" in (await post(house, BOB, "/actions/new", HOOK)).text
        assert (await post(house, BOB, "/actions/1/delete")).status_code == 403

    in_virtual_time(story)


def test_actions_by_hand_are_buttons_on_the_alert() -> None:
    async def story(house: House) -> None:
        house.tools["bus.example.org"] = lambda _request: httpx.Response(200)
        await house.open()
        house.alert(42)
        by_hand = {**HOOK, "name": "Restart it", "triggerMode": "MANUAL"}
        assert (await get(house, BOB, "/fragments/alerts/42/actions", **{"HX-Request": "true"})).text.strip() == ""
        await post(house, ADA, "/actions/new", HOOK)
        await post(house, ADA, "/actions/new", by_hand)
        part = (await get(house, BOB, "/fragments/alerts/42/actions", **{"HX-Request": "true"})).text
        assert "<html" not in part
        assert 'action="/actions/2/run/42"' in part
        assert "Tell the bus" not in part
        whole = (await get(house, BOB, "/fragments/alerts/42/actions")).text
        assert "Back to the alert" in whole
        assert (await get(house, BOB, "/fragments/alerts/43/actions", **{"HX-Request": "true"})).text.strip() == ""
        async with house.browses(BOB) as browser:
            pressed = await browser.post("/actions/2/run/42", follow_redirects=False)
        assert pressed.headers["location"] == "/alerts/42"
        await house.until(lambda: any(one.type == "action.succeeded" for one in house.said()))
        assert "Done" in (await get(house, BOB, "/fragments/alerts/42/actions")).text
        assert (await post(house, CYD, "/actions/2/run/42")).status_code == 403

    in_virtual_time(story)


def test_no_page_tells_what_is_sealed() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        await post(house, ROOT, "/connectors/new", JIRA)
        await post(house, ADA, "/actions/new", HOOK)
        seen: list[Any] = [
            (await get(house, ROOT, path)).text
            for path in (
                "/connectors",
                "/connectors/1",
                "/connectors/1/edit",
                "/actions",
                "/actions/1",
                "/actions/1/edit",
            )
        ]
        assert all("the-token" not in page and "hush" not in page and "whsec_" not in page for page in seen)
        sealed = [record.value or b"" for record in house.cluster.records(VAULT)]
        assert sealed
        assert all(b"the-token" not in value and b"hush" not in value for value in sealed)

    in_virtual_time(story)
