"""Whatever is sent, wherever a body is taken: a 4xx that says status, message and code and names the field; never a 5xx,
never silence, nothing half done, and nothing told about others."""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from secrets import token_hex
from typing import Any, Final
from urllib.parse import quote

import httpx
import pytest
from fastapi.routing import APIRoute

import accounts.api
import connectors.api.actions
import connectors.api.alerts
import connectors.api.connectors
import escalator.api
import ingest.api
import notifier.api
import notifier.preferences
import statuspage.api.incidents
import statuspage.api.maintenance
import statuspage.api.services
import statuspage.api.status_pages
import statuspage.api.subscribers
import statuspage.api.templates
from tests.e2e.suite import Suite, eventually

ANSWERED_WITHIN_S = 10.0
DEEP = b"[" * 10_000 + b"]" * 10_000
TEN_MB = b"x" * 10_000_000
MANY_DIGITS = 10**400
NOTHING_TAKES: Sequence[Any] = ([[{}]], {"no": {"such": [1]}}, MANY_DIGITS)
"""Values that fit no field of the API."""
NO_TOOL_SAYS: Sequence[Any] = NOTHING_TAKES[:2]
"""Values that fit no field of an event: where texts are asked, tools may send numbers."""

Body = dict[str, Any]


@dataclass(frozen=True)
class Endpoint:
    """Where a body is taken, and a good one. `fresh` numbers make names that nobody has yet.

    `takes_none`: an empty list is a wish there, too.
    """

    method: str
    path: str
    body: Callable[[Mapping[str, Any], int], Any]
    takes_none: bool = False

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


def ref(number: int) -> Body:
    return {"id": number}


def user(ground: Mapping[str, Any], fresh: int) -> Body:
    return {
        "firstName": "Cyd",
        "lastName": "Example",
        "email": f"cyd-{ground['mark']}-{fresh}@example.org",
        "timezone": "Europe/Berlin",
        "position": "Guard",
        "department": "Night",
        "language": "en",
        "region": "DE",
        "role": "RESPONDER",
        "shiftColor": "#aabbcc",
    }


def changed_user(ground: Mapping[str, Any], _fresh: int) -> Body:
    return user(ground, 0) | {"email": ground["email"]}


def team(ground: Mapping[str, Any], fresh: int) -> Body:
    members = [{"user": ref(ground["user"]), "role": "USER"}]
    return {"name": f"Team {ground['mark']} {fresh}", "visibility": "PUBLIC", "members": members}


def policy(ground: Mapping[str, Any], fresh: int) -> Body:
    return {
        "name": f"Policy {ground['mark']} {fresh}",
        "escalationRules": [level(ground, fresh)],
        "teams": [],
        "repeating": True,
        "frequency": 2,
        "delayMin": 1,
        "routingKey": f"key-{ground['mark']}-{fresh}",
    }


def level(ground: Mapping[str, Any], _fresh: int) -> Body:
    return {"escalationTimeout": 5, "users": [ref(ground["user"])], "schedules": [ref(ground["schedule"])]}


def schedule(ground: Mapping[str, Any], fresh: int) -> Body:
    hours = {"from": {"dayOfWeek": "MONDAY", "time": "09:00"}, "to": {"dayOfWeek": "MONDAY", "time": "17:00"}}
    layer = {
        "name": "Weekly",
        "startsOn": "2026-01-05T09:00",
        "endsOn": "2027-01-05T09:00",
        "users": [ref(ground["user"])],
        "rotation": "P7D",
        "restrictionType": "TIMES_OF_WEEK",
        "restrictions": [hours],
    }
    return {
        "name": f"Schedule {ground['mark']} {fresh}",
        "timezone": "Europe/Berlin",
        "type": "RECURRING",
        "scheduleLayers": [layer],
        "showGaps": True,
        "defaultShiftDuration": "P7D",
        "teams": [],
    }


def override(ground: Mapping[str, Any], fresh: int) -> Body:
    start = f"{2030 + fresh}-01-01T00:00:00Z"
    return {"user": ref(ground["user"]), "start": start, "end": start.replace("-01-01", "-01-02")}


def source(ground: Mapping[str, Any], fresh: int) -> Body:
    return {
        "name": f"Source {ground['mark']} {fresh}",
        "integrationType": "API",
        "escalationPolicy": ref(ground["policy"]),
        "active": True,
        "alertPriorityRule": "HIGH",
        "autoResolutionTimeout": "PT24H",
        "severity": 2,
        "teams": [],
    }


