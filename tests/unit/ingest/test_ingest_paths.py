"""The path table sends to ingest what ingest serves, and nothing else."""

import base64

from fastapi import FastAPI
from starlette.routing import Route

from ingest.app import shell_of, web_role
from ingest.gateway import Gateway
from ingest.keys import Keys
from runtime.broker_memory import MemoryBroker, MemoryCluster
from runtime.clock import SystemClock
from runtime.ledger_memory import MemoryLedger
from runtime.settings import Settings
from web.paths import role_of

KEYS = "k1:" + base64.b64encode(bytes(32)).decode()


async def never() -> None:
    raise AssertionError("nobody asks")


def paths_of(app: object) -> set[str]:
    routes = getattr(app, "routes", [])
    found = {route.path for route in routes if isinstance(route, Route) or hasattr(route, "endpoint")}
    return {path for path in found if isinstance(path, str)}


def test_every_route_of_the_web_role_is_in_the_table() -> None:
    settings = Settings.model_validate({"vault_keys": KEYS, "people_keys": KEYS, "secret_key": "sixteen characters"})
    app = web_role(shell_of(settings, MemoryLedger(SystemClock()), MemoryBroker(MemoryCluster()), SystemClock())).http
    assert isinstance(app, FastAPI)
    paths = set(app.openapi()["paths"])
    assert {"/api/alerts", "/api/alert-sources/{source}", "/alerts/{alert}", "/sources/new"} <= paths
    assert {path: role_of(path) for path in paths} == dict.fromkeys(paths, "ingest.web")


def test_every_route_of_the_gateway_is_in_the_table() -> None:
    broker = MemoryBroker(MemoryCluster())
    app = Gateway(Keys(), never, lambda: broker.producer, SystemClock(), "http://127.0.0.1:8080").app()
    paths = paths_of(app)
    assert "/api/events" in paths
    assert {path: role_of(path) for path in paths} == dict.fromkeys(paths, "ingest.gateway")
