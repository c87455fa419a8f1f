"""Every route of escalator.web is where the router looks for it."""

import pytest
from fastapi.routing import APIRoute

from escalator import api
from escalator.pages import oncall, policies, schedules
from web.paths import role_of

ROUTES = sorted(
    {
        route.path
        for one in (api, oncall, policies, schedules)
        for route in one.router.routes
        if isinstance(route, APIRoute)
    }
)


def test_there_are_routes_to_check() -> None:
    assert "/api/schedules/{schedule}/overrides" in ROUTES
    assert "/fragments/on-call-badge" in ROUTES


@pytest.mark.parametrize("path", ROUTES)
def test_the_router_sends_it_here(path: str) -> None:
    assert role_of(path.replace("{name:path}", "Primary").replace("{", "").replace("}", "")) == "escalator.web"
