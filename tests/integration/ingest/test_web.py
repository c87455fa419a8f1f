"""`ingest.web` and `ingest.worker` on a real Postgres, with a broker in memory: REST, pages, pictures, live news."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import pytest_asyncio

from events.accounts import ApikeyIssued, TeamChanged, UserChanged, Visibility
from events.accounts import Role as Rank
from events.connectors import ActionAnswer, ActionAnswered, ActionDispatched, ActionFailed, ActionSucceeded
from events.core import Event
from events.envelope import Envelope, encode
from events.escalator import (
    EscalationEnded,
    EscalationLevelReached,
    EscalationLevelSkipped,
    EscalationStarted,
    PolicyChanged,
    Reason,
    Responder,
    Rule,
    ScheduleChanged,
    Target,
    Vacancy,
)
from events.ingest import SignalReceived
from events.notifier import (
    AnswerAction,
    Carried,
    MessageComposed,
    Method,
    NoticeSent,
    NotificationAnswered,
    NotificationFailed,
    NotificationQueued,
    NotificationSent,
)
from events.shared import Actor
from events.statuspage import (
    IncidentCreated,
    IncidentLinked,
    IncidentStatus,
    IncidentUnlinked,
    IncidentUpdated,
    MaintenanceChanged,
    MaintenanceEnded,
)
from ingest.app import shell_of, web_role, worker_role
from ingest.migrations import MIGRATIONS
from runtime import access
from runtime.broker_memory import MemoryBroker, MemoryCluster
from runtime.clock import SystemClock
from runtime.ledger_postgres import PostgresLedger
from runtime.migrate import migrate_database
from runtime.ports import Message
from runtime.role import Role
from runtime.settings import Settings
from runtime.vault import Keyring
from web.session import Session, Sessions

T0 = datetime(2026, 3, 1, 3, 0, tzinfo=UTC)
KEYS = "k1:" + base64.b64encode(bytes(32)).decode()
ADA, BOB, CYD = 7, 8, 9
PATIENCE_S = 20.0


class House:
    """Both roles on one database and one cluster; others' events are written as if they had said them."""

    def __init__(self, dsn: str) -> None:
        self.settings = Settings.model_validate(
            {"vault_keys": KEYS, "people_keys": KEYS, "secret_key": "sixteen characters", "database_url": dsn}
        )
        self.cluster = MemoryCluster()
        self.ledgers = [PostgresLedger(dsn), PostgresLedger(dsn)]
        shells = [shell_of(self.settings, ledger, MemoryBroker(self.cluster), SystemClock()) for ledger in self.ledgers]
        self.roles: list[Role] = [worker_role(shells[0]), web_role(shells[1])]
        transport = httpx.ASGITransport(self.roles[1].http)  # type: ignore[arg-type]
        self.api = httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080")
        self._versions: dict[str, int] = {}

    async def start(self) -> None:
        for ledger in self.ledgers:
            await ledger.start()
        for role in self.roles:
            await role.start()

    async def stop(self) -> None:
        await self.api.aclose()
        for role in self.roles:
            await role.stop()
        for ledger in self.ledgers:
            await ledger.stop()
        await self.cluster.stop()

    def say(self, *events: Event) -> None:
        """Events of other services."""
        for event in events:
            version = self._versions.get(event.stream, 0) + 1
            self._versions[event.stream] = version
            envelope = Envelope(event, event.stream, version, "other")
            self.cluster.write([Message(event.topic, event.key, encode(envelope))])

    def signal(self, number: int, source: int, **body: Any) -> None:
        event = SignalReceived(
            signal=f"s{number}",
            source=source,
            integration="api",
            body=json.dumps({"eventType": "ALERT", "summary": "disk full", **body}),
            at=T0,
        )
        envelope = Envelope(event, event.stream, 0, "ingest")
        self.cluster.write([Message(event.topic, event.key, encode(envelope))])

    def person(self, user: int, name: str, role: Rank) -> None:
        known = access.Name(name, "Example", f"{name.lower()}@example.org")
        sealed = Keyring.parse(KEYS).seal(access.person_cell(user), known.dump(), T0)
        self.cluster.write(
            [Message("people.v1", sealed.stream, encode(Envelope(sealed, sealed.stream, 1, "accounts")))]
        )
        self.say(
            UserChanged(user=user, role=role, timezone="UTC", at=T0),
            ApikeyIssued(apikey=user, user=user, name="test", digest=access.digest(key_of(user)), mask="…", at=T0),
        )

    async def call(self, method: str, path: str, status: int, body: Any = None, user: int = ADA, **query: Any) -> Any:
        headers = {"authorization": f"Bearer {key_of(user)}"}
        answer = await self.api.request(method, path, json=body, params=query, headers=headers)
        assert answer.status_code == status, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json() if answer.content else None

    async def source(self, **fields: Any) -> dict[str, Any]:
        body = {"name": "Shop", "integrationType": "API", "escalationPolicy": {"id": 3}} | fields
        made: dict[str, Any] = await self.call("POST", "/api/alert-sources", 201, body)
        return made

    async def alert(self, source: int, **body: Any) -> int:
        """The id of the alert that a signal opens."""
        self.signal(len(self.cluster.records("signals.v1")) + 1, source, **body)

        async def there() -> Any:
            return await self.call("GET", "/api/alerts", 200, sources=source)

        found = await eventually(there)
        return int(found[0]["id"])

    async def page(self, path: str, user: int = ADA, headers: dict[str, str] | None = None) -> httpx.Response:
        return await self.api.get(path, headers=signed_in(user) | (headers or {}))


