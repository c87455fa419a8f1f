"""Public subscribers from the form to the farewell: nobody is told who did not say so twice, and nobody learns who is told."""

import re
from datetime import timedelta
from typing import Any

import httpx

from channels.attempts import Refused
from channels.mail import Mail
from events.statuspage import SubscriberAsked, SubscriberConfirmed, SubscriberLeft, SubscriberMailed
from events.topics import VAULTS
from runtime.subscription import Deciding
from statuspage.app import worker_parts
from tests.integration.statuspage.house import ADA, BOB, URL, House, in_virtual_time

VAULT = VAULTS["statuspage"].name


def public(house: House) -> httpx.AsyncClient:
    """Somebody in a browser whom nobody knows."""
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app=house.http), base_url=URL, headers={"Accept": "text/html"}
    )


async def opened(house: House, **more: Any) -> tuple[int, int]:
    """(service, page)."""
    await house.open()
    service = await house.makes("/services", {"name": "Checkout"})
    body = {"name": "Acme", "subdomain": "acme", "activated": True, "services": [{"id": service}]}
    return service, await house.makes("/status-pages", body | more)


async def asks(house: House, address: str = "dee@example.org", **form: str) -> httpx.Response:
    async with public(house) as browser:
        return await browser.post("/subscribers/acme", data={"email": address} | form)


async def sleeps(house: House, **length: float) -> None:
    """Time goes by while nothing runs, which costs nothing here."""
    for parts in list(house.running):
        await house.end(parts)
    left = timedelta(**length)
    while left > timedelta(0):  # a loop sleeps for at most a day at once
        await house.passes(hours=min(left, timedelta(hours=12)) / timedelta(hours=1))
        left -= timedelta(hours=12)
    await house.open()


async def mailed(house: House, count: int) -> Mail:
    """The last of so many mails."""
    await house.until(lambda: len(house.mail.taken) == count)
    return house.mail.taken[-1]


def link(mail: Mail, action: str) -> str:
    found = re.search(rf"{URL}(/subscribers/{action}/\S+)", mail.text)
    assert found, mail.text
    return found[1]


async def confirmed(house: House, address: str = "dee@example.org", **form: str) -> None:
    before = len(house.mail.taken)
    await asks(house, address, **form)
    mail = await mailed(house, before + 1)
    async with public(house) as browser:
        assert (await browser.post(link(mail, "confirm"))).status_code == 200


async def incident(house: House, service: int, **more: Any) -> int:
    body = {
        "summary": "Payments fail",
        "status": "INVESTIGATING",
        "message": "We *look*",
        "sendNotification": True,
        "affectedServices": [{"impact": "MAJOR_OUTAGE", "service": {"id": service}}],
    }
    return await house.makes("/incidents", body | more)


def test_who_says_so_twice_is_told_until_they_leave() -> None:
    async def story(house: House) -> None:
        service, page = await opened(house)
        answer = await asks(house)
        assert "Look into your mailbox" in answer.text
        asked = await mailed(house, 1)
        assert asked.to == "dee@example.org"
        assert asked.unsubscribe is None
        await incident(house, service)
        async with public(house) as browser:
            looked = await browser.get(link(asked, "confirm"))
            assert "Confirm the subscription" in looked.text
            assert not [one for one in house.said() if isinstance(one.event, SubscriberConfirmed)]
            assert "You are subscribed" in (await browser.post(link(asked, "confirm"))).text
        number = await incident(house, service, summary="Payments fail again")
        told = await mailed(house, 2)
        assert told.subject == "[Acme] Investigating: Payments fail again"
        assert f"{URL}/status/acme/incidents/{number}" in told.text
        assert "Checkout: Major outage" in told.text
        assert "<em>look</em>" in told.html
        assert told.unsubscribe == URL + link(told, "leave")
        async with public(house) as browser:
            assert "End the subscription" in (await browser.get(link(told, "leave"))).text
            for _twice in (1, 2):
                one_click = await browser.post(link(told, "leave"), data={"List-Unsubscribe": "One-Click"})
                assert one_click.status_code == 200
            assert (await browser.get(link(told, "manage"))).status_code == 404
            assert (await browser.post(link(asked, "confirm"))).status_code == 404
        await incident(house, service, summary="Once more")
        await house.passes(seconds=20)
        assert len(house.mail.taken) == 2
        assert await house.reads(f"/status-pages/{page}/subscribers") == []
        assert [one.event.reason for one in house.said() if isinstance(one.event, SubscriberLeft)] == ["unsubscribed"]
        assert b"dee@" not in b"".join(record.value or b"" for record in house.cluster.records(VAULT))
        assert house.cluster.records(VAULT)[-1].value is None

    in_virtual_time(story)


