"""The REST edge: what is written reads back, what is wrong is named, what is used is not deleted, and who may do what."""

from typing import Any

from events.accounts import Visibility
from tests.integration.escalator.duty_room import ADA, BOB, CYD, ROOT, DutyRoom, in_virtual_time

POLICY: dict[str, Any] = {
    "name": "Primary",
    "escalationRules": [
        {"escalationTimeout": 5, "users": [{"id": ADA}]},
        {"escalationTimeout": 15, "users": [{"id": BOB}, {"id": ADA}]},
    ],
    "repeating": True,
    "frequency": 2,
    "delayMin": 3,
    "routingKey": "db",
}
LAYER: dict[str, Any] = {
    "name": "weekdays",
    "startsOn": "2026-01-05T09:00",
    "users": [{"id": ADA}, {"id": BOB}],
    "rotation": "P7D",
    "restrictionType": "TIMES_OF_WEEK",
    "restrictions": [
        {"from": {"dayOfWeek": "MONDAY", "time": "09:00"}, "to": {"dayOfWeek": "FRIDAY", "time": "17:00"}}
    ],
}
SCHEDULE: dict[str, Any] = {
    "name": "SRE",
    "timezone": "Europe/Berlin",
    "type": "RECURRING",
    "scheduleLayers": [LAYER],
    "showGaps": True,
    "defaultShiftDuration": "P7D",
}
STATIC: dict[str, Any] = {
    "name": "Shifts",
    "timezone": "Europe/Berlin",
    "type": "STATIC",
    "shifts": [
        {"user": {"id": ADA}, "start": "2026-03-02T09:00:00+01:00", "end": "2026-03-02T17:00:00+01:00"},
        {"user": {"id": BOB}, "start": "2026-03-03T09:00:00+01:00", "end": "2026-03-03T17:00:00+01:00"},
    ],
}


def without_names(value: Any) -> Any:
    """References as they were written: what the answer adds to them is left out."""
    if isinstance(value, dict):
        return {name: without_names(inner) for name, inner in value.items() if name not in ("firstName", "lastName")}
    return [without_names(inner) for inner in value] if isinstance(value, list) else value


async def refused(
    room: DutyRoom, status: int, word: str, method: str, path: str, body: Any = None, by: int = ADA
) -> None:
    answer = await room.does(by, method, path, body)
    assert answer.status_code == status, answer.text
    problem = answer.json()
    assert problem["status"] == status
    assert problem["code"]
    assert word in problem["message"], problem


def test_a_policy_reads_back_as_it_was_written() -> None:
    async def story(room: DutyRoom) -> None:
        await room.open()
        made = await room.does(ADA, "POST", "/escalation-policies", POLICY)
        assert made.status_code == 201
        assert made.headers["location"].endswith("/api/escalation-policies/1")
        assert without_names(made.json()) == {"id": 1, **POLICY}
        assert made.json()["escalationRules"][0]["users"] == [{"id": ADA, "firstName": "Ada", "lastName": "A"}]
        for path in (
            "/escalation-policies/1",
            "/escalation-policies/name/primary",
            "/escalation-policies/resolve?routing-key=no,DB",
        ):
            assert (await room.does(BOB, "GET", path)).json() == made.json()
        assert (await room.does(BOB, "GET", "/escalation-policies")).json() == [made.json()]

    in_virtual_time(story)


def test_a_policy_is_replaced_whole_and_a_level_by_itself() -> None:
    async def story(room: DutyRoom) -> None:
        await room.open()
        await room.makes("/escalation-policies", POLICY)
        short = {"name": "Short", "escalationRules": [{"escalationTimeout": 0, "user": {"id": BOB}}]}
        changed = await room.does(ADA, "PUT", "/escalation-policies/1", short)
        assert without_names(changed.json()) == {
            "id": 1,
            "name": "Short",
            "escalationRules": [{"escalationTimeout": 0, "users": [{"id": BOB}]}],
            "repeating": False,
            "frequency": 1,
            "delayMin": 0,
        }
        level = {"escalationTimeout": 7, "users": [{"id": ADA}]}
        assert without_names((await room.does(ADA, "PUT", "/escalation-policies/1/levels/0", level)).json()) == level
        assert (await room.does(ADA, "GET", "/escalation-policies/1")).json()["escalationRules"][0][
            "escalationTimeout"
        ] == 7
        await refused(room, 404, "no level 1", "PUT", "/escalation-policies/1/levels/1", level)

    in_virtual_time(story)


