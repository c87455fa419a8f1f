"""The path table sends every route of accounts to accounts, and sends accounts nothing that it does not serve."""

import pytest
from fastapi.routing import APIRoute

from accounts import api
from accounts.pages import signing, teams, users
from web.paths import role_of

ROUTES = [r for part in (api, signing, users, teams) for r in part.router.routes if isinstance(r, APIRoute)]


@pytest.mark.parametrize("path", sorted({route.path for route in ROUTES}))
def test_the_table_leads_here(path):
    assert role_of(path.replace("{", "").replace("}", "")) == "accounts.web"


def test_no_two_routes_answer_the_same():
    served = [(route.path, method) for route in ROUTES for method in route.methods or ()]
    assert len(served) == len(set(served)) > 30


@pytest.mark.parametrize(
    ("first", "second"), [("/api/users/current", "/api/users/{user}"), ("/users/new", "/users/{user}")]
)
def test_a_fixed_path_comes_before_the_one_with_an_id(first, second):
    paths = [route.path for route in ROUTES]
    assert paths.index(first) < paths.index(second)