def key_of(user: int) -> str:
    return f"il1api{user:032}"


def signed_in(user: int) -> dict[str, str]:
    """What a browser sends."""
    token = Sessions("sixteen characters", "http://127.0.0.1:8080").sign(Session("s1", user, int(_now())))
    return {"accept": "text/html", "cookie": f"__Host-alarum={token}"}


def _any(query: dict[str, Any]) -> dict[str, Any]:
    return query


def _now() -> float:
    return datetime.now(UTC).timestamp()


async def eventually(look: Callable[[], Awaitable[Any]]) -> Any:
    """The first truthy thing that `look` sees."""
    async with asyncio.timeout(PATIENCE_S):
        while not (seen := await look()):
            await asyncio.sleep(0.02)
        return seen


@pytest_asyncio.fixture
async def house(database: str) -> AsyncIterator[House]:
    await migrate_database(database, "ingest", MIGRATIONS)
    made = House(database)
    made.person(ADA, "Ada", Rank.ADMIN)
    made.person(BOB, "Bob", Rank.RESPONDER)
    made.person(CYD, "Cyd", Rank.STAKEHOLDER)
    made.say(
        PolicyChanged(policy=3, name="Nights", rules=(Rule(targets=(Target(user=ADA),), timeout_min=5),), at=T0),
        ScheduleChanged(schedule=2, name="Rota", timezone="UTC", at=T0),
    )
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


