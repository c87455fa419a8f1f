"""What clients send about maintenance windows."""

from typing import Annotated

from pydantic import Field, model_validator

from runtime.resources import Body, Ref
from statuspage.bodies.fields import Instant, Text, Words, Zone, broken

Few = Annotated[tuple[Ref, ...], Field(max_length=50)]


class OccasionsBody(Body):
    """When subscribers are told."""

    at_creation: bool | None = None
    at_start: bool | None = None
    at_end: bool | None = None


class MaintenanceBody(Body):
    """A whole window: what is left out is as if it had never been set."""

    summary: Words
    description: Text | None = None
    timezone: Zone | None = None
    start: Instant
    end: Instant
    alert_sources: Few | None = None
    services: Few | None = None
    notifications: OccasionsBody | None = None

    @model_validator(mode="after")
    def _ends_after_it_starts(self) -> "MaintenanceBody":
        if self.end <= self.start:
            raise broken("end must be after start")
        return self

    @property
    def told(self) -> OccasionsBody:
        return self.notifications or OccasionsBody()
