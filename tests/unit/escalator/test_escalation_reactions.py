"""From an alert's event to a command, and from a rule's target to people, each with a reason."""

from datetime import UTC, datetime, timedelta

from escalator.domain import escalation
from escalator.domain import schedule as schedules
from escalator.domain.escalation import AddResponder, Assign, Escalate, Found, Halt, Start, World
from escalator.reactions import Needs, needs, reaction
from escalator.roster import ScheduleSeen, Seen, TeamSeen, roster
from events.escalator import Layer, Override, ScheduleChanged, Target
from events.ingest import (
    AlertAccepted,
    AlertAnswerNoted,
    AlertAssigned,
    AlertCommented,
    AlertCreated,
    AlertEscalationRequested,
    AlertRepeated,
    AlertResolved,
    AlertResponderRequested,
)
from events.shared import Actor, Priority

T0 = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
ADA, BOB = 7, 8
BY_ADA = Actor.by_user(ADA, "web")
WORLD = World(T0)


class TestReactions:
    def test_a_new_alert_starts_by_its_policy(self) -> None:
        created = AlertCreated(
            alert=42, source=5, policy=2, priority=Priority.LOW, summary="disk full", by=BY_ADA, at=T0
        )
        assert needs(created) == Needs(42, 2)
        assert reaction(created, 1, WORLD) == (42, Start(42, 1, 2, T0, WORLD, (), Priority.LOW, 5, BY_ADA))

    def test_a_new_alert_with_people_chosen_by_hand_asks_for_them(self) -> None:
        created = AlertCreated(alert=42, source=5, policy=2, responders=(BOB,), summary="disk full", by=BY_ADA, at=T0)
        assert needs(created) == Needs(42, 2, (Target(user=BOB),))
        asked = reaction(created, 1, WORLD)
        assert asked is not None
        assert isinstance(asked[1], Start)
        assert asked[1].responders == (BOB,)

    def test_an_assignment_names_one_of_three(self) -> None:
        to_user = AlertAssigned(alert=42, user=BOB, by=BY_ADA, at=T0)
        to_schedule = AlertAssigned(alert=42, schedule=3, by=BY_ADA, at=T0)
        to_policy = AlertAssigned(alert=42, policy=2, by=BY_ADA, at=T0)
        assert reaction(to_user, 2, WORLD) == (42, Assign(2, None, Target(user=BOB), BY_ADA, T0, WORLD))
        assert reaction(to_schedule, 2, WORLD) == (42, Assign(2, None, Target(schedule=3), BY_ADA, T0, WORLD))
        assert reaction(to_policy, 2, WORLD) == (42, Assign(2, 2, None, BY_ADA, T0, WORLD))
        assert needs(to_schedule) == Needs(42, None, (Target(schedule=3),))

    def test_wishes_of_people(self) -> None:
        escalated = AlertEscalationRequested(alert=42, level=1, by=BY_ADA, at=T0)
        asked_for = AlertResponderRequested(alert=42, user=BOB, by=BY_ADA, at=T0)
        assert reaction(escalated, 3, WORLD) == (42, Escalate(3, 1, BY_ADA, WORLD))
        assert reaction(asked_for, 3, WORLD) == (42, AddResponder(3, BOB, BY_ADA, WORLD))

    def test_an_answer_halts(self) -> None:
        assert reaction(AlertAccepted(alert=42, by=BY_ADA, at=T0), 2, WORLD) == (42, Halt(2, escalation.ACCEPTED, T0))
        assert reaction(AlertResolved(alert=42, by=BY_ADA, at=T0), 2, WORLD) == (42, Halt(2, escalation.RESOLVED, T0))

    def test_what_changes_nothing_means_nothing(self) -> None:
        for event in (
            AlertRepeated(alert=42, count=2, received_at=T0, at=T0),
            AlertCommented(alert=42, comment=1, content="seen", by=BY_ADA, at=T0),
            AlertAnswerNoted(alert=42, answer="ACCEPT", outcome="ALREADY_ACCEPTED", by=BY_ADA, at=T0),
        ):
            assert needs(event) is None
            assert reaction(event, 2, WORLD) is None


def kept(*, users: tuple[int, ...] = (ADA,), overrides: tuple[Override, ...] = ()) -> schedules.Kept:
    layers = (Layer(name="weeks", starts_on="2026-02-23T09:00", users=users, rotation="P7D"),)
    return schedules.Kept(
        ScheduleChanged(schedule=3, name="SRE", timezone="Europe/Berlin", layers=layers, overrides=overrides, at=T0)
    )


def found(target: Target, seen: Seen) -> Found:
    return roster([target], seen, T0)[target]


class TestRoster:
    night = Target(schedule=3)

    def test_a_schedule_yields_who_is_on_call_with_the_layer_and_the_end_of_the_shift(self) -> None:
        (responder,) = found(self.night, Seen({3: ScheduleSeen(kept(), 4)})).responders
        assert responder.user == ADA
        assert (responder.reason.schedule, responder.reason.schedule_version, responder.reason.layer) == (3, 4, "weeks")
        assert responder.reason.shift_end == datetime(2026, 3, 2, 8, tzinfo=UTC)
        assert (
            responder.reason.text == "Schedule «SRE»: turn in layer «weeks» until Mon 02 Mar 2026 09:00 (Europe/Berlin)"
        )

    def test_an_override_is_named(self) -> None:
        hour = timedelta(hours=1)
        override = Override(override=12, user=BOB, start=T0 - hour, end=T0 + hour)
        (responder,) = found(self.night, Seen({3: ScheduleSeen(kept(overrides=(override,)), 4)})).responders
        assert (responder.user, responder.reason.override, responder.reason.layer) == (BOB, 12, None)

    def test_a_gap_is_a_vacancy(self) -> None:
        assert found(self.night, Seen({3: ScheduleSeen(kept(users=()), 4)})) == Found(
            vacancy="Schedule «SRE»: nobody is on call"
        )

    def test_who_left_is_a_vacancy_wherever_they_were_named(self) -> None:
        seen = Seen({3: ScheduleSeen(kept(), 4)}, {1: TeamSeen("Ops", (ADA,))}, frozenset({ADA}))
        assert found(Target(user=ADA), seen) == Found(vacancy="user 7 was deleted")
        assert found(self.night, seen).vacancy.endswith("but user 7 was deleted")
        assert found(Target(team=1), seen) == Found(vacancy="team «Ops» has no members")

    def test_who_is_not_known_yet_is_told_all_the_same(self) -> None:
        assert [responder.user for responder in found(Target(user=99), Seen()).responders] == [99]

    def test_a_team_yields_every_member_once(self) -> None:
        seen = Seen(teams={1: TeamSeen("Ops", (ADA, BOB, ADA))})
        assert [responder.user for responder in found(Target(team=1), seen).responders] == [ADA, BOB]

    def test_what_is_not_there_is_a_vacancy_with_its_reason(self) -> None:
        gone = Seen({3: ScheduleSeen(schedules.Gone(kept().now), 5)})
        assert found(self.night, gone) == Found(vacancy="schedule «SRE» was deleted")
        assert found(self.night, Seen()) == Found(vacancy="there is no schedule 3")
        assert found(Target(team=1), Seen()) == Found(vacancy="there is no team 1")
        assert found(Target(), Seen()) == Found(vacancy="the rule names nobody")
