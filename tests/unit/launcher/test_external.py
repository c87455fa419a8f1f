"""What may be wished of the listener for other machines, and what the broker is told."""

from pathlib import Path

import pytest

from launcher.external import Listener, WrongListener, listener_of, main, together
from launcher.native import BROKER_SETTINGS
from launcher.suite import WrongWish, suite_of

PEM = "-----BEGIN PRIVATE KEY-----\n…\n-----END PRIVATE KEY-----\n-----BEGIN CERTIFICATE-----\n…\n"


@pytest.fixture
def wish(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "kafka.pem").write_text(PEM)
    return {
        "EXTERNAL_LISTENER": "kafka.example.org:9094",
        "EXTERNAL_CERTIFICATE": str(tmp_path / "kafka.pem"),
        "EXTERNAL_USER": "dashboard",
        "EXTERNAL_PASSWORD": "a-long=password",
    }


def test_none_is_wished_by_default() -> None:
    assert listener_of({}) is None
    assert suite_of({}).door is None


def test_it_survives_the_way_to_the_supervisor(wish: dict[str, str]) -> None:
    suite = suite_of(wish)
    assert suite.door == Listener(
        "kafka.example.org", 9094, wish["EXTERNAL_CERTIFICATE"], "dashboard", "a-long=password"
    )
    assert suite_of(suite.wishes()) == suite
    assert "a-long=password" not in repr(suite)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("EXTERNAL_LISTENER", "kafka.example.org"),
        ("EXTERNAL_LISTENER", ":9094"),
        ("EXTERNAL_LISTENER", "kafka.example.org:0"),
        ("EXTERNAL_LISTENER", "kafka,other:9094"),
        ("EXTERNAL_CERTIFICATE", "/nowhere/kafka.pem"),
        ("EXTERNAL_CERTIFICATE", pytest.__file__),
        ("EXTERNAL_USER", ""),
        ("EXTERNAL_USER", 'x="y"'),
        ("EXTERNAL_PASSWORD", ""),
        ("EXTERNAL_PASSWORD", "short"),
        ("EXTERNAL_PASSWORD", 'quoted"password'),
        ("EXTERNAL_PASSWORD", "backslash\\password"),
        ("EXTERNAL_PASSWORD", "two-line\npassword"),
    ],
)
def test_what_cannot_be_followed_is_named(wish: dict[str, str], name: str, value: str) -> None:
    with pytest.raises(WrongListener, match=name):
        listener_of(wish | {name: value})
    with pytest.raises(WrongWish, match=name):
        suite_of(wish | {name: value})


def test_the_broker_keeps_its_own_listeners_and_lets_only_itself_do_everything(wish: dict[str, str]) -> None:
    own = BROKER_SETTINGS | {
        "listeners": "PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093",
        "advertised.listeners": "PLAINTEXT://127.0.0.1:9092",
    }
    door = listener_of(wish)
    assert door is not None
    told = together(own, door.settings(":9094"))
    assert told["listeners"] == own["listeners"] + ",EXTERNAL://:9094"
    assert told["advertised.listeners"] == own["advertised.listeners"] + ",EXTERNAL://kafka.example.org:9094"
    assert told["listener.security.protocol.map"] == "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,EXTERNAL:SASL_SSL"
    assert told["super.users"] == "User:ANONYMOUS"
    assert "allow.everyone.if.no.acl.found" not in told
    assert {name: told[name] for name in BROKER_SETTINGS if name != "listener.security.protocol.map"} == {
        name: value for name, value in BROKER_SETTINGS.items() if name != "listener.security.protocol.map"
    }


def test_a_name_that_cannot_be_granted_anything_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ingest.worker"]) == 1
    assert "EXTERNAL_USER" in capsys.readouterr().err
