"""The JSON of a service with what was asked for besides: its uptime, its open incidents, whether one is told of it."""

from collections.abc import Sequence

from runtime.access import Access
from statuspage.domain.service import Known
from statuspage.shapes.incidents import IncidentResource
from statuspage.shapes.services import ServiceResource, UptimeResource, fields_of


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
