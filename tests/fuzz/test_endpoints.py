"""Every endpoint that takes bytes, on the whole suite: whatever comes, an answer comes back in time, and no 5xx.

The API's and the tools' bodies are made from the good ones of `tests/e2e/test_bad_input.py`; forms are those that the
pages show. Afterwards nothing has died inside, and no reader has set anything aside.
"""

import hashlib
import hmac
import json
import socket
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote, urlencode, urlsplit

import httpx
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from connectors.tokens import hook_path
from tests.answers import difference
from tests.e2e.test_bad_input import GATEWAY, REST, Endpoint
from tests.fuzz.crawl import Form, Pairs, Seen, crawl
from tests.fuzz.house import SECRET, Observed
from tests.fuzz.nasty import NUMBERS, TEXTS, bodies, texts, torn
from tests.fuzz.profile import IS_LONG, fuzzed
from tests.fuzz.seeds import JIRA, SLACK
from web.session import AnswerLinks, Session, Sessions, SubscriberLinks

ANSWERED_WITHIN_S: Final = 15.0
FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}
JSON: Final = {"Content-Type": "application/json"}
STARTS: Final = (
    "/",
    "/alerts",
    "/alerts/new",
    "/sources",
    "/sources/new",
    "/policies",
    "/schedules",
    "/on-call",
    "/incidents",
    "/services",
    "/templates",
    "/maintenance",
    "/status-pages",
    "/connectors",
    "/actions",
    "/users",
    "/teams",
    "/me",
    "/audit",
    "/sign-in",
)
pytestmark = [pytest.mark.timeout(3600 if IS_LONG else 120), pytest.mark.usefixtures("nothing_wrong")]


@pytest.fixture(scope="module")
def browser(suite: Observed, ground: Mapping[str, Any]) -> Iterator[httpx.Client]:
    """The administrator, signed in."""
    me = suite.get("/api/users/current")["id"]
    token = Sessions(SECRET, "http://127.0.0.1:8080").sign(Session("fuzzed", me, int(time.time())))
    headers = {"Accept": "text/html", "Cookie": f"__Host-alarum={token}"}
    with httpx.Client(base_url=suite.url, headers=headers, timeout=ANSWERED_WITHIN_S) as client:
        yield client


@pytest.fixture(scope="module")
def seen(browser: httpx.Client, ground: Mapping[str, Any], suite: Observed) -> Seen:
    """Every page that can be found, and every form on them."""
    places = [f"/fragments/alerts/{ground['alert']}/{part}" for part in ("actions", "incidents")]
    page = suite.get(f"/api/status-pages/{ground['page']}")
    places += [f"/subscribers/{page['subdomain']}"]
    found = crawl(browser, [*STARTS, *places])
    assert len(found.forms) > 40
    return found


def fine(suite: Observed, answer: httpx.Response, what: object) -> None:
    """No 5xx, no complaint from inside, and a refusal of the API says what every refusal says."""
    said = f"{what!r} was answered {answer.status_code} {answer.text[:300]}"
    assert answer.status_code < 500, f"{said}; inside: {suite.found_wrong()}"
    if answer.request.url.path.startswith("/api/"):
        assert difference(answer.request.method, answer.request.url.path, answer) is None, said


def test_bodies_that_were_nearly_good(suite: Observed, ground: Mapping[str, Any]) -> None:
    @fuzzed(90)
    @given(st.data(), st.sampled_from(REST))
    def sends(data: st.DataObject, endpoint: Endpoint) -> None:
        assume(endpoint.path != "/api/users/current")  # who asks must go on being who they are
        body = data.draw(bodies(endpoint.body(ground, data.draw(st.integers(2, 9)))))
        path = endpoint.path.format(**ground)
        answer = suite.api.request(endpoint.method, path, content=body, headers=JSON)
        fine(suite, answer, (endpoint, body))

    sends()