def test_nobody_learns_who_is_told_and_nobody_is_flooded() -> None:
    async def story(house: House) -> None:
        service, _page = await opened(house)
        first = await asks(house)
        again = await asks(house, "DEE@example.org")
        await mailed(house, 1)
        assert first.text == again.text
        await sleeps(house, minutes=50)
        await asks(house)
        await house.passes(seconds=20)
        assert len(house.mail.taken) == 1
        await sleeps(house, minutes=10)
        await asks(house)
        assert "Confirm your subscription" in (await mailed(house, 2)).subject
        async with public(house) as browser:
            await browser.post(link(house.mail.taken[-1], "confirm"))
        await sleeps(house, hours=1)
        assert (await asks(house)).text == first.text
        assert "Your subscription" in (await mailed(house, 3)).subject
        await incident(house, service)
        await mailed(house, 4)
        assert len([one for one in house.said() if isinstance(one.event, SubscriberAsked)]) == 1

    in_virtual_time(story)


def test_who_says_nothing_is_reminded_once_and_forgotten_after_a_week() -> None:
    async def story(house: House) -> None:
        _service, page = await opened(house)
        await asks(house)
        asked = await mailed(house, 1)
        await sleeps(house, hours=23, minutes=59)
        assert len(house.mail.taken) == 1
        assert "Yesterday" in (await mailed(house, 2)).text
        assert [one["status"] for one in await house.reads(f"/status-pages/{page}/subscribers")] == ["PENDING"]

        def left() -> list[str]:
            return [one.event.reason for one in house.said() if isinstance(one.event, SubscriberLeft)]

        await sleeps(house, days=5, hours=23, minutes=58)
        assert not left()
        await house.until(left)
        assert left() == ["never confirmed"]
        assert len(house.mail.taken) == 2
        async with public(house) as browser:
            assert (await browser.post(link(asked, "confirm"))).status_code == 404
        await asks(house)
        await mailed(house, 3)

    in_virtual_time(story)


def test_who_chose_services_hears_of_these_only() -> None:
    async def story(house: House) -> None:
        checkout, page = await opened(house)
        search = await house.makes("/services", {"name": "Search"})
        hidden = await house.makes("/services", {"name": "Hidden"})
        body = {"name": "Acme", "subdomain": "acme", "activated": True}
        await house.does(ADA, "PUT", f"/status-pages/{page}", body | {"services": [{"id": checkout}, {"id": search}]})
        await confirmed(house, **{f"services.{search}": "true"})
        await incident(house, checkout)
        await incident(house, hidden)
        both = [{"impact": "DEGRADED", "service": {"id": one}} for one in (search, hidden)]
        await incident(house, search, summary="Slow", affectedServices=both)
        told = await mailed(house, 2)
        assert "Slow" in told.subject
        assert "Search: Degraded" in told.text
        assert "Hidden" not in told.text
        async with public(house) as browser:
            saved = await browser.post(link(told, "manage"), data={})
            assert saved.status_code == 303
            wrong = await browser.post(link(told, "manage"), data={f"services.{hidden}": "true"})
            assert wrong.status_code == 400
        await incident(house, checkout, summary="Everything is told now")
        await mailed(house, 3)

    in_virtual_time(story)


def test_maintenance_is_told_when_it_is_planned_and_leads_to_its_page() -> None:
    async def story(house: House) -> None:
        service, _page = await opened(house)
        await confirmed(house)
        start = house.now + timedelta(hours=2)
        window = {
            "summary": "New disks",
            "description": "Slower for *an hour*",
            "start": start.isoformat(),
            "end": (start + timedelta(hours=1)).isoformat(),
            "services": [{"id": service}],
            "notifications": {"atCreation": True},
        }
        number = await house.makes("/maintenance-windows", window)
        told = await mailed(house, 2)
        assert "New disks" in told.subject
        assert "<em>an hour</em>" in told.html
        assert f"{URL}/status/acme/maintenance/{number}" in told.text

    in_virtual_time(story)


