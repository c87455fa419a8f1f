"""Markdown that others wrote: in comes text, out comes HTML that can do no harm."""

from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup

# an alert's text comes from outside: no images (they tell who looks, and when), no raw HTML, no forms
TAGS: Final = {
    "a", "blockquote", "br", "code", "em", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "s", "strong",
    "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip

_PARSER: Final = (
    MarkdownIt("commonmark", {"html": False, "linkify": False}).enable(["table", "strikethrough"]).disable("image")
)


@lru_cache(maxsize=64)
def markdown(text: str) -> Markup:
    """Safe HTML. Headings begin at the third level: a page has its own first two. Links leave without a referrer.

    A text made for it costs a second (64,000 brackets), so that those who look at it again do not pay again.
    """
    tokens = _PARSER.parse(text)
    for token in tokens:
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(6, int(token.tag[1]) + 2)}"
    html = _PARSER.renderer.render(tokens, _PARSER.options, {})
    clean = nh3.clean(html, tags=TAGS, attributes={"a": {"href"}}, url_schemes={"http", "https", "mailto"})
    return Markup(clean)  # noqa: S704 (sanitised in the line above)


def safe_link(url: str) -> str | None:
    """A link of an alert, when a browser may follow it: http, https or mailto; None for `javascript:` and the like."""
    try:
        scheme = urlsplit(url).scheme.lower()
    except ValueError:
        return None
    return url if scheme in ("http", "https", "mailto") else None
