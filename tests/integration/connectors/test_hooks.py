"""What other tools say back: in which tool's words an alert is accepted, resolved or escalated, and whom we believe."""

import json
from typing import Any

import httpx
import pytest

from connectors.domain.labels import label_of
from connectors.tokens import hook_path
from events.connectors import ActionAnswer, ActionAnswered, ActionSucceeded
from tests.fakes.jira import Jira
from tests.fakes.slack import Slack
from tests.integration.connectors.house import SECRET, URL, House, in_virtual_time
from tests.integration.connectors.test_runs import accepted, resolved, said, with_jira, with_slack


async def calls(house: House, path: str, content: bytes, headers: dict[str, str]) -> httpx.Response:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=house.http), base_url=URL) as client:
        return await client.post(path, content=content, headers=headers)


async def jira_calls(house: House, body: Any, connector: int = 1, path: str = "") -> int:
    content = json.dumps(body).encode()
    path = path or hook_path("jira", connector, SECRET)
    return (await calls(house, path, content, {"Content-Type": "application/json"})).status_code


def answers(house: House) -> list[tuple[ActionAnswer, str, str]]:
    return [(one.answer, one.channel, one.who) for one in said(house, ActionAnswered)]


async def with_issue(house: House) -> Jira:
    await house.open()
    jira = await with_jira(house)
    house.alert(42)
    await house.until(lambda: said(house, ActionSucceeded))
    return jira


async def with_message(house: House) -> Slack:
    await house.open()
    slack = await with_slack(house)
    house.alert(42)
    await house.until(lambda: said(house, ActionSucceeded))
    return slack


async def presses(house: House, slack: Slack, button: str, *, late_s: float = 0.0, connector: int = 1) -> int:
    headers, body = slack.press(slack.message, button, house.now.timestamp() - late_s)
    return (await calls(house, hook_path("slack", connector, SECRET), body, headers)).status_code


# -- Jira


def test_work_that_begins_accepts_and_work_that_is_done_resolves() -> None:
    async def story(house: House) -> None:
        jira = await with_issue(house)
        assert await jira_calls(house, jira.move("OPS-1", "In Progress")) == 200
        accepted(house)
        await house.until(lambda: len(said(house, ActionSucceeded)) == 2)
        assert await jira_calls(house, jira.move("OPS-1", "Done", "Ada")) == 200
        assert answers(house) == [
            (ActionAnswer.ACCEPT, "jira", "Grace Hopper"),
            (ActionAnswer.RESOLVE, "jira", "Ada"),
        ]

    in_virtual_time(story)


def test_our_own_closing_that_comes_back_changes_nothing() -> None:
    async def story(house: House) -> None:
        jira = await with_issue(house)
        resolved(house)
        await house.until(lambda: jira.issues["OPS-1"].status == "Done")
        assert await jira_calls(house, jira.move("OPS-1", "Done", "Alarum Bot")) == 200
        assert answers(house) == []

    in_virtual_time(story)


def test_what_is_no_answer_is_taken_and_means_nothing() -> None:
    async def story(house: House) -> None:
        jira = await with_issue(house)
        jira.issues["OPS-1"].status = "Done"
        bodies: list[Any] = [
            jira.told("OPS-1", items=[{"field": "assignee"}]),
            jira.move("OPS-1", "To Do"),
            {"issue": {"key": "OPS-1"}},
            jira.told("OTHER-7", items=[{"field": "status"}]),
            [],
            {"issue": None, "changelog": {"items": [None]}},
            "text",
        ]
        for body in bodies:
            assert await jira_calls(house, body) == 200
        assert answers(house) == []

    in_virtual_time(story)


def test_a_stranger_learns_nothing() -> None:
    async def story(house: House) -> None:
        jira = await with_issue(house)
        body = jira.move("OPS-1", "Done")
        known = hook_path("jira", 1, SECRET)
        wrong = [
            known[:-1] + ("0" if known[-1] != "0" else "1"),
            hook_path("jira", 1, "another secret key"),
            "/hooks/jira/1-",
        ]
        wrong += [
            hook_path("jira", 77, SECRET),
            known.replace("jira", "slack"),
            "/hooks/jira/%F0%9F%98%80",
            "/hooks/jira/²-x",
        ]
        for path in wrong:
            assert await jira_calls(house, body, path=path) == 404, path
        assert answers(house) == []

    in_virtual_time(story)


