"""The pages as a browser without JavaScript sees them: who is on call and why, calendars, forms with rows in rows."""

from typing import Any

import httpx

from tests.integration.escalator.duty_room import ADA, BOB, CYD, DutyRoom, in_virtual_time
from tests.integration.escalator.test_escalator_api import LAYER, SCHEDULE

ALWAYS: dict[str, Any] = {**SCHEDULE, "scheduleLayers": [{**LAYER, "restrictions": []}]}


async def get(room: DutyRoom, user: int, path: str, **headers: str) -> httpx.Response:
    async with room.browses(user) as browser:
        return await browser.get(path, headers=headers)


async def post(room: DutyRoom, user: int, path: str, form: dict[str, str]) -> httpx.Response:
    async with room.browses(user) as browser:
        return await browser.post(path, data=form)


def test_on_call_now_says_who_until_when_and_why() -> None:
    async def story(room: DutyRoom) -> None:
        await room.open()
        empty = await get(room, BOB, "/on-call")
        assert "No escalation policies" in empty.text
        assert "No schedules" in empty.text
        schedule = await room.makes("/schedules", ALWAYS)
        rules = [{"escalationTimeout": 5, "schedules": [{"id": schedule}]}, {"escalationTimeout": 5}]
        await room.makes("/escalation-policies", {"name": "Primary", "escalationRules": rules})
        page = (await get(room, BOB, "/on-call")).text
        assert "You are on call until" in page
        assert "Bob B" in page
        assert "turn in layer «weekdays» until Mon 02 Mar 2026 09:00 (Europe/Berlin)" in page
        assert "This level is skipped at once." in page
        assert "You are on call" not in (await get(room, ADA, "/on-call")).text

    in_virtual_time(story)


def test_the_badge_is_for_who_is_on_call_only() -> None:
    async def story(room: DutyRoom) -> None:
        await room.open()
        await room.makes("/schedules", ALWAYS)
        mine = await get(room, BOB, "/fragments/on-call-badge")
        assert "On call until" in mine.text
        assert "<html" not in mine.text
        assert (await get(room, ADA, "/fragments/on-call-badge")).text.strip() == ""
        stakeholder = await get(room, CYD, "/fragments/on-call-badge")
        assert (stakeholder.status_code, stakeholder.text.strip()) == (200, "")

    in_virtual_time(story)


def test_a_policy_is_made_by_its_form() -> None:
    async def story(room: DutyRoom) -> None:
        await room.open()
        schedule = await room.makes("/schedules", ALWAYS)
        assert "Level 1" in (await get(room, ADA, "/policies/new")).text
        typed = {
            "name": "Primary",
            "escalationRules.0.targets.0": f"schedule:{schedule}",
            "escalationRules.0.targets.3": "user:7",
            "escalationRules.0.escalationTimeout": "5",
            "frequency": "1",
            "delayMin": "",
        }
        longer = await post(room, ADA, "/policies/new", {**typed, "op": "add:escalationRules"})
        assert "escalationRules.1.escalationTimeout" in longer.text
        assert 'value="Primary"' in longer.text
        shorter = await post(room, ADA, "/policies/new", {**typed, "op": "del:escalationRules.0.targets.0"})
        assert 'name="escalationRules.0.targets.0"' not in shorter.text
        assert 'name="escalationRules.0.targets.3"' in shorter.text
        wrong = await post(room, ADA, "/policies/new", {**typed, "escalationRules.0.escalationTimeout": "soon"})
        assert wrong.status_code == 422
        assert "must be a whole number" in wrong.text
        assert 'value="soon"' in wrong.text
        made = await post(room, ADA, "/policies/new", typed)
        assert made.url.path == "/policies/1"
        rules = (await room.does(ADA, "GET", "/escalation-policies/1")).json()["escalationRules"]
        assert [rules[0]["users"][0]["id"], rules[0]["schedules"][0]["id"]] == [ADA, schedule]

    in_virtual_time(story)


