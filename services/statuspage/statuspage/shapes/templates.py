"""The JSON of incident templates."""

from events.statuspage import IncidentStatus, TemplateChanged
from runtime.access import Access
from runtime.resources import Resource, TeamRel


class TemplateResource(Resource):
    id: int
    name: str
    summary: str
    status: IncidentStatus
    message: str
    send_notification: bool
    teams: list[TeamRel]

    @classmethod
    def of(cls, template: TemplateChanged, access: Access) -> "TemplateResource":
        return cls(
            id=template.template,
            name=template.name,
            summary=template.summary,
            status=template.status,
            message=template.message,
            send_notification=template.send_notification,
            teams=[access.team_rel(team) for team in template.teams],
        )
