"""Status pages from the wish to the file: what the API takes and tells, what the public is shown of it, and when."""

import json
from pathlib import Path
from typing import Any

import pytest

from statuspage.files import HOSTS, LIVE
from tests.integration.statuspage.house import ADA, BOB, CYD, House, in_virtual_time

PAGE = {"name": "Acme", "subdomain": "acme", "activated": True}


def published(house: House, subdomain: str, path: str = "index.html") -> str | None:
    """What the reader would find there."""
    file = Path(house.settings.pages_dir) / LIVE / subdomain / path
    return file.read_text() if file.is_file() else None


async def made(house: House, **more: Any) -> tuple[int, int]:
    """(service, page)."""
    service = await house.makes("/services", {"name": "Checkout"})
    page = await house.makes("/status-pages", PAGE | {"services": [{"id": service}]} | more)
    return service, page


def test_what_is_written_reads_back_the_same() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        service, page = await made(
            house,
            subdomain="acme.ilert.io",
            domain="Status.Acme.org",
            timezone="Europe/Berlin",
            pageLayout="RESPONSIVE",
            appearance="DARK",
            pageTitle="How we are",
            logoUrl="https://acme.org/logo.png",
            hiddenFromSearch=True,
            announcement="**Hello**",
            announcementOnPage=True,
        )
        read = await house.reads(f"/status-pages/{page}")
        assert read["subdomain"] == "acme.ilert.io"
        assert read["domain"] == "status.acme.org"
        assert (read["pageLayout"], read["appearance"], read["timezone"]) == ("RESPONSIVE", "DARK", "Europe/Berlin")
        assert (read["pageTitle"], read["hiddenFromSearch"], read["announcement"]) == ("How we are", True, "**Hello**")
        assert read["status"] == "OPERATIONAL"
        assert [one["id"] for one in read["services"]] == [service]
        assert "groups" not in read
        assert "subscribed" not in read
        full = await house.reads(f"/status-pages/{page}?include=groups&include=uptime&include=subscribed")
        assert full["groups"] == []
        assert full["subscribed"] is False
        assert full["services"][0]["uptime"]["uptimePercentage"] == {"p90": 100.0, "p60": 100.0, "p30": 100.0}
        [listed] = await house.reads("/status-pages")
        assert "structure" not in listed
        assert "announcement" not in listed
        replaced = await house.does(ADA, "PUT", f"/status-pages/{page}", read)
        assert replaced.json() == read

    in_virtual_time(story)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"subdomain": "No Label"}, "subdomain"),
        ({"subdomain": "-acme"}, "subdomain"),
        ({"domain": "127.0.0.1"}, "domain"),
        ({"domain": "nonsense"}, "domain"),
        ({"timezone": "Mars/Base"}, "timezone"),
        ({"services": [{"id": 99}]}, "services.0.id: there is no service 99"),
        ({"services": [{"id": number} for number in range(1, 102)]}, "services"),
        ({"logoUrl": "javascript:alert(1)"}, "logoUrl"),
        ({"ipWhitelist": ["10.0.0.1"]}, "ipWhitelist is not supported yet"),
        ({"audienceSpecific": True}, "audienceSpecific is not supported yet"),
        ({"metrics": [{"id": 1}]}, "metrics is not supported yet"),
        ({"structure": {"elements": [{"id": 5, "type": "GROUP"}]}}, "the page has no group 5"),
        ({"structure": {"elements": [{"id": 5, "type": "SERVICE"}]}}, "the page has no service 5"),
        ({"structure": {"elements": [{"id": 5, "type": "SERVICE", "options": ["expand"]}]}}, "expand"),
        ({"teams": [{"id": 4}]}, "teams.0.id: there is no team 4"),
    ],
)
def test_what_cannot_be_is_refused_by_name(body: dict[str, Any], words: str) -> None:
    async def story(house: House) -> None:
        await house.start_web()
        refused = await house.does(ADA, "POST", "/status-pages", PAGE | body)
        assert refused.status_code == 400, refused.text
        assert words in refused.json()["message"]

    in_virtual_time(story)


