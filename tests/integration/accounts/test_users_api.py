"""/api/users: the published shapes, who may do what, and what is left of who leaves."""

import asyncio

import pytest

from tests.integration.accounts.conftest import EMAIL, KEY, everywhere

BOB = {
    "firstName": "Bob",
    "lastName": "Example",
    "email": "bob@example.org",
    "timezone": "America/New_York",
    "position": "Operator",
    "department": "Ops",
    "language": "de",
    "region": "DE",
    "role": "USER",
    "shiftColor": "#2266aa",
}
FEWEST = {"firstName": "Cyd", "lastName": "Example", "email": "cyd@example.org"}


async def add(api, **fields):
    answer = await api.post("/api/users", json={**FEWEST, **fields})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def key_of(api, user):
    answer = await api.post("/api/api-keys", json={"name": "test", "user": {"id": user}})
    assert answer.status_code == 201, answer.text
    return answer.json()["key"]


async def acting(process, api, **fields):
    """A client that acts for a new user."""
    user = await add(api, **fields)
    return process.client(await key_of(api, user["id"])), user


@everywhere
async def test_what_was_written_is_read_back_field_for_field(api):
    created = await api.post("/api/users", json=BOB)
    assert created.status_code == 201
    user = created.json()
    assert {name: user[name] for name in BOB} == BOB
    assert set(user) == {*BOB, "id", "createdAt", "updatedAt"}
    assert created.headers["location"].endswith(f"/api/users/{user['id']}")
    assert (await api.get(f"/api/users/{user['id']}")).json() == user


async def test_what_was_left_out_has_a_default_or_stays_out(api):
    user = await add(api)
    assert (user["role"], user["timezone"], user["language"]) == ("RESPONDER", "Europe/Berlin", "en")
    assert not {"position", "department", "region", "shiftColor", "password"} & set(user)


async def test_put_replaces_everything_but_what_cannot_be_empty(api):
    user = (await api.post("/api/users", json=BOB)).json()
    changed = await api.put(f"/api/users/{user['id']}", json=FEWEST)
    assert changed.status_code == 200
    kept = {name: BOB[name] for name in ("role", "timezone", "language")}
    body = changed.json()
    assert {name: value for name, value in body.items() if name not in ("id", "createdAt", "updatedAt")} == {
        **FEWEST,
        **kept,
    }
    assert (await api.get(f"/api/users/{user['id']}")).json() == body


async def test_the_name_alone_can_change(api):
    user = await add(api)
    await api.put(f"/api/users/{user['id']}", json={**FEWEST, "lastName": "Sample"})
    assert (await api.get(f"/api/users/{user['id']}")).json()["lastName"] == "Sample"


async def test_current_is_who_asks(api, process):
    assert (await api.get("/api/users/current")).json()["email"] == EMAIL
    client, user = await acting(process, api, email="dan@example.org")
    assert (await client.get("/api/users/current")).json() == user
    renamed = {**FEWEST, "email": "dan@example.org", "firstName": "Cy"}
    assert (await client.put("/api/users/current", json=renamed)).json()["firstName"] == "Cy"


@everywhere
async def test_lists_are_paged_and_a_page_over_the_cap_is_refused(api):
    for number in range(5):
        await add(api, email=f"user{number}@example.org")
    every = (await api.get("/api/users")).json()
    assert [user["id"] for user in every] == sorted(user["id"] for user in every)
    assert len(every) == 6
    assert (await api.get("/api/users?start-index=2&max-results=3")).json() == every[2:5]
    assert (await api.get("/api/users?start-index=99")).json() == []
    refused = await api.get("/api/users?max-results=101")
    assert refused.status_code == 400
    assert refused.json()["code"] == "VALIDATION_ERROR"
    assert "max-results" in refused.json()["message"]


