"""The timeline's sentences: events and names in, who and why out; for every event that may be told."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from events.catalogue import event_types
from events.core import Event
from events.escalator import EscalationHalted
from events.ingest import AlertAccepted, AlertAnswerNoted, AlertAssigned, AlertCreated
from events.notifier import Carried, MessageComposed
from events.shared import Actor
from ingest.timeline import SHAPES, Entry, entry, story, types_of

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


def test_filters_choose_by_the_published_names() -> None:
    assert "notification.sent" in types_of(["NOTIFICATIONS"])
    assert "alert.created" not in types_of(["NOTIFICATIONS"])
    assert types_of(["CALL_ROUTING_EVENTS"]) == []


@pytest.mark.parametrize("wire_type", sorted(event.wire_type() for event in SHAPES))
def test_every_published_sample_of_what_is_told_has_a_sentence(wire_type: str) -> None:
    files = sorted(SAMPLES.rglob(f"{wire_type}*.json"))
    assert files, "each event has a sample that is kept for ever"
    for file in files:
        sample = json.loads(file.read_text())
        body = sample.get("data", sample)
        line = entry(1, wire_type, body, Book())
        assert line.text
        assert line.text != wire_type
        assert event_types()[wire_type] in SHAPES
