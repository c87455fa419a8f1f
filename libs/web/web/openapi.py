"""The suite's one OpenAPI document, served: in comes where the suite is reached, out goes `/api-docs/openapi.json`.

It is data of this package, generated from all services by `python -m launcher.openapi`, so that whoever serves it need
not know the others. ilert's CLI builds its commands from it.
"""

import hashlib
import json
from importlib.resources import files
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

PATH: Final = "/api-docs/openapi.json"
FILE: Final = "openapi.json"


def routes(public_url: str) -> list[BaseRoute]:
    """Without a sign-in: it says what can be asked, and nothing that was answered."""
    body = json.dumps(document() | {"servers": [{"url": public_url}]}, ensure_ascii=False).encode()
    # weak: the same document goes out with and without compression
    tag = f'W/"{hashlib.sha256(body).hexdigest()[:16]}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache", "Access-Control-Allow-Origin": "*"}

    async def serve(request: Request) -> Response:
        if _knows(request, tag):
            return Response(status_code=304, headers=headers)
        return Response(body, headers=headers, media_type="application/json")

    return [Route(PATH, serve, methods=["GET"])]


def document() -> dict[str, Any]:
    """The document as it was generated, with the server left relative."""
    read: dict[str, Any] = json.loads((files("web") / FILE).read_text(encoding="utf-8"))
    return read


def _knows(request: Request, tag: str) -> bool:
    known = request.headers.get("if-none-match", "")
    return any(one.strip().removeprefix("W/") == tag.removeprefix("W/") for one in known.split(","))
