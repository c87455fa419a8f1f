"""Connectors and alert actions over REST: published shapes, who may what, secrets that never come back, running by hand."""

import asyncio
from base64 import b64encode
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from connectors import indexes
from connectors.configuration import VAULT
from connectors.trials import tried
from events.accounts import Visibility
from runtime.vault import Keyring, read_cell
from tests.integration.connectors.house import ADA, BOB, CYD, DISK, KEYS, NET, ROOT, House, in_virtual_time

JIRA: dict[str, Any] = {
    "type": "jira",
    "name": "Our Jira",
    "params": {"url": "https://jira.example.org", "email": "bot@example.org", "password": "the-token"},
}
SLACK: dict[str, Any] = {
    "type": "slack",
    "name": "Our Slack",
    "params": {"botToken": "xoxb-hush", "signingSecret": "shush"},
}
HOOK: dict[str, Any] = {
    "name": "Tell the bus",
    "connectorType": "webhook",
    "alertSources": [{"id": DISK}],
    "triggerMode": "AUTOMATIC",
    "triggerTypes": ["alert-created", "alert-resolved"],
    "params": {"webhookUrl": "https://bus.example.org/in"},
    "teams": [],
}
BY_HAND: dict[str, Any] = {**HOOK, "name": "Restart it", "triggerMode": "MANUAL", "triggerTypes": []}
ISSUE: dict[str, Any] = {
    **HOOK,
    "name": "Issue",
    "connectorType": "jira",
    "connectorId": "1",
    "params": {"project": "OPS"},
}


def refusal(answer: httpx.Response) -> tuple[int, str, str]:
    """(status, code, the field that the message names)."""
    body = answer.json()
    assert body["status"] == answer.status_code
    return answer.status_code, body["code"], body["message"].partition(":")[0]


# -- connectors


def test_a_connector_is_written_and_read_back_without_its_secret() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        made = await house.does(ROOT, "POST", "/connectors", JIRA)
        assert made.status_code == 201
        assert made.headers["location"].endswith("/api/connectors/1")
        connector = made.json()
        assert connector["id"] == "1"
        assert connector["params"] == {"url": "https://jira.example.org", "email": "bot@example.org"}
        assert connector["callbackUrl"].startswith("http://127.0.0.1:8080/hooks/jira/1-")
        assert (await house.does(ROOT, "GET", "/connectors/1")).json() == connector
        assert (await house.does(ROOT, "GET", "/connectors")).json() == [connector]
        assert (await house.does(ROOT, "GET", "/connectors/name/our jira")).json() == connector
        assert (await house.does(ROOT, "GET", "/connectors/name/Slack")).status_code == 404
        assert "the-token" not in house.published()
        assert "bot@example.org" not in house.published()

    in_virtual_time(story)


def test_a_put_without_the_secret_keeps_it_and_the_type_stays() -> None:
    async def story(house: House) -> None:
        seen: list[str] = []

        def jira(request: httpx.Request) -> httpx.Response:
            seen.append(request.headers["authorization"])
            return httpx.Response(200, json={"displayName": "Bot"})

        house.tools["jira.example.org"] = jira
        await house.start_web()
        await house.makes("/connectors", JIRA)
        params = {"url": "https://jira.example.org/", "email": "bot@example.org"}
        changed = await house.does(ROOT, "PUT", "/connectors/1", {**JIRA, "name": "Jira", "params": params})
        assert changed.status_code == 200
        assert changed.json()["name"] == "Jira"
        assert (await house.does(ROOT, "POST", "/connectors/1/test")).json()["ok"] is True
        newer = {**JIRA, "params": {**params, "password": "another"}}
        assert (await house.does(ROOT, "PUT", "/connectors/1", newer)).status_code == 200
        assert (await house.does(ROOT, "POST", "/connectors/1/test")).json()["ok"] is True
        assert seen == [basic("bot@example.org", "the-token"), basic("bot@example.org", "another")]
        slack = {"type": "slack", "name": "x", "params": {}}
        assert refusal(await house.does(ROOT, "PUT", "/connectors/1", slack)) == (400, "VALIDATION_ERROR", "type")

    in_virtual_time(story)