def test_a_policy_page_shows_what_would_happen_if_it_rang_now() -> None:
    async def story(room: DutyRoom) -> None:
        await room.open()
        schedule = await room.makes("/schedules", ALWAYS)
        rules = [
            {"escalationTimeout": 5, "schedules": [{"id": schedule}]},
            {"escalationTimeout": 5},
            {"escalationTimeout": 5, "users": [{"id": ADA}]},
        ]
        await room.makes("/escalation-policies", {"name": "Primary", "escalationRules": rules})
        page = (await get(room, BOB, "/policies/1")).text
        assert "Level 1 is told" in page
        assert "Level 2 has nobody and is skipped" in page
        assert "Level 3 is told" in page
        assert "It ends: every level was reached and nobody answered" in page
        assert "No alert source uses it." in page
        assert "/policies/1/edit" not in page
        assert "/policies/1/edit" in (await get(room, ADA, "/policies/1")).text
        assert not [one for one in room.said() if one.stream.startswith("escalation-")]

    in_virtual_time(story)


def test_a_policy_in_use_is_not_deleted_and_the_page_says_by_whom() -> None:
    async def story(room: DutyRoom) -> None:
        await room.open()
        await room.makes(
            "/escalation-policies",
            {"name": "Primary", "escalationRules": [{"escalationTimeout": 5, "users": [{"id": ADA}]}]},
        )
        room.source(5, 1)
        refused = await post(room, ADA, "/policies/1/delete", {})
        assert refused.status_code == 409
        assert "«Disks» (5)" in refused.text
        assert "«Disks» (5)" in (await get(room, ADA, "/policies/1")).text

    in_virtual_time(story)


def test_a_schedule_is_a_calendar_with_layers_gaps_and_overrides() -> None:
    async def story(room: DutyRoom) -> None:
        await room.open()
        await room.makes("/schedules", SCHEDULE)
        page = (await get(room, BOB, "/schedules/1?week=2026-03-25")).text
        assert "Week of 23.03.2026, in the zone Europe/Berlin" in page
        assert "23 hours" in page
        assert "Nobody" in page
        assert "weekdays" in page
        assert "/schedules/1?week=2026-03-16" in page
        assert "/schedules/1?week=2026-03-30" in page
        overridden = await post(
            room,
            BOB,
            "/schedules/1/overrides",
            {"user": str(BOB), "start": "2026-03-25T02:00", "end": "2026-03-25T05:00"},
        )
        assert "week=2026-03-25" in str(overridden.url)
        assert "The override is in force" in overridden.text
        (shown,) = (await room.does(BOB, "GET", "/schedules/1/overrides")).json()
        assert shown["start"] == "2026-03-25T01:00:00Z"
        wrong = await post(
            room, BOB, "/schedules/1/overrides", {"user": str(BOB), "start": "2026-03-25T02:00", "end": ""}
        )
        assert wrong.status_code == 422
        assert "There is a problem" in wrong.text
        assert (await post(room, BOB, f"/schedules/1/overrides/{shown['id']}/delete", {})).status_code == 200
        assert (await room.does(BOB, "GET", "/schedules/1/overrides")).json() == []
        assert (await get(room, BOB, "/schedules/1?week=9999-12-31")).status_code == 400

    in_virtual_time(story)


