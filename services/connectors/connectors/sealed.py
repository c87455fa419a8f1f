"""Which parameters are secret or personal: in come parameters as people write them, out come those for events and those
for the vault.

    filled(given, plain, kept) -> params        what was left out or masked is as it was
    split(params) -> (plain, kept)              `plain` goes into the event, `kept` is sealed in the cell, as JSON
    joined(plain, kept) -> params               for those who call the tool: everything
    shown(plain, kept) -> params                for those who read it back: no secrets
"""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from channels.mail import mask
from events.core import Refusal

MASK: Final = "***"
SIGNING: Final = "signingSecret"
CREDENTIALS: Final = ("password", "botToken")
"""What is sent to the tool to prove who calls; a signing secret never leaves us."""
SECRETS: Final = (*CREDENTIALS, SIGNING)
ADDRESSES: Final = ("url", "apiUrl", "webhookUrl")
PROOFS: Final = ("for", "headers", "userinfo")
"""Of a webhook: what proves who calls, and to which host."""
TELLING: Final = ("auth", "cookie", "credential", "key", "pass", "secret", "signature", "token")
"""A header whose name holds one of these has a secret for its value."""

Params = Mapping[str, Any]


def split(params: Params) -> tuple[dict[str, Any], dict[str, Any]]:
    """(what events may say, with masks; what only the vault may hold)."""
    plain = {name: value for name, value in params.items() if name not in SECRETS}
    kept = {name: params[name] for name in SECRETS if params.get(name)}
    if params.get("email"):
        plain["email"], kept["email"] = mask(params["email"]), params["email"]
    if params.get("recipients"):
        plain["recipients"], kept["recipients"] = [mask(one) for one in params["recipients"]], params["recipients"]
    if "@" in urlsplit(params.get("webhookUrl", "")).netloc:
        plain["webhookUrl"], kept["userinfo"] = _without_userinfo(params["webhookUrl"])
    if any(is_telling(header["key"]) for header in params.get("headers", ())):
        plain["headers"], kept["headers"] = _without_telling(params["headers"])
    if "userinfo" in kept or "headers" in kept:
        kept["for"] = list(origin(params) or ())
    return plain, kept


def joined(plain: Params, kept: Params) -> dict[str, Any]:
    """Parameters as they were written, secrets and all.

    A cell may be newer than the parameters that a run took along: what proves who calls goes to its own host only.
    """
    params = {**plain, **{name: value for name, value in kept.items() if name not in PROOFS}}
    if kept.get("for") != list(origin(plain) or ()):
        return params
    if "userinfo" in kept and _is_masked(plain.get("webhookUrl", "")):
        params["webhookUrl"] = _with_userinfo(plain["webhookUrl"], kept["userinfo"])
    if "headers" in kept and "headers" in plain:
        params["headers"] = [_unmasked(header, kept["headers"]) for header in plain["headers"]]
    return params


def shown(plain: Params, kept: Params) -> dict[str, Any]:
    """Parameters as they may be read back: personal data are there, of secrets a mask or nothing."""
    return {**plain, **{name: kept[name] for name in ("email", "recipients") if name in kept}}


def filled(given: Params, plain: Params, kept: Params) -> dict[str, Any] | Refusal:
    """`given` with the secrets that were left out or masked as they were; where to is called `params.…` in a refusal.

    Credentials go nowhere else than they were given for: with another address they must be given again.
    """
    has_moved = origin(given) != origin(plain)
    params = {**{name: kept[name] for name in SECRETS if name in kept}, **given}
    if has_moved and any(name in kept and name not in given for name in CREDENTIALS):
        name = next(name for name in CREDENTIALS if name in kept and name not in given)
        return _again(f"params.{name}", "must be given again, since the address is another")
    if _is_masked(given.get("webhookUrl", "")):
        if has_moved or "userinfo" not in kept:
            return _again(
                "params.webhookUrl",
                f"{MASK} stands for a user and password that are kept; none are kept for this address",
            )
        params["webhookUrl"] = _with_userinfo(given["webhookUrl"], kept["userinfo"])
    if "headers" in given:
        values: Mapping[str, str] = {} if has_moved else kept.get("headers", {})
        for number, header in enumerate(given["headers"]):
            if header["value"] == MASK and header["key"].lower() not in values:
                return _again(
                    f"params.headers.{number}.value",
                    f"{MASK} stands for a value that is kept; none is kept for this address",
                )
        params["headers"] = [_unmasked(header, values) for header in given["headers"]]
    return params


def origin(params: Params) -> tuple[str, str] | None:
    """Which host is called, and how; None when the parameters name no address."""
    address = next((params[name] for name in ADDRESSES if params.get(name)), None)
    parts = urlsplit(address) if address else None
    return (parts.scheme, parts.netloc.rpartition("@")[2].lower()) if parts else None


def is_telling(header: str) -> bool:
    """Whether a header's value is a secret, by its name."""
    return any(word in header.lower() for word in TELLING)


def _again(field: str, rule: str) -> Refusal:
    return Refusal("VALIDATION_ERROR", f"{field}: {rule}")


def _is_masked(url: str) -> bool:
    return urlsplit(url).netloc.rpartition("@")[0] == MASK


def _without_userinfo(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    userinfo, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{MASK}@{host}")), userinfo


def _with_userinfo(url: str, userinfo: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{userinfo}@{parts.netloc.rpartition('@')[2]}"))


def _without_telling(headers: list[dict[str, str]]) -> tuple[list[dict[str, str]], dict[str, str]]:
    masked = [{**header, "value": MASK} if is_telling(header["key"]) else header for header in headers]
    return masked, {header["key"].lower(): header["value"] for header in headers if is_telling(header["key"])}


def _unmasked(header: dict[str, str], values: Mapping[str, str]) -> dict[str, str]:
    return {**header, "value": values.get(header["key"].lower(), MASK)} if header["value"] == MASK else header