def test_a_secret_goes_to_no_other_host() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        await house.makes("/connectors", JIRA)
        elsewhere = {**JIRA, "params": {"url": "https://evil.example.org", "email": "bot@example.org"}}
        moved = await house.does(ROOT, "PUT", "/connectors/1", elsewhere)
        assert refusal(moved) == (400, "VALIDATION_ERROR", "params.password")
        await house.makes("/connectors", SLACK)
        other = {**SLACK, "params": {"apiUrl": "https://evil.example.org/api/"}}
        assert refusal(await house.does(ROOT, "PUT", "/connectors/2", other))[2] == "params.botToken"

    in_virtual_time(story)


def test_connectors_are_an_administrators_alone() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        await house.makes("/connectors", JIRA)
        for user in (ADA, BOB, CYD):
            for method, path, body in (
                ("GET", "/connectors", None),
                ("POST", "/connectors", JIRA),
                ("POST", "/connectors/test", JIRA),
                ("GET", "/connectors/1", None),
                ("GET", "/connectors/name/Our Jira", None),
                ("PUT", "/connectors/1", JIRA),
                ("DELETE", "/connectors/1", None),
                ("POST", "/connectors/1/test", None),
            ):
                assert (await house.does(user, method, path, body)).status_code == 403, (user, method, path)

    in_virtual_time(story)


def test_a_connector_in_use_is_not_deleted_and_its_cell_goes_with_it() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        await house.makes("/connectors", JIRA)
        await house.makes("/alert-actions", ISSUE, ADA)
        used = await house.does(ROOT, "DELETE", "/connectors/1")
        assert (used.status_code, used.json()["code"]) == (409, "IN_USE")
        assert "«Issue» (1)" in used.json()["message"]
        assert (await house.does(ADA, "DELETE", "/alert-actions/1")).status_code == 204
        assert (await house.does(ROOT, "DELETE", "/connectors/1")).status_code == 204
        assert (await house.does(ROOT, "GET", "/connectors/1")).status_code == 404
        assert (await house.does(ROOT, "DELETE", "/connectors/1")).status_code == 404
        await house.until(lambda: list(house.cells().values()) == [False])

    in_virtual_time(story)


@pytest.mark.parametrize(
    ("answer", "ok", "text"),
    [
        (httpx.Response(200, json={"displayName": "Bot"}), True, "Jira knows us as Bot"),
        (httpx.Response(401, text="no such token"), False, "HTTP 401: no such token"),
        (httpx.Response(200, text="<html>A sign-in page</html>"), False, "HTTP 200: <html>A sign-in page</html>"),
        (httpx.Response(503), False, "HTTP 503"),
        (None, False, "jira.example.org cannot be reached: nobody is there"),
    ],
)
def test_a_trial_answers_in_the_tools_own_words(answer: httpx.Response | None, ok: bool, text: str) -> None:
    async def story(house: House) -> None:
        if answer is not None:
            house.tools["jira.example.org"] = lambda _request: answer
        await house.start_web()
        tried_unsaved = await house.does(ROOT, "POST", "/connectors/test", JIRA)
        assert tried_unsaved.json() == {"ok": ok, "text": text}
        assert (await house.does(ROOT, "GET", "/connectors")).json() == []

    in_virtual_time(story)


@pytest.mark.parametrize(
    ("said", "ok", "text"),
    [
        ({"ok": True, "team": "Acme", "user": "alarum"}, True, "Slack knows us as alarum in the workspace Acme"),
        ({"ok": False, "error": "invalid_auth"}, False, "Slack refuses: invalid_auth"),
        ([], False, "HTTP 200: []"),
    ],
)
def test_a_trial_of_slack_reads_what_slack_says(said: Any, ok: bool, text: str) -> None:
    async def story(house: House) -> None:
        house.tools["slack.com"] = lambda _request: httpx.Response(200, json=said)
        trial = await tried(house.outside(), "slack", {"botToken": "xoxb-hush", "apiUrl": "https://slack.com/api/"})
        assert (trial.ok, trial.text) == (ok, text)
        [call] = house.calls
        assert (call.method, call.url.path) == ("POST", "/api/auth.test")
        assert call.headers["authorization"] == "Bearer xoxb-hush"

    in_virtual_time(story)


