"""Forms with rows in rows: in come the pairs that a browser posted, out come nested values, or words for what is wrong.

Names are dotted (`rules.2.targets.0.id`). A row's key is stable: it is never numbered anew when another row goes, since
a morph would keep typed values with the wrong row. `add_row` and `remove_row` serve the buttons `name="op"
value="add:rules"` and `value="del:rules.2"`.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final

from fastapi import Depends, Request
from pydantic import ValidationError

from web.errors import ApiError
from web.words import rule_broken

MAX_DEPTH: Final = 8
MAX_FIELDS: Final = 2000

Values = dict[str, Any]


async def form_of(request: Request) -> Values:
    """The posted fields, nested by their dotted names; texts only."""
    async with request.form() as form:
        return nest((name, value) for name, value in form.multi_items() if isinstance(value, str))


Posted = Annotated[Values, Depends(form_of)]


def nest(pairs: Iterable[tuple[str, object]]) -> Values:
    """`{"rules": {"2": {"id": "7"}}}` of `rules.2.id=7`. Raises ApiError 400 when names contradict each other."""
    root: Values = {}
    for count, (name, value) in enumerate(pairs, 1):
        if count > MAX_FIELDS:
            raise ApiError(400, "VALIDATION_ERROR", f"A form may have at most {MAX_FIELDS} fields")
        _place(root, name, value)
    return root


def rows(values: object) -> list[tuple[str, Any]]:
    """The rows of a nested part with their keys, in the order of the form."""
    return list(values.items()) if isinstance(values, dict) else []


def add_row(values: Values, path: str, row: object = "") -> str:
    """Append a row below `path`; its key is one more than the highest ever seen there. Gives the key."""
    target = values
    steps = path.split(".")
    if len(steps) >= MAX_DEPTH:
        raise ApiError(400, "VALIDATION_ERROR", f"{path[:80]}: is nested too deep")
    for step in steps:
        target = target.setdefault(step, {})
        if not isinstance(target, dict):
            raise ApiError(400, "VALIDATION_ERROR", f"{path[:80]}: is no list of rows")
    key = str(max((int(key) for key in target if _is_row(key)), default=-1) + 1)
    target[key] = row
    return key


def _is_row(key: str) -> bool:
    """Whether a key may be one that `add_row` gave."""
    return key.isascii() and key.isdecimal() and len(key) < 10


def remove_row(values: Values, path: str) -> None:
    """Take the row at `path` away; what is not there is left so."""
    *steps, last = path.split(".")
    target: Any = values
    for step in steps:
        target = target.get(step, {}) if isinstance(target, dict) else {}
    if isinstance(target, dict):
        target.pop(last, None)


def rearranged(form: Values, fresh: Mapping[str, object]) -> bool:
    """Carry out the button that adds or removes a row, if one was pressed. `fresh` gives new rows by the list's name."""
    kind, _, path = str(form.pop("op", "")).partition(":")
    if kind == "add":
        add_row(form, path, _copy(fresh.get(path.rpartition(".")[2], "")))
    elif kind == "del":
        remove_row(form, path)
    return kind in ("add", "del")


def field_errors(error: ValidationError, values: Values | None = None) -> dict[str, str]:
    """What is wrong by the name of the form's field; list positions become the keys of the form's rows again."""
    found: dict[str, str] = {}
    for problem in error.errors(include_url=False):
        name = _field_name(problem["loc"], values)
        found.setdefault(name, rule_broken(problem["type"], problem.get("ctx", {}), problem["msg"]))
    return found


def refusal_errors(message: str) -> dict[str, str]:
    """The same of a refusal, whose words begin with the field, `name: words`, or concern the whole: that is under ``."""
    field, colon, words = message.partition(": ")
    return {field: words} if colon and " " not in field else {"": message}


def _copy(row: object) -> object:
    return {name: _copy(value) for name, value in row.items()} if isinstance(row, dict) else row


def _place(root: Values, name: str, value: object) -> None:
    *steps, last = name.split(".")
    if len(steps) >= MAX_DEPTH:
        raise ApiError(400, "VALIDATION_ERROR", f"{name[:80]}: is nested too deep")
    target = root
    for step in steps:
        target = target.setdefault(step, {})
        if not isinstance(target, dict):
            raise ApiError(400, "VALIDATION_ERROR", f"{name[:80]}: is both a value and a group")
    if isinstance(target.get(last), dict):
        raise ApiError(400, "VALIDATION_ERROR", f"{name[:80]}: is both a value and a group")
    target[last] = value


def _field_name(location: tuple[int | str, ...], values: Mapping[str, Any] | None) -> str:
    names: list[str] = []
    here: Any = values
    for step in location:
        keys = list(here) if isinstance(here, dict) else []
        name = keys[step] if isinstance(step, int) and step < len(keys) else str(step)
        here = here.get(name) if isinstance(here, dict) else None
        names.append(name)
    return ".".join(names)
