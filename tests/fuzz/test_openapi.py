"""Schemathesis reads our OpenAPI document, and asks every operation for what it allows and for what it does not: each
answer is one that the document knows, and none is a 5xx.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, cast

import httpx
import pytest
import schemathesis
from hypothesis import given
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation

import web.openapi
from tests.answers import difference
from tests.fuzz.house import Observed
from tests.fuzz.nasty import said
from tests.fuzz.profile import IS_LONG, fuzzed

ANSWERED_WITHIN_S: Final = 15.0
Operation = APIOperation[Any, Any, Any, Any]
SCHEMA: Final = schemathesis.openapi.from_dict(web.openapi.document())
OPERATIONS: Final = [found.ok() for found in cast(Iterator[Ok[Operation]], SCHEMA.get_all_operations())]
NOT_OURS_TO_END: Final = frozenset(
    {"PUT /api/users/current", "DELETE /api/users/{user-id}", "DELETE /api/api-keys/{id}"}
)
"""Who asks must go on being who they are; `tests/fuzz/test_endpoints.py` and the bad-input tests ask these, too."""
CHECKED: Final = [operation for operation in OPERATIONS if operation.label not in NOT_OURS_TO_END]
OWN: Final = {
    "users": "user",
    "teams": "team",
    "escalation-policies": "policy",
    "schedules": "schedule",
    "alert-sources": "source",
    "alerts": "alert",
    "services": "service",
    "incidents": "incident",
    "incident-templates": "template",
    "maintenance-windows": "maintenance",
    "status-pages": "page",
    "connectors": "connector",
    "alert-actions": "action",
}
"""Which of the ground's things a path's id is to name, by the step before it."""

pytestmark = [pytest.mark.timeout(3600 if IS_LONG else 120), pytest.mark.usefixtures("nothing_wrong")]


def test_every_operation_answers_as_the_document_says(suite: Observed, ground: Mapping[str, Any]) -> None:
    @fuzzed(50)
    @given(st.data(), st.sampled_from(CHECKED), st.sampled_from([GenerationMode.POSITIVE, GenerationMode.NEGATIVE]))
    def asks(data: st.DataObject, operation: Operation, mode: GenerationMode) -> None:
        known = _known(operation.path, ground) if data.draw(st.booleans()) else None
        case = data.draw(_cases(operation, mode, known))
        answer = _asked(suite, case)
        said = f"{answer.request.method} {answer.request.url} {answer.request.content!r} was answered {answer.status_code} {answer.text[:300]}"
        assert answer.status_code < 500, f"{said}; inside: {suite.found_wrong()}"
        assert difference(answer.request.method, answer.request.url.path, answer) is None, said

    asks()


def _cases(operation: Operation, mode: GenerationMode, known: Mapping[str, Any] | None) -> st.SearchStrategy[Any]:
    """Without a negative form (nothing of it can be wrong), the allowed one. `known`: ids of what there is."""
    path_parameters = dict(known) if known else None
    has_input = bool(operation.body) or any(True for _ in operation.iter_parameters())
    mode = mode if has_input else GenerationMode.POSITIVE
    return operation.as_strategy(generation_mode=mode, path_parameters=path_parameters)


def _known(path: str, ground: Mapping[str, Any]) -> dict[str, Any] | None:
    """Ids for the path's parameters, where the ground has all of them."""
    steps = path.split("/")
    wanted = {step[1:-1]: steps[place - 1] for place, step in enumerate(steps) if re.fullmatch(r"{[^}]+}", step)}
    if not wanted or any(before not in OWN for before in wanted.values()):
        return None
    return {name: ground[OWN[before]] for name, before in wanted.items()}


def _asked(suite: Observed, case: Any) -> httpx.Response:
    """The case over our own client, as the administrator; whose key is whose, other tests ask."""
    made = case.as_transport_kwargs(base_url=suite.url)
    content = said(made["json"], raw=False) if "json" in made else made.get("data")
    kind = {"Content-Type": made["headers"].get("Content-Type", "application/json")}
    return suite.api.request(
        made["method"], made["url"], params=made["params"], content=content, headers=kind, timeout=ANSWERED_WITHIN_S
    )