def test_a_trial_calls_no_private_address() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        inside = {**JIRA, "params": JIRA["params"] | {"url": "http://169.254.169.254"}}
        answer = (await house.does(ROOT, "POST", "/connectors/test", inside)).json()
        assert answer["ok"] is False
        assert "private address" in answer["text"]
        assert house.calls == []

    in_virtual_time(story)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"type": "zendesk"}, "type"),
        ({"name": ""}, "name"),
        ({"params": {"url": "https://jira.example.org", "email": "bot@example.org"}}, "params.password"),
        ({"params": {"url": "jira", "email": "bot@example.org", "password": "x"}}, "params.url"),
        ({"params": "all"}, "params"),
        ({"type": "slack", "params": {"botToken": "x"}}, "params.signingSecret"),
    ],
)
def test_a_bad_connector_is_refused_by_its_field(change: dict[str, Any], field: str) -> None:
    async def story(house: House) -> None:
        await house.start_web()
        for path in ("/connectors", "/connectors/test"):
            assert refusal(await house.does(ROOT, "POST", path, JIRA | change)) == (400, "VALIDATION_ERROR", field)

    in_virtual_time(story)


def test_a_cell_that_our_keys_do_not_open_is_as_good_as_none() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        await house.makes("/connectors", JIRA)
        lost = "k2:" + b64encode(b"1" * 32).decode()
        house.settings = house.settings.model_copy(update={"vault_keys": SecretStr(lost)})
        await house.start_web()
        [listed] = (await house.does(ROOT, "GET", "/connectors")).json()
        assert listed["params"]["email"] == "b***@example.org"
        params = {"url": "https://jira.example.org", "email": "bot@example.org"}
        lacking = await house.does(ROOT, "PUT", "/connectors/1", {**JIRA, "params": params})
        assert refusal(lacking) == (400, "VALIDATION_ERROR", "params.password")
        again = await house.does(ROOT, "PUT", "/connectors/1", JIRA)
        assert again.json()["params"] == params

    in_virtual_time(story)


# -- alert actions


def test_an_action_is_read_back_as_it_was_written() -> None:
    async def story(house: House) -> None:
        house.team(4, ADA)
        await house.start_web()
        written = {
            **HOOK,
            "teams": [{"id": 4}],
            "triggerTypes": ["v-alert-not-resolved", "alert-escalation-ended"],
            "notResolvedDelaySec": 600,
            "escalationEndedDelaySec": 30,
            "params": {
                "webhookUrl": "https://bus.example.org/in",
                "bodyTemplate": '{"text": "{{alertSummary}}"}',
                "headers": [{"key": "X-Team", "value": "Storage"}],
            },
        }
        made = await house.makes("/alert-actions", written, ADA)
        assert made.pop("signingSecret").startswith("whsec_")
        assert made["id"] == "1"
        assert made["alertSources"] == [{"id": DISK, "name": "Disks"}]
        assert made["teams"] == [{"id": 4, "name": "Team 4"}]
        kept = (
            "name",
            "connectorType",
            "triggerMode",
            "triggerTypes",
            "notResolvedDelaySec",
            "escalationEndedDelaySec",
        )
        assert {name: made[name] for name in (*kept, "params")} == {name: written[name] for name in (*kept, "params")}
        assert "connectorId" not in made
        for path in ("/alert-actions/1", "/alert-actions/1?include=conditions", "/alert-actions/name/tell the bus"):
            assert (await house.does(BOB, "GET", path)).json() == made
        assert (await house.does(BOB, "GET", "/alert-actions")).json() == [made]
        again = await house.does(ADA, "PUT", "/alert-actions/1", made)
        assert again.json() == made, "what was read can be written again"

    in_virtual_time(story)


def test_credentials_of_a_webhook_are_masked_and_kept() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        params = {
            "webhookUrl": "https://bot:hush@bus.example.org/in",
            "headers": [{"key": "Authorization", "value": "Bearer hush"}],
        }
        made = await house.makes("/alert-actions", {**HOOK, "params": params}, ADA)
        masked = {
            "webhookUrl": "https://***@bus.example.org/in",
            "headers": [{"key": "Authorization", "value": "***"}],
        }
        assert made["params"] == masked
        assert "hush" not in house.published()
        before = await sealed_of(house)
        changed = await house.does(ADA, "PUT", "/alert-actions/1", {**HOOK, "name": "New", "params": masked})
        assert changed.json()["params"] == masked
        assert await sealed_of(house) == before
        elsewhere = {**masked, "webhookUrl": "https://***@evil.example.org/in"}
        refused = await house.does(ADA, "PUT", "/alert-actions/1", {**HOOK, "params": elsewhere})
        assert refusal(refused) == (400, "VALIDATION_ERROR", "params.webhookUrl")
        bare = await house.does(ADA, "PUT", "/alert-actions/1", HOOK)
        assert bare.json()["params"] == HOOK["params"]
        assert b"hush" not in await sealed_of(house)
        assert b"whsec_" in await sealed_of(house)

    in_virtual_time(story)


