"""The edge of notifier: contacts and preferences in the published shapes, answers from a mail, and what was sent."""

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import timedelta

import pytest

from channels.attempts import Refused
from events.accounts import Role
from events.envelope import decode
from events.ingest import AlertAnswerNoted
from events.notifier import AnswerAction, NotificationAnswered, NotificationSent
from events.shared import Actor
from tests.integration.notifier.house import ADA, BOB, CYD, House, told

EMAILS = f"/api/users/{ADA}/contacts/emails"
RULES = f"/api/users/{ADA}/notification-preferences/alerts"
HTML = {"accept": "text/html"}


def at_the_edge(story: Callable[[House], Awaitable[None]]) -> None:
    """Run a story with a worker and a web role."""

    async def with_web(house: House) -> None:
        await house.start_web()
        await story(house)

    told(with_web)


class TestContacts:
    def test_a_user_of_a_moment_ago_has_their_sign_in_address(self) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            listed = await house.call("GET", EMAILS, house.key(ADA))
            assert listed.status_code == 200
            ((contact),) = listed.json()
            assert (contact["target"], contact["status"]) == ("ada@example.org", "OK")

        at_the_edge(story)

    def test_a_contact_is_made_read_changed_and_deleted(self) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            key = house.key(ADA)
            made = await house.call("POST", EMAILS, key, {"target": " ada@night.example.org "})
            assert made.status_code == 201
            number = made.json()["id"]
            assert made.headers["location"].endswith(f"{EMAILS}/{number}")
            assert made.json() == {"id": number, "target": "ada@night.example.org", "status": "OK"}
            assert (await house.call("GET", f"{EMAILS}/{number}", key)).json() == made.json()
            changed = await house.call("PUT", f"{EMAILS}/{number}", key, {"target": "ada@day.example.org"})
            assert changed.json()["target"] == "ada@day.example.org"
            found = await house.call("POST", f"{EMAILS}/search-target", key, {"target": "ADA@day.example.org"})
            assert found.json()["id"] == number
            assert (await house.call("DELETE", f"{EMAILS}/{number}", key)).status_code == 204
            assert (await house.call("GET", f"{EMAILS}/{number}", key)).status_code == 404
            assert "night.example.org" not in "".join(str(one) for one in house.cluster.records("notifier.vault.v1"))

        at_the_edge(story)

    @pytest.mark.parametrize(
        ("body", "status", "names"),
        [
            ({"target": "nonsense"}, 400, "target"),
            ({"target": "a@b\r\nBcc: c@d.example"}, 400, "target"),
            ({"target": 5}, 400, "target"),
            ({}, 400, "target"),
            ({"target": "ADA@example.org"}, 409, "target"),
            ([], 400, ""),
        ],
    )
    def test_nonsense_is_refused_by_name(self, body: object, status: int, names: str) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            refused = await house.call("POST", EMAILS, house.key(ADA), body)
            assert refused.status_code == status
            assert refused.json().keys() == {"status", "message", "code"}
            assert names in refused.json()["message"]

        at_the_edge(story)

    def test_others_are_the_administrator_s_only(self) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            house.user(BOB, Role.USER)
            house.user(CYD, Role.ADMIN)
            assert (await house.call("GET", EMAILS, house.key(BOB))).status_code == 403
            assert (await house.call("GET", EMAILS, house.key(CYD))).status_code == 200
            missing = await house.call("GET", "/api/users/99/contacts/emails", house.key(CYD))
            assert (missing.status_code, missing.json()["code"]) == (404, "NOT_FOUND")
            assert (await house.client.get(EMAILS)).status_code == 401

        at_the_edge(story)

    def test_a_test_mail_tells_what_the_server_said(self) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            key = house.key(ADA)
            (contact,) = (await house.call("GET", EMAILS, key)).json()
            tested = await house.call("POST", f"{EMAILS}/{contact['id']}/test", key)
            assert tested.json() == {"status": "SUCCESS", "reply": "250 OK queued"}
            assert house.mail.subjects == ["Test from Alarum"]
            house.mail.answer = lambda _mail: Refused("550 no")
            refused = await house.call("POST", f"{EMAILS}/{contact['id']}/test", key)
            assert refused.json() == {"status": "ERROR", "errorMessage": "550 no"}

        at_the_edge(story)

    def test_with_the_broker_away_a_stranger_is_503_and_acquaintances_go_on(self) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            house.user(CYD, Role.ADMIN)
            ada, cyd = house.key(ADA), house.key(CYD)
            assert (await house.call("GET", EMAILS, ada)).status_code == 200
            assert (await house.call("GET", EMAILS, cyd)).status_code == 200
            house.faults.freeze()
            assert (await house.call("GET", EMAILS, ada)).status_code == 200
            assert (await house.call("GET", "/api/users/99/contacts/emails", cyd)).status_code == 503
            house.faults.thaw()

        at_the_edge(story)


