"""Payloads of real programs become tool events; payloads that say nothing are refused by field and rule."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given as for_any
from hypothesis import strategies as st

from events.shared import Priority
from ingest.canonical import Asked, EventType, Rejected, ToolEvent, key_of
from ingest.integrations import PARSERS, api, pagerduty, prometheus

SAMPLES = Path(__file__).parents[2] / "samples"
ASKED = Asked(source=5)


def sent(name: str) -> dict[str, object]:
    body: dict[str, object] = json.loads(json.loads((SAMPLES / f"{name}.json").read_text())["body_raw"])
    return body


def the_one(parsed: object) -> ToolEvent:
    assert isinstance(parsed, tuple)
    (event,) = parsed
    assert isinstance(event, ToolEvent)
    return event


class TestApi:
    def test_a_full_event_is_read(self) -> None:
        event = the_one(api.parse(sent("apprise/failure"), ASKED))
        assert (event.type, event.summary, event.priority) == (EventType.ALERT, "disk full", Priority.HIGH)
        assert event.labels == {"env": "prod"}
        assert [(link.href, link.text) for link in event.links] == [("https://x/y", "")]

    def test_the_alert_key_is_trimmed_and_compared_without_case(self) -> None:
        event = the_one(api.parse({"eventType": "RESOLVE", "alertKey": "  Srv/Mail01 "}, ASKED))
        assert event.alert_key == "Srv/Mail01"
        assert key_of(5, "Srv/Mail01") == key_of(5, " sRV/mail01  ") != key_of(6, "srv/mail01")

    def test_the_older_name_of_the_alert_key_is_accepted(self) -> None:
        assert the_one(api.parse({"eventType": "ACCEPT", "incidentKey": "k"}, ASKED)).alert_key == "k"

    def test_only_an_alert_needs_a_summary(self) -> None:
        assert api.parse({"eventType": "ALERT"}, ASKED) == Rejected("summary", "is required")
        assert the_one(api.parse({"eventType": "RESOLVE"}, ASKED)).summary == ""

    def test_a_comment_without_a_list_is_its_own_text(self) -> None:
        event = the_one(api.parse({"eventType": "COMMENT", "summary": "looked at it", "alertKey": "k"}, ASKED))
        assert [remark.content for remark in event.comments] == ["looked at it"]

    @pytest.mark.parametrize(
        ("payload", "field"),
        [
            ({"summary": "x"}, "eventType"),
            ({"eventType": "SHOUT", "summary": "x"}, "eventType"),
            ({"eventType": "ALERT", "summary": ["x"]}, "summary"),
            ({"eventType": "ALERT", "summary": "x", "severity": "SEV1"}, "severity"),
            ({"eventType": "ALERT", "summary": "x", "severity": 6}, "severity"),
            ({"eventType": "ALERT", "summary": "x", "priority": "URGENT"}, "priority"),
            ({"eventType": "ALERT", "summary": "x", "links": "http://x"}, "links"),
            ({"eventType": "ALERT", "summary": "x", "links": [{"href": 1}]}, "links.0.href"),
            ({"eventType": "ALERT", "summary": "x", "labels": {"a": {}}}, "labels.a"),
            ({"eventType": "ALERT", "summary": "x", "customDetails": []}, "customDetails"),
            (["not", "an", "object"], ""),
            (None, ""),
        ],
    )
    def test_what_is_wrong_is_named(self, payload: Any, field: str) -> None:
        rejected = api.parse(payload, ASKED)
        assert isinstance(rejected, Rejected)
        assert rejected.field == field
        assert rejected.rule

    def test_nulls_count_as_absent_and_numbers_as_texts(self) -> None:
        event = the_one(
            api.parse({"eventType": "ALERT", "summary": 7, "severity": None, "labels": {"port": 80, "x": None}}, ASKED)
        )
        assert (event.summary, event.severity, event.labels) == ("7", None, {"port": "80"})


class TestPrometheus:
    def test_a_firing_group_is_one_alert_keyed_by_its_group(self) -> None:
        event = the_one(prometheus.parse(sent("alertmanager/firing"), ASKED))
        assert event.type is EventType.ALERT
        assert event.alert_key == '{}:{alertname="HighCPU", cluster="eu-1"}'
        assert event.summary == "CPU > 90% on node-1 (and 1 more)"
        assert "ünïcode ✓" in event.details
        assert "http://vm:19093" in [link.href for link in event.links]

    def test_a_group_in_which_something_fires_is_an_alert_of_the_same_key(self) -> None:
        firing, mixed = (the_one(prometheus.parse(sent(f"alertmanager/{name}"), ASKED)) for name in ("firing", "mixed"))
        assert (mixed.type, mixed.alert_key) == (EventType.ALERT, firing.alert_key)
        assert "node-2" in mixed.summary
        assert "node-1" not in mixed.details

    def test_a_resolved_group_resolves(self) -> None:
        event = the_one(prometheus.parse(sent("alertmanager/resolved"), ASKED))
        assert event.type is EventType.RESOLVE

    def test_a_source_may_ask_for_each_alert_by_its_fingerprint(self) -> None:
        events = prometheus.parse(sent("alertmanager/mixed"), Asked(5, per_alert=True))
        assert isinstance(events, tuple)
        assert [(event.alert_key, event.type.value) for event in events] == [
            ("9767557b25439f37", "RESOLVE"),
            ("2b378980e31eeb86", "ALERT"),
        ]

    def test_labels_choose_the_policy_the_link_and_the_project(self) -> None:
        labels = {
            "alertname": "A",
            "ilert_routingkey": "db",
            "url": "https://x",
            "urlLabel": "Shop",
            "gcp_project": "p1",
        }
        event = the_one(
            prometheus.parse({"groupKey": "g", "alerts": [{"labels": labels}], "commonLabels": labels}, ASKED)
        )
        assert event.routing_key == "db"
        assert event.summary == "p1: A"
        assert [(link.href, link.text) for link in event.links] == [("https://x", "Shop")]

    @pytest.mark.parametrize(
        ("payload", "field"),
        [({}, "alerts"), ({"alerts": []}, "alerts"), ({"alerts": [1]}, "alerts.0"), ({"alerts": [{}]}, "groupKey")],
    )
    def test_what_is_wrong_is_named(self, payload: Any, field: str) -> None:
        rejected = prometheus.parse(payload, ASKED)
        assert isinstance(rejected, Rejected)
        assert rejected.field == field


class TestPagerDuty:
    def test_a_trigger_of_the_official_client_is_an_alert(self) -> None:
        event = the_one(pagerduty.parse(sent("pagerduty/trigger-without-key"), ASKED))
        assert (event.type, event.summary, event.severity) == (EventType.ALERT, "disk full", 1)
        assert "pct" in event.details

    def test_a_trigger_without_a_key_gets_the_same_one_again_for_the_same_source_and_body_only(self) -> None:
        body = sent("pagerduty/trigger-without-key")
        again = body | {"routing_key": "source-5"}
        keys = {the_one(pagerduty.parse(one, ASKED)).alert_key for one in (body, again)}
        assert len(keys) == 1
        assert the_one(pagerduty.parse(body, Asked(6))).alert_key not in keys
        other = body | {"payload": {"summary": "disk fuller"}}
        assert the_one(pagerduty.parse(other, ASKED)).alert_key not in keys

    def test_alertmanagers_empty_links_and_textual_details_are_tolerated(self) -> None:
        event = the_one(pagerduty.parse(sent("alertmanager/pagerduty-trigger") | {"links": [{"href": ""}]}, ASKED))
        assert [link.href for link in event.links] == ["http://vm:19093/#/alerts?receiver=all"]
        text = {"event_action": "trigger", "payload": {"summary": "x", "custom_details": "just a text"}}
        assert the_one(pagerduty.parse(text, ASKED)).details == "just a text"

    def test_acknowledge_and_resolve_answer_their_key(self) -> None:
        events = [the_one(pagerduty.parse(sent(f"pagerduty/{name}"), ASKED)) for name in ("acknowledge", "resolve")]
        assert [(event.type, event.alert_key) for event in events] == [
            (EventType.ACCEPT, "gen"),
            (EventType.RESOLVE, "gen"),
        ]

    @pytest.mark.parametrize(
        ("payload", "field"),
        [
            ({}, "event_action"),
            ({"event_action": "shout"}, "event_action"),
            ({"event_action": "trigger"}, "payload.summary"),
            ({"event_action": "trigger", "payload": {"summary": "x", "severity": "worst"}}, "payload.severity"),
            ({"event_action": "resolve"}, "dedup_key"),
            ({"event_action": "trigger", "payload": "x"}, "payload"),
        ],
    )
    def test_what_is_wrong_is_named(self, payload: Any, field: str) -> None:
        rejected = pagerduty.parse(payload, ASKED)
        assert isinstance(rejected, Rejected)
        assert rejected.field == field


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
known_names = st.sampled_from(
    [
        "eventType",
        "summary",
        "alertKey",
        "links",
        "labels",
        "alerts",
        "groupKey",
        "event_action",
        "payload",
        "dedup_key",
    ]
)
known_words = st.sampled_from(["ALERT", "RESOLVE", "trigger", "resolve", "firing"])


class TestLaws:
    @pytest.mark.parametrize("name", PARSERS)
    @for_any(payload=json_values | st.dictionaries(known_names, json_values | known_words))
    def test_any_json_is_read_or_refused_with_a_reason_and_read_the_same_again(self, name: str, payload: Any) -> None:
        parsed = PARSERS[name](payload, ASKED)
        assert parsed == PARSERS[name](payload, ASKED)
        assert (isinstance(parsed, Rejected) and parsed.rule) or (isinstance(parsed, tuple) and parsed)

    @for_any(key=st.text(min_size=1))
    def test_a_key_fits_an_index_whatever_it_is(self, key: str) -> None:
        assert len(key_of(5, key)) < 1000
        assert key_of(5, key) == key_of(5, f" {key} ")
