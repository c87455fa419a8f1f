"""Payloads of tools against their pydantic models: a model comes out, or the first broken field with our words for its rule."""

import json
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from ingest.canonical import Rejected
from web.words import rule_broken

M = TypeVar("M", bound=BaseModel)


class Payload(BaseModel):
    """What a tool sends; fields that we do not know are its own business."""

    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


def _text(value: Any) -> Any:
    """Tools send numbers and truths where texts are asked; losing an alert over that would be worse than reading them."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


def _present(value: Any) -> Any:
    """Null is what some tools say for «absent»."""
    return {name: inner for name, inner in value.items() if inner is not None} if isinstance(value, dict) else value


Text = Annotated[str, BeforeValidator(_text)]
Texts = Annotated[dict[str, Text], BeforeValidator(_present)]


def read(model: type[M], payload: Any) -> M | Rejected:
    """The payload as `model`; nulls at its top count as absent."""
    if not isinstance(payload, dict):
        return Rejected("", "must be a JSON object")
    try:
        return model.model_validate(_present(payload))
    except ValidationError as error:
        return _first(error)


def _first(error: ValidationError) -> Rejected:
    problem = error.errors(include_url=False)[0]
    name = ".".join(str(part) for part in problem["loc"])
    return Rejected(name, rule_broken(problem["type"], problem.get("ctx", {}), problem["msg"]))


def decoded(body: str) -> Any | Rejected:
    """The JSON in a stored signal; the gateway checked it once, but what is stored is older than this code."""
    try:
        return json.loads(body)
    except ValueError as error:
        return Rejected("", f"must be JSON: {error}")