def test_addresses_of_people_are_read_back_but_never_published() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        params = {"recipients": ["ops@example.com", "night@example.com"], "subject": "{{alertSummary}}"}
        made = await house.makes("/alert-actions", {**HOOK, "connectorType": "email", "params": params}, ADA)
        assert made["params"] == params
        assert "signingSecret" not in made
        assert "ops@example.com" not in house.published()
        assert "o***@example.com" in house.published()

    in_virtual_time(story)


def test_the_signing_secret_is_told_when_it_is_made_and_never_again() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        first = (await house.makes("/alert-actions", HOOK, ADA))["signingSecret"]
        assert first.encode() in await sealed_of(house)
        renewed = await house.does(ADA, "POST", "/alert-actions/1/signing-secret")
        assert renewed.status_code == 201
        second = renewed.json()["signingSecret"]
        assert second != first
        assert second.encode() in await sealed_of(house)
        assert "whsec_" not in (await house.does(ADA, "GET", "/alert-actions")).text
        assert "whsec_" not in house.published()
        assert (await house.does(BOB, "POST", "/alert-actions/1/signing-secret")).status_code == 403
        params = {"recipients": ["ops@example.com"]}
        await house.makes("/alert-actions", {**HOOK, "connectorType": "email", "params": params}, ADA)
        assert refusal(await house.does(ADA, "POST", "/alert-actions/2/signing-secret"))[:2] == (409, "NO_SIGNATURE")

    in_virtual_time(story)


def test_actions_are_listed_by_source_and_by_connector_in_pages() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        await house.makes("/connectors", JIRA)
        await house.makes("/alert-actions", HOOK, ADA)
        await house.makes("/alert-actions", {**HOOK, "alertSources": None, "alertSourceIds": [NET]}, ADA)
        await house.makes("/alert-actions", {**ISSUE, "alertSources": [{"id": NET}, {"id": DISK}]}, ADA)

        async def ids(query: str) -> list[str]:
            return [one["id"] for one in (await house.does(BOB, "GET", f"/alert-actions{query}")).json()]

        assert await ids("") == ["1", "2", "3"]
        assert await ids(f"?source={DISK}") == ["1", "3"]
        assert await ids("?connector=1") == ["3"]
        assert await ids("?start-index=1&max-results=1") == ["2"]
        assert (await house.does(BOB, "GET", "/alert-actions?max-results=101")).status_code == 400
        assert (await house.does(BOB, "GET", "/alert-actions?source=disk")).status_code == 400
        assert (await house.does(ROOT, "GET", "/connectors?max-results=101")).status_code == 400

    in_virtual_time(story)


def test_the_index_of_a_sources_actions_is_kept_in_step_and_comes_back_with_a_restore() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        await house.makes("/connectors", JIRA)
        await house.makes("/alert-actions", {**HOOK, "alertSources": [{"id": DISK}, {"id": NET}]}, ADA)
        await house.makes("/alert-actions", ISSUE, ADA)
        await house.makes("/alert-actions", HOOK, ADA)
        assert await assigned(house) == {DISK: [1, 2, 3], NET: [1]}
        await house.does(ADA, "PUT", "/alert-actions/1", {**HOOK, "alertSources": [{"id": NET}]})
        await house.does(ADA, "DELETE", "/alert-actions/3")
        assert await assigned(house) == {DISK: [2], NET: [1]}
        listed = (await house.does(ADA, "GET", "/alert-actions")).json()
        await house.lose_the_ledger()
        await house.start_web()
        assert await assigned(house) == {DISK: [2], NET: [1]}
        assert (await house.does(ADA, "GET", "/alert-actions")).json() == listed
        assert (await house.does(ROOT, "DELETE", "/connectors/1")).status_code == 409

    in_virtual_time(story)


