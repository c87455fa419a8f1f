"""Durations and distances in words; texts from outside made harmless."""

from datetime import UTC, datetime, timedelta

import pytest

from web.markup import markdown, safe_link
from web.words import Tongue, ago, duration, gettext, near_date, speaking

NOW = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)


class TestDurations:
    @pytest.mark.parametrize(
        ("length", "words"),
        [
            (timedelta(0), "0 seconds"),
            (timedelta(seconds=1), "1 second"),
            (timedelta(minutes=5), "5 minutes"),
            (timedelta(hours=2, minutes=5, seconds=9), "2 hours 5 minutes"),
            (timedelta(hours=48), "2 days"),
            (timedelta(days=1, minutes=3), "1 day"),
            (timedelta(days=400), "400 days"),
        ],
    )
    def test_the_two_largest_units_are_said(self, length: timedelta, words: str) -> None:
        assert duration(length) == words

    @pytest.mark.parametrize(
        ("delta", "words"),
        [
            (timedelta(seconds=-3), "just now"),
            (timedelta(minutes=-5), "5 minutes ago"),
            (timedelta(hours=2), "in 2 hours"),
        ],
    )
    def test_the_distance_from_now(self, delta: timedelta, words: str) -> None:
        assert ago(NOW + delta, NOW) == words

    def test_a_list_says_it_narrowly(self) -> None:
        assert ago(NOW - timedelta(minutes=5), NOW, "narrow") == "5m ago"

    @pytest.mark.parametrize(
        ("delta", "words"),
        [
            (timedelta(hours=-2), "02:00"),  # in Vienna
            (timedelta(hours=-5), "28 Feb, 23:00"),
            (timedelta(days=-90), "1 Dec 2025, 04:00"),
        ],
    )
    def test_a_date_is_as_short_as_the_viewers_day_allows(self, delta: timedelta, words: str) -> None:
        with speaking(Tongue(zone="Europe/Vienna")):
            assert near_date(NOW + delta, NOW) == words

    def test_another_language_is_spoken_where_we_know_it(self) -> None:
        with speaking(Tongue(locale="de")):
            assert duration(timedelta(minutes=5)) == "5 Minuten"
            assert gettext("Alerts") == "Alerts"  # no catalogue yet: English


class TestMarkdown:
    @pytest.mark.parametrize(
        "evil",
        [
            "<script>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            "[x](javascript:alert(1))",
            "[x](data:text/html,hello)",
            "![spy](https://example.org/pixel.png)",
            '<a href="x" onclick="alert(1)">x</a>',
            "<style>*{display:none}</style>",
        ],
    )
    def test_nothing_that_runs_loads_or_styles_survives(self, evil: str) -> None:
        html = markdown(evil)
        for part in ("<script", "<img", "<style", 'javascript:alert(1)"', 'href="data:', '<a href="x"'):
            assert part not in html

    def test_what_is_harmless_stays(self) -> None:
        html = markdown("# Title\n\n**bold** [run](https://example.org/r)\n\n|a|\n|-|\n|b|")
        assert "<h3>Title</h3>" in html
        assert "<strong>bold</strong>" in html
        assert 'href="https://example.org/r"' in html
        assert "<table>" in html

    @pytest.mark.parametrize("url", ["javascript:alert(1)", "JAVASCRIPT:x", "data:text/html,x", "//x", "", "http://[x"])
    def test_a_link_that_a_browser_should_not_follow_is_none(self, url: str) -> None:
        assert safe_link(url) is None

    def test_a_link_of_the_web_is_kept(self) -> None:
        assert safe_link("https://example.org/a?b") == "https://example.org/a?b"