class TestPreferences:
    def test_a_new_user_has_one_for_each_priority(self) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            listed = (await house.call("GET", RULES, house.key(ADA))).json()
            short = [(one["type"], one["method"], one["delayMin"], one["contact"]["target"]) for one in listed]
            assert short == [
                ("HIGH_PRIORITY", "EMAIL", 0, "ada@example.org"),
                ("LOW_PRIORITY", "EMAIL", 5, "ada@example.org"),
            ]

        at_the_edge(story)

    def test_a_preference_is_made_read_back_changed_and_deleted(self) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            key = house.key(ADA)
            (contact,) = (await house.call("GET", EMAILS, key)).json()
            body = {"method": "EMAIL", "contact": {"id": contact["id"]}, "delayMin": 15, "type": "HIGH_PRIORITY"}
            made = await house.call("POST", RULES, key, body)
            assert made.status_code == 201
            number = made.json()["id"]
            assert made.json() == {**body, "id": number, "contact": contact}
            changed = await house.call("PUT", f"{RULES}/{number}", key, {**body, "delayMin": 120})
            assert changed.json()["delayMin"] == 120
            assert (await house.call("GET", f"{RULES}/{number}", key)).json() == changed.json()
            assert (await house.call("DELETE", f"{RULES}/{number}", key)).status_code == 204
            assert (await house.call("PUT", f"{RULES}/{number}", key, body)).status_code == 404

        at_the_edge(story)

    @pytest.mark.parametrize(
        ("change", "names"),
        [
            ({"delayMin": 121}, "delayMin"),
            ({"delayMin": -1}, "delayMin"),
            ({"delayMin": "soon"}, "delayMin"),
            ({"method": "SMS"}, "method"),
            ({"method": "PIGEON"}, "method"),
            ({"type": "URGENT"}, "type"),
            ({"contact": {"id": 999}}, "contact.id"),
            ({"contact": {}}, "contact.id"),
            ({"contact": {"id": 2**70}}, "contact.id"),
        ],
    )
    def test_nonsense_is_refused_by_name(self, change: dict[str, object], names: str) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            key = house.key(ADA)
            (contact,) = (await house.call("GET", EMAILS, key)).json()
            body = {"method": "EMAIL", "contact": {"id": contact["id"]}, "delayMin": 0, "type": "HIGH_PRIORITY"}
            refused = await house.call("POST", RULES, key, body | change)
            assert (refused.status_code, refused.json()["code"]) == (400, "VALIDATION_ERROR")
            assert refused.json()["message"].startswith(names)

        at_the_edge(story)

    def test_a_rule_counts_for_the_next_alert(self) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            key = house.key(ADA)
            for rule in (await house.call("GET", RULES, key)).json():
                if rule["type"] == "HIGH_PRIORITY":
                    changed = {**rule, "delayMin": 10}
                    assert (await house.call("PUT", f"{RULES}/{rule['id']}", key, changed)).status_code == 200
            house.alert(42)
            house.level(42, ADA)
            await house.passes(minutes=9)
            assert house.mail.tries == []
            await house.passes(minutes=2)
            assert len(house.mail.taken) == 1

        at_the_edge(story)


class TestWhatWasSent:
    def test_an_alert_s_notifications_tell_their_fate(self) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            house.alert(42)
            house.level(42, ADA)
            await house.until(lambda: house.said(NotificationSent))
            ((one),) = (await house.call("GET", "/api/alerts/42/notifications", house.key(ADA))).json()
            assert one["user"] == {"id": ADA, "firstname": "Ada", "lastname": "A"}
            assert (one["method"], one["target"], one["status"]) == ("EMAIL", "a***@example.org", "SUCCESS")
            assert (one["alertId"], one["subject"], one["reason"]) == (42, "Disk 42 is full", "Ada is on call.")
            assert one["message"] == house.said(NotificationSent)[0].message

        at_the_edge(story)

    def test_an_unknown_alert_is_404_and_stakeholders_are_refused(self) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            house.user(BOB, Role.STAKEHOLDER)
            assert (await house.call("GET", "/api/alerts/99/notifications", house.key(ADA))).status_code == 404
            assert (await house.call("GET", "/api/alerts/99/notifications", house.key(BOB))).status_code == 403

        at_the_edge(story)

    def test_the_server_s_words_are_shown(self) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            house.mail.answer = lambda _mail: Refused("550 5.1.1 no such user")
            house.alert(42)
            house.level(42, ADA)
            await house.until(lambda: house.story(42, ADA)[-1:] == ["failed"])
            ((one),) = (await house.call("GET", "/api/alerts/42/notifications", house.key(ADA))).json()
            assert (one["status"], one["errorMessage"]) == ("ERROR", "550 5.1.1 no such user")

        at_the_edge(story)


