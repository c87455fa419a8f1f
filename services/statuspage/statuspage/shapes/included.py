"""The JSON of a service with what was asked for besides: its uptime, its open incidents, whether one is told of it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from pydantic import Field

from events.statuspage import ServiceStatus
from runtime.access import Access
from runtime.resources import Resource
from statuspage.domain.service import Known
from statuspage.domain.uptime import LONGEST, History, outages, percentages
from statuspage.shapes.incidents import IncidentResource
from statuspage.shapes.services import ServiceResource, fields_of


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


class ServiceShown(ServiceResource):
    """`subscribed`, `uptime` and `incidents` (the latest ten that are open) are there when they were asked for."""

    subscribed: bool | None = None
    uptime: UptimeResource | None = None
    incidents: list[IncidentResource] | None = None

    @classmethod
    def with_(
        cls,
        service: Known,
        access: Access,
        *,
        uptime: UptimeResource | None = None,
        incidents: Sequence[IncidentResource] | None = None,
        subscribed: bool | None = None,
    ) -> "ServiceShown":
        return cls(
            **fields_of(service, access),
            uptime=uptime,
            incidents=None if incidents is None else list(incidents),
            subscribed=subscribed,
        )
