"""The first administrator, two replicas, and a ledger that was lost."""

import asyncio

import structlog

from runtime.access import Access
from runtime.vault import Keyring
from runtime.views import Tail
from tests.integration.accounts.conftest import EMAIL, PASSWORD, everywhere, settings, until
from tests.integration.accounts.test_sign_in import sign_in
from tests.integration.accounts.test_users_api import FEWEST, acting, add


@everywhere
async def test_two_replicas_that_start_at_once_make_one_administrator(site):
    first, second = await site.begin(), await site.begin(replica="1")
    await asyncio.gather(first.start(), second.start())
    said = [envelope.type for envelope in await site.said()]
    assert said == ["user.changed", "user.password_set", "apikey.issued"]
    for process in (first, second):
        async with process.client() as client:
            user = (await client.get("/api/users/current")).json()
            assert (user["email"], user["role"]) == (EMAIL, "ADMIN")


@everywhere
async def test_a_second_start_makes_nobody_even_with_other_settings(site):
    await site.end(await site.start())
    again = await site.start(first_admin_email="bob@example.org")
    async with again.client() as client:
        assert [user["email"] for user in (await client.get("/api/users")).json()] == [EMAIL]


@everywhere
async def test_without_settings_nobody_is_made(site):
    await site.start(first_admin_email="")
    assert await site.said() == []


@everywhere
async def test_what_one_replica_did_the_other_knows(site):
    first, second = await site.start(), await site.start(replica="1")
    async with first.client() as api, second.client(None) as browser:
        client, user = await acting(second, api, password="long enough")
        assert (await client.get("/api/users/current")).json()["id"] == user["id"]
        assert (await sign_in(browser, FEWEST["email"], "long enough")).status_code == 303


@everywhere
async def test_addresses_stay_unique_when_two_are_added_at_once(site):
    first, second = await site.start(), await site.start(replica="1")
    async with first.client() as one, second.client() as two:
        answers = await asyncio.gather(*(api.post("/api/users", json=FEWEST) for api in (one, two) * 3))
        assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409, 409]


@everywhere
async def test_two_administrators_cannot_demote_each_other_at_once(site):
    process = await site.start()
    async with process.client() as ada:
        bob, user = await acting(process, ada, role="ADMIN")
        me = (await ada.get("/api/users/current")).json()["id"]
        demotions = await asyncio.gather(
            ada.put(f"/api/users/{user['id']}", json={**FEWEST, "role": "USER"}),
            bob.put(f"/api/users/{me}", json={**FEWEST, "email": EMAIL, "role": "USER"}),
        )
        assert sorted(answer.status_code for answer in demotions) == [200, 409]


@everywhere
async def test_a_lost_ledger_comes_back_from_the_topics(site):
    process = await site.start()
    async with process.client() as api:
        kept = await add(api, password="long enough")
        client, _ = await acting(process, api, email="keyed@example.org")
        left = await add(api, email="left@example.org")
        team = (await api.post("/api/teams", json={"name": "Ops", "members": [{"user": {"id": kept["id"]}}]})).json()
        await api.delete(f"/api/users/{left['id']}")
        everybody, keys = (await api.get("/api/users")).json(), (await api.get("/api/api-keys")).json()
    key = client.headers["authorization"].removeprefix("Bearer ")
    await site.end(process)
    await site.world.lose_ledger()

    process = await site.start()
    async with process.client() as api, process.client(None) as browser, process.client(key) as keyed:
        assert (await api.get("/api/users")).json() == everybody
        assert (await api.get("/api/api-keys")).json() == keys
        assert (await api.get(f"/api/teams/{team['id']}")).json() == team
        assert (await keyed.get("/api/users/current")).json()["email"] == "keyed@example.org"
        assert (await sign_in(browser, FEWEST["email"], "long enough")).status_code == 303
        assert (await api.post("/api/users", json=FEWEST)).json()["code"] == "EMAIL_TAKEN"
        assert (await api.get(f"/api/users/{left['id']}")).status_code == 404
        fresh = await add(api, email="left@example.org")
        assert fresh["id"] > max(user["id"] for user in everybody)


@everywhere
async def test_a_restored_ledger_holds_nothing_of_who_was_erased(site):
    """A broker that has not compacted yet still shows the erased cell."""
    process = await site.start()
    async with process.client() as api:
        left = await add(api, email="left@example.org")
        await api.delete(f"/api/users/{left['id']}")
    await site.end(process)
    await site.world.lose_ledger()
    process = await site.start()
    async with process.ledger.begin() as tx:
        history = await tx.history(f"person-{left['id']}")
        assert all(line.body is None for line in history)
        index = await tx.index_scan("email_of", "")
        assert str(left["id"]) not in index


@everywhere
async def test_with_accounts_stopped_other_services_still_know_everybody(site):
    """Another service's view is fed by the topics alone."""
    process = await site.start()
    async with process.client() as api:
        client, user = await acting(process, api)
    await process.role.stop()
    access = Access(Keyring.parse(settings().people_keys.get_secret_value()))

    class Surroundings:
        broker, log = process.broker, structlog.get_logger()

    tail = Tail(Surroundings(), access)
    await tail.start()
    await until(lambda: tail.ready() is None)
    key = client.headers["authorization"].removeprefix("Bearer ")
    caller = access.by_key(key)
    await tail.stop()
    assert caller is not None
    assert (caller.user, access.name(user["id"])) == (user["id"], "Cyd Example")


def test_a_password_is_never_in_the_settings_text():
    assert PASSWORD not in repr(settings())
