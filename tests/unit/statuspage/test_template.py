"""Incident templates: what becomes of them, and how their placeholders are filled."""

from datetime import UTC, datetime

import pytest
from hypothesis import given as for_any
from hypothesis import strategies as st

from events.core import Refusal
from events.statuspage import IncidentStatus, TemplateChanged, TemplateDeleted
from statuspage.domain.template import (
    PLACEHOLDERS,
    Delete,
    Gone,
    Kept,
    Set,
    Unmade,
    decide,
    filled,
    render,
    template,
    unknown_placeholders,
)

T0 = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)


def described(summary: str = "Down", message: str = "", name: str = "Outage") -> TemplateChanged:
    return TemplateChanged(template=4, name=name, summary=summary, message=message, at=T0)


MADE = described().model_copy(update={"created": True})


def test_it_is_made_changed_and_deleted() -> None:
    assert decide(Unmade(), Set(described())) == [MADE]
    assert decide(Kept(MADE), Set(described())) == []
    assert decide(Kept(MADE), Set(described("Slow"))) == [described("Slow")]
    assert decide(Kept(MADE), Delete(T0)) == [TemplateDeleted(template=4, at=T0)]
    assert template.fold([MADE, TemplateDeleted(template=4, at=T0), described("Slow")]) == Gone(MADE)


@pytest.mark.parametrize("command", [Set(described()), Delete(T0)])
def test_one_that_is_gone_stays_gone(command: Set | Delete) -> None:
    assert isinstance(decide(Gone(MADE), command), Refusal)


def test_places_are_filled_however_they_are_spaced() -> None:
    facts = {"alertSummary": "Disk full", "serviceName": "Checkout"}
    assert filled("{{alertSummary}} at {{ serviceName }}", facts) == "Disk full at Checkout"


def test_a_fact_that_is_not_known_leaves_nothing_behind() -> None:
    assert filled("By {{teamNames}}.", {}) == "By ."


def test_facts_are_not_filled_again() -> None:
    facts = {"alertSummary": "{{alertDetails}}", "alertDetails": "a secret"}
    assert filled("{{alertSummary}}", facts) == "{{alertDetails}}"


def test_what_can_never_be_filled_is_told_once_by_its_name() -> None:
    assert unknown_placeholders("{{alertSumary}} {{ alertId }} {{alertSumary}} {{}} {single}") == ["alertSumary", ""]


def test_an_incident_begins_as_the_template_says() -> None:
    made = described("{{alertSummary}}\n now", "  {{alertDetails}} ").model_copy(
        update={"status": IncidentStatus.IDENTIFIED, "send_notification": True}
    )
    begun = render(made, {"alertSummary": "Disk  full", "alertDetails": "/dev/sda"})
    assert (begun.summary, begun.message) == ("Disk full now", "/dev/sda")
    assert (begun.status, begun.send_notification) == (IncidentStatus.IDENTIFIED, True)


def test_a_summary_that_would_be_empty_is_the_templates_name() -> None:
    assert render(described("{{teamNames}}"), {}).summary == "Outage"


@for_any(st.dictionaries(st.sampled_from(PLACEHOLDERS), st.text()))
def test_nothing_that_was_known_stays_unfilled(facts: dict[str, str]) -> None:
    text = " ".join(f"{{{{{name}}}}}" for name in PLACEHOLDERS)
    assert unknown_placeholders(text) == []
    assert filled(text, facts) == " ".join(facts.get(name, "") for name in PLACEHOLDERS)
