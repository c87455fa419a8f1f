"""What an alert leads to in other tools: every trigger told once, in order, and what became of it said."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from channels.attempts import Later, Refused
from connectors.running import SLOTS
from connectors.sending import LONGEST_S
from events.connectors import (
    ActionDeferred,
    ActionDispatched,
    ActionFailed,
    ActionPlanned,
    ActionQueued,
    ActionSkipped,
    ActionSucceeded,
)
from events.core import Event
from events.escalator import EscalationEnded, EscalationLevelReached
from events.ingest import AlertAccepted, AlertAssigned, AlertCommented, AlertRerouteRefused, AlertResolved
from events.shared import Actor
from events.statuspage import AutomationApplied, AutomationRefused
from events.topics import ACTIONS
from tests.fakes.jira import Jira, texts_of
from tests.fakes.slack import Slack
from tests.fakes.webhook import Receiver
from tests.integration.connectors.house import ADA, DISK, NET, ROOT, House, in_virtual_time

LIFE = ["alert-created", "alert-acknowledged", "alert-resolved"]
CHANNEL = "C012AB3CD"
TOOL = Actor.by_source(DISK)


# -- what is set up


async def hooked(house: House, *triggers: str, host: str = "hook.example", **more: Any) -> Receiver:
    """A webhook to a receiver that knows the action's secret."""
    receiver = house.tools[host] = Receiver()
    made = await house.makes(
        "/alert-actions", wish("webhook", triggers or LIFE, {"webhookUrl": f"https://{host}/x"}, **more)
    )
    receiver.secret = made["signingSecret"]
    return receiver


async def with_jira(house: House, *triggers: str) -> Jira:
    jira = house.tools["jira.example"] = Jira()
    params = {"url": "https://jira.example", "email": jira.email, "password": jira.token}
    connector = await house.makes("/connectors", {"name": "Jira", "type": "jira", "params": params})
    body = wish("jira", triggers or LIFE, {"project": "OPS"}) | {"connectorId": connector["id"]}
    await house.makes("/alert-actions", body)
    return jira


async def with_slack(house: House, *triggers: str) -> Slack:
    slack = house.tools["slack.com"] = Slack()
    params = {"botToken": slack.token, "signingSecret": slack.signing_secret}
    connector = await house.makes("/connectors", {"name": "Slack", "type": "slack", "params": params})
    body = wish("slack", triggers or LIFE, {"channelId": CHANNEL}) | {"connectorId": connector["id"]}
    await house.makes("/alert-actions", body)
    return slack


def wish(kind: str, triggers: Any, params: Any, source: int = DISK, **more: Any) -> dict[str, Any]:
    body = {"name": f"Tell {kind}", "connectorType": kind, "alertSources": [{"id": source}], "params": params}
    return body | {"triggerTypes": list(triggers)} | more


def accepted(house: House, alert: int = 42) -> None:
    house.says(AlertAccepted(alert=alert, by=Actor.by_user(ADA, "web"), at=house.now))


def resolved(house: House, alert: int = 42, by: Actor = TOOL) -> None:
    house.says(AlertResolved(alert=alert, by=by, at=house.now))


def said(house: House, kind: type[Event]) -> list[Any]:
    return [one.event for one in house.said(ACTIONS.name) if isinstance(one.event, kind)]


def ended(house: House) -> list[Any]:
    return said(house, ActionSucceeded) + said(house, ActionFailed)


# -- webhooks


def test_a_webhook_is_told_every_step_in_order_signed_and_once() -> None:
    async def story(house: House) -> None:
        await house.open()
        house.policy(3, "Second line")
        receiver = await hooked(house)
        house.alert(42, policy=3, details="/var is full", labels={"env": "prod"})
        accepted(house)
        resolved(house)
        await house.until(lambda: len(receiver.taken) == 3)
        await house.passes(minutes=2)
        assert receiver.events == LIFE
        assert [got.json["status"] for got in receiver.taken] == ["PENDING", "ACCEPTED", "RESOLVED"]
        assert receiver.taken[0].json == {
            "id": "42",
            "summary": "Disk 42 is full",
            "details": "/var is full",
            "reportTime": receiver.taken[0].json["reportTime"],
            "status": "PENDING",
            "eventType": "alert-created",
            "priority": "HIGH",
            "alertSource": {"id": DISK, "name": "Disks"},
            "escalationPolicy": {"id": 3, "name": "Second line"},
            "labels": {"env": "prod"},
            "url": "http://127.0.0.1:8080/alerts/42",
        }
        assert len({got.number for got in receiver.taken}) == 3
        assert receiver.complaints == []
        assert [one.text for one in said(house, ActionSucceeded)] == ["HTTP 200"] * 3
        assert [one.causation for one in house.said(ACTIONS.name) if one.type == "action.queued"] == [
            "alert-42@1",
            "alert-42@2",
            "alert-42@3",
        ]

    in_virtual_time(story)


