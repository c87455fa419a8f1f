"""Traces: a `traceparent` comes in, a span is exported over OTLP, and the span's own `traceparent` goes on.

    with telemetry.span("signal.accepted", parent=envelope.traceparent, attributes={"source": 7}) as span:
        …; Cause(envelope.id, span.traceparent)

The context travels in the envelopes, through ledger and topics, so that one trace reaches from a tool's POST to the
mail server's answer, across processes. Without OTLP_ENDPOINT nothing is recorded, and a given context passes on as it came.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

EXPORT_EVERY_MS = 500
EXPORT_WITHIN_S = 5
FLUSH_WITHIN_MS = 400

Attributes = Mapping[str, str | int | float | bool]


class Kind(Enum):
    """What a span is to its neighbours."""

    INSIDE = SpanKind.INTERNAL
    SERVER = SpanKind.SERVER
    CLIENT = SpanKind.CLIENT
    PRODUCER = SpanKind.PRODUCER
    CONSUMER = SpanKind.CONSUMER


@dataclass(frozen=True)
class Traced:
    """A span under way. `traceparent` is what its consequences carry; None when nothing is traced."""

    traceparent: str | None
    _span: trace.Span | None = None

    def note(self, attributes: Attributes) -> None:
        """Add what was learned on the way. Never keys, addresses or names."""
        if self._span is not None:
            self._span.set_attributes(dict(attributes))

    def failed(self, reason: str) -> None:
        if self._span is not None:
            self._span.set_status(Status(StatusCode.ERROR, reason))


_provider: TracerProvider | None = None
_propagator = TraceContextTextMapPropagator()


def setup(endpoint: str, process: str) -> None:
    """Export spans to `<endpoint>/v1/traces`; an empty endpoint switches tracing off."""
    global _provider  # noqa: PLW0603 -- there is one per process
    shutdown()
    if endpoint:
        exporter = OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces", timeout=EXPORT_WITHIN_S)
        _provider = TracerProvider(resource=Resource({"service.namespace": "alarum", "service.name": process}))
        _provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=EXPORT_EVERY_MS))


def shutdown() -> None:
    """Export what is left, for a moment. Blocks: call it when nothing else runs any more."""
    global _provider  # noqa: PLW0603
    if _provider is not None:
        _provider.force_flush(FLUSH_WITHIN_MS)
        _provider.shutdown()
        _provider = None


def enabled() -> bool:
    return _provider is not None


@contextmanager
def span(
    name: str, parent: str | None = None, *, kind: Kind = Kind.INSIDE, attributes: Attributes | None = None
) -> Iterator[Traced]:
    """A span under `parent` (a W3C traceparent), or the root of a new trace. An exception marks it as failed."""
    if _provider is None:
        yield Traced(parent)
        return
    context = _propagator.extract({"traceparent": parent}) if parent else None
    tracer = _provider.get_tracer("alarum")
    started = tracer.start_span(name, context, kind=kind.value, attributes=dict(attributes or {}))
    traced = Traced(_traceparent(started), started)
    try:
        yield traced
    except Exception as error:
        traced.failed(type(error).__name__)  # its text may hold what must not leave
        raise
    finally:
        started.end()


def _traceparent(started: trace.Span) -> str | None:
    carrier: dict[str, str] = {}
    _propagator.inject(carrier, trace.set_span_in_context(started))
    return carrier.get("traceparent")
