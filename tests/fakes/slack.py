"""Slack's Web API as far as we speak to it, strict about blocks (by Slack's own library), and its buttons."""

import hashlib
import hmac
import itertools
import json
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import httpx
from slack_sdk.errors import SlackObjectFormationError
from slack_sdk.models.blocks import Block

MOST_BLOCKS = 50


@dataclass
class Posted:
    """A message as it stands; `changes` counts how often it was changed."""

    channel: str
    ts: str
    text: str
    blocks: list[dict[str, Any]]
    changes: int = 0

    @property
    def buttons(self) -> dict[str, dict[str, Any]]:
        """By `action_id`."""
        rows = [block["elements"] for block in self.blocks if block["type"] == "actions"]
        return {button["action_id"]: button for row in rows for button in row}


@dataclass
class Slack:
    """`answers` are given first, one to each request. Mounted at `/api/` as Slack's is."""

    token: str = "xoxb-token"
    signing_secret: str = "8f742231b10e8888abcd99yyyzzz85a5"
    channels: tuple[str, ...] = ("C012AB3CD",)
    messages: dict[str, Posted] = field(default_factory=dict)
    answers: deque[httpx.Response] = field(default_factory=deque)
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    _instants: Iterator[int] = field(default_factory=lambda: itertools.count(1503435956))

    def __call__(self, request: httpx.Request) -> httpx.Response:
        method = request.url.path.removeprefix("/api/")
        self.requests.append(method)
        if self.answers:
            return self.answers.popleft()
        if request.headers.get("authorization") != f"Bearer {self.token}":
            return _no("invalid_auth")
        match method:
            case "auth.test":
                return httpx.Response(200, json={"ok": True, "team": "Acme", "user": "alarum", "bot_id": "B1"})
            case "chat.postMessage":
                return self._post(json.loads(request.content))
            case "chat.update":
                return self._update(json.loads(request.content))
            case _:
                return _no("unknown_method")

    @property
    def message(self) -> Posted:
        """The only one there is."""
        (message,) = self.messages.values()
        return message

    def press(self, message: Posted, button: str, at: float, who: str = "grace") -> tuple[dict[str, str], bytes]:
        """Headers and body of the call that Slack makes when somebody presses a button at `at` (seconds since 1970)."""
        shown = message.buttons[button]
        action = {"type": "button", "action_id": button, "block_id": "b1", "text": shown["text"]}
        payload = {
            "type": "block_actions",
            "user": {"id": "U1", "username": who, "name": who, "team_id": "T1"},
            "channel": {"id": message.channel, "name": "ops"},
            "message": {"ts": message.ts, "text": message.text},
            "actions": [action | ({"value": shown["value"]} if "value" in shown else {})],
        }
        body = urlencode({"payload": json.dumps(payload)}).encode()
        return self.signed(body, at), body

    def signed(self, body: bytes, at: float) -> dict[str, str]:
        instant = str(int(at))
        base = b"v0:" + instant.encode() + b":" + body
        digest = hmac.new(self.signing_secret.encode(), base, hashlib.sha256).hexdigest()
        return {
            "Content-Type": "application/x-www-form-urlencoded",
            "X-Slack-Request-Timestamp": instant,
            "X-Slack-Signature": f"v0={digest}",
        }

    def _post(self, body: dict[str, Any]) -> httpx.Response:
        if body.get("channel") not in self.channels:
            return _no("channel_not_found")
        if wrong := self._wrong(body):
            return wrong
        ts = f"{next(self._instants)}.000200"
        self.messages[ts] = Posted(body["channel"], ts, body["text"], body["blocks"])
        return httpx.Response(200, json={"ok": True, "channel": body["channel"], "ts": ts})

    def _update(self, body: dict[str, Any]) -> httpx.Response:
        message = self.messages.get(body.get("ts", ""))
        if message is None or message.channel != body.get("channel"):
            return _no("message_not_found")
        if wrong := self._wrong(body):
            return wrong
        message.text, message.blocks, message.changes = body["text"], body["blocks"], message.changes + 1
        return httpx.Response(
            200, json={"ok": True, "channel": message.channel, "ts": message.ts, "text": body["text"]}
        )

    def _wrong(self, body: dict[str, Any]) -> httpx.Response | None:
        try:
            check_blocks(body["blocks"])
        except (SlackObjectFormationError, ValueError, KeyError) as error:
            self.complaints.append(str(error))
            return _no("invalid_blocks", response_metadata={"messages": [str(error)]})
        return None if body.get("text") else _no("no_text")


def check_blocks(blocks: list[dict[str, Any]]) -> None:
    """Raises for what Slack calls `invalid_blocks`."""
    if not 0 < len(blocks) <= MOST_BLOCKS:
        raise ValueError(f"{len(blocks)} blocks")
    parsed = Block.parse_all(blocks)
    if len(parsed) != len(blocks):
        raise ValueError("a block of an unknown type")
    for block in parsed:
        block.validate_json()
        block.to_dict()
    names = [button["action_id"] for block in blocks if block["type"] == "actions" for button in block["elements"]]
    if len(names) != len(set(names)):
        raise ValueError("an action_id is there twice")
    for text in _texts(blocks):
        if not text.get("text") or len(text["text"]) > 3000:
            raise ValueError(f"a text of {len(text.get('text', ''))} characters")


def _texts(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    elif isinstance(value, dict):
        if value.get("type") in ("plain_text", "mrkdwn"):
            yield value
        for inner in value.values():
            yield from _texts(inner)


def _no(error: str, **more: Any) -> httpx.Response:
    return httpx.Response(200, json={"ok": False, "error": error, **more})