def test_other_sources_and_other_triggers_are_left_alone() -> None:
    async def story(house: House) -> None:
        await house.open()
        receiver = await hooked(house, "alert-acknowledged")
        house.alert(42)
        resolved(house)
        house.alert(43, NET)
        accepted(house, 43)
        await house.passes(minutes=1)
        assert (receiver.attempts, house.said(ACTIONS.name)) == ([], [])

    in_virtual_time(story)


def test_patience_that_is_asked_for_is_kept_and_the_repeat_is_the_same() -> None:
    async def story(house: House) -> None:
        await house.open()
        receiver = await hooked(house, "alert-created")
        receiver.refuses(429, Retry_After="90")
        house.alert(42)
        await house.until(lambda: len(receiver.attempts) == 1)
        await house.passes(seconds=80)
        assert len(receiver.attempts) == 1
        await house.until(lambda: receiver.taken)
        assert receiver.complaints == []
        assert receiver.attempts[0].number == receiver.attempts[1].number
        (deferred,), (done,) = said(house, ActionDeferred), said(house, ActionSucceeded)
        assert (deferred.error, done.attempt) == ("HTTP 429", 2)

    in_virtual_time(story)


def test_a_refusal_is_final_in_the_other_sides_words_and_the_next_one_goes_on() -> None:
    async def story(house: House) -> None:
        await house.open()
        receiver = await hooked(house)
        receiver.refuses(422, text='{"error": "no such project"}')
        house.alert(42)
        accepted(house)
        await house.until(lambda: receiver.taken)
        assert [one.error for one in said(house, ActionFailed)] == ['HTTP 422: {"error": "no such project"}']
        assert receiver.events == ["alert-acknowledged"]

    in_virtual_time(story)


def test_who_is_dead_gets_an_hour_then_the_next_one_goes_on() -> None:
    async def story(house: House) -> None:
        await house.open()
        await hooked(house, "alert-created", host="dead.example")
        del house.tools["dead.example"]
        alive = await hooked(house, "alert-created")
        house.alert(42)
        await house.passes(minutes=50)
        assert (ended(house), alive.taken) == ([], [])
        await house.until(lambda: alive.taken)
        (failed,) = said(house, ActionFailed)
        assert failed.error.startswith("gave up after")
        assert "dead.example" in failed.error
        assert len(said(house, ActionDeferred)) < 10
        tries = [call for call in house.calls if call.headers["host"] == "dead.example"]
        assert len(tries) < 150

    in_virtual_time(story)


def test_a_dead_host_slows_nobody_else() -> None:
    async def story(house: House) -> None:
        await house.open()
        await hooked(house, "alert-created", host="dead.example")
        del house.tools["dead.example"]
        alive = await hooked(house, "alert-created", source=NET)
        for alert in range(100, 160):
            house.alert(alert)
        await house.passes(seconds=30)
        before = house.now
        house.alert(42, NET)
        await house.until(lambda: alive.taken)
        assert house.now - before < timedelta(seconds=5)
        tries = [call for call in house.calls if call.headers["host"] == "dead.example"]
        assert len(tries) < 20  # of sixty alerts: the circuit is open

    in_virtual_time(story)


def test_a_host_that_never_answers_slows_nobody_else() -> None:
    async def story(house: House) -> None:
        await house.open()
        await hooked(house, "alert-created", host="slow.example")
        house.slow_s["slow.example"] = 3600
        alive = await hooked(house, "alert-created", source=NET)
        for alert in range(100, 160):
            house.alert(alert)
        await house.until(lambda: len(house.calls) == SLOTS)
        before = house.now
        house.alert(42, NET)
        await house.until(lambda: alive.taken)
        assert house.now - before < timedelta(seconds=5)
        assert len(house.calls) == SLOTS + 1
        await house.until(lambda: said(house, ActionDeferred))
        assert said(house, ActionDeferred)[0].error == "slow.example did not answer within 10 s"

    in_virtual_time(story)


