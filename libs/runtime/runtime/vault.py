"""Secrets and personal data as sealed cells: plain text and keys go in, events fit for a public log come out, and back.

AES-256-GCM. The cell's id is bound to its content, so that a cell cannot be passed off as another; the key's id is
written down, so that two keys are accepted while one replaces the other. Chance enters here and nowhere below.
"""

import os
import uuid
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from events.cells import CellSealed
from events.envelope import decode
from runtime.ports import Transaction

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12


class Unreadable(Exception):
    """A cell that our keys do not open: sealed with a key that we lack, or tampered with."""


def new_cell() -> str:
    """The id of a cell that holds a secret."""
    return f"cell-{uuid.uuid4()}"


@dataclass(frozen=True)
class Keyring:
    """The first key seals; all open."""

    sealing: str
    keys: Mapping[str, AESGCM] = field(repr=False)

    @classmethod
    def parse(cls, text: str, setting: str = "the setting") -> "Keyring":
        """Read `k1:<base64 of 32 bytes>[,k0:…]`. Raises ValueError that names `setting` and tells no key."""
        keys = dict(_key(entry, setting) for entry in text.split(",") if entry.strip())
        if not keys:
            raise ValueError(f"{setting} is empty: give it k1:<base64 of {KEY_BYTES} random bytes>")
        return cls(next(iter(keys)), keys)

    def seal(self, cell: str, plaintext: str | bytes, at: datetime) -> CellSealed:
        """The event that gives this cell its content."""
        nonce, content = os.urandom(NONCE_BYTES), plaintext.encode() if isinstance(plaintext, str) else plaintext
        ciphertext = self.keys[self.sealing].encrypt(nonce, content, cell.encode())
        return CellSealed(cell=cell, key_id=self.sealing, nonce=_text(nonce), ciphertext=_text(ciphertext), at=at)

    def open(self, sealed: CellSealed) -> bytes:
        """The content. Raises `Unreadable`."""
        key = self.keys.get(sealed.key_id)
        if key is None:
            raise Unreadable(f"{sealed.cell} is sealed with the key {sealed.key_id}, which is not among ours")
        try:
            return key.decrypt(b64decode(sealed.nonce), b64decode(sealed.ciphertext), sealed.cell.encode())
        except (InvalidTag, ValueError):
            raise Unreadable(f"{sealed.cell} does not open with the key {sealed.key_id}") from None


async def read_cell(tx: Transaction, cell: str) -> CellSealed | None:
    """What a cell of this service's own holds now, from the ledger; None when there is none or it was erased."""
    history = await tx.history(cell)
    if not history or history[-1].body is None:
        return None
    event = decode(history[-1].body).event
    return event if isinstance(event, CellSealed) else None


def _key(entry: str, setting: str) -> tuple[str, AESGCM]:
    name, colon, encoded = entry.strip().partition(":")
    try:
        key = b64decode(encoded, validate=True)
    except ValueError:
        key = b""
    if not colon or not name or len(key) != KEY_BYTES:
        raise ValueError(f"{setting} must be name:<base64 of {KEY_BYTES} bytes>, separated by commas")
    return name, AESGCM(key)


def _text(content: bytes) -> str:
    return b64encode(content).decode()
