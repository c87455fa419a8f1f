"""What nobody sends by accident, as strategies: texts, numbers, JSON values, bodies that were nearly good, and bytes."""

import json
from collections.abc import Callable
from typing import Any, Final

from hypothesis import strategies as st

TEXTS: Final = (
    "",
    " ",
    "\x00",
    "\ud800",
    "\u202e",
    "\ufeff",
    "😀" * 300,
    "e\u0301" * 200,
    "a" * 70_000,
    "9" * 5000,
    "\u0663\u00b2",
    "-1",
    "1e999",
    "NaN",
    "null",
    "true",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-14:00",
    "2026-02-30T00:00:00Z",
    "2026-03-29T02:30",
    "2026-03-01T00:00:00+99:99",
    "24:00",
    "23:59:60",
    "P1Y",
    "P7D",
    "PT0S",
    "-PT5M",
    "PT99999999999999999999H",
    "P999999999D",
    "Europe/Berlin",
    "Europe/../../etc/passwd",
    "/etc/localtime",
    "localtime",
    "MONDAY",
    "#zzzzzz",
    "{{alertSummary}}",
    "{{",
    "{{#each}}{{/if}}",
    "{% for x in y %}",
    "%s%n%(a)s",
    "{0.__class__}",
    "http://[",
    "http://[::1",
    "https://user:pass@127.0.0.1:99999999/",
    "http://a\u2100b/",
    "javascript:alert(1)",
    "file:///etc/passwd",
    "//example.org",
    "../../etc/passwd",
    "%00%ff%2e%2e",
    "a@b",
    '"a b"@example.org',
    "a@" + "b" * 300 + ".org",
    "a@b.c\r\nBcc: d@e.f",
    "<script>alert(1)</script>",
    "'; drop table events; --",
    "a.b.c",
    "*",
    "?",
    "[",
    "(((((((((((((((((((((((a+)+)+",
    "".join(
        chr(0x4E00 + place * 7919 % 20_000) for place in range(4000)
    ),  # nothing that a database could press together
)
NUMBERS: Final = (0, -1, 1, 2**31 - 1, 2**31, 2**53 + 1, 2**63 - 1, 2**63, 2**64, 10**400, 1e308, -0.0, 1e-320, 0.5)

texts: Final = st.one_of(st.sampled_from(TEXTS), st.text(max_size=12))
leaves: Final[st.SearchStrategy[Any]] = st.one_of(
    texts, st.sampled_from(NUMBERS), st.integers(-5, 100), st.booleans(), st.none()
)
values: Final[st.SearchStrategy[Any]] = st.recursive(
    leaves,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(texts, inner, max_size=4)),
    max_leaves=6,
)


@st.composite
def nearly(draw: st.DrawFn, good: Any) -> Any:
    """A good body of which one to three places were changed: gone, said twice, or something else."""
    body = json.loads(json.dumps(good))
    for _ in range(draw(st.integers(1, 3))):
        body = _changed(draw, body)
    return body


def _changed(draw: st.DrawFn, value: Any) -> Any:
    """One place of it changed. Going deeper is as likely as changing what is here."""
    match value:
        case dict() if value and draw(st.integers(0, 3)) > 0:
            name = draw(st.sampled_from(sorted(value)))
            match draw(st.integers(0, 4)):
                case 0:
                    return {other: inner for other, inner in value.items() if other != name}
                case 1:
                    return value | {draw(texts): value[name]}
                case _:
                    return value | {name: _changed(draw, value[name])}
        case list() if value and draw(st.integers(0, 3)) > 0:
            place = draw(st.integers(0, len(value) - 1))
            match draw(st.integers(0, 4)):
                case 0:
                    return value[:place] + value[place + 1 :]
                case 1:
                    return value + value[place:]
                case _:
                    return [*value[:place], _changed(draw, value[place]), *value[place + 1 :]]
        case _:
            return draw(values)


def said(value: Any, *, raw: bool) -> bytes:
    """The value as JSON. `raw`: its texts as their own bytes, halves of surrogate pairs too, else all escaped."""
    text = json.dumps(value, ensure_ascii=not raw)
    return text.encode("utf-8", "surrogatepass")


@st.composite
def torn(draw: st.DrawFn, whole: bytes) -> bytes:
    """Bytes that were whole: cut, doubled, overwritten, or with something put between."""
    body = whole
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(body)))
        how: Callable[[bytes, bytes], bytes] = draw(st.sampled_from(HOW))
        body = how(body[:place], body[place:])
        if draw(st.booleans()):
            body = body[:place] + draw(st.one_of(st.binary(max_size=4), st.sampled_from(SPLICES))) + body[place:]
    return body


HOW: Final[tuple[Callable[[bytes, bytes], bytes], ...]] = (
    lambda before, _after: before,
    lambda _before, after: after,
    lambda before, after: before + after[1:],
    lambda before, after: before + after + after,
    lambda before, after: after + before,
)
SPLICES: Final = (
    b"\x00",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b"\\u0000",
    b"\\ud800",
    b'"',
    b"\\",
    b"[" * 70,
    b'{"a":' * 70,
    b"1e999",
    b"-",
    b"9" * 400,
    b"%00",
    b"%ED%A0%80",
    b"&",
    b"=",
    b";",
    b"\r\n",
    b"@",
    b"@" + b"9" * 30,
)


@st.composite
def bodies(draw: st.DrawFn, good: Any) -> bytes:
    """A body for where `good` would be taken: nearly that, in one way of writing or another, perhaps torn."""
    value = draw(st.one_of(nearly(good), nearly(good), values, st.just(good)))
    whole = said(value, raw=draw(st.booleans()))
    return draw(torn(whole)) if draw(st.integers(0, 2)) == 0 else whole
