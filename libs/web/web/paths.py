"""The path table: in comes the raw path of a request, out goes the role that serves it."""

from dataclasses import dataclass, field
from typing import Final

# A `{name}` is one segment, a last `**` is the path before it and everything below it.
TABLE: Final[tuple[tuple[str, str], ...]] = (
    # what tools send
    ("/api/events", "ingest.gateway"),
    ("/api/v1/events/**", "ingest.gateway"),
    ("/v2/enqueue", "ingest.gateway"),
    ("/v2/change/enqueue", "ingest.gateway"),
    # what other tools say back
    ("/hooks/**", "connectors.web"),
    # the API
    ("/api/alerts/**", "ingest.web"),
    ("/api/alerts/{id}/notifications", "notifier.web"),
    ("/api/alerts/{id}/actions", "connectors.web"),
    ("/api/alert-sources/**", "ingest.web"),
    ("/api/audit", "ingest.web"),
    ("/api-docs/openapi.json", "ingest.web"),
    ("/api/escalation-policies/**", "escalator.web"),
    ("/api/schedules/**", "escalator.web"),
    ("/api/on-calls/**", "escalator.web"),
    ("/api/users/**", "accounts.web"),
    ("/api/users/{id}/contacts/**", "notifier.web"),
    ("/api/users/{id}/notification-preferences/**", "notifier.web"),
    ("/api/teams/**", "accounts.web"),
    ("/api/api-keys/**", "accounts.web"),
    ("/api/connectors/**", "connectors.web"),
    ("/api/alert-actions/**", "connectors.web"),
    ("/api/services/**", "statuspage.web"),
    ("/api/incidents/**", "statuspage.web"),
    ("/api/incident-templates/**", "statuspage.web"),
    ("/api/maintenance-windows/**", "statuspage.web"),
    ("/api/status-pages/**", "statuspage.web"),
    # the pages
    ("/", "ingest.web"),
    ("/alerts/**", "ingest.web"),
    ("/sources/**", "ingest.web"),
    ("/audit", "ingest.web"),
    ("/static/**", "ingest.web"),
    ("/styleguide", "ingest.web"),
    ("/sw.js", "ingest.web"),
    ("/manifest.webmanifest", "ingest.web"),
    ("/favicon.ico", "ingest.web"),
    ("/schedules/**", "escalator.web"),
    ("/policies/**", "escalator.web"),
    ("/on-call/**", "escalator.web"),
    ("/fragments/on-call-badge", "escalator.web"),
    ("/answer/**", "notifier.web"),
    ("/me/**", "notifier.web"),
    ("/connectors/**", "connectors.web"),
    ("/actions/**", "connectors.web"),
    ("/fragments/alerts/{id}/actions", "connectors.web"),
    ("/services/**", "statuspage.web"),
    ("/incidents/**", "statuspage.web"),
    ("/templates/**", "statuspage.web"),
    ("/maintenance/**", "statuspage.web"),
    ("/status-pages/**", "statuspage.web"),
    ("/fragments/alerts/{id}/incidents", "statuspage.web"),
    ("/subscribers/**", "statuspage.web"),
    # what the public reads: files, served with everything else stopped
    ("/status/**", "statuspage.reader"),
    ("/sign-in", "accounts.web"),
    ("/sign-out", "accounts.web"),
    ("/users/**", "accounts.web"),
    ("/teams/**", "accounts.web"),
)

# Where senders post: no browser is there, so CSRF and content types are not checked for them.
EVENT_PATHS: Final = tuple(pattern.removesuffix("/**") for pattern, role in TABLE if role == "ingest.gateway")


@dataclass
class _Node:
    role: str | None = None  # the pattern ends here
    below: str | None = None  # the pattern ends here with `**`
    literal: dict[str, "_Node"] = field(default_factory=dict)
    any: "_Node | None" = None


def role_of(path: str) -> str | None:
    """The role that serves this raw (percent-encoded, query-less) path, or None; the most specific pattern wins."""
    return _find(_ROOT, _segments(path), 0) if path.startswith("/") else None


def is_event_path(path: str, event_paths: tuple[str, ...] = EVENT_PATHS) -> bool:
    """Whether tools post events here."""
    return any(path == prefix or path.startswith(prefix + "/") for prefix in event_paths)


def _segments(path: str) -> list[str]:
    segments = path.split("/")[1:]
    return segments[:-1] if segments and segments[-1] == "" else segments


def _find(node: _Node, segments: list[str], depth: int) -> str | None:
    """Depth first: a literal before a parameter before a `**`, so that the first hit is the most specific."""
    if depth == len(segments):
        return node.role or node.below
    if not segments[depth]:
        return None
    for child in (node.literal.get(segments[depth]), node.any):
        found = _find(child, segments, depth + 1) if child else None
        if found:
            return found
    return node.below


def _plant(table: tuple[tuple[str, str], ...]) -> _Node:
    root = _Node()
    for pattern, role in table:
        _add(root, _segments(pattern), role)
    return root


def _add(node: _Node, segments: list[str], role: str) -> None:
    for segment in segments:
        if segment == "**":
            node.below = role
            return
        node = _child(node, segment)
    node.role = role


def _child(node: _Node, segment: str) -> _Node:
    if segment.startswith("{"):
        node.any = node.any or _Node()
        return node.any
    return node.literal.setdefault(segment, _Node())


_ROOT: Final = _plant(TABLE)
