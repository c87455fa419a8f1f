"""Signing in and out as a browser does it, passwords, and pages."""

import asyncio

from accounts.throttle import PER_ADDRESS
from tests.integration.accounts.conftest import EMAIL, PASSWORD, everywhere
from tests.integration.accounts.test_users_api import FEWEST, add

HERE = {"Sec-Fetch-Site": "same-origin"}


async def sign_in(browser, email=EMAIL, password=PASSWORD, target=""):
    return await browser.post("/sign-in", data={"email": email, "password": password, "next": target}, headers=HERE)


@everywhere
async def test_who_is_not_signed_in_is_led_there_and_back(browser):
    led = await browser.get("/users")
    assert (led.status_code, led.headers["location"]) == (303, "/sign-in?next=/users")
    assert (await browser.get(led.headers["location"])).status_code == 200
    entered = await sign_in(browser, target="/users")
    assert (entered.status_code, entered.headers["location"]) == (303, "/users")
    page = await browser.get("/users")
    assert page.status_code == 200
    assert EMAIL in page.text


async def test_a_fragment_is_told_to_leave_the_page(browser):
    refused = await browser.get("/users", headers={"HX-Request": "true"})
    assert (refused.status_code, refused.headers["hx-redirect"]) == (401, "/sign-in")


async def test_another_site_is_no_place_to_go_next(browser):
    assert (await sign_in(browser, target="https://example.com/")).headers["location"] == "/alerts"


async def test_a_wrong_password_an_unknown_address_and_no_password_sound_the_same(browser, api):
    await add(api)
    words = set()
    for email, password in ((EMAIL, "wrong"), ("nobody@example.org", PASSWORD), (FEWEST["email"], "")):
        refused = await sign_in(browser, email, password)
        assert refused.status_code == 422
        words.add(refused.text.replace(email, ""))
    assert len(words) == 1
    assert (await browser.get("/users")).status_code == 303


async def test_after_many_failures_one_waits_even_with_the_right_password(browser):
    for _ in range(PER_ADDRESS):
        assert (await sign_in(browser, password="wrong")).status_code == 422
    refused = await sign_in(browser)
    assert refused.status_code == 429
    assert "Too many attempts" in refused.text


async def test_attempts_at_the_same_time_count_as_well(browser):
    statuses = [
        answer.status_code
        for answer in await asyncio.gather(*(sign_in(browser, password="wrong") for _ in range(PER_ADDRESS * 3)))
    ]
    assert statuses.count(422) == PER_ADDRESS
    assert statuses.count(429) == PER_ADDRESS * 2


async def test_signing_out_ends_the_session_everywhere(process, browser):
    await sign_in(browser)
    cookie = dict(browser.cookies)
    out = await browser.post("/sign-out", headers=HERE)
    assert (out.status_code, out.headers["location"]) == (303, "/sign-in")
    async with process.client(None) as thief:
        thief.cookies.update(cookie)
        await process.role.parts[3].caught_up()
        assert (await thief.get("/users")).status_code == 303


async def test_a_session_is_a_key_to_the_api_too_but_not_from_another_site(browser):
    await sign_in(browser)
    assert (await browser.get("/api/users/current")).json()["email"] == EMAIL
    forged = await browser.post("/api/users", json=FEWEST, headers={"Sec-Fetch-Site": "cross-site"})
    assert (forged.status_code, forged.json()["code"]) == (403, "CROSS_ORIGIN")


@everywhere
async def test_a_new_password_ends_other_sessions_and_keeps_ones_own(process, browser):
    await sign_in(browser)
    me = (await browser.get("/api/users/current")).json()["id"]
    async with process.client(None) as elsewhere:
        await sign_in(elsewhere)
        wrong = {"currentPassword": "wrong", "password": "another one"}
        assert (await browser.post(f"/users/{me}/password", data=wrong, headers=HERE)).status_code == 422
        right = {"currentPassword": PASSWORD, "password": "another one"}
        assert (await browser.post(f"/users/{me}/password", data=right, headers=HERE)).status_code == 303
        await process.role.parts[3].caught_up()
        assert (await elsewhere.get("/users")).status_code == 303
        assert (await browser.get("/users")).status_code == 200
        assert (await sign_in(elsewhere)).status_code == 422
        assert (await sign_in(elsewhere, password="another one")).status_code == 303


async def test_an_administrator_gives_a_password_and_the_person_signs_in(process, api):
    user = await add(api)
    async with process.client(None) as cyd:
        assert (await sign_in(cyd, FEWEST["email"], "long enough")).status_code == 422
        given = await api.put(f"/api/users/{user['id']}/password", json={"password": "long enough"})
        assert given.status_code == 204
        assert (await sign_in(cyd, FEWEST["email"], "long enough")).status_code == 303
        assert (await cyd.get("/api/users/current")).json()["id"] == user["id"]


