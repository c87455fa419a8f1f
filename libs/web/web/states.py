"""How a state looks: in comes its name in the API, out come a word, a kind (its colour) and an icon."""

from typing import Final

from web.words import gettext, noop

STATES: Final = {
    # of an alert
    "PENDING": (noop("Pending"), "bad", "bell"),
    "ACCEPTED": (noop("Accepted"), "warn", "user"),
    "RESOLVED": (noop("Resolved"), "good", "check"),
    # of a notification
    "QUEUED": (noop("Queued"), "calm", "clock"),
    "RUNNING": (noop("Running"), "info", "clock"),
    "SENT": (noop("Sent"), "info", "mail"),
    "DELIVERED": (noop("Delivered"), "good", "check"),
    "FAILED": (noop("Failed"), "bad", "cross"),
    "SUPPRESSED": (noop("Not sent"), "calm", "pause"),
    # of a service
    "OPERATIONAL": (noop("Operational"), "good", "check"),
    "UNDER_MAINTENANCE": (noop("Under maintenance"), "info", "pause"),
    "DEGRADED": (noop("Degraded"), "warn", "down"),
    "PARTIAL_OUTAGE": (noop("Partial outage"), "warn", "warning"),
    "MAJOR_OUTAGE": (noop("Major outage"), "bad", "cross"),
    # of an incident
    "INVESTIGATING": (noop("Investigating"), "bad", "warning"),
    "IDENTIFIED": (noop("Identified"), "warn", "info"),
    "MONITORING": (noop("Monitoring"), "info", "clock"),
    # of a source, a contact, a key
    "ACTIVE": (noop("Active"), "good", "check"),
    "DISABLED": (noop("Disabled"), "calm", "pause"),
}


def looks_of(status: object) -> tuple[str, str, str]:
    """A state that is not known here is shown by its own name, calmly."""
    name = str(status).upper()
    if name in STATES:
        word, kind, icon = STATES[name]
        return gettext(word), kind, icon
    return name.replace("_", " ").capitalize(), "calm", "dot"
