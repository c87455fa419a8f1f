"""The JSON of services."""

from typing import Any

from events.statuspage import ServiceStatus
from runtime.access import Access
from runtime.resources import Resource, TeamRel
from statuspage.domain.service import Known


class ServiceRel(Resource):
    """A service as other resources show it. Everything but its id is absent once it is gone."""

    id: int
    name: str | None = None
    alias: str | None = None
    status: ServiceStatus | None = None

    @classmethod
    def of(cls, service: int, known: Known | None) -> "ServiceRel":
        if known is None:
            return cls(id=service)
        return cls(id=service, name=known.now.name, alias=known.now.alias, status=known.status)


class ServiceResource(Resource):
    id: int
    name: str
    alias: str | None
    status: ServiceStatus
    description: str
    one_open_incident_only: bool
    show_uptime_history: bool
    teams: list[TeamRel]

    @classmethod
    def of(cls, service: Known, access: Access) -> "ServiceResource":
        return cls(**fields_of(service, access))


def fields_of(service: Known, access: Access) -> dict[str, Any]:
    now = service.now
    return {
        "id": now.service,
        "name": now.name,
        "alias": now.alias,
        "status": service.status,
        "description": now.description,
        "one_open_incident_only": now.one_open_incident_only,
        "show_uptime_history": now.show_uptime_history,
        "teams": [access.team_rel(team) for team in now.teams],
    }