class TestSources:
    async def test_what_was_written_is_read_back_with_its_key_and_found_by_id_key_and_name(self, house: House) -> None:
        made = await house.source(severity=2, autoResolutionTimeout="PT10M", alertPriorityRule="LOW", active=False)
        assert made["integrationKey"].startswith("il1int")
        assert made["escalationPolicy"] == {"id": 3, "name": "Nights"}
        assert (made["severity"], made["autoResolutionTimeout"], made["status"]) == (2, "PT10M", "DISABLED")
        for path in (made["id"], made["integrationKey"], "name/shop"):
            assert await house.call("GET", f"/api/alert-sources/{path}", 200) == made
        assert await house.call("GET", "/api/alert-sources", 200) == [made]

    async def test_put_replaces_and_keeps_the_key_and_delete_ends_it(self, house: House) -> None:
        made = await house.source(severity=2)
        body = {"name": "Bar", "integrationType": "API", "escalationPolicy": {"id": 3}}
        changed = await house.call("PUT", f"/api/alert-sources/{made['id']}", 200, body)
        assert (changed["name"], changed.get("severity")) == ("Bar", None)
        assert changed["integrationKey"] == made["integrationKey"]
        await house.call("DELETE", f"/api/alert-sources/{made['id']}", 204)
        await house.call("GET", f"/api/alert-sources/{made['id']}", 404)
        await house.call("GET", f"/api/alert-sources/{made['integrationKey']}", 404)

    async def test_a_policy_that_is_not_there_and_what_is_not_carried_out_are_refused_by_name(
        self, house: House
    ) -> None:
        body = {"name": "Shop", "integrationType": "API", "escalationPolicy": {"id": 99}}
        refused = await house.call("POST", "/api/alert-sources", 400, body)
        assert refused["message"].startswith("escalationPolicy: ")
        body = {"name": "Shop", "integrationType": "API", "escalationPolicy": {"id": 3}}
        for field, value in (
            ("alertPriorityRule", "HIGH_DURING_SUPPORT_HOURS"),
            ("alertCreation", "INTELLIGENT_GROUPING"),
            ("autoResolutionTimeout", "PT7M"),
            ("name", "  "),
        ):
            refused = await house.call("POST", "/api/alert-sources", 400, body | {field: value})
            assert refused["message"].startswith(f"{field}: "), refused

    async def test_a_responder_sees_no_key_and_changes_nothing(self, house: House) -> None:
        made = await house.source()
        seen = await house.call("GET", f"/api/alert-sources/{made['id']}", 200, user=BOB)
        assert "integrationKey" not in seen
        await house.call("POST", "/api/alert-sources", 403, {}, user=BOB)
        await house.call("DELETE", f"/api/alert-sources/{made['id']}", 403, user=BOB)
        await house.call("GET", "/api/alerts", 403, user=CYD)

    async def test_a_page_over_the_cap_is_refused(self, house: House) -> None:
        await house.call("GET", "/api/alert-sources", 400, **{"max-results": 51})
        await house.call("GET", "/api/alerts", 400, **{"max-results": 101})


