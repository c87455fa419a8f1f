"""The JSON of connectors and alert actions: events' values become resources, with the names of sources and teams."""

from datetime import datetime
from typing import Any

from connectors.buttons import RunCard
from connectors.configuration import ActionCard, ConnectorCard
from connectors.projection import SOURCE, Others
from connectors.trials import Trial
from events.connectors import ActionConfigured
from runtime.access import Access
from runtime.resources import Resource, TeamRel, UserRel


class ConnectorResource(Resource):
    """Secrets are never among `params`; `callbackUrl` is where the tool calls us back."""

    id: str
    type: str
    name: str
    params: dict[str, Any]
    callback_url: str
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, card: ConnectorCard, callback_url: str) -> "ConnectorResource":
        connector = card.connector
        return cls(
            id=str(connector.connector),
            type=connector.type,
            name=connector.name,
            params=dict(card.params),
            callback_url=callback_url,
            created_at=card.created_at,
            updated_at=connector.at,
        )


class SourceRel(Resource):
    id: int
    name: str | None = None


class ActionResource(Resource):
    """`signingSecret` is there in the answer that makes the action, and never again."""

    id: str
    name: str
    alert_sources: tuple[SourceRel, ...]
    connector_id: str | None = None
    connector_type: str
    trigger_mode: str
    trigger_types: tuple[str, ...] | None = None
    escalation_ended_delay_sec: int | None = None
    not_resolved_delay_sec: int | None = None
    params: dict[str, Any]
    teams: tuple[TeamRel, ...]
    created_at: datetime
    updated_at: datetime
    signing_secret: str | None = None

    @classmethod
    def of(cls, card: ActionCard, access: Access, others: Others) -> "ActionResource":
        action = card.action
        return cls(
            id=str(action.action),
            name=action.name,
            alert_sources=tuple(_source(number, others) for number in action.sources),
            connector_id=None if action.connector is None else str(action.connector),
            connector_type=action.type,
            trigger_mode=action.mode.value,
            trigger_types=action.triggers or None,
            escalation_ended_delay_sec=action.escalation_ended_delay_s or None,
            not_resolved_delay_sec=action.not_resolved_delay_s or None,
            params=dict(card.params),
            teams=tuple(access.team_rel(team) for team in action.teams),
            created_at=card.created_at,
            updated_at=action.at,
            signing_secret=card.secret,
        )


class SecretResource(Resource):
    """A new signing secret; it is shown this once."""

    signing_secret: str


class TrialResource(Resource):
    """What became of signing in to the tool; `text` has the tool's own words."""

    ok: bool
    text: str

    @classmethod
    def of(cls, trial: Trial) -> "TrialResource":
        return cls(ok=trial.ok, text=trial.text)


class ResultResource(Resource):
    """What became of a run. `success` is absent while nothing has; `text` has the other side's words."""

    id: str
    alert_action_id: str
    connector_id: str | None = None
    alert_id: int
    success: bool | None = None
    text: str | None = None
    link: str | None = None
    actor: UserRel | None = None

    @classmethod
    def of(cls, run: RunCard, access: Access) -> "ResultResource":
        return cls(
            id=str(run.run),
            alert_action_id=str(run.action),
            connector_id=None if run.connector is None else str(run.connector),
            alert_id=run.alert,
            success=run.success,
            text=run.text or None,
            link=run.link,
            actor=access.user_rel(run.by.user) if run.by and run.by.user is not None else None,
        )


class RunnableResource(Resource):
    """An alert action that people may run on an alert, and its last runs there, newest first."""

    alert_action_id: str
    connector_id: str | None = None
    type: str
    name: str
    history: tuple[ResultResource, ...]

    @classmethod
    def of(cls, action: ActionConfigured, history: tuple[ResultResource, ...]) -> "RunnableResource":
        return cls(
            alert_action_id=str(action.action),
            connector_id=None if action.connector is None else str(action.connector),
            type=action.type,
            name=action.name,
            history=history,
        )


def _source(number: int, others: Others) -> SourceRel:
    known = others.find(SOURCE, number)
    return SourceRel(id=number, name=known and known.name)