async def rung(house: House) -> dict[str, str]:
    """Ada was told of alert 42: the paths of the links in her mail, by their words."""
    house.user(ADA)
    house.user(BOB)
    house.alert(42)
    house.level(42, ADA)
    await house.until(lambda: house.mail.taken)
    text = house.mail.taken[0][1].text
    return dict(re.findall(r"(Accept|Escalate|Resolve): +http://127.0.0.1:8080(\S+)", text))


async def press(house: House, path: str, action: str | None = None, ingest: Callable[[str], None] | None = None) -> str:
    """Press the button of an answer page; `ingest` then makes of the answer what the alert's owner would."""
    before = len(house.said(NotificationAnswered))
    asked = house.client.post(path, data={"action": action} if action else {}, headers=HTML)
    if ingest is None:
        return (await asked).text
    waiting = asyncio.ensure_future(asked)
    await house.until(lambda: len(house.said(NotificationAnswered)) > before)
    ingest(answer_ids(house)[-1])
    return (await waiting).text


def answer_ids(house: House) -> list[str]:
    envelopes = [decode(record.value) for record in house._records()]
    return [envelope.id for envelope in envelopes if isinstance(envelope.event, NotificationAnswered)]


class TestAnswerPages:
    def test_opening_a_link_changes_nothing_and_shows_its_button_before_the_others(self) -> None:
        async def story(house: House) -> None:
            links = await rung(house)
            for _ in range(3):
                page = await house.client.get(links["Accept"], headers=HTML)
                assert page.status_code == 200
                assert "Disk 42 is full" in page.text
                buttons = re.findall(r'<button type="submit"( class="plain")? name="action" value="(\w+)"', page.text)
                assert buttons == [("", "ACCEPT"), (' class="plain"', "ESCALATE"), (' class="plain"', "RESOLVE")]
                assert page.headers["cache-control"] == "no-store"
            assert (await house.client.head(links["Accept"])).status_code == 200
            await house.passes(minutes=1)
            assert house.said(NotificationAnswered) == []

        at_the_edge(story)

    def test_accepting_is_recorded_and_the_page_says_what_became_of_it(self) -> None:
        async def story(house: House) -> None:
            links = await rung(house)
            page = await press(house, links["Accept"], "ACCEPT", lambda cause: house.accepted(42, ADA, cause))
            assert "Accepted by you" in page
            (answered,) = house.said(NotificationAnswered)
            assert (answered.alert, answered.user, answered.action) == (42, ADA, AnswerAction.ACCEPT)

        at_the_edge(story)

    def test_who_comes_second_reads_who_was_first_and_when(self) -> None:
        async def story(house: House) -> None:
            links = await rung(house)
            house.accepted(42, BOB)
            await house.passes(minutes=2)

            def noted(cause: str) -> None:
                event = AlertAnswerNoted(
                    alert=42, answer="ACCEPT", outcome="ALREADY_ACCEPTED", by=Actor.by_user(ADA, "email"), at=house.now
                )
                house.says(event, cause)

            page = await press(house, links["Accept"], "ACCEPT", noted)
            assert "Already accepted by Bob B" in page
            opened = (await house.client.get(links["Accept"], headers=HTML)).text
            assert "Already accepted by Bob B" in opened
            assert 'class="rel"' in opened

        at_the_edge(story)

    def test_a_resolved_alert_has_no_buttons(self) -> None:
        async def story(house: House) -> None:
            links = await rung(house)
            house.resolved(42)
            await house.passes(seconds=5)
            page = (await house.client.get(links["Accept"], headers=HTML)).text
            assert "Already resolved by the monitoring tool" in page
            assert "<button" not in page

        at_the_edge(story)

    def test_the_link_s_own_action_is_taken_when_none_is_named(self) -> None:
        async def story(house: House) -> None:
            links = await rung(house)
            await house.client.post(links["Resolve"])
            assert [one.action for one in house.said(NotificationAnswered)] == [AnswerAction.RESOLVE]

        at_the_edge(story)

    def test_who_presses_again_is_told_so_at_once(self) -> None:
        async def story(house: House) -> None:
            links = await rung(house)
            house.accepted(42, ADA)
            await house.passes(seconds=5)
            began = house.now
            assert "Already accepted by you" in await press(house, links["Accept"], "ACCEPT")
            assert house.now - began < timedelta(seconds=1)
            assert len(house.said(NotificationAnswered)) == 1

        at_the_edge(story)

    def test_when_the_owner_is_slow_the_answer_is_still_recorded(self) -> None:
        async def story(house: House) -> None:
            links = await rung(house)
            began = house.now
            page = await press(house, links["Escalate"], "ESCALATE")
            assert "Your answer is recorded" in page
            assert house.now - began < timedelta(seconds=5)
            assert [one.action for one in house.said(NotificationAnswered)] == [AnswerAction.ESCALATE]

        at_the_edge(story)

    def test_bad_links_get_a_clear_page(self) -> None:
        async def story(house: House) -> None:
            links = await rung(house)
            for path, status in (("/answer/nonsense", 404), (links["Accept"][:-3], 404), (links["Accept"] + "x", 404)):
                for method in ("GET", "POST"):
                    refused = await house.client.request(method, path, headers=HTML)
                    assert refused.status_code == status
                    assert "not one of ours" in refused.text
            nonsense = await house.client.post(links["Accept"], data={"action": "DELETE"})
            assert (nonsense.status_code, nonsense.json()["code"]) == (400, "VALIDATION_ERROR")
            assert house.said(NotificationAnswered) == []

        at_the_edge(story)

    def test_another_site_cannot_press_the_button(self) -> None:
        async def story(house: House) -> None:
            links = await rung(house)
            refused = await house.client.post(links["Accept"], headers={"sec-fetch-site": "cross-site"})
            assert refused.status_code == 403
            assert house.said(NotificationAnswered) == []

        at_the_edge(story)