class TestAlerts:
    async def test_a_signal_becomes_an_alert_that_is_listed_counted_and_told(self, house: House) -> None:
        source = await house.source()
        number = await house.alert(source["id"], alertKey="K", labels={"env": "prod"}, details="**bold**")
        (alert,) = await house.call("GET", "/api/alerts", 200, states="PENDING", policies=3)
        assert alert["id"] == number
        assert alert["alertSource"] == {"id": source["id"], "name": "Shop"}
        assert (alert["status"], alert["priority"], alert["alertKey"]) == ("PENDING", "HIGH", "K")
        assert alert["labels"] == {"env": "prod"}
        assert "details" not in alert
        assert (await house.call("GET", f"/api/alerts/{number}", 200))["details"] == "**bold**"
        assert await house.call("GET", "/api/alerts/count", 200, states="PENDING") == {"count": 1}
        assert await house.call("GET", "/api/alerts", 200, states="RESOLVED") == []
        assert await house.call("GET", "/api/alerts", 200, until="2020-01-01T00:00:00Z") == []
        (log,) = await house.call("GET", f"/api/alerts/{number}/log-entries", 200)
        assert "Nights" in log["text"]
        (fate,) = await house.call("GET", f"/api/alert-sources/{source['id']}/events", 200)
        assert (fate["outcome"], fate["alertId"]) == ("CREATED", number)

    async def test_accepting_and_resolving_are_idempotent_and_final(self, house: House) -> None:
        source = await house.source()
        number = await house.alert(source["id"])
        for _ in range(2):
            accepted = await house.call("PUT", f"/api/alerts/{number}/accept", 200)
        assert accepted["status"] == "ACCEPTED"
        assert [responder["user"]["firstName"] for responder in accepted["responders"]] == ["Ada"]
        late = await house.call("PUT", f"/api/alerts/{number}/accept", 200, user=BOB)
        assert {responder["status"] for responder in late["responders"]} == {"ACCEPTED"}
        for _ in range(2):
            resolved = await house.call("PUT", f"/api/alerts/{number}/resolve", 200)
        assert resolved["status"] == "RESOLVED"
        assert "resolvedOn" in resolved
        assert (await house.call("PUT", f"/api/alerts/{number}/accept", 200))["status"] == "RESOLVED"
        refused = await house.call("PUT", f"/api/alerts/{number}/assign", 409, user_=None, policy=3)
        assert refused["code"] == "ALERT_RESOLVED"
        texts = [entry["text"] for entry in await house.call("GET", f"/api/alerts/{number}/log-entries", 200)]
        assert any("Bob Example wanted to accept the alert over the API" in text for text in texts)
        assert len(texts) == 4

    async def test_a_manual_alert_is_there_at_once(self, house: House) -> None:
        source = await house.source()
        body = {
            "summary": "By hand",
            "alertSource": {"id": source["id"]},
            "responders": [{"user": {"id": BOB}}],
            "priority": "LOW",
        }
        made = await house.call("POST", "/api/alerts", 201, body)
        assert (made["priority"], made["status"]) == ("LOW", "PENDING")
        assert "escalationPolicy" not in made
        for wrong in ({"alertSource": {"id": 999}}, {"responders": [{"user": {"id": 999}}]}, {"summary": " "}):
            await house.call("POST", "/api/alerts", 400, body | wrong)

    async def test_assigning_needs_exactly_one_target_that_exists(self, house: House) -> None:
        source = await house.source()
        number = await house.alert(source["id"])
        await house.call("PUT", f"/api/alerts/{number}/assign", 400)
        await house.call("PUT", f"/api/alerts/{number}/assign", 400, policy=99)
        await house.call("PUT", f"/api/alerts/{number}/assign", 400, policy=3, schedule=2)
        await house.call("PUT", f"/api/alerts/{number}/assign", 200, schedule=2)
        suggested = await house.call("GET", f"/api/alerts/{number}/suggested-responders", 200)
        groups = {entry["group"] for entry in suggested}
        assert groups == {"USER", "ESCALATION_POLICY", "ON_CALL_SCHEDULE"}
        added = await house.call("POST", f"/api/alerts/{number}/responders", 201, {"user": {"id": BOB}})
        assert added["status"] == "PENDING"

    async def test_comments_are_kept_with_who_wrote_them(self, house: House) -> None:
        source = await house.source()
        number = await house.alert(source["id"], comments=[{"creator": "bot", "content": "seen before"}])
        made = await house.call("POST", f"/api/alerts/{number}/comments", 201, {"content": "On it"})
        assert (made["creator"], made["content"]) == ("Ada Example", "On it")
        known = await house.call("GET", f"/api/alerts/{number}/comments", 200)
        assert [comment["creator"] for comment in known] == ["bot", "Ada Example"]

    async def test_custom_details_are_shown_where_they_are_asked_for(self, house: House) -> None:
        source = await house.source()
        custom = {"host": {"name": "db-1", "disks": [1, 2.5, None]}}
        number = await house.alert(source["id"], customDetails=custom)
        path = f"/api/alerts/{number}"
        assert (await house.call("GET", path, 200, include="customDetails"))["customDetails"] == custom
        assert "customDetails" not in await house.call("GET", path, 200)
        (listed,) = await house.call("GET", "/api/alerts", 200, include="customDetails")
        assert "customDetails" not in listed

    async def test_an_answer_by_mail_accepts(self, house: House) -> None:
        source = await house.source()
        number = await house.alert(source["id"])
        house.say(NotificationAnswered(alert=number, user=BOB, notification=1, action=AnswerAction.ACCEPT, at=T0))

        async def accepted() -> bool:
            return bool((await house.call("GET", f"/api/alerts/{number}", 200))["status"] == "ACCEPTED")

        assert await eventually(accepted)

    async def test_a_private_teams_alerts_are_its_members_administrators_and_responders_only(
        self, house: House
    ) -> None:
        house.say(TeamChanged(team=1, name="Secret", visibility=Visibility.PRIVATE, members=(), at=T0))
        source = await house.source(teams=[{"id": 1}])
        number = await house.alert(source["id"])
        await house.call("GET", f"/api/alerts/{number}", 200)
        await house.call("GET", f"/api/alerts/{number}", 404, user=BOB)
        await house.call("PUT", f"/api/alerts/{number}/accept", 404, user=BOB)
        await house.call("GET", f"/api/alert-sources/{source['id']}", 404, user=BOB)
        assert await house.call("GET", "/api/alerts", 200, user=BOB) == []
        assert await house.call("GET", "/api/alerts/count", 200, user=BOB) == {"count": 0}
        about = {"alert": number, "alert_version": 1, "at": T0}
        told = Responder(user=BOB, reason=Reason(text="asked for"))
        house.say(EscalationLevelReached(level=0, responders=(told,), **about))

        async def seen() -> Any:
            return await house.call("GET", "/api/alerts", 200, user=BOB)

        assert [alert["id"] for alert in await eventually(seen)] == [number]

    async def test_who_is_nobody_and_what_is_not_there(self, house: House) -> None:
        assert (await house.api.get("/api/alerts")).status_code == 401
        unknown = await house.api.get("/api/alerts", headers={"authorization": "Bearer nope"})
        assert (unknown.status_code, unknown.json()["code"]) == (403, "KEY_ERROR")
        await house.call("GET", "/api/alerts/999", 404)
        await house.call("GET", f"/api/alerts/{2**63}", 400)
        await house.call("GET", "/api/alerts", 400, states="LOUD")


