"""The rules between a source's word and an alert: priority, grouping, auto-resolution, and a source's own life."""

from datetime import UTC, datetime, timedelta

import pytest

from events.core import Refusal
from events.ingest import PriorityRule, SourceChanged, SourceDeleted
from events.notifier import AnswerAction, NotificationAnswered
from events.shared import Actor, Priority
from ingest import domain, intake, reactions, sources
from ingest.canonical import EventType, ToolEvent
from ingest.sources import Delete, Save

T0 = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)


def a_source(**fields: object) -> SourceChanged:
    return SourceChanged.model_validate(
        {"source": 5, "name": "Shop", "key_digest": "d", "key_cell": "c", "policy": 3, "at": T0} | fields
    )


def an_alert(**fields: object) -> ToolEvent:
    return ToolEvent(EventType.ALERT, summary="disk full", **fields)  # type: ignore[arg-type]


class TestPriority:
    @pytest.mark.parametrize(
        ("rule", "asked", "expected"),
        [
            (PriorityRule.HIGH, None, Priority.HIGH),
            (PriorityRule.LOW, None, Priority.LOW),
            (PriorityRule.HIGH, Priority.LOW, Priority.LOW),
            (PriorityRule.LOW, Priority.HIGH, Priority.LOW),
        ],
    )
    def test_the_event_is_heard_only_where_the_rule_is_plain_high(
        self, rule: PriorityRule, asked: Priority | None, expected: Priority
    ) -> None:
        priority, reason = intake.priority_of(a_source(priority_rule=rule), an_alert(priority=asked))
        assert priority is expected
        assert expected.value in reason


class TestAutoResolution:
    def test_it_is_counted_from_now_in_minutes_of_the_length_set(self) -> None:
        source = a_source(auto_resolution="PT10M")
        assert intake.auto_resolve_at(source, T0, 60) == T0 + timedelta(minutes=10)
        assert intake.auto_resolve_at(source, T0, 1) == T0 + timedelta(seconds=10)

    def test_without_one_it_never_comes(self) -> None:
        assert intake.auto_resolve_at(a_source(), T0, 60) is None


class TestGrouping:
    def test_each_event_is_its_own_alert_unless_the_mode_says_otherwise(self) -> None:
        assert intake.group_of(intake.Grouping.EACH, 5, an_alert()) is None
        assert intake.group_of(intake.Grouping.OPEN, 5, an_alert()) == "5/*"
        one, other = (intake.group_of(intake.Grouping.SUBJECT, 5, an_alert()), ToolEvent(EventType.ALERT, "other"))
        assert one != intake.group_of(intake.Grouping.SUBJECT, 5, other)

    def test_an_accepted_alert_is_joined_until_resolved_but_not_until_accepted(self) -> None:
        accepted = domain.Accepted(42, 5, None, None, None)
        assert intake.joins(intake.Grouping.OPEN, accepted)
        assert not intake.joins(intake.Grouping.PENDING, accepted)
        assert not intake.joins(intake.Grouping.OPEN, domain.Resolved(42, 5, None))


class TestSource:
    def test_what_is_saved_unchanged_is_no_event(self) -> None:
        first = sources.source.decide(sources.Missing(), Save(a_source()))
        assert first == [a_source(created=True)]
        state = sources.source.fold(first)
        assert sources.source.decide(state, Save(a_source(at=T0 + timedelta(1)))) == []
        assert sources.source.decide(state, Save(a_source(name="Bar"))) == [a_source(name="Bar")]

    def test_deleted_is_final(self) -> None:
        gone = sources.source.fold([a_source(), SourceDeleted(source=5, at=T0)])
        assert sources.source.decide(gone, Delete(T0)) == []
        assert isinstance(sources.source.decide(gone, Save(a_source())), Refusal)


class TestReaction:
    @pytest.mark.parametrize(
        ("action", "command"),
        [
            (AnswerAction.ACCEPT, domain.Accept),
            (AnswerAction.RESOLVE, domain.Resolve),
            (AnswerAction.ESCALATE, domain.RequestEscalation),
        ],
    )
    def test_an_answer_is_a_command_in_that_persons_name(
        self, action: AnswerAction, command: type[domain.Command]
    ) -> None:
        answered = NotificationAnswered(alert=42, user=7, notification=9, action=action, at=T0)
        found = reactions.reaction(answered, T0, lambda _policy: False)
        assert found is not None
        alert, asked = found
        assert alert == 42
        assert isinstance(asked, command)
        assert isinstance(asked, domain.Accept | domain.Resolve | domain.RequestEscalation)
        assert asked.by == Actor.by_user(7, "email")
        assert asked.notification == 9