def test_what_an_action_names_must_be_there() -> None:
    async def story(house: House) -> None:
        house.team(4, ADA)
        await house.start_web()
        automation = {"alertType": "CREATED", "serviceIds": [11], "serviceStatus": "DEGRADED", "templateId": 12}
        for body, field in (
            ({**HOOK, "alertSources": [{"id": DISK}, {"id": 77}]}, "alertSources.1.id"),
            ({**HOOK, "alertSources": [], "alertSourceIds": [77]}, "alertSourceIds.0"),
            ({**HOOK, "teams": [{"id": 4}, {"id": 5}]}, "teams.1.id"),
            (ISSUE, "connectorId"),
            ({**HOOK, "connectorType": "reroute", "params": {"escalationPolicyId": 3}}, "params.escalationPolicyId"),
            ({**HOOK, "connectorType": "automation_rule", "params": automation}, "params.serviceIds.0"),
        ):
            answer = await house.does(ADA, "POST", "/alert-actions", body)
            assert refusal(answer) == (400, "VALIDATION_ERROR", field), body
        await house.makes("/connectors", SLACK)
        assert refusal(await house.does(ADA, "POST", "/alert-actions", ISSUE))[2] == "connectorId"
        house.service(11)
        without = await house.does(
            ADA, "POST", "/alert-actions", {**HOOK, "connectorType": "automation_rule", "params": automation}
        )
        assert refusal(without)[2] == "params.templateId"

    in_virtual_time(story)


def test_what_was_made_a_moment_ago_can_be_named() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        house.source(70, "New")
        house.policy(71)
        house.team(72, ADA)
        body = {**HOOK, "connectorType": "reroute", "params": {"escalationPolicyId": 71}}
        made = await house.makes("/alert-actions", {**body, "alertSources": [{"id": 70}], "teams": [{"id": 72}]}, ADA)
        assert made["alertSources"] == [{"id": 70, "name": "New"}]
        assert made["params"] == {"escalationPolicyId": 71}

    in_virtual_time(story)


def test_a_private_teams_actions_and_sources_are_theirs() -> None:
    async def story(house: House) -> None:
        house.team(4, ADA, visibility=Visibility.PRIVATE)
        house.source(70, "Secret", 4)
        await house.start_web()
        await house.makes("/alert-actions", {**BY_HAND, "alertSources": [{"id": 70}], "teams": [{"id": 4}]}, ROOT)
        assert (await house.does(ADA, "GET", "/alert-actions/1")).status_code == 200
        assert (await house.does(BOB, "GET", "/alert-actions/1")).status_code == 404
        assert (await house.does(BOB, "GET", "/alert-actions")).json() == []
        assert (await house.does(BOB, "DELETE", "/alert-actions/1")).status_code == 404
        house.team(5, BOB)
        mine = {**HOOK, "alertSources": [{"id": 70}], "teams": [{"id": 5}]}
        assert refusal(await house.does(BOB, "POST", "/alert-actions", mine))[0] == 403

    in_virtual_time(story)


def test_who_may_read_and_who_may_write_actions() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        await house.makes("/alert-actions", HOOK, ADA)
        assert (await house.does(BOB, "GET", "/alert-actions/1")).status_code == 200
        for user in (BOB, CYD):
            assert (await house.does(user, "POST", "/alert-actions", HOOK)).status_code == 403
            assert (await house.does(user, "PUT", "/alert-actions/1", HOOK)).status_code == 403
            assert (await house.does(user, "DELETE", "/alert-actions/1")).status_code == 403
        assert (await house.does(CYD, "GET", "/alert-actions")).status_code == 403
        assert (await house.does(ADA, "GET", "/alert-actions/99")).status_code == 404
        assert (await house.does(ADA, "PUT", "/alert-actions/99", HOOK)).status_code == 404
        mail = {**HOOK, "connectorType": "email", "params": {"recipients": ["ops@example.com"]}}
        assert refusal(await house.does(ADA, "PUT", "/alert-actions/1", mail)) == (
            400,
            "VALIDATION_ERROR",
            "connectorType",
        )

    in_virtual_time(story)


# -- on an alert


