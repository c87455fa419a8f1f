"""The JSON of maintenance windows."""

from collections.abc import Mapping
from datetime import datetime

from runtime.access import Access
from runtime.resources import Resource
from statuspage.maintenance import Seen
from statuspage.shapes.services import ServiceRel


class SourceRel(Resource):
    id: int
    name: str | None = None


class OccasionsResource(Resource):
    at_creation: bool
    at_start: bool
    at_end: bool


class MaintenanceResource(Resource):
    """`state` is `PLANNED`, `RUNNING` or `OVER`."""

    id: int
    summary: str
    description: str
    timezone: str
    start: datetime
    end: datetime
    alert_sources: list[SourceRel]
    services: list[ServiceRel]
    created_by: str | None
    notifications: OccasionsResource
    state: str

    @classmethod
    def of(cls, seen: Seen, access: Access, sources: Mapping[int, str]) -> "MaintenanceResource":
        """With the names of those sources that are given."""
        now = seen.now
        return cls(
            id=now.maintenance,
            summary=now.summary,
            description=now.description,
            timezone=now.timezone,
            start=now.start,
            end=now.end,
            alert_sources=[SourceRel(id=source, name=sources.get(source)) for source in now.sources],
            services=[ServiceRel.of(service, seen.services.get(service)) for service in now.services],
            created_by=access.name(now.by) if now.by is not None else None,
            notifications=OccasionsResource(at_creation=now.at_creation, at_start=now.at_start, at_end=now.at_end),
            state=type(seen.state).__name__.upper(),
        )
