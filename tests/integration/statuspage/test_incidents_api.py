"""Incidents over HTTP: what is said moves the services, the lists and the people."""

from typing import Any

from events.accounts import Visibility
from events.statuspage import AnnouncementMade, Occasion
from events.topics import INCIDENTS
from tests.integration.statuspage.house import ADA, BOB, CYD, ROOT, URL, House, in_virtual_time

OPS = 3


def words(*services: int, impact: str = "PARTIAL_OUTAGE", **more: Any) -> dict[str, Any]:
    """A body that says so of these services."""
    affected = [{"impact": impact, "service": {"id": service}} for service in services]
    return {"summary": "Checkout is slow", "message": "We look", "affectedServices": affected} | more


async def status_of(house: House, service: int) -> str:
    found: str = (await house.reads(f"/services/{service}"))["status"]
    return found


def announced(house: House) -> list[AnnouncementMade]:
    events = [envelope.event for envelope in house.said(INCIDENTS.name)]
    return [event for event in events if isinstance(event, AnnouncementMade)]


def test_an_incident_is_opened_told_of_and_resolved_and_its_service_goes_along() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        shop = await house.makes("/services", {"name": "Shop"})
        made = await house.does(BOB, "POST", "/incidents", words(shop))
        assert made.status_code == 201
        number = made.json()["id"]
        assert made.headers["Location"] == f"{URL}/api/incidents/{number}"
        said = made.json()
        assert said == {
            "id": number,
            "summary": "Checkout is slow",
            "status": "INVESTIGATING",
            "message": "We look",
            "sendNotification": False,
            "createdAt": said["createdAt"],
            "updatedAt": said["createdAt"],
            "affectedServices": [
                {"impact": "PARTIAL_OUTAGE", "service": {"id": shop, "name": "Shop", "status": "PARTIAL_OUTAGE"}}
            ],
        }
        assert await house.reads(f"/incidents/{number}") == said
        worse = words(shop, impact="MAJOR_OUTAGE", status="IDENTIFIED", message="It is the cache")
        assert (await house.does(ADA, "PUT", f"/incidents/{number}", worse)).status_code == 200
        assert await status_of(house, shop) == "MAJOR_OUTAGE"
        over = await house.does(ADA, "PUT", f"/incidents/{number}", words(shop, status="RESOLVED"))
        assert over.json()["resolvedOn"] == over.json()["updatedAt"]
        assert await status_of(house, shop) == "OPERATIONAL"
        history = (await house.reads(f"/incidents/{number}?include=history&include=affectedTeams"))["history"]
        assert [(one["incidentStatus"], one["content"], one["creator"]["id"]) for one in history] == [
            ("RESOLVED", "We look", ADA),
            ("IDENTIFIED", "It is the cache", ADA),
            ("INVESTIGATING", "We look", BOB),
        ]
        assert len({one["id"] for one in history}) == 3

    in_virtual_time(story)


def test_what_began_earlier_is_written_down_as_it_was() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        shop = await house.makes("/services", {"name": "Shop"})
        past = words(shop, createdAt="2026-03-01T10:00:00+01:00", updatedAt="2026-03-01T11:00:00Z", status="RESOLVED")
        made = (await house.does(ADA, "POST", "/incidents", past)).json()
        assert (made["createdAt"], made["resolvedOn"]) == ("2026-03-01T09:00:00Z", "2026-03-01T11:00:00Z")
        assert await status_of(house, shop) == "OPERATIONAL"
        for field in ("createdAt", "updatedAt"):
            refused = await house.does(ADA, "POST", "/incidents", words(shop, **{field: "2026-03-03T00:00:00Z"}))
            assert (refused.status_code, refused.json()["message"]) == (400, f"{field}: must not be in the future")
        assert (await house.does(ADA, "POST", "/incidents", words(shop, createdAt="", updatedAt=""))).status_code == 201

    in_virtual_time(story)


