"""What clients send about services."""

from typing import Annotated

from pydantic import Field

from events.statuspage import ServiceStatus
from runtime.resources import Body
from statuspage.bodies.fields import Refs, Text, Words


class ServiceBody(Body):
    """A whole service: what is left out is as if it had never been set. A status that is left out stays."""

    name: Words
    alias: Annotated[str, Field(max_length=255)] | None = None
    status: ServiceStatus | None = None
    description: Text | None = None
    one_open_incident_only: bool | None = None
    show_uptime_history: bool | None = None
    teams: Refs | None = None