async def test_somebody_is_found_by_their_address_in_any_letter_case(api):
    user = await add(api)
    assert (await api.post("/api/users/search-email", json={"email": "CYD@Example.org"})).json() == user
    unknown = await api.post("/api/users/search-email", json={"email": "nobody@example.org"})
    assert (unknown.status_code, unknown.json()["code"]) == (404, "NOT_FOUND")


async def test_an_address_is_one_persons(api):
    user = await add(api)
    again = await api.post("/api/users", json={**FEWEST, "email": "Cyd@example.ORG"})
    assert (again.status_code, again.json()["code"]) == (409, "EMAIL_TAKEN")
    moved = await api.put(f"/api/users/{user['id']}", json={**FEWEST, "email": "new@example.org"})
    assert moved.status_code == 200
    assert (await api.post("/api/users", json=FEWEST)).status_code == 201


@everywhere
async def test_a_refused_user_leaves_nothing_behind(api, site):
    await add(api)
    cells, events = len(await site.records("people.v1")), len(await site.said())
    await api.post("/api/users", json=FEWEST)
    assert (len(await site.records("people.v1")), len(await site.said())) == (cells, events)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "nobody"),
        ("email", None),
        ("email", 7),
        ("firstName", ""),
        ("firstName", "x" * 256),
        ("firstName", "nul\x00"),
        ("timezone", "Mars/Olympus"),
        ("role", "GUEST"),
        ("role", "admin"),
        ("shiftColor", "red"),
        ("region", "Germany"),
        ("password", "short"),
    ],
)
async def test_a_bad_field_is_named(api, field, value):
    refused = await api.post("/api/users", json={**FEWEST, field: value})
    assert refused.status_code == 400
    assert refused.json()["code"] == "VALIDATION_ERROR"
    assert field in refused.json()["message"]


async def test_nonsense_is_the_senders_mistake(api):
    for path in ("/api/users/0", "/api/users/x", f"/api/users/{2**63}"):
        assert (await api.get(path)).status_code == 400
    assert (await api.get("/api/users/424242")).status_code == 404
    assert (await api.put("/api/users/424242", json=FEWEST)).status_code == 404
    assert (await api.delete("/api/users/424242")).status_code == 404
    assert (await api.post("/api/users", content=b"{", headers={"content-type": "application/json"})).status_code == 400
    assert (
        await api.post("/api/users", content=b"[]", headers={"content-type": "application/json"})
    ).status_code == 400
    assert (await api.post("/api/users", content=b"x", headers={"content-type": "text/plain"})).status_code == 415


async def test_without_a_key_with_a_wrong_one_and_with_another_scheme(process):
    async with process.client(None) as nobody:
        missing = await nobody.get("/api/users")
        assert (missing.status_code, missing.json()["code"]) == (401, "UNAUTHORIZED")
        basic = await nobody.get("/api/users", headers={"Authorization": "Basic YTpi"})
        assert (basic.status_code, basic.json()["code"]) == (401, "UNAUTHORIZED")
    async with process.client("il1apiwrong") as stranger:
        wrong = await stranger.get("/api/users")
        assert (wrong.status_code, wrong.json()["code"]) == (403, "KEY_ERROR")


@everywhere
async def test_a_key_of_a_moment_ago_is_known(process, api):
    for number in range(5):
        client, user = await acting(process, api, email=f"user{number}@example.org")
        assert (await client.get("/api/users/current")).json()["id"] == user["id"]


@pytest.mark.parametrize("role", ["USER", "RESPONDER", "STAKEHOLDER"])
async def test_only_administrators_change_others(process, api, role):
    client, user = await acting(process, api, role=role)
    others = (await api.get("/api/users/current")).json()["id"]
    for attempt in (
        client.post("/api/users", json=BOB),
        client.put(f"/api/users/{others}", json=BOB),
        client.delete(f"/api/users/{others}"),
        client.put(f"/api/users/{others}/password", json={"password": "long enough"}),
        client.put("/api/users/current", json={**FEWEST, "role": "ADMIN"}),
        client.post("/api/teams", json={"name": "Ops"}),
        client.post("/api/api-keys", json={"name": "x", "user": {"id": others}}),
    ):
        refused = await attempt
        assert (refused.status_code, refused.json()["code"]) == (403, "FORBIDDEN")
    same = await client.put(f"/api/users/{user['id']}", json={**FEWEST, "role": role, "position": "Lead"})
    assert same.json()["position"] == "Lead"


