"""Somebody (or Terraform) sets everything up in one breath: what was written a moment ago is known everywhere."""

from tests.e2e.suite import Suite, eventually

PEOPLE = 100


def test_a_hundred_new_people_are_each_paged_without_a_pause_after_they_are_made(suite: Suite) -> None:
    for number in range(PEOPLE):
        user = suite.user(f"backtoback{number}")
        schedule = suite.create(
            "/api/schedules",
            {
                "name": f"Rota {number}",
                "timezone": "Europe/Berlin",
                "type": "RECURRING",
                "scheduleLayers": [{"startsOn": "2026-01-05T09:00", "users": [{"id": user["id"]}], "rotation": "P7D"}],
            },
        )
        policy = suite.policy(f"Back to back {number}", {"schedules": [{"id": schedule["id"]}]})
        source = suite.source(f"Back to back {number}", policy["id"])
        suite.event(source["integrationKey"], summary=f"Fire {number}", alertKey="fire")

    def reached() -> bool:
        return all(len(suite.mails(f"backtoback{number}@example.org")) == 1 for number in range(PEOPLE))

    eventually(reached, what="a mail for everybody")
    subjects = [suite.mails(f"backtoback{number}@example.org")[0]["subject"] for number in range(PEOPLE)]
    assert all(f"Fire {number}" in subject for number, subject in enumerate(subjects))
