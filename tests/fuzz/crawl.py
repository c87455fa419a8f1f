"""The pages as somebody finds them who follows every link: in comes a client, out come pages, forms and names of queries."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Final
from urllib.parse import parse_qsl, urljoin, urlsplit

import httpx

MOST_OF_A_KIND: Final = 3
"""Pages that differ in numbers only are of one kind."""
FOLLOWED: Final = ("href", "hx-get")
LIVE: Final = ("/live", "/static/", "/sign-out", "/styleguide", "/sw.js")

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Form:
    """What a browser would post to `action`, if nobody typed anything."""

    action: str
    pairs: Pairs


@dataclass
class Seen:
    """What was found; `refused` are pages that were no success, with their status."""

    pages: set[str] = field(default_factory=set)
    forms: set[Form] = field(default_factory=set)
    queries: set[str] = field(default_factory=set)
    refused: dict[str, int] = field(default_factory=dict)


def crawl(client: httpx.Client, starts: Sequence[str]) -> Seen:
    seen, waiting = Seen(), list(starts)
    kinds: dict[str, int] = {}
    known = set(starts)
    while waiting:
        url = waiting.pop(0)
        answer = client.get(url)
        if answer.status_code >= 400:
            seen.refused[url] = answer.status_code
        if not answer.headers.get("content-type", "").startswith("text/html"):
            continue
        page = _Page()
        page.feed(answer.text)
        seen.pages.add(urlsplit(url).path)
        seen.forms |= {Form(urljoin(url, form.action), form.pairs) for form in page.forms}
        for link in page.links:
            target = _inside(urljoin(url, link), str(client.base_url))
            kind = _kind(target)
            if target and target not in known and kinds.get(kind, 0) < MOST_OF_A_KIND:
                seen.queries |= {name for name, _ in parse_qsl(urlsplit(target).query, keep_blank_values=True)}
                kinds[kind] = kinds.get(kind, 0) + 1
                known.add(target)
                waiting.append(target)
    return seen


def _inside(link: str, base: str) -> str:
    """The path and query of a link of this site; empty for others', and for what never ends."""
    parts = urlsplit(link.removeprefix(base.rstrip("/")))
    if parts.scheme or parts.netloc or any(word in parts.path for word in LIVE):
        return ""
    return parts.path + (f"?{parts.query}" if parts.query else "")


def _kind(target: str) -> str:
    parts = urlsplit(target)
    steps = ["#" if any(map(str.isdigit, step)) else step for step in parts.path.split("/")]
    return "/".join(steps) + "?" + "&".join(sorted(name for name, _ in parse_qsl(parts.query)))


class _Page(HTMLParser):
    """Links, and forms that post."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.forms: list[Form] = []
        self._action: str | None = None
        self._pairs: list[tuple[str, str]] = []
        self._choice = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.links += [given[name] for name in FOLLOWED if given.get(name)]
        match tag:
            case "form" if given.get("method", "get").lower() == "post":
                self._action, self._pairs = given.get("action", ""), []
            case "input" | "button" | "textarea" if given.get("name"):
                self._note(given, tag)
            case "select":
                self._choice = given.get("name", "")
            case "option" if self._choice and "selected" in given:
                self._pairs.append((self._choice, given.get("value", "")))

    def _note(self, given: Mapping[str, str], tag: str) -> None:
        is_ticked = given.get("type") not in {"checkbox", "radio"} or "checked" in given
        if is_ticked or tag == "button":
            self._pairs.append((given["name"], given.get("value", "on")))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form" and self._action is not None:
            self.forms.append(Form(self._action, tuple(self._pairs)))
            self._action = None
