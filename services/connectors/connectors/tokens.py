"""Addresses at which other tools call us back: each connector has its own, derived from SECRET_KEY, and kept nowhere."""

import hashlib
import hmac
from typing import Final

LENGTH: Final = 32


def hook_path(kind: str, connector: int, secret_key: str) -> str:
    """Where the tool of this connector calls: `/hooks/jira/3-…`."""
    return f"/hooks/{kind}/{token(kind, connector, secret_key)}"


def token(kind: str, connector: int, secret_key: str) -> str:
    digest = hmac.new(secret_key.encode(), f"hook {kind} {connector}".encode(), hashlib.sha256).hexdigest()
    return f"{connector}-{digest[:LENGTH]}"


def connector_of(kind: str, given: str, secret_key: str) -> int | None:
    """Whose token it is; None for one that we did not make."""
    number = given.partition("-")[0]
    if not (number.isascii() and number.isdecimal() and len(number) < 19):
        return None
    connector = int(number)
    is_ours = hmac.compare_digest(token(kind, connector, secret_key).encode(), given.encode())
    return connector if is_ours else None