def manual_alert(ground: Mapping[str, Any], fresh: int) -> Body:
    return {
        "summary": f"By hand {fresh}",
        "details": "as it is",
        "alertSource": ref(ground["source"]),
        "escalationPolicy": ref(ground["policy"]),
        "priority": "LOW",
        "severity": 3,
        "links": [{"href": "https://example.org/", "text": "there"}],
        "images": [{"src": "https://example.org/a.png", "href": "https://example.org/", "alt": "a"}],
        "labels": {"site": "berlin"},
    }


def email(ground: Mapping[str, Any], fresh: int) -> Body:
    return {"target": f"second-{ground['mark']}-{fresh}@example.org"}


def preference(ground: Mapping[str, Any], fresh: int) -> Body:
    return {"method": "EMAIL", "contact": ref(ground["contact"]), "delayMin": fresh, "type": "LOW_PRIORITY"}


def duty(ground: Mapping[str, Any], _fresh: int) -> Body:
    return {"method": "EMAIL", "contact": ref(ground["contact"]), "beforeMin": 60, "type": "ON_CALL"}


def update(ground: Mapping[str, Any], _fresh: int) -> Body:
    return {"method": "EMAIL", "contact": ref(ground["contact"]), "type": "ALERT_RESOLVED"}


def subscription(ground: Mapping[str, Any], _fresh: int) -> Body:
    return {"method": "EMAIL", "contact": ref(ground["contact"])}


def password(_ground: Mapping[str, Any], _fresh: int) -> Body:
    return {"password": "a long enough one"}


def service(ground: Mapping[str, Any], fresh: int) -> Body:
    return {
        "name": f"Bad service {ground['mark']}{fresh}",
        "alias": f"bad-{ground['mark']}{fresh}",
        "status": "DEGRADED",
        "description": "Carts",
        "oneOpenIncidentOnly": True,
        "showUptimeHistory": False,
        "teams": [ref(ground["team"])],
    }


def incident_template(ground: Mapping[str, Any], fresh: int) -> Body:
    return {
        "name": f"Bad template {ground['mark']}{fresh}",
        "summary": "{{alertSummary}}",
        "status": "MONITORING",
        "message": "Look at {{alertId}}",
        "sendNotification": True,
        "teams": [ref(ground["team"])],
    }


def maintenance(ground: Mapping[str, Any], fresh: int) -> Body:
    """Far ahead: nothing opens while it is asked."""
    return {
        "summary": f"Bad maintenance {fresh}",
        "description": "Slow",
        "timezone": "Europe/Berlin",
        "start": "2199-03-01T03:00:00Z",
        "end": "2199-03-01T05:00:00Z",
        "alertSources": [ref(ground["source"])],
        "services": [ref(ground["service"])],
    }


def status_page(ground: Mapping[str, Any], fresh: int) -> Body:
    """Its structure names a group: only a page that is there already has one."""
    leaf = {"id": ground["service"], "type": "SERVICE", "options": ["no-graph"]}
    group = {"id": ground["group"], "type": "GROUP", "options": ["expand"], "children": [leaf]}
    return new_status_page(ground, fresh) | {"structure": {"elements": [group]}}


def new_status_page(ground: Mapping[str, Any], fresh: int) -> Body:
    return {
        "name": f"Bad page {ground['mark']} {fresh}",
        "subdomain": f"bad-{ground['mark']}-{fresh}",
        "domain": f"bad-{ground['mark']}-{fresh}.example.org",
        "timezone": "Europe/Berlin",
        "visibility": "PUBLIC",
        "activated": False,
        "services": [ref(ground["service"])],
        "pageLayout": "RESPONSIVE",
        "appearance": "DARK",
        "pageTitle": "How we are",
        "logoUrl": "https://example.org/logo.png",
        "hiddenFromSearch": True,
        "announcement": "Hello",
        "announcementOnPage": True,
        "teams": [ref(ground["team"])],
    }


def public_subscribers(ground: Mapping[str, Any], _fresh: int) -> Any:
    services = [ref(ground["service"])]
    return [{"target": ground["email"], "type": "EMAIL", "locale": "en-GB", "services": services}]