def test_what_is_wrong_with_a_policy_is_named() -> None:
    async def story(room: DutyRoom) -> None:
        room.team(4, ADA)
        await room.open()

        def rule(**more: Any) -> dict[str, Any]:
            return {**POLICY, "escalationRules": [{"escalationTimeout": 5, **more}]}

        for body, word in [
            ({**POLICY, "name": ""}, "name"),
            ({**POLICY, "name": "x" * 256}, "name"),
            ({**POLICY, "escalationRules": []}, "escalationRules"),
            ({"name": "P"}, "escalationRules"),
            ({**POLICY, "escalationRules": [{"users": [{"id": ADA}]}]}, "escalationRules.0.escalationTimeout"),
            (rule(escalationTimeout=525_601), "escalationRules.0.escalationTimeout"),
            (rule(escalationTimeout=-1), "escalationRules.0.escalationTimeout"),
            (rule(users=[{"id": 99}]), "escalationRules.0.users.0.id: there is no user 99"),
            (rule(schedules=[{"id": 5}]), "escalationRules.0.schedules.0.id: there is no schedule 5"),
            (rule(teams=[{"id": 4}, {"id": 6}]), "escalationRules.0.teams.1.id: there is no team 6"),
            (rule(users=[{"name": "Ada"}]), "escalationRules.0.users.0.id"),
            (rule(users="Ada"), "escalationRules.0.users"),
            ({**POLICY, "frequency": 10}, "frequency"),
            ({**POLICY, "frequency": 0}, "frequency"),
            ({**POLICY, "delayMin": 16}, "delayMin"),
            ({**POLICY, "teams": [{"id": 9}]}, "teams.0.id: there is no team 9"),
            ([POLICY], "body"),
        ]:
            await refused(room, 400, word, "POST", "/escalation-policies", body)
        await refused(room, 404, "no escalation policy 77", "GET", "/escalation-policies/77")
        await refused(room, 400, "max-results", "GET", "/escalation-policies?max-results=51")
        await refused(room, 400, "max-results", "GET", "/schedules?max-results=21")
        assert not room.said()

    in_virtual_time(story)


def test_a_reference_of_a_moment_ago_is_known() -> None:
    async def story(room: DutyRoom) -> None:
        await room.open()
        room.user(ROOT)
        room.team(4, ADA)
        body = {
            "name": "P",
            "escalationRules": [{"escalationTimeout": 5, "users": [{"id": ROOT}], "teams": [{"id": 4}]}],
        }
        assert (await room.does(ADA, "POST", "/escalation-policies", body)).status_code == 201

    in_virtual_time(story)


def test_what_is_used_is_not_deleted() -> None:
    async def story(room: DutyRoom) -> None:
        await room.open()
        night = await room.makes("/schedules", SCHEDULE)
        by_schedule = {"name": "P", "escalationRules": [{"escalationTimeout": 5, "schedules": [{"id": night}]}]}
        policy = await room.makes("/escalation-policies", by_schedule)
        room.source(5, policy)
        await refused(room, 409, "«Disks» (5)", "DELETE", f"/escalation-policies/{policy}")
        await refused(room, 409, "«P» (1)", "DELETE", f"/schedules/{night}")
        room.source(5, 2)
        assert (await room.does(ADA, "DELETE", f"/escalation-policies/{policy}")).status_code == 204
        assert (await room.does(ADA, "DELETE", f"/schedules/{night}")).status_code == 204
        await refused(room, 404, "no schedule", "GET", f"/schedules/{night}")
        assert (await room.does(ADA, "GET", "/schedules")).json() == []

    in_virtual_time(story)


def test_who_may_do_what() -> None:
    async def story(room: DutyRoom) -> None:
        room.team(4, ADA, visibility=Visibility.PRIVATE)
        await room.open()
        await refused(room, 403, "USER", "POST", "/escalation-policies", POLICY, by=BOB)
        await refused(room, 403, "RESPONDER", "GET", "/escalation-policies", by=CYD)
        secret = await room.does(ROOT, "POST", "/escalation-policies", {**POLICY, "teams": [{"id": 4}]})
        await refused(room, 404, "no escalation policy", "GET", "/escalation-policies/1", by=BOB)
        await refused(room, 403, "private", "GET", "/escalation-policies/resolve?routing-key=db", by=BOB)
        assert (await room.does(BOB, "GET", "/escalation-policies")).json() == []
        assert (await room.does(ADA, "GET", "/escalation-policies")).json() == [secret.json()]

    in_virtual_time(story)