async def test_ones_own_password_needs_the_present_one_over_the_api_too(api):
    me = (await api.get("/api/users/current")).json()["id"]
    refused = await api.put(f"/api/users/{me}/password", json={"password": "another one"})
    assert (refused.status_code, refused.json()["code"]) == (403, "WRONG_PASSWORD")
    body = {"password": "another one", "currentPassword": PASSWORD}
    assert (await api.put(f"/api/users/{me}/password", json=body)).status_code == 204


async def test_an_administrator_adds_changes_and_deletes_a_user_on_pages(browser, api):
    await sign_in(browser)
    wrong = await browser.post("/users/new", data={**FEWEST, "email": "no address"}, headers=HERE)
    assert wrong.status_code == 422
    assert "no address" in wrong.text  # nothing that was typed is lost
    added = await browser.post("/users/new", data={**FEWEST, "role": "USER", "language": "en"}, headers=HERE)
    assert added.status_code == 303
    page = added.headers["location"]
    assert "Cyd Example" in (await browser.get(page)).text
    saved = await browser.post(page, data={**FEWEST, "role": "USER", "position": "Lead"}, headers=HERE)
    assert saved.status_code == 303
    assert 'value="Lead"' in (await browser.get(page)).text
    assert (await browser.post(f"{page}/delete", headers=HERE)).status_code == 303
    assert (await browser.get(page)).status_code == 404
    assert len((await api.get("/api/users")).json()) == 1


async def test_a_key_made_on_a_page_is_seen_there_once(browser, process):
    await sign_in(browser)
    me = (await browser.get("/api/users/current")).json()["id"]
    made = await browser.post(f"/users/{me}/keys", data={"keyName": "ci"}, headers=HERE)
    key = made.text.partition("<code>il1api")[2].partition("</code>")[0]
    assert len(key) == 48
    async with process.client("il1api" + key) as client:
        assert (await client.get("/api/users/current")).json()["id"] == me
    again = await browser.get(f"/users/{me}")
    assert key not in again.text
    assert "ci" in again.text
    revoke = again.text.rpartition(f'action="/users/{me}/keys/')[2].partition('"')[0]
    assert (await browser.post(f"/users/{me}/keys/{revoke}", headers=HERE)).status_code == 303
    assert (await browser.post(f"/users/{me}/keys/{revoke}", headers=HERE)).status_code == 404


async def test_teams_on_pages(browser, api):
    await sign_in(browser)
    user = await add(api)
    assert "No teams yet" in (await browser.get("/teams")).text
    form = {"name": "Ops", "visibility": "PRIVATE", "add.user": str(user["id"]), "add.role": "USER"}
    page = (await browser.post("/teams/new", data=form, headers=HERE)).headers["location"]
    assert "Cyd Example" in (await browser.get(page)).text
    assert "Ops" in (await browser.get("/teams")).text
    without = {"name": "Ops", "visibility": "PUBLIC", f"members.{user['id']}": ""}
    assert (await browser.post(page, data=without, headers=HERE)).status_code == 303
    [team] = (await api.get("/api/teams")).json()
    assert (team["visibility"], team["members"]) == ("PUBLIC", [])
    assert (await browser.post(page, data={"name": ""}, headers=HERE)).status_code == 422
    assert (await browser.post(f"{page}/delete", headers=HERE)).status_code == 303
    assert (await api.get("/api/teams")).json() == []


async def test_somebody_without_rights_sees_and_changes_nothing_of_others(process, api):
    user = await add(api, password="long enough")
    admin = (await api.get("/api/users/current")).json()["id"]
    async with process.client(None) as cyd:
        await sign_in(cyd, FEWEST["email"], "long enough")
        assert "Add a user" not in (await cyd.get("/users")).text
        assert (await cyd.get("/users/new")).status_code == 403
        assert '<form method="post" action="/users/' not in (await cyd.get(f"/users/{admin}")).text
        for path in (f"/users/{admin}", f"/users/{admin}/password", f"/users/{admin}/keys", f"/users/{admin}/delete"):
            assert (
                await cyd.post(path, data={**FEWEST, "keyName": "x", "password": "long enough"}, headers=HERE)
            ).status_code == 403
        raised = await cyd.post(f"/users/{user['id']}", data={**FEWEST, "role": "ADMIN"}, headers=HERE)
        assert raised.status_code == 303
        assert (await cyd.get("/api/users/current")).json()["role"] == "RESPONDER"