def incident(ground: Mapping[str, Any], fresh: int) -> Body:
    return {
        "summary": f"Bad incident {ground['mark']} {fresh}",
        "status": "IDENTIFIED",
        "message": "We look into it",
        "sendNotification": False,
        "affectedServices": [{"impact": "DEGRADED", "service": ref(ground["own service"])}],
    }


def subscribers(ground: Mapping[str, Any], _fresh: int) -> Any:
    return [{"id": ground["user"], "type": "USER"}]


def connector(ground: Mapping[str, Any], fresh: int) -> Body:
    """Nobody listens at port 9: a trial says so."""
    account = {"url": "http://127.0.0.1:9", "email": "bot@example.org", "password": "a token"}
    return {"type": "jira", "name": f"Bad connector {ground['mark']} {fresh}", "params": account}


def alert_action(ground: Mapping[str, Any], fresh: int) -> Body:
    return {
        "name": f"Bad action {ground['mark']} {fresh}",
        "connectorType": "email",
        "alertSources": [ref(ground["source"])],
        "triggerMode": "MANUAL",
        "params": {"recipients": ["ops@example.org"], "subject": "By hand", "bodyTemplate": "{{alertSummary}}"},
        "teams": [ref(ground["team"])],
    }


REST = [
    Endpoint("POST", "/api/users", user),
    Endpoint("PUT", "/api/users/{user}", changed_user),
    Endpoint("PUT", "/api/users/current", lambda ground, _: ground["me"]),
    Endpoint("POST", "/api/users/search-email", lambda ground, _: {"email": ground["email"]}),
    Endpoint("PUT", "/api/users/{user}/password", password),
    Endpoint("POST", "/api/teams", team),
    Endpoint("PUT", "/api/teams/{team}", lambda ground, _: team(ground, 0)),
    Endpoint("POST", "/api/teams/{team}/members", lambda ground, _: {"user": ref(ground["user"]), "role": "USER"}),
    Endpoint("POST", "/api/api-keys", lambda ground, fresh: {"name": f"Key {fresh}", "user": ref(ground["user"])}),
    Endpoint("POST", "/api/users/{user}/contacts/emails", email),
    Endpoint("POST", "/api/users/{user}/contacts/emails/search-target", lambda ground, _: {"target": ground["email"]}),
    Endpoint("PUT", "/api/users/{user}/contacts/emails/{contact}", lambda ground, _: {"target": ground["email"]}),
    Endpoint("POST", "/api/users/{user}/notification-preferences/alerts", preference),
    Endpoint("PUT", "/api/users/{user}/notification-preferences/alerts/{preference}", preference),
    Endpoint("POST", "/api/users/{user}/notification-preferences/duties", duty),
    Endpoint("PUT", "/api/users/{user}/notification-preferences/duties/{duty}", duty),
    Endpoint("POST", "/api/users/{user}/notification-preferences/updates", update),
    Endpoint("PUT", "/api/users/{user}/notification-preferences/updates/{update}", update),
    Endpoint("POST", "/api/users/{user}/notification-preferences/subscriptions", subscription),
    Endpoint("PUT", "/api/users/{user}/notification-preferences/subscriptions/{subscription}", subscription),
    Endpoint("POST", "/api/escalation-policies", policy),
    Endpoint("PUT", "/api/escalation-policies/{policy}", lambda ground, _: policy(ground, 0)),
    Endpoint("PUT", "/api/escalation-policies/{policy}/levels/{level}", level),
    Endpoint("POST", "/api/schedules", schedule),
    Endpoint("PUT", "/api/schedules/{schedule}", lambda ground, _: schedule(ground, 0)),
    Endpoint("POST", "/api/schedules/{schedule}/overrides", override),
    Endpoint("PUT", "/api/schedules/{schedule}/overrides", lambda ground, fresh: override(ground, fresh + 50)),
    Endpoint("POST", "/api/alert-sources", source),
    Endpoint("PUT", "/api/alert-sources/{source}", lambda ground, _: source(ground, 0)),
    Endpoint("POST", "/api/services", service),
    Endpoint("PUT", "/api/services/{service}", lambda ground, _: service(ground, 0)),
    Endpoint("POST", "/api/incident-templates", incident_template),
    Endpoint("PUT", "/api/incident-templates/{template}", lambda ground, _: incident_template(ground, 0)),
    Endpoint("POST", "/api/maintenance-windows", maintenance),
    Endpoint("PUT", "/api/maintenance-windows/{maintenance}", lambda ground, _: maintenance(ground, 0)),
    Endpoint("POST", "/api/status-pages", new_status_page),
    Endpoint("PUT", "/api/status-pages/{page}", lambda ground, _: status_page(ground, 0)),
    Endpoint("POST", "/api/status-pages/{page}/groups", lambda _ground, fresh: {"name": f"Group {fresh}"}),
    Endpoint("PUT", "/api/status-pages/{page}/groups/{group}", lambda _ground, _: {"name": "Europe"}),
    Endpoint("POST", "/api/status-pages/{page}/subscribers_bulk?import=true", public_subscribers),
    Endpoint("POST", "/api/incidents", incident),
    Endpoint("PUT", "/api/incidents/{incident}", lambda ground, _: incident(ground, 0)),
    Endpoint("POST", "/api/incidents/publish-info", incident),
    Endpoint("POST", "/api/incidents/{incident}/private-subscribers", subscribers, takes_none=True),
    Endpoint("POST", "/api/services/{service}/private-subscribers", subscribers, takes_none=True),
    Endpoint("PUT", "/api/services/{service}/private-subscribers", subscribers, takes_none=True),
    Endpoint("POST", "/api/status-pages/{page}/private-subscribers", subscribers, takes_none=True),
    Endpoint("PUT", "/api/status-pages/{page}/private-subscribers", subscribers, takes_none=True),
    Endpoint("POST", "/api/connectors", connector),
    Endpoint("PUT", "/api/connectors/{connector}", lambda ground, _: connector(ground, 0)),
    Endpoint("POST", "/api/connectors/test", connector),
    Endpoint("POST", "/api/alert-actions", alert_action),
    Endpoint("PUT", "/api/alert-actions/{action}", lambda ground, _: alert_action(ground, 0)),
    Endpoint("POST", "/api/alerts/{alert}/actions", lambda ground, _: {"alertActionId": ground["action"]}),
    Endpoint("POST", "/api/alerts", manual_alert),
    Endpoint("POST", "/api/alerts/{alert}/comments", lambda _ground, fresh: {"content": f"Comment {fresh}"}),
    Endpoint("POST", "/api/alerts/{alert}/responders", lambda ground, _: {"user": ref(ground["other"])}),
]


