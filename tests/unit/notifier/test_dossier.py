"""What is believed of an alert: its state, who did it, and which version halts what is older."""

from datetime import UTC, datetime

import pytest
from hypothesis import given as for_any
from hypothesis import strategies as st

from events.core import Event
from events.ingest import (
    AlertAccepted,
    AlertAssigned,
    AlertCommented,
    AlertCreated,
    AlertEscalationRequested,
    AlertRepeated,
    AlertResolved,
)
from events.shared import Actor, Priority
from notifier.domain.dossier import AlertState, Dossier, dump, follow, load

T0 = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
ADA = Actor.by_user(7, "web")
TOOL = Actor.by_source(5)

created = AlertCreated(
    alert=42, source=5, source_name="Disks", summary="Disk full", priority=Priority.LOW, by=TOOL, at=T0
)
accepted = AlertAccepted(alert=42, by=ADA, at=T0)
resolved = AlertResolved(alert=42, by=TOOL, at=T0)
assigned = AlertAssigned(alert=42, user=8, by=ADA, at=T0)
escalated = AlertEscalationRequested(alert=42, by=ADA, at=T0)
repeated = AlertRepeated(alert=42, count=3, summary="Disk fuller", received_at=T0, at=T0)
commented = AlertCommented(alert=42, comment=1, content="on it", by=ADA, at=T0)


def after(*events: Event) -> Dossier:
    known = Dossier(42)
    for version, event in enumerate(events, 1):
        known = follow(known, event, version)
    return known


def test_a_created_alert_is_pending_and_halts_nothing() -> None:
    known = after(created)
    assert (known.state, known.summary, known.priority, known.source_name) == (
        AlertState.PENDING,
        "Disk full",
        Priority.LOW,
        "Disks",
    )
    assert not known.halts(1)


@pytest.mark.parametrize(
    ("event", "state"),
    [(accepted, AlertState.ACCEPTED), (resolved, AlertState.RESOLVED), (assigned, AlertState.PENDING)],
)
def test_an_answer_halts_what_is_older_and_nothing_that_follows_it(event: Event, state: AlertState) -> None:
    known = after(created, event)
    assert known.state is state
    assert known.halts(1)
    assert not known.halts(2)


def test_a_wish_for_the_next_level_opens_it_again_and_halts_nothing_new() -> None:
    known = after(created, accepted, escalated)
    assert known.state is AlertState.PENDING
    assert known.halts(1)
    assert not known.halts(3)


def test_repeats_and_comments_move_the_version_only() -> None:
    known = after(created, repeated, commented)
    assert (known.version, known.repeats, known.summary, known.state) == (3, 3, "Disk fuller", AlertState.PENDING)
    assert known.stop is None


def test_an_older_version_changes_nothing() -> None:
    known = after(created, accepted)
    assert follow(known, resolved, 2) == known
    assert follow(known, resolved, 1) == known


def test_long_texts_are_cut() -> None:
    long = created.model_copy(update={"summary": "s" * 10_000, "details": "d" * 100_000})
    assert len(dump(after(long))) < 6000


events = st.lists(st.sampled_from([created, accepted, resolved, assigned, escalated, repeated, commented]), max_size=8)


@for_any(events, st.lists(st.integers(1, 9), max_size=3))
def test_it_is_kept_as_it_is(history: list[Event], users: list[int]) -> None:
    known = after(*history)
    for user in users:
        known = known.told(user, "00-trace")
    assert load(dump(known)) == known