def the_night(number: int, source: int) -> list[Event]:
    """What escalator and notifier say of one alert."""
    about = {"alert": number, "alert_version": 1, "source": source, "at": T0}
    page = {"alert": number, "user": ADA, "notification": 1, "at": T0}
    reason = Reason(policy=3, schedule=2, text="on call in Rota, layer weekdays, by rule 1 of Nights")
    levels = (Rule(targets=(Target(schedule=2),), timeout_min=5), Rule(targets=(Target(user=BOB),), timeout_min=5))
    vacancy = Vacancy(target=Target(schedule=2), text="nobody is on call in Rota")
    return [
        EscalationStarted(policy=3, policy_name="Nights", levels=levels, begins_at=T0, **about),
        EscalationLevelSkipped(level=7, vacancies=(vacancy,), alert=number, alert_version=1, at=T0),
        EscalationLevelReached(
            level=0, responders=(Responder(user=ADA, reason=reason),), next_at=datetime(2030, 1, 1, tzinfo=UTC), **about
        ),
        NotificationQueued(
            alert_version=1,
            level=0,
            contact=1,
            method=Method.EMAIL,
            mask="a…@example.org",
            send_at=T0,
            reason="High at once",
            **page,
        ),
        MessageComposed(
            contact=1,
            source=source,
            message=12,
            user=ADA,
            carries=(Carried(notification=1, alert=number, user=ADA),),
            place=1,
            window_ends_at=T0,
            at=T0,
        ),
        NotificationSent(message=12, reply="250 queued as 77", **page),
        NotificationFailed(error="550 no such mailbox", **page),
    ]


class TestPictures:
    async def test_others_words_become_responders_the_next_step_and_a_timeline_with_reasons(self, house: House) -> None:
        source = await house.source()
        number = await house.alert(source["id"])
        house.say(*the_night(number, source["id"]))

        async def told() -> Any:
            entries = await house.call("GET", f"/api/alerts/{number}/log-entries", 200, include="vars")
            return entries if len(entries) == 8 else None

        story = "\n".join(entry["text"] for entry in await eventually(told))
        for words in (
            "on call in Rota, layer weekdays",
            "nobody is on call in Rota",
            "250 queued as 77",
            "550 no such mailbox",
            "This alert is in mail 12 to Ada Example",
            "High at once",
        ):
            assert words in story, story
        include = ["escalationRules", "nextEscalationUser"]
        alert = await house.call("GET", f"/api/alerts/{number}", 200, include=include)
        assert [responder["user"]["id"] for responder in alert["responders"]] == [ADA]
        assert alert["nextEscalation"].startswith("2030-01-01")
        assert (alert["nextEscalationRuleIndex"], alert["nextEscalationUser"]["id"]) == (1, BOB)
        assert alert["escalationRules"][0]["schedules"] == [{"id": 2, "name": "Rota"}]
        only = await house.call(
            "GET", f"/api/alerts/{number}/log-entries", 200, **_any({"filter-types": "NOTIFICATIONS"})
        )
        assert {entry["logEntryType"] for entry in only} == {"NotificationLogEntry"}

    async def test_the_end_of_the_climb_is_seen(self, house: House) -> None:
        source = await house.source()
        number = await house.alert(source["id"])
        house.say(
            *the_night(number, source["id"])[:3],
            EscalationEnded(alert=number, alert_version=1, reason="every level was told", at=T0),
        )

        async def ended() -> bool:
            return "nextEscalation" not in await house.call("GET", f"/api/alerts/{number}", 200) and (
                "every level was told" in (await house.page(f"/alerts/{number}")).text
            )

        assert await eventually(ended)


