"""Mails to public subscribers: in come a letter, the page and an address, out come subject, text and HTML.

The same letter gives the same mail, whenever it is tried again: its id, its thread and its links do not change.
"""

from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from channels.mail import Mail, one_line
from events.statuspage import StatuspageChanged
from statuspage import words
from statuspage.letters import Letter, News, Purpose
from web.markup import markdown
from web.session import SubscriberLinks
from web.words import Tongue, gettext, language, ngettext, speaking

LONGEST_TITLE: Final = 150


class Writer:
    """`public_url` is where the suite is found; links in mails lead there, news to the page."""

    def __init__(self, public_url: str, links: SubscriberLinks) -> None:
        self._url, self._links = public_url, links
        self._host = urlsplit(public_url).hostname or "alarum"
        self._templates = _templates()

    def write(self, letter: Letter, page: StatuspageChanged, to: str, at: datetime, *, is_repeat: bool = False) -> Mail:
        """The mail to `to`; `at` is its date, `is_repeat` says that it may have been taken before."""
        with speaking(Tongue(page.timezone, "en-GB")):
            subject, template, values = self._content(letter, page)
            common = {"subject": subject, "page": page.name, "leave": self._link("leave", letter)}
            text = self._templates.get_template(f"{template}.txt").render(common | values)
            html = self._templates.get_template(f"{template}.html").render(common | values)
        return Mail(
            to,
            subject,
            text,
            html,
            self.message_id(letter),
            at,
            self._thread(letter),
            is_repeat,
            unsubscribe=self._link("leave", letter) if letter.purpose is Purpose.NEWS else None,
        )

    def message_id(self, letter: Letter) -> str:
        """Stable for a letter; the instant keeps installations apart that both began with mail 1."""
        return f"<subscriber-mail-{letter.mail}.{int(letter.at.timestamp())}@{self._host}>"

    def _content(self, letter: Letter, page: StatuspageChanged) -> tuple[str, str, dict[str, Any]]:
        name = one_line(page.name, 80)
        manage = self._link("manage", letter)
        match letter.purpose, letter.news:
            case Purpose.NEWS, News() as news:
                subject = f"[{name}] {news.status}: {one_line(news.title, LONGEST_TITLE)}"
                services = [(said.name, words.SERVICE[said.status]) for said in news.services]
                about = self._about(page, news)
                return subject, "news", {"news": news, "services": services, "url": about, "manage": manage}
            case Purpose.LINK, _:
                return gettext("Your subscription to %(page)s") % {"page": name}, "link", {"manage": manage}
            case _:
                subject = gettext("Confirm your subscription to %(page)s") % {"page": name}
                is_reminder = letter.purpose is Purpose.REMIND
                return subject, "confirm", {"confirm": self._link("confirm", letter), "is_reminder": is_reminder}

    def _about(self, page: StatuspageChanged, news: News) -> str:
        base = f"https://{page.domain}" if page.domain else f"{self._url}/status/{page.subdomain}"
        return f"{base}/incidents/{news.incident}" if news.incident else f"{base}/maintenance/{news.maintenance}"

    def _link(self, action: str, letter: Letter) -> str:
        return f"{self._url}/subscribers/{action}/{self._links.token(letter.subscriber)}"

    def _thread(self, letter: Letter) -> str | None:
        """Words on one incident belong together."""
        if letter.news is None:
            return None
        about = f"incident-{letter.news.incident}" if letter.news.incident else f"maintenance-{letter.news.maintenance}"
        return f"<{about}.statuspage-{letter.page}@{self._host}>"


def _templates() -> Environment:
    """Text is written as it is, HTML is escaped."""
    made = Environment(
        loader=PackageLoader("statuspage", "templates/mail"),
        autoescape=select_autoescape(["html"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    install: Any = made.install_gettext_callables  # type: ignore[attr-defined]
    install(gettext, ngettext, newstyle=True)
    made.filters["markdown"] = markdown
    made.globals["language"] = language
    return made
