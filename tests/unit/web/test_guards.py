"""What stands before the routes: bad input, foreign origins, errors that tell nothing and say what to do."""

import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request
from pydantic import BaseModel, ConfigDict, Field

from web.guards import ApiError, Id, SignInNeeded, install, parse_json

JSON = {"content-type": "application/json"}
BROWSER = {"accept": "text/html,*/*;q=0.8"}
LIMIT = 4096


class Rule(BaseModel):
    model_config = ConfigDict(extra="forbid")

    timeout: int = Field(ge=0, le=60)
    name: str = ""


class Policy(BaseModel):
    name: str
    rules: list[Rule] = []


def guarded() -> FastAPI:
    app = FastAPI()
    install(app, max_body=LIMIT)

    @app.post("/api/policies")
    async def create(policy: Policy) -> dict[str, Any]:
        return {"name": policy.name}

    @app.get("/api/policies/{id}")
    async def read(id: Id) -> dict[str, int]:  # noqa: A002 (the path's name)
        return {"id": id}

    @app.post("/api/events")
    async def event(request: Request) -> dict[str, Any]:
        return {"bytes": len(await request.body())}

    @app.post("/pages/save")
    async def save(request: Request) -> dict[str, Any]:
        return {"form": dict(await request.form())}

    @app.get("/api/refused")
    async def refused() -> None:
        raise ApiError(409, "POLICY_IN_USE", "Two sources use this policy")

    @app.get("/api/broken")
    async def broken() -> None:
        raise RuntimeError("the password is hunter2")

    @app.get("/private")
    @app.post("/private")
    async def private() -> None:
        raise SignInNeeded

    return app


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(transport=httpx.ASGITransport(guarded()), base_url="http://suite") as client:
        yield client


def refusal(response: httpx.Response, status: int, code: str) -> str:
    body = response.json()
    assert (response.status_code, set(body), body["status"], body["code"]) == (
        status, {"status", "message", "code"}, status, code,
    )  # fmt: skip
    return str(body["message"])