def test_an_address_belongs_to_one_page_until_that_gives_it_up() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        _, first = await made(house, domain="status.acme.org")
        for body in ({"subdomain": "ACME"}, {"subdomain": "other", "domain": "status.acme.org"}):
            refused = await house.does(ADA, "POST", "/status-pages", {"name": "Other"} | body)
            assert (refused.status_code, refused.json()["code"]) == (409, "DUPLICATE")
        await house.does(ADA, "PUT", f"/status-pages/{first}", {"name": "Acme", "subdomain": "moved"})
        await house.makes("/status-pages", {"name": "Other", "subdomain": "acme", "domain": "status.acme.org"})
        await house.does(ADA, "DELETE", f"/status-pages/{first}")
        await house.makes("/status-pages", {"name": "Third", "subdomain": "moved"})

    in_virtual_time(story)


def test_who_may_look_is_fixed_once_somebody_could() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        _, page = await made(house, activated=False)
        private = PAGE | {"visibility": "PRIVATE"}
        assert (await house.does(ADA, "PUT", f"/status-pages/{page}", private)).status_code == 200
        for body in (PAGE | {"visibility": "PUBLIC"}, PAGE | {"activated": False}):
            refused = await house.does(ADA, "PUT", f"/status-pages/{page}", body)
            assert (refused.status_code, refused.json()["code"]) == (409, "VISIBILITY_FIXED")

    in_virtual_time(story)


def test_a_group_that_goes_leaves_its_services_where_it_was() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        service, page = await made(house)
        group = await house.makes(f"/status-pages/{page}/groups", {"name": "Europe"})
        leaf = {"id": service, "type": "SERVICE", "options": ["no-graph"]}
        elements = [{"id": group, "type": "GROUP", "options": ["expand"], "children": [leaf]}]
        body = PAGE | {"services": [{"id": service}], "structure": {"elements": elements}}
        changed = await house.does(ADA, "PUT", f"/status-pages/{page}", body)
        assert changed.json()["structure"]["elements"] == elements
        assert (await house.reads(f"/status-pages/{page}?include=groups"))["groups"] == [
            {"id": group, "name": "Europe"}
        ]
        renamed = await house.does(ADA, "PUT", f"/status-pages/{page}/groups/{group}", {"name": "EU"})
        assert renamed.json() == {"id": group, "name": "EU"}
        assert (await house.does(ADA, "DELETE", f"/status-pages/{page}/groups/{group}")).status_code == 204
        read = await house.reads(f"/status-pages/{page}")
        assert read["structure"]["elements"] == [leaf | {"children": []}]
        assert (await house.does(ADA, "GET", f"/status-pages/{page}/groups/{group}")).status_code == 404

    in_virtual_time(story)


def test_who_only_reads_changes_nothing() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        _, page = await made(house)
        for user in (BOB, CYD):
            assert (await house.does(user, "GET", f"/status-pages/{page}")).status_code == 200
            for method, path in (("PUT", ""), ("DELETE", ""), ("POST", "/groups")):
                refused = await house.does(user, method, f"/status-pages/{page}{path}", PAGE)
                assert refused.status_code == 403
            assert (await house.does(user, "GET", f"/status-pages/{page}/subscribers")).status_code == 403

    in_virtual_time(story)


# -- what the public is shown


def test_a_page_is_shown_within_a_second_of_the_decision_and_follows_what_happens() -> None:
    async def story(house: House) -> None:
        await house.open()
        service, page = await made(house)

        async def shows(words: str, path: str = "index.html") -> None:
            end = house.now.timestamp() + 1.0
            await house.until(lambda: words in (published(house, "acme", path) or ""))
            assert house.now.timestamp() <= end

        await shows("All systems operational")
        incident = await house.makes(
            "/incidents",
            {
                "summary": "Payments fail",
                "status": "INVESTIGATING",
                "message": "We *look*",
                "affectedServices": [{"impact": "MAJOR_OUTAGE", "service": {"id": service}}],
            },
        )
        await shows("Payments fail")
        await shows("<em>look</em>", f"incidents/{incident}.html")
        await shows("Major system outage")
        await shows('"indicator": "critical"', "api/v2/status.json")
        await shows("Payments fail", "feed.atom")
        await house.does(ADA, "PUT", f"/status-pages/{page}", PAGE | {"activated": False})
        await house.until(lambda: published(house, "acme") is None)
        await house.does(ADA, "PUT", f"/status-pages/{page}", PAGE | {"subdomain": "beta"})
        await house.until(lambda: published(house, "beta") is not None)
        assert published(house, "acme") is None
        await house.does(ADA, "DELETE", f"/status-pages/{page}")
        await house.until(lambda: published(house, "beta") is None)

    in_virtual_time(story)


