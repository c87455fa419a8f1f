"""One call: to the address that was checked and no other, redirects looked at again, what an answer means."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import httpx
import pytest

from connectors.outside import Answer, Away, Call, Outside, judged, retry_after_s
from connectors.targets import TargetRefused
from runtime.deliveries import Later, Refused, Sent
from runtime.settings import Settings

NOW = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
NAMES = {"hook.example": "8.8.8.8", "moved.example": "8.8.4.4", "inside.example": "10.0.0.7"}


async def resolve(host: str, _port: int) -> Sequence[str]:
    if host not in NAMES:
        raise OSError("no such host")
    return [NAMES[host]]


def outside(handler: Callable[[httpx.Request], httpx.Response]) -> Outside:
    return Outside(Settings(private_targets=""), httpx.MockTransport(handler), resolve)


def redirecting(to: str, status: int = 307) -> tuple[list[httpx.Request], Outside]:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(status, headers={"Location": to}) if len(seen) == 1 else httpx.Response(200, text="done")

    return seen, outside(handler)


async def test_it_goes_to_the_checked_address_in_the_name_of_the_host() -> None:
    seen: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(204)

    answer = await outside(handler).call(
        Call("POST", "https://ada:s3cr%40t@hook.example:8443/x?y=1", {"X-A": "b"}, b"{}")
    )
    (request,) = seen
    assert answer.status == 204
    assert str(request.url) == "https://8.8.8.8:8443/x?y=1"
    assert request.headers["host"] == "hook.example:8443"
    assert request.extensions["sni_hostname"] == "hook.example"
    assert request.headers["authorization"] == "Basic YWRhOnMzY3JAdA=="
    assert request.headers["x-a"] == "b"


async def test_a_redirect_takes_the_body_along_and_leaves_credentials_behind() -> None:
    seen, there = redirecting("https://moved.example/y")
    headers = {"X-Api-Key": "secret", "Content-Type": "application/json", "webhook-id": "run_1"}
    answer = await there.call(Call("POST", "https://u:p@hook.example/x", headers, b'{"a":1}'))
    assert (answer.text, seen[1].content, seen[1].headers["host"]) == ("done", b'{"a":1}', "moved.example")
    assert seen[1].headers["webhook-id"] == "run_1"
    assert "x-api-key" not in seen[1].headers
    assert "authorization" not in seen[1].headers


async def test_a_redirect_within_a_host_keeps_them() -> None:
    seen, there = redirecting("/y")
    await there.call(Call("POST", "https://u:p@hook.example/x", {"X-Api-Key": "secret"}, b"{}"))
    assert seen[1].headers["x-api-key"] == "secret"
    assert seen[1].headers["authorization"] == seen[0].headers["authorization"]


async def test_see_other_is_read_and_not_sent_again() -> None:
    seen, there = redirecting("/y", 303)
    await there.call(Call("POST", "https://hook.example/x", {"Content-Type": "application/json"}, b"{}"))
    assert (seen[1].method, seen[1].content) == ("GET", b"")


@pytest.mark.parametrize("to", ["http://inside.example/", "file:///etc/passwd", "http://[::1"])
async def test_a_redirect_to_where_we_must_not_call_is_refused(to: str) -> None:
    seen, there = redirecting(to)
    with pytest.raises(TargetRefused):
        await there.call(Call("POST", "https://hook.example/x", {}))
    assert len(seen) == 1


async def test_redirects_without_an_end_are_refused() -> None:
    endless = outside(lambda request: httpx.Response(302, headers={"Location": "/again"}))
    with pytest.raises(TargetRefused, match="redirects"):
        await endless.call(Call("GET", "https://hook.example/", {}))


def failing(error: httpx.TransportError) -> Callable[[httpx.Request], httpx.Response]:
    def handler(_request: httpx.Request) -> httpx.Response:
        raise error

    return handler


@pytest.mark.parametrize("error", [httpx.ConnectError("refused"), httpx.ReadError("reset"), httpx.ReadTimeout("slow")])
async def test_no_answer_says_why(error: httpx.TransportError) -> None:
    with pytest.raises(Away, match=f"hook.example.*{error}"):
        await outside(failing(error)).call(Call("GET", "https://hook.example/", {}))


async def test_a_name_that_cannot_be_resolved_is_away() -> None:
    with pytest.raises(Away, match=r"nowhere\.example"):
        await outside(lambda _request: httpx.Response(200)).call(Call("GET", "https://nowhere.example/", {}))


async def test_a_header_that_is_none_is_refused() -> None:
    with pytest.raises((TargetRefused, Away)):
        await Outside(Settings(private_targets="127.0.0.0/8")).call(
            Call("POST", "http://127.0.0.1:9/", {"X-A": "a\r\nX-B: b"})
        )


async def test_a_long_answer_is_cut() -> None:
    answer = await outside(lambda _request: httpx.Response(400, text="x" * 200_000)).call(
        Call("GET", "https://hook.example/", {})
    )
    assert len(answer.text) == 64 * 1024


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, Sent),
        (202, Sent),
        (299, Sent),
        (304, Refused),
        (400, Refused),
        (401, Refused),
        (404, Refused),
        (410, Refused),
        (408, Later),
        (425, Later),
        (429, Later),
        (500, Later),
        (502, Later),
        (503, Later),
    ],
)
def test_a_status_has_a_meaning(status: int, kind: type) -> None:
    assert isinstance(judged(Answer(status, {}, "words"), NOW), kind)


def test_the_other_side_is_quoted() -> None:
    assert judged(Answer(400, {}, "Field 'project' is\nrequired"), NOW) == Refused(
        "HTTP 400: Field 'project' is required"
    )


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("17", 17.0),
        ("0", 1.0),
        ("Sun, 01 Mar 2026 03:00:30 GMT", 30.0),
        ("Sun, 01 Mar 2026 02:00:00 GMT", 1.0),
        ("soon", None),
        ("-4", None),
        ("", None),
        (None, None),
        ("9" * 400, 999999999.0),
    ],
)
def test_patience_is_asked_for_in_seconds_or_by_a_date(header: str | None, seconds: float | None) -> None:
    assert retry_after_s(header, NOW) == seconds