@pytest.mark.parametrize("address", ["10.0.0.7", "127.0.0.1", "169.254.169.254", "[::1]", "[::ffff:127.0.0.1]"])
def test_a_private_address_is_not_called(address: str) -> None:
    async def story(house: House) -> None:
        await house.open()
        house.tools[address] = Receiver()
        await house.makes("/alert-actions", wish("webhook", LIFE, {"webhookUrl": f"http://{address}/x"}))
        house.alert(42)
        await house.until(lambda: ended(house))
        (failed,) = said(house, ActionFailed)
        assert "private address" in failed.error
        assert house.calls == []

    in_virtual_time(story)


def test_a_template_with_the_callers_own_credentials() -> None:
    async def story(house: House) -> None:
        await house.open()
        receiver = house.tools["hook.example"] = Receiver()
        params = {
            "webhookUrl": "https://ada:s3cret@hook.example/x",
            "bodyTemplate": '{"text": "{{alertSummary}}", "at": "{{eventType}}", "n": {{alertId}}}',
            "headers": [{"key": "X-Api-Key", "value": "k-123"}, {"key": "X-Team", "value": "ops"}],
        }
        made = await house.makes("/alert-actions", wish("webhook", ["alert-created"], params))
        receiver.secret = made["signingSecret"]
        house.alert(42)
        await house.until(lambda: receiver.taken)
        (got,) = receiver.taken
        assert got.json == {"text": "Disk 42 is full", "at": "alert-created", "n": 42}
        assert (got.headers["x-api-key"], got.headers["x-team"]) == ("k-123", "ops")
        assert got.headers["authorization"] == "Basic YWRhOnMzY3JldA=="
        assert "s3cret" not in house.published()
        assert "k-123" not in house.published()
        assert receiver.complaints == []

    in_virtual_time(story)


# -- mail


def test_a_mail_goes_to_each_and_to_nobody_twice() -> None:
    async def story(house: House) -> None:
        await house.open()
        house.mails.answers.extend([Later("451 busy")])
        params = {"recipients": ["a@example.org", "b@example.org"], "subject": "{{eventType}}: {{alertSummary}}"}
        await house.makes("/alert-actions", wish("email", ["alert-created"], params))
        house.alert(42)
        await house.until(lambda: ended(house))
        assert [mail.to for mail in house.mails.taken] == ["a@example.org", "b@example.org"]
        assert {mail.subject for mail in house.mails.taken} == {"alert-created: Disk 42 is full"}

    in_virtual_time(story)


def test_a_bounce_ends_it() -> None:
    async def story(house: House) -> None:
        await house.open()
        house.mails.answers.extend([Refused("550 no such user")])
        params = {"recipients": ["a@example.org", "b@example.org"]}
        await house.makes("/alert-actions", wish("email", ["alert-created"], params))
        house.alert(42)
        await house.until(lambda: ended(house))
        await house.passes(minutes=5)
        assert [one.error for one in said(house, ActionFailed)] == ["a***@example.org: 550 no such user"]
        assert house.mails.taken == []

    in_virtual_time(story)


# -- Jira


def test_an_issue_is_made_commented_and_closed() -> None:
    async def story(house: House) -> None:
        await house.open()
        jira = await with_jira(house, *LIFE, "alert-comment-added")
        house.alert(42, details="/var is full\n\nsince nine")
        house.says(AlertCommented(alert=42, comment=1, content="on it", by=Actor.by_user(ADA, "web"), at=house.now))
        accepted(house)
        resolved(house)
        await house.until(lambda: len(ended(house)) == 4)
        (issue,) = jira.issues.values()
        assert (issue.fields["summary"], issue.status, len(issue.words)) == ("Disk 42 is full", "Done", 3)
        assert texts_of(issue.fields["description"])[:2] == ["/var is full", "since nine"]
        assert [one.reference for one in said(house, ActionSucceeded)] == [issue.key] * 4
        assert said(house, ActionSucceeded)[0].link == f"https://jira.example/browse/{issue.key}"

    in_virtual_time(story)


