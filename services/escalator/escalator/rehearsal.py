"""«If it rang now»: in come a plan and a way to look people up at an instant, out comes the story that would follow if nobody answered.

It is the real decider, run on instants to come: what a page shows cannot differ from what would happen.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from escalator.domain.escalation import Found, Idle, Plan, Start, State, Tick, World, due_at, escalation
from events.core import Event, Refusal
from events.escalator import (
    EscalationEnded,
    EscalationLevelReached,
    EscalationLevelSkipped,
    Responder,
    Target,
    Vacancy,
)
from events.shared import Priority

LookUp = Callable[[datetime], Mapping[Target, Found]]


@dataclass(frozen=True)
class Step:
    """A level that is reached (or skipped: nobody is told) at an instant; `end` is the reason when it is all over."""

    at: datetime
    level: int | None = None
    responders: tuple[Responder, ...] = ()
    vacancies: tuple[Vacancy, ...] = ()
    end: str = ""


def rehearse(
    plan: Plan, look: LookUp, at: datetime, minute: timedelta, priority: Priority = Priority.HIGH
) -> list[Step]:
    """What happens, step by step, from an alert at `at` on."""
    state: State = Idle()
    steps: list[Step] = []
    first = Start(0, 1, plan.policy, at, World(at, minute, {plan.policy: plan}, look(at)), priority=priority)
    events = _decided(state, first)
    while True:
        state = escalation.fold(events, state)
        steps += [step for event in events if (step := _step(event))]
        due = due_at(state)
        if due is None:
            return steps
        events = _decided(state, Tick(World(due, minute, {plan.policy: plan}, look(due))))


def _decided(state: State, command: Start | Tick) -> list[Event]:
    outcome = escalation.decide(state, command)
    assert not isinstance(outcome, Refusal)
    return outcome


def _step(event: Event) -> Step | None:
    match event:
        case EscalationLevelReached(at=at, level=level, responders=responders, vacancies=vacancies):
            return Step(at, level, responders, vacancies)
        case EscalationLevelSkipped(at=at, level=level, vacancies=vacancies):
            return Step(at, level, vacancies=vacancies)
        case EscalationEnded(at=at, reason=reason):
            return Step(at, end=reason)
        case _:
            return None
