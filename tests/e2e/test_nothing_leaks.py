"""Secrets, keys and addresses are planted wherever the API takes them, used rightly and wrongly, and then looked for: in
every record of every topic, in every log, in what was exported of traces, and in the metrics. None is there in the clear.
"""

import asyncio
import base64
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from secrets import token_hex
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import pytest
from aiokafka import AIOKafkaConsumer
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

import tests.e2e.roles
from events.topics import TOPICS
from launcher.suite import read_env
from tests.e2e.roles import Roles, Span
from tests.e2e.suite import Suite, eventually

NOBODY_LISTENS = "http://127.0.0.1:9"
MARK = "planted-in-the-open"
"""What may be read by everybody: where it is not found, nobody looked."""


@dataclass
class Planted:
    """What must be nowhere, by what it is; `mark` is part of each that we could choose."""

    mark: str = field(default_factory=lambda: token_hex(6))
    secrets: dict[str, str] = field(default_factory=dict)

    def new(self, what: str, shape: str = "{}") -> str:
        """A secret of our own making; `{}` in its shape becomes something that nobody else has."""
        return self.note(what, shape.replace("{}", self.mark + token_hex(4)))

    def note(self, what: str, secret: str) -> str:
        """A secret that the suite made."""
        assert len(secret) >= 8, f"{what} is too short to be looked for"
        self.secrets[what] = secret
        return secret

    def forms(self) -> Iterator[tuple[str, bytes]]:
        """Each as it is, and as a careless writer would wrap it."""
        for what, secret in self.secrets.items():
            plain = secret.encode()
            yield what, plain
            for start in range(3):  # base64 of a text in which it stands, wherever it begins
                whole = base64.b64encode(b"\x00" * start + plain)
                yield f"{what}, in base64", whole[4 if start else 0 : -4]
            yield f"{what}, in hexadecimal", plain.hex().encode()
            yield f"{what}, quoted for a URL", quote(secret, safe="").encode()
            yield f"{what}, inside JSON", json.dumps(secret)[1:-1].encode()

    def found_in(self, where: str, content: bytes) -> list[str]:
        return [f"{what} is in {where}" for what, form in self.forms() if form in content]


@pytest.mark.soak
def test_no_secret_key_or_address_leaves_the_vault(roles: Roles, monkeypatch: pytest.MonkeyPatch) -> None:
    suite, planted, exported = roles.suite, Planted(), _exports(monkeypatch)
    for name, value in read_env(suite.data_dir / "secrets.env").items():
        for number, part in enumerate(re.findall(r"[^:,]{8,}", value)):
            planted.note(f"{name} {number}", part)
    person = _somebody(suite, planted)
    source = _a_source(suite, planted, person)
    _tools(suite, planted, source["id"])
    shop = _a_page(suite, planted)
    _tool_speaks(suite, planted, source["integrationKey"])
    _strangers_try(suite, planted, source["integrationKey"])

    def alert() -> Any:
        return next((one for one in suite.alerts(source["id"]) if MARK in one["summary"]), None)

    number = eventually(alert, what="the alert")["id"]
    eventually(lambda: _attempts(suite, number) >= 3, what="an attempt of each action that fails")
    eventually(lambda: suite.mails(planted.secrets["a second address"]), what="the page by mail")
    eventually(lambda: suite.mails(planted.secrets["a recipient"]), what="the mail of the action")
    (asked,) = eventually(lambda: suite.mails(planted.secrets["a subscriber's address"]), what="the question by mail")
    _links_are_used(suite, planted, asked)
    _links_are_used(suite, planted, suite.mails(planted.secrets["a second address"])[0])
    suite.api.delete(f"/api/users/{person['id']}")
    eventually(lambda: any(b"smtp send" in one for one in exported), what="traces of the mails")

    records = asyncio.run(_records(suite.settings["KAFKA_BOOTSTRAP"], [topic.name for topic in TOPICS]))
    found = [one for topic, content in records.items() for one in planted.found_in(topic, content)]
    found += [one for log, content in _logs(suite.data_dir).items() for one in planted.found_in(log, content)]
    found += planted.found_in("the traces", b"".join(exported))
    found += [one for ops, content in _metrics(suite).items() for one in planted.found_in(ops, content)]
    assert found == []
    assert MARK.encode() in records["alerts.v1"], "topics were not read"
    assert all(records[topic] for topic in ("people.v1", "notifier.vault.v1", "connectors.vault.v1", "reach.v1"))
    assert shop.encode() in records["statuspages.v1"]
    assert any(b'"event"' in content for content in _logs(suite.data_dir).values()), "logs were not read"


# -- planting


