"""Which role serves a path."""

import pytest

from web.paths import TABLE, is_event_path, role_of


class TestTheTable:
    @pytest.mark.parametrize(
        ("path", "role"),
        [
            ("/api/events", "ingest.gateway"),
            ("/api/v1/events", "ingest.gateway"),
            ("/api/v1/events/prometheus/il1key", "ingest.gateway"),
            ("/v2/enqueue", "ingest.gateway"),
            ("/v2/change/enqueue", "ingest.gateway"),
            ("/api/alerts", "ingest.web"),
            ("/api/alerts/42", "ingest.web"),
            ("/api/alerts/42/accept", "ingest.web"),
            ("/api/alerts/42/notifications", "notifier.web"),
            ("/api/alert-sources/3", "ingest.web"),
            ("/api/escalation-policies/1/levels/2", "escalator.web"),
            ("/api/schedules/1/overrides", "escalator.web"),
            ("/api/on-calls", "escalator.web"),
            ("/api/users", "accounts.web"),
            ("/api/users/current", "accounts.web"),
            ("/api/users/7", "accounts.web"),
            ("/api/users/7/contacts/emails", "notifier.web"),
            ("/api/users/7/contacts/emails/3", "notifier.web"),
            ("/api/users/7/notification-preferences/alerts/1", "notifier.web"),
            ("/api/teams/1/members/2", "accounts.web"),
            ("/api/api-keys", "accounts.web"),
            ("/api-docs/openapi.json", "ingest.web"),
            ("/", "ingest.web"),
            ("/alerts/42", "ingest.web"),
            ("/static/abc/app.css", "ingest.web"),
            ("/sw.js", "ingest.web"),
            ("/on-call", "escalator.web"),
            ("/fragments/on-call-badge", "escalator.web"),
            ("/answer/abc.def", "notifier.web"),
            ("/me/contacts", "notifier.web"),
            ("/sign-in", "accounts.web"),
            ("/users/7", "accounts.web"),
        ],
    )
    def test_each_path_has_its_role(self, path: str, role: str) -> None:
        assert role_of(path) == role

    @pytest.mark.parametrize(
        "path", ["", "nothing", "/nothing", "/api", "/api/events/x", "/alertsx", "//alerts", "/fragments"]
    )
    def test_what_nobody_serves_has_none(self, path: str) -> None:
        assert role_of(path) is None

    def test_a_slash_at_the_end_changes_nothing(self) -> None:
        assert role_of("/api/users/7/") == role_of("/api/users/7")

    def test_an_encoded_slash_does_not_end_a_segment(self) -> None:
        assert role_of("/api/users/7%2Fcontacts") == "accounts.web"

    def test_no_pattern_is_written_twice(self) -> None:
        patterns = [pattern for pattern, _ in TABLE]
        assert len(patterns) == len(set(patterns))


class TestEventPaths:
    @pytest.mark.parametrize("path", ["/api/events", "/api/v1/events/zabbix/k", "/v2/enqueue"])
    def test_tools_post_here(self, path: str) -> None:
        assert is_event_path(path)

    @pytest.mark.parametrize("path", ["/api/eventsx", "/api/alerts", "/sign-in", "/"])
    def test_and_not_here(self, path: str) -> None:
        assert not is_event_path(path)