def api_event(ground: Mapping[str, Any], fresh: int) -> Body:
    return {
        "integrationKey": ground["key"],
        "eventType": "ALERT",
        "summary": f"Event {fresh}",
        "details": "as it is",
        "alertKey": "bad-input",
        "priority": "LOW",
        "severity": 3,
        "links": [{"href": "https://example.org/", "text": "there"}],
        "images": [{"src": "https://example.org/a.png"}],
        "labels": {"site": "berlin"},
    }


def event_by_path(ground: Mapping[str, Any], fresh: int) -> Body:
    return {name: value for name, value in api_event(ground, fresh).items() if name != "integrationKey"}


def prometheus(_ground: Mapping[str, Any], _fresh: int) -> Body:
    alert = {"status": "firing", "labels": {"alertname": "Bad"}, "annotations": {"summary": "bad"}}
    return {"groupKey": "bad-input", "status": "firing", "alerts": [alert]}


def pagerduty(ground: Mapping[str, Any], _fresh: int) -> Body:
    payload = {"summary": "bad", "source": "db-1", "severity": "critical"}
    return {"routing_key": ground["key"], "event_action": "trigger", "dedup_key": "bad-input", "payload": payload}


GATEWAY = [
    Endpoint("POST", "/api/events", api_event),
    Endpoint("POST", "/api/v1/events", api_event),
    Endpoint("POST", "/api/v1/events/api/{key}", event_by_path),
    Endpoint("POST", "/api/v1/events/prometheus/{key}", prometheus),
    Endpoint("POST", "/v2/enqueue", pagerduty),
]


@pytest.fixture(scope="module")
def admin(suite: Suite) -> httpx.Client:
    """One client for all that is asked here."""
    return suite.api


@pytest.fixture(scope="module")
def tool(suite: Suite) -> httpx.Client:
    """A client without any credential."""
    return suite.public


