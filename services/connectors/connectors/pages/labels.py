"""What types, triggers and parameters are called on pages."""

from collections.abc import Iterable
from datetime import timedelta
from typing import Any, Final

from connectors.bodies import (
    ACTION_TYPES,
    CONNECTOR_TYPES,
    ESCALATION_ENDED,
    NOT_RESOLVED,
    TRIGGERS,
)
from connectors.configuration import ActionCard
from connectors.projection import POLICY, SERVICE, TEMPLATE, Others
from events.statuspage import ServiceStatus
from web.words import duration, noop
from web.words import gettext as _

TOOLS: Final = {
    "webhook": noop("Webhook"),
    "jira": noop("Jira"),
    "slack": noop("Slack"),
    "email": noop("E-mail"),
    "reroute": noop("Reroute"),
    "automation_rule": noop("Services and incidents"),
}
PURPOSES: Final = {
    "webhook": noop("Posts JSON to any address, signed, so that the other side knows that it was us."),
    "jira": noop(
        "Opens an issue, comments on it as the alert goes on, and moves it to done when the alert is resolved."
    ),
    "slack": noop("Posts a message to a channel and keeps it up to date. Its buttons accept, escalate and resolve."),
    "email": noop("Writes to addresses outside: a list, a customer, a partner."),
    "reroute": noop("Hands the alert to another escalation policy."),
    "automation_rule": noop(
        "Sets services to a status and opens an incident from a template; on recovery it closes both."
    ),
}
PREPARATIONS: Final = {
    "jira": noop(
        "You need the address of your Jira site, the e-mail address of an account that may create issues, and an API token "
        "of it (account settings, Security, API tokens). With Jira Data Center it is the account's password."
    ),
    "slack": noop(
        "You need an app in your workspace (api.slack.com/apps) with the bot scope chat:write, installed to the workspace. "
        "Copy its bot token (OAuth & Permissions) and its signing secret (Basic Information), and invite the bot to the "
        "channels that it shall post to."
    ),
}
MOMENTS: Final = {
    "alert-created": noop("it is created"),
    "alert-acknowledged": noop("somebody accepts it"),
    "alert-resolved": noop("somebody or its tool resolves it"),
    "alert-auto-resolved": noop("it resolves by itself, after its time"),
    "alert-assigned": noop("it is assigned to somebody else"),
    "alert-auto-escalated": noop("it escalates, since nobody answered"),
    ESCALATION_ENDED: noop("nobody is left to be called"),
    "alert-comment-added": noop("somebody comments on it"),
    "alert-responder-added": noop("somebody else is asked to respond"),
    NOT_RESOLVED: noop("it is not resolved in time"),
    "alert-raised": noop("its priority is raised"),
    "alert-responder-removed": noop("a responder is taken away"),
    "alert-channel-attached": noop("a chat channel is attached"),
    "alert-channel-detached": noop("a chat channel is detached"),
}
NOT_MET_YET: Final = frozenset(
    {"alert-raised", "alert-responder-removed", "alert-channel-attached", "alert-channel-detached"}
)
"""Published names that nothing here leads to: offered only where they were chosen already."""
STATUSES: Final = {
    ServiceStatus.OPERATIONAL: noop("Operational"),
    ServiceStatus.DEGRADED: noop("Degraded"),
    ServiceStatus.PARTIAL_OUTAGE: noop("Partial outage"),
    ServiceStatus.MAJOR_OUTAGE: noop("Major outage"),
    ServiceStatus.UNDER_MAINTENANCE: noop("Under maintenance"),
}
PLACEHOLDERS: Final = (
    "alertId",
    "alertKey",
    "alertSummary",
    "alertDetails",
    "alertStatus",
    "alertPriority",
    "alertUrl",
    "alertSourceId",
    "alertSourceName",
    "escalationPolicyId",
    "escalationPolicyName",
    "reportTime",
    "link",
    "eventType",
)
AFTER_ENDED_S: Final = (0, 30, 60, 300, 900, 1800, 3600, 7200)
NOT_RESOLVED_S: Final = (60, 300, 600, 900, 1800, 3600, 7200, 14_400, 86_400, 172_800)


def tool(kind: str) -> str:
    return _(TOOLS[kind]) if kind in TOOLS else kind


