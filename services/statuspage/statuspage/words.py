"""How states are called in sentences for people: in comes a name of the API, out comes a word."""

from typing import Final

from events.statuspage import IncidentStatus, ServiceStatus

SERVICE: Final = {
    ServiceStatus.OPERATIONAL: "Operational",
    ServiceStatus.UNDER_MAINTENANCE: "Under maintenance",
    ServiceStatus.DEGRADED: "Degraded",
    ServiceStatus.PARTIAL_OUTAGE: "Partial outage",
    ServiceStatus.MAJOR_OUTAGE: "Major outage",
}
INCIDENT: Final = {
    IncidentStatus.INVESTIGATING: "Investigating",
    IncidentStatus.IDENTIFIED: "Identified",
    IncidentStatus.MONITORING: "Monitoring",
    IncidentStatus.RESOLVED: "Resolved",
}