async def test_stakeholders_see_themselves_only(process, api):
    client, user = await acting(process, api, role="STAKEHOLDER")
    admin = (await api.get("/api/users/current")).json()["id"]
    assert (await client.get(f"/api/users/{user['id']}")).status_code == 200
    assert (await client.get(f"/api/users/{admin}")).status_code == 403
    assert (await client.get("/api/users")).status_code == 403


async def test_the_last_administrator_stays(api):
    admin = (await api.get("/api/users/current")).json()
    gone = await api.delete(f"/api/users/{admin['id']}")
    assert (gone.status_code, gone.json()["code"]) == (409, "LAST_ADMIN")
    demoted = await api.put(f"/api/users/{admin['id']}", json={**FEWEST, "email": EMAIL, "role": "USER"})
    assert (demoted.status_code, demoted.json()["code"]) == (409, "LAST_ADMIN")
    await add(api, role="ADMIN")
    assert (await api.delete(f"/api/users/{admin['id']}")).status_code == 204
    assert (await api.get("/api/users/current")).status_code == 403


@everywhere
async def test_with_a_user_goes_all_that_was_theirs(process, api, site):
    client, user = await acting(process, api, email="erased@example.org", password="long enough")
    team = (await api.post("/api/teams", json={"name": "Ops", "members": [{"user": {"id": user["id"]}}]})).json()
    assert (await api.delete(f"/api/users/{user['id']}")).status_code == 204

    assert (await api.get(f"/api/users/{user['id']}")).status_code == 404
    await until_refused(client)
    assert (await api.get(f"/api/teams/{team['id']}")).json()["members"] == []
    assert (await api.get("/api/api-keys")).json()[-1]["user"]["id"] != user["id"]
    assert (await api.post("/api/users/search-email", json={"email": "erased@example.org"})).status_code == 404
    said = [envelope.type for envelope in await site.said()]
    assert said[-3:] == ["user.deleted", "apikey.revoked", "team.changed"]
    last = {record.key: record.value for record in await site.records("people.v1")}
    assert last[f"person-{user['id']}"] is None
    assert [record.value for record in await site.records("accounts.vault.v1")][-1] is None


async def until_refused(client) -> None:
    """A process hears of what another one ended as soon as it has read so far: at once, but not before."""
    async with asyncio.timeout(30):
        while (await client.get("/api/users/current")).status_code != 403:
            await asyncio.sleep(0.01)


async def test_a_new_user_does_not_get_the_number_of_one_who_left(api):
    user = await add(api)
    await api.delete(f"/api/users/{user['id']}")
    assert (await add(api))["id"] > user["id"]


async def test_no_name_address_or_key_is_in_any_event(api, site):
    await api.post("/api/users", json={**BOB, "password": "a long secret"})
    topics = ("accounts.v1", "people.v1", "accounts.vault.v1")
    records = [record for topic in topics for record in await site.records(topic)]
    everything = b"".join(record.value or b"" for record in records)
    assert len(records) > 6
    for secret in (b"Bob", b"bob@example.org", b"a long secret", KEY.encode(), EMAIL.encode()):
        assert secret not in everything


@everywhere
async def test_the_cell_comes_before_the_event_that_speaks_of_it(api, site):
    user = await add(api)
    [cell] = [r for r in await site.records("people.v1") if r.key == f"person-{user['id']}"]
    [event] = [r for r in await site.records("accounts.v1") if r.key == f"user-{user['id']}"]
    assert cell.timestamp <= event.timestamp
