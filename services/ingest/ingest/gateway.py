"""Where tools post: a request comes in, `signal.received` goes to Kafka, and only then the sender hears a 2xx.

    body -> JSON -> key known? -> parser's verdict -> is the gate open? -> produced (acks=all) -> answer in the sender's dialect

There is no database on this path. Honesty: an idempotent producer delivers what it was given even if we answered 503,
so the gate is before producing. While the oldest send waits for more than 300 ms, nothing is handed over and the
answer is 503 `BROKER_BUSY`; what was handed over before waits 5 s at most, then hears 503 `IN_DOUBT`: it may be stored.
Overload is 503, never 429: Alertmanager does not repeat after a 4xx.
"""

import asyncio
import json
import re
import uuid
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from events.envelope import Envelope, encode
from events.ingest import SignalReceived, SourceChanged
from events.topics import SIGNALS
from ingest.canonical import Asked, Rejected, ToolEvent
from ingest.intake import Grouping
from ingest.integrations import PARSERS
from ingest.keys import Keys
from runtime import metrics, telemetry
from runtime.metrics import SIGNALS as SIGNALS_TOLD
from runtime.ports import Clock, Message, Producer, Unavailable
from web.bodies import parse_json
from web.errors import CODES, ApiError, error_json
from web.guards import MAX_BODY, BodyLimit, SafeAnswers, Unexpected

SHUT_AFTER_S: Final = 0.3
IN_FLIGHT_S: Final = 5.0
MAX_SENDER_ID: Final = 255
TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
ANSWERS: Final = {"BROKER_BUSY": "busy", "IN_DOUBT": "in_doubt"}
CLOUD_EVENT: Final = "application/cloudevents+json"
SIGNAL_IDS: Final = uuid.UUID("6d9a1c1e-5f3b-5c57-9d0b-2f2f6a3e7b10")
KEPT_HEADERS: Final = ("user-agent", "content-type", "ce-id", "ce-source", "ce-type", "ce-time")

BodyKey = tuple[str, ...]


@dataclass(frozen=True)
class Accepted:
    """A signal that is stored: what dialects answer with."""

    signal: str
    source: int
    events: tuple[ToolEvent, ...]
    public_url: str

    @property
    def alert_key(self) -> str | None:
        return self.events[0].alert_key if self.events else None

    @property
    def url(self) -> str:
        """A link by key: whether it becomes an alert, and which, is decided later."""
        key = {"key": self.alert_key} if self.alert_key else {}
        return f"{self.public_url}/alerts?{urlencode({'source': self.source, **key})}"


@dataclass(frozen=True)
class Dialect:
    """How one family of senders speaks: its parser, where its key may stand in the body, and what it insists to hear."""

    integration: str
    key_fields: BodyKey
    say: Callable[[Accepted], Response]


def _published(accepted: Accepted) -> Response:
    """`POST /api/events`: 202 with a JSON object, for ilert-go decodes one."""
    body = {"alertKey": accepted.alert_key, "alertUrl": accepted.url, "signal": accepted.signal}
    return _json(202, body | {"responseCode": "EVENT_ACCEPTED"})


def _older(accepted: Accepted) -> Response:
    """`/api/v1/events…`: exactly 200, for older clients take 202 for a failure; with the older names besides."""
    key, url = accepted.alert_key, accepted.url
    return _json(
        200,
        {
            "alertKey": key,
            "incidentKey": key,
            "alertUrl": url,
            "incidentUrl": url,
            "signal": accepted.signal,
            "responseCode": "EVENT_ACCEPTED",
        },
    )


def _pagerduty(accepted: Accepted) -> Response:
    """`/v2/enqueue`: 202 with `dedup_key`, which the client needs to resolve."""
    return _json(202, {"status": "success", "message": "Event processed", "dedup_key": accepted.alert_key})


def _json(status: int, body: Mapping[str, object]) -> Response:
    present = {name: value for name, value in body.items() if value is not None}
    return JSONResponse(present, status, headers={"Cache-Control": "no-store"})


API_KEYS: Final = ("integrationKey", "apiKey")
PUBLISHED: Final = Dialect("api", API_KEYS, _published)
OLDER: Final = Dialect("api", API_KEYS, _older)
PAGERDUTY: Final = Dialect("pagerduty", ("routing_key",), _pagerduty)
BY_PATH: Final = {
    "api": OLDER,
    "prometheus": Dialect("prometheus", (), _older),
}


