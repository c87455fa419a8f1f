"""The escalation of one alert, from the first level to the last.

    Idle --Start--> Waiting (the policy's delay, or the gate) --Tick--> Climbing --Tick: patience is spent--> Climbing at the next level
                       |                                      |  \\--Tick after the last level, or nobody left--> Exhausted
                       |                                      \\--people chosen by hand: told, nothing follows--> Told
                       \\--Halt: accepted, resolved--> Halted --Escalate, Assign (not when resolved)--> Climbing

A level that has nobody to tell is skipped at once, and says so. Who is to be told is looked up at the instant a level is reached: each command
brings the `World` as it is then, so deciding stays pure. What an alert's version has told already is not told again.

A new alert's first level is reached at once, and nobody can have answered yet. Who hears of it late (`STALE`) may have the answer right
behind it: such a run waits for its first tick, which comes when all that was answered is known.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final, TypedDict

from events.core import Decider, Event
from events.escalator import (
    EscalationEnded,
    EscalationEvent,
    EscalationHalted,
    EscalationLevelReached,
    EscalationLevelSkipped,
    EscalationResponderAdded,
    EscalationStarted,
    Reason,
    Responder,
    Rule,
    Target,
    Vacancy,
)
from events.shared import Actor, Priority

EXHAUSTED: Final = "every level was reached and nobody answered"
NOBODY: Final = "no level had anybody to tell"
NO_POLICY: Final = "the alert has no escalation policy"
NO_FURTHER_LEVEL: Final = "there is no further level"
ACCEPTED: Final = "accepted"
RESOLVED: Final = "resolved"
ASSIGNED: Final = "assigned anew"

STALE: Final = timedelta(seconds=1)
"""The age from which what begins a run is old news; as far ahead of our clock, its age cannot be told."""


# -- values


@dataclass(frozen=True)
class Found:
    """Whom a target yields at an instant, each with the part of the reason that the target knows; or why nobody."""

    responders: tuple[Responder, ...] = ()
    vacancy: str = ""


@dataclass(frozen=True)
class Plan:
    """What a policy asks for as it stands. `note` says why it is this one where the alert names another."""

    policy: int
    version: int
    name: str
    rules: tuple[Rule, ...]
    rounds: int = 1
    delay_min: int = 0
    note: str = ""


@dataclass(frozen=True)
class World:
    """What could be known at the instant of a command: how long a minute lasts, what policies say, whom targets yield."""

    at: datetime
    minute: timedelta = timedelta(minutes=1)
    plans: Mapping[int, Plan] = field(default_factory=dict)
    found: Mapping[Target, Found] = field(default_factory=dict)


@dataclass(frozen=True)
class Climb:
    """How far an alert has come. `level` is the last that was reached or skipped, -1 before the first.

    `policy` is the one that is climbed (None: people chosen by hand), `home` the last one that ever was.
    """

    alert: int
    alert_version: int
    run: int
    policy: int | None
    policy_version: int | None
    policy_name: str
    home: int | None
    levels: tuple[Rule, ...]
    rounds: int
    minute: timedelta
    priority: Priority
    source: int | None
    level: int = -1
    told: bool = False


# -- commands


@dataclass(frozen=True)
class Start:
    """An alert was created (`since` when): by this policy, or (when `responders` are named) these people and nobody else."""

    alert: int
    alert_version: int
    policy: int | None
    since: datetime
    world: World
    responders: tuple[int, ...] = ()
    priority: Priority = Priority.HIGH
    source: int | None = None
    by: Actor | None = None


@dataclass(frozen=True)
class Assign:
    """Somebody handed the alert to a policy, or to a user or schedule (`since` when); a new run begins."""

    alert_version: int
    policy: int | None
    target: Target | None
    by: Actor
    since: datetime
    world: World


@dataclass(frozen=True)
class Escalate:
    """Somebody wants the next level, or `level` (zero-based, in the policy's rules), at once."""

    alert_version: int
    level: int | None
    by: Actor
    world: World


@dataclass(frozen=True)
class AddResponder:
    """Somebody wants this person told as well."""

    alert_version: int
    user: int
    by: Actor
    world: World


@dataclass(frozen=True)
class Halt:
    """The alert was accepted or resolved: `reason` says which."""

    alert_version: int
    reason: str
    at: datetime


@dataclass(frozen=True)
class Tick:
    """Time has passed. `gate_timed_out`: the newest answers could not be awaited."""

    world: World
    gate_timed_out: bool = False


# -- states


@dataclass(frozen=True)
class Idle:
    pass


@dataclass(frozen=True)
class Waiting:
    """Nobody is told before `begins_at`."""

    climb: Climb
    begins_at: datetime


@dataclass(frozen=True)
class Climbing:
    """The present level has been told; the next one follows at `deadline`."""

    climb: Climb
    deadline: datetime


@dataclass(frozen=True)
class Told:
    """People chosen by hand were told; nothing follows by itself."""

    climb: Climb


@dataclass(frozen=True)
class Exhausted:
    climb: Climb


@dataclass(frozen=True)
class Halted:
    climb: Climb
    reason: str


Known = Waiting | Climbing | Told | Exhausted | Halted
State = Idle | Waiting | Climbing | Told | Exhausted | Halted
Command = Start | Assign | Escalate | AddResponder | Halt | Tick


# -- the behaviour


def decide(state: State, command: Command) -> list[Event]:
    match state, command:
        case Idle(), Start():
            people = tuple(Target(user=user) for user in command.responders)
            return _begin(_first(command), command, people, delayed=True)
        case Idle(), _:
            return []
        case Waiting(climb, begins_at), Tick(world, late) if world.at >= begins_at:
            return list(_climb(climb, 0, world, late=late))
        case Climbing(climb, deadline), Tick(world, late) if world.at >= deadline:
            return list(_climb(climb, climb.level + 1, world, late=late))
        case _, Tick() | Start():
            return []
        case _:
            return _answer(state, command)


def _answer(state: State, command: Assign | Escalate | AddResponder | Halt) -> list[Event]:
    """What people did to a known alert; a version that was heard before says nothing new, a resolved alert is over."""
    if isinstance(state, Idle) or command.alert_version <= state.climb.alert_version or _is_over(state):
        return []
    climb = replace(state.climb, alert_version=command.alert_version)
    match command:
        case Halt(_, reason, at):
            return [EscalationHalted(reason=reason, at=at, **_of(climb))]
        case AddResponder(_, user, by, world):
            return list(_added(climb, user, by, world))
        case Escalate(_, level, by, world):
            return _escalated(climb, level, by, world)
        case Assign(target=target, world=world):
            halted = [EscalationHalted(reason=ASSIGNED, at=world.at, **_of(climb))] if due_at(state) else []
            return [*halted, *_begin(_next_run(climb), command, (target,) if target else ())]


def evolve(state: State, event: Event) -> State:
    match state, event:
        case _, EscalationStarted():
            return Waiting(_started(None if isinstance(state, Idle) else state.climb, event), event.begins_at)
        case Idle(), _:
            return state
        case _, EscalationLevelReached(level=level, at=at):
            climb = replace(_heard(state, event), level=level, told=True)
            return Climbing(climb, at + _patience(climb)) if climb.policy is not None else Told(climb)
        case _, EscalationLevelSkipped(level=level):
            return replace(state, climb=replace(_heard(state, event), level=level))
        case _, EscalationEnded():
            return Exhausted(_heard(state, event))
        case _, EscalationHalted(reason=reason):
            return Halted(_heard(state, event), reason)
        case _, EscalationResponderAdded():
            return replace(state, climb=_heard(state, event))
        case _:
            return state


def due_at(state: State) -> datetime | None:
    match state:
        case Waiting(begins_at=instant) | Climbing(deadline=instant):
            return instant
        case _:
            return None


# -- beginning


def _first(command: Start) -> Climb:
    """What is known of an alert before its first run."""
    return Climb(
        alert=command.alert,
        alert_version=command.alert_version,
        run=1,
        policy=None,
        policy_version=None,
        policy_name="",
        home=None,
        levels=(),
        rounds=1,
        minute=command.world.minute,
        priority=command.priority,
        source=command.source,
    )


def _next_run(climb: Climb) -> Climb:
    return replace(climb, run=climb.run + 1)


def _begin(climb: Climb, command: Start | Assign, targets: tuple[Target, ...], *, delayed: bool = False) -> list[Event]:
    """A run: by hand where people are named, else by the policy; at once, or (a new alert) after the policy's delay."""
    world, by = command.world, command.by
    plan = world.plans.get(command.policy) if command.policy is not None and not targets else None
    delay = plan.delay_min * world.minute if plan and delayed else timedelta(0)
    started = _by_plan(climb, plan, world, by, delay) if plan else _by_hand(climb, targets, world, by)
    if started.begins_at > world.at or abs(world.at - command.since) >= STALE:
        return [started]
    return [started, *_climb(_started(climb, started), 0, world, by=by)]


def _by_plan(climb: Climb, plan: Plan, world: World, by: Actor | None, delay: timedelta) -> EscalationStarted:
    """Low priority uses the first rule only, once."""
    is_high = climb.priority is Priority.HIGH
    return EscalationStarted(
        policy=plan.policy,
        policy_version=plan.version,
        policy_name=plan.name,
        policy_reason=plan.note,
        levels=plan.rules * plan.rounds if is_high else plan.rules[:1],
        rounds=plan.rounds if is_high else 1,
        begins_at=world.at + delay,
        **_about(climb, world, by),
    )


def _by_hand(climb: Climb, targets: tuple[Target, ...], world: World, by: Actor | None) -> EscalationStarted:
    levels = (Rule(targets=targets, timeout_min=0),) if targets else ()
    return EscalationStarted(levels=levels, begins_at=world.at, **_about(climb, world, by))


def _started(before: Climb | None, event: EscalationStarted) -> Climb:
    return Climb(
        alert=event.alert,
        alert_version=event.alert_version,
        run=event.run,
        policy=event.policy,
        policy_version=event.policy_version,
        policy_name=event.policy_name,
        home=event.policy if event.policy is not None or before is None else before.home,
        levels=event.levels,
        rounds=event.rounds,
        minute=timedelta(milliseconds=event.minute_ms),
        priority=event.priority,
        source=event.source,
    )


# -- climbing


def _climb(climb: Climb, start: int, world: World, by: Actor | None = None, *, late: bool = False) -> Iterator[Event]:
    """Reach the first level from `start` on that has anybody; go on at once from an empty one, or one without patience."""
    told = climb.told
    for level in range(start, len(climb.levels)):
        responders, vacancies = _resolved(climb, level, world)
        if not responders:
            yield EscalationLevelSkipped(level=level, vacancies=vacancies, at=world.at, **_of(climb))
            continue
        told = True
        yield _reached(climb, level, responders, vacancies, world.at, by, late=late)
        if climb.policy is None or climb.levels[level].timeout_min > 0:
            return
    yield EscalationEnded(reason=_end(climb, told=told), at=world.at, **_of(climb))


def _reached(
    climb: Climb,
    level: int,
    responders: tuple[Responder, ...],
    vacancies: tuple[Vacancy, ...],
    at: datetime,
    by: Actor | None,
    *,
    late: bool,
) -> EscalationLevelReached:
    follows = level + 1 < len(climb.levels)
    return EscalationLevelReached(
        level=level,
        responders=responders,
        vacancies=vacancies,
        next_at=at + _patience(replace(climb, level=level)) if follows else None,
        priority=climb.priority,
        source=climb.source,
        gate_timed_out=late,
        by=by,
        at=at,
        **_of(climb),
    )


def _resolved(climb: Climb, level: int, world: World) -> tuple[tuple[Responder, ...], tuple[Vacancy, ...]]:
    """Everybody whom the level's targets yield, each once; and the targets that yield nobody."""
    people: dict[int, Responder] = {}
    vacancies: list[Vacancy] = []
    for target in climb.levels[level].targets:
        found = world.found.get(target, Found(vacancy="could not be looked up"))
        for responder in found.responders:
            people.setdefault(responder.user, _because(climb, level, responder))
        if not found.responders:
            vacancies.append(Vacancy(target=target, text=f"{_where(climb, level)}: {found.vacancy}"))
    return tuple(people.values()), tuple(vacancies)


def _because(climb: Climb, level: int, responder: Responder) -> Responder:
    """The reason in full: the rule that named the target, and what the target itself had to say."""
    known = {
        "policy": climb.policy,
        "policy_version": climb.policy_version,
        "rule": None if climb.policy is None else level % _rules(climb),
        "text": f"{_where(climb, level)}: {responder.reason.text}",
    }
    return responder.model_copy(update={"reason": responder.reason.model_copy(update=known)})


def _where(climb: Climb, level: int) -> str:
    if climb.policy is None:
        return "By hand"
    turn, rule = divmod(level, _rules(climb))
    again = f", round {turn + 1}" if climb.rounds > 1 else ""
    return f"Policy «{climb.policy_name}», level {rule + 1}{again}"


def _rules(climb: Climb) -> int:
    """How many rules one round has."""
    return max(1, len(climb.levels) // climb.rounds)


def _end(climb: Climb, *, told: bool) -> str:
    if told:
        return EXHAUSTED
    return NOBODY if climb.levels else NO_POLICY


# -- what people ask for


def _escalated(climb: Climb, level: int | None, by: Actor, world: World) -> list[Event]:
    """The level asked for, or the next one. Going back begins a new run: a level is told once in a run.

    Past the end (of a low alert's single level, or of all), or when people were chosen by hand, the rules of the alert's policy as they
    stand now are climbed anew: from the level asked for, or else from the first.
    """
    levels = climb.levels if climb.policy is not None else ()
    wanted = level if level is not None else climb.level + 1 if levels else 0
    if climb.level < wanted < len(levels):
        return list(_climb(climb, wanted, world, by))
    if wanted < len(levels):
        return _climb_anew(climb, levels, climb.rounds, wanted, world, by)
    plan = world.plans.get(climb.home) if climb.home is not None else None
    if plan is None:
        return [EscalationEnded(reason=NO_FURTHER_LEVEL, at=world.at, **_of(climb))]
    renewed = replace(climb, policy=plan.policy, policy_version=plan.version, policy_name=plan.name)
    levels = plan.rules * plan.rounds
    return _climb_anew(renewed, levels, plan.rounds, wanted if wanted < len(levels) else 0, world, by)


def _climb_anew(
    climb: Climb, levels: tuple[Rule, ...], rounds: int, start: int, world: World, by: Actor
) -> list[Event]:
    run = _next_run(climb)
    started = EscalationStarted(
        policy=run.policy,
        policy_version=run.policy_version,
        policy_name=run.policy_name,
        levels=levels,
        rounds=rounds,
        begins_at=world.at,
        **_about(run, world, by),
    )
    return [started, *_climb(_started(run, started), start, world, by)]


def _added(climb: Climb, user: int, by: Actor, world: World) -> Iterator[Event]:
    found = world.found.get(Target(user=user), Found())
    for responder in found.responders:
        asked = responder.model_copy(update={"reason": Reason(text="Asked for by hand")})
        yield EscalationResponderAdded(
            responder=asked, priority=climb.priority, source=climb.source, by=by, at=world.at, **_of(climb)
        )


# -- small things


class _Of(TypedDict):
    alert: int
    alert_version: int
    run: int


class _About(_Of):
    minute_ms: int
    priority: Priority
    source: int | None
    by: Actor | None
    at: datetime


def _of(climb: Climb) -> _Of:
    return {"alert": climb.alert, "alert_version": climb.alert_version, "run": climb.run}


def _about(climb: Climb, world: World, by: Actor | None) -> _About:
    minute_ms = round(world.minute / timedelta(milliseconds=1))
    return {
        **_of(climb),
        "minute_ms": minute_ms,
        "priority": climb.priority,
        "source": climb.source,
        "by": by,
        "at": world.at,
    }


def _heard(state: Known, event: Event) -> Climb:
    """What is known after an event of this stream: the newest version of the alert that it was based on."""
    version = event.alert_version if isinstance(event, EscalationEvent) else 0
    return replace(state.climb, alert_version=max(state.climb.alert_version, version))


def _patience(climb: Climb) -> timedelta:
    """How long the level reached may take; a level that the run does not have takes no time."""
    if 0 <= climb.level < len(climb.levels):
        return climb.levels[climb.level].timeout_min * climb.minute
    return timedelta(0)


def _is_over(state: Known) -> bool:
    """A resolved alert is never opened again."""
    return isinstance(state, Halted) and state.reason == RESOLVED


escalation: Decider[State, Command] = Decider(Idle(), decide, evolve, due_at)
