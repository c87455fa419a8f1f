"""The suite's one OpenAPI 3.1 document: in come the apps of all services as they ship, out goes `web/openapi.json`.

`python -m launcher.openapi [--check] [FILE]` writes (or compares) it. Pages are left out: the document is what programs
read, and ilert's CLI makes its commands of it. That CLI names an operation by its method and the published path
(`put-alerts-id-accept`), warns and asks by these names, and groups commands by the first tag; so paths, parameters and
tags are named here as published, whatever the code calls them.
"""

import base64
import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import iter_route_contexts
from starlette.applications import Starlette
from starlette.routing import Route

import accounts.app
import connectors.app
import escalator.app
import ingest.app
import notifier.app
import statuspage.app
import web.openapi
from launcher import event_paths
from runtime.broker_memory import MemoryBroker, MemoryCluster
from runtime.clock import SystemClock
from runtime.ledger_memory import MemoryLedger
from runtime.settings import Settings
from runtime.shell import Shell

VERSION: Final = "1.0.0"
TARGET: Final = Path(web.openapi.__file__).with_name(web.openapi.FILE)

Json = dict[str, Any]

# by the first pattern that fits; an operation has the tags that the published one has
TAGS: Final = (
    (r"/api/users/{user-id}/contacts/", ("Contacts",)),
    (r"/api/users/{user-id}/notification-preferences/", ("Notification Preferences",)),
    (r"/api/users", ("Users",)),
    (r"/api/teams", ("Teams",)),
    (r"/api/api-keys", ("API Keys",)),
    (r"/api/alerts/{id}/notifications", ("Alerts", "Notifications")),
    (r"/api/alerts/{id}/actions", ("Alerts", "Alert Actions")),
    (r"/api/alerts/{id}/log-entries", ("Alerts", "Log-Entries")),
    (r"/api/alerts", ("Alerts",)),
    (r"/api/alert-sources", ("Alert Sources",)),
    (r"/api/escalation-policies", ("Escalation Policies",)),
    (r"/api/schedules", ("Schedules",)),
    (r"/api/on-calls", ("On-Calls",)),
    (r"/api/connectors", ("Connectors",)),
    (r"/api/alert-actions", ("Alert Actions",)),
    (r"/api/services", ("Services",)),
    (r"/api/incidents", ("Incidents",)),
    (r"/api/incident-templates", ("Incident Templates",)),
    (r"/api/maintenance-windows", ("Maintenance Windows",)),
    (r"/api/status-pages", ("Status Pages",)),
    (r"/api/audit", ("Audit",)),
    (r"/api/events", ("Events",)),
    (r"/api/v1/events", ("Events",)),
    (r"/v2/enqueue", ("Events",)),
)
PUBLISHED_NAMES: Final = {
    "user": "user-id",
    "subscriber": "subscriber-id",
    "group": "group-id",
    "level": "level",
    "name": "name",
    "integration": "integration",
    "key": "key",
}
SCHEME: Final = "apiKey"
REFUSALS: Final = {
    "4XX": {"$ref": "#/components/responses/Refused"},
    "5XX": {"$ref": "#/components/responses/Failed"},
}
REFUSAL: Final[Json] = {
    "type": "object",
    "properties": {
        "status": {"type": "integer", "description": "The HTTP status."},
        "message": {"type": "string", "description": "What is wrong, for people; it names the field."},
        "code": {"type": "string", "description": "What is wrong, for programs."},
    },
    "required": ["status", "message", "code"],
}


def build() -> Json:
    """The document, the same at any time on any machine."""
    parts = {**{name: _of_service(app) for name, app in services().items()}, "events": _of_gateway(gateway())}
    paths: dict[str, Json] = {}
    for part in parts.values():
        for path, operations in part["paths"].items():
            paths.setdefault(path, {}).update(operations)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Alarum",
            "version": VERSION,
            "description": "The HTTP API of the whole suite. What it has beyond the published API of ilert is in docs/api-extensions.md.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name} for name in sorted({tag for _, tags in TAGS for tag in tags})],
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": dict(sorted(_all_schemas(parts).items())) | {"Refusal": REFUSAL},
            "responses": {
                "Refused": _refusal("What was asked cannot be done, and why"),
                "Failed": _refusal("It did not work now; with 503, try again in a moment"),
            },
            "securitySchemes": {
                SCHEME: {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An API key: `Authorization: Bearer <key>`.",
                }
            },
        },
    }


# -- the apps as they ship, on adapters in memory: nothing is started


