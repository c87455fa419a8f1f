"""What REST resources share: pages that refuse, references by id, JSON without nulls."""

from datetime import UTC, datetime
from typing import Annotated

import httpx
import pytest
from fastapi import Depends, FastAPI

from runtime.resources import Body, Page, Ref, Resource, UserRel, answer, ids_of, including, named, no_content, paging


class Thing(Resource):
    first_name: str
    made_at: datetime
    owner: UserRel | None = None


class ThingBody(Body):
    first_name: str
    teams: tuple[Ref, ...] = ()


app = FastAPI()


@app.get("/things")
async def things(
    page: Annotated[Page, Depends(paging(default=2, cap=3))],
    included: Annotated[frozenset[str], Depends(including("owner"))],
):
    owner = UserRel(id=7) if "owner" in included else None
    every = [Thing(first_name=name, made_at=datetime(2026, 3, 1, tzinfo=UTC), owner=owner) for name in "abcde"]
    return answer(page.of(every))


async def get(query):
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test") as client:
        return await client.get(f"/things{query}")


async def names(query):
    return [thing["firstName"] for thing in (await get(query)).json()]


async def test_a_page_begins_at_the_start_with_the_default_size():
    assert await names("") == ["a", "b"]
    assert await names("?start-index=3&max-results=3") == ["d", "e"]
    assert await names("?start-index=9") == []


@pytest.mark.parametrize(
    "query", ["?max-results=4", "?max-results=0", "?start-index=-1", "?start-index=x", f"?start-index={2**40}"]
)
async def test_a_page_out_of_bounds_is_refused_never_clamped(query):
    assert (await get(query)).status_code == 422  # `web.guards` makes a 400 of it


async def test_nulls_are_left_out_and_instants_are_utc():
    [thing, _] = (await get("")).json()
    assert thing == {"firstName": "a", "madeAt": "2026-03-01T00:00:00Z"}


async def test_what_is_asked_for_is_included_and_other_names_are_passed_over():
    [thing, _] = (await get("?include=owner&include=weather")).json()
    assert thing["owner"] == {"id": 7}


def test_a_created_resource_says_where_it_is():
    response = answer(UserRel(id=7), 201, location="/api/users/7")
    assert (response.status_code, response.headers["location"], response.body) == (201, "/api/users/7", b'{"id":7}')
    assert no_content().status_code == 204


def test_a_reference_needs_only_its_id_whatever_else_comes():
    body = ThingBody.model_validate(
        {"firstName": "a", "teams": [{"id": 3, "name": "x"}, {"id": 3}, {"id": 1}], "more": 1}
    )
    assert ids_of(body.teams) == (3, 1)


@pytest.mark.parametrize("reference", [{}, {"id": 0}, {"id": 2**63}, {"id": "x"}, {"id": None}, 7])
def test_a_reference_that_no_ledger_can_hold_is_refused(reference):
    with pytest.raises(ValueError, match="teams"):
        ThingBody.model_validate({"firstName": "a", "teams": [reference]})


def test_a_name_is_found_exactly_else_in_any_letter_case():
    assert named(["OPS", "ops"], "ops", str) == "ops"
    assert named(["OPS", "Ops"], "ops", str) == "OPS"
    assert named(["OPS"], "web", str) is None