class Gateway:
    """One per process: keys are a view in memory, the producer is the process' only one."""

    def __init__(
        self,
        keys: Keys,
        caught_up: Callable[[], Awaitable[None]],
        producer: Callable[[], Producer],
        clock: Clock,
        public_url: str,
    ) -> None:
        self._keys, self._caught_up = keys, caught_up
        self._producer, self._clock, self._public_url = producer, clock, public_url
        self._in_flight: set[asyncio.Task[Any]] = set()

    def app(self) -> Starlette:
        """The ASGI app."""
        routes = [
            Route("/api/events", self._on(self._published), methods=["POST"]),
            Route("/api/v1/events", self._on(self._older), methods=["POST"]),
            Route("/api/v1/events/{integration}/{key}", self._on(self._by_path), methods=["POST"]),
            Route("/v2/enqueue", self._on(self._enqueue), methods=["POST"]),
        ]
        app = Starlette(routes=routes, exception_handlers={HTTPException: _http_exception})
        app.router.redirect_slashes = False
        app.add_middleware(BodyLimit, max_body=MAX_BODY)
        app.add_middleware(Unexpected)
        app.add_middleware(SafeAnswers)
        return app

    def _on(self, handle: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def endpoint(request: Request) -> Response:
            try:
                response = await handle(request)
            except ApiError as error:
                response = error_json(error.status, error.code, error.message, error.headers)
                SIGNALS_TOLD.labels(ANSWERS.get(error.code, "refused")).inc()
            else:
                SIGNALS_TOLD.labels("accepted").inc()
            return response

        return endpoint

    async def _published(self, request: Request) -> Response:
        return await self._receive(request, PUBLISHED)

    async def _older(self, request: Request) -> Response:
        return await self._receive(request, OLDER)

    async def _enqueue(self, request: Request) -> Response:
        return await self._receive(request, PAGERDUTY)

    async def _by_path(self, request: Request) -> Response:
        dialect = BY_PATH.get(request.path_params["integration"].lower())
        if dialect is None:
            raise ApiError(404, "NOT_FOUND", f"There is no integration at {request.url.path.rpartition('/')[0]}")
        return await self._receive(request, dialect, request.path_params["key"].strip())

    async def _receive(self, request: Request, dialect: Dialect, key: str | None = None) -> Response:
        """The whole path of one request."""
        said = _unwrapped(request, parse_json(await _body(request)))
        key = key or _key_in(said.payload, dialect.key_fields)
        source = await self._source(key)
        payload, body = _without_key(said.payload, key, f"source-{source.source}")
        events = _parsed(dialect, payload, source)
        signal = self._signal(request, dialect, source, key, body, said.sender_id)
        about: dict[str, str | int | float | bool] = {"source": source.source, "integration": dialect.integration}
        given = request.headers.get("traceparent", "")
        parent = given if TRACEPARENT.fullmatch(given) else None
        with telemetry.span("signal.accepted", parent, kind=telemetry.Kind.SERVER, attributes=about) as span:
            await self._produce(signal, span.traceparent)
        return dialect.say(Accepted(signal.signal, source.source, events, self._public_url))

    async def _source(self, key: str) -> SourceChanged:
        """Whose key it is; one of a second ago may not have been read yet."""
        known = self._keys.source_of(key)
        if known is None:
            try:
                await self._caught_up()
            except Unavailable:
                raise ApiError(503, "UNAVAILABLE", "Keys cannot be checked right now; send it again") from None
            known = self._keys.source_of(key)
        if known is None:
            raise ApiError(403, "KEY_ERROR", "This integration key is unknown or was revoked")
        return known

    def _signal(
        self, request: Request, dialect: Dialect, source: SourceChanged, key: str, body: str, sender_id: str | None
    ) -> SignalReceived:
        """The fact to be stored; the key gives way to the source's id in its address and its headers, too."""
        headers = request.headers

        def clean(text: str) -> str:
            return text.replace(key, f"source-{source.source}")

        return SignalReceived(
            signal=_signal_id(source.source, sender_id),
            source=source.source,
            integration=dialect.integration,
            content_type=clean(headers.get("content-type", "application/json"))[:100],
            headers={name: clean(headers[name])[:500] for name in KEPT_HEADERS if name in headers},
            query={clean(name)[:100]: clean(value)[:500] for name, value in request.query_params.items()},
            body=body,
            sender_id=sender_id and clean(sender_id),
            at=self._clock.now(),
        )

    async def _produce(self, signal: SignalReceived, traceparent: str | None) -> None:
        """Stored when this returns. Raises ApiError 503: nothing was handed over, or it may be stored (`IN_DOUBT`)."""
        producer = self._producer()
        if producer.oldest_unacknowledged_s() > SHUT_AFTER_S:
            metrics.SIGNALS.labels("busy").inc()
            raise ApiError(503, "BROKER_BUSY", "Not stored: the broker is slow; send it again", {"Retry-After": "1"})
        envelope = Envelope(signal, signal.stream, 0, "ingest", traceparent=traceparent)
        sending = asyncio.ensure_future(producer.send([Message(SIGNALS.name, signal.key, encode(envelope))]))
        self._in_flight.add(sending)
        sending.add_done_callback(self._over)
        try:
            async with asyncio.timeout(IN_FLIGHT_S):
                await asyncio.shield(sending)
            metrics.SIGNALS.labels("accepted").inc()
        except (TimeoutError, Unavailable):
            metrics.SIGNALS.labels("in_doubt").inc()
            raise ApiError(
                503, "IN_DOUBT", "It may be stored or not: send it again, with the same alert key", {"Retry-After": "1"}
            ) from None

    def _over(self, sending: "asyncio.Future[Any]") -> None:
        """Nobody may wait for it any more; its failure was told as `IN_DOUBT`."""
        self._in_flight.discard(sending)
        if not sending.cancelled():
            sending.exception()


@dataclass(frozen=True)
class _Said:
    """What was sent, and the id by which its sender would send it again."""

    payload: Any
    sender_id: str | None


async def _body(request: Request) -> bytes:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind and kind != "application/json" and not (kind.startswith("application/") and kind.endswith("+json")):
        raise ApiError(415, "UNSUPPORTED_MEDIA_TYPE", f"Content-Type: must be application/json, not {kind[:80]}")
    return await request.body()


def _unwrapped(request: Request, payload: Any) -> _Said:
    """A structured CloudEvent is taken out of its wrapping; ids of CloudEvents and `Idempotency-Key` name a repeat."""
    idempotency = request.headers.get("idempotency-key")
    if idempotency:
        return _Said(_data_of(request, payload), _bounded("Idempotency-Key", f"idempotency-key:{idempotency}"))
    if request.headers.get("content-type", "").startswith(CLOUD_EVENT) and isinstance(payload, dict):
        name = f"cloudevent:{payload.get('source', '')}#{payload.get('id', '')}"
        return _Said(_data_of(request, payload), _bounded("id", name) if payload.get("id") else None)
    if "ce-id" in request.headers:
        name = f"cloudevent:{request.headers.get('ce-source', '')}#{request.headers['ce-id']}"
        return _Said(payload, _bounded("ce-id", name))
    return _Said(payload, None)


def _data_of(request: Request, payload: Any) -> Any:
    if not request.headers.get("content-type", "").startswith(CLOUD_EVENT):
        return payload
    if not isinstance(payload, dict) or not isinstance(payload.get("data"), dict):
        raise ApiError(400, "VALIDATION_ERROR", "data: is required, and must be a JSON object")
    return payload["data"]


def _bounded(field: str, sender_id: str) -> str:
    if len(sender_id) > MAX_SENDER_ID:
        raise ApiError(400, "VALIDATION_ERROR", f"{field}: must have at most {MAX_SENDER_ID - 30} characters")
    return sender_id


def _key_in(payload: Any, names: BodyKey) -> str:
    """The key in the body. 400 for what is no object, 401 where no key is given."""
    if not isinstance(payload, dict):
        raise ApiError(400, "VALIDATION_ERROR", "the body: must be a JSON object")
    found = next((payload[name] for name in names if payload.get(name)), None)
    if found is None:
        raise ApiError(401, "UNAUTHORIZED", f"{names[0] if names else 'key'}: is required")
    if not isinstance(found, str):
        raise ApiError(400, "VALIDATION_ERROR", f"{names[0]}: must be text")
    if not found.strip():
        raise ApiError(401, "UNAUTHORIZED", f"{names[0]}: is required")
    return found.strip()


def _without_key(payload: Any, key: str, mark: str) -> tuple[Any, str]:
    """The payload as it is stored and read from now on, and its text: the key gives way wherever it stands."""
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
    if key not in text:
        return payload, text
    clean = text.replace(key, mark)
    return json.loads(clean), clean


def _parsed(dialect: Dialect, payload: Any, source: SourceChanged) -> tuple[ToolEvent, ...]:
    asked = Asked(source.source, per_alert=source.alert_creation == Grouping.EXTRACTED)
    parsed = PARSERS[dialect.integration](payload, asked)
    if isinstance(parsed, Rejected):
        raise ApiError(400, "VALIDATION_ERROR", parsed.text)
    return parsed


def _signal_id(source: int, sender_id: str | None) -> str:
    """Its own, unless the sender would say it again under an id: then the same one again."""
    return str(uuid.uuid5(SIGNAL_IDS, f"{source}:{sender_id}") if sender_id else uuid.uuid4())


async def _http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = error.status_code
    message = (
        f"{request.method} is not possible at {request.url.path}"
        if status == 405
        else f"There is nothing at {request.url.path}"
    )
    return error_json(status, CODES.get(status, "BAD_REQUEST"), message, error.headers)
