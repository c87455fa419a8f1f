"""Every route of statuspage.web is where the router looks for it."""

from importlib import import_module
from pkgutil import iter_modules

import pytest
from fastapi.routing import APIRoute

from statuspage import api, pages
from web.paths import role_of

MODULES = [
    import_module(f"{package.__name__}.{found.name}")
    for package in (api, pages)
    for found in iter_modules(package.__path__)
]
ROUTES = sorted(
    {
        route.path
        for module in MODULES
        if hasattr(module, "router")
        for route in module.router.routes
        if isinstance(route, APIRoute)
    }
)


def test_there_are_routes_to_check() -> None:
    assert {
        "/api/services/{service}",
        "/api/incidents",
        "/api/maintenance-windows",
        "/maintenance",
        "/templates/{template}",
    } <= set(ROUTES)


@pytest.mark.parametrize("path", ROUTES)
def test_the_router_sends_it_here(path: str) -> None:
    assert role_of(path.replace("{name:path}", "Primary").replace("{", "").replace("}", "")) == "statuspage.web"
