"""Secrets and personal data on the wire: encrypted cells in compacted topics, erased by a tombstone."""

from pydantic import Field

from events.core import Event


class CellSealed(Event):
    """A cell has this content from now on. `ciphertext` and `nonce` are base64; AES-GCM, the cell's id is its associated data."""

    cell: str = Field(description="`cell-<uuid>`; in `people` it is `person-<user>`.")
    key_id: str
    nonce: str
    ciphertext: str

    @property
    def stream(self) -> str:
        return self.cell
