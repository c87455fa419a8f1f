"""A receiver of webhooks that checks what it gets, as the library of Standard Webhooks does."""

import json
from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx
from standardwebhooks import Webhook


@dataclass(frozen=True)
class Got:
    """A request that was taken. `number` is its `webhook-id`."""

    number: str
    headers: httpx.Headers
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)


@dataclass
class Receiver:
    """`answers` are given first, one to each request; then 200. `complaints`: what no honest sender does."""

    secret: str | None = None
    answers: deque[httpx.Response] = field(default_factory=deque)
    attempts: list[Got] = field(default_factory=list)
    taken: list[Got] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        got = Got(request.headers.get("webhook-id", ""), request.headers, request.content.decode())
        self.attempts.append(got)
        self._check(request, got)
        answer = self.answers.popleft() if self.answers else httpx.Response(200, text="thanks")
        if answer.is_success:
            self.taken.append(got)
        return answer

    def refuses(self, *statuses: int, text: str = "", **headers: str) -> None:
        """The next requests are answered so."""
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        self.answers.extend(httpx.Response(status, text=text, headers=given) for status in statuses)

    @property
    def events(self) -> list[str]:
        """The types of the events that were taken, in order."""
        return [got.json["eventType"] for got in self.taken]

    def _check(self, request: httpx.Request, got: Got) -> None:
        if request.method != "POST":
            self.complaints.append(f"a webhook came by {request.method}")
        if request.headers.get("content-type", "").startswith("application/json"):
            try:
                json.loads(got.text)
            except ValueError:
                self.complaints.append(f"this is no JSON: {got.text}")
        before = next((one for one in self.attempts[:-1] if got.number and one.number == got.number), None)
        if before is not None and before.text != got.text:
            self.complaints.append(f"{got.number} came again with another body")
        if self.secret is not None and not self._is_signed(got):
            self.complaints.append(f"{got.number} is not signed")

    def _is_signed(self, got: Got) -> bool:
        """By the library's own signature; its check of the time is the real clock's, and ours may be virtual."""
        instant = got.headers.get("webhook-timestamp", "")
        if not (self.secret and got.number and instant.isdecimal()):
            return False
        expected = Webhook(self.secret).sign(got.number, datetime.fromtimestamp(int(instant), UTC), got.text)
        return expected in got.headers.get("webhook-signature", "").split(" ")
