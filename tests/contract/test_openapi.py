"""The suite's OpenAPI document says what is served, all of it and nothing else, and how that stands to the published API."""

import ast
import inspect
import json
import re
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.routing import iter_route_contexts
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.responses import Response

import web.openapi
from ingest.integrations import api, pagerduty
from launcher import event_paths, openapi
from tests import answers
from web.paths import role_of

ROOT = Path(__file__).parents[2]
DOCUMENT = web.openapi.document()
OPERATIONS = [(path, method, one) for path, ways in DOCUMENT["paths"].items() for method, one in ways.items()]
EXTENSIONS = (ROOT / "docs/api-extensions.md").read_text(encoding="utf-8")
PUBLISHED = json.loads((Path(__file__).parent / "published_operations.json").read_text(encoding="utf-8"))

# where clients demand another status than the published one: ilert-go and Terraform take 201 only, and 202 for subscribers
MADE = ("teams", "connectors", "alert-actions", "incident-templates", "incidents", "services", "status-pages")
SUBSCRIBED = {"incidents": ("post",), "services": ("put",), "status-pages": ("post", "put")}
CORRECTED = {(f"/api/{resource}", "post"): {201} for resource in MADE} | {
    (f"/api/{resource}/{{id}}/private-subscribers", method): {202}
    for resource, methods in SUBSCRIBED.items()
    for method in methods
}

PHONES = "people are reached by e-mail only; phones come with SMS and voice"
RESPONDERS = "whom a policy or a person asked cannot be taken back yet"
NOT_YET = {
    ("/api/alerts/{id}/responders/{user-id}", "delete"): RESPONDERS,
    ("/api/users/{user-id}/contacts/phone-numbers", "get"): PHONES,
    ("/api/users/{user-id}/contacts/phone-numbers", "post"): PHONES,
    ("/api/users/{user-id}/contacts/phone-numbers/{id}", "delete"): PHONES,
    ("/api/users/{user-id}/contacts/phone-numbers/{id}", "get"): PHONES,
    ("/api/users/{user-id}/contacts/phone-numbers/{id}", "put"): PHONES,
}


def alike(path: str) -> str:
    """The path whatever its parameters are called."""
    return re.sub(r"{[^}]+}", "{}", path)


def successes(operation: dict[str, Any]) -> set[int]:
    return {int(status) for status in operation["responses"] if status.startswith("2")}


SERVED = {(alike(path), method): one for path, method, one in OPERATIONS}
KNOWN = {(alike(row["path"]), row["method"]): row for row in PUBLISHED}


# -- the document by itself


def test_it_regenerates_without_a_difference() -> None:
    assert openapi.TARGET.read_text(encoding="utf-8") == openapi.written(), "run: make docs"


def test_a_difference_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stale = tmp_path / "openapi.json"
    stale.write_text("{}")
    assert openapi.main(["--check", str(stale)]) == 1
    assert "make docs" in capsys.readouterr().err
    assert openapi.main([str(stale)]) == openapi.main(["--check", str(stale)]) == 0


def test_it_is_valid_openapi_3_1() -> None:
    assert DOCUMENT["openapi"].startswith("3.1.")
    assert [error.message for error in OpenAPIV31SpecValidator(DOCUMENT).iter_errors()] == []


def test_an_operation_has_one_name_that_no_other_has() -> None:
    names = [one["operationId"] for _, _, one in OPERATIONS]
    assert len(names) == len(set(names)) > 70


@pytest.mark.parametrize(("path", "method", "operation"), OPERATIONS)
def test_an_operation_says_what_it_is_who_may_and_how_it_refuses(path: str, method: str, operation: Any) -> None:
    declared = {tag["name"] for tag in DOCUMENT["tags"]}
    assert operation["summary"], f"{method} {path}"
    assert set(operation["tags"]) <= declared
    assert operation["security"] == ([] if role_of(path) == "ingest.gateway" else [{"apiKey": []}])
    assert operation["responses"]["4XX"] == {"$ref": "#/components/responses/Refused"}
    assert "422" not in operation["responses"], "we answer 400"
    for status in successes(operation):
        assert ("content" in operation["responses"][str(status)]) is (status != 204), f"{method} {path}: {status}"


