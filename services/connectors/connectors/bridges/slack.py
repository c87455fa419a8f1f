"""Slack: the first run posts a message, later ones change it in place; its buttons answer the alert (`hooks`).

A message that cannot be changed any more (somebody deleted it) is posted anew. Slack has no way to tell a repeat: an
attempt whose outcome is unknown may show twice.
"""

import json
from typing import Any, Final

from channels.mail import one_line
from connectors.bridges.job import Job
from connectors.domain.dossier import ACCEPTED, PENDING, RESOLVED
from connectors.outside import LONGEST_ERROR, Answer, Call, Outside, judged
from connectors.trials import slack_address
from events.connectors import ActionAnswer
from runtime.deliveries import Later, Refused, Result, Sent

SLACK_API: Final = "https://slack.com/api/"
LONGEST_HEADER: Final = 150
LONGEST_SECTION: Final = 2900
LONGEST_FIELD: Final = 300
MOST_LINKS: Final = 5
NOT_NOW: Final = frozenset(
    ["fatal_error", "internal_error", "rate_limited", "ratelimited", "request_timeout", "service_unavailable"]
)
CANNOT_CHANGE: Final = frozenset(["cant_update_message", "edit_window_closed", "message_not_found"])
SIGNS: Final = {PENDING: ":red_circle:", ACCEPTED: ":large_yellow_circle:", RESOLVED: ":large_green_circle:"}
WORDS: Final = {PENDING: "Open", ACCEPTED: "Accepted", RESOLVED: "Resolved"}


async def send(outside: Outside, job: Job) -> Result:
    if job.made is None:
        return await _posted(outside, job)
    channel, _, instant = job.made.reference.partition(":")
    answer = await outside.call(_call(job, "chat.update", {"channel": channel, "ts": instant, **message(job)}))
    if _error(answer) in CANNOT_CHANGE:
        return await _posted(outside, job)
    return _judged(answer, job, "The message was changed")


async def _posted(outside: Outside, job: Job) -> Result:
    wanted = {"channel": job.text_of("channelId") or job.text_of("channelName"), **message(job)}
    return _judged(await outside.call(_call(job, "chat.postMessage", wanted)), job, "The message was posted")


# -- what is written


def message(job: Job) -> dict[str, Any]:
    """Text for notifications, blocks for eyes."""
    summary = one_line(job.run.picture.summary, LONGEST_FIELD) or f"Alert {job.run.alert}"
    text = f"{WORDS.get(job.run.picture.status, job.run.picture.status)}: {summary}"
    blocks = [_header(summary), _state(job), *_details(job), *_links(job), _buttons(job)]
    return {"text": _escaped(text), "blocks": blocks, "unfurl_links": False}


def _header(summary: str) -> dict[str, Any]:
    return {"type": "header", "text": {"type": "plain_text", "text": one_line(summary, LONGEST_HEADER), "emoji": False}}


def _state(job: Job) -> dict[str, Any]:
    picture = job.run.picture
    state = f"{SIGNS.get(picture.status, '')} *{WORDS.get(picture.status, picture.status)}*"
    named = [one_line(name, LONGEST_FIELD) for name in (picture.source_name, picture.policy_name)]
    said = [state, picture.priority.value.title(), *(_escaped(name) for name in named if name)]
    return {"type": "context", "elements": [{"type": "mrkdwn", "text": text} for text in said]}


def _details(job: Job) -> list[dict[str, Any]]:
    lines = [one_line(line, LONGEST_SECTION) for line in job.run.picture.details.splitlines()]
    details = "\n".join(lines).strip()
    return [_section(_cut(_escaped(details)))] if details else []


def _links(job: Job) -> list[dict[str, Any]]:
    links = [link for link in job.run.picture.links if link.href.startswith(("http://", "https://"))][:MOST_LINKS]
    lines = [
        f"<{_href(link.href)}|{_escaped(one_line(link.text, LONGEST_FIELD) or one_line(link.href, LONGEST_FIELD))}>"
        for link in links
    ]
    return [_section("\n".join(lines))] if lines and len("\n".join(lines)) <= LONGEST_SECTION else []


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}}


def _buttons(job: Job) -> dict[str, Any]:
    """What can still be answered, and the way to the alert."""
    offered = {
        PENDING: (ActionAnswer.ACCEPT, ActionAnswer.RESOLVE, ActionAnswer.ESCALATE),
        ACCEPTED: (ActionAnswer.RESOLVE, ActionAnswer.ESCALATE),
    }.get(job.run.picture.status, ())
    buttons = [_button(answer, f"{job.run.alert}/{job.run.action}") for answer in offered]
    there = {"type": "button", "action_id": "open", "text": {"type": "plain_text", "text": "Open"}, "url": job.url}
    return {"type": "actions", "elements": [*buttons, there]}


def _button(answer: ActionAnswer, value: str) -> dict[str, Any]:
    text = {"type": "plain_text", "text": answer.value.title()}
    button = {"type": "button", "action_id": answer.value.lower(), "text": text, "value": value}
    return {**button, "style": "primary"} if answer is ActionAnswer.ACCEPT else button


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _href(href: str) -> str:
    """An address inside `<…|…>`."""
    return _escaped(href).replace("|", "%7C").replace(" ", "%20")


def _cut(text: str) -> str:
    """At most a section, and no half of an escaped character at the end."""
    if len(text) <= LONGEST_SECTION:
        return text
    head, amp, tail = text[:LONGEST_SECTION].rpartition("&")
    return f"{head if amp and ';' not in tail else text[:LONGEST_SECTION]}…"


# -- the wire


def _call(job: Job, method: str, body: dict[str, Any]) -> Call:
    headers = {"Content-Type": "application/json; charset=utf-8", "Authorization": f"Bearer {job.tool['botToken']}"}
    address = slack_address(str(job.tool.get("apiUrl") or SLACK_API), method)
    return Call("POST", address, headers, json.dumps(body, ensure_ascii=False).encode())


def _error(answer: Answer) -> str | None:
    """What Slack calls what went wrong; None when nothing did, or when it was not Slack that said so."""
    body = answer.json() if answer.is_success else None
    return str(body.get("error", "unknown_error")) if isinstance(body, dict) and not body.get("ok") else None


def _judged(answer: Answer, job: Job, text: str) -> Result:
    if not answer.is_success:
        return judged(answer, job.at)
    body, error = answer.json(), _error(answer)
    if not isinstance(body, dict):
        return Refused(one_line(f"This is not Slack: {answer.text}", LONGEST_ERROR))
    if error is not None:
        words = one_line(f"Slack: {error}{_more(body)}", LONGEST_ERROR)
        return Later(words) if error in NOT_NOW else Refused(words)
    channel, instant = str(body.get("channel", "")), str(body.get("ts", ""))
    return Sent(text, link=_link(job, channel, instant), reference=f"{channel}:{instant}")


def _more(body: dict[str, Any]) -> str:
    """Slack says what is wrong with blocks in its metadata."""
    messages = (body.get("response_metadata") or {}).get("messages")
    said = [*messages] if isinstance(messages, list) else []
    said += [body["needed"]] if "needed" in body else []
    return f" ({'; '.join(map(str, said))})" if said else ""


def _link(job: Job, channel: str, instant: str) -> str | None:
    workspace = job.text_of("teamDomain")
    return f"https://{workspace}.slack.com/archives/{channel}/p{instant.replace('.', '')}" if workspace else None
