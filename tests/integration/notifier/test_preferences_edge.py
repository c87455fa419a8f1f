"""Wishes for duties, updates and subscriptions in the published shapes, and the forms of «my notifications»."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from events.accounts import Role
from tests.integration.notifier.house import ADA, BOB, CYD, House, told

OF_ADA = f"/api/users/{ADA}/notification-preferences"
HTML = {"accept": "text/html"}
WISHES: dict[str, dict[str, Any]] = {
    "duties": {"beforeMin": 60, "type": "ON_CALL"},
    "updates": {"type": "ALERT_RESOLVED"},
    "subscriptions": {},
}
CHANGED: dict[str, dict[str, Any]] = {
    "duties": {"beforeMin": 1440},
    "updates": {"type": "ALERT_ESCALATED"},
    "subscriptions": {},
}
KINDS = pytest.mark.parametrize("kind", list(WISHES))


def at_the_edge(story: Callable[[House], Awaitable[None]]) -> None:
    """Run a story with a worker and a web role."""

    async def with_web(house: House) -> None:
        await house.start_web()
        await story(house)

    told(with_web)


async def contact_of(house: House, key: str) -> dict[str, Any]:
    found: dict[str, Any] = (await house.call("GET", f"/api/users/{ADA}/contacts/emails", key)).json()[0]
    return found


class TestResources:
    @KINDS
    def test_one_is_made_read_back_changed_and_deleted(self, kind: str) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            key, path = house.key(ADA), f"{OF_ADA}/{kind}"
            contact = await contact_of(house, key)
            before = (await house.call("GET", path, key)).json()
            body = {"method": "EMAIL", "contact": {"id": contact["id"]}, **WISHES[kind]}
            made = await house.call("POST", path, key, body | {"unknown": 1})
            assert made.status_code == 201
            number = made.json()["id"]
            assert made.headers["location"].endswith(f"{path}/{number}")
            assert made.json() == {**body, "id": number, "contact": contact}
            assert (await house.call("GET", path, key)).json() == [*before, made.json()]
            changed = await house.call("PUT", f"{path}/{number}", key, made.json() | CHANGED[kind])
            assert (changed.status_code, changed.json()) == (200, made.json() | CHANGED[kind])
            assert (await house.call("GET", f"{path}/{number}", key)).json() == changed.json()
            assert (await house.call("DELETE", f"{path}/{number}", key)).status_code == 204
            for method in ("GET", "PUT", "DELETE"):
                gone = await house.call(method, f"{path}/{number}", key, body if method == "PUT" else None)
                assert (gone.status_code, gone.json()["code"]) == (404, "NOT_FOUND")
            assert (await house.call("GET", path, key)).json() == before

        at_the_edge(story)

    def test_a_new_user_hears_of_what_they_subscribe_to_and_of_nothing_else(self) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            key = house.key(ADA)
            contact = await contact_of(house, key)
            listed = {kind: (await house.call("GET", f"{OF_ADA}/{kind}", key)).json() for kind in WISHES}
            assert (listed["duties"], listed["updates"]) == ([], [])
            ((subscription),) = listed["subscriptions"]
            assert (subscription["method"], subscription["contact"]) == ("EMAIL", contact)

        at_the_edge(story)

    @KINDS
    @pytest.mark.parametrize(
        ("change", "names"),
        [
            ({"method": "SMS"}, "method"),
            ({"method": "VOICE"}, "method"),
            ({"method": 5}, "method"),
            ({"contact": {"id": 999}}, "contact.id"),
            ({"contact": {}}, "contact.id"),
            ({"contact": {"id": 2**70}}, "contact.id"),
            ({"contact": 1}, "contact"),
        ],
    )
    def test_nonsense_is_refused_by_name(self, kind: str, change: dict[str, object], names: str) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            await refused(house, kind, change, names)

        at_the_edge(story)

    @pytest.mark.parametrize(
        ("kind", "change", "names"),
        [
            ("duties", {"beforeMin": 45}, "beforeMin"),
            ("duties", {"beforeMin": -15}, "beforeMin"),
            ("duties", {"beforeMin": "soon"}, "beforeMin"),
            ("duties", {"type": "OFF_CALL"}, "type"),
            ("updates", {"type": "ALERT_CREATED"}, "type"),
            ("updates", {"type": None}, "type"),
        ],
    )
    def test_what_only_one_kind_has_is_held_to_its_limits(
        self, kind: str, change: dict[str, object], names: str
    ) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            await refused(house, kind, change, names)

        at_the_edge(story)

    @KINDS
    def test_one_kind_s_number_is_not_another_s(self, kind: str) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            key = house.key(ADA)
            (rule, *_) = (await house.call("GET", f"{OF_ADA}/alerts", key)).json()
            body = {"method": "EMAIL", "contact": rule["contact"], **WISHES[kind]}
            for method in ("GET", "PUT", "DELETE"):
                answer = await house.call(
                    method, f"{OF_ADA}/{kind}/{rule['id']}", key, body if method == "PUT" else None
                )
                assert answer.status_code == 404
            assert (await house.call("GET", f"{OF_ADA}/alerts/{rule['id']}", key)).json() == rule

        at_the_edge(story)

    @KINDS
    def test_others_are_the_administrator_s_only(self, kind: str) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            house.user(BOB, Role.USER)
            house.user(CYD, Role.ADMIN)
            contact = await contact_of(house, house.key(ADA))
            body = {"method": "EMAIL", "contact": contact, **WISHES[kind]}
            path = f"{OF_ADA}/{kind}"
            assert (await house.call("POST", path, house.key(BOB), body)).status_code == 403
            assert (await house.call("POST", path, house.key(CYD), body)).status_code == 201
            missing = f"/api/users/99/notification-preferences/{kind}"
            assert (await house.call("GET", missing, house.key(CYD))).status_code == 404

        at_the_edge(story)


async def refused(house: House, kind: str, change: dict[str, object], names: str) -> None:
    """The refusal names the field, and nothing was kept."""
    key = house.key(ADA)
    contact = await contact_of(house, key)
    before = (await house.call("GET", f"{OF_ADA}/{kind}", key)).json()
    body = {"method": "EMAIL", "contact": {"id": contact["id"]}, **WISHES[kind]} | change
    answer = await house.call("POST", f"{OF_ADA}/{kind}", key, body)
    assert (answer.status_code, answer.json()["code"]) == (400, "VALIDATION_ERROR")
    assert answer.json()["message"].startswith(names)
    assert (await house.call("GET", f"{OF_ADA}/{kind}", key)).json() == before


async def page_of(house: House) -> str:
    return (await house.client.get("/me", headers=HTML)).text


class TestMyNotifications:
    @pytest.mark.parametrize(
        ("occasion", "fields", "sentence"),
        [
            ("updates", {"update_type": "ALERT_RESOLVED"}, "It is resolved: mail to ada@example.org"),
            ("duties", {"duty_before": "60"}, "1 hour before it begins: mail to ada@example.org"),
            ("duties", {"duty_before": "0"}, "When it begins: mail to ada@example.org"),
        ],
    )
    def test_a_rule_is_added_and_deleted_by_forms(self, occasion: str, fields: dict[str, str], sentence: str) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            house.signs_in(ADA)
            page = await page_of(house)
            assert sentence not in page
            contact, *_ = re.findall(r'<option value="(\d+)">ada@example', page)
            prefix = next(iter(fields)).partition("_")[0]
            added = await house.client.post(f"/me/{occasion}", data={**fields, f"{prefix}_contact": contact})
            assert (added.status_code, added.headers["location"]) == (303, "/me")
            page = await page_of(house)
            assert sentence in page
            (path,) = re.findall(rf'action="(/me/{occasion}/\d+/delete)"', page)
            assert (await house.client.post(path)).status_code == 303
            assert sentence not in await page_of(house)

        at_the_edge(story)

    def test_subscriptions_can_be_silenced_and_the_page_says_so(self) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            house.signs_in(ADA)
            silent = "You are told nothing of what you subscribed to."
            page = await page_of(house)
            assert silent not in page
            (path,) = re.findall(r'action="(/me/subscriptions/\d+/delete)"', page)
            assert (await house.client.post(path)).status_code == 303
            page = await page_of(house)
            assert silent in page
            contact, *_ = re.findall(r'<option value="(\d+)">ada@example', page)
            again = await house.client.post("/me/subscriptions", data={"subscription_contact": contact})
            assert again.status_code == 303
            assert silent not in await page_of(house)

        at_the_edge(story)

    @pytest.mark.parametrize(
        ("occasion", "form", "field"),
        [
            ("preferences", {"type": "HIGH_PRIORITY", "contact": "999", "delay_min": "3"}, "contact"),
            ("updates", {"update_type": "ALERT_CREATED", "update_contact": "1"}, "update_type"),
            ("updates", {"update_type": "ALERT_ACCEPTED", "update_contact": "999"}, "update_contact"),
            ("duties", {"duty_before": "17", "duty_contact": "CONTACT"}, "duty_before"),
            ("duties", {"duty_before": "soon", "duty_contact": "CONTACT"}, "duty_before"),
            ("duties", {"duty_before": "15"}, "duty_contact"),
            ("subscriptions", {"subscription_contact": ""}, "subscription_contact"),
        ],
    )
    def test_what_is_wrong_stands_at_its_field(self, occasion: str, form: dict[str, str], field: str) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            house.signs_in(ADA)
            contact, *_ = re.findall(r'<option value="(\d+)">ada@example', await page_of(house))
            sent = {name: contact if value == "CONTACT" else value for name, value in form.items()}
            wrong = await house.client.post(f"/me/{occasion}", data=sent, headers=HTML)
            assert wrong.status_code == 422
            assert re.findall(r'<p class="error" id="([\w.]+)-error"', wrong.text) == [field]
            assert f'<a href="#{field}">' in wrong.text

        at_the_edge(story)

    def test_an_id_stands_for_one_thing(self) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            house.signs_in(ADA)
            ids = re.findall(r'\sid="([^"]+)"', await page_of(house))
            assert len(ids) == len(set(ids))

        at_the_edge(story)

    def test_there_is_no_other_occasion_and_nobody_else_s_rule(self) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            house.user(BOB)
            house.signs_in(ADA)
            theirs = (
                await house.call("GET", f"/api/users/{BOB}/notification-preferences/alerts", house.key(BOB))
            ).json()
            assert (await house.client.post("/me/birthdays", data={})).status_code == 404
            assert (await house.client.post(f"/me/preferences/{theirs[0]['id']}/delete")).status_code == 404
            assert (await house.client.post(f"/me/duties/{theirs[0]['id']}/delete")).status_code == 404

        at_the_edge(story)
