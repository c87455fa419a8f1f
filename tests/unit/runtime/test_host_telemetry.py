"""Spans hang together by their traceparent alone, and arrive at an OTLP receiver."""

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from runtime import telemetry
from runtime.telemetry import Kind


class Receiver:
    """An OTLP/HTTP collector that keeps what it gets."""

    def __init__(self) -> None:
        self.requests: list[ExportTraceServiceRequest] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                assert self.path == "/v1/traces"
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.requests.append(ExportTraceServiceRequest.FromString(body))
                self.send_response(200)
                self.end_headers()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                return

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def spans(self) -> dict[str, Span]:
        resources = [resource for request in self.requests for resource in request.resource_spans]
        return {span.name: span for resource in resources for scope in resource.scope_spans for span in scope.spans}

    def processes(self) -> set[str]:
        resources = [resource.resource for request in self.requests for resource in request.resource_spans]
        return {a.value.string_value for each in resources for a in each.attributes if a.key == "service.name"}

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    made = Receiver()
    yield made
    telemetry.shutdown()
    made.close()


def test_one_trace_reaches_across_processes_by_its_traceparent(receiver: Receiver) -> None:
    telemetry.setup(receiver.url, "front")
    with telemetry.span("POST /api/events", kind=Kind.SERVER) as posted:
        pass
    telemetry.setup(receiver.url, "core")  # another process: it knows nothing but the envelope
    with telemetry.span("alert.created", posted.traceparent, kind=Kind.CONSUMER) as created:
        pass
    with telemetry.span("smtp", created.traceparent, kind=Kind.CLIENT, attributes={"attempt": 1}) as sent:
        sent.note({"reply": "250 ok"})
    telemetry.shutdown()

    spans = receiver.spans()
    post, alert, smtp = spans["POST /api/events"], spans["alert.created"], spans["smtp"]
    assert post.trace_id == alert.trace_id == smtp.trace_id
    assert (post.parent_span_id, alert.parent_span_id, smtp.parent_span_id) == (b"", post.span_id, alert.span_id)
    assert {a.key: a.value.string_value or a.value.int_value for a in smtp.attributes} == {
        "attempt": 1,
        "reply": "250 ok",
    }
    assert receiver.processes() == {"front", "core"}


def test_a_foreign_traceparent_is_continued(receiver: Receiver) -> None:
    telemetry.setup(receiver.url, "front")
    foreign = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with telemetry.span("POST", foreign) as span:
        assert span.traceparent is not None
        assert span.traceparent.startswith("00-0af7651916cd43dd8448eb211c80319c-")
        assert span.traceparent != foreign
    telemetry.shutdown()
    assert receiver.spans()["POST"].parent_span_id.hex() == "b7ad6b7169203331"


@pytest.mark.parametrize("nonsense", ["", "nonsense", "00-zz-zz-01"])
def test_a_malformed_traceparent_begins_a_new_trace(receiver: Receiver, nonsense: str) -> None:
    telemetry.setup(receiver.url, "front")
    with telemetry.span("POST", nonsense):
        pass
    telemetry.shutdown()
    assert receiver.spans()["POST"].parent_span_id == b""


def test_a_failure_is_marked_without_its_text(receiver: Receiver) -> None:
    telemetry.setup(receiver.url, "core")
    with pytest.raises(ValueError, match="ada"), telemetry.span("smtp"):
        raise ValueError("no such mailbox: ada@example.org")
    telemetry.shutdown()
    span = receiver.spans()["smtp"]
    assert span.status.message == "ValueError"
    assert b"ada@" not in span.SerializeToString()


def test_switched_off_a_given_context_passes_on() -> None:
    telemetry.setup("", "front")
    assert not telemetry.enabled()
    with telemetry.span("POST", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01") as span:
        span.note({"ignored": 1})
        assert span.traceparent == "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    with telemetry.span("POST") as span:
        assert span.traceparent is None
