"""A real browser for tests: in comes a fixture request, out goes a page on which every complaint fails the test.

Debian's Chromium, driven by playwright. Without it a test is skipped with the reason, in CI it fails. Never wait with
`page.wait_for_function`: it evaluates strings, which our CSP refuses; use `expect(locator)`.
"""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright

from web.assets import bundle

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")
SCREENSHOTS = Path(__file__).parents[2] / "reports" / "screenshots"
Scheme = Literal["light", "dark"]
DESK, PHONE = (1280, 800), (320, 640)
LOOKS: Final[tuple[tuple[str, tuple[int, int], Scheme, tuple[str, ...]], ...]] = (
    ("phone", PHONE, "light", ()),
    ("dark", DESK, "dark", ("color-contrast",)),
    ("light", DESK, "light", ()),
)
"""Name, size, scheme, and axe's rules (all of them where none is named): the dark has the same document in other colours."""

# told by the page itself, since a blocked script cannot complain
_LISTEN = """
document.addEventListener('securitypolicyviolation', violation => {
  console.error(`CSP refused ${violation.violatedDirective}: ${violation.blockedURI} ${violation.sample}`);
});
"""


@dataclass
class Complaints:
    """What the browser found wrong; `allowed` are parts of messages that a test expects."""

    found: list[str] = field(default_factory=list)
    allowed: list[str] = field(default_factory=list)

    def hear(self, message: str) -> None:
        self.found.append(message)

    def unexpected(self) -> list[str]:
        return [message for message in self.found if not any(part in message for part in self.allowed)]


def chromium_path() -> str:
    """Where Chromium is; without one the test is skipped, in CI it fails."""
    found = next(filter(None, map(shutil.which, CHROMIUM_NAMES)), None)
    if found:
        return found
    reason = "Chromium is not installed (Debian: apt-get install chromium fonts-dejavu-core)"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """One browser for all tests of a module; as root it needs to go without its sandbox.

    Playwright keeps an event loop running in this thread meanwhile: async tests belong into other modules.
    """
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def complaints() -> Complaints:
    return Complaints()


@pytest.fixture
def page(chromium: Browser, complaints: Complaints) -> Iterator[Page]:
    """A page at a desk, light. A console error, an uncaught exception or a CSP violation fails the test at its end."""
    with opened(chromium, complaints) as page:
        yield page
    assert complaints.unexpected() == []


@contextmanager
def opened(
    chromium: Browser, complaints: Complaints, size: tuple[int, int] = DESK, scheme: Scheme = "light", **options: Any
) -> Iterator[Page]:
    """A page of another size or scheme (`light`, `dark`), in a context of its own."""
    context = chromium.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, **options)
    context.add_init_script(_LISTEN)
    try:
        yield _watched(context, complaints)
    finally:
        context.close()


def axe(page: Page, rules: Sequence[str] = ()) -> list[str]:
    """What axe finds wrong on the page (WCAG 2.2 AA and best practices), a line each; nothing is `[]`. `rules` narrows."""
    if not page.evaluate("'axe' in window"):
        page.evaluate((bundle() / "vendor" / "axe.js").read_text(encoding="utf-8"))
    options = {"resultTypes": ["violations"]} | ({"runOnly": list(rules)} if rules else {})
    result = page.evaluate("options => axe.run(document, options)", options)
    return [_line(violation, node) for violation in result["violations"] for node in violation["nodes"]]


def looks(page: Page, name: str = "") -> list[str]:
    """What is wrong with a page as it stands: at a desk and on a phone for axe and a ruler, in the dark by its colours.

    Whoever gives a name finds the three screenshots under it.
    """
    wrong = []
    for look, size, scheme, rules in LOOKS:
        page.set_viewport_size({"width": size[0], "height": size[1]})
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        sideways = ["it scrolls sideways"] if scrolls_sideways(page) else []
        wrong += [f"{look}: {flaw}" for flaw in [*axe(page, rules), *sideways]]
        if name:
            screenshot(page, f"{look}-{name}")
    return wrong


def scrolls_sideways(page: Page) -> bool:
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


def screenshot(page: Page, name: str) -> Path:
    """The whole page, for eyes, in reports/screenshots."""
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    file = SCREENSHOTS / f"{name}.png"
    page.screenshot(path=file, full_page=True)
    return file


def _watched(context: BrowserContext, complaints: Complaints) -> Page:
    page = context.new_page()
    page.on("pageerror", lambda error: complaints.hear(f"uncaught: {error}"))
    page.on("console", lambda message: _hear(complaints, message))
    return page


def _hear(complaints: Complaints, message: ConsoleMessage) -> None:
    if message.type == "error":
        complaints.hear(f"console: {message.text}")


def _line(violation: dict[str, Any], node: dict[str, Any]) -> str:
    return f"{violation['id']} ({violation['impact']}): {node['html'][:160]} {node['failureSummary']}"
