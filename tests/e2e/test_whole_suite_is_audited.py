"""The auditor of a whole suite: its own event comes through, everything balances, and no list shows that it was there."""

from typing import Any

from tests.e2e.suite import Suite, eventually


def test_the_books_of_the_suite_balance_and_its_own_event_comes_through(suite: Suite) -> None:
    def checked() -> dict[str, Any]:
        books: dict[str, Any] = suite.get("/api/audit")
        return books if books["check"].get("seconds") is not None else {}

    books = eventually(checked, 120, "the suite's own event")
    assert books["check"]["seconds"] > 0
    assert [(one["service"], one["account"], one["missing"]) for one in books["accounts"] if not one["balanced"]] == []
    assert {one["reader"] for one in books["readers"] if one.get("handledUntil")} == {
        "ingest.worker",
        "escalator.worker",
        "notifier.worker",
        "connectors.worker",
        "statuspage.worker",
    }
    shown = suite.get("/api/alerts", **{"max-results": 100})
    assert not [one for one in shown if "the suite" in one["summary"].lower()]
    assert not [one for one in suite.get("/api/alert-sources") if one["id"] < 1]
