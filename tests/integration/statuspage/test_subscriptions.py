"""Subscriptions over HTTP: whoever sees something may hear of it and leave; responders see to others."""

from typing import Any

import pytest

from events.accounts import Visibility
from events.topics import STATUSPAGES
from tests.integration.statuspage.house import ADA, BOB, CYD, ROOT, House, in_virtual_time

OPS = 3
PAGE = {"name": "Shop status", "subdomain": "shop", "activated": True}


async def things(house: House) -> dict[str, int]:
    """One of each that people subscribe to, by the name of its collection."""
    shop = await house.makes("/services", {"name": "Shop"})
    words = {"summary": "Slow", "affectedServices": [{"impact": "DEGRADED", "service": {"id": shop}}]}
    incident = await house.makes("/incidents", words)
    page = await house.makes("/status-pages", PAGE | {"services": [{"id": shop}]})
    return {"services": shop, "incidents": incident, "status-pages": page}


def user(number: int) -> dict[str, Any]:
    return {"id": number, "type": "USER"}


def team(number: int) -> dict[str, Any]:
    return {"id": number, "type": "TEAM"}


@pytest.mark.parametrize("collection", ["services", "incidents", "status-pages"])
def test_users_and_teams_are_added_listed_and_removed(collection: str) -> None:
    async def story(house: House) -> None:
        house.team(OPS, BOB, CYD)
        await house.start_web()
        one = f"/{collection}/{(await things(house))[collection]}"
        path = f"{one}/private-subscribers"
        assert await house.reads(path) == []
        added = await house.does(BOB, "POST", path, [user(ADA), team(OPS)])
        assert added.status_code == 202
        assert (
            added.json()
            == await house.reads(path)
            == [
                {"id": ADA, "name": "Ada A", "type": "USER"},
                {"id": OPS, "name": "Team 3", "type": "TEAM"},
            ]
        )
        assert (await house.does(BOB, "POST", path, user(BOB))).status_code == 202
        assert (await house.reads(f"{one}?include=subscribed", CYD))["subscribed"] is True
        assert (await house.reads(f"{one}?include=subscribed", ROOT))["subscribed"] is False
        for who, kind in ((ADA, "USER"), (OPS, "TEAM")):
            assert (await house.does(BOB, "DELETE", f"{path}/{who}?subscriber-type={kind}")).status_code == 204
            assert (await house.does(BOB, "DELETE", f"{path}/{who}?subscriber-type={kind}")).status_code == 404
        assert [one["id"] for one in await house.reads(path)] == [BOB]
        assert (await house.does(BOB, "DELETE", f"{path}/{BOB}")).status_code == 400
        assert (await house.does(BOB, "DELETE", f"{path}/{BOB}?subscriber-type=PET")).status_code == 400

    in_virtual_time(story)


@pytest.mark.parametrize("collection", ["services", "status-pages"])
def test_a_list_replaces_the_one_before(collection: str) -> None:
    async def story(house: House) -> None:
        await house.start_web()
        path = f"/{collection}/{(await things(house))[collection]}/private-subscribers"
        await house.does(BOB, "POST", path, [user(ADA), user(CYD)])
        replaced = await house.does(BOB, "PUT", path, [user(BOB), user(CYD)])
        assert replaced.status_code == 202
        assert {one["id"] for one in replaced.json()} == {BOB, CYD}
        assert (await house.does(BOB, "PUT", path, [])).json() == []

    in_virtual_time(story)


def test_a_stakeholder_subscribes_and_leaves_but_leaves_others_alone() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        path = f"/services/{(await things(house))['services']}/private-subscribers"
        assert (await house.does(CYD, "POST", path, [user(CYD)])).status_code == 202
        assert (await house.does(CYD, "POST", path, [user(CYD), user(ADA)])).status_code == 403
        assert (await house.does(CYD, "PUT", path, [user(CYD)])).status_code == 403
        assert (await house.does(CYD, "DELETE", f"{path}/{ADA}?subscriber-type=USER")).status_code == 403
        assert (await house.does(CYD, "DELETE", f"{path}/{CYD}?subscriber-type=USER")).status_code == 204
        assert await house.reads(path) == []

    in_virtual_time(story)