class TestMaintenance:
    async def test_a_silenced_source_says_so_its_events_are_dropped_with_the_reason_and_the_end_is_the_end(
        self, house: House
    ) -> None:
        source = await house.source()
        number = await house.alert(source["id"], alertKey="K")
        window = {"maintenance": 4, "summary": "New disks", "sources": (source["id"],), "at": T0}
        house.say(MaintenanceChanged(start=T0 - timedelta(hours=1), end=_later(hours=2), **window))

        async def status() -> str:
            found: str = (await house.call("GET", f"/api/alert-sources/{source['id']}", 200))["status"]
            return found

        async def is_silenced() -> bool:
            return await status() == "IN_MAINTENANCE"

        assert await eventually(is_silenced)
        house.signal(77, source["id"], alertKey="L")
        house.signal(78, source["id"], alertKey="K", eventType="RESOLVE")

        async def is_over() -> bool:
            return bool((await house.call("GET", f"/api/alerts/{number}", 200))["status"] == "RESOLVED")

        assert await eventually(is_over)
        fates = await house.call("GET", f"/api/alert-sources/{source['id']}/events", 200)
        (dropped,) = [fate for fate in fates if fate["outcome"] == "IN_MAINTENANCE"]
        assert "«New disks» (maintenance 4)" in dropped["text"]
        assert "New disks" in (await house.page(f"/sources/{source['id']}")).text
        assert "In maintenance" in (await house.page("/sources")).text
        by_hand = {"summary": "By hand", "alertSource": {"id": source["id"]}}
        await house.call("POST", "/api/alerts", 201, by_hand)
        house.say(MaintenanceEnded(maintenance=4, sources=(source["id"],), at=datetime.now(UTC)))

        async def is_heard() -> bool:
            return await status() == "PENDING"

        assert await eventually(is_heard)


def _later(**length: float) -> datetime:
    return datetime.now(UTC) + timedelta(**length)


