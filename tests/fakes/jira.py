"""Jira Cloud as far as we speak to it (REST v3), strict about what it takes: accounts, projects, documents, transitions."""

import base64
import itertools
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

CATEGORIES = {"To Do": "new", "In Progress": "indeterminate", "Done": "done"}
TRANSITIONS = {"11": "To Do", "21": "In Progress", "31": "Done"}


@dataclass
class Issue:
    key: str
    fields: dict[str, Any]
    status: str = "To Do"
    comments: list[dict[str, Any]] = field(default_factory=list)

    @property
    def words(self) -> list[str]:
        """What its comments say, a text for each."""
        return [" ".join(texts_of(comment["body"])) for comment in self.comments]


class NotValid(Exception):
    """What Jira answers 400 for; `errors` by field."""

    def __init__(self, **errors: str) -> None:
        super().__init__(str(errors))
        self.errors = errors


@dataclass
class Jira:
    """`answers` are given first, one to each request; `after` makes the next answers get lost after the work was done."""

    email: str = "bot@example.org"
    token: str = "jira-token"
    projects: tuple[str, ...] = ("OPS",)
    types: tuple[str, ...] = ("Task", "Bug", "Story", "Epic")
    issues: dict[str, Issue] = field(default_factory=dict)
    answers: deque[httpx.Response] = field(default_factory=deque)
    lost: int = 0
    requests: list[str] = field(default_factory=list)
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(f"{request.method} {request.url.path}")
        if self.answers:
            return self.answers.popleft()
        if request.headers.get("authorization") != self._expected():
            return httpx.Response(
                401, json={"errorMessages": ["Client must be authenticated to access this resource."]}
            )
        try:
            answer = self._route(request)
        except NotValid as not_valid:
            return httpx.Response(400, json={"errorMessages": [], "errors": not_valid.errors})
        if self.lost and request.method == "POST":
            self.lost -= 1
            return httpx.Response(504, text="upstream timed out")
        return answer

    # -- what people do in Jira

    def move(self, key: str, status: str, who: str = "Grace Hopper") -> dict[str, Any]:
        """Somebody moves an issue: the body of the webhook that Jira sends."""
        before, self.issues[key].status = self.issues[key].status, status
        items = [{"field": "status", "fromString": before, "toString": status}]
        return self.told(key, who, items)

    def told(self, key: str, who: str = "Grace Hopper", items: list[dict[str, Any]] | None = None) -> dict[str, Any]:
        status = self.issues[key].status if key in self.issues else "Done"
        labels = self.issues[key].fields.get("labels", []) if key in self.issues else []
        return {
            "timestamp": 1772334000000,
            "webhookEvent": "jira:issue_updated",
            "issue_event_type_name": "issue_generic",
            "user": {"accountId": "5b10", "displayName": who, "active": True},
            "issue": {"id": "10002", "key": key, "fields": {"status": _status(status), "labels": labels}},
            "changelog": {"id": "10124", "items": items or []},
        }

    # -- the API

    def _expected(self) -> str:
        return "Basic " + base64.b64encode(f"{self.email}:{self.token}".encode()).decode()

    def _route(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/rest/api/3/")
        if request.content and not request.headers.get("content-type", "").startswith("application/json"):
            return httpx.Response(415)
        body = httpx.Response(200, content=request.content).json() if request.content else {}
        match request.method, path.split("/"):
            case "GET", ["myself"]:
                return httpx.Response(200, json={"accountId": "5b10", "displayName": "Alarum Bot"})
            case "POST", ["issue"]:
                return self._create(body["fields"])
            case "POST", ["search", "jql"]:
                return self._search(body)
            case method, ["issue", key, *rest] if key in self.issues:
                return self._of_issue(method, self.issues[key], rest, body)
            case _, ["issue", *_]:
                words = "Issue does not exist or you do not have permission to see it."
                return httpx.Response(404, json={"errorMessages": [words], "errors": {}})
            case _:
                return httpx.Response(404, text="Oops, you've found a dead link.")

    def _create(self, fields: dict[str, Any]) -> httpx.Response:
        if fields.get("project", {}).get("key") not in self.projects:
            raise NotValid(project="valid project is required")
        if fields.get("issuetype", {}).get("name") not in self.types:
            raise NotValid(issuetype="The issue type selected is invalid.")
        summary = fields.get("summary", "")
        if not summary.strip() or len(summary) > 255 or "\n" in summary:
            raise NotValid(summary="You must specify a summary of the issue, on one line of up to 255 characters.")
        if any(" " in label or len(label) > 255 for label in fields.get("labels", [])):
            raise NotValid(labels="A label can't contain spaces.")
        check_document(fields["description"], "description")
        number = next(self._numbers)
        key = f"{fields['project']['key']}-{number}"
        self.issues[key] = Issue(key, fields)
        return httpx.Response(201, json={"id": str(10000 + number), "key": key, "self": f"/rest/api/3/issue/{number}"})

    def _search(self, body: dict[str, Any]) -> httpx.Response:
        found = re.fullmatch(r'labels = "([^"\\]+)"', body["jql"])
        if found is None:
            raise NotValid(jql="Error in the JQL Query")
        issues = [one for one in self.issues.values() if found[1] in one.fields.get("labels", [])]
        return httpx.Response(200, json={"issues": [{"id": "1", "key": one.key} for one in issues], "isLast": True})

    def _of_issue(self, method: str, issue: Issue, rest: list[str], body: dict[str, Any]) -> httpx.Response:
        match method, rest:
            case "GET", []:
                return httpx.Response(200, json={"key": issue.key, "fields": {"status": _status(issue.status)}})
            case "GET", ["comment"]:
                return httpx.Response(200, json={"comments": issue.comments[::-1], "total": len(issue.comments)})
            case "POST", ["comment"]:
                check_document(body["body"], "comment")
                issue.comments.append({"id": str(len(issue.comments)), "properties": [], **body})
                return httpx.Response(201, json={"id": str(len(issue.comments))})
            case "GET", ["transitions"]:
                offered = [{"id": number, "name": name, "to": _status(name)} for number, name in TRANSITIONS.items()]
                return httpx.Response(200, json={"transitions": offered})
            case "POST", ["transitions"]:
                if body.get("transition", {}).get("id") not in TRANSITIONS:
                    raise NotValid(transition="The transition is not valid for the issue.")
                issue.status = TRANSITIONS[body["transition"]["id"]]
                return httpx.Response(204)
            case _:
                return httpx.Response(405)


def _status(name: str) -> dict[str, Any]:
    return {"name": name, "statusCategory": {"id": 1, "key": CATEGORIES[name], "name": name}}


# -- Atlassian Document Format


def check_document(document: Any, name: str) -> None:
    """Raises `NotValid` for what Jira calls INVALID_INPUT."""
    match document:
        case {"type": "doc", "version": 1, "content": [*blocks]} if set(document) == {"type", "version", "content"}:
            for block in blocks:
                _check_paragraph(block, name)
        case _:
            raise NotValid(
                **{name: "Operation value must be an Atlassian Document (see the Atlassian Document Format)"}
            )


def _check_paragraph(block: Any, name: str) -> None:
    match block:
        case {"type": "paragraph", "content": [*nodes]}:
            for node in nodes:
                _check_inline(node, name)
        case _:
            raise NotValid(**{name: f"INVALID_INPUT: {block}"})


def _check_inline(node: Any, name: str) -> None:
    wrong = NotValid(**{name: f"INVALID_INPUT: {node}"})
    match node:
        case {"type": "hardBreak"}:
            return
        case {"type": "text", "text": str(text)} if (
            text and "\n" not in text and set(node) <= {"type", "text", "marks"}
        ):
            marks: list[dict[str, Any]] = node.get("marks", [])
            if any(mark.get("type") != "link" or not mark.get("attrs", {}).get("href") for mark in marks):
                raise wrong
        case _:
            raise wrong


def texts_of(document: dict[str, Any]) -> list[str]:
    """Every text in a document, in order."""
    return [node["text"] for block in document["content"] for node in block["content"] if node["type"] == "text"]