def services() -> dict[str, FastAPI]:
    """Every service's app by the service's name."""
    parts = (accounts.app, connectors.app, escalator.app, ingest.app, notifier.app, statuspage.app)
    found = {}
    for part in parts:
        shell = part.shell_of(_settings(), *_adapters())
        app = part.web_role(shell).http
        assert isinstance(app, FastAPI), f"{shell.service} serves no API"
        found[shell.service] = app
    return found


def gateway() -> Starlette:
    shell: Shell = ingest.app.shell_of(_settings(), *_adapters())
    app = ingest.app.gateway_role(shell, _settings(), SystemClock()).http
    assert isinstance(app, Starlette), "the gateway serves nothing"
    return app


def _adapters() -> tuple[MemoryLedger, MemoryBroker, SystemClock]:
    clock = SystemClock()
    return MemoryLedger(clock), MemoryBroker(MemoryCluster()), clock


def _settings() -> Settings:
    """Nothing is sealed with these keys."""
    key = f"k1:{base64.b64encode(bytes(32)).decode()}"
    return Settings.model_validate({"vault_keys": key, "people_keys": key, "secret_key": "for no session at all"})


# -- a service's part


def _of_service(app: FastAPI) -> Json:
    routes = [route for route in iter_route_contexts(app.routes) if (route.path or "").startswith("/api/")]
    made = _without_titles(get_openapi(title="", version=VERSION, routes=routes))
    paths = {
        published(path): {method: _operation(method, path, one) for method, one in operations.items()}
        for path, operations in made["paths"].items()
    }
    schemas: Json = made.get("components", {}).get("schemas", {})
    given = [part for one in _operations(paths) for part in (one.get("requestBody", {}), *one.get("parameters", ()))]
    asked = _reachable(given, schemas)
    told = _reachable([one["responses"] for one in _operations(paths)], schemas)
    shapes = {
        name: schemas[name] if name in asked else _without_nulls(schemas[name])
        for name in schemas
        if name in asked | told
    }
    return {"paths": paths, "schemas": shapes}


def _operation(method: str, path: str, made: Json) -> Json:
    where = published(path)
    names = dict(zip(_parameters(path), _parameters(where), strict=True))
    responses = {status: _answered(status, said) for status, said in made["responses"].items() if status != "422"}
    body = {"requestBody": made["requestBody"]} if "requestBody" in made else {}
    about = {"description": made["description"]} if "description" in made else {}
    parameters = [_parameter(one, names) for one in made.get("parameters", ())]
    return {
        "operationId": operation_id(method, where),
        "tags": list(_tags(where)),
        "summary": made["summary"],
        **about,
        **({"parameters": parameters} if parameters else {}),
        **body,
        "responses": responses | REFUSALS,
        "security": [{SCHEME: []}],
    }


def _answered(status: str, said: Json) -> Json:
    """FastAPI knows one sentence for every success."""
    known = {
        "200": "As asked",
        "201": "It was made",
        "202": "It is taken",
        "204": "It is done, there is nothing to read",
    }
    return said | {
        "description": known[status] if said["description"] == "Successful Response" else said["description"]
    }


def _parameter(made: Json, names: Mapping[str, str]) -> Json:
    """Nothing in a URL is null: what may be left out is simply not required."""
    name = names[made["name"]] if made["in"] == "path" else made["name"]
    return made | {"name": name, "schema": _not_null(made["schema"])}


def published(path: str) -> str:
    """The path with its parameters named as published: a user is `user-id`, all else is `id`, or its own name behind one."""
    taken: set[str] = set()

    def named(found: re.Match[str]) -> str:
        name = PUBLISHED_NAMES.get(found[1], "id")
        name = found[1] if name in taken else name
        taken.add(name)
        return f"{{{name}}}"

    return re.sub(r"{([^}]+)}", named, path)


def operation_id(method: str, path: str) -> str:
    """As ilert's CLI derives it from the published path, which has no `/api` in front."""
    return f"{method}-{path.removeprefix('/api').strip('/').replace('/', '-').replace('{', '').replace('}', '')}"


def _parameters(path: str) -> list[str]:
    return re.findall(r"{([^}]+)}", path)


def _tags(path: str) -> tuple[str, ...]:
    return next(tags for prefix, tags in TAGS if path.startswith(prefix))