def test_events_that_were_nearly_good(suite: Observed, ground: Mapping[str, Any]) -> None:
    @fuzzed(50)
    @given(st.data(), st.sampled_from(GATEWAY))
    def sends(data: st.DataObject, endpoint: Endpoint) -> None:
        body = data.draw(bodies(endpoint.body(ground, 2)))
        answer = suite.public.request(endpoint.method, endpoint.path.format(**ground), content=body, headers=JSON)
        fine(suite, answer, (endpoint, body))

    sends()


def test_events_of_any_kind_under_any_name(suite: Observed, ground: Mapping[str, Any]) -> None:
    """Content types, CloudEvents' headers, keys and queries."""
    good = {"eventType": "ALERT", "summary": "x"}
    names = st.sampled_from(["Content-Type", "Idempotency-Key", "ce-id", "ce-source", "traceparent", "User-Agent"])
    kinds = st.sampled_from(["application/cloudevents+json", "application/x+json", "application/json; charset=x", ""])
    words = st.one_of(kinds, st.sampled_from(TEXTS), st.text(max_size=8)).map(_header)
    keys = st.one_of(st.just(ground["key"]), texts)

    @fuzzed(40)
    @given(st.data(), keys, st.dictionaries(names, words, max_size=3), texts)
    def sends(data: st.DataObject, key: str, headers: dict[str, str], query: str) -> None:
        body = data.draw(bodies(data.draw(st.sampled_from([good, {"id": "7", "source": "s", "data": good}]))))
        integration = data.draw(st.sampled_from(["api", "prometheus", "nagios"]))
        path = f"/api/v1/events/{integration}/{_quoted(key) or '%20'}?{_quoted(query)}={_quoted(query)}"
        sent = {name.encode(): value.encode("latin-1") for name, value in (JSON | headers).items()}
        answer = suite.public.post(path, content=body, headers=sent)
        fine(suite, answer, (path, body, headers))

    sends()


def test_what_other_tools_call_back_with(suite: Observed, ground: Mapping[str, Any]) -> None:
    robot = {"botToken": "xoxb-1-token", "signingSecret": "s" * 32}
    made = suite.create("/api/connectors", {"type": "slack", "name": "Fuzzed robot", "params": robot})
    jira_at = hook_path("jira", int(ground["connector"]), SECRET)
    slack_at = hook_path("slack", int(made["id"]), SECRET)

    @fuzzed(25)
    @given(bodies(JIRA))
    def jira(body: bytes) -> None:
        fine(suite, suite.public.post(jira_at, content=body, headers=JSON), body)

    @fuzzed(25)
    @given(st.one_of(bodies(SLACK).map(lambda body: b"payload=" + quote(body).encode()), st.binary(max_size=60)))
    def slack(body: bytes) -> None:
        instant = str(int(time.time()))
        digest = hmac.new(b"s" * 32, f"v0:{instant}:".encode() + body, hashlib.sha256).hexdigest()
        signed = {"X-Slack-Request-Timestamp": instant, "X-Slack-Signature": f"v0={digest}"}
        fine(suite, suite.public.post(slack_at, content=body, headers=FORM | signed), body)

    jira()
    slack()


def test_every_page_can_be_seen(seen: Seen) -> None:
    assert {url: status for url, status in seen.refused.items() if status != 404} == {}


