"""Jira Cloud (REST v3): the first run makes an issue, later ones comment it, the alert's end closes it.

no issue -> (a repeat looks for it by its label first) -> POST issue
issue    -> POST comment -> at the end: a transition into a status of the category «done»
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from channels.mail import one_line
from connectors.bridges.job import Job
from connectors.domain.adf import document, linked, paragraphs
from connectors.domain.dossier import ACCEPTED, RESOLVED
from connectors.domain.labels import label_of
from connectors.domain.templates import render
from connectors.domain.triggers import COMMENT_ADDED, ENDINGS
from connectors.outside import LONGEST_ERROR, Answer, Call, Outside, judged
from connectors.trials import basic, jira_address
from runtime.deliveries import Refused, Result, Sent

LONGEST_SUMMARY: Final = 250
DONE: Final = "done"
RUN: Final = "alarum.run"
"""The property of a comment that holds the run which made it."""
RECENT: Final = 50


class _Told(Exception):
    """Jira said something other than yes."""

    def __init__(self, result: Result) -> None:
        super().__init__()
        self.result = result


async def send(outside: Outside, job: Job) -> Result:
    jira = _Jira(outside, job)
    try:
        return await _told(jira, job)
    except _Told as told:
        return told.result


async def _told(jira: "_Jira", job: Job) -> Result:
    if job.made is not None:
        return await _follow(jira, job, job.made.reference)
    found = await _search(jira, job) if job.is_repeat else None
    if found is not None:
        return _done(job, found, f"The issue {found} exists")
    if job.run.trigger in ENDINGS:
        return Sent("Jira has no issue for this alert: nothing was to be closed")
    created = await jira.asks("POST", "issue", {"fields": fields(job)})
    key = str(created.get("key", ""))
    return _done(job, key, f"The issue {key} was created") if key else Refused("Jira answered without an issue's key")


async def _follow(jira: "_Jira", job: Job, key: str) -> Result:
    issue = f"issue/{quote(key, safe='')}"
    if not (job.is_repeat and await _is_commented(jira, issue, job)):
        properties = [{"key": RUN, "value": job.run.id}]
        await jira.asks("POST", f"{issue}/comment", {"body": comment(job), "properties": properties})
    if job.run.trigger not in ENDINGS:
        return _done(job, key, f"The issue {key} was commented")
    return await _close(jira, issue, job, key)


async def _close(jira: "_Jira", issue: str, job: Job, key: str) -> Result:
    now = await jira.asks("GET", f"{issue}?fields=status")
    if _category(now.get("fields", {}).get("status")) == DONE:
        return _done(job, key, f"The issue {key} is done already")
    offered = (await jira.asks("GET", f"{issue}/transitions")).get("transitions", [])
    way = next((one for one in offered if _category(one.get("to")) == DONE), None)
    if way is None:
        return Refused(f"The issue {key} was commented, but Jira offers no transition to a status that is done")
    await jira.asks("POST", f"{issue}/transitions", {"transition": {"id": str(way["id"])}})
    return _done(job, key, f"The issue {key} was closed")


async def _search(jira: "_Jira", job: Job) -> str | None:
    """The issue that an attempt of unknown outcome may have made. (Jira's search may lag behind by seconds.)"""
    found = await jira.asks(
        "POST", "search/jql", {"jql": f'labels = "{label(job)}"', "fields": ["status"], "maxResults": 1}
    )
    issues = found.get("issues", [])
    return str(issues[0]["key"]) if issues else None


async def _is_commented(jira: "_Jira", issue: str, job: Job) -> bool:
    recent = await jira.asks("GET", f"{issue}/comment?orderBy=-created&maxResults={RECENT}&expand=properties")
    made = [one for comment in recent.get("comments", []) for one in comment.get("properties", [])]
    return any(one.get("key") == RUN and one.get("value") == job.run.id for one in made)


# -- what is written


def label(job: Job) -> str:
    """What an issue is found by."""
    return label_of(job.public_url, job.run.alert, job.run.action)


def fields(job: Job) -> dict[str, Any]:
    """A new issue, as Jira wants it."""
    project = job.text_of("project")
    return {
        "project": {"id": project} if project.isdecimal() else {"key": project},
        "issuetype": {"name": job.text_of("issueType") or "Task"},
        "summary": one_line(job.run.picture.summary, LONGEST_SUMMARY) or f"Alert {job.run.alert}",
        "description": description(job),
        "labels": ["alarum", label(job)],
    }


def description(job: Job) -> dict[str, Any]:
    """What the template says, else the alert's details and links; and where the alert is."""
    template, picture = job.text_of("bodyTemplate"), job.run.picture
    if template.strip():
        return document(*paragraphs(render(template, job.facts)), linked(f"Alert {job.run.alert}", job.url))
    about = (
        f"{picture.priority.value} priority, {picture.source_name}" if picture.source_name else picture.priority.value
    )
    links = [linked(link.text, link.href) for link in picture.links if link.href.startswith(("http://", "https://"))]
    return document(*paragraphs(picture.details), *paragraphs(about), *links, linked(f"Alert {job.run.alert}", job.url))


def comment(job: Job) -> dict[str, Any]:
    """What happened, as a sentence."""
    return document(*paragraphs(_sentence(job)), linked(f"Alert {job.run.alert}", job.url))


def _sentence(job: Job) -> str:
    match job.run.trigger, job.run.picture.status:
        case trigger, _ if trigger == COMMENT_ADDED:
            return "The alert was commented."
        case "alert-assigned", _:
            return "The alert was handed to somebody else."
        case "alert-auto-escalated", _:
            return "Nobody answered the alert in time: it was escalated to the next level."
        case "alert-escalation-ended", _:
            return "Every level was told of the alert, and nobody answered."
        case "v-alert-not-resolved", _:
            return "The alert is still not resolved."
        case "alert-responder-added", _:
            return "Somebody more was told of the alert."
        case _, status if status == RESOLVED:
            return "The alert was resolved."
        case _, status if status == ACCEPTED:
            return "The alert was accepted: somebody takes care of it."
        case _:
            return "The alert is open."


def _done(job: Job, key: str, text: str) -> Sent:
    return Sent(text, link=f"{str(job.tool['url']).rstrip('/')}/browse/{quote(key, safe='')}", reference=key)


def _category(status: Mapping[str, Any] | None) -> str:
    category = (status or {}).get("statusCategory") or {}
    return str(category.get("key", ""))


# -- the wire


@dataclass(frozen=True)
class _Jira:
    outside: Outside
    job: Job

    async def asks(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """The JSON object that Jira answers. Raises `_Told` for anything but success."""
        tool = self.job.tool
        headers = {"Accept": "application/json", "Authorization": basic(str(tool["email"]), str(tool["password"]))}
        if body is not None:
            headers["Content-Type"] = "application/json"
        content = b"" if body is None else json.dumps(body, ensure_ascii=False).encode()
        answer = await self.outside.call(Call(method, jira_address(str(tool["url"]), path), headers, content))
        if not answer.is_success:
            raise _Told(_unwilling(answer, self.job))
        found = answer.json()
        return found if isinstance(found, dict) else {}


def _unwilling(answer: Answer, job: Job) -> Result:
    """Jira's own words where it has some, else the whole answer."""
    result, words = judged(answer, job.at), _words(answer.json())
    return (
        Refused(one_line(f"HTTP {answer.status}: {words}", LONGEST_ERROR))
        if words and isinstance(result, Refused)
        else result
    )


def _words(body: object) -> str:
    if not isinstance(body, dict):
        return ""
    messages, errors = body.get("errorMessages"), body.get("errors")
    said = [str(one) for one in messages] if isinstance(messages, list) else []
    named = [f"{field}: {text}" for field, text in errors.items()] if isinstance(errors, dict) else []
    return "; ".join([*said, *named])