def test_a_schedule_reads_back_as_it_was_written() -> None:
    async def story(room: DutyRoom) -> None:
        await room.open()
        made = await room.does(ADA, "POST", "/schedules", SCHEDULE)
        assert made.status_code == 201
        assert without_names(made.json()) == {"id": 1, **SCHEDULE}
        assert (await room.does(BOB, "GET", "/schedules/1")).json() == made.json()
        assert (await room.does(BOB, "GET", "/schedules/name/SRE")).json() == made.json()
        changed = {**SCHEDULE, "name": "Ops", "scheduleLayers": [{**LAYER, "rotation": "PT8H"}]}
        assert without_names((await room.does(ADA, "PUT", "/schedules/1", changed)).json()) == {"id": 1, **changed}
        listed = (await room.does(BOB, "GET", "/schedules")).json()
        assert listed == [
            {
                "id": 1,
                "name": "Ops",
                "timezone": "Europe/Berlin",
                "type": "RECURRING",
                "showGaps": True,
                "defaultShiftDuration": "P7D",
            }
        ]
        full = (await room.does(BOB, "GET", "/schedules?include=scheduleLayers&include=currentShift")).json()
        assert without_names(full[0]["scheduleLayers"]) == changed["scheduleLayers"]

    in_virtual_time(story)


def test_what_is_wrong_with_a_schedule_is_named() -> None:
    async def story(room: DutyRoom) -> None:
        await room.open()
        await room.makes("/schedules", SCHEDULE)

        def layer(**more: Any) -> dict[str, Any]:
            return {**SCHEDULE, "scheduleLayers": [{**LAYER, **more}]}

        at = {"dayOfWeek": "MONDAY", "time": "09:00"}
        for body, word in [
            ({**SCHEDULE, "timezone": "Moon/Tranquility"}, "timezone"),
            ({name: SCHEDULE[name] for name in SCHEDULE if name != "timezone"}, "timezone: is required"),
            ({**SCHEDULE, "type": "SOMETIMES"}, "type"),
            (layer(rotation="weekly"), "scheduleLayers.0.rotation"),
            (layer(rotation="PT1S"), "scheduleLayers.0.rotation"),
            (layer(startsOn="soon"), "scheduleLayers.0.startsOn"),
            (layer(endsOn="2026-01-05T08:00"), "endsOn must be after startsOn"),
            (layer(users=[]), "scheduleLayers.0.users"),
            (layer(users=[{"id": 99}]), "scheduleLayers.0.users.0.id: there is no user 99"),
            (layer(users=[{"id": CYD}]), "stakeholder"),
            (layer(restrictions=[{"from": at}]), "scheduleLayers.0.restrictions.0.to"),
            (layer(restrictions=[{"from": at, "to": at}]), "must not end at the moment"),
            (
                layer(restrictions=[{"from": {**at, "time": "25:00"}, "to": at}]),
                "scheduleLayers.0.restrictions.0.from.time",
            ),
            ({**SCHEDULE, "shifts": STATIC["shifts"]}, "shifts are only for type STATIC"),
            ({**STATIC, "shifts": [STATIC["shifts"][0], STATIC["shifts"][0]]}, "overlap"),
            (
                {**STATIC, "shifts": [{**STATIC["shifts"][0], "end": "2026-03-02T09:00:00+01:00"}]},
                "end must be after start",
            ),
            ({**STATIC, "shifts": [{**STATIC["shifts"][0], "start": "2026-03-02T09:00:00"}]}, "shifts.0.start"),
        ]:
            await refused(room, 400, word, "POST", "/schedules", body)
        await refused(
            room, 400, "timezone: stays Europe/Berlin", "PUT", "/schedules/1", {**SCHEDULE, "timezone": "UTC"}
        )
        await refused(
            room, 400, "type: stays RECURRING", "PUT", "/schedules/1", {**STATIC, "timezone": "Europe/Berlin"}
        )
        await refused(room, 400, "nobody is on call between", "POST", "/schedules?abort-on-gaps=true", STATIC)
        assert (await room.does(ADA, "POST", "/schedules", STATIC)).status_code == 201

    in_virtual_time(story)