def test_a_condition_holds_off_who_read_an_older_incident() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        shop = await house.makes("/services", {"name": "Shop"})
        number = await house.makes("/incidents", words(shop))
        path = f"/incidents/{number}"
        tag = (await house.does(ADA, "GET", path)).headers["ETag"]
        first = await house.does(ADA, "PUT", path, words(shop, status="MONITORING"), {"If-Match": tag})
        assert first.status_code == 200
        late = await house.does(BOB, "PUT", path, words(shop), {"If-Match": tag})
        assert (late.status_code, late.json()["code"]) == (412, "PRECONDITION_FAILED")
        assert (await house.does(BOB, "PUT", path, words(shop), {"If-Match": "nonsense"})).status_code == 412
        newest = f'"77", W/{first.headers["ETag"]}'
        assert (await house.does(BOB, "PUT", path, words(shop), {"If-Match": newest})).status_code == 200
        assert (await house.does(BOB, "PUT", path, words(shop), {"If-Match": "*"})).status_code == 200
        assert (await house.does(BOB, "PUT", path, words(shop))).status_code == 200

    in_virtual_time(story)


def test_what_is_resolved_stays_so_but_its_words_can_be_put_right() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        shop = await house.makes("/services", {"name": "Shop"})
        number = await house.makes("/incidents", words(shop, status="RESOLVED"))
        again = await house.does(ADA, "PUT", f"/incidents/{number}", words(shop, status="MONITORING"))
        assert (again.status_code, again.json()["code"]) == (409, "INCIDENT_RESOLVED")
        right = await house.does(ADA, "PUT", f"/incidents/{number}", words(shop, message="It was the cache"))
        assert (right.status_code, right.json()["status"]) == (200, "RESOLVED")

    in_virtual_time(story)


def test_a_service_that_may_have_one_open_incident_names_the_one_it_has() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        shop = await house.makes("/services", {"name": "Shop", "oneOpenIncidentOnly": True})
        mail = await house.makes("/services", {"name": "Mail"})
        first = await house.makes("/incidents", words(shop))
        refused = await house.does(ADA, "POST", "/incidents", words(mail, shop))
        assert (refused.status_code, refused.json()["code"]) == (409, "INCIDENT_OPEN")
        assert refused.json()["message"].startswith("affectedServices.1.service.id: ")
        assert f"incident {first}" in refused.json()["message"]
        assert await status_of(house, mail) == "OPERATIONAL", "nothing of what was refused is left"
        other = await house.makes("/incidents", words(mail))
        assert (await house.does(ADA, "PUT", f"/incidents/{other}", words(mail, shop))).status_code == 409
        assert (await house.does(ADA, "PUT", f"/incidents/{first}", words(shop))).status_code == 200
        await house.does(ADA, "PUT", f"/incidents/{first}", words(shop, status="RESOLVED"))
        assert (await house.does(ADA, "PUT", f"/incidents/{other}", words(mail, shop))).status_code == 200

    in_virtual_time(story)


def test_lists_are_filtered_paged_and_bounded() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        shop = await house.makes("/services", {"name": "Shop"})
        mail = await house.makes("/services", {"name": "Mail"})
        first = await house.makes("/incidents", words(shop, createdAt="2026-03-01T09:00:00Z"))
        second = await house.makes("/incidents", words(mail, status="RESOLVED"))
        third = await house.makes("/incidents", words(shop, mail, status="MONITORING"))

        async def listed(query: str) -> list[int]:
            return [one["id"] for one in await house.reads(f"/incidents?{query}")]

        assert await listed("") == [third, second, first]
        assert await listed("states=RESOLVED&states=MONITORING") == [third, second]
        assert await listed("state=INVESTIGATING") == [first]
        assert await listed(f"services={shop}") == [third, first]
        assert await listed("until=2026-03-01T12:00:00Z") == [first]
        assert await listed("from=2026-03-01T12:00:00Z") == [third, second]
        assert await listed("start-index=1&max-results=1") == [second]
        assert [one["subscribed"] for one in await house.reads("/incidents?include=subscribed")] == [False] * 3
        for bad in (
            "max-results=101",
            "max-results=26&include=subscribed",
            "max-results=0",
            "start-index=-1",
            "states=GONE",
            "services=x",
            "services=0",
            "from=yesterday",
        ):
            assert (await house.does(ADA, "GET", f"/incidents?{bad}")).status_code == 400, bad
        assert (await house.does(ADA, "GET", "/incidents/99")).status_code == 404
        assert (await house.does(ADA, "GET", "/incidents/x")).status_code == 400

    in_virtual_time(story)


