"""Alertmanager's webhook, version 4: a group of firing and resolved alerts is one alert, or each fingerprint is one.

ilert opens one alert per group, and so do we unless the source asks otherwise. A group is resolved when the whole
of it is; a body that says «firing» may list resolved alerts as well.
"""

from typing import Any

from pydantic import Field

from events.shared import Link
from ingest.canonical import MAX_DETAILS, MAX_SUMMARY, Asked, EventType, Parsed, Rejected, ToolEvent, clip
from ingest.integrations.payloads import Payload, Text, Texts, read

RESOLVED = "resolved"


class _Alert(Payload):
    status: str = "firing"
    labels: Texts = Field(default_factory=dict)
    annotations: Texts = Field(default_factory=dict)
    generator_url: str | None = Field(None, validation_alias="generatorURL")
    fingerprint: Text | None = None


class _Group(Payload):
    group_key: str = Field("", validation_alias="groupKey")
    status: str = ""
    alerts: tuple[_Alert, ...]
    group_labels: Texts = Field(default_factory=dict, validation_alias="groupLabels")
    common_labels: Texts = Field(default_factory=dict, validation_alias="commonLabels")
    common_annotations: Texts = Field(default_factory=dict, validation_alias="commonAnnotations")
    external_url: str | None = Field(None, validation_alias="externalURL")
    truncated: int = Field(0, ge=0, lt=2**64, validation_alias="truncatedAlerts")


def parse(payload: Any, asked: Asked) -> Parsed:
    """One event for the group, or one per alert. A body without alerts or without a group's key is refused."""
    group = read(_Group, payload)
    if isinstance(group, Rejected):
        return group
    if not group.alerts:
        return Rejected("alerts", "must have at least 1 entries")
    if asked.per_alert:
        return tuple(_single(group, alert) for alert in group.alerts)
    return (_grouped(group),) if group.group_key.strip() else Rejected("groupKey", "is required")


def _grouped(group: _Group) -> ToolEvent:
    firing = [alert for alert in group.alerts if alert.status != RESOLVED]
    over = group.status == RESOLVED or not firing
    shown = firing or list(group.alerts)
    labels = group.common_labels or group.group_labels
    return ToolEvent(
        type=EventType.RESOLVE if over else EventType.ALERT,
        summary=_summary(labels, group.common_annotations.get("summary") or _title(group, shown)),
        details=clip(_details(group, shown), MAX_DETAILS),
        alert_key=group.group_key.strip(),
        labels=labels,
        links=_links(group, shown),
        routing_key=_routing_key(shown, labels),
        custom_details={"groupKey": group.group_key},
    )


def _single(group: _Group, alert: _Alert) -> ToolEvent:
    name = alert.labels.get("alertname", "")
    return ToolEvent(
        type=EventType.RESOLVE if alert.status == RESOLVED else EventType.ALERT,
        summary=_summary(alert.labels, alert.annotations.get("summary") or name or "Prometheus alert"),
        details=clip(_paragraph(alert), MAX_DETAILS),
        alert_key=alert.fingerprint or _labels_key(alert.labels),
        labels=alert.labels,
        links=_links(group, [alert]),
        routing_key=_routing_key([alert], alert.labels),
    )


def _title(group: _Group, alerts: list[_Alert]) -> str:
    """The first alert's own words, and how many more there are; else the group's labels."""
    first = alerts[0].annotations.get("summary") or " ".join(group.group_labels.values())
    first = first or alerts[0].labels.get("alertname") or "Prometheus alert"
    rest = len(alerts) - 1 + group.truncated
    return f"{first} (and {rest} more)" if rest else first


def _summary(labels: dict[str, str], text: str) -> str:
    project = labels.get("gcp_project")
    return clip(f"{project}: {text}" if project else text, MAX_SUMMARY)


def _details(group: _Group, alerts: list[_Alert]) -> str:
    more = f"\n\n{group.truncated} more alerts were left out by Alertmanager." if group.truncated else ""
    return "\n\n".join(_paragraph(alert) for alert in alerts) + more


def _paragraph(alert: _Alert) -> str:
    """One alert as markdown: its words, then its labels."""
    words = [alert.annotations[name] for name in ("summary", "description", "message") if alert.annotations.get(name)]
    labels = [f"- {name} = `{value}`" for name, value in sorted(alert.labels.items())]
    return "\n\n".join(filter(None, [*words, "\n".join(labels)]))


def _links(group: _Group, alerts: list[_Alert]) -> tuple[Link, ...]:
    """What the labels `url`/`urlLabel` name, run books, the expression's graph, and Alertmanager itself."""
    found: dict[str, str] = {}
    for alert in alerts:
        for url, text in _alert_links(alert):
            if url:
                found.setdefault(url, text)
    if group.external_url:
        found.setdefault(group.external_url, "Alertmanager")
    return tuple(Link(href=url, text=text) for url, text in found.items())[:20]


def _alert_links(alert: _Alert) -> list[tuple[str, str]]:
    return [
        (alert.labels.get("url", ""), alert.labels.get("urlLabel", "Link")),
        (alert.annotations.get("runbook_url", ""), "Run book"),
        (alert.generator_url or "", "Graph"),
    ]


def _routing_key(alerts: list[_Alert], labels: dict[str, str]) -> str | None:
    keys = [labels.get("ilert_routingkey"), *(alert.labels.get("ilert_routingkey") for alert in alerts)]
    return next((key for key in keys if key), None)


def _labels_key(labels: dict[str, str]) -> str:
    return ",".join(f"{name}={value}" for name, value in sorted(labels.items()))
