"""Who is there to be told: people, policies and alert sources of a measured suite, made through its API once."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import httpx

from bench.client import post
from bench.suites import Suite, create

PEOPLE: Final = 100
SOURCES: Final = 700
"""A storm's window sends three alerts of a source to a person at once: so many sources carry 210 single messages a second."""
AT_ONCE: Final = 8
PATIENCE_MINUTES: Final = 500


@dataclass(frozen=True)
class Source:
    id: int
    key: str


@dataclass(frozen=True)
class World:
    """`sources` belong in turn to a policy for each person, so that neighbours wake different people."""

    people: Sequence[int]
    sources: Sequence[Source]

    def event(self, source: int, token: str, *, key: str | None = None) -> bytes:
        """The request with which a tool tells of an alert; it is named by its token in every message."""
        body = {
            "integrationKey": self.sources[source % len(self.sources)].key,
            "eventType": "ALERT",
            "summary": f"Bench {token}",
            "alertKey": key or token,
            "details": "The disk of a machine that nobody has is as good as full.",
            "labels": {"machine": f"m{source}", "zone": "north"},
        }
        return post("/api/events", body)


async def made(suite: Suite, people: int = PEOPLE, sources: int = SOURCES) -> World:
    """Raises CannotRun."""
    async with suite.api() as http:
        users = await _each(people, lambda number: create(http, "/api/users", _person(number)))
        ids = [int(user["id"]) for user in users]
        policies = await _each(
            people, lambda number: _policy(http, f"Bench {number}", [(PATIENCE_MINUTES, ids[number])])
        )
        cards = await _each(sources, lambda number: _source(http, f"Bench {number}", policies[number % people]["id"]))
    return World(ids, [_of(card) for card in cards])


async def climbing(suite: Suite, people: Sequence[int], minutes: int, name: str) -> World:
    """Sources whose alerts go to a second person after so many minutes (each `MINUTE_S` long)."""
    async with suite.api() as http:
        policies = [
            await _policy(http, f"{name} {number}", [(minutes, person), (PATIENCE_MINUTES, people[number - 1])])
            for number, person in enumerate(people)
        ]
        cards = await _each(len(people), lambda number: _source(http, f"{name} {number}", policies[number]["id"]))
    return World(people, [_of(card) for card in cards])


def _person(number: int) -> dict[str, Any]:
    return {
        "firstName": f"Person{number}",
        "lastName": "Bench",
        "email": address_of(number),
        "role": "RESPONDER",
    }


def address_of(number: int) -> str:
    return f"person{number}@bench.example.org"


async def _policy(http: httpx.AsyncClient, name: str, levels: Sequence[tuple[int, int]]) -> dict[str, Any]:
    rules = [{"escalationTimeout": minutes, "users": [{"id": user}]} for minutes, user in levels]
    return await create(http, "/api/escalation-policies", {"name": name, "escalationRules": rules})


async def _source(http: httpx.AsyncClient, name: str, policy: int) -> dict[str, Any]:
    body = {"name": name, "integrationType": "API", "escalationPolicy": {"id": policy}}
    return await create(http, "/api/alert-sources", body)


def _of(card: dict[str, Any]) -> Source:
    return Source(card["id"], card["integrationKey"])


async def _each(count: int, make: Any) -> list[dict[str, Any]]:
    """Make so many, some at once, in order."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> dict[str, Any]:
        async with turns:
            found: dict[str, Any] = await make(number)
            return found

    return list(await asyncio.gather(*map(one, range(count))))