@pytest.fixture(scope="module")
def ground(suite: Suite) -> Mapping[str, Any]:
    """One of each resource, and how many of each there are is known from now on."""
    mark = token_hex(3)  # so that it runs again on a suite that is there already
    person, other = suite.user(f"bad{mark}"), suite.user(f"other{mark}")
    known: dict[str, Any] = {"mark": mark, "user": person["id"], "other": other["id"], "email": person["email"]}
    me = suite.get("/api/users/current")
    known["me"] = {name: me[name] for name in ("firstName", "lastName", "email", "timezone", "language", "role")}
    known["team"] = suite.create("/api/teams", {"name": f"Bad team {mark}", "visibility": "PUBLIC"})["id"]
    known["schedule"] = suite.create("/api/schedules", schedule(known, 0))["id"]
    known["policy"] = suite.create("/api/escalation-policies", policy(known, 0))["id"]
    made = suite.source(f"Bad source {mark}", known["policy"])
    known |= {"source": made["id"], "key": made["integrationKey"], "level": 0}
    known["contact"] = suite.get(f"/api/users/{person['id']}/contacts/emails")[0]["id"]
    known["preference"] = suite.get(f"/api/users/{person['id']}/notification-preferences/alerts")[0]["id"]
    wishes = f"/api/users/{person['id']}/notification-preferences"
    known["duty"] = suite.create(f"{wishes}/duties", duty(known, 0))["id"]
    known["update"] = suite.create(f"{wishes}/updates", update(known, 0))["id"]
    known["subscription"] = suite.create(f"{wishes}/subscriptions", subscription(known, 0))["id"]
    known["service"] = suite.create("/api/services", service(known, 0))["id"]
    known["template"] = suite.create("/api/incident-templates", incident_template(known, 0))["id"]
    known["maintenance"] = suite.create("/api/maintenance-windows", maintenance(known, 0))["id"]
    known["page"] = suite.create("/api/status-pages", new_status_page(known, 0))["id"]
    known["group"] = suite.create(f"/api/status-pages/{known['page']}/groups", {"name": "Europe"})["id"]
    known["alert"] = suite.create("/api/alerts", {"summary": "Bad", "alertSource": ref(made["id"])})["id"]
    known["own service"] = suite.create("/api/services", {"name": f"Incidents of {mark}"})["id"]
    known["incident"] = suite.create("/api/incidents", incident(known, 0))["id"]
    known["connector"] = suite.create("/api/connectors", connector(known, 0))["id"]
    known["action"] = suite.create("/api/alert-actions", alert_action(known, 0))["id"]
    alert = f"/api/alerts/{known['alert']}"
    eventually(lambda: suite.get(alert)["responders"], what="the first level, so that nothing moves by itself any more")
    return known


def there(admin: httpx.Client, ground: Mapping[str, Any]) -> dict[str, Any]:
    """What there is, and how the resources of our ground stand."""
    whole = ["/api/users/{user}", "/api/teams/{team}", "/api/escalation-policies/{policy}", "/api/schedules/{schedule}"]
    whole += ["/api/alert-sources/{source}", "/api/users/current", "/api/users/{user}/contacts/emails"]
    whole += ["/api/users/{user}/notification-preferences/alerts", "/api/schedules/{schedule}/overrides"]
    whole += [f"/api/users/{{user}}/notification-preferences/{kind}" for kind in ("duties", "updates", "subscriptions")]
    whole += ["/api/alerts/{alert}/comments", "/api/services/{service}", "/api/incident-templates/{template}"]
    whole += ["/api/maintenance-windows/{maintenance}", "/api/status-pages/{page}?include=groups"]
    whole += ["/api/status-pages/{page}/subscribers", "/api/connectors/{connector}", "/api/alert-actions/{action}"]
    whole += ["/api/incidents/{incident}?include=history", "/api/alerts/{alert}/actions"]
    things = ("incidents/{incident}", "services/{service}", "status-pages/{page}")
    whole += [f"/api/{thing}/private-subscribers" for thing in things]
    lists = ["/api/users", "/api/teams", "/api/api-keys", "/api/escalation-policies", "/api/schedules"]
    found: dict[str, Any] = {path: asked(admin, path.format(**ground)) for path in whole}
    lists += ["/api/alert-sources", "/api/services", "/api/incident-templates", "/api/maintenance-windows"]
    lists += ["/api/status-pages", "/api/incidents", "/api/connectors", "/api/alert-actions"]
    found |= {path: sorted(one["id"] for one in _all(admin, path)) for path in lists}
    found["alerts"] = asked(admin, f"/api/alerts/count?sources={ground['source']}")
    found["asked to answer"] = len(asked(admin, f"/api/alerts/{ground['alert']}")["responders"])
    return found