def test_an_action_is_run_by_hand_and_says_what_became_of_it() -> None:
    async def story(house: House) -> None:
        answers = iter([httpx.Response(200), httpx.Response(400, text="The bus is full")])
        house.tools["bus.example.org"] = lambda _request: next(answers)
        await house.open()
        await house.makes("/alert-actions", BY_HAND, ADA)
        await house.makes("/alert-actions", {**HOOK, "alertSources": [{"id": NET}]}, ADA)
        house.alert(42)
        [offered] = (await house.does(BOB, "GET", "/alerts/42/actions")).json()
        assert offered == {"alertActionId": "1", "type": "webhook", "name": "Restart it", "history": []}
        done = await house.does(BOB, "POST", "/alerts/42/actions", offered)
        assert done.status_code == 201
        assert done.json()["success"] is True
        assert done.json()["actor"] == {"id": BOB, "firstName": "Bob", "lastName": "B"}
        failed = (await house.does(ADA, "POST", "/alerts/42/actions", {"alertActionId": "1"})).json()
        assert failed["success"] is False
        assert "The bus is full" in failed["text"]
        [offered] = (await house.does(BOB, "GET", "/alerts/42/actions")).json()
        assert offered["history"] == [failed, done.json()]

    in_virtual_time(story)


def test_a_run_that_takes_long_is_answered_without_a_verdict() -> None:
    async def story(house: House) -> None:
        house.tools["bus.example.org"] = lambda _request: httpx.Response(503, headers={"Retry-After": "30"})
        await house.open()
        await house.makes("/alert-actions", BY_HAND, ADA)
        house.alert(42)
        pressed = (await house.does(BOB, "POST", "/alerts/42/actions", {"alertActionId": 1})).json()
        assert "success" not in pressed
        house.tools["bus.example.org"] = lambda _request: httpx.Response(200)
        await house.until(lambda: any(one.type == "action.succeeded" for one in house.said()))
        [offered] = (await house.does(BOB, "GET", "/alerts/42/actions")).json()
        assert [run["success"] for run in offered["history"]] == [True]

    in_virtual_time(story)


def test_a_run_behind_another_says_what_it_waits_for() -> None:
    async def story(house: House) -> None:
        house.tools["jira.example.org"] = lambda _request: httpx.Response(503, text="Jira rests")
        house.tools["bus.example.org"] = lambda _request: httpx.Response(200)
        await house.open()
        await house.makes("/connectors", JIRA)
        await house.makes("/alert-actions", {**ISSUE, "triggerTypes": ["alert-created"]}, ADA)
        await house.makes("/alert-actions", BY_HAND, ADA)
        house.alert(42)
        await house.until(lambda: any(one.type == "action.deferred" for one in house.said()))
        pressed = (await house.does(BOB, "POST", "/alerts/42/actions", {"alertActionId": "2"})).json()
        assert "success" not in pressed
        assert pressed["text"].startswith("It waits until «Issue» has ended")
        assert "Jira rests" in pressed["text"]

    in_virtual_time(story)


def test_what_cannot_be_run_by_hand_is_refused() -> None:
    async def story(house: House) -> None:
        house.team(4, ADA, visibility=Visibility.PRIVATE)
        house.source(70, "Secret", 4)
        await house.open()
        await house.makes("/alert-actions", HOOK, ADA)
        await house.makes("/alert-actions", {**BY_HAND, "alertSources": [{"id": NET}]}, ADA)
        house.alert(42)
        house.alert(43, 70)

        async def pressed(user: int, alert: int, body: Any) -> tuple[int, str, str]:
            return refusal(await house.does(user, "POST", f"/alerts/{alert}/actions", body))

        assert await pressed(BOB, 42, {"alertActionId": "1"}) == (400, "VALIDATION_ERROR", "alertActionId")
        assert await pressed(BOB, 42, {"alertActionId": "2"}) == (400, "VALIDATION_ERROR", "alertActionId")
        assert (await pressed(BOB, 42, {}))[2] == "alertActionId"
        assert (await pressed(BOB, 42, {"alertActionId": "one"}))[2] == "alertActionId"
        assert (await pressed(BOB, 42, {"alertActionId": "99"}))[0] == 404
        assert (await pressed(BOB, 44, {"alertActionId": "1"}))[0] == 404
        assert (await pressed(BOB, 43, {"alertActionId": "1"}))[0] == 404
        assert (await house.does(BOB, "GET", "/alerts/43/actions")).status_code == 404
        assert (await house.does(ADA, "GET", "/alerts/43/actions")).status_code == 200
        assert (await pressed(CYD, 42, {"alertActionId": "1"}))[0] == 403
        assert (await house.does(CYD, "GET", "/alerts/42/actions")).status_code == 403

    in_virtual_time(story)


