"""The static reader on a folder: what was written is found by path and by host, everything else is a calm 404."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from statuspage.files import Shelf
from statuspage.reader import Reader

FILES = {
    "index.html": b"<h1>Acme</h1>",
    "history.html": b"<h1>History</h1>",
    "incidents/7.html": b"<h1>Seven</h1>",
    "api/v2/status.json": b"{}",
    "feed.atom": b"<feed/>",
    "style-0123456789ab.css": b"body{}",
    "secret.key": b"never served: of no kind that pages have",
}


@pytest.fixture
async def public(tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    shelf = Shelf(tmp_path)
    shelf.put("acme", FILES)
    shelf.name_hosts({"status.acme.org": "acme", "acme.alarum.example.org": "acme"})
    app = Reader(tmp_path, "https://alarum.example.org")
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="https://alarum.example.org") as client:
        yield client


@pytest.mark.parametrize(
    ("path", "content", "kind"),
    [
        ("/status/acme/", b"<h1>Acme</h1>", "text/html"),
        ("/status/acme/index.html", b"<h1>Acme</h1>", "text/html"),
        ("/status/acme/history", b"<h1>History</h1>", "text/html"),
        ("/status/acme/incidents/7", b"<h1>Seven</h1>", "text/html"),
        ("/status/acme/api/v2/status.json", b"{}", "application/json"),
        ("/status/acme/feed.atom", b"<feed/>", "application/atom+xml"),
        ("/status/acme/style-0123456789ab.css", b"body{}", "text/css"),
    ],
)
async def test_files_are_found_below_the_subdomain(
    public: httpx.AsyncClient, path: str, content: bytes, kind: str
) -> None:
    found = await public.get(path)
    assert (found.status_code, found.content) == (200, content)
    assert found.headers["content-type"].startswith(kind)
    assert found.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    "host", ["status.acme.org", "STATUS.acme.org:443", "acme.alarum.example.org", "acme.elsewhere.net"]
)
async def test_a_page_is_found_at_the_root_of_its_host(public: httpx.AsyncClient, host: str) -> None:
    assert (await public.get("/", headers={"host": host})).content == b"<h1>Acme</h1>"
    assert (await public.get("/api/v2/status.json", headers={"host": host})).content == b"{}"
    assert (await public.get("/incidents/7", headers={"host": host})).content == b"<h1>Seven</h1>"


@pytest.mark.parametrize(
    "path",
    [
        "/status/nothing/",
        "/status/acme/nothing",
        "/status/acme/secret.key",
        "/status/acme/incidents",
        "/status/acme/../hosts.json",
        "/status/acme/%2e%2e/%2e%2e/hosts.json",
        "/status/..%2fhosts.json",
        "/status/acme/incidents%2f..%2f..%2f..%2fhosts.json",
        "/status/acme//etc/passwd",
        "/status/acme/.index.html",
        "/status/acme/index.html%00",
        "/status/.acme.0123/index.html",
        "/status/%E2%98%83/",
        "/status/acme/index.html/x",
        "/status",
        "/",
        "/hosts.json",
    ],
)
async def test_nothing_else_is_there(public: httpx.AsyncClient, path: str) -> None:
    missing = await public.get(path)
    assert missing.status_code == 404
    assert "Nothing is shown here" in missing.text
    assert "root:" not in missing.text
    assert "acme.alarum.example.org" not in missing.text


async def test_links_are_relative_so_the_root_has_a_slash_and_leaves_have_none(public: httpx.AsyncClient) -> None:
    assert (await public.get("/status/acme")).headers["location"] == "/status/acme/"
    assert (await public.get("/status/acme/history/")).headers["location"] == "/status/acme/history"
    assert (await public.get("/status/acme")).status_code == 308


async def test_what_did_not_change_is_not_sent_again(public: httpx.AsyncClient, tmp_path: Path) -> None:
    first = await public.get("/status/acme/")
    assert first.headers["cache-control"].startswith("public, max-age=10")
    etag = {"if-none-match": first.headers["etag"]}
    again = await public.get("/status/acme/", headers=etag)
    assert (again.status_code, again.content) == (304, b"")
    assert (
        await public.get("/status/acme/", headers={"if-none-match": f'"x", W/{first.headers["etag"]}'})
    ).status_code == 304
    Shelf(tmp_path).put("acme", FILES | {"index.html": b"<h1>New</h1>"})
    assert (await public.get("/status/acme/", headers=etag)).content == b"<h1>New</h1>"
    style = await public.get("/status/acme/style-0123456789ab.css")
    assert "immutable" in style.headers["cache-control"]


async def test_it_can_only_be_read(public: httpx.AsyncClient) -> None:
    assert (await public.head("/status/acme/")).status_code == 200
    for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH"):
        refused = await public.request(method, "/status/acme/")
        assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")


async def test_browsers_run_nothing_there_and_programs_of_others_may_read_the_json(public: httpx.AsyncClient) -> None:
    page = await public.get("/status/acme/")
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert "script-src" not in page.headers["content-security-policy"]
    assert (await public.get("/status/acme/api/v2/status.json")).headers["access-control-allow-origin"] == "*"


async def test_it_answers_without_the_folder(tmp_path: Path) -> None:
    app = Reader(tmp_path / "nothing", "https://alarum.example.org")
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="https://x.example.org") as client:
        assert (await client.get("/status/acme/")).status_code == 404
        assert (await client.get("/")).status_code == 404
