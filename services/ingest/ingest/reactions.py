"""An answer through a message or another tool, and the wish of an alert action, become commands to the alert: in come others' facts, out goes (alert, command)."""

from collections.abc import Callable
from datetime import datetime

from events.connectors import ActionAnswer, ActionAnswered, ActionDispatched
from events.core import Event
from events.machinery import SYNTHETIC
from events.notifier import AnswerAction, NotificationAnswered, NotificationSent
from events.shared import Actor
from ingest.domain import Accept, Command, RequestEscalation, Reroute, Resolve

REROUTE = "reroute"

IsPolicy = Callable[[int], bool]
"""Whether there is an escalation policy with this id."""


def reaction(event: Event, at: datetime, is_policy: IsPolicy) -> tuple[int, Command] | None:
    """Which alert is told what; None for facts that mean nothing to an alert. `at` is the ledger's clock."""
    match event:
        case NotificationAnswered(alert=alert):
            return alert, _by_notification(event, at)
        case NotificationSent(alert=alert, user=user) if user == SYNTHETIC:
            return alert, Resolve(Actor.by_system("check"), at, reason="the message was taken by the sink")
        case ActionAnswered(alert=alert):
            return alert, _by_action(event, at)
        case ActionDispatched(alert=alert) if event.type == REROUTE:
            return alert, _reroute(event, at, is_policy)
        case _:
            return None


def policy_asked_for(event: Event) -> int | None:
    """The policy that must be known before the event can be answered."""
    return event.policy if isinstance(event, ActionDispatched) and event.type == REROUTE else None


def _by_notification(answered: NotificationAnswered, at: datetime) -> Command:
    by, notification = Actor.by_user(answered.user, answered.channel), answered.notification
    match answered.action:
        case AnswerAction.ACCEPT:
            return Accept(by, at, notification=notification)
        case AnswerAction.RESOLVE:
            return Resolve(by, at, reason="answered a notification", notification=notification)
        case AnswerAction.ESCALATE:
            return RequestEscalation(by, at, notification=notification, is_answer=True)


def _by_action(answered: ActionAnswered, at: datetime) -> Command:
    by = _somebody(answered)
    match answered.answer:
        case ActionAnswer.ACCEPT:
            return Accept(by, at)
        case ActionAnswer.RESOLVE:
            return Resolve(by, at, reason=f"answered through {answered.channel}")
        case ActionAnswer.ESCALATE:
            return RequestEscalation(by, at, is_answer=True)


def _somebody(answered: ActionAnswered) -> Actor:
    if answered.user is not None:
        return Actor.by_user(answered.user, answered.channel)
    return Actor.by_somebody(answered.who, answered.channel)


def _reroute(dispatched: ActionDispatched, at: datetime, is_policy: IsPolicy) -> Reroute:
    wanted = dispatched.policy
    policy = wanted if wanted is not None and is_policy(wanted) else None
    by = Actor.by_system(f"alert action «{dispatched.name}»" if dispatched.name else "alert action")
    return Reroute(dispatched.run, wanted, policy, by, at)