def _somebody(suite: Suite, planted: Planted) -> dict[str, Any]:
    """A person with a name, addresses, a password, an API key and a session."""
    address = planted.new("a sign-in address", "ada{}@example.org")
    body = {
        "firstName": planted.new("a first name", "Ada{}"),
        "lastName": planted.new("a last name", "Example{}"),
        "email": address,
        "role": "ADMIN",
    }
    person: dict[str, Any] = suite.create("/api/users", body)
    password = planted.new("a password", "p@ss word-{}")
    assert suite.api.put(f"/api/users/{person['id']}/password", json={"password": password}).is_success
    made = suite.create("/api/api-keys", {"name": "Planted", "user": {"id": person["id"]}})
    key = planted.note("an API key", next(value for value in made.values() if str(value).startswith("il1api")))
    assert suite.public.get("/api/users/current", headers={"Authorization": f"Bearer {key}"}).is_success
    with httpx.Client(base_url=suite.url, trust_env=False) as browser:
        browser.post("/sign-in", data={"email": address, "password": planted.new("a wrong password", "wrong-{}")})
        signed_in = browser.post("/sign-in", data={"email": address, "password": password})
        assert signed_in.status_code == 303, signed_in.text
        planted.note("a session", signed_in.cookies["__Host-alarum"])
    cookie = f"__Host-alarum={planted.secrets['a session']}"
    assert suite.public.get("/alerts", headers={"Cookie": cookie, "Accept": "text/html"}).status_code == 200
    contacts = f"/api/users/{person['id']}/contacts/emails"
    second = suite.create(contacts, {"target": planted.new("a second address", "second.{}@example.org")})
    wish = {"method": "EMAIL", "contact": {"id": second["id"]}, "delayMin": 0, "type": "HIGH_PRIORITY"}
    suite.create(f"/api/users/{person['id']}/notification-preferences/alerts", wish)
    return person


def _a_source(suite: Suite, planted: Planted, person: Mapping[str, Any]) -> dict[str, Any]:
    policy = suite.policy(f"Planted {planted.mark[:3]}{token_hex(2)}", {"users": [{"id": person["id"]}]})
    source = suite.source("Planted", policy["id"])
    planted.note("an integration key", source["integrationKey"])
    return source


def _tools(suite: Suite, planted: Planted, source: int) -> None:
    """Connectors and actions with every secret that they take; nobody answers them, but the mail goes out."""
    account = {
        "url": NOBODY_LISTENS,
        "email": planted.new("Jira's address", "bot.{}@example.org"),
        "password": planted.new("Jira's token", "jira-{}"),
    }
    robot = {
        "botToken": planted.new("Slack's token", "xoxb-1-{}"),
        "signingSecret": planted.new("Slack's signing secret", "{}" * 2),
    }
    jira = suite.create("/api/connectors", {"name": "Planted Jira", "type": "jira", "params": account})
    slack = suite.create("/api/connectors", {"name": "Planted Slack", "type": "slack", "params": robot})
    for made in (jira, slack):
        suite.api.post(f"/api/connectors/{made['id']}/test")
        planted.note(f"the address at which {made['type']} calls", made["callbackUrl"].rpartition("/")[2])
        suite.public.post(urlsplit(made["callbackUrl"]).path, json={"no": "answer"})
    user, password = planted.new("a webhook's user", "u{}"), planted.new("a webhook's password", "p{}")
    hook = {
        "webhookUrl": f"http://{user}:{password}@127.0.0.1:9/hook",
        "headers": [{"key": "X-Api-Key", "value": planted.new("a webhook's header", "h{}")}],
    }
    wishes: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
        ("webhook", {"params": hook}, {}),
        ("jira", {"params": {"project": "OPS"}}, {"connectorId": jira["id"]}),
        ("slack", {"params": {"channelId": "C0123456789"}}, {"connectorId": slack["id"]}),
        ("email", {"params": _mail(planted)}, {}),
    ]
    for kind, params, more in wishes:
        body = {"name": f"Planted {kind}", "connectorType": kind, "alertSources": [{"id": source}]}
        made = suite.create("/api/alert-actions", body | {"triggerTypes": ["alert-created"]} | params | more)
        if made.get("signingSecret"):
            planted.note("a webhook's signing secret", made["signingSecret"].removeprefix("whsec_"))


def _mail(planted: Planted) -> dict[str, Any]:
    recipients = [planted.new("a recipient", "ops.{}@example.org")]
    return {"recipients": recipients, "subject": "Planted", "bodyTemplate": "{{alertSummary}}"}


def _a_page(suite: Suite, planted: Planted) -> str:
    """A public page, and somebody who subscribes to it."""
    name = f"planted-{token_hex(4)}"
    service = suite.create("/api/services", {"name": f"Service {name}"})
    body = {
        "name": name,
        "subdomain": name,
        "visibility": "PUBLIC",
        "activated": True,
        "services": [{"id": service["id"]}],
    }
    suite.create("/api/status-pages", body)
    address = planted.new("a subscriber's address", "reader.{}@example.org")
    asked = suite.public.post(f"/subscribers/{name}", data={"email": address})
    assert asked.status_code == 200, asked.text
    return name


# -- using