class TestBadInput:
    async def test_a_good_request_passes(self, http: httpx.AsyncClient) -> None:
        answer = await http.post("/api/policies", json={"name": "Everyday", "rules": [{"timeout": 5}]})
        assert (answer.status_code, answer.json()) == (200, {"name": "Everyday"})

    @pytest.mark.parametrize(
        "body",
        [b"{", b"nope", b'{"name": NaN}', b'{"name": "\xff"}', b"\xef\xbb\xbf{"],
    )
    async def test_what_is_not_json_is_malformed(self, http: httpx.AsyncClient, body: bytes) -> None:
        refusal(await http.post("/api/policies", content=body, headers=JSON), 400, "MALFORMED_JSON")

    async def test_a_number_of_five_thousand_digits_is_malformed(self) -> None:
        with pytest.raises(ApiError) as refused:
            parse_json(b'{"a":' + b"9" * 5000 + b"}")
        assert refused.value.code == "MALFORMED_JSON"

    @pytest.mark.parametrize(
        ("body", "field", "rule"),
        [
            ({}, "name", "is required"),
            ({"name": 3}, "name", "must be text"),
            ({"name": None}, "name", "must be text"),
            ({"name": "x", "rules": {}}, "rules", "must be a list"),
            ({"name": "x", "rules": [{"timeout": "soon"}]}, "rules.0.timeout", "must be a whole number"),
            ({"name": "x", "rules": [{"timeout": 61}]}, "rules.0.timeout", "must be at most 60"),
            ({"name": "x", "rules": [{"timeout": 1, "color": 1}]}, "rules.0.color", "is not known here"),
        ],
    )
    async def test_a_wrong_value_names_field_and_rule(
        self, http: httpx.AsyncClient, body: dict[str, Any], field: str, rule: str
    ) -> None:
        message = refusal(await http.post("/api/policies", json=body), 400, "VALIDATION_ERROR")
        assert message == f"{field}: {rule}"

    @pytest.mark.parametrize("body", [[], "text", 3, None])
    async def test_json_that_is_no_object_is_refused(self, http: httpx.AsyncClient, body: object) -> None:
        refusal(await http.post("/api/policies", content=json.dumps(body), headers=JSON), 400, "VALIDATION_ERROR")

    async def test_a_nul_names_its_field(self, http: httpx.AsyncClient) -> None:
        body = {"name": "x", "rules": [{"timeout": 1, "name": "a\0b"}]}
        message = refusal(await http.post("/api/policies", json=body), 400, "VALIDATION_ERROR")
        assert message == "rules.0.name: must not contain NUL characters"

    async def test_half_a_surrogate_pair_names_its_field(self, http: httpx.AsyncClient) -> None:
        answer = await http.post("/api/policies", content=b'{"name": "\\ud800"}', headers=JSON)
        assert refusal(answer, 400, "VALIDATION_ERROR") == "name: must be valid Unicode"

    async def test_a_whole_surrogate_pair_is_a_character(self, http: httpx.AsyncClient) -> None:
        answer = await http.post("/api/policies", content=b'{"name": "\\ud83d\\ude00"}', headers=JSON)
        assert answer.json() == {"name": "\N{GRINNING FACE}"}

    @pytest.mark.parametrize("url", ["/api/policies/1?name=a%00b", "/api/policies/1%00"])
    async def test_a_nul_in_the_address_is_refused(self, http: httpx.AsyncClient, url: str) -> None:
        refusal(await http.get(url), 400, "VALIDATION_ERROR")

    async def test_a_nul_in_a_form_names_its_field(self, http: httpx.AsyncClient) -> None:
        answer = await http.post("/pages/save", data={"comment": "a\0b"})
        assert refusal(answer, 400, "VALIDATION_ERROR") == "comment: must not contain NUL characters"

    @pytest.mark.parametrize(("depth", "code"), [(64, None), (65, "NESTED_TOO_DEEPLY"), (2000, "NESTED_TOO_DEEPLY")])
    async def test_sixty_four_levels_are_deep_enough(self, depth: int, code: str | None) -> None:
        body = b"[" * depth + b"]" * depth
        if code is None:
            assert parse_json(body)
            return
        with pytest.raises(ApiError) as refused:
            parse_json(body)
        assert (refused.value.status, refused.value.code) == (400, code)

    def test_brackets_in_texts_are_not_levels(self) -> None:
        assert parse_json(json.dumps({"text": '\\"[{' * 100}).encode()) == {"text": '\\"[{' * 100}

    @pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""])
    async def test_another_content_type_is_refused(self, http: httpx.AsyncClient, kind: str) -> None:
        headers = {"content-type": kind} if kind else {}
        refusal(
            await http.post("/api/policies", content=b'{"name":"x"}', headers=headers), 415, "UNSUPPORTED_MEDIA_TYPE"
        )

    @pytest.mark.parametrize("id", ["x", "0", "-1", "1.5", "9223372036854775808", "9" * 100])
    async def test_an_id_that_no_database_holds_is_refused(self, http: httpx.AsyncClient, id: str) -> None:  # noqa: A002
        assert refusal(await http.get(f"/api/policies/{id}"), 400, "VALIDATION_ERROR").startswith("id: ")

    async def test_event_paths_keep_their_bodies_as_they_are(self, http: httpx.AsyncClient) -> None:
        answer = await http.post("/api/events", content=b"\0 not json", headers={"content-type": "text/plain"})
        assert answer.json() == {"bytes": 10}


class TestTooLong:
    async def test_a_long_body_is_refused_by_its_declared_length(self, http: httpx.AsyncClient) -> None:
        answer = await http.post("/api/policies", content=b"x" * (LIMIT + 1), headers=JSON)
        refusal(answer, 413, "PAYLOAD_TOO_LARGE")

    @pytest.mark.parametrize("path", ["/api/policies", "/api/events"])
    async def test_a_long_body_of_unknown_length_is_refused_when_it_passes_the_bound(
        self, http: httpx.AsyncClient, path: str
    ) -> None:
        async def endless() -> AsyncIterator[bytes]:
            for _ in range(100):
                yield b"x" * 1024

        refusal(await http.post(path, content=endless(), headers=JSON), 413, "PAYLOAD_TOO_LARGE")

    async def test_a_body_at_the_bound_passes(self, http: httpx.AsyncClient) -> None:
        assert (await http.post("/api/events", content=b"x" * LIMIT)).json() == {"bytes": LIMIT}


