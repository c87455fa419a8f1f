"""The JSON of services and their uptime."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import Field

from events.statuspage import ServiceStatus
from runtime.access import Access
from runtime.resources import Resource, TeamRel
from statuspage.domain.service import Known
from statuspage.domain.uptime import LONGEST, History, outages, percentages


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


class OutageResource(Resource):
    status: ServiceStatus
    start: Annotated[datetime, Field(alias="from")]
    until: datetime


class PercentagesResource(Resource):
    """In percent, of the last so many days."""

    p90: float
    p60: float
    p30: float


class UptimeResource(Resource):
    range_start: datetime
    range_end: datetime
    outages: list[OutageResource]
    uptime_percentage: PercentagesResource

    @classmethod
    def of(cls, history: History, at: datetime) -> "UptimeResource":
        start, by_days = at - LONGEST, percentages(history, at)
        return cls(
            range_start=start,
            range_end=at,
            outages=[
                OutageResource(status=one.status, start=one.start, until=one.end) for one in outages(history, start, at)
            ],
            uptime_percentage=PercentagesResource(**{f"p{days}": round(part, 4) for days, part in by_days.items()}),
        )


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
