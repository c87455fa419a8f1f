"""One call to another tool: in comes a request to anywhere, out comes its answer, or why there is none.

    checked addresses -> one of them, by its number -> a redirect is checked again -> the answer, at most LONGEST_ANSWER

Nothing is kept between calls: no connection, no cookie. 2xx is `Sent`; 408, 425, 429, 5xx and whatever keeps us from
an answer is `Later`; everything else is `Refused`, in the other side's words.
"""

import asyncio
import base64
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx

from channels.mail import one_line
from connectors.targets import Resolve, Target, TargetRefused, TargetUnknown, checked, system_resolve
from runtime.deliveries import Later, Refused, Result, Sent
from runtime.settings import Settings

TIMEOUT_S: Final = 10.0
LONGEST_ANSWER: Final = 64 * 1024
LONGEST_ERROR: Final = 1000
MOST_REDIRECTS: Final = 3
MOST_TRIED: Final = 4
USER_AGENT: Final = "Alarum"
NOT_NOW: Final = frozenset({408, 425, 429})
KEPT_ELSEWHERE: Final = ("accept", "content-type", "user-agent", "webhook-id", "webhook-timestamp", "webhook-signature")
"""Headers that a redirect to another host may take along: none that proves who we are."""


class Away(Exception):
    """There is no answer: it cannot be reached, it does not speak HTTP, it took too long. The text says which."""


@dataclass(frozen=True)
class Call:
    """`url` may have a user and a password in it: then they are sent as basic authentication."""

    method: str
    url: str
    headers: Mapping[str, str]
    content: bytes = b""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    def json(self) -> Any:
        """The body as JSON; None when it is none."""
        try:
            return httpx.Response(200, content=self.text.encode()).json()
        except ValueError:
            return None


class Outside:
    """Calls other tools. `transport` and `resolve` stand for the network in a simulation."""

    def __init__(
        self, settings: Settings, transport: httpx.AsyncBaseTransport | None = None, resolve: Resolve = system_resolve
    ) -> None:
        limits = httpx.Limits(max_keepalive_connections=0)  # two names at one address must not share a connection
        self._settings = settings
        self._transport = transport or httpx.AsyncHTTPTransport(trust_env=False, limits=limits)
        self._resolve = resolve

    async def call(self, call: Call) -> Answer:
        """Raises `TargetRefused` for an address that must not be called, `Away` when there is no answer in TIMEOUT_S."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                return await self._followed(call)
        except TimeoutError:
            raise Away(f"{_host(call.url)} did not answer within {TIMEOUT_S:.0f} s") from None
        except TargetUnknown as unknown:
            raise Away(str(unknown)) from None

    async def start(self) -> None:
        """Connections are made when there is something to say."""

    async def stop(self) -> None:
        await self._transport.aclose()

    def ready(self) -> str | None:
        return None

    async def _followed(self, call: Call) -> Answer:
        for _ in range(MOST_REDIRECTS + 1):
            answer, target = await self._once(call)
            location = answer.headers.get("location")
            if answer.status not in (301, 302, 303, 307, 308) or not location:
                return answer
            call = _redirected(call, target, location, answer.status)
        raise TargetRefused(f"It redirects more than {MOST_REDIRECTS} times")

    async def _once(self, call: Call) -> tuple[Answer, Target]:
        target = await checked(call.url, self._settings, self._resolve)
        for address in target.addresses[:MOST_TRIED]:
            try:
                return await self._at(address, target, call), target
            except (httpx.ConnectError, httpx.ConnectTimeout) as error:
                failure = error
        raise Away(f"{target.url.host} cannot be reached: {_said(failure)}")

    async def _at(self, address: str, target: Target, call: Call) -> Answer:
        request = _request(address, target, call)
        try:
            response = await self._transport.handle_async_request(request)
            try:
                return Answer(response.status_code, dict(response.headers), await _text(response))
            finally:
                await response.aclose()
        except (httpx.ConnectError, httpx.ConnectTimeout):
            raise
        except (httpx.TransportError, httpx.DecodingError) as error:
            raise Away(f"{target.url.host} broke off: {_said(error)}") from None


def judged(answer: Answer, now: datetime) -> Result:
    """What an answer means, by its status alone."""
    if answer.is_success:
        return Sent(one_line(f"HTTP {answer.status}", LONGEST_ERROR))
    words = one_line(
        f"HTTP {answer.status}: {answer.text}" if answer.text.strip() else f"HTTP {answer.status}", LONGEST_ERROR
    )
    if answer.status in NOT_NOW or answer.status >= 500:
        return Later(words, retry_after_s(answer.headers.get("retry-after"), now))
    return Refused(words)


def retry_after_s(header: str | None, now: datetime) -> float | None:
    """Seconds, or an HTTP date, at least a second from now; None when it is absent or unreadable."""
    if header is None:
        return None
    if header.strip().isdecimal():
        return max(1.0, float(header.strip()[:9]))
    try:
        until = parsedate_to_datetime(header)
    except ValueError:
        return None
    return max(1.0, (until - now).total_seconds()) if until.tzinfo is not None else None


def _request(address: str, target: Target, call: Call) -> httpx.Request:
    """To a checked address by its number, in the name of the host: for virtual hosts, and for its certificate."""
    headers = httpx.Headers({"User-Agent": USER_AGENT, "Accept-Encoding": "identity"})
    if target.userinfo:
        headers["Authorization"] = _basic(target)
    headers.update(call.headers)
    headers["Host"] = target.url.netloc.decode()
    timeouts = dict.fromkeys(("connect", "read", "write", "pool"), TIMEOUT_S)
    extensions = {"timeout": timeouts, "sni_hostname": target.url.host}
    url = target.url.copy_with(host=address, fragment=None)
    try:
        return httpx.Request(call.method, url, headers=headers, content=call.content, extensions=extensions)
    except (ValueError, TypeError) as error:
        raise TargetRefused(f"This cannot be sent: {error}") from None


def _basic(target: Target) -> str:
    bare = target.url.copy_with(userinfo=target.userinfo)
    return "Basic " + base64.b64encode(f"{bare.username}:{bare.password}".encode()).decode()


def _redirected(call: Call, target: Target, location: str, status: int) -> Call:
    """303 asks for the answer elsewhere; all others want the same request there: a call must not lose its body."""
    try:
        moved = target.url.join(location)
    except (httpx.InvalidURL, UnicodeError):
        raise TargetRefused("It redirects to what is no address") from None
    there = str(moved)
    same_origin = (moved.scheme, moved.host, moved.port) == (target.url.scheme, target.url.host, target.url.port)
    headers = call.headers if same_origin else {k: v for k, v in call.headers.items() if k.lower() in KEPT_ELSEWHERE}
    if status == 303:
        return Call("GET", there, {k: v for k, v in headers.items() if k.lower() != "content-type"})
    if same_origin and target.userinfo and not moved.userinfo:
        there = str(moved.copy_with(userinfo=target.userinfo))
    return Call(call.method, there, headers, call.content)


async def _text(response: httpx.Response) -> str:
    taken = bytearray()
    async for chunk in response.aiter_bytes():
        taken += chunk
        if len(taken) >= LONGEST_ANSWER:
            break
    return bytes(taken[:LONGEST_ANSWER]).decode("utf-8", "replace")


def _host(url: str) -> str:
    try:
        return httpx.URL(url).host
    except (httpx.InvalidURL, UnicodeError):
        return "the target"


def _said(error: Exception) -> str:
    return one_line(str(error), 200) or type(error).__name__