def test_links_of_mails_with_any_form(suite: Observed, ground: Mapping[str, Any]) -> None:
    """Real tokens of subscribers, known and not, and of answers; the public's own form."""
    made = suite.create("/api/services", {"name": f"Linked {time.monotonic_ns()}"})
    shop = f"linked-{time.monotonic_ns()}"
    shown = {
        "name": shop,
        "subdomain": shop,
        "visibility": "PUBLIC",
        "activated": True,
        "services": [{"id": made["id"]}],
    }
    page = f"/api/status-pages/{suite.create('/api/status-pages', shown)['id']}/subscribers"
    suite.public.post(f"/subscribers/{shop}", content=b"email=reader@example.org", headers=FORM)
    links = SubscriberLinks(SECRET)
    numbers = [one["id"] for one in suite.get(page)] + [0, -1, 2**63, 10**30]
    assert len(numbers) == 5
    places = [f"/subscribers/{place}/{links.token(n)}" for place in ("confirm", "manage", "leave") for n in numbers]
    odd = [[1, 2, "n", "accept", int(time.time())], [True, 10**30, "\x00", "resolve", int(time.time())], [], {}, "x"]
    signer = AnswerLinks(SECRET)._signer
    places += [f"/answer/{_text(signer.dumps(one))}" for one in odd]
    good = (("email", "somebody@example.org"), (f"services.{made['id']}", "on"), ("action", "ACCEPT"))

    @fuzzed(25)
    @given(st.data(), st.sampled_from([f"/subscribers/{shop}", *places]))
    def posts(data: st.DataObject, place: str) -> None:
        body = data.draw(_posted(good))
        fine(suite, suite.public.post(place, content=body, headers=FORM | {"Accept": "text/html"}), (place, body))
        fine(suite, suite.public.get(place), place)

    posts()


def test_pages_and_lists_with_any_query(suite: Observed, browser: httpx.Client, seen: Seen) -> None:
    pages = sorted({urlsplit(page).path for page in seen.pages})
    names = st.sampled_from(sorted(seen.queries | {"q", "page", "next", "from", "until", "at"}))
    given_values = st.one_of(texts, st.sampled_from(NUMBERS).map(str))

    @fuzzed(60)
    @given(st.sampled_from(pages), st.lists(st.tuples(names, given_values), min_size=1, max_size=3))
    def gets(page: str, query: list[tuple[str, str]]) -> None:
        url = f"{page}?{'&'.join(f'{name}={_quoted(value)}' for name, value in query)}"
        assume(len(url) < 60_000)
        fine(suite, browser.get(url), url)

    gets()


def test_paths_that_lead_anywhere(suite: Observed, browser: httpx.Client, seen: Seen) -> None:
    """Each step of a known path with something else in its place."""
    pages = sorted({*seen.pages, "/status/shop/history", "/hooks/jira/x", "/answer/x", "/static/x", "/api/users/7"})

    @fuzzed(40)
    @given(st.data(), st.sampled_from(pages))
    def gets(data: st.DataObject, page: str) -> None:
        steps = page.split("/")
        steps[data.draw(st.integers(1, len(steps) - 1))] = _quoted(data.draw(texts))[:4000]
        url = "/".join(steps)
        assume(not url.startswith("//"))
        fine(suite, browser.get(url), url)

    gets()


def test_headers_that_no_client_sends(suite: Observed) -> None:
    names = ["Cookie", "Origin", "Sec-Fetch-Site", "Authorization", "Accept", "Accept-Language", "Accept-Encoding"]
    names += ["X-Forwarded-Proto", "X-Forwarded-For", "Content-Type", "HX-Request", "HX-Target", "If-None-Match"]
    names += ["If-Modified-Since", "Range", "Last-Event-ID", "Host", "traceparent", "Idempotency-Key"]
    cookies = st.sampled_from(["__Host-alarum=", "alarum=", "flash=", "alarum-flash=", '"'])
    words = st.one_of(texts, st.sampled_from(["Bearer ", "bytes=0-", "http://", "W/"])).map(_header)
    paths = st.sampled_from(
        ["/alerts", "/api/users/current", "/sign-in", "/status/shop/", "/static/x.css", "/api/events"]
    )

    @fuzzed(40)
    @given(st.sampled_from(["GET", "POST", "HEAD", "OPTIONS", "PATCH"]), paths, st.data())
    def asks(method: str, path: str, data: st.DataObject) -> None:
        headers = data.draw(st.dictionaries(st.sampled_from(names), words, min_size=1, max_size=3))
        if "Cookie" in headers:
            headers["Cookie"] = data.draw(cookies) + headers["Cookie"]
        given_headers = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
        assume(sum(len(value) for _, value in given_headers) < 50_000)
        answer = suite.public.request(method, path, headers=given_headers)
        assert answer.status_code < 500, (method, path, headers, answer.text, suite.found_wrong())

    asks()


