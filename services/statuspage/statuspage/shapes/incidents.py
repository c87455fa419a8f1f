"""The JSON of incidents, of their forecast, and of who subscribed."""

from collections.abc import Mapping
from datetime import datetime

from events.statuspage import IncidentStatus, ServiceStatus
from runtime.access import Access
from runtime.resources import Resource, TeamRel, UserRel
from statuspage.announcing import Forecast
from statuspage.domain.incident import Story, Word
from statuspage.domain.service import Known
from statuspage.domain.subscription import Who
from statuspage.shapes.services import ServiceRel


class AffectedResource(Resource):
    impact: ServiceStatus
    service: ServiceRel


class UpdateResource(Resource):
    """One entry of the history; the creator is absent where no person said it."""

    id: str
    content: str
    creator: UserRel | None
    incident_status: IncidentStatus
    send_notification: bool
    created_at: datetime

    @classmethod
    def of(cls, incident: int, word: Word, access: Access) -> "UpdateResource":
        return cls(
            id=f"{incident}-{word.update}",
            content=word.message,
            creator=None if word.by.user is None else access.user_rel(word.by.user),
            incident_status=word.status,
            send_notification=word.send_notification,
            created_at=word.said_at,
        )


class IncidentResource(Resource):
    """`subscribed`, `affectedTeams` and `history` are there when they were asked for."""

    id: int
    summary: str
    status: IncidentStatus
    message: str
    send_notification: bool
    created_at: datetime
    updated_at: datetime
    affected_services: list[AffectedResource]
    resolved_on: datetime | None
    subscribed: bool | None = None
    affected_teams: list[TeamRel] | None = None
    history: list[UpdateResource] | None = None

    @classmethod
    def of(
        cls,
        story: Story,
        services: Mapping[int, Known],
        access: Access,
        include: frozenset[str] = frozenset(),
        *,
        subscribed: bool | None = None,
    ) -> "IncidentResource":
        """With those of its services that are given."""
        affected = [
            AffectedResource(impact=one.impact, service=ServiceRel.of(one.service, services[one.service]))
            for one in story.affected
            if one.service in services
        ]
        teams = dict.fromkeys(team for one in services.values() for team in one.now.teams)
        return cls(
            id=story.incident,
            summary=story.summary,
            status=story.status,
            message=story.message,
            send_notification=story.send_notification,
            created_at=story.began_at,
            updated_at=story.said_at,
            affected_services=affected,
            resolved_on=story.resolved_on,
            subscribed=subscribed,
            affected_teams=[access.team_rel(team) for team in teams] if "affectedTeams" in include else None,
            history=_history(story, access) if "history" in include else None,
        )


def _history(story: Story, access: Access) -> list[UpdateResource]:
    """The last word first."""
    return [UpdateResource.of(story.incident, word, access) for word in reversed(story.words)]


class PageItem(Resource):
    id: int
    label: str


class ForecastResource(Resource):
    """Where an incident would be seen, and how many would be told if notifications are sent."""

    status_pages_info: list[PageItem]
    private_status_pages: int
    public_status_pages: int
    private_subscribers: int
    public_subscribers: int

    @classmethod
    def of(cls, forecast: Forecast) -> "ForecastResource":
        return cls(
            status_pages_info=[PageItem(id=page.page, label=page.name) for page in forecast.pages],
            private_status_pages=forecast.private_pages,
            public_status_pages=forecast.public_pages,
            private_subscribers=forecast.users,
            public_subscribers=forecast.publics,
        )


class SubscriberResource(Resource):
    """A user or a team that hears of something."""

    id: int
    name: str
    type: str

    @classmethod
    def of(cls, who: Who, access: Access) -> "SubscriberResource":
        if who.team is not None:
            return cls(id=who.team, name=access.team_rel(who.team).name or f"team {who.team}", type="TEAM")
        assert who.user is not None, "a subscriber is a user or a team"
        return cls(id=who.user, name=access.name(who.user), type="USER")