def test_the_shifts_of_a_window() -> None:
    async def story(room: DutyRoom) -> None:
        await room.open()
        await room.makes("/schedules", SCHEDULE)

        async def shifts(query: str) -> list[tuple[int, str, str]]:
            found = (await room.does(BOB, "GET", f"/schedules/1/shifts?{query}")).json()
            return [(shift["user"]["id"], shift["start"], shift["end"]) for shift in found]

        week = "from=2026-03-23T00:00:00Z&until=2026-03-30T22:00:00Z"
        assert await shifts(week) == [
            (BOB, "2026-03-23T08:00:00Z", "2026-03-27T16:00:00Z"),
            (ADA, "2026-03-30T07:00:00Z", "2026-04-03T15:00:00Z"),
        ]
        override = {"user": {"id": ADA}, "start": "2026-03-24T08:00:00Z", "end": "2026-03-24T10:00:00Z"}
        assert (await room.does(ADA, "PUT", "/schedules/1/overrides", override)).json() == {
            "id": 1,
            "name": "SRE",
            "type": "RECURRING",
        }
        assert [user for user, _, _ in await shifts(week)] == [BOB, ADA, BOB, ADA]
        assert len(await shifts(week + "&exclude-overrides=true")) == 2
        assert len(await shifts("")) == 15
        await refused(
            room, 400, "until", "GET", "/schedules/1/shifts?from=2026-03-23T00:00:00Z&until=2026-03-22T00:00:00Z"
        )
        await refused(
            room, 400, "until", "GET", "/schedules/1/shifts?from=2026-03-23T00:00:00Z&until=2030-03-22T00:00:00Z"
        )
        await refused(room, 400, "from", "GET", "/schedules/1/shifts?from=yesterday")

    in_virtual_time(story)


def test_overrides_come_and_go() -> None:
    async def story(room: DutyRoom) -> None:
        await room.open()
        await room.makes("/schedules", SCHEDULE)
        assert (await room.does(BOB, "GET", "/schedules/1/user-on-call")).status_code == 204
        mine = {"user": {"id": BOB}, "start": "2026-03-02T02:00:00Z", "end": "2026-03-02T05:00:00Z"}
        assert (await room.does(BOB, "POST", "/schedules/1/overrides", mine)).status_code == 200
        on_call = (await room.does(BOB, "GET", "/schedules/1/user-on-call")).json()
        assert (on_call["user"]["id"], on_call["user"]["email"], on_call["end"]) == (
            BOB,
            "bob@example.org",
            "2026-03-02T05:00:00Z",
        )
        (shown,) = (await room.does(BOB, "GET", "/schedules/1/overrides")).json()
        assert (shown["user"]["id"], shown["start"]) == (BOB, "2026-03-02T02:00:00Z")
        await refused(room, 403, "yourself", "PUT", "/schedules/1/overrides", {**mine, "user": {"id": ADA}}, by=BOB)
        await refused(
            room,
            400,
            "past",
            "PUT",
            "/schedules/1/overrides",
            {**mine, "start": "2026-03-01T02:00:00Z", "end": "2026-03-01T03:00:00Z"},
        )
        await refused(
            room,
            400,
            "end must be after start",
            "PUT",
            "/schedules/1/overrides",
            {**mine, "end": "2026-03-02T02:00:00Z"},
        )
        await refused(
            room, 400, "user.id: there is no user 99", "PUT", "/schedules/1/overrides", {**mine, "user": {"id": 99}}
        )
        await refused(room, 400, "stakeholder", "PUT", "/schedules/1/overrides", {**mine, "user": {"id": CYD}})
        await room.passes(minutes=10)
        assert (await room.does(BOB, "DELETE", f"/schedules/1/overrides/{shown['id']}")).status_code == 204
        assert (await room.does(BOB, "GET", "/schedules/1/user-on-call")).status_code == 204
        await refused(room, 404, "no such override", "DELETE", "/schedules/1/overrides/77")

    in_virtual_time(story)


