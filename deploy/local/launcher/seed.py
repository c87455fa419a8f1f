"""The demo's people, schedule, policy and source, planted through the public API of a running suite; again is no harm."""

from datetime import UTC, datetime
from typing import Any

import httpx

from launcher.suite import DEMO_EMAIL

ADA = {"email": DEMO_EMAIL, "firstName": "Ada", "lastName": ""}  # the first administrator: accounts made her
BOB = {"email": "bob@example.org", "firstName": "Bob", "lastName": "", "role": "RESPONDER"}
WEEK = "P7D"
PATIENCE_MINUTES = 5


class SeedFailed(Exception):
    """The suite refused something; the message says what and with which words."""


async def plant(url: str, api_key: str) -> dict[str, str]:
    """Make what is not there yet; return {"INTEGRATION_KEY": the source's key}. Raises SeedFailed."""
    headers = {"Authorization": f"Bearer {api_key}"}
    async with httpx.AsyncClient(base_url=f"{url}/api", headers=headers, timeout=30, trust_env=False) as http:
        api = _Api(http)
        ada = await api.ensure("/users", "email", ADA)
        bob = await api.ensure("/users", "email", BOB)
        rota = await api.ensure("/schedules", "name", _rota(ada["id"], bob["id"]))
        policy = await api.ensure("/escalation-policies", "name", _policy(rota["id"], bob["id"]))
        source = await api.ensure("/alert-sources", "name", _source(policy["id"]))
        return {"INTEGRATION_KEY": source["integrationKey"]}


def _rota(*people: int) -> dict[str, Any]:
    """Weekly, Ada first, from this hour on."""
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    layer = {
        "name": "Weekly",
        "startsOn": start.isoformat(),
        "rotation": WEEK,
        "users": [{"id": person} for person in people],
    }
    return {"name": "Demo rota", "timezone": "Europe/Berlin", "type": "RECURRING", "scheduleLayers": [layer]}


def _policy(rota: int, backup: int) -> dict[str, Any]:
    first = {"escalationTimeout": PATIENCE_MINUTES, "users": [], "schedules": [{"id": rota}]}
    second = {"escalationTimeout": PATIENCE_MINUTES, "users": [{"id": backup}], "schedules": []}
    return {"name": "Demo policy", "escalationRules": [first, second]}


def _source(policy: int) -> dict[str, Any]:
    return {"name": "Demo source", "integrationType": "API", "escalationPolicy": {"id": policy}}


class _Api:
    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def ensure(self, path: str, named_by: str, wanted: dict[str, Any]) -> dict[str, Any]:
        """The resource with this name, made when there is none."""
        listed = await self._ask("GET", path)
        found = next((one for one in listed if one.get(named_by) == wanted[named_by]), None)
        if found is None:
            return dict(await self._ask("POST", path, wanted))
        return dict(await self._ask("GET", f"{path}/{found['id']}"))

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        try:
            answer = await self._http.request(method, path, json=body)
        except httpx.TransportError as error:
            raise SeedFailed(f"{method} {path}: no answer ({error!r})") from error
        if not answer.is_success:
            raise SeedFailed(f"{method} {path} was answered {answer.status_code}: {answer.text[:500]}")
        return answer.json()