def test_nothing_is_described_that_nobody_refers_to() -> None:
    used = {name.rpartition("/")[2] for name in re.findall(r'"\$ref": "([^"]+)"', json.dumps(DOCUMENT))}
    assert set(DOCUMENT["components"]["schemas"]) <= used


# -- the document and what is served


@pytest.mark.parametrize("path", sorted(DOCUMENT["paths"]))
def test_the_router_sends_a_path_to_the_role_that_serves_it(path: str) -> None:
    concrete = re.sub(r"{[^}]+}", "7", path)
    assert role_of(concrete) == ROLES[alike(path)]


def test_every_api_route_of_every_service_is_in_it() -> None:
    assert {(alike(openapi.published(path)), method) for _, path, method, _ in ROUTES} == set(SERVED)


def routes() -> Iterator[tuple[str, str, str, Callable[..., Any]]]:
    """Role, path, method and endpoint of everything that is no page."""
    for service, app in openapi.services().items():
        for route in iter_route_contexts(app.routes):
            if (route.path or "").startswith("/api/"):
                assert route.endpoint is not None
                for method in route.methods or ():
                    yield f"{service}.web", re.sub(r":\w+}", "}", route.path or ""), method.lower(), route.endpoint
    gateway: Starlette = openapi.gateway()
    for event_route in gateway.routes:
        for method in event_route.methods:  # type: ignore[attr-defined]
            yield "ingest.gateway", event_route.path, method.lower(), event_route.endpoint  # type: ignore[attr-defined]


ROUTES = list(routes())
ROLES = {alike(openapi.published(path)): role for role, path, _, _ in ROUTES}


@pytest.mark.parametrize(
    ("path", "method", "endpoint"),
    [
        pytest.param(path, method, endpoint, id=f"{method} {path}")
        for role, path, method, endpoint in ROUTES
        if role != "ingest.gateway"
    ],
)
def test_the_statuses_are_those_that_the_route_answers(path: str, method: str, endpoint: Callable[..., Any]) -> None:
    assert successes(SERVED[alike(path), method]) == set(answered(endpoint))


def answered(function: Callable[..., Any]) -> Iterator[int]:
    """The statuses of all `answer(…)` and `no_content()` in a route, and in what it returns from its module."""
    module = inspect.getmodule(function)
    for call in (
        node for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function)))) if isinstance(node, ast.Call)
    ):
        match call.func, call.args:
            case ast.Name("answer"), [_, ast.Constant(int(status))]:
                yield status
            case ast.Name("answer"), [_]:
                yield 200
            case ast.Name("no_content"), []:
                yield 204
            case ast.Name(name), _ if name.startswith("_") and returns_a_response(getattr(module, name)):
                yield from answered(getattr(module, name))


def returns_a_response(function: Any) -> bool:
    return inspect.isfunction(function) and inspect.get_annotations(function).get("return") is Response


@pytest.mark.parametrize(
    ("said", "read", "extra"),
    [
        ("Event", api._Event, {"integrationKey"}),
        ("PagerDutyEvent", pagerduty._Event, {"routing_key"}),
    ],
)
def test_what_is_written_by_hand_has_the_fields_that_the_parser_reads(
    said: str, read: type[BaseModel], extra: set[str]
) -> None:
    assert compared(event_paths.SCHEMAS[said], extra) == compared(read.model_json_schema(), set())


def compared(schema: dict[str, Any], without: set[str]) -> dict[str, Any]:
    """Field names, down into lists and objects."""
    shapes = schema.get("$defs", {})

    def shape(part: dict[str, Any]) -> Any:
        part = shapes[part["$ref"].rpartition("/")[2]] if "$ref" in part else part
        if "items" in part:
            return [shape(part["items"])]
        return {name: shape(inner) for name, inner in part.get("properties", {}).items()}

    found: dict[str, Any] = shape(schema)
    return {name: inner for name, inner in found.items() if name not in without}


# -- the document and the published API


