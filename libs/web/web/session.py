"""Signed things that people carry: the session cookie and the links in mails; in comes SECRET_KEY, out come tokens and
who they speak for.
"""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final
from urllib.parse import urlsplit

from itsdangerous import BadSignature, URLSafeSerializer
from starlette.requests import Request
from starlette.responses import Response

SESSION_S: Final = 12 * 3600
LINK_S: Final = 7 * 24 * 3600
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
SECURE_COOKIE: Final = "__Host-alarum"
PLAIN_COOKIE: Final = "alarum"

Clock = Callable[[], float]


@dataclass(frozen=True)
class Session:
    """Who is signed in: the session's id (what a revocation names), the user's id, seconds since 1970 when it began."""

    id: str
    user: int
    issued_at: int


class Sessions:
    """Writes and reads the session cookie; whether a session was revoked is the caller's to ask."""

    def __init__(self, secret_key: str, public_url: str, clock: Clock = time.time) -> None:
        self._signer = _signer(secret_key, "alarum.session")
        self._https = urlsplit(public_url).scheme == "https"
        self._clock = clock

    def start(self, request: Request, response: Response, session_id: str, user: int) -> None:
        """Put the cookie of a new session on the response."""
        token = self.sign(Session(session_id, user, int(self._clock())))
        self._set(request, response, token, SESSION_S)

    def end(self, request: Request, response: Response) -> None:
        """Take the cookie away; the server-side revocation is a separate fact."""
        self._set(request, response, "", 0)

    def read(self, request: Request) -> Session | None:
        """The session that the request carries, or None: absent, forged or older than 12 hours."""
        return self.verify(request.cookies.get(self._name(request), ""))

    def sign(self, session: Session) -> str:
        return _text(self._signer.dumps([session.id, session.user, session.issued_at]))

    def verify(self, token: str) -> Session | None:
        match _load(self._signer, token):
            case [str(session_id), int(user), int(issued_at)] if _fresh(issued_at, self._clock(), SESSION_S):
                return Session(session_id, user, issued_at)
            case _:
                return None

    def _set(self, request: Request, response: Response, token: str, max_age_s: int) -> None:
        name = self._name(request)
        secure = name == SECURE_COOKIE
        response.set_cookie(name, token, max_age=max_age_s, path="/", secure=secure, httponly=True, samesite="lax")

    def _name(self, request: Request) -> str:
        """Browsers take Secure cookies over https and from loopback only; other plain-http hosts need another name."""
        return SECURE_COOKIE if self._https or _is_trustworthy(request) else PLAIN_COOKIE


class AnswerAction(StrEnum):
    ACCEPT = "accept"
    ESCALATE = "escalate"
    RESOLVE = "resolve"


@dataclass(frozen=True)
class Answer:
    """What a link in a mail lets its reader do: this action, on this alert, in this user's name."""

    alert: int
    user: int
    notification: str
    action: AnswerAction


class AnswerLinks:
    """Makes and reads the tokens of answer links: valid seven days, without a sign-in."""

    def __init__(self, secret_key: str, clock: Clock = time.time) -> None:
        self._signer = _signer(secret_key, "alarum.answer")
        self._clock = clock

    def token(self, answer: Answer, sent_at: float | None = None) -> str:
        """Valid for seven days from `sent_at` (seconds since 1970; now when absent); the same input gives the same
        token.
        """
        at = int(self._clock() if sent_at is None else sent_at)
        return _text(self._signer.dumps([answer.alert, answer.user, answer.notification, answer.action.value, at]))

    def read(self, token: str) -> "Answer | Expired | None":
        """The answer; `Expired` for a real token past its seven days; None for anything forged or torn."""
        match _load(self._signer, token):
            case [int(alert), int(user), str(notification), str(action), int(at)] if action in set(AnswerAction):
                answer = Answer(alert, user, notification, AnswerAction(action))
                return answer if _fresh(at, self._clock(), LINK_S) else Expired(answer)
            case _:
                return None


@dataclass(frozen=True)
class Expired:
    """The link was ours, but its seven days are over."""

    answer: Answer


class SubscriberLinks:
    """Makes and reads the tokens in mails to public subscribers. They do not age: an old mail's link must still end it."""

    def __init__(self, secret_key: str) -> None:
        self._signer = _signer(secret_key, "alarum.subscriber")

    def token(self, subscriber: int) -> str:
        return _text(self._signer.dumps(subscriber))

    def read(self, token: str) -> int | None:
        """The subscriber; None for anything forged or torn."""
        match _load(self._signer, token):
            case int(subscriber):
                return subscriber
            case _:
                return None


def safe_next(target: str | None, otherwise: str = "/alerts") -> str:
    """Where to go after signing in: a path of this site only, never somebody else's."""
    if not target or not target.startswith("/") or target.startswith(("//", "/\\")) or _has_control(target):
        return otherwise
    return target


def _has_control(text: str) -> bool:
    return any(ord(character) < 33 or ord(character) == 127 for character in text)


def _signer(secret_key: str, purpose: str) -> URLSafeSerializer:
    """A salt per purpose: a session's token is never a link's."""
    if len(secret_key) < 16:
        raise ValueError("SECRET_KEY must have at least 16 characters")
    options = {"digest_method": hashlib.sha256, "key_derivation": "hmac"}
    return URLSafeSerializer(secret_key, salt=purpose, signer_kwargs=options)


def _load(signer: URLSafeSerializer, token: str) -> Any:
    try:
        return signer.loads(token)
    except BadSignature:
        return None


def _text(token: str | bytes) -> str:
    return token.decode() if isinstance(token, bytes) else token


def _fresh(issued_at: int, now: float, lifetime_s: int) -> bool:
    """A minute of the future is forgiven: clocks of two hosts differ."""
    return -60 <= now - issued_at < lifetime_s


def _is_trustworthy(request: Request) -> bool:
    forwarded = request.headers.get("x-forwarded-proto", request.url.scheme)
    return forwarded == "https" or request.url.hostname in LOOPBACK
