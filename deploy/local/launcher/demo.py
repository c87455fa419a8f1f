"""`make demo`: the main story in a short-lived suite with short minutes, told as it happens, over HTTP and mail alone."""

import asyncio
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, TypeVar

import httpx

from launcher.processes import free_port
from launcher.seed import BOB, PATIENCE_MINUTES, SeedFailed
from launcher.server import ServerFailed
from launcher.suite import DEMO_EMAIL, Suite, read_env
from launcher.supervisor import Supervisor

MINUTE_S = 2.0
LOOK_S = 0.1
SUMMARY = "Disk nearly full on db1"
T = TypeVar("T")


class StoryStuck(Exception):
    """Something that must happen did not; the message says what was waited for."""


@dataclass(frozen=True)
class Told:
    """One thing that happened, and when: minutes of the story since the tool's report."""

    minute: float
    text: str


async def demo() -> int:
    """Tell it. 0 when the story went as it must."""
    folder = Path(tempfile.mkdtemp(prefix="alarum-demo-"))
    suite = Suite(folder, free_port(), passed_on={"MINUTE_S": str(MINUTE_S), "LOG_LEVEL": "WARNING"})
    supervisor = Supervisor(suite, lambda text: _say(f"  {text}"))
    _say(f"A second suite is started, with minutes of {MINUTE_S:g} s …")
    try:
        await supervisor.start()
        _say("\nminute")
        await tell(suite.data_dir, lambda told: _say(f"{told.minute:6.1f}  {told.text}"))
    except (ServerFailed, SeedFailed, StoryStuck, httpx.HTTPError) as error:
        sys.stderr.write(f"\nalarum: {error}\n  logs are kept in {folder / 'logs'}\n")
        return 1
    else:
        _say("\nThat was Alarum. `make up` starts one to keep.")
        await supervisor.stop()
        shutil.rmtree(folder, ignore_errors=True)
        return 0
    finally:
        await supervisor.stop()


async def tell(data_dir: Path, told: Callable[[Told], None]) -> list[Told]:
    """The main story against the running suite of this folder. Raises StoryStuck."""
    known = read_env(data_dir / "dev.env")
    key = {"Authorization": f"Bearer {known['API_KEY']}"}
    async with (
        httpx.AsyncClient(base_url=known["URL"], headers=key, timeout=30, trust_env=False) as suite,
        httpx.AsyncClient(base_url=known["MAIL_URL"], timeout=30, trust_env=False) as mails,
        httpx.AsyncClient(timeout=30, trust_env=False, follow_redirects=True) as browser,
    ):
        return await _Story(suite, mails, browser, known["INTEGRATION_KEY"], told).tell()


class _Story:
    def __init__(
        self,
        suite: httpx.AsyncClient,
        mails: httpx.AsyncClient,
        browser: httpx.AsyncClient,
        integration_key: str,
        listener: Callable[[Told], None],
    ) -> None:
        self._suite, self._mails, self._browser = suite, mails, browser
        self._integration_key = integration_key
        self._listener = listener
        self._began = time.monotonic()
        self._told: list[Told] = []

    async def tell(self) -> list[Told]:
        await self._report("ALERT")
        self._tell("a monitoring tool reports: " + SUMMARY)
        alert = await self._until("the alert", self._alert)
        self._tell(f"alert {alert['id']} is there: {alert['status']}")
        await self._until("a mail to Ada", lambda: self._mail_to(DEMO_EMAIL))
        self._tell("Ada, who is on call, gets a mail; she sleeps")
        mail = await self._until("a mail to Bob", lambda: self._mail_to(BOB["email"]))
        self._tell(f"{PATIENCE_MINUTES} minutes are spent: Bob, the next one, gets a mail")
        await self._accept(mail)
        await self._until("the acceptance", lambda: self._alert("ACCEPTED"))
        self._tell("Bob opens the link in his mail and accepts")
        await self._report("RESOLVE")
        await self._until("the recovery", lambda: self._alert("RESOLVED"))
        self._tell(f"the tool reports recovery; alert {alert['id']} is resolved")
        return self._told

    def _tell(self, text: str) -> None:
        told = Told((time.monotonic() - self._began) / MINUTE_S, text)
        self._told.append(told)
        self._listener(told)

    async def _report(self, kind: str) -> None:
        event = {"integrationKey": self._integration_key, "eventType": kind, "summary": SUMMARY, "alertKey": "disk-db1"}
        (await self._suite.post("/api/events", json=event)).raise_for_status()

    async def _alert(self, status: str | None = None) -> dict[str, Any] | None:
        answer = (await self._suite.get("/api/alerts")).raise_for_status()
        ours = (alert for alert in answer.json() if alert["summary"] == SUMMARY)
        return next((alert for alert in ours if status in {None, alert["status"]}), None)

    async def _mail_to(self, address: str) -> dict[str, Any] | None:
        found = (await self._mails.get("/api/messages", params={"to": address})).raise_for_status().json()
        return found[-1] if found else None

    async def _accept(self, mail: dict[str, Any]) -> None:
        """As Bob would: open the link, press the button."""
        for link in re.findall(r"https?://[^\s<>\"]*/answer/[^\s<>\"]+", mail["text"]):
            page = await self._browser.get(link)
            form = _Form(page.text)
            if page.is_success and form.method == "post" and form.fields.get("action", "").lower() == "accept":
                target = page.url.join(form.action) if form.action else page.url
                origin = f"{target.scheme}://{target.netloc.decode()}"
                answer = await self._browser.post(target, data=form.fields, headers={"Origin": origin})
                answer.raise_for_status()
                return
        raise StoryStuck(f"Bob's mail has no link that leads to a button to accept:\n{mail['text']}")

    async def _until(self, what: str, look: Callable[[], Awaitable[T | None]]) -> T:
        deadline = time.monotonic() + 2 * PATIENCE_MINUTES * MINUTE_S + 20
        while (seen := await look()) is None:
            if time.monotonic() > deadline:
                raise StoryStuck(f"waited in vain for {what}")
            await asyncio.sleep(LOOK_S)
        return seen


class _Form(HTMLParser):
    """The first form of a page: where it goes and what it carries, its first button included."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.action, self.method = "", ""
        self.fields: dict[str, str] = {}
        self._inside = self._pressed = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = {name: value or "" for name, value in attrs}
        if tag == "form" and not self.method:
            self._inside, self.action, self.method = True, known.get("action", ""), known.get("method", "get").lower()
        elif self._inside and tag in {"input", "button"} and known.get("name"):
            self._take(tag, known)

    def _take(self, tag: str, known: dict[str, str]) -> None:
        if tag == "button":
            if self._pressed:
                return
            self._pressed = True
        self.fields[known["name"]] = known.get("value", "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._inside = False


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
