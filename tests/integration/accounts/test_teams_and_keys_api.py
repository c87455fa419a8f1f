"""/api/teams and /api/api-keys: the answers that clients insist on, who sees what, keys shown once."""

from tests.integration.accounts.conftest import everywhere
from tests.integration.accounts.test_users_api import acting, add


async def test_a_team_is_created_with_201_and_read_back(api):
    user = await add(api)
    body = {"name": "Ops", "visibility": "PRIVATE", "members": [{"user": {"id": user["id"]}, "role": "USER"}]}
    created = await api.post("/api/teams", json=body)
    assert created.status_code == 201
    team = created.json()
    assert (team["name"], team["visibility"]) == ("Ops", "PRIVATE")
    assert (await api.get(f"/api/teams/{team['id']}")).json() == team
    assert team["members"] == [{"user": {"id": user["id"], "firstName": "Cyd", "lastName": "Example"}, "role": "USER"}]


async def test_a_team_without_more_is_public_and_empty(api):
    team = (await api.post("/api/teams", json={"name": "Ops"})).json()
    assert (team["visibility"], team["members"]) == ("PUBLIC", [])


async def test_teams_are_found_by_name_and_by_member(api):
    user = await add(api)
    ops = (await api.post("/api/teams", json={"name": "Ops", "members": [{"user": {"id": user["id"]}}]})).json()
    await api.post("/api/teams", json={"name": "Web / EU"})
    assert (await api.get("/api/teams/name/ops")).json() == ops
    assert (await api.get("/api/teams/name/nothing")).status_code == 404
    assert (await api.get(f"/api/teams?members={user['id']}")).json() == [ops]
    assert len((await api.get("/api/teams")).json()) == 2


@everywhere
async def test_put_replaces_and_members_come_and_go(api):
    user = await add(api)
    team = (await api.post("/api/teams", json={"name": "Ops"})).json()
    added = await api.post(f"/api/teams/{team['id']}/members", json={"user": {"id": user["id"]}, "role": "ADMIN"})
    assert (added.status_code, added.json()["role"]) == (200, "ADMIN")
    assert len((await api.get(f"/api/teams/{team['id']}")).json()["members"]) == 1
    assert (await api.delete(f"/api/teams/{team['id']}/members/{user['id']}")).status_code == 204
    assert (await api.get(f"/api/teams/{team['id']}")).json()["members"] == []
    renamed = await api.put(f"/api/teams/{team['id']}", json={"name": "Web"})
    assert (renamed.json()["name"], renamed.json()["visibility"]) == ("Web", "PUBLIC")
    assert (await api.delete(f"/api/teams/{team['id']}")).status_code == 204
    assert (await api.get(f"/api/teams/{team['id']}")).status_code == 404
    assert (await api.put(f"/api/teams/{team['id']}", json={"name": "Web"})).status_code == 404


async def test_members_must_be_there_and_once(api):
    user = await add(api)
    stranger = await api.post("/api/teams", json={"name": "Ops", "members": [{"user": {"id": 424242}}]})
    assert (stranger.status_code, stranger.json()["code"]) == (400, "VALIDATION_ERROR")
    assert "members.0.user.id" in stranger.json()["message"]
    twice = await api.post("/api/teams", json={"name": "Ops", "members": [{"user": {"id": user["id"]}}] * 2})
    assert twice.status_code == 400
    assert "members.1.user.id" in twice.json()["message"]
    assert (await api.get("/api/teams")).json() == []


async def test_a_private_team_and_its_people_are_seen_by_its_members_only(process, api):
    member, ada = await acting(process, api, email="in@example.org")
    other, _ = await acting(process, api, email="out@example.org")
    body = {"name": "Quiet", "visibility": "PRIVATE", "members": [{"user": {"id": ada["id"]}}]}
    team = (await api.post("/api/teams", json=body)).json()
    for client, seen in ((member, True), (other, False), (api, True)):
        assert (await client.get(f"/api/teams/{team['id']}")).status_code == (200 if seen else 404)
        assert (team["id"] in {t["id"] for t in (await client.get("/api/teams")).json()}) is seen
        assert (await client.get("/api/teams/name/Quiet")).status_code == (200 if seen else 404)
    assert (await member.get(f"/api/users/{ada['id']}")).status_code == 200


async def test_a_key_is_shown_once(api):
    made = await api.post("/api/api-keys", json={"name": "ci"})
    assert made.status_code == 201
    key = made.json()
    assert key["key"].startswith("il1api")
    assert key["mask"] == f"il1api…{key['key'][-4:]}"
    listed = (await api.get("/api/api-keys")).json()
    assert listed[-1] == {name: value for name, value in key.items() if name != "key"}
    assert all("key" not in each and "digest" not in each for each in listed)
    assert "key" not in (await api.get(f"/api/api-keys/{key['id']}")).json()


@everywhere
async def test_a_revoked_key_is_refused(process, api):
    key = (await api.post("/api/api-keys", json={"name": "ci"})).json()
    client = process.client(key["key"])
    assert (await client.get("/api/users/current")).status_code == 200
    assert (await api.delete(f"/api/api-keys/{key['id']}")).status_code == 204
    again = await api.delete(f"/api/api-keys/{key['id']}")
    assert again.status_code == 404
    await process.role.parts[3].caught_up()
    refused = await client.get("/api/users/current")
    assert (refused.status_code, refused.json()["code"]) == (403, "KEY_ERROR")


async def test_one_sees_and_revokes_ones_own_keys_only(process, api):
    client, user = await acting(process, api)
    mine = (await client.get("/api/api-keys")).json()
    assert [key["user"]["id"] for key in mine] == [user["id"]]
    foreign = next(key["id"] for key in (await api.get("/api/api-keys")).json() if key["user"]["id"] != user["id"])
    assert (await client.get(f"/api/api-keys/{foreign}")).status_code == 404
    assert (await client.delete(f"/api/api-keys/{foreign}")).status_code == 404
    assert (await client.delete(f"/api/api-keys/{mine[0]['id']}")).status_code == 204