def test_bytes_that_are_hardly_http(suite: Observed, ground: Mapping[str, Any]) -> None:
    """On the wire: torn requests end, in an answer that is no 5xx or in none; and the next one is answered."""
    body = json.dumps({"integrationKey": ground["key"], "eventType": "ALERT", "summary": "x"}).encode()
    whole = b"POST /api/events HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s"
    chunked = b"POST /api/events HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"
    seeds = [whole % (len(body), body), chunked, b"GET /alerts?a=b HTTP/1.1\r\nHost: a\r\n\r\n"]

    @fuzzed(40)
    @given(st.data(), st.sampled_from(seeds))
    def sends(data: st.DataObject, seed: bytes) -> None:
        answered = _on_the_wire(suite.url, data.draw(torn(seed)))
        assert not answered.startswith(b"HTTP/1.1 5"), answered

    sends()
    assert suite.api.get("/api/users/current").status_code == 200


def test_forms_that_were_nearly_as_shown(suite: Observed, browser: httpx.Client, seen: Seen) -> None:
    """Last, because forms delete what other tests would ask about."""
    forms = sorted((form for form in seen.forms if form.action != "/sign-out"), key=repr)

    @fuzzed(100)
    @given(st.data(), st.sampled_from(forms))
    def posts(data: st.DataObject, form: Form) -> None:
        body = data.draw(_posted(form.pairs))
        answer = browser.post(form.action, content=body, headers=FORM)
        fine(suite, answer, (form.action, body))

    posts()


def _on_the_wire(url: str, request: bytes) -> bytes:
    """What is answered until the other side ends the connection, which it must once nothing more comes."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname or "", parts.port or 0), timeout=ANSWERED_WITHIN_S) as wire:
        answered = b""
        try:
            wire.sendall(request)
            wire.shutdown(socket.SHUT_WR)
            while chunk := wire.recv(65536):
                answered += chunk
        except ConnectionError:
            return answered
        return answered


@st.composite
def _posted(draw: st.DrawFn, pairs: Pairs) -> bytes:
    """The form with some of its values changed, gone, twice or under new names; perhaps torn."""
    kept: list[tuple[str, str]] = []
    for name, value in pairs:
        match draw(st.integers(0, 5)):
            case 0:
                kept.append((name, draw(texts)))
            case 1:
                kept.append((f"{name}.{draw(st.sampled_from(STEPS))}", value))
            case 2:
                kept += [(name, value), (name, draw(texts))]
            case 3:
                pass
            case _:
                kept.append((name, value))
    kept += draw(st.lists(st.tuples(st.sampled_from(("op", *STEPS)), st.sampled_from(PRESSED)), max_size=2))
    body = urlencode(kept, errors="surrogatepass").encode()
    return draw(torn(body)) if draw(st.integers(0, 3)) == 0 else body


STEPS: Final = ("0", "id", "-1", "9" * 40, "", "rules", "targets", "\u0663")
PRESSED: Final = (
    "add:rules",
    "add:rules.0.targets",
    "del:rules.0",
    "add:",
    "del:",
    "add:" + "a." * 30,
    "add:layers",
    "x",
)


def _quoted(text: str) -> str:
    return quote(text.encode("utf-8", "surrogatepass"), safe="")


def _header(text: str) -> str:
    """What can stand in a header at all: its lines made one, in Latin-1."""
    kept = "".join(character for character in text if character.isprintable() and ord(character) < 256)
    return kept.strip()[:2000]


def _text(token: str | bytes) -> str:
    return token.decode() if isinstance(token, bytes) else token
