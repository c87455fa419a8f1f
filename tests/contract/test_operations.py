"""docs/operations.md is true: its settings are those that are read, its commands, roles and metrics exist."""

import re
from base64 import b64encode
from importlib.util import find_spec
from pathlib import Path

import pytest
from pydantic import SecretStr

from runtime import metrics
from runtime.documents import filled, settings_table
from runtime.host import ROUTER, known_roles
from runtime.positions import readers
from runtime.settings import Settings

PAGE = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()


def test_the_table_of_settings_is_current() -> None:
    assert filled(PAGE) == PAGE, "run `make docs`"


def test_every_setting_has_a_sentence() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []
    assert settings_table().count("\n") == len(Settings.model_fields) + 2


def test_a_page_without_the_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="once each"):
        filled("# Running Alarum\n")


def test_its_commands_exist() -> None:
    modules = set(re.findall(r"python -m (runtime\.\w+)", PAGE))
    assert {"runtime.parked", "runtime.positions", "runtime.topics", "runtime.migrate", "runtime.host"} <= modules
    assert [module for module in modules if find_spec(module) is None] == []


def test_its_table_of_roles_is_whole() -> None:
    assert set(re.findall(r"^\| `([\w.]+)` \| .+ \| .+ \|$", PAGE.partition("## Settings")[0], re.MULTILINE)) == {
        ROUTER,
        *known_roles(),
    }


def test_its_metrics_exist() -> None:
    named = set(re.findall(r"`(alarum_\w+)`", PAGE))
    assert len(named) > 5
    assert named <= {metric.name for metric in metrics.ALL}


def test_the_readers_that_it_sends_people_to_are_those_there_are() -> None:
    key = SecretStr("k1:" + b64encode(bytes(32)).decode())
    settings = Settings(secret_key=SecretStr("k" * 32), vault_keys=key, people_keys=key)
    known = readers(settings)
    assert set(re.findall(r"`(\w+\.worker)`", PAGE)) <= set(known)
    assert list(known["escalator.worker"]) == ["alerts.v1"]