class TestSameOrigin:
    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            ({"sec-fetch-site": "same-origin"}, 200),
            ({"sec-fetch-site": "none"}, 200),
            ({"sec-fetch-site": "cross-site"}, 403),
            ({"sec-fetch-site": "same-site"}, 403),
            ({"sec-fetch-site": "cross-site", "origin": "http://suite"}, 403),
            ({"origin": "http://suite"}, 200),
            ({"origin": "http://evil.example.org"}, 403),
            ({"origin": "http://suite:81"}, 403),
            ({"origin": "null"}, 403),
            ({}, 200),
            ({"sec-fetch-site": "cross-site", "authorization": "Bearer k"}, 200),
        ],
    )
    async def test_only_this_site_may_change_things(
        self, http: httpx.AsyncClient, headers: dict[str, str], status: int
    ) -> None:
        answer = await http.post("/pages/save", data={"a": "b"}, headers=headers)
        assert answer.status_code == status

    async def test_reading_is_free(self, http: httpx.AsyncClient) -> None:
        assert (await http.get("/api/policies/1", headers={"sec-fetch-site": "cross-site"})).status_code == 200

    async def test_event_paths_are_free(self, http: httpx.AsyncClient) -> None:
        assert (await http.post("/api/events", content=b"{}", headers={"origin": "http://tool"})).status_code == 200


class TestErrors:
    async def test_a_refusal_says_status_code_and_message(self, http: httpx.AsyncClient) -> None:
        assert refusal(await http.get("/api/refused"), 409, "POLICY_IN_USE") == "Two sources use this policy"

    async def test_an_unknown_path_is_not_found(self, http: httpx.AsyncClient) -> None:
        assert refusal(await http.get("/api/nothing"), 404, "NOT_FOUND") == "There is nothing at /api/nothing"

    async def test_a_wrong_method_says_which_are_allowed(self, http: httpx.AsyncClient) -> None:
        answer = await http.delete("/api/policies")
        refusal(answer, 405, "METHOD_NOT_ALLOWED")
        assert answer.headers["allow"] == "POST"

    async def test_a_bug_tells_its_request_id_and_nothing_else(
        self, http: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level(logging.ERROR, logger="web"):
            answer = await http.get("/api/broken")
        message = refusal(answer, 500, "INTERNAL_ERROR")
        assert "hunter2" not in answer.text
        assert answer.headers["x-request-id"] in message
        [line] = caplog.records
        assert line.__dict__["request_id"] == answer.headers["x-request-id"]
        assert line.exc_info is not None

    async def test_a_browser_is_led_to_the_sign_in_page_and_back(self, http: httpx.AsyncClient) -> None:
        answer = await http.get("/private?state=PENDING", headers=BROWSER)
        assert (answer.status_code, answer.headers["location"]) == (303, "/sign-in?next=/private%3Fstate%3DPENDING")

    async def test_after_a_post_there_is_no_way_back(self, http: httpx.AsyncClient) -> None:
        assert (await http.post("/private", headers=BROWSER)).headers["location"] == "/sign-in"

    async def test_htmx_is_told_to_leave_the_page(self, http: httpx.AsyncClient) -> None:
        answer = await http.get("/private", headers={"hx-request": "true"})
        assert (answer.status_code, answer.headers["hx-redirect"]) == (401, "/sign-in")

    async def test_a_program_is_told_401(self, http: httpx.AsyncClient) -> None:
        refusal(await http.get("/private"), 401, "UNAUTHORIZED")


class TestHeaders:
    async def test_every_answer_is_not_to_be_sniffed(self, http: httpx.AsyncClient) -> None:
        for path in ("/api/policies/1", "/api/nothing", "/api/broken"):
            headers = (await http.get(path)).headers
            assert headers["x-content-type-options"] == "nosniff"
            assert headers["referrer-policy"] == "same-origin"