def test_who_is_on_call_by_policy_level_and_schedule() -> None:
    async def story(room: DutyRoom) -> None:
        await room.open()
        everyday = {**SCHEDULE, "scheduleLayers": [{**LAYER, "restrictions": []}]}
        used, lonely = (
            await room.makes("/schedules", everyday),
            await room.makes("/schedules", {**everyday, "name": "Lonely"}),
        )
        rules = [
            {"escalationTimeout": 5, "schedules": [{"id": used}]},
            {"escalationTimeout": 5, "users": [{"id": BOB}]},
        ]
        await room.makes("/escalation-policies", {"name": "P", "escalationRules": rules})

        async def duties(query: str = "") -> list[tuple[int, int | None, int | None]]:
            found = (await room.does(BOB, "GET", f"/on-calls?{query}")).json()
            return [(one["user"]["id"], one.get("escalationLevel"), one.get("schedule", {}).get("id")) for one in found]

        assert await duties() == [(BOB, 0, used), (BOB, 1, None), (BOB, None, lonely)]
        assert await duties("users=7") == []
        assert await duties("policies=1") == [(BOB, 0, used), (BOB, 1, None)]
        assert await duties('policy-levels={"id":1,"level":1}') == [(BOB, 1, None)]
        assert await duties(f"schedules={lonely}") == [(BOB, None, lonely)]
        assert len(await duties("from=2026-03-02T00:00:00Z&until=2026-03-16T00:00:00Z&schedules=1")) == 3
        assert await duties("max-results=1&start-index=1") == [(BOB, 1, None)]
        (first, *_) = (
            await room.does(BOB, "GET", "/on-calls?timezone=Europe/Berlin&expand=user&expand=escalationPolicy")
        ).json()
        assert (first["start"], first["end"]) == ("2026-02-23T09:00:00+01:00", "2026-03-02T09:00:00+01:00")
        assert (first["user"]["email"], len(first["escalationPolicy"]["escalationRules"])) == ("bob@example.org", 2)
        await refused(room, 400, "until", "GET", "/on-calls?from=2026-01-01T00:00:00Z&until=2026-06-01T00:00:00Z")
        await refused(room, 400, "timezone", "GET", "/on-calls?timezone=Moon")
        await refused(room, 400, "policy-levels", "GET", "/on-calls?policy-levels=one")
        await refused(room, 400, "max-results", "GET", "/on-calls?max-results=251")

    in_virtual_time(story)


def test_an_edit_leaves_the_past_alone() -> None:
    async def story(room: DutyRoom) -> None:
        await room.open()
        always = {**SCHEDULE, "scheduleLayers": [{**LAYER, "users": [{"id": ADA}], "restrictions": []}]}
        await room.makes("/schedules", always)
        await room.passes(hours=10)
        changed = {**always, "scheduleLayers": [{**LAYER, "users": [{"id": BOB}], "restrictions": []}]}
        await room.does(ADA, "PUT", "/schedules/1", changed)
        found = (
            await room.does(BOB, "GET", "/schedules/1/shifts?from=2026-03-02T12:00:00Z&until=2026-03-02T14:00:00Z")
        ).json()
        assert [shift["user"]["id"] for shift in found] == [ADA, BOB]
        assert found[0]["end"] == found[1]["start"]

    in_virtual_time(story)


def test_nonsense_gets_its_4xx() -> None:
    async def story(room: DutyRoom) -> None:
        await room.open()
        await room.makes("/schedules", SCHEDULE)
        async with room.asks(ADA) as client:
            for body in (
                b"{",
                b"[]",
                b'"text"',
                b"null",
                b"\xff",
                b"[" * 5000,
                b'{"name": "a\\u0000b", "escalationRules": []}',
            ):
                for path in ("/escalation-policies", "/schedules"):
                    answer = await client.post(
                        f"/api{path}", content=body, headers={"Content-Type": "application/json"}
                    )
                    assert 400 <= answer.status_code < 500, (body, answer.text)
                    assert answer.json()["code"]
            for path in (
                "/schedules/0",
                "/schedules/99999999999999999999",
                "/schedules/x",
                "/escalation-policies/1/levels/-1",
            ):
                answer = await client.put(f"/api{path}", json=SCHEDULE)
                assert 400 <= answer.status_code < 500, (path, answer.text)

    in_virtual_time(story)


def test_a_lost_ledger_is_restored_from_the_topics() -> None:
    async def story(room: DutyRoom) -> None:
        await room.start_web()
        await room.makes("/schedules", SCHEDULE)
        await room.makes("/escalation-policies", POLICY)
        await room.makes("/escalation-policies", {**POLICY, "name": "Gone"})
        await room.does(ADA, "DELETE", "/escalation-policies/2")
        before = [(await room.does(ADA, "GET", path)).json() for path in ("/schedules", "/escalation-policies")]
        await room.lose_the_ledger()
        await room.start_web()
        after = [(await room.does(ADA, "GET", path)).json() for path in ("/schedules", "/escalation-policies")]
        assert after == before
        assert await room.makes("/escalation-policies", POLICY) > 2

    in_virtual_time(story)
