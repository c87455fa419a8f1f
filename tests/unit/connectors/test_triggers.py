"""When an action runs: which events meet which triggers, and which actions want them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.domain.dossier import Dossier, dump, follow, load, restored
from connectors.domain.runs import CallOff, Plan, Queue, Reply, Skip
from connectors.domain.triggers import matches, occurrences
from connectors.reactions import call_off, reply, taken_in
from events.connectors import ActionConfigured, TriggerMode
from events.core import Event
from events.envelope import Envelope
from events.escalator import (
    EscalationEnded,
    EscalationHalted,
    EscalationLevelReached,
    EscalationResponderAdded,
    EscalationStarted,
    Reason,
    Responder,
)
from events.ingest import (
    AlertAccepted,
    AlertAssigned,
    AlertCommented,
    AlertCreated,
    AlertEscalationRequested,
    AlertRepeated,
    AlertRerouteRefused,
    AlertResolved,
)
from events.shared import Actor, Link
from events.statuspage import AutomationApplied, AutomationRefused

T0 = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
TOOL, ADA = Actor.by_source(5), Actor.by_user(7, "web")
SYSTEM = Actor.by_system
GRACE = Responder(user=7, reason=Reason(text="on call"))


def created(**more: Any) -> AlertCreated:
    return AlertCreated(alert=42, source=5, summary="Disk full", by=TOOL, at=T0, **more)


def resolved(by: Actor) -> AlertResolved:
    return AlertResolved(alert=42, by=by, at=T0)


def level(number: int, by: Actor | None = None) -> EscalationLevelReached:
    return EscalationLevelReached(alert=42, alert_version=1, level=number, responders=(), by=by, at=T0)


def commented(**more: Any) -> AlertCommented:
    return AlertCommented(alert=42, comment=1, content="hm", by=ADA, at=T0, **more)


def said(event: Event, version: int = 1, causation: str | None = None) -> Envelope:
    return Envelope(event, event.stream, version, "another", causation)


def action(number: int = 1, kind: str = "webhook", *triggers: str, **more: Any) -> ActionConfigured:
    given = {"name": "Tell", "sources": (5,), "triggers": triggers or ("alert-created",)} | more
    return ActionConfigured(action=number, type=kind, at=T0, **given)


@pytest.mark.parametrize(
    ("event", "names"),
    [
        (created(), ["alert-created", "v-alert-not-resolved"]),
        (AlertAssigned(alert=42, user=7, by=ADA, at=T0), ["alert-assigned"]),
        (AlertAccepted(alert=42, by=ADA, at=T0), ["alert-acknowledged"]),
        (commented(), ["alert-comment-added"]),
        (commented(resolve_comment=True), []),
        (resolved(TOOL), ["alert-resolved"]),
        (resolved(ADA), ["alert-resolved"]),
        (resolved(SYSTEM("auto-resolution")), ["alert-auto-resolved"]),
        (resolved(Actor.by_somebody("grace", "slack")), ["alert-resolved"]),
        (level(0), []),
        (level(1), ["alert-auto-escalated"]),
        (level(1, ADA), []),
        (EscalationEnded(alert=42, alert_version=1, reason="", at=T0), ["alert-escalation-ended"]),
        (EscalationHalted(alert=42, alert_version=1, reason="", at=T0), []),
        (EscalationResponderAdded(alert=42, alert_version=1, responder=GRACE, at=T0), ["alert-responder-added"]),
        (AlertRepeated(alert=42, count=9, received_at=T0, at=T0), []),
        (AlertEscalationRequested(alert=42, by=ADA, at=T0), []),
    ],
)
def test_what_happened_has_published_names(event: Event, names: list[str]) -> None:
    assert [one.name for one in occurrences(said(event))] == names


def test_a_trigger_is_the_event_that_meets_it() -> None:
    (one,) = occurrences(said(level(1), 7))
    assert one.id == "escalation-42@7"


@pytest.mark.parametrize(
    ("given", "trigger", "runs"),
    [
        (action(), "alert-created", True),
        (action(), "alert-resolved", False),
        (action(mode=TriggerMode.MANUAL), "alert-created", False),
        (action(1, "automation_rule", params={"alertType": "CREATED"}), "alert-created", True),
        (action(1, "automation_rule", params={"alertType": "ACCEPTED"}), "alert-created", False),
        (action(1, "automation_rule", params={"alertType": "ACCEPTED"}), "alert-acknowledged", True),
        (action(1, "automation_rule", params={"templateId": 3}), "alert-resolved", False),
        (action(1, "automation_rule", params={"templateId": 3, "resolveIncident": True}), "alert-resolved", True),
        (action(1, "automation_rule", params={"resolveIncident": True}), "alert-auto-resolved", True),
        (action(1, "automation_rule", params={"serviceIds": [1]}), "alert-resolved", True),
        (
            action(1, "automation_rule", mode=TriggerMode.MANUAL, params={"resolveIncident": True}),
            "alert-resolved",
            True,
        ),
    ],
)
def test_an_action_runs_at_its_triggers(given: ActionConfigured, trigger: str, runs: bool) -> None:
    assert matches(given, trigger) is runs


def named(_policy: int) -> str:
    return "Second line"


def commands(
    event: Event, *actions: ActionConfigured, dossier: Dossier | None = None, cause: str | None = None
) -> list[Any]:
    before = dossier or Dossier(alert=42, known=True, source=5)
    _, wishes = taken_in(before, said(event, causation=cause), actions, named)
    return [wish.command(number, T0) for number, wish in enumerate(wishes, 1)]


def test_actions_of_a_source_are_wished_for_in_their_order() -> None:
    wanted = commands(created(), action(3), action(1), action(2, sources=(6,)), dossier=Dossier(alert=42))
    assert [(one.run, one.action.action, one.trigger_id) for one in wanted] == [
        (1, 1, "alert-42@1"),
        (2, 3, "alert-42@1"),
    ]
    assert all(isinstance(one, Queue) for one in wanted)


def test_the_alert_is_pictured_as_it_stood_at_the_trigger() -> None:
    (wish,) = commands(AlertAccepted(alert=42, by=ADA, at=T0), action(1, "webhook", "alert-acknowledged"))
    assert (wish.picture.status, wish.picture.assignee) == ("ACCEPTED", 7)


def test_patience_makes_a_plan() -> None:
    ended = EscalationEnded(alert=42, alert_version=1, reason="", at=T0)
    patient = action(1, "webhook", "alert-escalation-ended", escalation_ended_delay_s=60)
    (plan,) = commands(ended, patient)
    assert isinstance(plan, Plan)
    assert plan.planned.due_at == T0 + timedelta(seconds=60)
    (now,) = commands(ended, action(1, "webhook", "alert-escalation-ended"))
    assert isinstance(now, Queue)


def test_what_an_action_assigned_is_not_routed_on_and_says_so() -> None:
    assigned = AlertAssigned(alert=42, policy=9, by=SYSTEM("reroute"), at=T0)
    routing = action(1, "reroute", "alert-assigned")
    assert isinstance(commands(assigned, routing, cause="actions-42@2")[0], Skip)
    assert isinstance(commands(assigned, routing, cause="notification-1@2")[0], Queue)
    assert isinstance(commands(assigned, action(1, "webhook", "alert-assigned"), cause="actions-42@2")[0], Queue)


def test_what_is_read_before_the_alert_waits_for_it() -> None:
    escalated = action(1, "webhook", "alert-auto-escalated")
    early, nothing = taken_in(Dossier(alert=42), said(level(1), 3), [escalated], named)
    assert nothing == ()
    now, wishes = taken_in(load(dump(early)), said(created()), [escalated], named)
    assert [wish.occurrence.id for wish in wishes] == ["escalation-42@3"]
    assert now.early == ()


@pytest.mark.parametrize(
    ("event", "triggers"),
    [
        (resolved(TOOL), {"v-alert-not-resolved", "alert-escalation-ended"}),
        (AlertAccepted(alert=42, by=ADA, at=T0), {"alert-escalation-ended"}),
        (AlertAssigned(alert=42, user=7, by=ADA, at=T0), {"alert-escalation-ended"}),
    ],
)
def test_answers_call_off_what_waits(event: Event, triggers: set[str]) -> None:
    end = call_off(event, T0)
    assert isinstance(end, CallOff)
    assert end.triggers == triggers


def test_nothing_else_calls_off() -> None:
    assert call_off(commented(), T0) is None


# -- replies


def test_others_reply_by_cause_or_by_run() -> None:
    assigned = AlertAssigned(alert=42, policy=9, by=SYSTEM("reroute"), at=T0)
    assert reply(said(assigned, causation="actions-42@7"), T0) == (
        42,
        Reply(T0, version=7, text="The alert was handed to the escalation policy 9"),
    )
    for other in (None, "actions-43@7", "alert-42@7", "actions-42", "actions-42@x"):
        assert reply(said(assigned, causation=other), T0) is None
    refused = AlertRerouteRefused(alert=42, run=3, reason="No such policy", by=SYSTEM("reroute"), at=T0)
    assert reply(said(refused), T0) == (42, Reply(T0, run=3, error="No such policy"))
    done = AutomationApplied(alert=42, run=3, action=1, incident=5, text="Opened", at=T0)
    assert reply(said(done), T0) == (42, Reply(T0, run=3, text="Opened", reference="5", link="/incidents/5"))
    not_done = AutomationRefused(alert=42, run=3, action=1, reason="No such service", at=T0)
    assert reply(said(not_done), T0) == (42, Reply(T0, run=3, error="No such service"))
    assert reply(said(commented()), T0) is None


# -- what is believed of an alert


def test_a_dossier_follows_the_alert() -> None:
    known = Dossier(alert=42)
    for event in (
        EscalationStarted(
            alert=42, alert_version=1, policy=3, policy_name="First line", levels=(), begins_at=T0, at=T0
        ),
        created(policy=2, details="x" * 9000, links=tuple(Link(href=f"https://a.example/{n}") for n in range(30))),
        AlertRepeated(alert=42, count=1, summary="Disk fuller", received_at=T0, at=T0),
        AlertAccepted(alert=42, by=ADA, at=T0),
    ):
        known = follow(known, event)
    assert (known.summary, known.status, known.assignee, known.policy_name) == (
        "Disk fuller",
        "ACCEPTED",
        7,
        "First line",
    )
    assert (len(known.details), len(known.links), known.policy) == (4000, 10, 3)
    again = follow(known, AlertEscalationRequested(alert=42, by=ADA, at=T0))
    assert (again.status, again.assignee) == ("PENDING", None)
    moved = follow(again, AlertAssigned(alert=42, policy=9, by=ADA, at=T0))
    assert (moved.policy, moved.policy_name) == (9, "")
    assert load(dump(moved)) == moved


def test_what_was_told_is_believed_again() -> None:
    known = follow(Dossier(alert=42), created())
    assert restored(42, known.picture) == known
