"""Good bytes for each target, from which bad ones are made: what tools really sent, and every event ever published."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from events.envelope import Envelope, encode
from tests.fuzz.targets import CONTENT, KEYRING, NOW, SECRET, URL
from web.session import Answer, AnswerAction, AnswerLinks, Session, Sessions, SubscriberLinks

TESTS: Final = Path(__file__).parents[1]
JIRA: Final = {
    "webhookEvent": "jira:issue_updated",
    "user": {"displayName": "Ada Example"},
    "issue": {
        "key": "OPS-7",
        "fields": {"status": {"statusCategory": {"key": "done"}}, "labels": ["alarum-01234567-7-3"]},
    },
    "changelog": {"items": [{"field": "status"}]},
}
SLACK: Final = {
    "type": "block_actions",
    "user": {"username": "ada"},
    "actions": [{"action_id": "accept", "value": "7/3"}],
}
EVENT: Final = {
    "integrationKey": "il1int0",
    "eventType": "ALERT",
    "summary": "disk full",
    "details": "as it is",
    "alertKey": "k",
    "priority": "LOW",
    "severity": 3,
    "links": [{"href": "https://example.org/", "text": "there"}],
    "images": [{"src": "https://example.org/a.png"}],
    "comments": [{"content": "look", "creator": "Ada"}],
    "services": [{"id": 7}],
    "labels": {"site": "berlin"},
    "customDetails": {"rack": [1, 2.5, None]},
}


def _files(folder: str) -> Sequence[bytes]:
    return [path.read_bytes() for path in sorted((TESTS / folder).rglob("*.json"))]


def _json(*values: object) -> Sequence[bytes]:
    return [json.dumps(value).encode() for value in values]


def _tokens() -> Sequence[bytes]:
    """Signed by another suite with another secret."""
    other = SECRET[::-1]
    answer = Answer(7, 7, "notification-7", AnswerAction.ACCEPT)
    texts = [
        Sessions(other, URL).sign(Session("s1", 7, int(NOW.timestamp()))),
        AnswerLinks(other).token(answer, NOW.timestamp()),
        SubscriberLinks(other).token(7),
        "3-0123456789abcdef0123456789abcdef",
    ]
    return [text.encode() for text in texts]


def _cell() -> bytes:
    sealed = KEYRING.seal("cell-7", CONTENT, NOW)
    return encode(Envelope(sealed, sealed.stream, 1, "accounts"))


SEEDS: Final[Mapping[str, Sequence[bytes]]] = {
    "json_body": [*_json(EVENT, [EVENT], 1), *_files("samples")],
    "envelope": _files("contract/samples"),
    "cell": [_cell()],
    "tool_api": [*_json(EVENT), *_files("samples/apprise")],
    "tool_prometheus": _files("samples/alertmanager"),
    "tool_pagerduty": [
        *_files("samples/pagerduty"),
        (TESTS / "samples/alertmanager/pagerduty-trigger.json").read_bytes(),
    ],
    "stored_signal": [*_json(EVENT), *_files("samples")],
    "form": [
        b"name=Nights&rules.0.timeout=5&rules.0.targets.0=user-7&rules.2.targets.1=&repeating=on&op=add%3Arules.0.targets",
        b"email=a%40example.org&services.7=on&op=del%3Arules.2",
    ],
    "jira": _json(JIRA),
    "slack": _json(SLACK),
    "signature": [b"1772334000\nv0=" + b"0" * 64 + b"\npayload=%7B%7D"],
    "token": _tokens(),
    "path": [b"/api/users/7/contacts/emails", b"/subscribers/manage/x.y", b"/status/shop/a%2Fb", b"//example.org"],
    "words": [
        b"{{alertSummary}} for {{ serviceName }} of <ada@example.org> [there](https://example.org/) **x** `y`\n\n- a\n- b"
    ],
    "log_line": [b"Bearer il1api0123 ada@example.org https://user:pass@example.org/"],
}