def purpose(kind: str) -> str:
    return _(PURPOSES[kind]) if kind in PURPOSES else ""


def preparation(kind: str) -> str:
    return _(PREPARATIONS[kind]) if kind in PREPARATIONS else ""


def moment(trigger: str) -> str:
    """As the end of «for an alert of these sources, when …»."""
    return _(MOMENTS[trigger]) if trigger in MOMENTS else trigger


def moments(chosen: Iterable[str]) -> list[tuple[str, str]]:
    """What the form offers."""
    chosen = set(chosen)
    return [(name, moment(name)) for name in sorted(TRIGGERS, key=_place) if name not in NOT_MET_YET or name in chosen]


def action_types() -> list[tuple[str, str, str]]:
    """(type, name, what it does)."""
    return [(kind, tool(kind), purpose(kind)) for kind in ACTION_TYPES]


def connector_types() -> list[tuple[str, str, str]]:
    """(type, name, what to prepare)."""
    return [(kind, tool(kind), preparation(kind)) for kind in CONNECTOR_TYPES]


def statuses() -> list[tuple[str, str]]:
    return [(status.value, _(word)) for status, word in STATUSES.items()]


def delays(offered: Iterable[int], now: object, at_once: str = "") -> list[tuple[str, str]]:
    """Lengths to choose from, in seconds, the present one among them."""
    text = str(now or "")
    known = sorted({*offered, *([int(text)] if text.isascii() and text.isdecimal() and len(text) < 10 else [])})
    return [(str(delay_s), duration(timedelta(seconds=delay_s)) if delay_s else at_once) for delay_s in known]


def length(delay_s: int) -> str:
    """Empty when there is none."""
    return duration(timedelta(seconds=delay_s)) if delay_s else ""


def target(card: ActionCard, others: Others) -> str:
    """What an action acts on, in a few words."""
    params: dict[str, Any] = dict(card.params)
    match card.action.type:
        case "webhook":
            return str(params.get("webhookUrl", ""))
        case "jira":
            return _("project %(name)s") % {"name": params.get("project", "")}
        case "slack":
            return str(params.get("channelName") or params.get("channelId", ""))
        case "email":
            return ", ".join(params.get("recipients", ()))
        case "reroute":
            return others.name(POLICY, params["escalationPolicyId"])
        case "automation_rule":
            return ", ".join(others.name(SERVICE, service) for service in params["serviceIds"])
        case _:
            return ""


def facts(card: ActionCard, others: Others) -> list[tuple[str, str]]:
    """(what, its value) of an action's parameters."""
    params: dict[str, Any] = dict(card.params)
    match card.action.type:
        case "webhook":
            headers = ", ".join(f"{one['key']}: {one['value']}" for one in params.get("headers", ()))
            found = [(_("Address"), params["webhookUrl"]), (_("Headers"), headers)]
        case "jira":
            found = [(_("Project"), params["project"]), (_("Issue type"), params["issueType"])]
        case "slack":
            found = [(_("Channel"), params.get("channelName", "")), (_("Channel ID"), params["channelId"])]
        case "email":
            found = [(_("To"), ", ".join(params["recipients"])), (_("Subject"), params.get("subject", ""))]
        case "reroute":
            found = [(_("To the escalation policy"), others.name(POLICY, params["escalationPolicyId"]))]
        case "automation_rule":
            found = _of_automation(params, others)
        case _:
            found = []
    return [(name, value) for name, value in [*found, (_("Body"), params.get("bodyTemplate", ""))] if value]


def _of_automation(params: dict[str, Any], others: Others) -> list[tuple[str, str]]:
    template = params.get("templateId")
    closes = params.get("resolveIncident") or not template
    return [
        (_("Services"), ", ".join(others.name(SERVICE, service) for service in params["serviceIds"])),
        (_("They become"), _(STATUSES[ServiceStatus(params["serviceStatus"])])),
        (_("Incident from the template"), others.name(TEMPLATE, template) if template else ""),
        (_("On recovery"), _("all of it is closed") if closes else _("it stays as it is")),
        (_("Subscribers"), _("are told") if params.get("sendNotification") else _("are not told")),
    ]


def _place(trigger: str) -> int:
    return list(MOMENTS).index(trigger)
