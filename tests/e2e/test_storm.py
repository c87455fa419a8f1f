"""A storm of alerts is a handful of mails, and every alert still says which mail carried it."""

from concurrent.futures import ThreadPoolExecutor
from functools import partial

from tests.e2e.suite import Suite, eventually

ALERTS = 200


def test_two_hundred_alerts_for_one_person_make_four_mails_that_name_them_all(suite: Suite) -> None:
    user = suite.user("stormy")
    policy = suite.policy("Storm", {"users": [{"id": user["id"]}], "escalationTimeout": 500})
    source = suite.source("Storm", policy["id"])

    def fire(number: int) -> None:
        suite.event(source["integrationKey"], summary=f"Storm {number:03}", alertKey=f"storm-{number}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(fire, range(ALERTS)))

    def named() -> int:
        text = "\n".join(mail["subject"] + mail["text"] for mail in suite.mails("stormy@example.org"))
        return sum(f"Storm {number:03}" in text for number in range(ALERTS))

    eventually(lambda: named() == ALERTS, what="every alert named in a mail")
    assert len(suite.mails("stormy@example.org")) <= 4
    alerts = suite.alerts(source["id"]) + suite.get(
        "/api/alerts", sources=source["id"], **{"max-results": 100, "start-index": 100}
    )
    assert len(alerts) == ALERTS
    for alert in alerts:
        notifications = suite.get(f"/api/alerts/{alert['id']}/notifications")
        assert [notification["status"] for notification in notifications] == ["SUCCESS"]
        eventually(partial(carried, suite, alert["id"]), what=f"the mail of alert {alert['id']} on its timeline")


def carried(suite: Suite, alert: int) -> bool:
    """The alert's timeline says which mail carried it."""
    return any("mail" in line for line in suite.timeline(alert))