def asked(admin: httpx.Client, path: str) -> Any:
    answer = admin.get(path)
    assert answer.status_code == 200, f"{path}: {answer.status_code} {answer.text}"
    return answer.json()


LARGEST_PAGE: Final = {"/api/schedules": 20}


def _all(admin: httpx.Client, path: str) -> Iterator[Body]:
    """All of a list, by its largest pages; the last is the one that is not full."""
    start, size = 0, LARGEST_PAGE.get(path, 50)
    while page := asked(admin, f"{path}?start-index={start}&max-results={size}"):
        yield from page
        if len(page) < size:
            return
        start += size


# -- what is sent


@dataclass(frozen=True)
class Bad:
    """A body that must be refused; `names` is the field that the refusal must name."""

    what: str
    body: bytes
    names: str = ""
    kind: str = "application/json"
    status: int | None = None


def bad_bodies(good: Any) -> Iterator[Bad]:
    text = json.dumps(good).encode()
    yield Bad("empty", b"")
    yield Bad("not JSON", b"{")
    yield Bad("cut off", text[:-2])
    yield Bad("two values", text + text)
    yield Bad("not UTF-8", b'{"x": "\xff\xfe"}')
    yield Bad("a NUL in the JSON itself", b'{"x": \x00}')
    yield Bad("no JSON number", b'{"x": NaN}')
    yield Bad("five thousand digits", b'{"x": ' + b"9" * 5000 + b"}")
    for value in ([], [good], "text", 1, None, True):
        yield Bad(f"top level {json.dumps(value)[:12]}", json.dumps(value).encode())
    yield Bad("deep alone", DEEP)
    yield Bad("deep inside", text[:-1] + b', "more": ' + DEEP + b"}")
    yield Bad("10 MB", text[:-1] + b', "more": "' + TEN_MB + b'"}', status=413)
    yield Bad("nothing in it", b"{}")
    for kind in (
        "text/plain",
        "application/xml",
        "application/x-www-form-urlencoded",
        "multipart/form-data",
        "nonsense",
    ):
        yield Bad(f"sent as {kind}", text, kind=kind, status=415)


def bad_fields(good: Any, fitting_nowhere: Sequence[Any] = NOTHING_TAKES) -> Iterator[Bad]:
    """Each field, one at a time, with what fits nowhere; and each text with what no database holds. Of a list: of its first."""
    if isinstance(good, list):
        for bad in bad_fields(good[0], fitting_nowhere):
            yield replace(bad, body=b"[" + bad.body + b"]")
        return
    for name in good:
        for value in fitting_nowhere:
            yield Bad(f"{name} = {json.dumps(value)[:12]}…", json.dumps(good | {name: value}).encode(), name)
    for path in texts(good):
        for what, character in (("NUL", "\x00"), ("half a surrogate", "\ud800")):
            yield Bad(
                f"{what} in {'.'.join(map(str, path))}",
                json.dumps(replaced(good, path, character)).encode(),
                str(path[-1]),
            )
    yield Bad("a NUL in a name", json.dumps(good | {"na\x00me": 1}).encode())


