"""Who hears of what: updates for those who were asked before, announcements for those who subscribed."""

from datetime import UTC, datetime

import pytest
from hypothesis import given as for_any
from hypothesis import strategies as st

from events.core import Event
from events.escalator import EscalationLevelReached, EscalationResponderAdded, Reason, Responder
from events.ingest import AlertAccepted, AlertCreated, AlertResolved
from events.notifier import Method, NoticeKind, UpdatePreferenceType
from events.shared import Actor
from events.statuspage import AnnouncementMade, Occasion, Told
from notifier.domain.dossier import Dossier
from notifier.domain.news import announcement_notices, recipients, update_notices, update_of
from notifier.domain.reach import Contact, Reachable, SubscriptionPreference, UpdatePreference

T0 = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
ADA, BOB, CYD = 7, 8, 9
ACCEPTED, RESOLVED = UpdatePreferenceType.ALERT_ACCEPTED, UpdatePreferenceType.ALERT_RESOLVED
ESCALATED = UpdatePreferenceType.ALERT_ESCALATED
TOOL = Actor.by_source(5)


def by(user: int) -> Actor:
    return Actor.by_user(user, "web")


def level(number: int, *users: int, hand: Actor | None = None) -> EscalationLevelReached:
    asked = tuple(Responder(user=user, reason=Reason(text="on call")) for user in users)
    return EscalationLevelReached(alert=42, alert_version=1, level=number, responders=asked, by=hand, at=T0)


def heard(event: Event, *asked: int) -> tuple[int, ...] | None:
    return dict(recipients([event], {42: asked})).get(0)


class TestUpdates:
    def test_the_others_hear_who_accepted_never_who_did_it(self) -> None:
        assert heard(AlertAccepted(alert=42, by=by(ADA), at=T0), ADA, BOB, CYD) == (BOB, CYD)

    def test_what_a_tool_resolves_everybody_hears(self) -> None:
        assert heard(AlertResolved(alert=42, by=TOOL, at=T0), ADA, BOB) == (ADA, BOB)
        assert heard(AlertResolved(alert=42, by=Actor.by_system("auto-resolve"), at=T0), ADA) == (ADA,)

    def test_whom_the_next_level_asks_is_called_not_told(self) -> None:
        assert heard(level(1, CYD), ADA, BOB) == (ADA, BOB)
        assert heard(level(1, BOB, CYD), ADA, BOB) == (ADA,)

    def test_the_first_level_is_no_escalation_unless_somebody_asked_for_it(self) -> None:
        assert heard(level(0, ADA)) is None
        assert heard(level(0, CYD, hand=by(BOB)), ADA, BOB) == (ADA,)

    def test_a_new_alert_and_one_more_responder_are_no_updates(self) -> None:
        assert heard(AlertCreated(alert=42, source=5, summary="Disk", by=TOOL, at=T0), ADA) is None
        added = EscalationResponderAdded(
            alert=42, alert_version=1, responder=Responder(user=CYD, reason=Reason(text="asked")), by=by(ADA), at=T0
        )
        assert heard(added, ADA) is None

    def test_who_is_asked_in_the_same_batch_hears_what_follows(self) -> None:
        batch = [level(0, ADA), level(1, BOB), AlertAccepted(alert=42, by=by(BOB), at=T0)]
        assert dict(recipients(batch, {42: ()})) == {1: (ADA,), 2: (ADA,)}

    def test_an_alert_that_nobody_was_asked_for_is_told_to_nobody(self) -> None:
        assert heard(AlertResolved(alert=42, by=TOOL, at=T0)) == ()


def person(*updates: UpdatePreference, subscriptions: tuple[SubscriptionPreference, ...] = ()) -> Reachable:
    contacts = (Contact(1, Method.EMAIL, None, "a***"), Contact(2, Method.EMAIL, "cell", "n***"))
    return Reachable(ADA, contacts, updates=updates, subscriptions=subscriptions, chose=True)


def wish(number: int, kind: UpdatePreferenceType, contact: int = 1) -> UpdatePreference:
    return UpdatePreference(number, kind, Method.EMAIL, contact)


