"""The product's main job: a tool reports a problem, the person on call is reached, nobody answers, the next person is
reached, somebody accepts, the tool reports recovery."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.alertmanager import alertmanager
from tests.e2e.suite import Suite, eventually

pytestmark = pytest.mark.alertmanager


def link(mail: dict[str, Any], action: str) -> str:
    """The path of the mail's link for this action, as a mail reader would open it."""
    for found in re.findall(r"https?://[^\s\"<>]+/answer/[^\s\"<>]+", mail["text"]):
        if action in found:
            return str(found)
    found = re.search(rf"{action}[^\n]*?\s*(https?://\S+/answer/\S+)", mail["text"], re.IGNORECASE)
    assert found, f"no link to {action} in:\n{mail['text']}"
    return found.group(1)


def test_one_alert_from_the_tool_to_the_second_person_and_back(suite: Suite, tmp_path: Path) -> None:
    first, second = suite.user("First"), suite.user("Second")
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=7)
    rota = suite.create(
        "/api/schedules",
        {
            "name": "Story rota",
            "timezone": "UTC",
            "type": "RECURRING",
            "scheduleLayers": [
                {
                    "name": "weekdays and weekends",
                    "startsOn": midnight.strftime("%Y-%m-%dT%H:%M"),
                    "users": [{"id": first["id"]}],
                    "rotation": "P7D",
                }
            ],
        },
    )
    policy = suite.policy(
        "Story",
        {"schedules": [{"id": rota["id"]}], "escalationTimeout": 4},
        {"users": [{"id": second["id"]}], "escalationTimeout": 500},
    )
    source = suite.source("Story Prometheus", policy["id"], "PROMETHEUS")
    webhook = f"{suite.url}/api/v1/events/prometheus/{source['integrationKey']}"

    with alertmanager(tmp_path, webhook) as prometheus:
        prometheus.fire("DiskFull", "Disk full on db-1")
        (mail,) = eventually(lambda: suite.mails("first@example.org"), what="a mail to who is on call")
        assert "Disk full on db-1" in mail["subject"]
        assert "Story rota" in mail["text"], "the mail says why this person"

        (mail,) = eventually(lambda: suite.mails("second@example.org"), what="a mail to the next person")
        accept = link(mail, "accept")
        looked_at = suite.public.get(accept)
        assert looked_at.status_code == 200
        (alert,) = suite.alerts(source["id"])
        assert alert["status"] == "PENDING", "opening a link changes nothing: scanners open them all"
        button = re.search(r'name="action" value="(\w+)"', looked_at.text)
        assert button, looked_at.text
        answered = suite.public.post(accept, data={"action": button.group(1)})
        assert answered.status_code == 200, answer_text(answered.text)

        accepted = eventually(
            lambda: [found for found in suite.alerts(source["id"]) if found["status"] == "ACCEPTED"],
            what="the acceptance",
        )
        assert [responder["user"]["id"] for responder in accepted[0]["responders"]] == [first["id"], second["id"]]

        prometheus.recover("DiskFull", "Disk full on db-1")
        eventually(
            lambda: suite.alerts(source["id"])[0]["status"] == "RESOLVED", what="the recovery that the tool reported"
        )

    story = "\n".join(suite.timeline(alert["id"]))
    for word in ("Story rota", "First Example", "Second Example"):
        assert word in story, story
    assert len(suite.mails("first@example.org")) == 1, "nobody is told twice"
    assert len(suite.mails("second@example.org")) == 1
    late = suite.public.post(accept, data={"action": button.group(1)})
    assert "already" in late.text.lower(), "a late answer is told what became of it"


def answer_text(page: str) -> str:
    return re.sub(r"<[^>]+>", " ", page)[:500]