@pytest.mark.parametrize("lost", [1, 2])
def test_an_answer_that_was_lost_makes_no_second_issue_and_no_second_comment(lost: int) -> None:
    async def story(house: House) -> None:
        await house.open()
        jira = await with_jira(house)
        jira.lost = lost
        house.alert(42)
        await house.until(lambda: len(ended(house)) == 1)
        jira.lost = lost
        accepted(house)
        await house.until(lambda: len(ended(house)) == 2)
        assert [len(issue.comments) for issue in jira.issues.values()] == [1]
        assert said(house, ActionFailed) == []

    in_virtual_time(story)


def test_jiras_own_words_are_told() -> None:
    async def story(house: House) -> None:
        await house.open()
        jira = await with_jira(house, "alert-created")
        jira.projects = ("OTHER",)
        house.alert(42)
        await house.until(lambda: ended(house))
        assert [one.error for one in said(house, ActionFailed)] == ["HTTP 400: project: valid project is required"]

    in_virtual_time(story)


def test_nothing_is_made_of_an_alert_that_is_over() -> None:
    async def story(house: House) -> None:
        await house.open()
        jira = await with_jira(house, "alert-resolved")
        house.alert(42)
        resolved(house)
        await house.until(lambda: ended(house))
        assert jira.issues == {}
        assert [one.text for one in said(house, ActionSucceeded)] == [
            "Jira has no issue for this alert: nothing was to be closed"
        ]

    in_virtual_time(story)


# -- Slack


def test_a_message_is_posted_and_changed_in_place() -> None:
    async def story(house: House) -> None:
        await house.open()
        slack = await with_slack(house)
        house.alert(42, details="<script> & co " + "&" * 5000)
        await house.until(lambda: slack.messages)
        assert list(slack.message.buttons) == ["accept", "resolve", "escalate", "open"]
        accepted(house)
        await house.until(lambda: slack.message.changes == 1)
        assert list(slack.message.buttons) == ["resolve", "escalate", "open"]
        resolved(house)
        await house.until(lambda: slack.message.changes == 2)
        assert list(slack.message.buttons) == ["open"]
        assert slack.message.text == "Resolved: Disk 42 is full"
        assert (slack.complaints, said(house, ActionFailed)) == ([], [])

    in_virtual_time(story)


def test_a_message_that_somebody_deleted_is_posted_anew() -> None:
    async def story(house: House) -> None:
        await house.open()
        slack = await with_slack(house)
        house.alert(42)
        await house.until(lambda: slack.messages)
        slack.messages.clear()
        accepted(house)
        await house.until(lambda: slack.messages)
        resolved(house)
        await house.until(lambda: slack.message.text.startswith("Resolved"))

    in_virtual_time(story)


def test_slacks_own_words_are_told_and_its_patience_is_kept() -> None:
    async def story(house: House) -> None:
        await house.open()
        slack = await with_slack(house)
        slack.answers.append(httpx.Response(429, headers={"Retry-After": "30"}))
        slack.channels = ()
        house.alert(42)
        await house.passes(seconds=25)
        assert len(slack.requests) == 1
        await house.until(lambda: ended(house))
        assert [one.error for one in said(house, ActionFailed)] == ["Slack: channel_not_found"]

    in_virtual_time(story)


# -- what other services do


def dispatched(house: House) -> list[tuple[str, ActionDispatched]]:
    return [(one.id, one.event) for one in house.said(ACTIONS.name) if isinstance(one.event, ActionDispatched)]


async def with_reroute(house: House, *triggers: str) -> None:
    house.policy(9, "Management")
    await house.makes("/alert-actions", wish("reroute", triggers or ["alert-created"], {"escalationPolicyId": 9}))


def test_another_policy_takes_over_and_says_so() -> None:
    async def story(house: House) -> None:
        await house.open()
        await with_reroute(house)
        receiver = await hooked(house, "alert-created")
        house.alert(42)
        ((event_id, asked),) = await house.until(lambda: dispatched(house))
        assert (asked.policy, asked.facts["alertSummary"]) == (9, "Disk 42 is full")
        await house.passes(minutes=1)
        assert receiver.taken == []
        house.says(AlertAssigned(alert=42, policy=9, by=Actor.by_system("reroute"), at=house.now), event_id)
        await house.until(lambda: receiver.taken)
        assert (
            next(one.text for one in said(house, ActionSucceeded)) == "The alert was handed to the escalation policy 9"
        )

    in_virtual_time(story)