def test_private_pages_are_written_nowhere_and_previewed_by_those_who_may_see_them() -> None:
    async def story(house: House) -> None:
        await house.open()
        _, page = await made(house, visibility="PRIVATE")
        await made(house, name="Open", subdomain="open")
        await house.until(lambda: published(house, "open") is not None)
        assert published(house, "acme") is None
        async with house.browses(CYD) as browser:
            seen = await browser.get(f"/status-pages/{page}/preview")
            assert seen.status_code == 200
            assert "All systems operational" in seen.text
            style = seen.text.partition('stylesheet" href="')[2].partition('"')[0]
            assert (await browser.get(f"/status-pages/{page}/preview/{style}")).status_code == 200
            assert (await browser.get(f"/status-pages/{page}/preview/history")).status_code == 200
            assert (await browser.get(f"/status-pages/{page}/preview/nothing")).status_code == 404

    in_virtual_time(story)


def test_a_publisher_that_starts_again_writes_what_it_missed_and_clears_away_what_is_gone() -> None:
    async def story(house: House) -> None:
        worker = await house.start_worker()
        await house.start_web()
        _, first = await made(house)
        _, second = await made(house, name="Other", subdomain="other")
        await house.until(lambda: published(house, "acme") and published(house, "other"))
        await house.end(worker)
        await house.does(ADA, "DELETE", f"/status-pages/{first}")
        await house.does(
            ADA, "PUT", f"/status-pages/{second}", {"name": "New name", "subdomain": "other", "activated": True}
        )
        assert published(house, "acme") is not None
        await house.start_worker()
        assert published(house, "acme") is None
        assert "New name" in (published(house, "other") or "")

    in_virtual_time(story)


def test_host_names_are_told_to_the_reader() -> None:
    async def story(house: House) -> None:
        await house.open()
        _, page = await made(house, domain="status.acme.org")
        hosts = Path(house.settings.pages_dir) / HOSTS

        def named() -> dict[str, str]:
            return dict(json.loads(hosts.read_text())) if hosts.is_file() else {}

        await house.until(lambda: named() == {"status.acme.org": "acme", "acme.127.0.0.1": "acme"})
        await house.does(ADA, "DELETE", f"/status-pages/{page}")
        await house.until(lambda: not named())

    in_virtual_time(story)


def test_pages_lead_a_newcomer_and_a_form_that_is_wrong_says_where() -> None:
    async def story(house: House) -> None:
        await house.start_web()
        async with house.browses(ADA) as browser:
            assert "Add a service" in (await browser.get("/status-pages")).text
            service = await house.makes("/services", {"name": "Checkout"})
            form = {"name": "Acme", "subdomain": "a b", "timezone": "UTC", "rows.0.service": str(service)}
            wrong = await browser.post("/status-pages/new", data=form)
            assert wrong.status_code == 422
            assert "must be a DNS label" in wrong.text
            added = await browser.post("/status-pages/new", data=form | {"op": "add:rows"})
            assert "rows.1.service" in added.text
            made = await browser.post(
                "/status-pages/new", data=form | {"subdomain": "acme", "activated": "true", "rows.0.graph": "true"}
            )
            assert "Seen by everybody" in made.text
            page = int(made.url.path.rpartition("/")[2])
            await browser.post(f"/status-pages/{page}/groups", data={"name": "Europe"})
            edit = (await browser.get(f"/status-pages/{page}/edit")).text
            assert "Europe" in edit
            group = (await house.reads(f"/status-pages/{page}?include=groups"))["groups"][0]["id"]
            saved = await browser.post(
                f"/status-pages/{page}/edit",
                data=form | {"subdomain": "acme", "activated": "true", "rows.0.group": str(group)},
            )
            assert saved.status_code == 200
            structure = (await house.reads(f"/status-pages/{page}"))["structure"]["elements"]
            assert structure == [
                {
                    "id": group,
                    "type": "GROUP",
                    "options": [],
                    "children": [{"id": service, "type": "SERVICE", "options": ["no-graph"]}],
                }
            ]
            assert (await browser.get("/status-pages")).text.count("Acme") >= 1
            assert (await browser.post(f"/status-pages/{page}/delete")).status_code == 200
            assert await house.reads("/status-pages") == []

    in_virtual_time(story)
