"""A batch of signals against the memory ledger: given sources, when tools speak, then these alerts and drops and no others."""

import asyncio
import json
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

from events.connectors import ActionAnswer, ActionAnswered, ActionDispatched
from events.core import Event
from events.envelope import Envelope
from events.escalator import PolicyChanged, PolicyDeleted, Rule
from events.ingest import (
    AlertAccepted,
    AlertAnswerNoted,
    AlertAssigned,
    AlertCommented,
    AlertCreated,
    AlertEscalationRequested,
    AlertRepeated,
    AlertRerouteRefused,
    AlertResolved,
    DropReason,
    SignalDropped,
    SignalReceived,
    SourceChanged,
    SourceDeleted,
)
from events.notifier import AnswerAction, NotificationAnswered
from events.shared import Actor
from events.statuspage import MaintenanceChanged, MaintenanceDeleted, MaintenanceEnded
from ingest import alerts, domain
from ingest.desk import reindex
from ingest.intake import Grouping
from ingest.maintenance import Maintenance
from ingest.policies import Policies
from ingest.sources import Delete, Save
from ingest.streams import ALERT, KINDS, SOURCE
from ingest.worker import Worker
from runtime.broker_memory import MemoryBroker, MemoryCluster
from runtime.gate import GatePassed
from runtime.ledger_memory import MemoryLedger
from runtime.ports import Unavailable
from runtime.records import Received
from runtime.settings import Settings
from runtime.shell import Shell
from runtime.unit import Unit

T0 = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)


class Hand:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.at = T0

    def now(self) -> datetime:
        return self.at


class Desk:
    """A worker on a memory ledger; what was decided is in `story`."""

    def __init__(self) -> None:
        self.clock = Hand()
        self.policies = Policies()
        self.barriers = 0
        self.late: Callable[[], None] = lambda: None
        self.maintenance = Maintenance()
        self.looks = 0
        self.worker = Worker(
            self.policies,
            self._caught_up,
            minute_s=60,
            maintenance=self.maintenance,
            windows_are_known=self._windows_are_known,
        )
        self.shell = Shell(
            "ingest",
            settings=Settings(),
            ledger=MemoryLedger(clock=self.clock),
            broker=MemoryBroker(MemoryCluster()),
            clock=self.clock,
            kinds=KINDS,
            reindex=reindex,
        )
        self.story: list[Event] = []
        self.envelopes: list[Envelope] = []
        self._signals = 0

    async def _caught_up(self) -> None:
        self.barriers += 1
        self.late()

    async def _windows_are_known(self) -> None:
        self.looks += 1
        self.late()

    async def run(self, work: Callable[[Unit], Coroutine[Any, Any, Any]]) -> list[Event]:
        """One unit; its events."""

        async def kept(unit: Unit) -> list[Envelope]:
            await work(unit)
            return list(unit.decided)

        decided = await self.shell.run(kept)
        self.envelopes += decided
        self.story += [envelope.event for envelope in decided]
        return [envelope.event for envelope in decided]

    async def source(self, number: int = 5, **fields: Any) -> None:
        saved = SourceChanged.model_validate(
            {"source": number, "name": "Shop", "key_digest": "d", "key_cell": "c", "policy": 3, "at": T0} | fields
        )

        async def save(unit: Unit) -> None:
            await unit.load(SOURCE, [number])
            unit.decide(SOURCE, number, Save(saved))

        await self.run(save)

    async def delete_source(self, number: int = 5) -> None:
        async def delete(unit: Unit) -> None:
            await unit.load(SOURCE, [number])
            unit.decide(SOURCE, number, Delete(T0))

        await self.run(delete)

    def policy(self, number: int = 3, **fields: Any) -> None:
        known = {"policy": number, "name": f"P{number}", "rules": (Rule(targets=(), timeout_min=5),), "at": T0}
        self.policies.take(PolicyChanged.model_validate(known | fields))

    def signal(self, kind: str = "ALERT", key: str | None = "k", source: int = 5, **fields: Any) -> SignalReceived:
        self._signals += 1
        body = {"eventType": kind, "summary": "disk full"} | ({"alertKey": key} if key else {}) | fields
        return SignalReceived(
            signal=f"s{self._signals}", source=source, integration="api", body=json.dumps(body), at=self.clock.at
        )

    async def hear(self, *heard: Event) -> list[Event]:
        """One batch."""
        batch = [
            Received(Envelope(event, event.stream, 0, "ingest"), "signals.v1", 0, offset, T0)
            for offset, event in enumerate(heard)
        ]
        return await self.run(lambda unit: self.worker.react(unit, batch))


