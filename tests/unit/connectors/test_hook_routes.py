"""Where tools call back is where the router looks for it, and a token is its connector's alone."""

import pytest
from fastapi.routing import APIRoute
from hypothesis import given as for_any
from hypothesis import strategies as st

from connectors import hooks
from connectors.tokens import connector_of, hook_path, token
from web.paths import role_of

SECRET = "a-secret-of-the-suite"
ROUTES = sorted(route.path for route in hooks.router.routes if isinstance(route, APIRoute))


@pytest.mark.parametrize("kind", ["jira", "slack"])
def test_the_router_sends_it_here(kind: str) -> None:
    assert f"/hooks/{kind}/{{token}}" in ROUTES
    assert role_of(hook_path(kind, 3, SECRET)) == "connectors.web"


def test_a_token_names_its_connector() -> None:
    assert connector_of("jira", token("jira", 3, SECRET), SECRET) == 3


def test_a_token_is_good_for_nothing_else() -> None:
    made = token("jira", 3, SECRET)
    assert connector_of("slack", made, SECRET) is None
    assert connector_of("jira", made, "another-secret-key") is None
    assert connector_of("jira", made.replace("3-", "4-"), SECRET) is None


@for_any(st.text(max_size=60) | st.from_regex(r"[0-9]{1,30}-[0-9a-f]{32}", fullmatch=True))
def test_no_guess_is_a_token(guess: str) -> None:
    assert connector_of("jira", guess, SECRET) is None
