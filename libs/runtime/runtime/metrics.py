"""What a process tells Prometheus: every metric of the suite, each with its sentence; `/metrics` of the ops server shows them.

    metrics.TICK_LATE.labels("escalator").observe(0.004)

Labels have few values, known beforehand: never an id, a key or an address.
"""

from dataclasses import dataclass
from typing import Generic, TypeVar

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

M = TypeVar("M", bound=MetricWrapperBase)

REGISTRY = CollectorRegistry()
ProcessCollector(registry=REGISTRY)
PlatformCollector(registry=REGISTRY)
GCCollector(registry=REGISTRY)

QUICK = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
PATIENT = (0.01, 0.05, 0.1, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800)
SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500)


@dataclass(frozen=True)
class Metric(Generic[M]):
    """A name, what it says, and the metric itself."""

    name: str
    says: str
    of: M


_all: list[Metric[MetricWrapperBase]] = []


def _counter(name: str, says: str, *labels: str) -> Counter:
    return _known(name, says, Counter(name, says, labels, registry=REGISTRY))


def _gauge(name: str, says: str, *labels: str) -> Gauge:
    return _known(name, says, Gauge(name, says, labels, registry=REGISTRY))


def _histogram(name: str, says: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
    return _known(name, says, Histogram(name, says, labels, buckets=buckets, registry=REGISTRY))


def _known(name: str, says: str, metric: M) -> M:
    _all.append(Metric(name, says, metric))
    return metric


# -- the edge

HTTP_SECONDS = _histogram(
    "alarum_http_seconds", "How long requests took until the answer began.", QUICK, "role", "method", "status"
)
HTTP_UNDER_WAY = _gauge("alarum_http_under_way", "Requests that are being answered, live streams included.", "role")
SIGNALS = _counter(
    "alarum_signals_total", "Signals at the gateway: accepted (stored), busy (not taken) or in doubt.", "answer"
)

# -- the ledger and the relay

TRANSACTIONS = _counter("alarum_transactions_total", "Units of work, by how they ended.", "service", "outcome")
TRANSACTION_SECONDS = _histogram("alarum_transaction_seconds", "How long units of work took.", QUICK, "service")
EVENTS_DECIDED = _counter("alarum_events_decided_total", "Events that were appended to the ledger.", "service", "type")
OUTBOX_LINES = _gauge("alarum_outbox_lines", "Events that the broker has not acknowledged yet.", "service")
OUTBOX_AGE_SECONDS = _gauge(
    "alarum_outbox_age_seconds",
    "Age of the oldest event that the broker has not acknowledged: alarm above 10.",
    "service",
)
RELAYED = _gauge(
    "alarum_relayed_events", "Events that the broker acknowledged since this process began to lead.", "service"
)
UNACKNOWLEDGED_SECONDS = _gauge(
    "alarum_unacknowledged_seconds", "How long the producer's oldest send has waited; the gateway shuts above 0.3."
)

# -- readers

RECORDS = _counter(
    "alarum_records_total",
    "Records that were read: handled, skipped (only newer code knows their type) or parked.",
    "reader",
    "fate",
)
BATCH_SIZES = _histogram("alarum_batch_records", "Records that were handled in one transaction.", SIZES, "reader")
READER_LAG = _gauge(
    "alarum_reader_lag_records", "Records between a reader's position and the end of its topics.", "reader"
)
READER_STOPPED = _gauge(
    "alarum_reader_stopped", "1 when a reader stopped because its position fits no topic: a person must act.", "reader"
)
GAP_SECONDS = _gauge(
    "alarum_gap_seconds", "How long a reader has waited for an event that others already refer to.", "reader"
)
VIEW_BEHIND = _gauge("alarum_view_behind_records", "Records that a view in memory has still to read.", "view")
BARRIER_SECONDS = _histogram(
    "alarum_barrier_seconds", "How long a look-up waited for a view to catch up, by how that ended.", QUICK, "outcome"
)

# -- time

TICK_LATE_SECONDS = _histogram(
    "alarum_tick_late_seconds", "How long after its due instant a stream was ticked.", QUICK, "service"
)
TICKED = _counter("alarum_ticked_total", "Streams whose time had come.", "service")
GATE_SECONDS = _histogram("alarum_gate_seconds", "How long ticks and messages waited at a gate.", PATIENT, "reader")
GATE_TIMED_OUT = _counter(
    "alarum_gate_timed_out_total", "Times that a gate let pass without having seen everything: alarm above 0.", "reader"
)

# -- what goes outside

DELIVERIES = _counter(
    "alarum_deliveries_total", "Attempts to send something outside, by how they ended.", "channel", "outcome"
)
DELIVERY_SECONDS = _histogram(
    "alarum_delivery_seconds", "From the decision to send until the other side took it.", PATIENT, "channel"
)

# -- the auditor

BOOKS_MISSING = _gauge(
    "alarum_books_missing", "What is missing in an account of the books: alarm above 0.", "service", "account"
)
BOOKS_OPEN = _gauge("alarum_books_open", "What an account across services still waits for.", "account")
BOOKS_BEHIND_SECONDS = _gauge(
    "alarum_books_behind_seconds",
    "How far back the instant is up to which a reader is known to have handled all.",
    "reader",
)
SYNTHETIC_SECONDS = _histogram(
    "alarum_synthetic_seconds", "From the suite's own event at the gateway until its message was taken.", PATIENT
)
SYNTHETIC_AGE_SECONDS = _gauge(
    "alarum_synthetic_age_seconds", "How long ago the suite's own event last came through: alarm above 180."
)

# -- the process

ROLE_READY = _gauge("alarum_role_ready", "1 while a role does its work.", "role")
TASKS_DIED = _counter("alarum_tasks_died_total", "Background tasks that died; each ends its process.", "task")

ALL: tuple[Metric[MetricWrapperBase], ...] = tuple(_all)


def exposition() -> bytes:
    """All metrics in Prometheus' text format."""
    return generate_latest(REGISTRY)