def told(story: Callable[[Desk], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(story(Desk()))


def drops(events: list[Event]) -> list[DropReason]:
    return [event.reason for event in events if isinstance(event, SignalDropped)]


def kinds(events: list[Event]) -> list[str]:
    return [event.wire_type() for event in events]


class TestOpening:
    def test_an_alert_is_opened_with_policy_priority_and_their_reasons(self) -> None:
        async def story(desk: Desk) -> None:
            desk.policy()
            await desk.source()
            (created,) = await desk.hear(desk.signal(labels={"env": "prod"}, severity=2))
            assert isinstance(created, AlertCreated)
            assert (created.policy, created.priority.value, created.severity) == (3, "HIGH", 2)
            assert created.policy_reason == "the policy of the alert source"
            assert (created.signal, created.received_at, created.labels) == ("s1", T0, {"env": "prod"})
            assert desk.envelopes[-1].causation == "signal-s1"

        told(story)

    def test_custom_details_are_kept_whole_or_not_at_all(self) -> None:
        async def story(desk: Desk) -> None:
            desk.policy()
            await desk.source()
            small, large = {"host": "db-1"}, {"host": "x" * 33_000}
            decided = await desk.hear(*(desk.signal(key=None, customDetails=custom) for custom in (small, large, {})))
            assert [event.custom_details for event in decided if isinstance(event, AlertCreated)] == [small, None, None]

        told(story)

    def test_the_same_key_without_case_is_the_same_alert_and_repeats_fold(self) -> None:
        async def story(desk: Desk) -> None:
            desk.policy()
            await desk.source()
            decided = await desk.hear(*(desk.signal(key=key) for key in ("Disk", " disk ", "DISK", "disk")))
            assert kinds(decided) == ["alert.created", "alert.repeated"]
            repeated = decided[1]
            assert isinstance(repeated, AlertRepeated)
            assert (repeated.count, repeated.signals) == (3, ("s2", "s3", "s4"))
            assert kinds(await desk.hear(desk.signal(key="disk"))) == ["alert.repeated"]

        told(story)

    def test_without_a_key_each_event_is_an_alert(self) -> None:
        async def story(desk: Desk) -> None:
            desk.policy()
            await desk.source()
            decided = await desk.hear(desk.signal(key=None), desk.signal(key=None))
            assert kinds(decided) == ["alert.created", "alert.created"]

        told(story)

    def test_the_same_key_at_another_source_is_another_alert(self) -> None:
        async def story(desk: Desk) -> None:
            desk.policy()
            await desk.source(5)
            await desk.source(6)
            decided = await desk.hear(desk.signal(source=5), desk.signal(source=6))
            assert kinds(decided) == ["alert.created", "alert.created"]

        told(story)


class TestLife:
    def test_accept_resolve_and_a_new_alert_for_the_same_key_in_one_batch(self) -> None:
        async def story(desk: Desk) -> None:
            desk.policy()
            await desk.source()
            decided = await desk.hear(*(desk.signal(kind) for kind in ("ALERT", "ACCEPT", "ALERT", "RESOLVE", "ALERT")))
            assert kinds(decided) == [
                "alert.created",
                "alert.accepted",
                "alert.repeated",
                "alert.resolved",
                "alert.created",
            ]
            first, second = (event for event in decided if isinstance(event, AlertCreated))
            assert first.alert != second.alert

        told(story)

    def test_a_resolved_alerts_key_is_free_again_whoever_resolved_it(self) -> None:
        async def story(desk: Desk) -> None:
            desk.policy()
            await desk.source()
            (created,) = await desk.hear(desk.signal())
            assert isinstance(created, AlertCreated)
            ada = Actor.by_user(7, "web")
            await desk.run(lambda unit: alerts.command(unit, created.alert, domain.Resolve(ada, unit.at)))
            assert drops(await desk.hear(desk.signal("RESOLVE"))) == [DropReason.NO_OPEN_ALERT]
            assert kinds(await desk.hear(desk.signal())) == ["alert.created"]

        told(story)

    def test_comments_come_along_and_alone(self) -> None:
        async def story(desk: Desk) -> None:
            desk.policy()
            await desk.source()
            decided = await desk.hear(
                desk.signal(comments=[{"creator": "bot", "content": "seen before"}]),
                desk.signal("COMMENT", comments=[{"content": "and again"}]),
            )
            said = [(event.creator, event.content) for event in decided if isinstance(event, AlertCommented)]
            assert said == [("bot", "seen before"), ("", "and again")]
            assert len({event.comment for event in decided if isinstance(event, AlertCommented)}) == 2

        told(story)

    def test_an_answer_through_a_message_accepts_in_that_persons_name(self) -> None:
        async def story(desk: Desk) -> None:
            desk.policy()
            await desk.source()
            (created,) = await desk.hear(desk.signal())
            assert isinstance(created, AlertCreated)
            answered = NotificationAnswered(
                alert=created.alert, user=7, notification=9, action=AnswerAction.ACCEPT, at=T0
            )
            assert await desk.hear(answered) == [
                AlertAccepted(alert=created.alert, by=Actor.by_user(7, "email"), notification=9, at=T0)
            ]
            assert await desk.hear(answered) == []

        told(story)

    def test_open_too_long_it_is_resolved_and_its_key_is_free(self) -> None:
        async def story(desk: Desk) -> None:
            desk.policy()
            await desk.source(auto_resolution="PT10M")
            (created,) = await desk.hear(desk.signal())
            assert isinstance(created, AlertCreated)
            assert created.auto_resolve_at == T0 + timedelta(minutes=10)
            desk.clock.at = T0 + timedelta(minutes=10)

            async def tick(unit: Unit) -> None:
                await unit.load(ALERT, [created.alert])
                await desk.worker.tick(unit, [(ALERT, str(created.alert))], GatePassed())

            assert kinds(await desk.run(tick)) == ["alert.resolved"]
            assert kinds(await desk.hear(desk.signal())) == ["alert.created"]

        told(story)


class TestGrouping:
    def test_until_accepted_and_until_resolved(self) -> None:
        async def story(desk: Desk) -> None:
            desk.policy()
            for mode, after_accept in ((Grouping.PENDING, "alert.created"), (Grouping.OPEN, "alert.repeated")):
                await desk.source(alert_creation=mode)
                first = await desk.hear(desk.signal(key="a"), desk.signal(key=None), desk.signal("ACCEPT", key="a"))
                assert kinds(first) == ["alert.created", "alert.repeated", "alert.accepted"]
                assert kinds(await desk.hear(desk.signal(key=None))) == [after_accept]
                await desk.hear(desk.signal("RESOLVE", key="a"))
                await _resolve_all(desk)

        told(story)

    def test_by_summary(self) -> None:
        async def story(desk: Desk) -> None:
            desk.policy()
            await desk.source(alert_creation=Grouping.SUBJECT)
            decided = await desk.hear(desk.signal(key=None), desk.signal(key=None), desk.signal(key=None, summary="x"))
            assert sorted(kinds(decided)) == ["alert.created", "alert.created", "alert.repeated"]

        told(story)


async def _resolve_all(desk: Desk) -> None:
    for event in list(desk.story):
        if isinstance(event, AlertCreated):
            await _resolve(desk, event.alert)


async def _resolve(desk: Desk, alert: int) -> None:
    await desk.run(lambda unit: alerts.command(unit, alert, domain.Resolve(Actor.by_system("test"), T0)))


class TestPolicy:
    def test_a_routing_key_chooses_left_to_right_and_falls_back_to_the_sources(self) -> None:
        async def story(desk: Desk) -> None:
            desk.policy(3)
            desk.policy(4, routing_key="DB")
            await desk.source()
            decided = await desk.hear(
                desk.signal(key=None, routingKey="net, db"), desk.signal(key=None, routingKey="nowhere")
            )
            chosen = [(event.policy, event.policy_reason) for event in decided if isinstance(event, AlertCreated)]
            assert chosen[0] == (4, "the event's routing key db")
            assert chosen[1][0] == 3
            assert "nowhere" in chosen[1][1]

        told(story)

    def test_a_deleted_policy_falls_back_to_the_default_with_a_warning(self) -> None:
        async def story(desk: Desk) -> None:
            desk.policy(3)
            desk.policy(8)
            desk.policy(9)
            desk.policies.take(PolicyDeleted(policy=3, at=T0))
            await desk.source()
            (created,) = await desk.hear(desk.signal())
            assert isinstance(created, AlertCreated)
            assert created.policy == 8
            assert created.policy_reason.startswith("warning")
            assert desk.barriers == 0

        told(story)

    def test_a_policy_of_a_moment_ago_is_waited_for(self) -> None:
        async def story(desk: Desk) -> None:
            desk.policy(1)
            desk.late = lambda: desk.policy(3)
            await desk.source()
            (created,) = await desk.hear(desk.signal())
            assert isinstance(created, AlertCreated)
            assert (created.policy, desk.barriers) == (3, 1)

        told(story)

    def test_a_repeat_that_is_routed_elsewhere_hands_the_alert_over_once(self) -> None:
        async def story(desk: Desk) -> None:
            desk.policy(3)
            desk.policy(4, routing_key="db")
            await desk.source()
            decided = await desk.hear(
                desk.signal(), desk.signal(routingKey="db"), desk.signal(routingKey="db"), desk.signal()
            )
            assert kinds(decided) == ["alert.created", "alert.repeated", "alert.assigned", "alert.repeated"]
            (assigned,) = (event for event in decided if isinstance(event, AlertAssigned))
            assert assigned.policy == 4

        told(story)


class TestDrops:
    def test_every_signal_that_becomes_nothing_has_its_reason(self) -> None:
        async def story(desk: Desk) -> None:
            desk.policy()
            await desk.source()
            unreadable = desk.signal().model_copy(update={"body": '{"eventType": "SHOUT"}'})
            torn = desk.signal().model_copy(update={"body": "{"})
            telex = desk.signal().model_copy(update={"integration": "telex"})
            decided = await desk.hear(
                desk.signal("RESOLVE"), desk.signal("ACCEPT", key=None), unreadable, torn, telex, desk.signal(source=77)
            )
            assert drops(decided) == [
                DropReason.NO_OPEN_ALERT,
                DropReason.NO_OPEN_ALERT,
                DropReason.UNREADABLE,
                DropReason.UNREADABLE,
                DropReason.UNREADABLE,
                DropReason.SOURCE_DELETED,
            ]
            assert len(decided) == 6
            assert all(event.text for event in decided if isinstance(event, SignalDropped))

        told(story)

    def test_a_disabled_and_a_deleted_source_open_nothing(self) -> None:
        async def story(desk: Desk) -> None:
            desk.policy()
            await desk.source(active=False)
            assert drops(await desk.hear(desk.signal())) == [DropReason.SOURCE_DISABLED]
            await desk.delete_source()
            assert drops(await desk.hear(desk.signal())) == [DropReason.SOURCE_DELETED]
            assert SourceDeleted(source=5, at=T0) in desk.story

        told(story)

    def test_what_its_sender_says_again_counts_once(self) -> None:
        async def story(desk: Desk) -> None:
            desk.policy()
            await desk.source()
            said = desk.signal(key=None).model_copy(update={"sender_id": "e-1"})
            decided = await desk.hear(said, said)
            assert kinds(decided) == ["alert.created", "signal.dropped"]
            assert drops(await desk.hear(said)) == [DropReason.DUPLICATE_SIGNAL]

        told(story)


async def opened(desk: Desk, **fields: Any) -> int:
    """The id of an alert that a tool opened."""
    desk.policy()
    await desk.source()
    (created,) = await desk.hear(desk.signal(**fields))
    assert isinstance(created, AlertCreated)
    return created.alert


def window(*sources: int, start: float = -1, end: float = 1) -> MaintenanceChanged:
    """A maintenance of these sources; times in hours from T0."""
    began, ends = T0 + timedelta(hours=start), T0 + timedelta(hours=end)
    return MaintenanceChanged(maintenance=4, summary="New disks", start=began, end=ends, sources=sources, at=began)


class TestMaintenance:
    def test_no_alert_is_opened_or_repeated_and_the_drop_names_the_window(self) -> None:
        async def story(desk: Desk) -> None:
            await opened(desk)
            desk.maintenance.take(window(5))
            decided = await desk.hear(desk.signal(key="new"), desk.signal(), desk.signal(key=None))
            assert drops(decided) == [DropReason.IN_MAINTENANCE] * 3
            (first, *_) = decided
            assert isinstance(first, SignalDropped)
            assert first.text == (
                "the alert source is in maintenance until 2026-03-01 04:00 UTC: «New disks» (maintenance 4)"
            )

        told(story)

    def test_an_open_alert_can_still_be_accepted_commented_and_resolved(self) -> None:
        async def story(desk: Desk) -> None:
            await opened(desk)
            desk.maintenance.take(window(5))
            decided = await desk.hear(
                desk.signal("ACCEPT"), desk.signal("COMMENT", comments=[{"content": "x"}]), desk.signal("RESOLVE")
            )
            assert kinds(decided) == ["alert.accepted", "alert.commented", "alert.resolved"]

        told(story)

    def test_other_sources_are_heard(self) -> None:
        async def story(desk: Desk) -> None:
            desk.policy()
            await desk.source(6)
            desk.maintenance.take(window(5))
            assert kinds(await desk.hear(desk.signal(source=6))) == ["alert.created"]

        told(story)

    def test_it_is_the_arrival_of_the_event_that_counts_up_to_but_not_including_the_end(self) -> None:
        async def story(desk: Desk) -> None:
            desk.policy()
            await desk.source()
            desk.maintenance.take(window(5, start=0, end=1))
            early, late = T0 - timedelta(seconds=1), T0 + timedelta(hours=1)
            heard = [desk.signal(key=None).model_copy(update={"at": at}) for at in (early, T0, late)]
            desk.clock.at = T0 + timedelta(hours=2)
            assert kinds(await desk.hear(*heard)) == ["alert.created", "signal.dropped", "alert.created"]

        told(story)

    def test_closed_early_or_deleted_it_is_heard_again_from_then_on(self) -> None:
        async def story(desk: Desk) -> None:
            desk.policy()
            await desk.source()
            for over in (MaintenanceEnded, MaintenanceDeleted):
                desk.maintenance.take(window(5))
                desk.maintenance.take(over(maintenance=4, at=T0))
                before = desk.signal(key=None).model_copy(update={"at": T0 - timedelta(minutes=1)})
                decided = await desk.hear(before, desk.signal(key=None))
                assert kinds(decided) == ["signal.dropped", "alert.created"]
            desk.maintenance.take(window(5, start=1, end=2))
            desk.maintenance.take(MaintenanceDeleted(maintenance=4, at=T0))
            desk.clock.at = T0 + timedelta(minutes=90)
            assert kinds(await desk.hear(desk.signal(key=None))) == ["alert.created"]

        told(story)

    def test_a_window_that_is_moved_to_other_sources_and_times_leaves_nothing_behind(self) -> None:
        async def story(desk: Desk) -> None:
            desk.policy()
            await desk.source(5)
            await desk.source(6)
            desk.maintenance.take(window(5))
            desk.maintenance.take(window(6, start=1, end=2))
            decided = await desk.hear(desk.signal(source=5), desk.signal(source=6))
            assert kinds(decided) == ["alert.created", "alert.created"]

        told(story)

    def test_a_window_of_a_moment_ago_is_waited_for_where_an_alert_may_be_opened(self) -> None:
        async def story(desk: Desk) -> None:
            await opened(desk)
            desk.late = lambda: desk.maintenance.take(window(5))
            looks = desk.looks
            await desk.hear(desk.signal("ACCEPT"))
            assert desk.looks == looks
            assert drops(await desk.hear(desk.signal(key="new"))) == [DropReason.IN_MAINTENANCE]

        told(story)

    def test_the_ids_of_alerts_have_no_holes_through_it(self) -> None:
        async def story(desk: Desk) -> None:
            number = await opened(desk)
            desk.maintenance.take(window(5))
            await desk.hear(*(desk.signal(key=None) for _ in range(20)))
            desk.maintenance.take(MaintenanceDeleted(maintenance=4, at=T0))
            (created,) = await desk.hear(desk.signal(key=None))
            assert isinstance(created, AlertCreated)
            assert created.alert == number + 1

        told(story)


def answered(alert: int, answer: ActionAnswer, **fields: Any) -> ActionAnswered:
    return ActionAnswered(alert=alert, answer=answer, channel="slack", at=T0, **fields)


class TestAnswersThroughOtherTools:
    def test_somebody_whom_only_the_other_tool_knows_accepts_escalates_and_resolves_by_their_name_there(self) -> None:
        async def story(desk: Desk) -> None:
            alert = await opened(desk)
            asked = [answered(alert, answer, who="grace.h") for answer in ActionAnswer]
            decided = await desk.hear(*asked)
            grace = Actor.by_somebody("grace.h", "slack")
            assert decided == [
                AlertAccepted(alert=alert, by=grace, at=T0),
                AlertEscalationRequested(alert=alert, by=grace, at=T0),
                AlertResolved(alert=alert, by=grace, reason="answered through slack", at=T0),
            ]

        told(story)

    def test_one_of_our_people_answers_in_their_own_name(self) -> None:
        async def story(desk: Desk) -> None:
            alert = await opened(desk)
            (accepted,) = await desk.hear(answered(alert, ActionAnswer.ACCEPT, user=7, who="grace.h"))
            assert accepted == AlertAccepted(alert=alert, by=Actor.by_user(7, "slack"), at=T0)

        told(story)

    def test_what_comes_too_late_is_noted_an_escalation_too(self) -> None:
        async def story(desk: Desk) -> None:
            alert = await opened(desk)
            await _resolve(desk, alert)
            decided = await desk.hear(*(answered(alert, answer, who="grace.h") for answer in ActionAnswer))
            noted = [(event.answer, event.outcome) for event in decided if isinstance(event, AlertAnswerNoted)]
            assert noted == [(answer.value, "ALREADY_RESOLVED") for answer in ActionAnswer]

        told(story)


def reroute(alert: int, policy: int | None) -> ActionDispatched:
    return ActionDispatched(alert=alert, run=11, action=2, name="To the boss", type="reroute", policy=policy, at=T0)


class TestRerouting:
    def test_an_alert_action_hands_the_alert_over_and_is_its_cause(self) -> None:
        async def story(desk: Desk) -> None:
            alert = await opened(desk)
            desk.policy(8)
            (assigned,) = await desk.hear(reroute(alert, 8))
            assert assigned == AlertAssigned(
                alert=alert, policy=8, by=Actor.by_system("alert action «To the boss»"), at=T0
            )
            assert desk.envelopes[-1].causation == f"actions-{alert}"  # the test gives no versions

        told(story)

    def test_without_such_a_policy_or_when_it_is_over_it_is_refused_with_the_reason(self) -> None:
        async def story(desk: Desk) -> None:
            alert = await opened(desk)
            first = await desk.hear(reroute(alert, 8), reroute(alert, None))
            await _resolve(desk, alert)
            refused = [*first, *await desk.hear(reroute(alert, 3))]
            assert [
                (event.run, event.policy, event.reason) for event in refused if isinstance(event, AlertRerouteRefused)
            ] == [
                (11, 8, "there is no policy 8"),
                (11, None, "the action names no escalation policy"),
                (11, 3, "the alert is resolved"),
            ]

        told(story)

    def test_a_policy_of_a_moment_ago_is_waited_for_before_refusing(self) -> None:
        async def story(desk: Desk) -> None:
            alert = await opened(desk)
            desk.late = lambda: desk.policy(8)
            assert kinds(await desk.hear(reroute(alert, 8))) == ["alert.assigned"]

        told(story)

    def test_what_is_asked_of_others_means_nothing_here(self) -> None:
        async def story(desk: Desk) -> None:
            alert = await opened(desk)
            other = reroute(alert, 3).model_copy(update={"type": "automation_rule"})
            assert await desk.hear(other) == []

        told(story)


class TestBooks:
    def test_every_signal_of_a_mixed_night_is_in_exactly_one_alert_or_dropped_with_a_reason(self) -> None:
        async def story(desk: Desk) -> None:
            desk.policy()
            await desk.source(5)
            await desk.source(6, alert_creation=Grouping.OPEN)
            heard = [
                desk.signal(kind, key=key, source=source)
                for source in (5, 6, 7)
                for kind in ("ALERT", "ALERT", "ACCEPT", "ACCEPT", "RESOLVE", "RESOLVE", "ALERT")
                for key in ("a", "B", None)
            ]
            for start in range(0, len(heard), 10):
                await desk.hear(*heard[start : start + 10])
            books = [signal for event in desk.story for signal in _signals(event)]
            assert sorted(books) == sorted(signal.signal for signal in heard)

        told(story)

    def test_the_index_of_open_alerts_is_restored_from_the_log(self) -> None:
        async def story(desk: Desk) -> None:
            desk.policy()
            await desk.source()
            await desk.hear(desk.signal(key="a"), desk.signal(key="b"), desk.signal("RESOLVE", key="b"))
            restored = list(desk.envelopes)

            async def forget(unit: Unit) -> None:
                unit.put(alerts.OPEN, dict.fromkeys(await unit.scan(alerts.OPEN, ""), None))

            await desk.run(forget)
            await desk.run(lambda unit: reindex(unit, restored))
            decided = await desk.hear(desk.signal(key="a"), desk.signal(key="b"))
            assert sorted(kinds(decided)) == ["alert.created", "alert.repeated"]

        told(story)

    def test_while_policies_cannot_be_read_to_the_end_nothing_is_decided(self) -> None:
        async def story(desk: Desk) -> None:
            await desk.source()

            def away() -> None:
                raise Unavailable("the broker is away")

            desk.late = away
            before = len(desk.story)
            try:
                await desk.hear(desk.signal())
            except Unavailable:
                assert len(desk.story) == before
            else:
                raise AssertionError("it should have waited")

        told(story)


def _signals(event: Event) -> tuple[str, ...]:
    match event:
        case AlertRepeated(signals=signals):
            return signals
        case _:
            signal = getattr(event, "signal", None)
            return (signal,) if isinstance(signal, str) else ()
