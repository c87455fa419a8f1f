"""Mails as people read them at 3 a.m.: in come a message and what it carries, out comes subject, text and HTML.

The same message gives the same mail, whenever it is tried again: its id, its thread and its answer links do not change.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from channels.mail import Mail, one_line
from events.notifier import MessageComposed
from events.shared import Link, Priority
from notifier.domain.dossier import Dossier
from notifier.domain.page import Notification
from web import words
from web.markup import markdown, safe_link
from web.session import Answer, AnswerAction, AnswerLinks
from web.words import Tongue

_: Final = words.gettext

MOST_IN_FULL: Final = 250
"""Alerts beyond these are named by number and summary alone: a mail of thousands must still be opened by a phone."""


@dataclass(frozen=True)
class Item:
    """One alert in a mail."""

    alert: int
    summary: str
    details: str
    priority: str
    source_name: str
    created_at: datetime | None
    repeats: int
    reason: str
    others: Sequence[str]
    url: str
    accept: str
    escalate: str
    resolve: str
    links: Sequence[Link]


@dataclass(frozen=True)
class Letter:
    """A message and those of its notifications that are still to be told, each with what is known of its alert."""

    composed: MessageComposed
    carries: Sequence[tuple[Notification, Dossier]]


class Writer:
    """Writes letters as mails. `names` are of the people in a mail."""

    def __init__(self, public_url: str, links: AnswerLinks) -> None:
        self._url, self._links = public_url, links
        self._host = urlsplit(public_url).hostname or "alarum"
        self._templates = templates()

    def write(
        self,
        letter: Letter,
        to: str,
        at: datetime,
        tongue: Tongue,
        names: Mapping[int, str],
        *,
        is_repeat: bool = False,
    ) -> Mail:
        """The mail to `to`; `at` is its date, `is_repeat` says that it may have been taken before."""
        with words.speaking(tongue):
            items = [self._item(letter.composed, one, known, names) for one, known in letter.carries[:MOST_IN_FULL]]
            subject, title = _subject(letter, items), _title(letter)
            values = {"items": items, "only": items[0], "rest": _rest(letter), "subject": subject, "title": title}
            values["list"] = f"{self._url}/alerts"
            kind = "page" if len(items) == 1 else "storm"
            text, html = self._render(f"{kind}.txt", values), self._render(f"{kind}.html", values)
        thread = self.thread(letter.carries[0][1]) if len(items) == 1 else None
        return Mail(to, subject, text, html, self.message_id(letter.composed), at, thread, is_repeat)

    def write_test(self, to: str, number: int, at: datetime, tongue: Tongue) -> Mail:
        """The mail that shows whether an address can be reached."""
        with words.speaking(tongue):
            subject = _("Test from Alarum")
            values = {"subject": subject, "url": f"{self._url}/me"}
            text, html = self._render("test.txt", values), self._render("test.html", values)
        return Mail(to, subject, text, html, f"<test-{number}.{int(at.timestamp())}@{self._host}>", at)

    def message_id(self, composed: MessageComposed) -> str:
        """Stable for a message; the instant keeps installations apart that both began with message 1."""
        return f"<message-{composed.message}.{int(composed.at.timestamp())}@{self._host}>"

    def thread(self, known: Dossier) -> str:
        """What all mails of one alert answer to."""
        born = int(known.created_at.timestamp()) if known.created_at else 0
        return f"<alert-{known.alert}.{born}@{self._host}>"

    def _item(self, composed: MessageComposed, one: Notification, known: Dossier, names: Mapping[int, str]) -> Item:
        links = {action: self._answer(composed, one, known.alert, action) for action in AnswerAction}
        return Item(
            alert=known.alert,
            summary=_summary(known),
            details=known.details,
            priority=known.priority.value,
            source_name=known.source_name,
            created_at=known.created_at,
            repeats=known.repeats,
            reason=one.reason,
            others=[names[user] for user in known.users if user != composed.user and user in names],
            url=f"{self._url}/alerts/{known.alert}",
            accept=links[AnswerAction.ACCEPT],
            escalate=links[AnswerAction.ESCALATE],
            resolve=links[AnswerAction.RESOLVE],
            links=[link for link in known.links if safe_link(link.href)],
        )

    def _answer(self, composed: MessageComposed, one: Notification, alert: int, action: AnswerAction) -> str:
        answer = Answer(alert, composed.user, str(one.id), action)
        return f"{self._url}/answer/{self._links.token(answer, composed.at.timestamp())}"

    def _render(self, template: str, values: Mapping[str, Any]) -> str:
        return self._templates.get_template(template).render(values)


def _summary(known: Dossier) -> str:
    return known.summary or _("Alert %(number)s") % {"number": known.alert}


def _rest(letter: Letter) -> list[tuple[int, str]]:
    """Number and summary of what is not named in full."""
    return [(known.alert, one_line(_summary(known), 100)) for _one, known in letter.carries[MOST_IN_FULL:]]


def _subject(letter: Letter, items: Sequence[Item]) -> str:
    if len(items) == 1:
        return one_line(f"[{items[0].priority}] {items[0].summary}", 200)
    high = any(known.priority is Priority.HIGH for _one, known in letter.carries)
    return f"[{Priority.HIGH.value if high else Priority.LOW.value}] {_title(letter)}"


def _title(letter: Letter) -> str:
    sources, count = {known.source_name for _one, known in letter.carries if known.source_name}, len(letter.carries)
    if len(sources) == 1:
        return _("%(count)s more alerts from %(source)s") % {"count": count, "source": one_line(sources.pop(), 80)}
    return _("%(count)s more alerts") % {"count": count}


def templates() -> Environment:
    """Text is written as it is, HTML is escaped."""
    made = Environment(
        loader=PackageLoader("notifier", "templates/mail"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        extensions=["jinja2.ext.i18n"],
    )
    install: Any = made.install_gettext_callables  # type: ignore[attr-defined]
    install(words.gettext, words.ngettext, newstyle=True)
    made.filters.update(exact_date=words.exact_date, markdown=markdown)
    made.globals.update(language=words.language)
    return made
