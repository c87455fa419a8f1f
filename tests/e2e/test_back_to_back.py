"""Somebody (or Terraform) sets everything up in one breath: what was written a moment ago is known everywhere."""

from concurrent.futures import ThreadPoolExecutor

from tests.e2e.suite import Suite, eventually

PEOPLE, HANDS = 100, 4


def test_a_hundred_new_people_are_each_paged_without_a_pause_after_they_are_made(suite: Suite) -> None:
    def set_up(number: int) -> None:
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

    with ThreadPoolExecutor(HANDS) as hands:
        list(hands.map(set_up, range(PEOPLE)))

    def reached() -> dict[str, list[str]]:
        """Subjects by address, once everybody has a mail; the sink is asked once, not once for each."""
        subjects: dict[str, list[str]] = {}
        for mail in suite.mail_sink.get("/api/messages", params={"limit": 1000}).json():
            for recipient in mail["to"]:
                subjects.setdefault(recipient, []).append(mail["subject"])
        return subjects if all(address(number) in subjects for number in range(PEOPLE)) else {}

    def address(number: int) -> str:
        return f"backtoback{number}@example.org"

    subjects = eventually(reached, what="a mail for everybody")
    assert [subjects[address(number)] for number in range(PEOPLE)] == [[f"[HIGH] Fire {n}"] for n in range(PEOPLE)]
