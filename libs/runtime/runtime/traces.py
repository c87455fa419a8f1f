"""One trace through the suite: each event is handled under a span whose parent is the span that decided it."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from runtime import telemetry
from runtime.records import Received


@contextmanager
def batch(reader: str, received: Sequence[Received]) -> Iterator[list[Received]]:
    """The same events, each under a span of this reader's, so that what is decided from it becomes that span's child."""
    if not telemetry.enabled():
        yield list(received)
        return
    with ExitStack() as spans:
        yield [_under(spans, reader, each) for each in received]


def _under(spans: ExitStack, reader: str, received: Received) -> Received:
    envelope = received.envelope
    attributes = {"messaging.destination.name": received.topic, "event.id": envelope.id}
    span = telemetry.span(
        f"{reader} {envelope.type}", envelope.traceparent, kind=telemetry.Kind.CONSUMER, attributes=attributes
    )
    return replace(received, envelope=replace(envelope, traceparent=spans.enter_context(span).traceparent))
