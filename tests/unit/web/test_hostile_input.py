"""What nobody sends by accident: it is refused with words, and costs no more time than its length."""

import json
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from web.errors import ApiError
from web.forms import Values, add_row, rearranged
from web.guards import BodyLimit, SameOrigin, Unexpected, install, parse_json

TOO_DEEP = b"[" * 65


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "strings",
    [b'"' + b'\\"' * 1_000_000, b'"\\' * 1_000_000, b'"' * 2_000_000, b'"' + b"\\" * 2_000_000, b"{" * 2_000_000],
    ids=["escaped quotes", "quotes and backslashes", "quotes", "backslashes", "braces"],
)
def test_strings_that_never_end_are_read_once(strings: bytes) -> None:
    with pytest.raises(ApiError) as refused:
        parse_json(TOO_DEEP + strings)
    assert refused.value.status == 400


def test_brackets_inside_strings_are_no_depth() -> None:
    value = ["[{" * 100 + '"' + "\\", {"a": "]" * 100}]
    assert parse_json(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    "body",
    [b'"\xed\xa0\x80"', b'{"\xed\xb0\x80": 1}', '"a"'.encode("utf-16"), '"a"'.encode("utf-32-le"), b'"\xc0\x80"'],
    ids=["half a pair", "half a pair in a name", "UTF-16", "UTF-32", "a NUL in two bytes"],
)
def test_json_is_utf_8(body: bytes) -> None:
    with pytest.raises(ApiError) as refused:
        parse_json(body)
    assert refused.value.code == "MALFORMED_JSON"


def test_a_byte_order_mark_is_forgiven() -> None:
    assert parse_json(b'\xef\xbb\xbf{"a": 1}') == {"a": 1}


@pytest.mark.parametrize("number", [b"1e999", b"-1e999", b"1" * 400 + b".0"])
def test_numbers_that_would_be_infinite_are_refused(number: bytes) -> None:
    with pytest.raises(ApiError) as refused:
        parse_json(b'{"x": ' + number + b"}")
    assert refused.value.code == "MALFORMED_JSON"


def test_numbers_that_are_nearly_nothing_are_nothing() -> None:
    assert parse_json(b"1e-999") == 0.0


@pytest.mark.parametrize("origin", ["http://[", "http://[::1", "http://a]b", "\u2100", "http://\u2100.example"])
async def test_an_origin_that_is_no_url_is_another_site(origin: str) -> None:
    answer = await _asked([(b"origin", origin.encode("latin-1", "replace")), (b"host", b"alarum.example")])
    assert answer == 403


@pytest.mark.parametrize("length", ["\xb2", "9" * 5000, "-1", "1_0", "", " 7", "0x10"])
async def test_a_length_that_is_no_number_is_too_long(length: str) -> None:
    assert await _asked([(b"content-length", length.encode("latin-1"))]) == 413


async def _asked(headers: list[tuple[bytes, bytes]]) -> int:
    """The status that a POST with these headers and an empty body is answered with."""
    told: list[Message] = []

    async def fine(_scope: Scope, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        told.append(message)

    scope = {"type": "http", "method": "POST", "path": "/api/x", "query_string": b"", "headers": headers}
    await Unexpected(BodyLimit(SameOrigin(fine), 4096))(scope, receive, send)
    status: int = told[0]["status"]
    return status


async def test_who_goes_away_in_the_middle_of_a_body_is_no_bug(caplog: pytest.LogCaptureFixture) -> None:
    told: list[Message] = []

    async def reading(scope: Scope, receive: Receive, _send: Send) -> None:
        await Request(scope, receive).body()

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        told.append(message)

    scope = {"type": "http", "method": "POST", "path": "/api/events", "query_string": b"", "headers": []}
    await Unexpected(reading)(scope, receive, send)
    assert (told, caplog.records) == ([], [])


def test_rows_whose_keys_were_made_up_are_no_reason_to_fail() -> None:
    form: Values = {"rules": {"9" * 5000: "a", "\u0663": "b", "\u00b2": "c", "7": "d"}, "op": "add:rules"}
    assert rearranged(form, {"rules": ""})
    assert form["rules"]["8"] == ""


def test_rows_are_not_added_without_end_below_each_other() -> None:
    with pytest.raises(ApiError):
        add_row({}, "a." * 5000 + "a")


async def test_the_log_of_a_bug_tells_no_token_of_its_path(caplog: pytest.LogCaptureFixture) -> None:
    app = FastAPI()
    install(app)

    @app.get("/answer/{token}/notification-preferences")
    async def broken(token: str) -> Any:
        raise RuntimeError("a bug")

    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
        answer = await http.get("/answer/" + "t0ken" * 8 + "/notification-preferences")
    assert answer.status_code == 500
    [line] = [record for record in caplog.records if record.getMessage() == "request failed"]
    assert getattr(line, "path", "") == "/answer/…/notification-preferences"
