"""The rest of the story, through a running suite: one alert posts to a webhook, opens a Jira issue, appears in Slack, takes a
service down, opens an incident and tells whoever wants to know; all of it closes on recovery. The public page needs nobody."""

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from tests.e2e.suite import Suite, eventually
from tests.fakes.jira import Jira
from tests.fakes.slack import Slack
from tests.fakes.standing import standing
from tests.fakes.webhook import Receiver

LIFE = ["alert-created", "alert-acknowledged", "alert-resolved"]


@dataclass
class World:
    """Other tools as real servers, and what of ours speaks to them."""

    suite: Suite
    receiver: Receiver = field(default_factory=Receiver)
    jira: Jira = field(default_factory=Jira)
    slack: Slack = field(default_factory=Slack)
    urls: dict[str, str] = field(default_factory=dict)
    callbacks: dict[str, str] = field(default_factory=dict)

    def connector(self, kind: str, params: dict[str, Any]) -> str:
        made = self.suite.create("/api/connectors", {"name": f"Story {kind}", "type": kind, "params": params})
        self.callbacks[kind] = made["callbackUrl"]
        tried = self.suite.api.post(f"/api/connectors/{made['id']}/test")
        assert tried.json()["ok"], tried.text
        return str(made["id"])

    def action(self, kind: str, source: int, params: dict[str, Any], **more: Any) -> Any:
        body = {"name": f"Story {kind}", "connectorType": kind, "alertSources": [{"id": source}], "params": params}
        return self.suite.create("/api/alert-actions", body | {"triggerTypes": LIFE} | more)

    def calls_back(self, kind: str, headers: dict[str, str], content: bytes) -> None:
        path = self.callbacks[kind].removeprefix(self.suite.url)
        answer = self.suite.public.post(path, headers=headers, content=content)
        assert answer.status_code == 200, answer.text


@pytest.fixture
def world(suite: Suite) -> Iterator[World]:
    made = World(suite)
    with ExitStack() as stack:
        for name, tool in (("hook", made.receiver), ("jira", made.jira), ("slack", made.slack)):
            made.urls[name] = stack.enter_context(standing(tool))
        yield made


def test_one_alert_tells_everyone_and_all_of_it_closes_on_recovery(suite: Suite, world: World) -> None:
    oncall, watcher = suite.user("Oncall"), suite.user("Watcher", "STAKEHOLDER")
    policy = suite.policy("Everyone", {"users": [{"id": oncall["id"]}], "escalationTimeout": 500})
    source = suite.source("Everyone", policy["id"])
    hook = world.action("webhook", source["id"], {"webhookUrl": f"{world.urls['hook']}/alarum"})
    world.receiver.secret = hook["signingSecret"]
    account = {"url": world.urls["jira"], "email": world.jira.email, "password": world.jira.token}
    world.action("jira", source["id"], {"project": "OPS"}, connectorId=world.connector("jira", account))
    robot = {
        "botToken": world.slack.token,
        "signingSecret": world.slack.signing_secret,
        "apiUrl": f"{world.urls['slack']}/api/",
    }
    channel = {"channelId": world.slack.channels[0]}
    world.action("slack", source["id"], channel, connectorId=world.connector("slack", robot))
    service = suite.create("/api/services", {"name": "Checkout"})
    template = suite.create(
        "/api/incident-templates",
        {"name": "Checkout is down", "summary": "{{serviceName}}: {{alertSummary}}", "status": "INVESTIGATING"},
    )
    automation = {
        "alertType": "CREATED",
        "serviceIds": [service["id"]],
        "serviceStatus": "MAJOR_OUTAGE",
        "templateId": template["id"],
        "resolveIncident": True,
        "sendNotification": True,
    }
    world.action("automation_rule", source["id"], automation, triggerTypes=["alert-created"])
    page = {"name": "Shop", "subdomain": "everyone", "visibility": "PUBLIC", "activated": True}
    suite.create("/api/status-pages", page | {"services": [{"id": service["id"]}]})
    wanted = suite.api.put(
        f"/api/services/{service['id']}/private-subscribers", json=[{"id": watcher["id"], "type": "USER"}]
    )
    assert wanted.status_code == 202, wanted.text
    stranger = subscribed(suite, "everyone", "stranger@example.com")

    suite.event(source["integrationKey"], summary="Payments fail", alertKey="pay")
    eventually(lambda: summary(suite)["incidents"], what="the incident on the public page")
    assert summary(suite)["components"][0]["status"] == "major_outage"
    assert "Checkout: Payments fail" in suite.public.get("/status/everyone/").text
    eventually(lambda: world.slack.messages, what="a message in Slack")
    eventually(lambda: world.jira.issues, what="an issue in Jira")
    eventually(lambda: world.receiver.events == LIFE[:1], what="a call to the webhook")
    eventually(lambda: suite.mails("watcher@example.org"), what="a mail to the subscriber")
    eventually(lambda: len(suite.mails(stranger)) == 2, what="a mail to the public subscriber")
    (alert,) = suite.alerts(source["id"])
    shown = eventually(lambda: suite.get(f"/api/alerts/{alert['id']}").get("linkedIncidentId"), what="the link")
    assert suite.get(f"/api/incidents/{shown}")["summary"] == "Checkout: Payments fail"

    headers, body = world.slack.press(world.slack.message, pressed(world.slack, "accept"), time.time(), "grace")
    world.calls_back("slack", headers, body)
    eventually(
        lambda: suite.alerts(source["id"])[0]["status"] == "ACCEPTED", what="the acceptance by a button in Slack"
    )
    eventually(lambda: world.receiver.events == LIFE[:2], what="the webhook hears of it")

    suite.event(source["integrationKey"], eventType="RESOLVE", alertKey="pay")
    eventually(lambda: world.receiver.events == LIFE, what="the webhook hears of the recovery")
    eventually(lambda: [one.status for one in world.jira.issues.values()] == ["Done"], what="the issue is done")
    eventually(lambda: world.slack.message.changes >= 2, what="the message in Slack is brought up to date")
    eventually(lambda: not summary(suite)["incidents"], what="the public page is calm")
    assert suite.get(f"/api/services/{service['id']}")["status"] == "OPERATIONAL"
    assert suite.get(f"/api/incidents/{shown}")["status"] == "RESOLVED"
    eventually(lambda: len(suite.mails("watcher@example.org")) == 2, what="the subscriber hears of the end")
    eventually(lambda: len(suite.mails(stranger)) == 3, what="the public subscriber hears of the end")
    assert world.receiver.complaints == world.slack.complaints == []
    story = eventually(lambda: told(suite, alert["id"], "OPS-1"), what="the actions on the timeline")
    assert "grace" in story


