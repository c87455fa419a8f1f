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


def test_health_and_metrics_stay_on_this_machine_unless_somebody_says_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert Settings().ops_host == "127.0.0.1"
    monkeypatch.setenv("OPS_HOST", "0.0.0.0")
    assert Settings().ops_host == "0.0.0.0"


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
        ("KAFKA_SECURITY_PROTOCOL", "TLS"),
        ("KAFKA_SASL_MECHANISM", "GSSAPI"),
        ("KAFKA_CA_FILE", "/nowhere/ca.pem"),
        ("KAFKA_CA_FILE", __file__),
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
    monkeypatch.setenv("KAFKA_PASSWORD", "the-brokers-one")
    shown = repr(Settings()) + repr(Settings().kafka_security)
    assert "the-suite-wide-one" not in shown
    assert "hunter2" not in shown
    assert "the-brokers-one" not in shown


def test_brokers_are_spoken_to_openly_unless_told_otherwise() -> None:
    assert Settings().kafka_security.options() == {"security_protocol": "PLAINTEXT"}


@pytest.mark.parametrize("protocol", ["SASL_PLAINTEXT", "SASL_SSL"])
@pytest.mark.parametrize("missing", ["KAFKA_USER", "KAFKA_PASSWORD"])
def test_who_signs_in_to_the_brokers_needs_a_name_and_a_password(
    monkeypatch: pytest.MonkeyPatch, protocol: str, missing: str
) -> None:
    for name, value in (("KAFKA_SECURITY_PROTOCOL", protocol), ("KAFKA_USER", "alarum"), ("KAFKA_PASSWORD", "secret")):
        monkeypatch.setenv(name, value)
    given = Settings().kafka_security.options()
    assert (given["sasl_mechanism"], given["sasl_plain_username"]) == ("SCRAM-SHA-512", "alarum")
    monkeypatch.delenv(missing)
    with pytest.raises(ValidationError, match=missing):
        Settings()