class TestPreferences:
    @pytest.mark.parametrize(
        ("event", "kind"),
        [
            (AlertAccepted(alert=42, by=by(BOB), at=T0), ACCEPTED),
            (AlertResolved(alert=42, by=TOOL, at=T0), RESOLVED),
            (level(1, CYD), ESCALATED),
        ],
    )
    def test_only_what_was_wished_for_is_told(self, event: Event, kind: UpdatePreferenceType) -> None:
        update = update_of(event)
        assert update is not None
        known = Dossier(42, summary="Disk full")
        wishes = [wish(number, one) for number, one in enumerate(UpdatePreferenceType, 1)]
        (one,) = update_notices(update, "alert-42@2", known, person(*wishes), T0)
        assert (one.occasion, one.alert, one.title, one.send_at) == (kind.value, 42, "Disk full", T0)
        assert list(update_notices(update, "alert-42@2", known, person(), T0)) == []

    def test_each_contact_is_told_once(self) -> None:
        update = update_of(AlertAccepted(alert=42, by=by(BOB), at=T0))
        assert update is not None
        twice = person(wish(1, ACCEPTED), wish(2, ACCEPTED), wish(3, ACCEPTED, contact=2), wish(4, ACCEPTED, contact=9))
        made = list(update_notices(update, "alert-42@2", Dossier(42), twice, T0))
        assert [(one.contact, one.preference) for one in made] == [(1, 1), (2, 3)]
        assert [one.occurrence for one in made] == ["update/42/alert-42@2/7/1", "update/42/alert-42@2/7/2"]


class TestAnnouncements:
    made = AnnouncementMade(
        announcement=4,
        occasion=Occasion.INCIDENT_CREATED,
        incident=3,
        users=(Told(user=ADA, reason="You follow Checkout."),),
        title="Payments fail",
        message="We look into it.",
        status="INVESTIGATING",
        services=("Checkout: Major outage",),
        path="/incidents/3",
        at=T0,
    )

    def test_it_is_told_by_each_contact_of_choice(self) -> None:
        wishes = (SubscriptionPreference(1, Method.EMAIL, 1), SubscriptionPreference(2, Method.EMAIL, 2))
        one, other = announcement_notices(self.made, self.made.users[0], person(subscriptions=wishes), T0)
        assert (one.kind, one.title, one.text, one.lines) == (
            NoticeKind.INCIDENT,
            "Payments fail",
            "We look into it.",
            ("Checkout: Major outage",),
        )
        assert (one.reason, one.path, one.incident) == ("You follow Checkout.", "/incidents/3", 3)
        assert {one.occurrence, other.occurrence} == {"announcement/4/7/1", "announcement/4/7/2"}

    def test_who_chose_silence_hears_nothing(self) -> None:
        assert list(announcement_notices(self.made, self.made.users[0], person(), T0)) == []

    def test_maintenance_is_told_as_such(self) -> None:
        planned = self.made.model_copy(update={"incident": None, "maintenance": 6})
        wishes = (SubscriptionPreference(1, Method.EMAIL, 1),)
        (one,) = announcement_notices(planned, planned.users[0], person(subscriptions=wishes), T0)
        assert (one.kind, one.maintenance) == (NoticeKind.MAINTENANCE, 6)


people = st.lists(st.sampled_from([ADA, BOB, CYD]), unique=True)
happened = st.one_of(
    st.builds(lambda user: AlertAccepted(alert=42, by=by(user), at=T0), st.sampled_from([ADA, BOB, CYD])),
    st.builds(lambda user: AlertResolved(alert=42, by=by(user), at=T0), st.sampled_from([ADA, BOB, CYD])),
    st.builds(lambda number, users: level(number, *users), st.integers(0, 2), people),
)


@for_any(st.lists(happened, max_size=6), people)
def test_nobody_hears_of_their_own_doing_nor_twice_of_one_thing(batch: list[Event], asked: list[int]) -> None:
    for place, users in recipients(batch, {42: asked}):
        update = update_of(batch[place])
        assert update is not None
        assert len(set(users)) == len(users)
        assert not update.asks & set(users)
        assert update.by is None or update.by.user not in users