def _tool_speaks(suite: Suite, planted: Planted, key: str) -> None:
    """Its key stands where it must not, too."""
    headers = {"Idempotency-Key": f"again {key}", "User-Agent": f"tool ({key})", "traceparent": f"00-{key}"}
    headers |= {"Content-Type": f"application/json; key={key}", "ce-id": key}
    event = {
        "eventType": "ALERT",
        "summary": f"{MARK} {planted.mark[:3]}",
        "details": f"sent with {key}",
        "labels": {key: key},
    }

    def taken() -> bool:
        path = f"/api/v1/events/api/{key}?{key}={key}&apiKey={key}"
        answer = suite.public.post(path, content=json.dumps(event).encode(), headers=headers)
        assert answer.status_code in {200, 503}, answer.text
        return answer.status_code == 200

    eventually(taken, what="the gateway's yes")


def _strangers_try(suite: Suite, planted: Planted, key: str) -> None:
    """What is refused is not told on, either."""
    for body in (b"{", b'{"eventType": 7}', b"\xff", b"[" * 70):
        suite.public.post(f"/api/v1/events/api/{key}", content=body)
        suite.public.post(f"/api/v1/events/nobodys/{key}", content=body)
    api_key = planted.secrets["an API key"]
    suite.public.get(f"/api/users/current?api_key={api_key}")
    suite.public.get("/api/users/current", headers={"Authorization": f"Basic {api_key}"})
    suite.public.get(f"/{api_key}")
    guessed = planted.new("a guessed key", "il1int{}")
    suite.public.post("/api/events", json={"integrationKey": guessed, "eventType": "ALERT", "summary": "x"})
    suite.public.get("/alerts", headers={"Cookie": f"__Host-alarum={planted.new('a forged session', 'e30.{}.{}')}"})
    suite.api.post("/api/users", json={"email": planted.secrets["a sign-in address"], "firstName": "Twice"})


def _links_are_used(suite: Suite, planted: Planted, mail: Mapping[str, Any]) -> None:
    """Every link of a mail is opened as a scanner would; its token is a secret until it is used."""
    whole = json.dumps(suite.mail_sink.get(f"/api/messages/{mail['id']}").json())
    links = set(re.findall(r"https?://[^\s\"<>\\)]+?/(?:answer|subscribers)/[^\s\"<>\\)]+", whole))
    assert links, f"no link in {whole[:300]}"
    for number, link in enumerate(sorted(links)):
        planted.note(f"link {number} of {mail['subject'][:20]}", link.rpartition("/")[2].partition("?")[0])
        assert suite.public.get(urlsplit(link).path).status_code == 200


def _attempts(suite: Suite, alert: int) -> int:
    """How often webhook, Jira and Slack could not be reached, as the topic says."""
    said = asyncio.run(_records(suite.settings["KAFKA_BOOTSTRAP"], ("actions.v1",)))["actions.v1"].splitlines()
    ends = (b'"type":"action.deferred"', b'"type":"action.failed"')
    return sum(f'"alert":{alert},'.encode() in one and any(end in one for end in ends) for one in said)


# -- looking


def _exports(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """All that the suite exports of its traces from now on, as it came."""
    kept: list[bytes] = []
    read = tests.e2e.roles._spans

    def keeping(request: ExportTraceServiceRequest) -> list[Span]:
        kept.append(request.SerializeToString())
        return read(request)

    monkeypatch.setattr(tests.e2e.roles, "_spans", keeping)
    return kept


async def _records(bootstrap: str, topics: Sequence[str]) -> dict[str, bytes]:
    """The topics' records, keys and headers, to their ends; a line for each."""
    consumer = AIOKafkaConsumer(
        *topics, bootstrap_servers=bootstrap, auto_offset_reset="earliest", enable_auto_commit=False
    )
    found: dict[str, list[bytes]] = {topic: [] for topic in topics}
    await consumer.start()
    try:
        ends = await consumer.end_offsets(consumer.assignment())
        async with asyncio.timeout(60):
            while any([await consumer.position(place) < end for place, end in ends.items()]):
                for batch in (await consumer.getmany(timeout_ms=500)).values():
                    for record in batch:
                        found[record.topic] += [record.key or b"", record.value or b"", repr(record.headers).encode()]
    finally:
        await consumer.stop()
    return {topic: b"\n".join(parts) for topic, parts in found.items()}


def _logs(data_dir: Path) -> dict[str, bytes]:
    return {
        f"the log {path.name}": path.read_bytes() for path in sorted((data_dir / "logs").rglob("*")) if path.is_file()
    }


def _metrics(suite: Suite) -> dict[str, bytes]:
    urls = dict(pair.split("=", 1) for pair in suite.settings["OPS_URLS"].split(","))
    return {
        f"{path} of {role}": httpx.get(url + path, trust_env=False).content
        for role, url in urls.items()
        for path in ("/metrics", "/readyz")
    }


def test_a_secret_is_found_however_it_is_wrapped() -> None:
    """Who finds nothing may have looked for nothing."""
    planted = Planted()
    secret = planted.new("a secret", "p@ss word-{}")
    plain = secret.encode()
    wrapped = [plain, b'{"x":"' + plain + b'"}', plain.hex().encode(), quote(secret, safe="").encode()]
    wrapped += [base64.b64encode(b"user"[:length] + b":" + plain + b" and more") for length in range(4)]
    assert all(planted.found_in("here", content) for content in wrapped)
    assert planted.found_in("here", planted.mark.encode() + b" alone") == []
