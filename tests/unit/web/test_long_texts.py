"""Texts of others' making cost no more time than their length, wherever a pattern looks through them."""

import pytest

from channels import mail
from runtime.logs import HIDDEN, redact
from statuspage.domain.template import filled, unknown_placeholders

LONG = 200_000

pytestmark = pytest.mark.timeout(20)


def test_a_place_of_a_template_that_never_ends_is_no_place() -> None:
    for text in ("{{" + " " * LONG, "{{ " * LONG, "{{" + " a" * LONG + "}"):
        assert unknown_placeholders(text) == []
        assert filled(text, {}) == text


def test_spaces_around_a_place_of_a_template_are_free() -> None:
    text = "{{" + " " * LONG + "alertId\t}}"
    assert unknown_placeholders(text + "{{ nonsense }}") == ["nonsense"]
    assert filled(text, {"alertId": "7"}) == "7"


@pytest.mark.parametrize("text", ["a" * LONG + "@", "a@" * LONG, "a." * LONG + "@", "a@b." * LONG, "a@" + "b" * LONG])
def test_what_is_nearly_an_address_is_looked_through_once(text: str) -> None:
    redact(None, "", {"event": text})
    mail.masked(text)


def test_addresses_in_texts_are_hidden_wherever_they_stand() -> None:
    text = "to ada.b+c@example.org, <grace@example.org>;xada@example.org (ada@example.org)"
    assert redact(None, "", {"event": text})["event"] == f"to {HIDDEN}, <{HIDDEN}>;{HIDDEN} ({HIDDEN})"
    shown = "to a***@example.org, <g***@example.org>;x***@example.org (a***@example.org)"
    assert mail.masked(text) == shown
