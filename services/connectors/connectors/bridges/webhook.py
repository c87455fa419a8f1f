"""Webhooks: the alert as JSON, or as a template says, by POST; signed per Standard Webhooks.

The id is the run's and stays over all attempts, so that a receiver tells a repeat; the signature covers id, time and body.
"""

import base64
import binascii
import hashlib
import hmac
import json
from typing import Any, Final

from connectors.bridges.job import Job
from connectors.domain.templates import is_json, render, render_json
from connectors.outside import Call, Outside, judged
from runtime.deliveries import Refused, Result

PREFIX: Final = "whsec_"


async def send(outside: Outside, job: Job) -> Result:
    try:
        call = call_of(job)
    except binascii.Error:
        return Refused("The signing secret of this action is not readable")
    return judged(await outside.call(call), job.at)


def call_of(job: Job) -> Call:
    """The request, at this instant."""
    content_type, content = body_of(job)
    chosen = {str(header["key"]): str(header["value"]) for header in job.params.get("headers") or ()}
    headers = {"Content-Type": content_type, **chosen, **signature(job, content)}
    return Call("POST", job.text_of("webhookUrl"), headers, content)


def body_of(job: Job) -> tuple[str, bytes]:
    """(content type, body)."""
    template = job.text_of("bodyTemplate")
    if not template.strip():
        return "application/json", json.dumps(payload(job), ensure_ascii=False).encode()
    if is_json(template):
        return "application/json", render_json(template, job.facts).encode()
    return "text/plain; charset=utf-8", render(template, job.facts).encode()


def payload(job: Job) -> dict[str, Any]:
    """The alert as it stood, in the published shape; what is unknown is left out."""
    run, picture = job.run, job.run.picture
    every = {
        "id": str(run.alert),
        "summary": picture.summary,
        "details": picture.details,
        "reportTime": None if picture.reported_at is None else picture.reported_at.isoformat(),
        "status": picture.status,
        "eventType": run.trigger,
        "priority": picture.priority.value,
        "severity": picture.severity,
        "alertKey": picture.alert_key,
        "alertSource": None if picture.source is None else {"id": picture.source, "name": picture.source_name},
        "escalationPolicy": None if picture.policy is None else {"id": picture.policy, "name": picture.policy_name},
        "assignedTo": None if picture.assignee is None else {"id": picture.assignee},
        "links": [link.model_dump() for link in picture.links] or None,
        "labels": picture.labels or None,
        "url": job.url,
    }
    return {name: value for name, value in every.items() if value is not None}


def signature(job: Job, content: bytes) -> dict[str, str]:
    """The headers of Standard Webhooks; none without a secret. Raises binascii.Error when the secret is no base64."""
    secret = job.text_of("signingSecret")
    if not secret:
        return {}
    number, instant = f"run_{job.run.id}", str(int(job.at.timestamp()))
    key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    digest = hmac.new(key, f"{number}.{instant}.".encode() + content, hashlib.sha256).digest()
    signed = f"v1,{base64.b64encode(digest).decode()}"
    return {"webhook-id": number, "webhook-timestamp": instant, "webhook-signature": signed}