class TestOutside:
    """What connectors, statuspage and notifier say of an alert."""

    async def test_actions_and_incidents_are_on_the_timeline_with_the_other_sides_words(self, house: House) -> None:
        source = await house.source()
        number = await house.alert(source["id"])
        run = {"alert": number, "run": 1, "action": 2, "name": "Ticket", "type": "jira", "at": T0}
        ada = Actor.by_user(ADA, "web")
        house.say(
            ActionSucceeded(text="SHOP-7 was opened", link="https://jira.example.org/SHOP-7", **run),
            ActionFailed(error="403 you shall not", **(run | {"run": 2})),
            IncidentCreated(incident=3, summary="Shop down", alert=number, began_at=T0, by=ada, at=T0),
            IncidentLinked(incident=5, alert=number, by=ada, at=T0 + timedelta(minutes=1)),
            NoticeSent(notice=9, user=BOB, alert=number, at=T0),
        )

        async def told() -> Any:
            entries = await house.call("GET", f"/api/alerts/{number}/log-entries", 200)
            return entries if len(entries) == 6 else None

        entries = {entry["logEntryType"]: entry["text"] for entry in await eventually(told)}
        assert "SHOP-7 was opened" in entries["ConnectorAutomaticResultLogEntry"]
        assert "403 you shall not" in entries["ConnectorAutomaticResultErrorLogEntry"]
        assert "Shop down" in entries["InComIncidentCreatedLogEntry"]
        assert (await house.call("GET", f"/api/alerts/{number}", 200))["linkedIncidentId"] == 5
        for group, count in (("CONNECTOR_EVENTS", 2), ("INCIDENT_COMMUNICATIONS", 2), ("NOTIFICATIONS", 1)):
            path = f"/api/alerts/{number}/log-entries"
            assert len(await house.call("GET", path, 200, **_any({"filter-types": group}))) == count
        page = (await house.page(f"/alerts/{number}")).text
        assert 'href="https://jira.example.org/SHOP-7"' in page
        assert 'href="/incidents/3"' in page

    async def test_an_incidents_end_is_told_to_the_alerts_that_are_linked_by_then(self, house: House) -> None:
        source = await house.source()
        number = await house.alert(source["id"])
        ada = Actor.by_user(ADA, "web")
        over = {"update": 1, "summary": "Down", "status": IncidentStatus.RESOLVED, "said_at": T0, "by": ada, "at": T0}
        hub = house.roles[1].http.state.front.hub  # type: ignore[union-attr]
        frames = hub.stream(hub.position)
        heard: asyncio.Queue[bytes] = asyncio.Queue()

        async def listen() -> None:
            async for frame in frames:
                heard.put_nowait(frame)

        listening = asyncio.create_task(listen())
        try:
            for incident in (3, 5):
                house.say(IncidentCreated(incident=incident, summary="Down", alert=number, began_at=T0, by=ada, at=T0))
            house.say(
                IncidentUnlinked(incident=5, alert=number, by=ada, at=T0),
                IncidentUpdated(incident=5, **over),
                IncidentUpdated(incident=3, **over),
            )
            await _heard(heard, "incident-3@2")
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)
        entries = await house.call("GET", f"/api/alerts/{number}/log-entries", 200)
        resolved = [entry["text"] for entry in entries if entry["logEntryType"] == "InComIncidentResolvedLogEntry"]
        assert resolved == ["Ada Example resolved incident 3 on the web: Down"]
        assert (await house.call("GET", f"/api/alerts/{number}", 200))["linkedIncidentId"] == 3

    async def test_a_button_in_another_tool_accepts_and_an_alert_action_hands_over(self, house: House) -> None:
        source = await house.source()
        number = await house.alert(source["id"])
        asked = {"alert": number, "run": 1, "action": 2, "name": "To the boss", "type": "reroute", "at": T0}
        house.say(
            ActionAnswered(alert=number, answer=ActionAnswer.ACCEPT, channel="slack", who="grace.h", at=T0),
            ActionDispatched(policy=99, **asked),
        )

        async def refused() -> str:
            entries = await house.call("GET", f"/api/alerts/{number}/log-entries", 200)
            return "\n".join(entry["text"] for entry in entries) if len(entries) == 3 else ""

        story = await eventually(refused)
        assert "grace.h accepted the alert in Slack" in story
        assert "there is no policy 99" in story
        assert (await house.call("GET", f"/api/alerts/{number}", 200))["status"] == "ACCEPTED"
        assert "Accepted by grace.h" in (await house.page(f"/alerts/{number}")).text
        house.say(ActionDispatched(policy=3, **(asked | {"run": 2})))

        async def handed_over() -> bool:
            return bool((await house.call("GET", f"/api/alerts/{number}", 200))["status"] == "PENDING")

        assert await eventually(handed_over)


class TestLive:
    async def test_an_open_page_hears_of_our_decisions_and_of_others_words_once_they_are_in_the_tables(
        self, house: House
    ) -> None:
        source = await house.source()
        number = await house.alert(source["id"])
        hub = house.roles[1].http.state.front.hub  # type: ignore[union-attr]
        frames = hub.stream(hub.position)
        heard: asyncio.Queue[bytes] = asyncio.Queue()

        async def listen() -> None:
            async for frame in frames:
                heard.put_nowait(frame)

        listening = asyncio.create_task(listen())
        try:
            await house.call("PUT", f"/api/alerts/{number}/accept", 200)
            await _heard(heard, f"alert-{number}@2")
            house.say(*the_night(number, source["id"]))
            await _heard(heard, f"page-{number}-{ADA}@3")
            entries = await house.call("GET", f"/api/alerts/{number}/log-entries", 200)
            assert len(entries) == 9
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)


async def _heard(heard: "asyncio.Queue[bytes]", words: str) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while words not in (await heard.get()).decode():
            pass


