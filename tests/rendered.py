"""Pages that a shipped role rendered, shown in a real browser: nothing has to run beside it."""

from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from urllib.parse import urlsplit

from playwright.sync_api import Browser, Page, Route

from tests.e2e.browser import Complaints, looks, opened
from web.assets import BUILD

T = TypeVar("T")

Answers = Mapping[str, tuple[str, Mapping[str, str]]]
"""HTML and headers by path and query."""


def apart(run: Callable[..., T], *given: Callable[..., Any] | Coroutine[Any, Any, Any]) -> T:
    """What `run` gives, in a thread of its own: playwright's loop runs in this one."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(run, *given).result()


def flaws(chromium: Browser, complaints: Complaints, pages: Answers, url: str) -> list[str]:
    """What is wrong with the page at a desk, in the dark and on a phone."""
    with opened(chromium, complaints, service_workers="block") as page:
        serve(page, pages)
        page.goto(url)
        return [*looks(page), *complaints.unexpected()]


def serve(page: Page, pages: Answers, others: Callable[[Route, str], bool] = lambda _route, _path: False) -> None:
    """What was rendered, and the bundle's files; `others` may answer for another service, else its part is empty."""

    def answer(route: Route) -> None:
        address = urlsplit(route.request.url)
        here = address.path + (f"?{address.query}" if address.query else "")
        if here in pages:
            html, headers = pages[here]
            policy = {name: headers[name] for name in headers if name == "content-security-policy"}
            route.fulfill(body=html, headers={"Content-Type": "text/html; charset=utf-8", **policy})
        elif address.path.startswith("/static/"):
            route.fulfill(path=BUILD / address.path.removeprefix("/static/"))
        elif not others(route, address.path):
            route.fulfill(status=204)

    page.route("**/*", answer)
