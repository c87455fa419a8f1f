"""One trace from a tool's POST to the mail server's answer, through four processes and three topics."""

from collections.abc import Mapping

from opentelemetry.proto.trace.v1.trace_pb2 import Span as Otlp

from tests.e2e.roles import Roles, Span
from tests.e2e.suite import Suite, eventually

# Whose span it is, what it is called, and what it is to its neighbours; each is the parent of the next.
CHAIN = [
    ("ingest.gateway", "signal.accepted", Otlp.SPAN_KIND_SERVER),
    ("ingest.worker", "ingest.worker signal.received", Otlp.SPAN_KIND_CONSUMER),
    ("escalator.worker", "escalator.worker alert.created", Otlp.SPAN_KIND_CONSUMER),
    ("notifier.worker", "notifier.worker escalation.level_reached", Otlp.SPAN_KIND_CONSUMER),
    ("notifier.worker", "smtp send", Otlp.SPAN_KIND_CLIENT),
]
SENDERS = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def paged(suite: Suite, name: str, headers: Mapping[str, str]) -> None:
    """One alert that reaches one person."""
    user = suite.user(name)
    policy = suite.policy(f"Trace {name}", {"users": [{"id": user["id"]}]})
    source = suite.source(f"Trace {name}", policy["id"])
    event = {"integrationKey": source["integrationKey"], "eventType": "ALERT", "summary": name}
    assert suite.public.post("/api/events", json=event, headers=headers).status_code == 202
    eventually(lambda: suite.mails(f"{name}@example.org"), what="the mail")


def chain_to(roots: list[Span], spans: list[Span]) -> list[Span]:
    """From the newest of these roots down to its mail, by parent links; empty while a link is missing."""
    by_id = {span.id: span for span in spans}
    mails = [span for span in spans if span.name == "smtp send" and roots and span.trace == roots[-1].trace]
    chain = mails[:1]
    while chain and chain[0].parent in by_id:
        chain.insert(0, by_id[chain[0].parent])
    return chain if chain and roots and chain[0] == roots[-1] else []


def described(chain: list[Span]) -> list[tuple[str, str, int]]:
    return [(span.process, span.name, span.kind) for span in chain]


def test_one_trace_runs_from_the_post_to_the_smtp_span(roles: Roles) -> None:
    earlier = len(roles.receiver.spans)
    paged(roles.suite, "traced", {})

    def whole() -> list[Span]:
        spans = roles.receiver.spans[earlier:]
        return chain_to([span for span in spans if span.kind == Otlp.SPAN_KIND_SERVER and not span.parent], spans)

    chain = eventually(whole, what=f"a whole trace among {roles.receiver.spans[earlier:]}")
    assert described(chain) == CHAIN
    assert len({span.trace for span in chain}) == 1


def test_a_senders_own_trace_goes_on_in_ours(roles: Roles) -> None:
    _, trace, parent, _ = SENDERS.split("-")
    paged(roles.suite, "continued", {"traceparent": SENDERS})

    def whole() -> list[Span]:
        spans = [span for span in roles.receiver.spans if span.trace == trace]
        return chain_to([span for span in spans if span.parent == parent], spans)

    assert described(eventually(whole, what="our part of the sender's trace")) == CHAIN