class TestMe:
    def test_nobody_signed_in_is_led_to_the_sign_in(self) -> None:
        async def story(house: House) -> None:
            led = await house.client.get("/me", headers=HTML)
            assert (led.status_code, led.headers["location"]) == (303, "/sign-in?next=/me")

        at_the_edge(story)

    def test_the_rules_are_sentences(self) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            house.signs_in(ADA)
            page = (await house.client.get("/me", headers=HTML)).text
            assert "At once: mail to ada@example.org" in page
            assert "5 minutes after you are called, unless somebody answered: mail to ada@example.org" in page

        at_the_edge(story)

    def test_an_address_and_a_rule_are_added_and_deleted_by_forms(self) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            house.signs_in(ADA)
            added = await house.client.post("/me/contacts", data={"target": "ada@night.example.org"})
            assert (added.status_code, added.headers["location"]) == (303, "/me")
            page = (await house.client.get("/me", headers=HTML)).text
            contact, *_ = re.findall(r'<option value="(\d+)">ada@night', page)
            rule = {"type": "HIGH_PRIORITY", "contact": contact, "delay_min": "7"}
            assert (await house.client.post("/me/preferences", data=rule)).status_code == 303
            page = (await house.client.get("/me", headers=HTML)).text
            assert "7 minutes after you are called, unless somebody answered: mail to ada@night.example.org" in page
            assert (await house.client.post(f"/me/contacts/{contact}/delete")).status_code == 303
            assert "ada@night" not in (await house.client.get("/me", headers=HTML)).text

        at_the_edge(story)

    def test_a_wrong_form_keeps_what_was_typed_and_says_what_is_wrong(self) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            house.signs_in(ADA)
            wrong = await house.client.post("/me/contacts", data={"target": "nonsense"}, headers=HTML)
            assert wrong.status_code == 422
            assert 'value="nonsense"' in wrong.text
            assert "must be an e-mail address" in wrong.text
            rule = {"type": "HIGH_PRIORITY", "contact": "1", "delay_min": "999"}
            assert (await house.client.post("/me/preferences", data=rule, headers=HTML)).status_code == 422

        at_the_edge(story)

    def test_a_test_mail_can_be_sent(self) -> None:
        async def story(house: House) -> None:
            house.user(ADA)
            house.signs_in(ADA)
            page = (await house.client.get("/me", headers=HTML)).text
            (path,) = re.findall(r'action="(/me/contacts/\d+/test)"', page)
            assert (await house.client.post(path)).status_code == 303
            assert house.mail.subjects == ["Test from Alarum"]

        at_the_edge(story)
