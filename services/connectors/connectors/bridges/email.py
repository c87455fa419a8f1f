"""E-mail: one mail to each recipient. A server that refuses one for good ends it: what bounces is not sent again.

Who has their mail already gets no second one when a later recipient had to wait: that is remembered by the process; after
a crash the repeat goes under the same id, and is marked.
"""

import hashlib
from html import escape
from typing import Final, Protocol
from urllib.parse import urlsplit

from channels import attempts
from channels.mail import Mail, mask, one_line
from connectors.bridges.job import Job
from connectors.domain.dossier import ACCEPTED, RESOLVED
from connectors.domain.templates import render
from runtime.deliveries import Later, Refused, Result, Sent

REMEMBERED: Final = 10_000
WORDS: Final = {ACCEPTED: "[Accepted] ", RESOLVED: "[Resolved] "}


class Post(Protocol):
    """What takes a mail: `channels.smtp.SmtpSender`, or what stands for it in a simulation."""

    async def send(self, mail: Mail) -> attempts.Attempt: ...


class Mails:
    """Sends the mails of runs."""

    def __init__(self, post: Post) -> None:
        self._post = post
        self._taken: dict[str, None] = {}

    async def send(self, job: Job) -> Result:
        recipients = [str(one) for one in job.params.get("recipients") or ()]
        for recipient in recipients:
            mail = mail_of(job, recipient)
            if mail.message_id in self._taken:
                continue
            match await self._post.send(mail):
                case attempts.Later(error, retry_after_s):
                    return Later(error, retry_after_s)
                case attempts.Refused(error):
                    return Refused(f"{mask(recipient)}: {error}")
                case _:
                    self._remember(mail.message_id)
        count = len(recipients)
        return (
            Sent(f"Sent to {count} address{'' if count == 1 else 'es'}") if count else Refused("It has no recipients")
        )

    def _remember(self, message_id: str) -> None:
        self._taken[message_id] = None
        if len(self._taken) > REMEMBERED:
            del self._taken[next(iter(self._taken))]


def mail_of(job: Job, recipient: str) -> Mail:
    """The mail to one of them; the same run gives the same id."""
    run, host = job.run, urlsplit(job.public_url).hostname or "alarum"
    subject = render(job.text_of("subject"), job.facts).strip() or _subject(job)
    text = render(job.text_of("bodyTemplate"), job.facts).strip() or _text(job)
    whom = hashlib.sha256(recipient.encode()).hexdigest()[:12]
    thread = f"<alarum-alert-{run.alert}-action-{run.action}-{whom}@{host}>"
    message_id = f"<alarum-run-{run.id}-{whom}@{host}>"
    return Mail(recipient, subject, text, _html(text, job.url), message_id, job.at, thread, job.is_repeat)


def _subject(job: Job) -> str:
    picture = job.run.picture
    return one_line(f"{WORDS.get(picture.status, '')}{picture.summary or f'Alert {job.run.alert}'}", 200)


def _text(job: Job) -> str:
    picture = job.run.picture
    about = [f"Status: {picture.status.lower()}", f"Priority: {picture.priority.value.lower()}"]
    about += [f"Alert source: {picture.source_name}"] if picture.source_name else []
    links = [f"{link.text}: {link.href}" if link.text else link.href for link in picture.links]
    parts = [picture.summary, picture.details, "\n".join(about), "\n".join(links), f"Alert {job.run.alert}: {job.url}"]
    return "\n\n".join(part for part in parts if part.strip())


def _html(text: str, url: str) -> str:
    paragraphs = "".join(f"<p>{escape(part).replace(chr(10), '<br>')}</p>" for part in text.split("\n\n"))
    return f'<html><body>{paragraphs}<p><a href="{escape(url)}">{escape(url)}</a></p></body></html>'