def test_who_left_is_not_brought_back_by_their_team() -> None:
    async def story(house: House) -> None:
        house.team(OPS, BOB, CYD)
        await house.start_web()
        one = f"/services/{(await things(house))['services']}"
        path = f"{one}/private-subscribers"
        await house.does(ADA, "POST", path, [team(OPS)])
        assert (await house.does(CYD, "DELETE", f"{path}/{CYD}?subscriber-type=USER")).status_code == 204
        await house.does(ADA, "POST", path, [team(OPS)])
        assert (await house.reads(f"{one}?include=subscribed", CYD))["subscribed"] is False
        assert (await house.reads(f"{one}?include=subscribed", BOB))["subscribed"] is True
        await house.does(CYD, "POST", path, user(CYD))
        assert (await house.reads(f"{one}?include=subscribed", CYD))["subscribed"] is True

    in_virtual_time(story)


def test_who_was_deleted_is_not_listed() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        path = f"/services/{(await things(house))['services']}/private-subscribers"
        await house.does(ADA, "POST", path, [user(BOB), user(CYD)])
        house.deleted(CYD)
        await house.passes(seconds=5)
        assert [one["id"] for one in await house.reads(path)] == [BOB]

    in_virtual_time(story)


def test_an_incident_of_a_private_team_is_shown_to_whom_it_subscribed() -> None:
    async def story(house: House) -> None:
        house.team(OPS, ROOT, visibility=Visibility.PRIVATE)
        await house.start_web()
        vault = (await house.does(ROOT, "POST", "/services", {"name": "Vault", "teams": [{"id": OPS}]})).json()["id"]
        words = {"summary": "Slow", "affectedServices": [{"impact": "DEGRADED", "service": {"id": vault}}]}
        number = (await house.does(ROOT, "POST", "/incidents", words)).json()["id"]
        path = f"/incidents/{number}/private-subscribers"
        for method, there in (("GET", path), ("GET", f"/services/{vault}/private-subscribers")):
            assert (await house.does(CYD, method, there)).status_code == 404
        assert (await house.does(CYD, "POST", path, user(CYD))).status_code == 404
        await house.does(ROOT, "POST", path, user(CYD))
        seen = await house.reads(f"/incidents/{number}", CYD)
        assert (seen["summary"], seen["affectedServices"]) == ("Slow", [])

    in_virtual_time(story)


def test_bad_bodies_are_refused_by_the_name_of_their_field_and_say_nothing() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        known = await things(house)
        before = len(house.said(STATUSPAGES.name))
        bad: list[tuple[Any, str]] = [
            ([user(99)], "0.id"),
            ([user(ADA), team(99)], "1.id"),
            ([{"id": ADA}], "type"),
            ([{"id": ADA, "type": "PET"}], "type"),
            ([{"type": "USER"}], "id"),
            ([user(0)], "id"),
            ([user(2**70)], "id"),
            ("x", ""),
            (None, ""),
            ([user(ADA)] * 1001, ""),
        ]
        for collection, number in known.items():
            for method in ("POST", "PUT") if collection != "incidents" else ("POST",):
                for body, field in bad:
                    refused = await house.does(ADA, method, f"/{collection}/{number}/private-subscribers", body)
                    assert refused.status_code == 400, (collection, method, body, refused.text)
                    assert field in refused.json()["message"]
            assert (await house.does(ADA, "GET", f"/{collection}/99/private-subscribers")).status_code == 404
            assert (await house.does(ADA, "POST", f"/{collection}/99/private-subscribers", [])).status_code == 404
        assert len(house.said(STATUSPAGES.name)) == before

    in_virtual_time(story)
