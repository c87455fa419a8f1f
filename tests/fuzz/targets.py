"""What reads bytes that others wrote, each as a function of bytes: it returns, or fails the one who called it.

Words for what is wrong (`ApiError`, `MalformedEvent` …) are answers. Any other exception is a bug; so is a value that was
taken and cannot be written again.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qsl

from channels.mail import masked, one_line
from connectors.callbacks import is_signed, of_jira, of_slack
from connectors.domain.labels import told_by
from connectors.tokens import connector_of
from events.cells import CellSealed
from events.envelope import Envelope, MalformedEvent, UnknownEvent, decode, encode, place_of
from events.ingest import PriorityRule, SourceChanged
from ingest.canonical import Asked, Rejected, ToolEvent
from ingest.intake import Grouping, Moment, group_of, open_key, opened
from ingest.integrations import PARSERS
from ingest.integrations.payloads import decoded
from runtime.logs import redact
from runtime.vault import Keyring, Unreadable
from statuspage.domain import template
from web.bodies import MAX_DEPTH, parse_json
from web.errors import ApiError
from web.forms import nest, rearranged, rows
from web.markup import markdown, safe_link
from web.paths import role_of
from web.session import AnswerLinks, Sessions, SubscriberLinks, safe_next

SECRET: Final = "sixteen characters of a secret"
NOW: Final = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
URL: Final = "http://127.0.0.1:8080"
KEYRING: Final = Keyring.parse("k1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")
SOURCE: Final = SourceChanged(
    source=7, name="Shop", key_digest="", key_cell="", priority_rule=PriorityRule.HIGH, at=NOW, auto_resolution="PT24H"
)
Target = Callable[[bytes], None]


def json_body(body: bytes) -> None:
    """What is taken can be stored, answered, and is no deeper than promised."""
    value = _parsed(body)
    if value is not None:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        text.encode()
        assert "\\u0000" not in text.replace("\\\\", "")
        assert _depth(value) <= MAX_DEPTH


def envelope(body: bytes) -> None:
    """An envelope of ours is written as it was read: its id says its stream. Where one can be read, its place can."""
    try:
        found = decode(body)
    except (MalformedEvent, UnknownEvent):
        place(body)
        return
    if "@" not in found.stream:
        assert decode(encode(found)) == found
    assert place_of(body) == (found.stream, found.version)


def place(body: bytes) -> None:
    try:
        _, version = place_of(body)
    except MalformedEvent:
        return
    assert 0 <= version < 2**63


def cell(body: bytes) -> None:
    """`body` is the CloudEvent of a sealed cell, or what became of it: it opens as it was sealed, or not at all."""
    try:
        event = decode(body).event
    except (MalformedEvent, UnknownEvent):
        return
    if isinstance(event, CellSealed):
        try:
            opened_content = KEYRING.open(event)
        except Unreadable:
            return
        assert opened_content == CONTENT


def tool(integration: str) -> Target:
    """A payload becomes alerts that can be written down, or hears which field is wrong."""

    def read(body: bytes) -> None:
        payload = _parsed(body)
        for per_alert in (False, True):
            found = PARSERS[integration](payload, Asked(7, per_alert))
            if isinstance(found, Rejected):
                assert found.rule
                found.text.encode()
            else:
                for number, event in enumerate(found):
                    _writable(number, event)

    return read


def _writable(number: int, event: ToolEvent) -> None:
    moment = Moment("signal", NOW, NOW)
    created = opened(number + 1, SOURCE, event, (3, "the source's"), moment)
    assert decode(encode(Envelope(created, created.stream, 1, "ingest"))).event == created
    for mode in Grouping.ALL:
        group_of(mode, 7, event)
    open_key(7, event.alert_key)


def stored_signal(body: bytes) -> None:
    """What is stored may be older than the gateway's checks."""
    text = body.decode("utf-8", "surrogateescape")
    found = decoded(text)
    for parse in PARSERS.values():
        if not isinstance(found, Rejected):
            parse(found, Asked(7))


def form(body: bytes) -> None:
    """Pairs as a browser posts them; a button among them is pressed."""
    try:
        values = nest(parse_qsl(body.decode("latin-1"), keep_blank_values=True))
        rearranged(values, {"rules": {"timeout": "5", "targets": {"0": ""}}, "targets": ""})
    except ApiError:
        return
    for part in values.values():
        rows(part)


def jira(body: bytes) -> None:
    moved = of_jira(_parsed(body))
    if moved is not None:
        moved.who.encode()
        told_by(moved.labels, URL)


def slack(body: bytes) -> None:
    pressed = of_slack(_parsed(body))
    assert pressed is None or 0 <= pressed.alert < 2**63


def signature(body: bytes) -> None:
    """Nobody who lacks the secret is believed, whatever the headers say."""
    first, _, rest = body.partition(b"\n")
    second, _, rest = rest.partition(b"\n")
    headers = {"x-slack-request-timestamp": first.decode("latin-1"), "x-slack-signature": second.decode("latin-1")}
    assert not is_signed(headers, rest, SECRET, NOW)


def token(body: bytes) -> None:
    """Nothing that was not signed opens anything."""
    text = body.decode("utf-8", "replace")
    assert Sessions(SECRET, URL).verify(text) is None
    assert AnswerLinks(SECRET).read(text) is None
    assert SubscriberLinks(SECRET).read(text) is None
    assert connector_of("jira", text, SECRET) is None


def path(body: bytes) -> None:
    text = body.decode("latin-1")
    role_of(text)
    where = safe_next(text)
    assert where.startswith("/")
    assert not where.startswith(("//", "/\\"))


def log_line(body: bytes) -> None:
    """A line can be written, whatever its fields hold."""
    text = body.decode("utf-8", "replace")
    line = redact(None, "", {"event": text, text[:20]: {"deep": [text]}, "bytes": body})
    json.dumps(line, default=str)


def words(body: bytes) -> None:
    """Texts of others' making, where we fill them, mask them or show them."""
    text = body.decode("utf-8", "replace")
    template.unknown_placeholders(text)
    assert template.filled(text, {}).encode() is not None
    one_line(masked(text), 100).encode()
    markdown.__wrapped__(text[:5000])
    safe_link(text)


def _parsed(body: bytes) -> Any:
    try:
        return parse_json(body)
    except ApiError as refused:
        refused.message.encode()
        return None


def _depth(value: Any) -> int:
    match value:
        case dict():
            return 1 + _deepest(value.values())
        case list():
            return 1 + _deepest(value)
        case _:
            return 0


def _deepest(values: Iterable[Any]) -> int:
    return max(map(_depth, values), default=0)


TARGETS: Final[Mapping[str, Target]] = {
    "json_body": json_body,
    "envelope": envelope,
    "cell": cell,
    **{f"tool_{name}": tool(name) for name in PARSERS},
    "stored_signal": stored_signal,
    "form": form,
    "jira": jira,
    "slack": slack,
    "signature": signature,
    "token": token,
    "path": path,
    "log_line": log_line,
    "words": words,
}

CONTENT: Final = b'{"firstName": "Ada", "lastName": "Example", "email": "ada@example.org"}'