def test_bad_bodies_are_refused_by_the_name_of_their_field() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        shop = await house.makes("/services", {"name": "Shop"})
        bad: list[tuple[Any, str]] = [
            ({}, "summary"),
            (words(shop, summary=" "), "summary"),
            (words(shop, summary="x" * 256), "summary"),
            (words(shop, status="GONE"), "status"),
            (words(), "affectedServices"),
            (words(shop, impact="BROKEN"), "affectedServices.0.impact"),
            (words(shop, 99), "affectedServices.1.service.id"),
            (words(shop, shop), "affectedServices"),
            (words(2**70), "affectedServices.0.service.id"),
            (words(shop, createdAt="yesterday"), "createdAt"),
            (words(shop, createdAt="2026-03-01T12:00:00Z", updatedAt="2026-03-01T11:00:00Z"), "updatedAt"),
            (words(shop, message="x" * 20_001), "message"),
            ([], ""),
        ]
        for path, method in (("/incidents", "POST"), ("/incidents/publish-info", "POST")):
            for body, field in bad:
                refused = await house.does(ADA, method, path, body)
                is_late = field in ("createdAt", "updatedAt") and refused.status_code == 200
                assert refused.status_code == 400 or is_late, (path, body, refused.text)
                assert is_late or field in refused.json()["message"], refused.text
        assert not house.said(INCIDENTS.name)

    in_virtual_time(story)


def test_private_teams_hide_their_incidents_and_what_is_hidden_stays_in_them() -> None:
    async def story(house: House) -> None:
        house.team(OPS, ROOT, visibility=Visibility.PRIVATE)
        await house.start_web()
        shop = await house.makes("/services", {"name": "Shop"})
        vault = (await house.does(ROOT, "POST", "/services", {"name": "Vault", "teams": [{"id": OPS}]})).json()["id"]
        secret = (await house.does(ROOT, "POST", "/incidents", words(vault))).json()["id"]
        both = (await house.does(ROOT, "POST", "/incidents", words(shop, vault))).json()["id"]
        assert (await house.does(ADA, "GET", f"/incidents/{secret}")).status_code == 404
        assert [one["id"] for one in await house.reads("/incidents")] == [both]
        seen = await house.reads(f"/incidents/{both}")
        assert [one["service"]["id"] for one in seen["affectedServices"]] == [shop]
        assert (await house.does(ADA, "POST", "/incidents", words(vault))).status_code == 400
        assert (await house.does(ADA, "PUT", f"/incidents/{secret}", words(shop))).status_code == 404
        changed = await house.does(ADA, "PUT", f"/incidents/{both}", words(shop, impact="DEGRADED"))
        assert changed.status_code == 200
        whole = await house.reads(f"/incidents/{both}", ROOT)
        assert [(one["service"]["id"], one["impact"]) for one in whole["affectedServices"]] == [
            (shop, "DEGRADED"),
            (vault, "PARTIAL_OUTAGE"),
        ]

    in_virtual_time(story)


def test_stakeholders_read_and_responders_write() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        shop = await house.makes("/services", {"name": "Shop"})
        number = await house.makes("/incidents", words(shop))
        assert (await house.reads(f"/incidents/{number}", CYD))["id"] == number
        for method, path in (
            ("POST", "/incidents"),
            ("PUT", f"/incidents/{number}"),
            ("POST", "/incidents/publish-info"),
        ):
            assert (await house.does(CYD, method, path, words(shop))).status_code == 403
        assert (await house.does(BOB, "PUT", f"/incidents/{number}", words(shop))).status_code == 200

    in_virtual_time(story)