@pytest.mark.parametrize("content", [b"{", b"\xff\xfe", b'{"a":"\\ud800"}', b"[" * 500, b'{"a":"\\u0000"}'])
def test_a_torn_body_is_refused(content: bytes) -> None:
    async def story(house: House) -> None:
        await with_issue(house)
        path = hook_path("jira", 1, SECRET)
        for kind in ("application/json", "text/plain"):
            assert (await calls(house, path, content, {"Content-Type": kind})).status_code == 400

    in_virtual_time(story)


def test_who_moves_an_issue_before_we_know_that_it_was_made_is_heard() -> None:
    async def story(house: House) -> None:
        await house.open()
        jira = await with_jira(house)

        def moving(request: httpx.Request) -> httpx.Response:
            answer = jira(request)
            if answer.status_code == 201:
                return httpx.Response(504)  # we are not told that it was made
            return answer

        house.tools["jira.example"] = moving
        house.alert(42)
        await house.until(lambda: jira.issues)
        assert await jira_calls(house, jira.move("OPS-1", "In Progress")) == 200
        assert answers(house) == [(ActionAnswer.ACCEPT, "jira", "Grace Hopper")]

    in_virtual_time(story)


def test_another_installations_label_is_no_proof() -> None:
    async def story(house: House) -> None:
        jira = await with_issue(house)
        body = jira.move("OPS-1", "Done")
        body["issue"]["key"] = "OPS-99"
        for label in (label_of("https://another.example", 42, 1), label_of(URL, 43, 1), label_of(URL, 42, 9), "x", 7):
            body["issue"]["fields"]["labels"] = [label]
            assert await jira_calls(house, body) == 200
        body["issue"]["fields"]["labels"] = None
        assert await jira_calls(house, body) == 200
        assert answers(house) == []

    in_virtual_time(story)


# -- Slack


@pytest.mark.parametrize(
    ("button", "answer"),
    [("accept", ActionAnswer.ACCEPT), ("resolve", ActionAnswer.RESOLVE), ("escalate", ActionAnswer.ESCALATE)],
)
def test_a_button_answers(button: str, answer: ActionAnswer) -> None:
    async def story(house: House) -> None:
        slack = await with_message(house)
        assert await presses(house, slack, button) == 200
        assert answers(house) == [(answer, "slack", "grace")]
        assert said(house, ActionAnswered)[0].alert == 42

    in_virtual_time(story)


def test_the_way_to_the_alert_is_no_answer() -> None:
    async def story(house: House) -> None:
        slack = await with_message(house)
        assert await presses(house, slack, "open") == 200
        assert answers(house) == []

    in_virtual_time(story)


@pytest.mark.parametrize("late_s", [301.0, 86_400.0, -301.0])
def test_what_is_too_old_may_be_a_replay(late_s: float) -> None:
    async def story(house: House) -> None:
        slack = await with_message(house)
        assert await presses(house, slack, "resolve", late_s=late_s) == 401
        assert answers(house) == []

    in_virtual_time(story)


def test_what_slack_did_not_sign_is_refused() -> None:
    async def story(house: House) -> None:
        slack = await with_message(house)
        headers, body = slack.press(slack.message, "resolve", house.now.timestamp())
        path, stamp = hook_path("slack", 1, SECRET), "X-Slack-Request-Timestamp"
        assert (await calls(house, path, body + b"&", headers)).status_code == 401
        assert (
            await calls(house, path, body, {k: v for k, v in headers.items() if "Signature" not in k})
        ).status_code == 401
        for instant in ("", "soon", "9" * 400):
            assert (await calls(house, path, body, headers | {stamp: instant})).status_code == 401
        assert answers(house) == []

    in_virtual_time(story)


@pytest.mark.parametrize("body", [b"", b"payload=", b"payload=%7B", b"a=b", b"\xff"])
def test_a_torn_form_is_refused_though_it_is_signed(body: bytes) -> None:
    async def story(house: House) -> None:
        slack = await with_message(house)
        headers = slack.signed(body, house.now.timestamp())
        assert (await calls(house, hook_path("slack", 1, SECRET), body, headers)).status_code == 400

    in_virtual_time(story)


def test_a_button_counts_only_from_the_workspace_that_was_told() -> None:
    async def story(house: House) -> None:
        slack = await with_message(house)
        params = {"botToken": "xoxb-other", "signingSecret": slack.signing_secret}
        await house.makes("/connectors", {"name": "Another", "type": "slack", "params": params})
        assert await presses(house, slack, "resolve", connector=2) == 200
        assert answers(house) == []

    in_virtual_time(story)