def test_work_that_is_done_in_jira_resolves_the_alert(suite: Suite, world: World) -> None:
    policy = suite.policy("Jira back", {"users": [{"id": suite.user("Jirauser")["id"]}]})
    source = suite.source("Jira back", policy["id"])
    account = {"url": world.urls["jira"], "email": world.jira.email, "password": world.jira.token}
    world.action("jira", source["id"], {"project": "OPS"}, connectorId=world.connector("jira", account))
    suite.event(source["integrationKey"], summary="Queue grows", alertKey="queue")
    (alert,) = eventually(lambda: suite.alerts(source["id"]), what="the alert")
    eventually(lambda: told(suite, alert["id"], "OPS-1"), what="the issue on the timeline")
    moved = httpx.Request("POST", "http://jira", json=world.jira.move("OPS-1", "Done"))
    world.calls_back("jira", {"Content-Type": "application/json"}, moved.content)
    eventually(lambda: suite.alerts(source["id"])[0]["status"] == "RESOLVED", what="the resolution from Jira")


def test_a_dead_target_slows_nobody_and_its_own_words_are_shown(suite: Suite, world: World) -> None:
    policy = suite.policy("Dead", {"users": [{"id": suite.user("Deadtarget")["id"]}]})
    source = suite.source("Dead", policy["id"])
    created = ["alert-created"]
    world.action("webhook", source["id"], {"webhookUrl": "http://127.0.0.1:9/nobody"}, triggerTypes=created)
    refusing = suite.source("Refusing", policy["id"])
    world.receiver.refuses(410, text="this room was closed")
    world.action("webhook", refusing["id"], {"webhookUrl": f"{world.urls['hook']}/x"}, triggerTypes=created)
    for number in range(30):
        suite.event(source["integrationKey"], summary=f"Into the void {number}", alertKey=f"void-{number}")
    suite.event(refusing["integrationKey"], summary="To a closed room", alertKey="closed")
    alert = eventually(lambda: suite.alerts(refusing["id"]), what="the alert")[0]["id"]
    eventually(lambda: told(suite, alert, "this room was closed"), what="the other side's words on the timeline")


def told(suite: Suite, alert: int, words: str) -> str:
    """The timeline, once it has these words."""
    story = "\n".join(suite.timeline(alert))
    return story if words in story else ""


def pressed(slack: Slack, word: str) -> str:
    """The id of the button with this word."""
    return next(name for name in slack.message.buttons if word in name.lower())


def summary(suite: Suite) -> Any:
    answer = suite.public.get("/status/everyone/api/v2/summary.json")
    assert answer.status_code == 200, answer.text
    return answer.json()


def subscribed(suite: Suite, page: str, address: str) -> str:
    """Ask as the public does, and confirm by the link in the mail."""
    eventually(lambda: suite.public.get(f"/status/{page}/").status_code == 200, what="the public page")
    asked = suite.public.post(f"/subscribers/{page}", data={"email": address}, follow_redirects=True)
    assert asked.is_success, asked.text
    (mail,) = eventually(lambda: suite.mails(address), what="the question whether it was them")
    link = re.search(r"https?://\S+/subscribers/\S+", mail["text"])
    assert link, mail["text"]
    path = link.group(0).removeprefix(suite.url)
    assert suite.public.get(path).status_code == 200
    confirmed = suite.public.post(path, data={}, follow_redirects=True)
    assert confirmed.is_success, confirmed.text
    return address
