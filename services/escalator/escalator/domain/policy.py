"""An escalation policy, from its making to its end.

Unmade --Set--> Kept --Set, SetLevel--> Kept --Delete--> Gone (final)
"""

from dataclasses import dataclass
from datetime import datetime

from events.core import Decider, Event, Outcome, Refusal
from events.escalator import PolicyChanged, PolicyDeleted, Rule


@dataclass(frozen=True)
class Set:
    """Be so from now on (`policy.at` is when; whether it is new is decided here)."""

    policy: PolicyChanged


@dataclass(frozen=True)
class SetLevel:
    """Replace one rule by its zero-based place."""

    level: int
    rule: Rule
    at: datetime


@dataclass(frozen=True)
class Delete:
    at: datetime


@dataclass(frozen=True)
class Unmade:
    pass


@dataclass(frozen=True)
class Kept:
    now: PolicyChanged


@dataclass(frozen=True)
class Gone:
    """What it was is kept, for pages that must still call it by its name."""

    last: PolicyChanged


State = Unmade | Kept | Gone
Command = Set | SetLevel | Delete

NO_POLICY = Refusal("NOT_FOUND", "There is no such escalation policy")


def decide(state: State, command: Command) -> Outcome:
    match state, command:
        case Unmade(), Set(policy):
            return [policy.model_copy(update={"created": True})]
        case Kept(now), Set(policy):
            return _become(now, policy)
        case Kept(now), SetLevel(level, rule, at) if 0 <= level < len(now.rules):
            rules = (*now.rules[:level], rule, *now.rules[level + 1 :])
            return _become(now, now.model_copy(update={"rules": rules, "at": at}))
        case Kept(now), SetLevel(level):
            return Refusal(
                "NOT_FOUND", f"Policy «{now.name}» has no level {level}; its last one is {len(now.rules) - 1}"
            )
        case Kept(now), Delete(at):
            return [PolicyDeleted(policy=now.policy, at=at)]
        case _:
            return NO_POLICY


def evolve(state: State, event: Event) -> State:
    match state, event:
        case Gone(), _:
            return state
        case _, PolicyChanged():
            return Kept(event)
        case Kept(now), PolicyDeleted():
            return Gone(now)
        case _:
            return state


def _become(now: PolicyChanged, then: PolicyChanged) -> list[Event]:
    then = then.model_copy(update={"created": False})
    is_same = then == now.model_copy(update={"created": False, "at": then.at})
    return [] if is_same else [then]


policy: Decider[State, Command] = Decider(Unmade(), decide, evolve)
