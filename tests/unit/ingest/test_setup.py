"""The way from nothing to the first automatic incident: what there is ticks its step, what is taken away opens it again."""

from datetime import UTC, datetime

from events.connectors import ActionConfigured, ActionRemoved
from events.statuspage import ServiceChanged, ServiceDeleted, StatuspageChanged, StatuspageDeleted
from ingest.setup import Setup

T0 = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)


def done(setup: Setup, *, source: int | None = None) -> list[str]:
    return [step.key for step in setup.steps(has_policy=False, source=source, has_alert=False) if step.is_done]


def test_nothing_is_done_at_first_and_each_step_has_a_way() -> None:
    steps = Setup().steps(has_policy=False, source=None, has_alert=False)
    assert not any(step.is_done for step in steps)
    assert [step.key for step in steps] == ["policy", "source", "event", "action", "service", "page", "automation"]
    assert all(step.href.startswith("/") for step in steps)


def test_the_first_event_is_sent_to_a_source_that_there_is() -> None:
    steps = {step.key: step for step in Setup().steps(has_policy=True, source=5, has_alert=False)}
    assert steps["event"].href == "/sources/5"
    assert (steps["policy"].is_done, steps["source"].is_done, steps["event"].is_done) == (True, True, False)


def test_actions_services_and_pages_are_ticked_and_opened_again() -> None:
    setup = Setup()
    setup.take(ActionConfigured(action=1, name="Post", type="webhook", at=T0))
    setup.take(ActionConfigured(action=2, name="Incident", type="automation_rule", at=T0))
    setup.take(ServiceChanged(service=1, name="Shop", at=T0))
    setup.take(StatuspageChanged(page=1, name="Ours", subdomain="ours", at=T0))
    assert done(setup) == ["action", "service", "page", "automation"]
    for gone in (ActionRemoved(action=1, at=T0), ServiceDeleted(service=1, at=T0), StatuspageDeleted(page=1, at=T0)):
        setup.take(gone)
    assert done(setup) == ["automation"]
