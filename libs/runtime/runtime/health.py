"""The ops server's app: /healthz says that the process lives, /readyz whether its roles do their work, /metrics how well."""

from collections.abc import Callable, Sequence

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from runtime import metrics
from runtime.relay import Relay
from runtime.role import Role

PROMETHEUS = "text/plain; version=0.0.4; charset=utf-8"


def app(roles: Sequence[Role], stopping: Callable[[], bool] = lambda: False) -> Starlette:
    """`stopping` makes the process unready from the first moment of its end, so that nobody sends it more."""

    async def alive(_request: Request) -> Response:
        return PlainTextResponse("alive\n")

    async def ready(_request: Request) -> Response:
        waits = {role.name: reasons for role in roles if (reasons := role.waits_for())}
        if stopping():
            waits["process"] = ["stopping"]
        return JSONResponse({"ready": not waits, "waits_for": waits}, status_code=503 if waits else 200)

    async def show_metrics(_request: Request) -> Response:
        for role in roles:
            _look_at(role)
        return Response(metrics.exposition(), media_type=PROMETHEUS)

    return Starlette(
        routes=[Route("/healthz", alive), Route("/readyz", ready), Route("/metrics", show_metrics)],
    )


def _look_at(role: Role) -> None:
    """What parts know of themselves, taken down when somebody asks."""
    metrics.ROLE_READY.labels(role.name).set(0 if role.waits_for() else 1)
    service, _, _ = role.name.partition(".")
    for part in role.parts:
        if isinstance(part, Relay) and part.leads:
            metrics.OUTBOX_LINES.labels(service).set(part.waiting)
            metrics.OUTBOX_AGE_SECONDS.labels(service).set(part.oldest_s)
            metrics.RELAYED.labels(service).set(part.sent)
