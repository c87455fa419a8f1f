"""Whether an answer is what the OpenAPI document says: in come a request and its answer, out comes what is different."""

import re
from typing import Any

import httpx
from jsonschema import Draft202012Validator

import web.openapi

DOCUMENT = web.openapi.document()
REFUSAL = {"$ref": "#/components/schemas/Refusal"}

# fixed paths first: `/api/users/current` is no `/api/users/{user-id}`
_PATHS = sorted(DOCUMENT["paths"], key=lambda path: (path.count("{"), path))
_PATTERNS = {path: re.compile(re.sub(r"{[^}]+}", "[^/]+", path)) for path in _PATHS}


def difference(method: str, path: str, answer: httpx.Response) -> str | None:
    """None where they agree, or where the document says nothing of this operation. The answer has been read."""
    operation = _operation(method.lower(), path)
    if operation is None:
        return None
    said = operation["responses"].get(str(answer.status_code))
    if said is None:
        found = _invalid(answer, REFUSAL) if answer.is_error else f"the status {answer.status_code} is not declared"
    elif "content" not in said:
        found = "a body, where none is declared" if answer.content else None
    else:
        found = _invalid(answer, said["content"]["application/json"]["schema"])
    return found and f"{method} {path} answered {answer.status_code}, and web/openapi.json disagrees: {found}"


def _operation(method: str, path: str) -> dict[str, Any] | None:
    known = (DOCUMENT["paths"][name] for name in _PATHS if _PATTERNS[name].fullmatch(path))
    return next((operations[method] for operations in known if method in operations), None)


def _invalid(answer: httpx.Response, schema: dict[str, Any]) -> str | None:
    body = answer.json()
    whole = Draft202012Validator({**schema, "components": DOCUMENT["components"]})
    wrong = [f"{error.json_path}: {error.message}" for error in whole.iter_errors(body)]
    return "; ".join([*wrong, *_undeclared(body, schema, "$")][:3]) or None


def _undeclared(value: Any, schema: dict[str, Any], where: str) -> list[str]:
    """Fields that nobody declared; not inside what may have one of several shapes."""
    schema = DOCUMENT["components"]["schemas"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    if isinstance(value, list) and "items" in schema:
        return [one for inner in value for one in _undeclared(inner, schema["items"], f"{where}[]")]
    if not isinstance(value, dict) or "properties" not in schema:
        return []
    fields = schema["properties"]
    unknown = [f"{where}.{name}: is not declared" for name in value if name not in fields]
    below = [_undeclared(inner, fields[name], f"{where}.{name}") for name, inner in value.items() if name in fields]
    return [*unknown, *(one for found in below for one in found)]