def test_an_assignment_by_somebody_else_is_no_answer() -> None:
    async def story(house: House) -> None:
        await house.open()
        await with_reroute(house)
        house.alert(42)
        await house.until(lambda: dispatched(house))
        house.says(AlertAssigned(alert=42, policy=9, by=Actor.by_user(ADA, "web"), at=house.now))
        house.says(AlertAssigned(alert=42, policy=9, by=Actor.by_system("reroute"), at=house.now), "actions-43@2")
        await house.passes(minutes=1)
        assert ended(house) == []

    in_virtual_time(story)


def test_a_refusal_of_another_service_is_told() -> None:
    async def story(house: House) -> None:
        await house.open()
        await with_reroute(house)
        house.alert(42)
        ((_, asked),) = await house.until(lambda: dispatched(house))
        refused = AlertRerouteRefused(
            alert=42, run=asked.run, reason="The alert is resolved", by=Actor.by_system("reroute"), at=house.now
        )
        house.says(refused)
        await house.until(lambda: ended(house))
        assert [one.error for one in said(house, ActionFailed)] == ["The alert is resolved"]

    in_virtual_time(story)


def test_silence_of_another_service_ends_after_five_minutes() -> None:
    async def story(house: House) -> None:
        await house.open()
        await with_reroute(house)
        receiver = await hooked(house, "alert-created")
        house.alert(42)
        await house.passes(minutes=4)
        assert ended(house) == []
        await house.until(lambda: receiver.taken, timedelta(minutes=2))
        assert [one.error for one in said(house, ActionFailed)] == [
            "The service that was asked to do it did not answer within five minutes"
        ]

    in_virtual_time(story)


def test_what_an_action_assigned_no_action_routes_on() -> None:
    async def story(house: House) -> None:
        await house.open()
        await with_reroute(house, "alert-created", "alert-assigned")
        house.alert(42)
        ((event_id, _),) = await house.until(lambda: dispatched(house))
        house.says(AlertAssigned(alert=42, policy=9, by=Actor.by_system("reroute"), at=house.now), event_id)
        await house.until(lambda: said(house, ActionSkipped))
        await house.passes(minutes=10)
        assert len(dispatched(house)) == 1

    in_virtual_time(story)


async def with_automation(house: House, **more: Any) -> None:
    house.service(7)
    house.template(8)
    params = {"alertType": "CREATED", "serviceIds": [7], "serviceStatus": "MAJOR_OUTAGE", "templateId": 8} | more
    await house.makes("/alert-actions", wish("automation_rule", ["alert-created"], params))


def test_the_status_page_opens_and_closes() -> None:
    async def story(house: House) -> None:
        await house.open()
        await with_automation(house, resolveIncident=True, sendNotification=True)
        house.alert(42)
        ((event_id, asked),) = await house.until(lambda: dispatched(house))
        assert (asked.services, asked.service_status, asked.template) == ((7,), "MAJOR_OUTAGE", 8)
        assert (asked.resolve, asked.send_notification) == (False, True)
        applied = AutomationApplied(
            alert=42, run=asked.run, action=asked.action, incident=5, text="Incident 5 was opened", at=house.now
        )
        house.says(applied, event_id)
        await house.until(lambda: ended(house))
        (done,) = said(house, ActionSucceeded)
        assert (done.text, done.reference, done.link) == ("Incident 5 was opened", "5", "/incidents/5")
        resolved(house)
        await house.until(lambda: len(dispatched(house)) == 2)
        assert dispatched(house)[1][1].resolve
        house.says(
            AutomationRefused(
                alert=42, run=dispatched(house)[1][1].run, action=asked.action, reason="Gone", at=house.now
            )
        )
        await house.until(lambda: len(ended(house)) == 2)

    in_virtual_time(story)


def test_what_was_not_asked_to_close_stays_open() -> None:
    async def story(house: House) -> None:
        await house.open()
        await with_automation(house, resolveIncident=False)
        house.alert(42)
        resolved(house)
        await house.passes(minutes=1)
        assert len(dispatched(house)) == 1

    in_virtual_time(story)


def test_nothing_is_closed_that_was_never_opened() -> None:
    async def story(house: House) -> None:
        await house.open()
        house.alert(42)
        await house.passes(seconds=5)
        await with_automation(house, resolveIncident=True)
        resolved(house)
        await house.passes(minutes=1)
        assert house.said(ACTIONS.name) == []

    in_virtual_time(story)


# -- time


def level(house: House, number: int, alert: int = 42) -> None:
    house.says(EscalationLevelReached(alert=alert, alert_version=1, level=number, responders=(), at=house.now))