def texts(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    match value:
        case str():
            yield path
        case dict():
            for name, inner in value.items():
                yield from texts(inner, (*path, name))
        case list():
            for place, inner in enumerate(value):
                yield from texts(inner, (*path, place))


def replaced(value: Any, path: tuple[str | int, ...], character: str) -> Any:
    """The same with a character more in the text at `path`."""
    if not path:
        return value + character
    head, *rest = path
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[head] = replaced(value[head], tuple(rest), character)  # type: ignore[index]
    return copy


# -- what comes back


class Judge:
    """Sends bad bodies to one place and writes down every answer that is not as promised."""

    def __init__(self, client: httpx.Client, method: str, path: str) -> None:
        self._client, self._method, self._path = client, method, path
        self.complaints: list[str] = []
        self.asked = 0

    def send(self, bad: Bad) -> None:
        self.asked += 1
        since = time.monotonic()
        try:
            answer = self._client.request(
                self._method, self._path, content=bad.body, headers={"Content-Type": bad.kind}, timeout=30
            )
        except httpx.TransportError as error:
            self.complaints.append(f"{bad.what}: no answer: {error!r}")
            return
        if time.monotonic() - since > ANSWERED_WITHIN_S:
            self.complaints.append(f"{bad.what}: answered late")
        if wrong := self._wrong(bad, answer):
            self.complaints.append(f"{bad.what}: {wrong}: {answer.status_code} {answer.text[:200]}")

    def _wrong(self, bad: Bad, answer: httpx.Response) -> str:
        if not 400 <= answer.status_code < 500:
            return "not a 4xx"
        if bad.status is not None and answer.status_code != bad.status:
            return f"not {bad.status}"
        try:
            said = answer.json()
        except ValueError:
            return "not JSON"
        if set(said) != {"status", "message", "code"} or said["status"] != answer.status_code:
            return "not {status, message, code}"
        return "" if bad.names in said["message"] else f"«{bad.names}» is not named"


@pytest.mark.parametrize("endpoint", REST, ids=str)
def test_bad_bodies_are_refused_with_words_and_change_nothing(
    admin: httpx.Client, ground: Mapping[str, Any], endpoint: Endpoint
) -> None:
    path = endpoint.path.format(**ground)
    taken = admin.request(endpoint.method, path, json=endpoint.body(ground, 1))
    assert taken.is_success, f"the good body was refused: {taken.status_code} {taken.text}"
    before = there(admin, ground)
    judge = Judge(admin, endpoint.method, path)
    for bad in [*bad_bodies(good := endpoint.body(ground, 2)), *bad_fields(good)]:
        if not (endpoint.takes_none and bad.body == b"[]"):
            judge.send(bad)
    assert judge.complaints == []
    assert judge.asked > 20
    assert there(admin, ground) == before


@pytest.mark.parametrize("endpoint", GATEWAY, ids=str)
def test_bad_events_are_refused_with_words_and_become_nothing(
    suite: Suite, tool: httpx.Client, ground: Mapping[str, Any], endpoint: Endpoint
) -> None:
    judge = Judge(tool, endpoint.method, endpoint.path.format(**ground))
    for bad in [*bad_bodies(good := endpoint.body(ground, 2)), *bad_fields(good, NO_TOOL_SAYS)]:
        judge.send(bad)
    assert judge.complaints == []
    good_one = f"Good {endpoint}"
    suite.event(ground["key"], summary=good_one)

    def summaries() -> list[str]:
        return [found["summary"] for found in suite.alerts(ground["source"])]

    eventually(lambda: good_one in summaries(), what="the good event behind the bad ones")
    assert [summary for summary in summaries() if not summary.startswith(("Good ", "By hand", "Bad"))] == []


# -- keys


@pytest.mark.parametrize("endpoint", GATEWAY, ids=str)
def test_an_unknown_key_tells_nothing_about_others(
    tool: httpx.Client, ground: Mapping[str, Any], endpoint: Endpoint
) -> None:
    key = ground["key"]
    nearly = [key[:-1], key + "0", key[:-1] + ("0" if key[-1] != "0" else "1")]
    said = set()
    for stranger in ["x", "nobodys", *nearly, "k" * 300, "%", "😀"]:
        path = endpoint.path.format(**dict(ground) | {"key": quote(stranger, safe="")})
        answer = tool.request(endpoint.method, path, json=endpoint.body(dict(ground) | {"key": stranger}, 1))
        assert answer.status_code in {401, 403}, f"{stranger}: {answer.status_code} {answer.text}"
        said.add((answer.status_code, answer.text))
    assert len(said) == 1, "all strangers hear the same"
    assert key not in said.pop()[1]


def test_a_wrong_api_key_hears_the_same_of_what_there_is_and_of_what_there_is_not(
    suite: Suite, tool: httpx.Client, ground: Mapping[str, Any]
) -> None:
    nowhere = {name: 999_999 if isinstance(value, int) else value for name, value in ground.items()}
    one_of_each_service = [endpoint for endpoint in REST if endpoint.path.count("{") == 1 and endpoint.method == "PUT"]
    assert len(one_of_each_service) >= 4
    paths = [(one.method, one.path.format(**where)) for one in one_of_each_service for where in (ground, nowhere)]
    for key in ("nope", suite.settings["API_KEY"][:-1], "k" * 5000):
        answers = [tool.request(*path, json={}, headers={"Authorization": f"Bearer {key}"}) for path in paths]
        assert {answer.status_code for answer in answers} <= {401, 403}
        assert len({answer.text for answer in answers}) == 1


# -- forms and links


def forms() -> Iterator[Bad]:
    form = "application/x-www-form-urlencoded"
    yield Bad("empty", b"", kind=form)
    yield Bad("NUL", b"email=a%00b&password=x", kind=form)
    yield Bad("a NUL itself", b"email=a\x00b&password=x", kind=form)
    yield Bad("half a surrogate", b"email=%ED%A0%80&password=%ED%A0%80", kind=form)
    yield Bad("not UTF-8", b"email=%ff%fe&password=%ff", kind=form)
    yield Bad("10 MB", b"email=" + TEN_MB, kind=form, status=413)
    yield Bad("a thousand fields", b"&".join(b"f%d=1" % number for number in range(5000)), kind=form)
    yield Bad("fields within fields", b"email" + b"[a]" * 5000 + b"=1", kind=form)
    yield Bad("dots within dots", b"email" + b".a" * 5000 + b"=1", kind=form)
    yield Bad("field and fields", b"email=1&email.a=2&email.a.b=3&password=x", kind=form)
    yield Bad("no form", b"{", kind="application/json")
    yield Bad("deep", DEEP, kind="application/json")
    yield Bad("torn parts", b"--x\r\nContent-Disposition: form-data", kind="multipart/form-data; boundary=x")
    yield Bad("no boundary", b"--x", kind="multipart/form-data")
    yield Bad("plain text", b"email=a", kind="text/plain")
    yield Bad("a file", _file("email"), kind="multipart/form-data; boundary=x")


def _file(name: str) -> bytes:
    head = f'--x\r\nContent-Disposition: form-data; name="{name}"; filename="a"\r\n\r\n'
    return head.encode() + b"\x00\xff\r\n--x--\r\n"


TOKENS = ["x", "a.b.c", "%00", "%ff%fe", "%F0%9F%98%80", "k" * 4000, "..%2f..", "e30.e30.e30"]


@pytest.mark.parametrize("accept", ["application/json", "text/html"])
def test_nonsense_at_the_sign_in_is_a_4xx(tool: httpx.Client, accept: str) -> None:
    assert refusals(tool, "/sign-in", accept) == []


LINKS = ["/answer/", "/subscribers/", "/subscribers/confirm/", "/subscribers/manage/", "/subscribers/leave/"]


@pytest.mark.parametrize("link", LINKS)
def test_a_link_that_is_none_is_a_4xx_whatever_is_posted_to_it(tool: httpx.Client, link: str) -> None:
    assert refusals(tool, link + TOKENS[1], "text/html") == []


@pytest.mark.parametrize("link", LINKS)
def test_a_link_that_is_none_is_a_4xx_whatever_it_is(tool: httpx.Client, link: str) -> None:
    for token in TOKENS:
        answers = [tool.get(link + token), tool.post(link + token, data={"email": "a@example.org"})]
        assert all(400 <= answer.status_code < 500 for answer in answers), f"{token}: {answers}"


def refusals(tool: httpx.Client, path: str, accept: str) -> list[str]:
    """What was answered otherwise than by a 4xx."""
    wrong = []
    for bad in forms():
        answer = tool.post(path, content=bad.body, headers={"Content-Type": bad.kind, "Accept": accept})
        if not 400 <= answer.status_code < 500 or bad.status not in {None, answer.status_code}:
            wrong.append(f"{bad.what}: {answer.status_code} {answer.text[:200]}")
    return wrong


# -- the list above is whole


def test_every_route_that_takes_a_body_is_in_the_list() -> None:
    tell, show = connectors.api, statuspage.api
    apis = [accounts.api, escalator.api, ingest.api, notifier.api, notifier.preferences]
    apis += [tell.actions, tell.alerts, tell.connectors]
    apis += [show.incidents, show.maintenance, show.services, show.status_pages, show.subscribers, show.templates]
    routes = [route for api in apis for route in api.router.routes if isinstance(route, APIRoute)]
    taking = {(method, unnamed(route.path)) for route in routes if route.body_field for method in route.methods or ()}
    assert len(taking) > 20
    assert taking == {(endpoint.method, unnamed(endpoint.path.partition("?")[0])) for endpoint in REST}


def unnamed(path: str) -> str:
    """The path whatever its parameters are called."""
    return re.sub(r"{[^}]+}", "{}", path)
