"""The static reader: in comes a request of the public, out goes a file that the publisher wrote, or a calm 404.

It needs nothing but the folder: no broker, no base, no other service. A page is found below `/status/<subdomain>`, or by
the host name that a proxy hands on (`hosts.json`, else its first label). What is not public was never written.
"""

import asyncio
import hashlib
import json
import re
from base64 import b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers
from starlette.responses import RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from statuspage.files import HOSTS, LIVE

PREFIX: Final = "/status/"
MAX_AGE_S: Final = 10
FOR_EVER: Final = "public, max-age=31536000, immutable"
SHORTLY: Final = f"public, max-age={MAX_AGE_S}, stale-if-error=86400"
TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".atom": "application/atom+xml; charset=utf-8",
}
_LABEL: Final = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_STEP: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*(?:\.[a-z0-9]+)?")
_VERSIONED: Final = re.compile(r".*-[0-9a-f]{12}\.css")
_CALM_STYLE: Final = (
    "body{font:100%/1.5 system-ui,sans-serif;max-width:34rem;margin:15vh auto;padding:0 1rem;color:#1b1f24;"
    "background:#f6f7f9}h1{font-size:1.5rem}"
    "@media(prefers-color-scheme:dark){body{color:#e6e9ed;background:#0f1216}}"
)
_CALM_HASH: Final = b64encode(hashlib.sha256(_CALM_STYLE.encode()).digest()).decode()


def policy(public_url: str) -> str:
    """What browsers may load for a page: its own style, images from anywhere; its form goes to the suite."""
    parts = urlsplit(public_url)
    return (
        "default-src 'none'; style-src 'self'; img-src 'self' https: http: data:; base-uri 'none'; "
        f"form-action 'self' {parts.scheme}://{parts.netloc}; frame-ancestors 'none'"
    )


class Reader:
    """An ASGI app on the publisher's folder."""

    def __init__(self, root: Path, public_url: str) -> None:
        self._live, self._hosts = root / LIVE, root / HOSTS
        self._own = urlsplit(public_url).hostname or ""
        self._csp = policy(public_url)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        response = await asyncio.to_thread(self._answer, scope["method"], scope["path"], Headers(scope=scope))
        await response(scope, receive, send)

    def _answer(self, method: str, path: str, headers: Headers) -> Response:
        if method not in ("GET", "HEAD"):
            return self._calm(
                405, "This can only be read", "A status page answers GET and HEAD.", {"Allow": "GET, HEAD"}
            )
        subdomain, steps = self._place(path, headers.get("host", ""))
        if subdomain is None or not (self._live / subdomain).is_dir():
            return self._missing()
        if moved := _moved(path, subdomain, steps):
            return RedirectResponse(moved, 308, {"Cache-Control": SHORTLY})
        return self._file(subdomain, steps, headers)

    def _place(self, path: str, host: str) -> tuple[str | None, list[str]]:
        """The page that is meant and the steps below its root; a last empty step is a slash at the end."""
        if path.startswith(PREFIX):
            subdomain, *steps = path.removeprefix(PREFIX).split("/")
            return (subdomain if _LABEL.fullmatch(subdomain) else None), steps
        name = _name(host)
        label = self._known_hosts().get(name, name.partition(".")[0])
        return (label if _LABEL.fullmatch(label) and name != self._own else None), path.removeprefix("/").split("/")

    def _file(self, subdomain: str, steps: list[str], headers: Headers) -> Response:
        steps = ["index.html"] if steps == [""] else steps
        if not all(_STEP.fullmatch(step) for step in steps):
            return self._missing()
        name = steps[-1] if "." in steps[-1] else f"{steps[-1]}.html"
        content = self._read(subdomain, [*steps[:-1], name])
        if content is None or (suffix := Path(name).suffix) not in TYPES:
            return self._missing()
        etag = f'"{hashlib.sha256(content).hexdigest()[:20]}"'
        told = self._headers(suffix) | {
            "ETag": etag,
            "Cache-Control": FOR_EVER if _VERSIONED.fullmatch(name) else SHORTLY,
        }
        if _matches(headers.get("if-none-match", ""), etag):
            return Response(status_code=304, headers=told)
        return Response(content, 200, told | {"Content-Type": TYPES[suffix]})

    def _read(self, subdomain: str, steps: list[str]) -> bytes | None:
        """Twice at most: the version that was there a moment ago may be gone."""
        for _attempt in (1, 2):
            try:
                return (self._live / subdomain).resolve(strict=True).joinpath(*steps).read_bytes()
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                continue
        return None

    def _known_hosts(self) -> Mapping[str, str]:
        try:
            found = json.loads(self._hosts.read_bytes())
        except (OSError, ValueError):
            return {}
        return {str(host): str(page) for host, page in found.items()} if isinstance(found, dict) else {}

    def _headers(self, suffix: str) -> dict[str, str]:
        safe = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "strict-origin-when-cross-origin"}
        if suffix == ".html":
            return safe | {"Content-Security-Policy": self._csp}
        return safe | {"Access-Control-Allow-Origin": "*"}

    def _missing(self) -> Response:
        text = "There is no status page at this address. Perhaps it is private, was moved, or is not shown any more."
        return self._calm(404, "Nothing is shown here", text, {})

    def _calm(self, status: int, title: str, text: str, headers: Mapping[str, str]) -> Response:
        policy = f"default-src 'none'; style-src 'sha256-{_CALM_HASH}'; base-uri 'none'; frame-ancestors 'none'"
        told = {"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache"}
        return Response(_calm_page(title, text), status, {**told, **headers}, "text/html; charset=utf-8")


def _calm_page(title: str, text: str) -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="robots" content="noindex">'
        f"<title>{title}</title><style>{_CALM_STYLE}</style></head>"
        f"<body><main><h1>{title}</h1><p>{text}</p></main></body></html>"
    )


def _moved(path: str, subdomain: str, steps: list[str]) -> str | None:
    """Links are relative: a page's root ends with a slash, everything below does not."""
    if not steps:
        return f"{PREFIX}{subdomain}/"
    if len(steps) > 1 and steps[-1] == "" and all(steps[:-1]):
        return quote(path.rstrip("/"))
    return None


def _matches(if_none_match: str, etag: str) -> bool:
    tags = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag in tags or tags == ["*"]


def _name(host: str) -> str:
    """Without the port, in small letters."""
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdigit() else host).strip("[]").lower().rstrip(".")