# -- whatever comes

NOTHING_TAKES: tuple[Any, ...] = ([[{}]], {"no": {"such": [1]}}, 10**400, "\u202e" * 70_000)
EVERY_FIELD: dict[str, dict[str, Any]] = {
    "/connectors": JIRA,
    "/connectors/test": SLACK,
    "/alert-actions": {
        **HOOK,
        "connectorId": None,
        "alertSourceIds": [],
        "triggerTypes": ["alert-escalation-ended", "v-alert-not-resolved"],
        "escalationEndedDelaySec": 30,
        "notResolvedDelaySec": 60,
        "conditions": "",
        "alertFilter": None,
    },
    "/alerts/42/actions": {"alertActionId": "1"},
}


@pytest.mark.parametrize("path", EVERY_FIELD)
def test_what_fits_no_field_is_refused_by_its_name(path: str) -> None:
    async def story(house: House) -> None:
        await house.open()
        house.alert(42)
        for field in EVERY_FIELD[path]:
            for value in NOTHING_TAKES:
                answer = await house.does(ROOT, "POST", path, EVERY_FIELD[path] | {field: value})
                status, code, named = refusal(answer)
                assert (status, code) == (400, "VALIDATION_ERROR"), (field, answer.text[:200])
                assert named.startswith(field), (field, answer.text[:200])
        assert house.said() == []
        assert house.cells() == {}

    in_virtual_time(story)


PARAMS: dict[str, dict[str, Any]] = {
    "webhook": {"webhookUrl": "https://bus.example.org/", "bodyTemplate": "x", "headers": []},
    "email": {"recipients": ["ops@example.com"], "subject": "x", "bodyTemplate": "x"},
    "reroute": {"escalationPolicyId": 3},
    "automation_rule": {
        "alertType": "CREATED",
        "serviceIds": [11],
        "serviceStatus": "DEGRADED",
        "templateId": 12,
        "resolveIncident": True,
        "sendNotification": True,
    },
}


@pytest.mark.parametrize("kind", PARAMS)
def test_what_fits_no_parameter_is_refused_by_its_name(kind: str) -> None:
    async def story(house: House) -> None:
        house.policy(3)
        house.service(11)
        house.template(12)
        await house.start_web()
        for field in PARAMS[kind]:
            for value in NOTHING_TAKES:
                params = PARAMS[kind] | {field: value}
                body = {**HOOK, "connectorType": kind, "params": params}
                status, _code, named = refusal(await house.does(ADA, "POST", "/alert-actions", body))
                assert status == 400, (field, value)
                assert named.startswith(f"params.{field}"), (field, named)
        await house.makes("/alert-actions", {**HOOK, "connectorType": kind, "params": PARAMS[kind]}, ADA)

    in_virtual_time(story)


def test_a_connector_is_not_deleted_under_an_action_that_is_being_made() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        for number in range(1, 6):
            await house.makes("/connectors", JIRA)
            mine = {**ISSUE, "connectorId": str(number)}
            gone, made = await asyncio.gather(
                house.does(ROOT, "DELETE", f"/connectors/{number}"), house.does(ADA, "POST", "/alert-actions", mine)
            )
            assert (gone.status_code, made.status_code) in {(204, 400), (409, 201)}

    in_virtual_time(story)


# -- looking inside


def basic(user: str, password: str) -> str:
    return httpx.BasicAuth(user, password)._auth_header


async def sealed_of(house: House, action: int = 1) -> bytes:
    """What the vault holds for an action."""
    cell = next(one.event.cell for one in reversed(house.said()) if one.stream == f"action-{action}")  # type: ignore[attr-defined]
    shell = house.shell()
    async with shell.ledger.begin() as tx:
        found = await read_cell(tx, cell)
    assert found is not None, VAULT
    return Keyring.parse(KEYS).open(found)


async def assigned(house: House) -> dict[int, list[int]]:
    """The actions of each source, as whoever runs them finds them."""
    shell = house.shell()

    async def look(unit: Any) -> dict[int, list[int]]:
        return {source: await indexes.actions_of(unit, source) for source in (DISK, NET)}

    found: dict[int, list[int]] = await shell.run(look)
    return found
