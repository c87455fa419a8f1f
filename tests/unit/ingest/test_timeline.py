"""The timeline's sentences: events and names in, who and why out; for every event that may be told."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from events.catalogue import event_types
from events.connectors import ActionFailed, ActionSucceeded
from events.core import Event
from events.escalator import EscalationHalted
from events.ingest import (
    AlertAccepted,
    AlertAnswerNoted,
    AlertAssigned,
    AlertCreated,
    AlertRerouteRefused,
    AlertResolved,
)
from events.notifier import Carried, MessageComposed, NoticeFailed, NoticeQueued
from events.shared import Actor
from events.statuspage import (
    AutomationApplied,
    IncidentCreated,
    IncidentLinked,
    IncidentStatus,
    IncidentUnlinked,
    IncidentUpdated,
    ServiceStatus,
)
from ingest.timeline import SHAPES, Entry, entry, story, types_of
from tests.contract.make_samples import sample

SAMPLES = Path(__file__).parents[2] / "contract" / "samples"
T0 = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)


class Book:
    """What ids are called here."""

    def user(self, user: int) -> str:
        return {7: "Ada", 8: "Bob"}.get(user, f"user {user}")

    def policy(self, policy: int) -> str:
        return f"P{policy}"

    def schedule(self, schedule: int) -> str:
        return f"S{schedule}"

    def source(self, source: int) -> str:
        return f"Tool {source}"


def told(event: Event) -> Entry:
    return entry(1, event.wire_type(), json.loads(event.model_dump_json()), Book())


def test_an_alert_says_who_opened_it_and_why_this_policy_and_priority() -> None:
    event = AlertCreated(
        alert=42,
        source=5,
        policy=3,
        policy_reason="the event's routing key db",
        priority_reason="the source's rule is HIGH",
        summary="disk full",
        by=Actor.by_source(5),
        at=T0,
    )
    line = told(event)
    assert line.text == "Tool 5 opened the alert: disk full"
    assert line.reasons == ("Policy «P3»: the event's routing key db", "Priority HIGH: the source's rule is HIGH")
    assert (line.entry_type, line.filters) == ("AlertReceivedLogEntry", ("ALERT_SOURCE_EVENTS",))


def test_a_person_who_came_too_late_is_named_with_what_was_so_already() -> None:
    event = AlertAnswerNoted(alert=42, answer="ACCEPT", outcome="ALREADY_RESOLVED", by=Actor.by_user(8, "email"), at=T0)
    assert told(event).text == "Bob wanted to accept the alert by e-mail: it was resolved already"


def test_an_assignment_names_its_target() -> None:
    event = AlertAssigned(alert=42, schedule=2, by=Actor.by_user(7, "web"), at=T0)
    assert told(event).text == "Ada assigned the alert to the schedule «S2»"
    assert told(event).entry_type == "AlertAssignedToScheduleLogEntry"


def stored(number: int, event: Event) -> tuple[int, str, dict[str, Any]]:
    return number, event.wire_type(), json.loads(event.model_dump_json())


def halted(reason: str) -> EscalationHalted:
    return EscalationHalted(alert=42, alert_version=2, reason=reason, at=T0)


def test_what_stopped_the_escalation_is_told_with_who_did_it() -> None:
    accepted = AlertAccepted(alert=42, by=Actor.by_user(7, "web"), at=T0)
    lines = story([stored(2, halted("accepted")), stored(1, accepted)], Book())
    assert [line.text for line in lines] == [
        "Escalation stopped: Ada accepted the alert on the web",
        "Ada accepted the alert on the web",
    ]


def test_another_answer_is_not_taken_for_what_stopped_the_escalation() -> None:
    accepted = AlertAccepted(alert=42, by=Actor.by_user(7, "web"), at=T0)
    first, _second = story([stored(2, halted("resolved")), stored(1, accepted)], Book())
    assert first.text == "Escalation stopped: the alert was resolved"


def test_a_mail_of_several_alerts_says_of_how_many() -> None:
    carries = tuple(Carried(notification=number, alert=number, user=7) for number in range(1, 4))
    composed = MessageComposed(contact=1, message=12, user=7, carries=carries, place=0, window_ends_at=T0, at=T0)
    assert told(composed).text == "This alert is one of 3 alerts in mail 12 to Ada"
    alone = composed.model_copy(update={"carries": carries[:1], "place": 1})
    assert (told(alone).text, told(alone).reasons) == ("This alert is in mail 12 to Ada", ())


def succeeded(**fields: Any) -> ActionSucceeded:
    known = {"alert": 42, "run": 5, "action": 2, "name": "Open a ticket", "type": "jira", "trigger": "alert-created"}
    return ActionSucceeded.model_validate(known | {"text": "SHOP-7 was opened", "at": T0} | fields)


def test_what_another_tool_did_is_told_with_its_words_and_its_link() -> None:
    line = told(succeeded(link="https://jira.example.org/browse/SHOP-7"))
    assert line.text == "Alert action «Open a ticket» (jira) was carried out"
    assert line.reasons == ("SHOP-7 was opened",)
    assert line.link == "https://jira.example.org/browse/SHOP-7"
    assert (line.entry_type, line.filters) == ("ConnectorAutomaticResultLogEntry", ("CONNECTOR_EVENTS",))
    assert told(succeeded(trigger="manual")).entry_type == "AlertActionSuccessLogEntry"


def test_what_another_tool_did_not_do_is_told_in_its_own_words() -> None:
    failed = ActionFailed(alert=42, run=5, action=2, name="Post", type="webhook", attempt=3, error="403 no!", at=T0)
    assert told(failed).text == "Alert action «Post» (webhook) failed"
    assert told(failed).reasons == ("403 no!", "Attempt 3")
    manual = failed.model_copy(update={"trigger": "manual"})
    assert (told(failed).entry_type, told(manual).entry_type) == (
        "ConnectorAutomaticResultErrorLogEntry",
        "AlertActionFailLogEntry",
    )


def test_somebody_whom_only_another_tool_knows_is_called_as_there() -> None:
    accepted = AlertAccepted(alert=42, by=Actor.by_somebody("grace.h", "slack"), at=T0)
    assert told(accepted).text == "grace.h accepted the alert in Slack"
    resolved = AlertResolved(alert=42, by=Actor.by_somebody("", "teams"), at=T0)
    assert told(resolved).text == "Somebody resolved the alert through teams"
    assert told(resolved).entry_type == "UserResponseLogEntry"


def test_a_refused_hand_over_says_why() -> None:
    by = Actor.by_system("alert action «To the boss»")
    refused = AlertRerouteRefused(alert=42, run=5, policy=8, reason="there is no policy 8", by=by, at=T0)
    assert told(refused).text == "Alarum (alert action «To the boss») could not hand the alert over"
    assert told(refused).reasons == ("there is no policy 8",)


def test_an_incident_is_told_from_its_opening_to_its_end_with_a_way_there() -> None:
    ada = Actor.by_user(7, "web")
    created = IncidentCreated(incident=3, summary="Shop down", message="We look", alert=42, began_at=T0, by=ada, at=T0)
    linked, unlinked = (cls(incident=3, alert=42, by=ada, at=T0) for cls in (IncidentLinked, IncidentUnlinked))
    over = IncidentUpdated(
        incident=3, update=2, summary="Shop down", status=IncidentStatus.RESOLVED, said_at=T0, by=ada, at=T0
    )
    lines = [told(event) for event in (created, linked, unlinked, over)]
    assert [(line.text, line.entry_type) for line in lines] == [
        ("Ada opened incident 3 on the web: Shop down", "InComIncidentCreatedLogEntry"),
        ("Ada linked incident 3 to the alert on the web", "InComLinkedLogEntry"),
        ("Ada took incident 3 off the alert on the web", "InComUnlinkedLogEntry"),
        ("Ada resolved incident 3 on the web: Shop down", "InComIncidentResolvedLogEntry"),
    ]
    assert {(line.link, line.filters) for line in lines} == {("/incidents/3", ("INCIDENT_COMMUNICATIONS",))}


def test_what_an_alert_did_to_services_is_told() -> None:
    applied = AutomationApplied(
        alert=42, run=5, action=2, services=(1, 2), service_status=ServiceStatus.MAJOR_OUTAGE, at=T0
    )
    assert told(applied).text == "2 services became major outage"
    opened = applied.model_copy(update={"services": (), "incident": 3})
    assert told(opened).text == "Incident 3 was opened for this alert"
    assert told(opened.model_copy(update={"resolved": True})).text == "Incident 3 was closed for this alert"


def test_who_heard_what_others_did_is_told() -> None:
    queued = {"notice": 4, "notification": 4, "user": 8, "alert": 42, "kind": "ALERT_UPDATE", "contact": 1}
    queued |= {"occasion": "ALERT_ACCEPTED", "send_at": T0, "title": "Disk full", "mask": "b…@example.org", "at": T0}
    assert told(NoticeQueued.model_validate(queued)).text == (
        "Bob will hear that the alert was accepted, by e-mail at b…@example.org"
    )
    failed = NoticeFailed(notice=4, user=8, alert=42, error="550 no such mailbox", at=T0)
    assert (told(failed).text, told(failed).reasons) == ("Bob could not be sent the news", ("550 no such mailbox",))


def test_filters_choose_by_the_published_names() -> None:
    assert "action.failed" in types_of(["CONNECTOR_EVENTS"])
    assert "incident.linked" in types_of(["INCIDENT_COMMUNICATIONS"])
    assert "notification.sent" in types_of(["NOTIFICATIONS"])
    assert "alert.created" not in types_of(["NOTIFICATIONS"])
    assert types_of(["CALL_ROUTING_EVENTS"]) == []


@pytest.mark.parametrize("wire_type", sorted(event.wire_type() for event in SHAPES))
def test_every_sample_of_what_is_told_published_or_of_today_has_a_sentence(wire_type: str) -> None:
    published = [file.read_bytes() for file in sorted(SAMPLES.rglob(f"{wire_type}.*.json"))]
    for body in [sample(event_types()[wire_type]), *published]:
        line = entry(1, wire_type, json.loads(body)["data"], Book())
        assert line.text
        assert line.text != wire_type
        assert event_types()[wire_type] in SHAPES
