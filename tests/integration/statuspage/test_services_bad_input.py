"""Nonsense sent to services, templates and maintenance: each is refused with words that name the field, and nothing changes."""

from datetime import timedelta
from typing import Any

import pytest

from events.ingest import SourceChanged
from tests.e2e.test_bad_input import Bad, bad_bodies, bad_fields
from tests.integration.statuspage.house import ADA, House, in_virtual_time

LISTS = ("/services", "/incident-templates", "/maintenance-windows")


async def good(house: House, path: str) -> dict[str, Any]:
    """A body that is taken there."""
    match path:
        case "/services":
            return {
                "name": "Checkout",
                "alias": "a",
                "status": "DEGRADED",
                "description": "Carts",
                "oneOpenIncidentOnly": True,
                "showUptimeHistory": False,
                "teams": [{"id": 4}],
            }
        case "/incident-templates":
            return {
                "name": "Outage",
                "summary": "Down",
                "status": "MONITORING",
                "message": "{{alertId}}",
                "sendNotification": True,
                "teams": [{"id": 4}],
            }
        case _:
            return {
                "summary": "Disks",
                "description": "Slow",
                "timezone": "UTC",
                "start": (house.now + timedelta(hours=1)).isoformat(),
                "end": (house.now + timedelta(hours=2)).isoformat(),
                "alertSources": [{"id": 5}],
                "services": [{"id": await house.makes("/services", {"name": "Search"})}],
            }


def wrong(bad: Bad, status: int, said: dict[str, Any]) -> str:
    if not 400 <= status < 500 or (bad.status or status) != status:
        return f"{bad.what}: {status} {said}"
    is_whole = set(said) == {"status", "message", "code"} and said["status"] == status
    return "" if is_whole and bad.names in said["message"] else f"{bad.what}: {said}"


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_bad_bodies_are_refused_with_words_and_change_nothing(method: str, path: str) -> None:
    async def story(house: House) -> None:
        house.team(4, ADA)
        house.says(SourceChanged(source=5, name="Disks", key_digest="0", key_cell="c", at=house.now))
        await house.open()
        body = await good(house, path)
        number = await house.makes(path, body)
        before = [await house.reads(one) for one in LISTS]
        address = f"/api{path}" if method == "POST" else f"/api{path}/{number}"
        fresh = body | {"alias": "b"} if path == "/services" else body
        complaints: list[str] = []
        async with house.asks(ADA) as client:
            for bad in [*bad_bodies(fresh), *bad_fields(fresh)]:
                answer = await client.request(
                    method, address, content=bad.body, headers={"Content-Type": bad.kind}, timeout=60
                )
                complaints += [words for words in [wrong(bad, answer.status_code, answer.json())] if words]
        assert complaints == []
        assert [await house.reads(one) for one in LISTS] == before

    in_virtual_time(story)


@pytest.mark.parametrize("number", ["0", "-1", "abc", str(2**63), "1.5", "%00"])
@pytest.mark.parametrize("path", LISTS)
def test_an_id_that_is_none_is_a_400(path: str, number: str) -> None:
    async def story(house: House) -> None:
        await house.start_web()
        for method in ("GET", "PUT", "DELETE"):
            answer = await house.does(ADA, method, f"{path}/{number}", await good(house, "/services"))
            assert 400 <= answer.status_code < 500, answer.text

    in_virtual_time(story)
