"""A person's answer through a message becomes a command to the alert: in comes the notifier's fact, out goes (alert, command)."""

from datetime import datetime

from events.notifier import AnswerAction, NotificationAnswered
from events.shared import Actor
from ingest.domain import Accept, Command, RequestEscalation, Resolve


def reaction(answered: NotificationAnswered, at: datetime) -> tuple[int, Command]:
    """Which alert is told what; `at` is the ledger's clock."""
    by = Actor.by_user(answered.user, answered.channel)
    return answered.alert, _command(answered.action, by, at, answered.notification)


def _command(action: AnswerAction, by: Actor, at: datetime, notification: int) -> Command:
    match action:
        case AnswerAction.ACCEPT:
            return Accept(by, at, notification=notification)
        case AnswerAction.RESOLVE:
            return Resolve(by, at, reason="answered a notification", notification=notification)
        case AnswerAction.ESCALATE:
            return RequestEscalation(by, at, notification=notification)