def _refusal(says: str) -> Json:
    return {"description": says, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Refusal"}}}}


# -- the gateway's part


def _of_gateway(app: Starlette) -> Json:
    paths = {}
    for route in app.routes:
        assert isinstance(route, Route), "the gateway has routes and nothing else"
        paths[route.path] = {
            method.lower(): _event_operation(method.lower(), route.path) for method in route.methods or ()
        }
    return {"paths": paths, "schemas": event_paths.SCHEMAS}


def _event_operation(method: str, path: str) -> Json:
    """Whoever posts has its key in the body or the path: no API key is asked."""
    written = event_paths.OPERATIONS[path]
    named = {"operationId": operation_id(method, path), "tags": list(_tags(path))}
    return named | written | {"responses": written["responses"] | REFUSALS, "security": []}


# -- schemas


def _all_schemas(parts: Mapping[str, Json]) -> dict[str, Json]:
    """One name, one shape: where services mean different things by a name, each has its own in front, everywhere."""
    clashes = _clashes(parts)
    found: dict[str, Json] = {}
    for service, part in parts.items():
        new = {name: f"{service.capitalize()}{name}" for name in part["schemas"] if name in clashes}
        for operation in _operations(part["paths"]):
            _rename(operation, new)
        for name, shape in part["schemas"].items():
            _rename(shape, new)
            found[new.get(name, name)] = shape
    return found


def _clashes(parts: Mapping[str, Json]) -> set[str]:
    """Names with more than one shape, and names of shapes that refer to such: they differ in what they mean."""
    shapes: dict[str, set[str]] = {}
    for part in parts.values():
        for name, shape in part["schemas"].items():
            shapes.setdefault(name, set()).add(json.dumps(shape, sort_keys=True))
    clashing = {name for name, known in shapes.items() if len(known) > 1}
    shared = {name for name in shapes if sum(name in part["schemas"] for part in parts.values()) > 1}
    while True:
        more = {
            name for name in shared - clashing if any(set(_references(json.loads(s))) & clashing for s in shapes[name])
        }
        if not more:
            return clashing
        clashing |= more


def _rename(value: Any, new: Mapping[str, str]) -> None:
    match value:
        case {"$ref": str(target)}:
            prefix, _, name = target.rpartition("/")
            value["$ref"] = f"{prefix}/{new.get(name, name)}"
        case dict():
            for inner in value.values():
                _rename(inner, new)
        case list():
            for inner in value:
                _rename(inner, new)


def _reachable(roots: list[Json], schemas: Json) -> set[str]:
    found: set[str] = set()
    waiting = list(_references(roots))
    while waiting:
        name = waiting.pop()
        if name not in found and name in schemas:
            found.add(name)
            waiting.extend(_references(schemas[name]))
    return found


def _references(value: Any) -> Iterator[str]:
    match value:
        case {"$ref": str(target)}:
            yield target.rpartition("/")[2]
        case dict():
            for inner in value.values():
                yield from _references(inner)
        case list():
            for inner in value:
                yield from _references(inner)


def _without_nulls(shape: Json) -> Json:
    """What we tell: null is never sent, so a field that can be null can be absent."""
    fields = shape.get("properties", {})
    kept = [name for name in shape.get("required", ()) if not _nullable(fields[name])]
    told = {name: _not_null(field) for name, field in fields.items()}
    required = {"required": kept} if kept else {}
    return (
        {name: part for name, part in shape.items() if name != "required"}
        | ({"properties": told} if told else {})
        | required
    )


def _nullable(field: Json) -> bool:
    return {"type": "null"} in field.get("anyOf", ())


def _not_null(field: Json) -> Json:
    if not _nullable(field):
        return field
    options = [option for option in field["anyOf"] if option != {"type": "null"}]
    rest = {name: part for name, part in field.items() if name != "anyOf"}
    return {**options[0], **rest} if len(options) == 1 else {"anyOf": options, **rest}


def _without_titles(value: Any) -> Any:
    match value:
        case dict():
            return {
                name: _without_titles(part)
                for name, part in value.items()
                if not (name == "title" and isinstance(part, str))
            }
        case list():
            return [_without_titles(part) for part in value]
        case _:
            return value


def _operations(paths: Mapping[str, Json]) -> Iterator[Json]:
    for operations in paths.values():
        yield from operations.values()


# -- the file


def written() -> str:
    return json.dumps(build(), indent=2, ensure_ascii=False) + "\n"


def main(arguments: list[str]) -> int:
    target = Path(next((argument for argument in arguments if not argument.startswith("-")), TARGET))
    if "--check" not in arguments:
        target.write_text(written(), encoding="utf-8")
        return 0
    if target.exists() and target.read_text(encoding="utf-8") == written():
        return 0
    sys.stderr.write(f"{target} is not what `make docs` would write\n")
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