@pytest.mark.parametrize(("path", "method"), [(row["path"], row["method"]) for row in PUBLISHED])
def test_what_is_published_is_served_with_its_status_or_named_as_missing(path: str, method: str) -> None:
    here = SERVED.get((alike(path), method))
    if (path, method) in NOT_YET:
        assert here is None, f"{method} {path} is served: take it off the list"
        return
    assert here is not None, f"{method} {path} is not served"
    assert successes(here) == CORRECTED.get((path, method), set(KNOWN[alike(path), method]["success"]))


def test_what_is_named_as_missing_is_published() -> None:
    assert set(NOT_YET) <= {(row["path"], row["method"]) for row in PUBLISHED}


def test_a_published_path_keeps_the_names_of_its_parameters() -> None:
    """ilert's CLI names operations by them; only where the published path has one name twice ours differs."""
    ours = {(alike(path), method): path for path, method, _ in OPERATIONS}
    differing = {
        row["path"]: ours[alike(row["path"]), row["method"]]
        for row in PUBLISHED
        if (alike(row["path"]), row["method"]) in ours and ours[alike(row["path"]), row["method"]] != row["path"]
    }
    assert differing == {"/api/teams/{id}/members/{id}": "/api/teams/{id}/members/{user-id}"}


@pytest.mark.parametrize(
    ("path", "method"), [(path, method) for path, method, _ in OPERATIONS if (alike(path), method) not in KNOWN]
)
def test_what_is_not_published_is_written_down_as_an_extension(path: str, method: str) -> None:
    assert re.search(re.escape(f"{method.upper()} {path}") + r"(?![\w/{-])", EXTENSIONS), f"{method.upper()} {path}"


# -- the document as it is served


@pytest.fixture
def client() -> httpx.AsyncClient:
    app = openapi.services()["ingest"]
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://anywhere.example.org")


async def test_it_is_served_to_anybody_with_this_suites_address(client: httpx.AsyncClient) -> None:
    answer = await client.get(web.openapi.PATH)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.json() == DOCUMENT | {"servers": [{"url": "http://127.0.0.1:8080"}]}


async def test_who_has_it_already_is_told_so(client: httpx.AsyncClient) -> None:
    tag = (await client.get(web.openapi.PATH)).headers["etag"]
    again = await client.get(web.openapi.PATH, headers={"If-None-Match": f'"other", {tag}'})
    assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    assert (await client.get(web.openapi.PATH, headers={"If-None-Match": '"other"'})).status_code == 200


def test_its_path_is_in_the_path_table() -> None:
    assert role_of(web.openapi.PATH) == "ingest.web"


# -- what integration tests hold every answer to (tests/answers.py)

REFUSED = {"status": 404, "message": "There is no alert 7", "code": "NOT_FOUND"}


@pytest.mark.parametrize(
    ("method", "path", "answer"),
    [
        ("GET", "/api/alerts/count", httpx.Response(200, json={"count": 3})),
        ("GET", "/api/alerts/7", httpx.Response(404, json=REFUSED)),
        ("DELETE", "/api/teams/7", httpx.Response(204)),
        ("GET", "/alerts/7", httpx.Response(200, text="a page is nobody's contract")),
    ],
)
def test_an_answer_as_described_is_passed_over(method: str, path: str, answer: httpx.Response) -> None:
    assert answers.difference(method, path, answer) is None


@pytest.mark.parametrize(
    ("method", "path", "answer", "word"),
    [
        ("GET", "/api/alerts/count", httpx.Response(200, json={"count": "three"}), "not of type 'integer'"),
        ("GET", "/api/alerts/count", httpx.Response(200, json={}), "'count' is a required property"),
        ("GET", "/api/alerts/count", httpx.Response(200, json={"count": 3, "sum": 3}), "sum: is not declared"),
        ("POST", "/api/teams", httpx.Response(200, json={}), "status 200 is not declared"),
        ("DELETE", "/api/teams/7", httpx.Response(204, text="gone"), "a body, where none is declared"),
        ("GET", "/api/alerts/7", httpx.Response(404, json={"detail": "?"}), "'status' is a required property"),
    ],
)
def test_an_answer_that_differs_is_told(method: str, path: str, answer: httpx.Response, word: str) -> None:
    assert word in (answers.difference(method, path, answer) or "")
