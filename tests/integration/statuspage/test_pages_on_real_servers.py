"""Public pages on real Kafka and Postgres: one subscriber of many askings, and a reader that answers when all else has stopped."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import httpx

from statuspage.app import reader, web_role, worker_role
from tests.integration.statuspage.house import ADA, URL, key_of
from tests.integration.statuspage.test_services_on_real_servers import WITHIN_S, Running, ada, running

__all__ = ["running"]


async def until(seen: Callable[[], bool]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not seen():
            await asyncio.sleep(0.01)


async def test_what_was_decided_is_read_by_everybody_with_everything_else_stopped(running: Running) -> None:
    await running.say(ada())
    await running.run(worker_role)
    app = (await running.run(web_role)).http
    assert app is not None
    index = Path(running.given.pages_dir) / "live" / "acme" / "index.html"
    transport, headers = httpx.ASGITransport(app=app), {"Authorization": f"Bearer {key_of(ADA)}"}
    async with httpx.AsyncClient(transport=transport, base_url=URL, headers=headers, timeout=WITHIN_S) as client:
        service = (await client.post("/api/services", json={"name": "Checkout"})).json()["id"]
        body = {"name": "Acme", "subdomain": "acme", "activated": True, "services": [{"id": service}]}
        races = [client.post("/api/status-pages", json=body) for _ in range(5)]
        made = await asyncio.gather(*races)
        assert sorted(answer.status_code for answer in made) == [201, *[409] * 4]
        [page] = [answer.json()["id"] for answer in made if answer.status_code == 201]
        await until(index.is_file)
        asking = [client.post("/subscribers/acme", data={"email": "dee@example.org"}) for _ in range(5)]
        assert [answer.status_code for answer in await asyncio.gather(*asking)] == [200] * 5
        subscribers = (await client.get(f"/api/status-pages/{page}/subscribers")).json()
        assert [one["target"] for one in subscribers] == ["d***@example.org"]
        affected = [{"impact": "MAJOR_OUTAGE", "service": {"id": service}}]
        incident = {"summary": "Payments fail", "status": "INVESTIGATING", "affectedServices": affected}
        assert (await client.post("/api/incidents", json=incident)).status_code == 201
        await until(lambda: "Payments fail" in index.read_text())
    await running.stop()
    files = reader(running.given)
    assert files.waits_for() == []
    assert files.http is not None
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app=files.http), base_url=URL) as public:
        assert "Payments fail" in (await public.get("/status/acme/")).text
        assert (await public.get("/status/acme/api/v2/status.json")).json()["status"]["indicator"] == "critical"
        assert (await public.get("/status/other/")).status_code == 404
