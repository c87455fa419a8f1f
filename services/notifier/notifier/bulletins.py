"""Mails that ask nothing: in come notices and names, out comes subject, text and HTML, in the reader's language and zone.

The same notices give the same mail, whenever it is tried again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from channels.mail import Mail, one_line
from events.notifier import DigestComposed, NoticeKind, NoticeQueued, UpdatePreferenceType
from events.shared import Actor, ActorType
from notifier.domain.dossier import Dossier
from notifier.mails import Writer, templates
from web import words
from web.words import Tongue, noop

_: Final = words.gettext
LONGEST_TITLE: Final = 200
MOST_NAMED: Final = 100
"""How many notices a mail spells out; the rest are counted."""


@dataclass(frozen=True)
class Bulletin:
    """A mail and those of its notices that are still to be told. `alerts` are what is known of those they speak of."""

    composed: DigestComposed
    notices: Sequence[NoticeQueued]
    alerts: Mapping[int, Dossier]

    @property
    def people(self) -> set[int]:
        """Whose names the mail needs."""
        doers = (one.by.user for one in self.notices if one.by is not None)
        return {user for user in doers if user is not None}


@dataclass(frozen=True)
class Item:
    """One notice in a mail."""

    headline: str
    text: str
    lines: Sequence[str]
    url: str
    reason: str


class Announcer:
    """Writes bulletins as mails; `letters` writes those of alerts, whose threads are joined."""

    def __init__(self, public_url: str, letters: Writer) -> None:
        self._url, self._letters = public_url, letters
        self._host = urlsplit(public_url).hostname or "alarum"
        self._templates = templates()

    def write(
        self,
        bulletin: Bulletin,
        to: str,
        at: datetime,
        tongue: Tongue,
        names: Mapping[int, str],
        *,
        is_repeat: bool = False,
    ) -> Mail:
        """The mail to `to`; `at` is its date, `is_repeat` says that it may have been taken before."""
        with words.speaking(tongue):
            items = [self._item(one, bulletin, names) for one in bulletin.notices[:MOST_NAMED]]
            subject = _subject(items, len(bulletin.notices))
            values = {
                "items": items,
                "rest": len(bulletin.notices) - len(items),
                "subject": subject,
                "settings": f"{self._url}/me",
            }
            text, html = self._render("notice.txt", values), self._render("notice.html", values)
        thread = self._thread(bulletin) if len(bulletin.notices) == 1 else None
        return Mail(to, subject, text, html, self.message_id(bulletin.composed), at, thread, is_repeat)

    def message_id(self, composed: DigestComposed) -> str:
        """Stable for a mail; the instant keeps installations apart that both began with message 1."""
        return f"<notice-{composed.message}.{int(composed.at.timestamp())}@{self._host}>"

    def _thread(self, bulletin: Bulletin) -> str | None:
        """What a mail about one thing answers to: the mails of an alert, an incident or a maintenance are one thread."""
        match bulletin.notices[0]:
            case NoticeQueued(alert=alert) if alert is not None:
                return self._letters.thread(bulletin.alerts[alert])
            case NoticeQueued(incident=incident) if incident is not None:
                return f"<incident-{incident}@{self._host}>"
            case NoticeQueued(maintenance=maintenance) if maintenance is not None:
                return f"<maintenance-{maintenance}@{self._host}>"
            case _:
                return None

    def _item(self, one: NoticeQueued, bulletin: Bulletin, names: Mapping[int, str]) -> Item:
        known = bulletin.alerts.get(one.alert) if one.alert is not None else None
        return Item(
            headline=one_line(_headline(one, known, names), LONGEST_TITLE),
            text=one.text,
            lines=[*_times(one), *one.lines],
            url=f"{self._url}{one.path}" if one.path else "",
            reason=one.reason,
        )

    def _render(self, template: str, values: Mapping[str, Any]) -> str:
        return self._templates.get_template(template).render(values)


def _subject(items: Sequence[Item], count: int) -> str:
    return items[0].headline if count == 1 else _("%(count)s updates") % {"count": count}


def _headline(one: NoticeQueued, known: Dossier | None, names: Mapping[int, str]) -> str:
    match one.kind:
        case NoticeKind.ALERT_UPDATE:
            title = (known.summary if known else "") or one.title or _("Alert %(number)s") % {"number": one.alert}
            return _(_DONE[UpdatePreferenceType(one.occasion)]) % {"who": _who(one.by, names), "what": title}
        case NoticeKind.DUTY:
            said = _BEGINS if one.begins_at is not None and one.begins_at > one.send_at else _BEGAN
            return _(said) % {"when": _when(one.begins_at), "schedule": one.title}
        case NoticeKind.INCIDENT | NoticeKind.MAINTENANCE:
            return f"[{one.status.replace('_', ' ').capitalize()}] {one.title}" if one.status else one.title


_DONE: Final = {
    UpdatePreferenceType.ALERT_ACCEPTED: noop("Accepted by %(who)s: %(what)s"),
    UpdatePreferenceType.ALERT_RESOLVED: noop("Resolved by %(who)s: %(what)s"),
    UpdatePreferenceType.ALERT_ESCALATED: noop("Escalated by %(who)s: %(what)s"),
}
_BEGINS: Final = noop("You are on call from %(when)s: %(schedule)s")
_BEGAN: Final = noop("You are on call now: %(schedule)s")


def _times(one: NoticeQueued) -> list[str]:
    if one.begins_at is None:
        return []
    begins = _("From %(when)s") % {"when": words.exact_date(one.begins_at)}
    return [begins] if one.ends_at is None else [begins, _("Until %(when)s") % {"when": words.exact_date(one.ends_at)}]


def _when(at: datetime | None) -> str:
    return words.short_date(at) if at is not None else ""


def _who(by: Actor | None, names: Mapping[int, str]) -> str:
    match by:
        case Actor(type=ActorType.USER, user=user) if user is not None:
            return names.get(user, "") or _("user %(number)s") % {"number": user}
        case Actor(type=ActorType.SOURCE):
            return _("the monitoring tool")
        case _:
            return _("a rule")
