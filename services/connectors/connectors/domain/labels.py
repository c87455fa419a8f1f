"""The label by which we find our issues again: this installation, the alert and the action; and back."""

import hashlib
import re
from collections.abc import Iterable
from typing import Final

_LABEL: Final = re.compile(r"alarum-([0-9a-f]{8})-([0-9]{1,18})-([0-9]{1,18})")


def label_of(public_url: str, alert: int, action: int) -> str:
    return f"alarum-{_here(public_url)}-{alert}-{action}"


def told_by(labels: Iterable[str], public_url: str) -> tuple[int, int] | None:
    """(alert, action) of the first label that this installation gave."""
    found = (_LABEL.fullmatch(label) for label in labels)
    return next(((int(one[2]), int(one[3])) for one in found if one and one[1] == _here(public_url)), None)


def _here(public_url: str) -> str:
    return hashlib.sha256(public_url.encode()).hexdigest()[:8]
