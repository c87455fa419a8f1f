"""Who a signed thing speaks for, and that nobody else's does."""

from urllib.parse import urlsplit

import pytest
from starlette.requests import Request
from starlette.responses import Response

from web.session import Answer, AnswerAction, AnswerLinks, Expired, Session, Sessions, safe_next

KEY = "a key that only this suite has"
HOUR, DAY = 3600, 86400


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def request_to(url: str, cookie: str = "", **headers: str) -> Request:
    parts = urlsplit(url)
    pairs = {
        "host": parts.netloc,
        "cookie": cookie,
        **{name.replace("_", "-"): value for name, value in headers.items()},
    }
    raw = [(name.encode(), value.encode()) for name, value in pairs.items() if value]
    scope = {"type": "http", "method": "GET", "scheme": parts.scheme, "path": "/", "query_string": b"", "headers": raw}
    return Request({**scope, "server": (parts.hostname, 80)})


def cookie_of(response: Response) -> str:
    return response.headers["set-cookie"]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(clock: Clock) -> Sessions:
    return Sessions(KEY, "http://127.0.0.1:8080", clock)


class TestTheSession:
    def signed_in(self, sessions: Sessions, url: str = "http://127.0.0.1:8080/") -> str:
        response = Response()
        sessions.start(request_to(url), response, "s-1", 7)
        return cookie_of(response).partition(";")[0]

    def test_what_was_signed_is_read_back(self, sessions: Sessions, clock: Clock) -> None:
        cookie = self.signed_in(sessions)
        assert sessions.read(request_to("http://127.0.0.1:8080/", cookie)) == Session("s-1", 7, int(clock.now))

    def test_nobody_is_signed_in_without_a_cookie(self, sessions: Sessions) -> None:
        assert sessions.read(request_to("http://127.0.0.1:8080/")) is None

    def test_it_lasts_twelve_hours_and_no_longer(self, sessions: Sessions, clock: Clock) -> None:
        token = sessions.sign(Session("s-1", 7, int(clock.now)))
        clock.now += 12 * HOUR - 1
        assert sessions.verify(token) is not None
        clock.now += 1
        assert sessions.verify(token) is None

    def test_one_from_the_future_is_refused(self, sessions: Sessions, clock: Clock) -> None:
        assert sessions.verify(sessions.sign(Session("s-1", 7, int(clock.now) + DAY))) is None

    def test_a_changed_one_is_refused(self, sessions: Sessions, clock: Clock) -> None:
        token = sessions.sign(Session("s-1", 7, int(clock.now)))
        flipped = ("B" if token[3] == "A" else "A").join((token[:3], token[4:]))
        assert sessions.verify(flipped) is None

    def test_another_suites_is_refused(self, sessions: Sessions, clock: Clock) -> None:
        others = Sessions("the key of some other suite", "http://127.0.0.1:8080", clock)
        assert sessions.verify(others.sign(Session("s-1", 7, int(clock.now)))) is None

    def test_a_links_token_is_no_session(self, sessions: Sessions, clock: Clock) -> None:
        link = AnswerLinks(KEY, clock).token(Answer(1, 7, "n", AnswerAction.ACCEPT))
        assert sessions.verify(link) is None

    def test_a_short_key_is_refused_at_start(self) -> None:
        with pytest.raises(ValueError, match="SECRET_KEY"):
            Sessions("short", "http://127.0.0.1:8080")


class TestTheCookie:
    @pytest.mark.parametrize(
        ("public_url", "url", "headers"),
        [
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080/", {}),
            ("http://127.0.0.1:8080", "http://localhost:8080/", {}),
            ("https://alarum.example.org", "http://10.0.0.5:9001/", {}),
            ("http://127.0.0.1:8080", "http://alarum.example.org/", {"x_forwarded_proto": "https"}),
        ],
    )
    def test_it_is_a_host_cookie_where_browsers_allow_it(
        self, clock: Clock, public_url: str, url: str, headers: dict[str, str]
    ) -> None:
        response = Response()
        Sessions(KEY, public_url, clock).start(request_to(url, **headers), response, "s-1", 7)
        name, _, attributes = cookie_of(response).partition("=")
        assert name == "__Host-alarum"
        assert {"HttpOnly", "Secure", "SameSite=lax", "Path=/", "Max-Age=43200"} <= set(attributes.split("; "))

    def test_over_plain_http_on_another_host_it_has_another_name_and_is_not_secure(self, sessions: Sessions) -> None:
        response = Response()
        sessions.start(request_to("http://10.0.0.5:8080/"), response, "s-1", 7)
        assert cookie_of(response).startswith("alarum=")
        assert "Secure" not in cookie_of(response)
        assert "HttpOnly" in cookie_of(response)

    def test_over_https_the_plain_name_counts_for_nothing(self, clock: Clock) -> None:
        """A neighbour on a sub-domain can plant `alarum`, but never `__Host-alarum`."""
        sessions = Sessions(KEY, "https://alarum.example.org", clock)
        token = sessions.sign(Session("s-1", 7, int(clock.now)))
        assert sessions.read(request_to("https://alarum.example.org/", f"alarum={token}")) is None

    def test_signing_out_takes_it_away(self, sessions: Sessions) -> None:
        response = Response()
        sessions.end(request_to("http://127.0.0.1:8080/"), response)
        assert "Max-Age=0" in cookie_of(response)


class TestAnswerLinks:
    answer = Answer(alert=42, user=7, notification="n-1", action=AnswerAction.ESCALATE)

    def test_what_was_signed_is_read_back(self, clock: Clock) -> None:
        links = AnswerLinks(KEY, clock)
        assert links.read(links.token(self.answer)) == self.answer

    def test_the_same_answer_sent_at_the_same_time_has_the_same_link(self, clock: Clock) -> None:
        links = AnswerLinks(KEY, clock)
        first = links.token(self.answer, sent_at=clock.now)
        clock.now += 5
        assert links.token(self.answer, sent_at=clock.now - 5) == first

    def test_after_seven_days_it_says_that_it_expired(self, clock: Clock) -> None:
        links = AnswerLinks(KEY, clock)
        token = links.token(self.answer)
        clock.now += 7 * DAY - 1
        assert links.read(token) == self.answer
        clock.now += 1
        assert links.read(token) == Expired(self.answer)

    def test_a_sessions_token_is_no_link(self, clock: Clock, sessions: Sessions) -> None:
        assert AnswerLinks(KEY, clock).read(sessions.sign(Session("s-1", 7, int(clock.now)))) is None

    @pytest.mark.parametrize("token", ["", "x", "a.b", "é.ü", "." * 5000])
    def test_nonsense_is_no_link(self, clock: Clock, token: str) -> None:
        assert AnswerLinks(KEY, clock).read(token) is None

    def test_a_token_is_fit_for_a_path(self, clock: Clock) -> None:
        token = AnswerLinks(KEY, clock).token(self.answer)
        assert all(character.isalnum() or character in "-_." for character in token)


class TestWhereToGoAfterSigningIn:
    @pytest.mark.parametrize("target", ["/alerts", "/alerts/42?tab=payload", "/"])
    def test_a_path_of_this_site_is_taken(self, target: str) -> None:
        assert safe_next(target) == target

    @pytest.mark.parametrize(
        "target",
        [
            None,
            "",
            "//evil.example.org",
            "/\\evil.example.org",
            "https://evil.example.org",
            "/\t/evil.example.org",
            "/a\r\nb",
        ],
    )
    def test_anything_else_is_not(self, target: str | None) -> None:
        assert safe_next(target) == "/alerts"
