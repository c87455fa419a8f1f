"""What clients send about incidents and about who hears of things."""

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from events.statuspage import Affected, IncidentStatus, ServiceStatus
from runtime.resources import Body, Ref, ResourceId
from statuspage.bodies.fields import Instant, Text, Words, broken
from statuspage.domain.subscription import Who


def _nothing(value: Any) -> Any:
    """Clients that know no absence send an empty text."""
    return None if value == "" else value


class AffectedBody(Body):
    impact: ServiceStatus
    service: Ref

    @property
    def affected(self) -> Affected:
        return Affected(service=self.service.id, impact=self.impact)


class IncidentBody(Body):
    """A whole incident. `createdAt` and `updatedAt` count at its creation only; a status that is left out stays."""

    summary: Words
    status: Annotated[IncidentStatus | None, BeforeValidator(_nothing)] = None
    message: Text | None = None
    send_notification: bool | None = None
    created_at: Annotated[Instant | None, BeforeValidator(_nothing)] = None
    updated_at: Annotated[Instant | None, BeforeValidator(_nothing)] = None
    affected_services: Annotated[tuple[AffectedBody, ...], Field(min_length=1, max_length=100)]

    @property
    def affected(self) -> tuple[Affected, ...]:
        return tuple(one.affected for one in self.affected_services)

    @model_validator(mode="after")
    def _names_each_service_once(self) -> "IncidentBody":
        services = [one.service.id for one in self.affected_services]
        twice = next((one for place, one in enumerate(services) if one in services[:place]), None)
        if twice is not None:
            raise broken(f"affectedServices must name service {twice} once only")
        return self

    @model_validator(mode="after")
    def _was_said_after_it_began(self) -> "IncidentBody":
        if self.created_at and self.updated_at and self.updated_at < self.created_at:
            raise broken("updatedAt must not be before createdAt")
        return self


class ForecastBody(IncidentBody):
    """An incident that might be said; with its id its own subscribers count too."""

    id: Annotated[ResourceId | None, BeforeValidator(lambda value: value or None)] = None


class SubscriberBody(Body):
    """A user or a team, as `TeamUserOption`."""

    id: ResourceId
    type: Literal["USER", "TEAM"]

    @property
    def who(self) -> Who:
        return Who(user=self.id) if self.type == "USER" else Who(team=self.id)


Subscribers = Annotated[list[SubscriberBody], Field(max_length=1000)]
OneOrMore = Annotated[Subscribers, BeforeValidator(lambda value: [value] if isinstance(value, dict) else value)]
"""Both a list and a single one are published."""
