"""Which parameters are secrets: in come parameters as people write them, out come those for events and those for the vault.

    split("webhook", params) -> (plain, secret)          joined(plain, secret) -> params

`plain` has MASK where a secret was part of a text. A cell holds the secret part as a JSON object.
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

MASK: Final = "***"
SIGNING_SECRET: Final = "signingSecret"
USERINFO: Final = "userinfo"
HEADERS: Final = "headers"

SECRETS: Final[Mapping[str, tuple[str, ...]]] = {
    "jira": ("password",),
    "slack": ("botToken", SIGNING_SECRET),
}
"""Of connectors, by type: parameters that are secret as a whole."""

TELLING: Final = ("auth", "cookie", "credential", "key", "pass", "secret", "signature", "token")
"""A header whose name holds one of these has a secret for its value."""

Params = dict[str, Any]


def split_connector(kind: str, params: Params) -> tuple[Params, Params]:
    """(what events may say, what only the vault may hold)."""
    secret = {name: params[name] for name in SECRETS.get(kind, ()) if params.get(name)}
    return {name: value for name, value in params.items() if name not in SECRETS.get(kind, ())}, secret


def split_action(params: Params) -> tuple[Params, Params]:
    """The same for an alert action: the user and password in a webhook's address, and headers that prove who calls."""
    plain, secret = dict(params), Params()
    if "webhookUrl" in params:
        plain["webhookUrl"], secret[USERINFO] = _without_userinfo(params["webhookUrl"])
    if HEADERS in params:
        plain[HEADERS] = [_masked(header) for header in params[HEADERS]]
        secret[HEADERS] = {
            header["key"].lower(): header["value"] for header in params[HEADERS] if is_telling(header["key"])
        }
    return plain, {name: value for name, value in secret.items() if value}


def joined(plain: Params, secret: Params) -> Params:
    """Parameters as they were written, for those who call the tool; what is secret as a whole is beside them."""
    params = {**{name: value for name, value in secret.items() if name not in (USERINFO, HEADERS)}, **plain}
    if "webhookUrl" in plain:
        params["webhookUrl"] = _with_userinfo(plain["webhookUrl"], secret.get(USERINFO, ""))
    if HEADERS in plain:
        kept = secret.get(HEADERS, {})
        params[HEADERS] = [
            {**header, "value": kept.get(header["key"].lower(), header["value"])} for header in plain[HEADERS]
        ]
    return params


def is_telling(header: str) -> bool:
    """Whether a header's value is a secret, by its name."""
    return any(word in header.lower() for word in TELLING)


def _without_userinfo(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    userinfo, at, host = parts.netloc.rpartition("@")
    return (urlunsplit(parts._replace(netloc=f"{MASK}@{host}")), userinfo) if at else (url, "")


def _with_userinfo(url: str, userinfo: str) -> str:
    parts = urlsplit(url)
    _, at, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{userinfo}@{host}" if userinfo else host)) if at else url


def _masked(header: dict[str, str]) -> dict[str, str]:
    return {**header, "value": MASK} if is_telling(header["key"]) else header
