"""What the OpenAPI document says of the paths where tools post: written by hand, since the gateway reads bodies itself.

Tools name things as their makers did, so these bodies are described by what the parsers in `ingest.integrations` read;
a contract test holds their fields together.
"""

from typing import Any, Final

Schema = dict[str, Any]

TEXT: Final[Schema] = {"type": "string"}
OBJECT: Final[Schema] = {"type": "object"}
TEXTS: Final[Schema] = {"type": "object", "additionalProperties": TEXT}


def _object(properties: Schema, *required: str, says: str = "") -> Schema:
    described = {"description": says} if says else {}
    return {
        "type": "object",
        **described,
        "properties": properties,
        **({"required": list(required)} if required else {}),
    }


def _said(name: str, says: str) -> Schema:
    return {"description": says, "content": {"application/json": {"schema": _ref(name)}}}


def _listed(item: Schema) -> Schema:
    return {"type": "array", "items": item}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


SCHEMAS: Final[Schema] = {
    "Event": _object(
        {
            "integrationKey": TEXT | {"description": "The alert source's key; `apiKey` is its older name."},
            "eventType": {"type": "string", "enum": ["ALERT", "ACCEPT", "RESOLVE", "COMMENT"]},
            "summary": TEXT | {"description": "Needed by ALERT."},
            "details": TEXT | {"description": "Markdown."},
            "alertKey": TEXT
            | {"description": "Names the alert among the open ones of its source; `incidentKey` is its older name."},
            "priority": {"type": "string", "enum": ["HIGH", "LOW"]},
            "severity": {"type": "integer", "minimum": 1, "maximum": 5},
            "images": _listed(_object({"src": TEXT, "href": TEXT, "alt": TEXT})),
            "links": _listed(_object({"href": TEXT, "text": TEXT})),
            "comments": _listed(_object({"content": TEXT, "creator": TEXT})),
            "labels": TEXTS,
            "services": _listed(_object({"id": {"type": "integer"}, "alias": TEXT})),
            "customDetails": OBJECT,
            "routingKey": TEXT,
        },
        "integrationKey",
        "eventType",
    ),
    "EventAccepted": _object(
        {
            "alertKey": TEXT,
            "alertUrl": TEXT | {"description": "Finds the alert by its key: it has no id yet."},
            "signal": TEXT | {"description": "What was stored."},
            "responseCode": {"const": "EVENT_ACCEPTED"},
        },
        "alertUrl",
        "signal",
        "responseCode",
    ),
    "OlderEventAccepted": _object(
        {
            "alertKey": TEXT,
            "incidentKey": TEXT,
            "alertUrl": TEXT,
            "incidentUrl": TEXT,
            "signal": TEXT,
            "responseCode": {"const": "EVENT_ACCEPTED"},
        },
        "alertUrl",
        "incidentUrl",
        "signal",
        "responseCode",
    ),
    "PagerDutyEvent": _object(
        {
            "routing_key": TEXT | {"description": "The alert source's key."},
            "event_action": {"type": "string", "enum": ["trigger", "acknowledge", "resolve"]},
            "dedup_key": TEXT | {"description": "Needed by `acknowledge` and `resolve`."},
            "payload": _object(
                {
                    "summary": TEXT | {"description": "Needed by `trigger`."},
                    "source": TEXT,
                    "severity": {"type": "string", "enum": ["critical", "error", "warning", "info"]},
                    "component": TEXT,
                    "group": TEXT,
                    "class": TEXT,
                    "custom_details": {"type": ["object", "array", "string"]},
                }
            ),
            "client": TEXT,
            "client_url": TEXT,
            "links": _listed(_object({"href": TEXT, "text": TEXT})),
            "images": _listed(_object({"src": TEXT, "href": TEXT, "alt": TEXT})),
        },
        "routing_key",
        "event_action",
    ),
    "PagerDutyAccepted": _object(
        {"status": {"const": "success"}, "message": TEXT, "dedup_key": TEXT}, "status", "message", "dedup_key"
    ),
}


def _operation(summary: str, body: Schema, responses: Schema, parameters: list[Schema] | None = None) -> Schema:
    return {
        "summary": summary,
        **({"parameters": parameters} if parameters else {}),
        "requestBody": {"required": True, "content": {"application/json": {"schema": body}}},
        "responses": responses,
    }


STORED: Final = "It is stored, and will be decided about"
KEY_IN_PATH: Final[list[Schema]] = [
    {
        "name": "integration",
        "in": "path",
        "required": True,
        "description": "Who speaks.",
        "schema": {"type": "string", "enum": ["api", "prometheus"]},
    },
    {"name": "key", "in": "path", "required": True, "description": "The alert source's key.", "schema": TEXT},
]

OPERATIONS: Final[dict[str, Schema]] = {
    "/api/events": _operation("Send an event", _ref("Event"), {"202": _said("EventAccepted", STORED)}),
    "/api/v1/events": _operation(
        "Send an event, as older tools do", _ref("Event"), {"200": _said("OlderEventAccepted", STORED)}
    ),
    "/api/v1/events/{integration}/{key}": _operation(
        "Send an event in a tool's own form",
        {"type": "object", "description": "An event without its key, or Alertmanager's webhook body."},
        {"200": _said("OlderEventAccepted", STORED)},
        KEY_IN_PATH,
    ),
    "/v2/enqueue": _operation(
        "Send an event as PagerDuty's Events API v2 has it",
        _ref("PagerDutyEvent"),
        {"202": _said("PagerDutyAccepted", STORED)},
    ),
}
