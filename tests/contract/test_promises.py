"""docs/promises.md names a test for each promise: every name is a test that exists, every patch breaks a test named beside it."""

import ast
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "promises.md"
NOT_YET = "not yet"


@dataclass(frozen=True)
class Promise:
    number: int
    says: str
    held_by: tuple[str, ...]
    patch: str | None


def promises() -> list[Promise]:
    rows = [line.strip("|").split("|") for line in PAGE.read_text().splitlines() if re.match(r"\| \d+ \|", line)]
    return [_promise(*(cell.strip() for cell in row)) for row in rows]


def _promise(number: str, says: str, held_by: str, patch: str) -> Promise:
    named = tuple(re.findall(r"`([^`]+::[^`]+)`", held_by))
    assert named or held_by == NOT_YET, f"promise {number} has no test, and does not say so"
    target = re.search(r"\]\(\.\./([^)]+)\)", patch)
    return Promise(int(number), says, named, target.group(1) if target else None)


@cache
def names_in(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text())
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    return frozenset(function.name for function in functions if function.name.startswith("test_"))


def by_number(promise: Promise) -> str:
    return str(promise.number)


def test_they_are_numbered_in_order() -> None:
    assert [promise.number for promise in promises()] == list(range(1, len(promises()) + 1))
    assert len(promises()) >= 30


@pytest.mark.parametrize("promise", promises(), ids=by_number)
def test_what_holds_a_promise_exists(promise: Promise) -> None:
    for named in promise.held_by:
        path, _, name = named.partition("::")
        assert name in names_in(path), f"{named} is no test"


@pytest.mark.parametrize("promise", [promise for promise in promises() if promise.patch], ids=by_number)
def test_a_patch_breaks_a_test_that_is_named_beside_it(promise: Promise) -> None:
    assert promise.patch is not None
    (killed_by,) = re.findall(r"^Killed by: (\S+?)(?:\[\w+\])?$", (ROOT / promise.patch).read_text(), re.MULTILINE)
    assert killed_by in promise.held_by


def test_every_patch_belongs_to_a_promise() -> None:
    named = {promise.patch for promise in promises()}
    patches = {str(patch.relative_to(ROOT)) for patch in (ROOT / "tests" / "mutants").glob("*.patch")}
    assert patches <= named, f"no promise names {patches - named}"