def test_bulk_imports_are_confirmed_masked_and_checked() -> None:
    async def story(house: House) -> None:
        service, page = await opened(house)
        path = f"/status-pages/{page}/subscribers_bulk"
        people = [
            {"target": "dee@example.org", "type": "EMAIL", "locale": "de-DE"},
            {"target": "eve@example.org", "services": [{"id": service}]},
        ]
        assert (await house.does(ADA, "POST", path, people)).status_code == 400
        taken = await house.does(ADA, "POST", f"{path}?import=true", people)
        assert taken.status_code == 200
        assert [(one["target"], one["status"], one["services"]) for one in taken.json()] == [
            ("d***@example.org", "CONFIRMED", []),
            ("e***@example.org", "CONFIRMED", [{"id": service}]),
        ]
        assert (await house.does(ADA, "POST", f"{path}?import=true", people)).json() == taken.json()
        assert len(await house.reads(f"/status-pages/{page}/subscribers")) == 2
        await incident(house, service)
        await mailed(house, 2)
        bodies: list[Any] = [
            [{"target": "nonsense"}],
            [{"target": "a@example.org", "type": "SMS"}],
            [{"target": "a@example.org", "services": [{"id": 99}]}],
            [],
            [{"target": f"a{number}@example.org"} for number in range(251)],
            {},
        ]
        for body in bodies:
            refused = await house.does(ADA, "POST", f"{path}?import=true", body)
            assert refused.status_code == 400, body
        assert (await house.does(BOB, "POST", f"{path}?import=true", people)).status_code == 403
        one = taken.json()[0]["id"]
        assert (await house.does(ADA, "DELETE", f"/status-pages/{page}/subscribers/{one}")).status_code == 204
        assert (await house.does(ADA, "DELETE", f"/status-pages/{page}/subscribers/{one}")).status_code == 404
        async with house.browses(ADA) as browser:
            assert "e***@example.org" in (await browser.get(f"/status-pages/{page}/public-subscribers")).text
            more = await browser.post(f"/status-pages/{page}/public-subscribers", data={"addresses": "x@y.org\n"})
            assert "x***@y.org" in more.text
            wrong = await browser.post(f"/status-pages/{page}/public-subscribers", data={"addresses": "nonsense"})
            assert wrong.status_code == 422

    in_virtual_time(story)


def test_pages_that_are_not_public_take_nobody() -> None:
    async def story(house: House) -> None:
        _service, page = await opened(house, showSubscribeAction=False)
        assert (await asks(house)).status_code == 404
        body = {"name": "Acme", "subdomain": "acme"}
        await house.does(ADA, "PUT", f"/status-pages/{page}", body)
        async with public(house) as browser:
            assert (await browser.get("/subscribers/acme")).status_code == 404
            assert (await browser.get("/subscribers/nothing")).status_code == 404
            for action in ("confirm", "manage", "leave"):
                assert (await browser.get(f"/subscribers/{action}/forged")).status_code == 404
                assert (await browser.post(f"/subscribers/{action}/forged")).status_code == 404

    in_virtual_time(story)


def test_what_is_no_address_is_told_at_the_field() -> None:
    async def story(house: House) -> None:
        await opened(house)
        for address in ("", "nonsense", "a@b@c", "x" * 300 + "@example.org", "a@example.org\x00"):
            refused = await asks(house, address)
            assert refused.status_code == 422
            assert "must be an e-mail address" in refused.text
        assert (await asks(house, **{"services.x": "true"})).status_code == 400
        assert (await asks(house, **{"services.99": "true"})).status_code == 422

    in_virtual_time(story)


def test_a_form_on_a_domain_of_its_own_may_post_and_mail_programmes_may() -> None:
    async def story(house: House) -> None:
        await opened(house, domain="status.acme.org")
        async with public(house) as browser:
            headers = {"Origin": "https://status.acme.org", "Sec-Fetch-Site": "cross-site"}
            asked = await browser.post("/subscribers/acme", data={"email": "dee@example.org"}, headers=headers)
            assert asked.status_code == 200
        await mailed(house, 1)

    in_virtual_time(story)


def test_a_mail_that_is_refused_is_recorded_in_the_server_s_words() -> None:
    async def story(house: House) -> None:
        service, _page = await opened(house)
        await confirmed(house)
        house.mail.answer = lambda _mail: Refused("550 no such mailbox")
        number = await incident(house, service)

        def errors() -> list[tuple[int | None, str]]:
            events = [one.event for one in house.said()]
            return [(one.incident, one.error) for one in events if isinstance(one, SubscriberMailed) and one.error]

        await house.until(errors)
        assert errors() == [(number, "550 no such mailbox")]

    in_virtual_time(story)


def test_a_page_that_is_deleted_forgets_its_subscribers() -> None:
    async def story(house: House) -> None:
        _service, page = await opened(house)
        await confirmed(house)
        await asks(house, "eve@example.org")
        await mailed(house, 2)
        assert (await house.does(ADA, "DELETE", f"/status-pages/{page}")).status_code == 204
        left = [one.event for one in house.said() if isinstance(one.event, SubscriberLeft)]
        assert [one.reason for one in left] == ["the page was deleted"] * 2
        assert [record.value for record in house.cluster.records(VAULT)[-2:]] == [None, None]

    in_virtual_time(story)


def test_a_restored_ledger_still_knows_who_is_told_and_by_which_address() -> None:
    async def story(house: House) -> None:
        service, page = await opened(house)
        await confirmed(house)
        await house.lose_the_ledger()
        await house.start_web()
        await house.start([part for part in worker_parts(house.shell(), house.mail) if not isinstance(part, Deciding)])
        assert [one["target"] for one in await house.reads(f"/status-pages/{page}/subscribers")] == ["d***@example.org"]
        await house.passes(minutes=61)
        await asks(house)
        assert "Your subscription" in (await mailed(house, 2)).subject
        await incident(house, service)
        assert "Payments fail" in (await mailed(house, 3)).subject

    in_virtual_time(story)
