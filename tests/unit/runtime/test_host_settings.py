"""Settings are read once, from the environment, and say what is wrong with them."""

import pytest
from pydantic import ValidationError

from runtime.settings import Settings


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)


def test_each_service_has_a_database_of_its_own() -> None:
    assert Settings().database_of("ingest") == "postgresql://postgres@127.0.0.1:5432/ingest"


def test_brokers_are_split(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP", "one:9092, two:9092")
    assert Settings().bootstrap == ["one:9092", "two:9092"]


def test_upstreams_are_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UPSTREAMS", "accounts.web=http://127.0.0.1:9001/,ingest.web=http://127.0.0.1:9002")
    assert Settings().upstream_urls == {
        "accounts.web": "http://127.0.0.1:9001",
        "ingest.web": "http://127.0.0.1:9002",
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("UPSTREAMS", "accounts.web"),
        ("MINUTE_S", "0"),
        ("LOG_LEVEL", "LOUD"),
        ("LOG_FORMAT", "xml"),
        ("OPS_PORT", "70000"),
    ],
)
def test_nonsense_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValidationError, match=name.lower()):
        Settings()


def test_what_is_set_to_nothing_is_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PORT", "")
    assert Settings().http_port == 8080


def test_secrets_are_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "the-suite-wide-one")
    monkeypatch.setenv("SMTP_URL", "smtp://alarum:hunter2@mail.example.org")
    shown = repr(Settings())
    assert "the-suite-wide-one" not in shown
    assert "hunter2" not in shown
