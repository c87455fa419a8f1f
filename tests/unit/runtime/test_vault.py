"""Cells: only our keys open them, only under their own name."""

import base64
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given as for_any
from hypothesis import strategies as st

from runtime.vault import Keyring, Unreadable, new_cell

AT = datetime(2026, 3, 1, 3, tzinfo=UTC)
OLD = "k0:" + base64.b64encode(bytes(32)).decode()
NEW = "k1:" + base64.b64encode(bytes(range(32))).decode()


@for_any(st.text())
def test_what_is_sealed_opens_again(secret):
    keys = Keyring.parse(NEW)
    assert keys.open(keys.seal("cell-1", secret.encode("utf-8", "surrogatepass"), AT)) == secret.encode(
        "utf-8", "surrogatepass"
    )


def test_the_same_secret_never_looks_the_same():
    keys = Keyring.parse(NEW)
    assert keys.seal("cell-1", "secret", AT).ciphertext != keys.seal("cell-1", "secret", AT).ciphertext


def test_nothing_of_the_secret_is_in_the_event():
    assert "Ada" not in Keyring.parse(NEW).seal("person-7", "Ada", AT).model_dump_json()


def test_while_keys_rotate_the_first_seals_and_both_open():
    old, rotating = Keyring.parse(OLD), Keyring.parse(f"{NEW},{OLD}")
    assert rotating.open(old.seal("cell-1", "secret", AT)) == b"secret"
    assert rotating.seal("cell-1", "secret", AT).key_id == "k1"


def test_a_cell_passed_off_as_another_does_not_open():
    keys = Keyring.parse(NEW)
    stolen = keys.seal("person-7", "Ada", AT).model_copy(update={"cell": "person-8"})
    with pytest.raises(Unreadable):
        keys.open(stolen)


def test_a_tampered_cell_does_not_open():
    keys = Keyring.parse(NEW)
    sealed = keys.seal("cell-1", "secret", AT)
    flipped = base64.b64encode(
        bytes([base64.b64decode(sealed.ciphertext)[0] ^ 1]) + base64.b64decode(sealed.ciphertext)[1:]
    )
    with pytest.raises(Unreadable):
        keys.open(sealed.model_copy(update={"ciphertext": flipped.decode()}))


def test_a_key_that_we_lack_is_named():
    with pytest.raises(Unreadable, match="k0"):
        Keyring.parse(NEW).open(Keyring.parse(OLD).seal("cell-1", "secret", AT))


@pytest.mark.parametrize(
    "text", ["", "k1", "k1:", "k1:short", ":" + NEW[3:], "k1:" + base64.b64encode(bytes(16)).decode()]
)
def test_a_malformed_setting_is_named_and_tells_no_key(text):
    with pytest.raises(ValueError, match="PEOPLE_KEYS") as refused:
        Keyring.parse(text, "PEOPLE_KEYS")
    assert not text[3:] or text[3:] not in str(refused.value)


def test_keys_are_not_shown_with_the_ring():
    assert NEW[3:] not in repr(replace(Keyring.parse(NEW)))


def test_no_two_cells_have_one_name():
    assert len({new_cell() for _ in range(100)}) == 100