def test_subscribers_are_told_when_they_are_to_be_and_who_wrote_it_is_not() -> None:
    async def story(house: House) -> None:
        house.team(OPS, ADA, BOB)
        await house.start_web()
        shop = await house.makes("/services", {"name": "Shop"})
        await house.does(ADA, "POST", f"/services/{shop}/private-subscribers", [{"id": OPS, "type": "TEAM"}])
        number = await house.makes("/incidents", words(shop))
        await house.does(CYD, "POST", f"/incidents/{number}/private-subscribers", [{"id": CYD, "type": "USER"}])
        assert not announced(house), "nobody was to be told"
        forecast = await house.does(ADA, "POST", "/incidents/publish-info", words(shop, id=number))
        assert forecast.json() == {
            "statusPagesInfo": [],
            "privateStatusPages": 0,
            "publicStatusPages": 0,
            "privateSubscribers": 2,
            "publicSubscribers": 0,
        }
        await house.does(ADA, "PUT", f"/incidents/{number}", words(shop, status="MONITORING", sendNotification=True))
        await house.does(BOB, "PUT", f"/incidents/{number}", words(shop, status="RESOLVED", sendNotification=True))
        updated, resolved = announced(house)
        assert (updated.occasion, updated.incident, updated.path) == (
            Occasion.INCIDENT_UPDATED,
            number,
            f"/incidents/{number}",
        )
        assert {one.user: one.reason for one in updated.users} == {
            BOB: "Your team «Team 3» subscribed to the service «Shop»",
            CYD: "You subscribed to this incident",
        }
        assert (updated.status, updated.services) == ("Monitoring", ("Shop: Partial outage",))
        assert resolved.occasion is Occasion.INCIDENT_RESOLVED
        assert [one.user for one in resolved.users] == [ADA, CYD]
        assert resolved.services == ("Shop: Operational",)

    in_virtual_time(story)


def test_pages_that_show_a_service_bring_their_subscribers_and_are_named() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        shop = await house.makes("/services", {"name": "Shop"})
        page = await house.makes(
            "/status-pages",
            {
                "name": "Shop status",
                "subdomain": "shop",
                "visibility": "PUBLIC",
                "activated": True,
                "services": [{"id": shop}],
            },
        )
        await house.does(BOB, "POST", f"/status-pages/{page}/private-subscribers", {"id": BOB, "type": "USER"})
        forecast = (await house.does(ADA, "POST", "/incidents/publish-info", words(shop))).json()
        assert forecast["statusPagesInfo"] == [{"id": page, "label": "Shop status"}]
        assert (forecast["publicStatusPages"], forecast["privateSubscribers"]) == (1, 1)
        await house.makes("/incidents", words(shop, sendNotification=True))
        [made] = announced(house)
        assert made.occasion is Occasion.INCIDENT_CREATED
        assert [one.user for one in made.users] == [BOB]
        assert made.pages == (f"{URL}/status/shop",)

    in_virtual_time(story)


def test_a_restored_ledger_knows_what_is_open_and_who_subscribed() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        shop = await house.makes("/services", {"name": "Shop", "oneOpenIncidentOnly": True})
        mail = await house.makes("/services", {"name": "Mail"})
        number = await house.makes("/incidents", words(shop, mail))
        await house.does(ADA, "PUT", f"/incidents/{number}", words(shop))
        await house.does(ADA, "POST", f"/incidents/{number}/private-subscribers", {"id": BOB, "type": "USER"})
        before = await house.reads(f"/incidents/{number}?include=history")
        await house.lose_the_ledger()
        await house.start_web()
        assert await house.reads(f"/incidents/{number}?include=history") == before
        assert [one["id"] for one in await house.reads(f"/incidents?services={mail}")] == []
        assert (await house.does(ADA, "POST", "/incidents", words(shop))).status_code == 409
        assert [one["id"] for one in await house.reads(f"/incidents/{number}/private-subscribers")] == [BOB]
        await house.passes(minutes=1)
        assert await house.makes("/incidents", words(mail)) > number

    in_virtual_time(story)


def test_time_goes_by_and_what_was_said_keeps_its_hour() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        shop = await house.makes("/services", {"name": "Shop"})
        made = (await house.does(ADA, "POST", "/incidents", words(shop))).json()
        await house.passes(minutes=5)
        await house.does(ADA, "PUT", f"/incidents/{made['id']}", words(shop, status="MONITORING"))
        later = await house.reads(f"/incidents/{made['id']}")
        assert later["createdAt"] == made["createdAt"]
        assert later["updatedAt"] > made["updatedAt"]

    in_virtual_time(story)