def test_escalations_are_triggers_also_when_they_are_read_before_their_alert() -> None:
    async def story(house: House) -> None:
        await house.open()
        receiver = await hooked(house, "alert-auto-escalated", "alert-escalation-ended")
        level(house, 0)
        level(house, 1)
        house.says(EscalationEnded(alert=42, alert_version=1, reason="nobody answered", at=house.now))
        await house.passes(seconds=10)
        house.alert(42)
        await house.until(lambda: len(receiver.taken) == 2)
        assert receiver.events == ["alert-auto-escalated", "alert-escalation-ended"]

    in_virtual_time(story)


def test_an_alert_that_nobody_resolves_is_told_at_its_time() -> None:
    async def story(house: House) -> None:
        await house.open()
        receiver = await hooked(house, "v-alert-not-resolved", notResolvedDelaySec=600)
        house.alert(42)
        accepted(house)
        await house.passes(minutes=9)
        assert receiver.attempts == []
        assert len(said(house, ActionPlanned)) == 1
        await house.until(lambda: receiver.taken, timedelta(minutes=2))
        assert (receiver.events, receiver.taken[0].json["status"]) == (["v-alert-not-resolved"], "ACCEPTED")

    in_virtual_time(story)


def test_what_was_planned_is_called_off_with_a_reason() -> None:
    async def story(house: House) -> None:
        await house.open()
        receiver = await hooked(house, "v-alert-not-resolved", notResolvedDelaySec=600)
        house.alert(42)
        await house.passes(minutes=5)
        resolved(house)
        await house.passes(minutes=10)
        assert receiver.attempts == []
        assert [one.reason for one in said(house, ActionSkipped)] == ["The alert was resolved before the time had come"]

    in_virtual_time(story)


def test_what_was_planned_for_an_action_that_is_gone_is_skipped_with_a_reason() -> None:
    async def story(house: House) -> None:
        await house.open()
        receiver = await hooked(house, "v-alert-not-resolved", notResolvedDelaySec=600)
        house.alert(42)
        await house.until(lambda: said(house, ActionPlanned))
        answer = await house.does(ROOT, "DELETE", f"/alert-actions/{said(house, ActionPlanned)[0].action}")
        assert answer.status_code == 204
        await house.until(lambda: said(house, ActionSkipped))
        assert receiver.attempts == []

    in_virtual_time(story)


def test_an_accepted_alert_ends_the_patience_after_its_escalation() -> None:
    async def story(house: House) -> None:
        await house.open()
        receiver = await hooked(house, "alert-escalation-ended", escalationEndedDelaySec=60)
        house.alert(42)
        house.says(EscalationEnded(alert=42, alert_version=1, reason="nobody answered", at=house.now))
        await house.until(lambda: said(house, ActionPlanned))
        accepted(house)
        await house.passes(minutes=5)
        assert (receiver.attempts, len(said(house, ActionSkipped))) == ([], 1)

    in_virtual_time(story)


# -- trouble of our own


def test_a_worker_that_dies_sends_again_under_the_same_id() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        worker = await house.start_worker()
        receiver = await hooked(house, "alert-created")
        receiver.refuses(*[503] * 3)
        house.alert(42)
        await house.until(lambda: receiver.attempts)
        await house.end(worker)
        await house.start_worker()
        await house.until(lambda: receiver.taken)
        await house.passes(minutes=2)
        assert (len(receiver.taken), receiver.complaints) == (1, [])
        assert len(said(house, ActionQueued)) == 1

    in_virtual_time(story)


def test_without_its_database_it_goes_on_from_its_topics() -> None:
    async def story(house: House) -> None:
        await house.open()
        receiver = await hooked(house, "alert-created")
        jira = await with_jira(house, "alert-created")
        receiver.refuses(*[503] * 5)
        house.alert(42)
        await house.until(lambda: len(receiver.attempts) == 2)
        await house.lose_the_ledger()
        await house.start_web()
        await house.start_sender()
        await house.until(lambda: len(ended(house)) == 2)
        assert receiver.taken[0].number == receiver.attempts[0].number
        assert (len(receiver.taken), len(jira.issues), receiver.complaints) == (1, 1, [])

    in_virtual_time(story)


def test_an_attempt_ends_before_its_lease() -> None:
    assert timedelta(seconds=LONGEST_S) < timedelta(seconds=30)
