"""Every template of the suite keeps the rules that our Content-Security-Policy sets: what it refuses fails silently."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
TEMPLATES = sorted({*ROOT.glob("libs/*/*/templates/**/*.html"), *ROOT.glob("services/*/*/templates/**/*.html")})
PAGES = [path for path in TEMPLATES if "mail" not in path.parts]  # mails need style attributes, and no policy applies

REFUSED = {
    "a style attribute": r"\sstyle\s*=",
    "a style element": r"<style\b",
    "an inline script": r"<script(?![^>]*\bsrc=)",
    "an inline handler": r"\son[a-z]+\s*=\s*[\"']",
    "hx-on": r"hx-on\b",
    "a js: value": r"[\"']js:|javascript:",
    "a trigger filter": r"hx-trigger\s*=\s*\"[^\"]*\[",
}


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_page_uses_what_the_policy_refuses(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert {what: re.findall(pattern, text) for what, pattern in REFUSED.items() if re.search(pattern, text)} == {}


@pytest.mark.parametrize(
    "bad",
    [
        '<p style="x">',
        "<style>",
        "<script>x</script>",
        '<a onclick="x">',
        "<p hx-on:click>",
        '<p hx-vals="js:x">',
        '<p hx-trigger="click[x]">',
    ],
)
def test_the_rules_notice(bad: str) -> None:
    assert any(re.search(pattern, bad) for pattern in REFUSED.values())


def test_there_are_templates_to_look_at() -> None:
    assert len(PAGES) > 4