class TestPages:
    async def test_somebody_unknown_is_led_to_the_sign_in(self, house: House) -> None:
        answer = await house.api.get("/alerts", headers={"accept": "text/html"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=/alerts")

    async def test_the_empty_list_says_how_to_begin(self, house: House) -> None:
        page = await house.page("/alerts")
        assert page.status_code == 200
        assert "Create an alert source" in page.text
        assert page.text.count("Done") == 1
        await house.source()
        assert (await house.page("/alerts")).text.count("Done") == 2
        assert "first automatic incident" not in (await house.page("/alerts?state=RESOLVED&source=1")).text

    async def test_an_alert_has_places_for_what_other_services_show(self, house: House) -> None:
        source = await house.source()
        number = await house.alert(source["id"])
        page = (await house.page(f"/alerts/{number}")).text
        for part in ("actions", "incidents"):
            assert f'hx-get="/fragments/alerts/{number}/{part}?summary=' in page
            assert f'<noscript><a href="/fragments/alerts/{number}/{part}?summary=' in page

    async def test_list_alert_and_source_show_what_there_is(self, house: House) -> None:
        source = await house.source()
        number = await house.alert(source["id"], alertKey="K", details="**bold** <script>x</script>")
        house.say(*the_night(number, source["id"]))
        listed = await house.page("/alerts?source=&state=OPEN")
        assert f'href="/alerts/{number}"' in listed.text
        assert "<html" not in (await house.page("/alerts", headers={"hx-request": "true"})).text
        alert = await house.page(f"/alerts/{number}")
        assert "<strong>bold</strong>" in alert.text
        assert "<script>x" not in alert.text
        assert f'action="/alerts/{number}/accept"' in alert.text
        shown = await house.page(f"/sources/{source['id']}")
        assert source["integrationKey"] in shown.text
        assert "Created" in shown.text
        by_key = await house.page(f"/alerts?source={source['id']}&key=k")
        assert f'href="/alerts/{number}"' in by_key.text
        for path in ("/sources", "/sources/new", f"/sources/{source['id']}/edit", "/alerts/new"):
            assert (await house.page(path)).status_code == 200, path
        assert (await house.page(f"/sources/{source['id']}/edit", user=BOB)).status_code == 403

    async def test_buttons_work_without_javascript(self, house: House) -> None:
        source = await house.source()
        number = await house.alert(source["id"])
        for action, status in (("accept", "ACCEPTED"), ("escalate", "PENDING"), ("resolve", "RESOLVED")):
            answer = await self._post(house, f"/alerts/{number}/{action}")
            assert (answer.status_code, answer.headers["location"]) == (303, f"/alerts/{number}")
            assert (await house.call("GET", f"/api/alerts/{number}", 200))["status"] == status
        commented = await self._post(house, f"/alerts/{number}/comment", content="done")
        assert commented.status_code == 303
        assert "done" in (await house.page(f"/alerts/{number}")).text

    async def test_a_wrong_form_comes_back_with_what_was_typed(self, house: House) -> None:
        answer = await self._post(house, "/sources", name="Typed", integrationType="API")
        assert answer.status_code == 422
        assert 'value="Typed"' in answer.text
        fields = {
            "name": "Typed",
            "integrationType": "API",
            "escalationPolicy.id": "3",
            "active": "true",
            "severity": "",
        }
        made = await self._post(house, "/sources", **fields)
        assert made.status_code == 303
        changed = await self._post(house, made.headers["location"], **(fields | {"name": "Other"}))
        assert changed.status_code == 303
        (source,) = await house.call("GET", "/api/alert-sources", 200)
        assert (source["name"], source["active"]) == ("Other", True)

    async def _post(self, house: House, path: str, **fields: str) -> httpx.Response:
        return await house.api.post(path, data=fields, headers=signed_in(ADA))


@pytest.mark.parametrize("body", [b"{", b"[]", b'{"name": {}}', b"null", b'"x"'])
async def test_nonsense_is_a_4xx_that_says_so(house: House, body: bytes) -> None:
    headers = {"authorization": f"Bearer {key_of(ADA)}", "content-type": "application/json"}
    for path in ("/api/alert-sources", "/api/alerts"):
        answer = await house.api.post(path, content=body, headers=headers)
        assert answer.status_code == 400
        assert set(answer.json()) == {"status", "message", "code"}