def test_a_schedule_is_made_and_changed_by_its_form() -> None:
    async def story(room: DutyRoom) -> None:
        await room.open()
        assert "Layer 1" in (await get(room, ADA, "/schedules/new")).text
        assert "Shift 1" in (await get(room, ADA, "/schedules/new?type=STATIC")).text
        typed = {
            "type": "RECURRING",
            "name": "SRE",
            "timezone": "Europe/Berlin",
            "scheduleLayers.0.startsOn": "2026-01-05T09:00",
            "scheduleLayers.0.endsOn": "",
            "scheduleLayers.0.rotation": "P7D",
            "scheduleLayers.0.users.0": str(ADA),
            "scheduleLayers.0.users.1": str(BOB),
            "showGaps": "true",
        }
        hours = await post(room, ADA, "/schedules/new", {**typed, "op": "add:scheduleLayers.0.restrictions"})
        assert 'name="scheduleLayers.0.restrictions.0.from.time"' in hours.text
        wrong = await post(
            room, ADA, "/schedules/new", {**typed, "timezone": "Moon", "scheduleLayers.0.rotation": "weekly"}
        )
        assert wrong.status_code == 422
        assert "must be an IANA time zone" in wrong.text
        assert "must be an ISO 8601 duration" in wrong.text
        stranger = await post(room, ADA, "/schedules/new", {**typed, "scheduleLayers.0.users.1": "99"})
        assert "there is no user 99" in stranger.text
        made = await post(room, ADA, "/schedules/new", typed)
        assert made.url.path == "/schedules/1"
        assert 'value="2026-01-05T09:00"' in (await get(room, ADA, "/schedules/1/edit")).text
        await post(room, ADA, "/schedules/1/edit", {**typed, "name": "Ops", "scheduleLayers.0.rotation": "P1D"})
        changed = (await room.does(ADA, "GET", "/schedules/1")).json()
        assert (changed["name"], changed["scheduleLayers"][0]["rotation"]) == ("Ops", "P1D")

    in_virtual_time(story)


def test_single_shifts_are_made_by_their_form_in_the_schedules_zone() -> None:
    async def story(room: DutyRoom) -> None:
        await room.open()
        typed = {
            "type": "STATIC",
            "name": "Shifts",
            "timezone": "America/New_York",
            "shifts.0.user": str(ADA),
            "shifts.0.start": "2026-03-10T09:00",
            "shifts.0.end": "2026-03-10T17:00",
        }
        assert (await post(room, ADA, "/schedules/new", typed)).url.path == "/schedules/1"
        (shift,) = (await room.does(ADA, "GET", "/schedules/1")).json()["shifts"]
        assert shift["start"] == "2026-03-10T13:00:00Z"
        assert 'value="2026-03-10T09:00"' in (await get(room, ADA, "/schedules/1/edit")).text

    in_virtual_time(story)


def test_lists_have_an_empty_state_and_then_rows() -> None:
    async def story(room: DutyRoom) -> None:
        await room.open()
        assert "A policy says who is told" in (await get(room, BOB, "/policies")).text
        assert "A schedule says who is on call" in (await get(room, BOB, "/schedules")).text
        schedule = await room.makes("/schedules", SCHEDULE)
        await room.makes(
            "/escalation-policies",
            {"name": "Primary", "escalationRules": [{"escalationTimeout": 5, "schedules": [{"id": schedule}]}]},
        )
        assert "SRE" in (await get(room, BOB, "/policies")).text
        assert "Primary" in (await get(room, BOB, "/schedules")).text

    in_virtual_time(story)


def test_who_is_not_signed_in_is_led_to_the_door_and_a_responder_may_not_edit() -> None:
    async def story(room: DutyRoom) -> None:
        await room.open()
        transport = httpx.ASGITransport(app=room.http)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8080") as nobody:
            answer = await nobody.get("/on-call", headers={"Accept": "text/html"})
        assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=/on-call")
        form = {"name": "P", "escalationRules.0.escalationTimeout": "5"}
        refused = await post(room, BOB, "/policies/new", form)
        assert "This needs the role USER" in refused.text
        assert not room.said()

    in_virtual_time(story)


def test_a_form_that_was_tampered_with_is_no_5xx() -> None:
    async def story(room: DutyRoom) -> None:
        await room.open()
        for form in (
            {"escalationRules": "text", "teams": "x"},
            {"escalationRules.0": "text", "op": "add:escalationRules.0.targets"},
            {"op": "add:"},
            {"op": "del:nothing.there"},
            {"scheduleLayers.0.restrictions.0.from": "text", "type": "x", "op": "add:scheduleLayers"},
            {"scheduleLayers.0.users": "text", "type": "RECURRING"},
            {"shifts.0": "text", "type": "STATIC"},
        ):
            for path in ("/policies/new", "/schedules/new"):
                assert (await post(room, ADA, path, form)).status_code < 500, (path, form)

    in_virtual_time(story)
