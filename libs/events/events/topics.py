"""Every topic of the suite: its writer, shape and promise. Topics are created from this list and checked against it."""

from dataclasses import dataclass
from datetime import timedelta

TRAFFIC_PARTITIONS = 24
SIGNALS_KEPT_FOR = timedelta(days=548)


@dataclass(frozen=True)
class Topic:
    """`retention` None keeps records for ever; `public` topics are the ones that others may rely on."""

    name: str
    writer: str
    says: str
    partitions: int = 1
    compacted: bool = False
    retention: timedelta | None = None
    flush_each: bool = False
    public: bool = True

    def config(self) -> dict[str, str]:
        """The broker's settings for this topic."""
        kept = -1 if self.retention is None else int(self.retention.total_seconds() * 1000)
        return {
            "cleanup.policy": "compact" if self.compacted else "delete",
            "retention.ms": str(kept),
            "retention.bytes": "-1",
            "max.message.bytes": str(6 * 1024 * 1024),
        } | ({"flush.messages": "1"} if self.flush_each else {})


def _traffic(name: str, writer: str, says: str) -> Topic:
    return Topic(name, writer, says, partitions=TRAFFIC_PARTITIONS)


def _vault(service: str) -> Topic:
    return Topic(
        f"{service}.vault.v1", service, f"Encrypted cells that only {service} reads.", compacted=True, public=False
    )


SIGNALS = Topic(
    "signals.v1",
    "ingest",
    "What tools sent, as they sent it. Private: payloads may hold anything.",
    partitions=TRAFFIC_PARTITIONS,
    retention=SIGNALS_KEPT_FOR,
    flush_each=True,
    public=False,
)
ALERTS = _traffic("alerts.v1", "ingest", "The life of every alert, and why a signal became none.")
SOURCES = Topic("sources.v1", "ingest", "Alert sources.")
ESCALATIONS = _traffic("escalations.v1", "escalator", "Who must be told of an alert, when, and why they.")
ONCALL = Topic("oncall.v1", "escalator", "Escalation policies and schedules.")
NOTIFICATIONS = _traffic(
    "notifications.v1", "notifier", "What was sent to whom, what became of it, and what they answered."
)
REACH = Topic("reach.v1", "notifier", "Contacts and notification preferences.")
ACTIONS = _traffic(
    "actions.v1", "connectors", "What other tools were told or made to do for an alert, and their answers."
)
CONNECTORS = Topic("connectors.v1", "connectors", "Connectors and alert actions.")
INCIDENTS = _traffic("incidents.v1", "statuspage", "Incidents, what alerts did to services, and who is told of it.")
STATUSPAGES = Topic(
    "statuspages.v1", "statuspage", "Services, incident templates, maintenance, status pages and subscriptions."
)
ACCOUNTS = Topic("accounts.v1", "accounts", "Users, teams, API keys and sessions, without names and addresses.")
PEOPLE = Topic(
    "people.v1",
    "accounts",
    "Names and sign-in addresses, encrypted with the suite's key.",
    compacted=True,
    public=False,
)
SERVICES = ("accounts", "ingest", "escalator", "notifier", "connectors", "statuspage")
VAULTS = {service: _vault(service) for service in SERVICES}

POSITIONS = {
    service: Topic(
        f"{service}.positions.v1",
        service,
        f"How far {service}'s readers have come, for the restore of its ledger.",
        compacted=True,
        public=False,
    )
    for service in ("ingest", "escalator", "notifier", "connectors", "statuspage")
}
"""Of the services that decide on what others say."""

CONFIGURATION = {
    "ingest": SOURCES,
    "escalator": ONCALL,
    "notifier": REACH,
    "accounts": ACCOUNTS,
    "connectors": CONNECTORS,
    "statuspage": STATUSPAGES,
}
"""Each service's quiet topic, in which it also says what concerns itself."""

TOPICS: tuple[Topic, ...] = (
    SIGNALS,
    ALERTS,
    SOURCES,
    ESCALATIONS,
    ONCALL,
    NOTIFICATIONS,
    REACH,
    ACTIONS,
    CONNECTORS,
    INCIDENTS,
    STATUSPAGES,
    ACCOUNTS,
    PEOPLE,
    *VAULTS.values(),
    *POSITIONS.values(),
)
