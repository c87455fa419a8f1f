"""Somebody else's view of Kafka: repeats of the relay are passed over, gaps are noted, strangers' alerts are nobody's business."""

import json
from typing import Any

from tests.chaos.tail import Heard

AT = "2026-03-01T03:00:00+00:00"


def record(event_id: str, kind: str, **data: Any) -> bytes:
    return json.dumps({"id": event_id, "type": kind, "data": {"at": AT, **data}}).encode()


def created(version: int = 1, source: int = 5) -> bytes:
    return record(f"alert-7@{version}", "alert.created", alert=7, source=source, alert_key="k-1")


def heard(*records: bytes) -> Heard:
    made = Heard(frozenset({5}))
    for number, one in enumerate(records):
        made.hear(one, float(number))
    return made


def test_an_alert_its_repeats_and_its_first_acceptance_are_known() -> None:
    accepted = record("alert-7@3", "alert.accepted", alert=7)
    again = record("alert-7@4", "alert.accepted", alert=7)
    alert = heard(created(), record("alert-7@2", "alert.repeated", alert=7, count=3), accepted, again).alerts[7]
    assert (alert.source, alert.alert_key, alert.seen, alert.repeats, alert.accepted) == (5, "k-1", 0.0, 3, 2.0)


def test_what_is_published_again_counts_once() -> None:
    repeated = record("alert-7@2", "alert.repeated", alert=7, count=1)
    known = heard(created(), repeated, created(), repeated)
    assert (known.alerts[7].repeats, known.repeated_records, known.gaps) == (1, 2, [])


def test_a_version_that_is_missing_is_noted() -> None:
    assert heard(created(), record("alert-7@3", "alert.accepted", alert=7)).gaps == ["alert-7@3 came after version 1"]
    assert heard(created(version=2)).gaps == ["alert-7@2 came after version None"]


def test_others_alerts_are_not_looked_at() -> None:
    assert heard(created(source=6)).alerts == {}


def test_levels_and_drops_are_kept() -> None:
    level = record("escalation-7@2", "escalation.level_reached", alert=7, level=0, gate_timed_out=True)
    dropped = record("signal-1@1", "signal.dropped", source=5, alert_key="k-2", reason="NO_OPEN_ALERT")
    known = heard(created(), level, dropped)
    assert [(one.level, one.run, one.gate_timed_out) for one in known.levels[7]] == [(0, 1, True)]
    assert known.dropped == {(5, "k-2", "NO_OPEN_ALERT"): 1}
