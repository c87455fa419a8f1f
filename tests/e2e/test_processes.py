"""Single processes are away or die: what they own waits, everything else goes on, and nobody is paged twice or not at all.

Judged by what the sender heard and what is in the mail sink, never by our own books.
"""

import subprocess
import sys
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from secrets import token_hex
from typing import Any

import httpx
import pytest

from tests.e2e.roles import Roles
from tests.e2e.suite import Suite, eventually

EVENTS = 12
EVERY_S = 0.25
KILLED_AT = 4
OF_A_SOURCE = 3
"""A storm's window sends its first three alerts at once, each in a mail of its own."""


# -- accounts


def session_of(suite: Suite) -> str:
    """Sign in as the demo's administrator; the session's cookie, as a browser sends it back."""
    form = {"email": suite.settings["DEMO_EMAIL"], "password": suite.settings["DEMO_PASSWORD"]}
    answer = httpx.post(f"{suite.url}/sign-in", data=form, timeout=30)
    assert answer.status_code == 303, answer.text
    return answer.headers["set-cookie"].partition(";")[0]


def test_with_accounts_stopped_everything_but_signing_in_works(roles: Roles) -> None:
    suite, mark = roles.suite, token_hex(3)
    user = suite.user(f"alone{mark}")
    policy = suite.policy(f"Alone {mark}", {"users": [{"id": user["id"]}], "escalationTimeout": 500})
    source = suite.source(f"Alone {mark}", policy["id"])
    made = suite.create("/api/api-keys", {"name": "another", "user": {"id": user["id"]}})
    cookie = session_of(suite)

    with roles.away("accounts.web"):
        suite.event(source["integrationKey"], summary=f"Fire {mark}", alertKey="fire")
        (alert,) = eventually(lambda: suite.alerts(source["id"]), what="the alert")
        eventually(lambda: suite.mails(f"alone{mark}@example.org"), what="the mail")
        with httpx.Client(base_url=suite.url, headers={"Authorization": f"Bearer {made['key']}"}) as own:
            accepted = own.put(f"/api/alerts/{alert['id']}/accept")
            assert (accepted.status_code, accepted.json()["status"]) == (200, "ACCEPTED")
            assert own.get("/api/on-calls").status_code == 200
            assert own.get(f"/api/users/{user['id']}/contacts/emails").status_code == 200
        with httpx.Client(base_url=suite.url, headers={"Cookie": cookie, "Accept": "text/html"}) as browser:
            page = browser.get("/alerts")
            assert page.status_code == 200
            assert f"Fire {mark}" in page.text
            assert browser.get("/on-call").status_code == 200
        suite.policy(f"Made meanwhile {mark}", {"users": [{"id": user["id"]}]})
        refused = suite.public.post("/sign-in", data={"email": "ada@example.org", "password": "x"})
        assert refused.status_code == 503
        assert "accounts.web cannot be reached" in refused.json()["message"]

    assert session_of(suite) != cookie


# -- workers that die


@contextmanager
def flowing(suite: Suite, keys: list[str], accepted: list[str], mark: str) -> Iterator[threading.Event]:
    """Some events a second in the background; `accepted` grows by the summary of each that was answered by 2xx."""
    killable, enough = threading.Event(), threading.Event()

    def send() -> None:
        for number in range(EVENTS):
            event = {"integrationKey": keys[number // OF_A_SOURCE], "eventType": "ALERT", "alertKey": f"{number}"}
            summary = f"Flow {mark}-{number:02}."
            if suite.public.post("/api/events", json=event | {"summary": summary}).status_code == 202:
                accepted.append(summary)
            if number == KILLED_AT:
                killable.set()
            enough.wait(EVERY_S)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield killable
    finally:
        sender.join()


def told_by(suite: Suite, address: str, summaries: list[str]) -> dict[str, set[str]]:
    """The Message-IDs of the mails that tell of each summary: one sent again after a crash has the same."""
    told: dict[str, set[str]] = defaultdict(set)
    for mail in suite.mails(address):
        for summary in summaries:
            if summary in mail["subject"] + mail["text"]:
                told[summary].add(mail["headers"]["Message-ID"])
    return told


def notifications(suite: Suite, sources: list[Any]) -> list[list[str]]:
    """For each alert of these sources, what became of each of its notifications."""
    alerts = [alert for source in sources for alert in suite.alerts(source["id"])]
    fates = [suite.get(f"/api/alerts/{alert['id']}/notifications") for alert in alerts]
    return [[one["status"] for one in fate] for fate in fates]


@pytest.mark.parametrize("worker", ["ingest.worker", "escalator.worker", "notifier.worker"])
def test_a_worker_that_is_killed_while_events_flow_loses_nothing_and_pages_nobody_twice(
    roles: Roles, worker: str
) -> None:
    suite, mark = roles.suite, token_hex(3)
    name = f"flow{mark}"
    user = suite.user(name)
    policy = suite.policy(f"Flow {mark}", {"users": [{"id": user["id"]}], "escalationTimeout": 500})
    sources = [suite.source(f"Flow {mark} {number}", policy["id"]) for number in range(EVENTS // OF_A_SOURCE)]
    accepted: list[str] = []

    with flowing(suite, [source["integrationKey"] for source in sources], accepted, mark) as killable:
        assert killable.wait(30)
        before = roles.kill(worker)
    assert len(accepted) == EVENTS, "the gateway takes events whoever is dead"
    roles.until_restarted(worker, before)

    address = f"{name}@example.org"
    eventually(lambda: set(told_by(suite, address, accepted)) == set(accepted), what="a mail of every accepted event")
    eventually(lambda: notifications(suite, sources) == [["SUCCESS"]] * EVENTS, what="the fate of every notification")
    told = told_by(suite, address, accepted)
    assert {summary: len(mails) for summary, mails in told.items()} == dict.fromkeys(accepted, 1)
    assert len({mail["headers"]["Message-ID"] for mail in suite.mails(address)}) == EVENTS, "and nothing besides"


# -- what a person does about it


def told_by_command(roles: Roles, role: str, *words: str) -> str:
    """What a command of docs/operations.md prints, in the environment of this role."""
    done = subprocess.run(
        [sys.executable, "-m", *words], env=roles.environment_of(role), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_readers_that_are_told_to_go_on_at_the_end_page_for_what_comes_and_for_nothing_old(roles: Roles) -> None:
    suite, mark = roles.suite, token_hex(3)
    name = f"moved{mark}"
    user = suite.user(name)
    policy = suite.policy(f"Moved {mark}", {"users": [{"id": user["id"]}], "escalationTimeout": 500})
    source = suite.source(f"Moved {mark}", policy["id"])
    suite.event(source["integrationKey"], summary="Before", alertKey="before")
    eventually(lambda: len(suite.mails(f"{name}@example.org")) == 1, what="the first mail")

    for worker in ("ingest.worker", "escalator.worker", "notifier.worker"):
        said = told_by_command(roles, worker, "runtime.positions", worker, "end")
        assert f"{worker} knows" in said
        before = roles.kill(worker)
        roles.until_restarted(worker, before)

    suite.event(source["integrationKey"], summary="After", alertKey="after")
    eventually(lambda: len(suite.mails(f"{name}@example.org")) > 1, what="the mail of what came afterwards")
    assert ["Before" in mail["subject"] for mail in suite.mails(f"{name}@example.org")] == [True, False]
    assert told_by_command(roles, "ingest.worker", "runtime.parked", "list") == "nothing is set aside\n"
