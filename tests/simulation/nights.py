"""Random nights: a seed becomes a plan (people, rules, alerts, troubles), the plan is lived through, and what was left is told.

seed -> plan_of -> Plan -> live -> Night -> tests/simulation/laws.py
                                     |----> trace: equal seeds, equal traces
                                     \\----> told: the story of the night, for who must find out what went wrong
"""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from random import Random
from typing import Any, TypeVar

from events.escalator import (
    EscalationEnded,
    EscalationHalted,
    EscalationLevelReached,
    EscalationStarted,
    Rule,
    Target,
)
from events.ingest import AlertAccepted, AlertCreated, AlertRepeated, AlertResolved
from events.notifier import NotificationFailed, NotificationQueued, NotificationSent, NotificationSuppressed
from events.topics import PEOPLE, VAULTS
from runtime.ports import Unavailable
from tests.simulation.hamlet import LEAP, SWEEP_S, Hamlet
from tests.simulation.weather import STEPS

E = TypeVar("E")

NAMES = ("Ada", "Bob", "Cleo")
SETTLING = timedelta(seconds=SWEEP_S + 5)
"""How long after a trouble its consequences may last: until the next sweep."""
CELLS = {PEOPLE.name, *(topic.name for topic in VAULTS.values())}
"""Topics whose bytes are sealed with fresh randomness each time."""
SERVICES = ("escalator", "ingest", "notifier")
TOPICS = ("signals.v1", "alerts.v1", "escalations.v1", "notifications.v1", "oncall.v1", "sources.v1", "accounts.v1")
SETUP_S = 30.0


# -- what is planned


@dataclass(frozen=True)
class AlertPlan:
    """A tool complains at `at_s`, again after each of `again_s`; somebody may accept and it may recover, so long after."""

    name: str
    at_s: float
    source: int
    again_s: tuple[float, ...] = ()
    accepted_s: float | None = None
    accepted_by: int = 0
    resolved_s: float | None = None
    twice: bool = False
    """Its tool names its events, and says each of them twice."""


@dataclass(frozen=True)
class Trouble:
    """What goes wrong from `at_s` on, for `for_s` seconds. `who`, `step` and `count` say where; `by_s` by how much a clock is wrong."""

    kind: str
    at_s: float
    for_s: float
    who: str = ""
    step: str = ""
    count: int = 0
    by_s: float = 0.0

    def __str__(self) -> str:
        where = " ".join(part for part in (self.who, f"{self.step}#{self.count}" if self.step else "") if part)
        return f"{self.kind} {where} for {self.for_s:.0f} s" + (f" by {self.by_s:+.0f} s" if self.by_s else "")


@dataclass(frozen=True)
class Level:
    """A rule: minutes of patience, and whom it names (by place among the people; -1 is the schedule)."""

    minutes: int
    whom: tuple[int, ...]


@dataclass(frozen=True)
class Plan:
    """Everything that is decided before a night begins; what the scheduler does within it is drawn from `seed`."""

    seed: int
    replicas: int
    policies: tuple[tuple[Level, ...], ...]
    delays_min: tuple[int, ...]
    alerts: tuple[AlertPlan, ...]
    troubles: tuple[Trouble, ...]
    sloppy: bool = True
    """Fetches fail and publications are repeated all night long."""


def plan_of(seed: int) -> Plan:
    """The night of a seed: three to six alerts, two to four troubles, half an hour to three hours."""
    random = Random(f"night {seed}")
    replicas = 3 if seed % 10 == 0 else 1
    length_s = random.choice((900.0, 1200.0, 1800.0))
    policies = tuple(_policy(random) for _ in range(2))
    alerts = tuple(_alert(random, number, length_s) for number in range(random.randint(3, 6)))
    troubles = tuple(_trouble(random, replicas, length_s) for _ in range(random.randint(2, 4)))
    plan = Plan(seed, replicas, policies, (0, random.choice((0, 1))), alerts, troubles)
    return _with_an_answer_at_the_last_moment(plan) if seed % 25 == 24 else plan


def _with_an_answer_at_the_last_moment(plan: Plan) -> Plan:
    """The first alert is accepted some seconds before its second level, and the readers of alerts hear that only after it."""
    first = replace(plan.alerts[0], source=max((0, 1), key=lambda source: len(plan.policies[source])))
    level_s = 60.0 * (plan.delays_min[first.source] + plan.policies[first.source][0].minutes)
    answered = replace(first, accepted_s=level_s - 8, resolved_s=None)
    held = Trouble("topic held", first.at_s + level_s - 9, 20.0, "alerts.v1")
    return replace(plan, alerts=(answered, *plan.alerts[1:]), troubles=(held,))


def _policy(random: Random) -> tuple[Level, ...]:
    return tuple(
        Level(random.randint(1, 5), tuple(random.sample((-1, 0, 1, 2), random.choice((1, 1, 2)))))
        for _ in range(random.randint(1, 3))
    )


def _alert(random: Random, number: int, length_s: float) -> AlertPlan:
    again = tuple(random.uniform(0, 90) for _ in range(random.choice((0, 0, 1, 2))))
    accepted = random.uniform(0, 600) if random.random() < 0.6 else None
    resolved = random.uniform(0, 900) if random.random() < 0.5 else None
    at_s = random.uniform(0, length_s)
    source, by, twice = random.randrange(2), random.randrange(3), random.random() < 0.3
    return AlertPlan(f"alert-{number}", at_s, source, again, accepted, by, resolved, twice)


def _trouble(random: Random, replicas: int, length_s: float) -> Trouble:
    kind = random.choices(tuple(MENU), weights=[weight for weight, _ in MENU.values()])[0]
    at_s = random.uniform(0, length_s)
    service = random.choice(SERVICES)
    process = f"{service}-{random.randrange(replicas)}"
    match kind:
        case "dies":
            step, count = random.choice(STEPS), random.randint(1, 5)
            return Trouble(kind, at_s, random.uniform(0, 60), process, step, count)
        case "killed":
            return Trouble(kind, at_s, random.uniform(0, 90), process)
        case "away":
            return Trouble(kind, at_s, random.uniform(1800, 3600), service)
        case "base away":
            return Trouble(kind, at_s, random.uniform(1, 60), service)
        case "topic held":
            return Trouble(kind, at_s, random.uniform(1, 75), random.choice(TOPICS))
        case "clock leaps":
            by_s = random.uniform(5, LEAP.total_seconds()) * random.choice((-1, 1))
            return Trouble(kind, at_s, random.uniform(30, 600), process, by_s=by_s)
        case _:
            return Trouble(kind, at_s, random.uniform(1, 60))


def calm_plan_of(seed: int, replicas: int) -> Plan:
    """A night in which everything is far apart: what anybody decides does not hang on seconds, however many processes there are.

    Each level names one person, so that nobody's messages are held; whoever answers does so a minute after a level.
    """
    random = Random(f"calm night {seed}")
    policies = tuple(
        tuple(Level(random.randint(3, 5), (whom,)) for whom in random.sample(range(3), random.randint(2, 3)))
        for _ in range(2)
    )
    alerts = tuple(_calm_alert(random, number, policies) for number in range(3))
    kind, service = random.choice(("killed", "dies")), random.choice(SERVICES)
    process = f"{service}-{random.randrange(replicas)}"
    step, count = (random.choice(STEPS), random.randint(1, 4)) if kind == "dies" else ("", 0)
    troubles = (
        Trouble(kind, random.uniform(0, 600), random.uniform(0, 4), process, step, count),
        Trouble("topic held", random.uniform(0, 900), random.uniform(1, 5), random.choice(TOPICS)),
        Trouble("everything twice", random.uniform(0, 900), random.uniform(1, 60)),
    )
    return Plan(seed, replicas, policies, (0, 0), alerts, troubles)


def _calm_alert(random: Random, number: int, policies: Sequence[Sequence[Level]]) -> AlertPlan:
    source = random.randrange(2)
    reached = random.randrange(len(policies[source]))
    answered = 60.0 * sum(level.minutes for level in policies[source][:reached]) + 60
    ends = random.choice(("accepted", "resolved", "nobody answers"))
    return AlertPlan(
        f"alert-{number}",
        331.0 * number,
        source,
        again_s=(20.0,) * random.randrange(3),
        accepted_s=answered if ends == "accepted" else None,
        accepted_by=random.randrange(3),
        resolved_s=answered if ends == "resolved" else None,
        twice=random.random() < 0.5,
    )


# -- troubles


@asynccontextmanager
async def _stopped(hamlet: Hamlet, who: Sequence[str]) -> Any:
    for name in who:
        await hamlet.processes[name].kill()
    yield
    for name in who:
        await hamlet.processes[name].start()


async def _dies(hamlet: Hamlet, trouble: Trouble) -> None:
    """It dies when it comes to the step, or when it did not for ten minutes."""
    process = hamlet.processes[trouble.who]
    if process.doom is not None:
        process.doom.at(trouble.step, trouble.count)
        with suppress(TimeoutError):
            await asyncio.wait_for(process.doom.met.wait(), 600)
    await _killed(hamlet, trouble)


async def _killed(hamlet: Hamlet, trouble: Trouble) -> None:
    async with _stopped(hamlet, [trouble.who]):
        await asyncio.sleep(trouble.for_s)


async def _away(hamlet: Hamlet, trouble: Trouble) -> None:
    all_of_it = [name for name in hamlet.processes if name.startswith(f"{trouble.who}-")]
    async with _stopped(hamlet, all_of_it):
        await asyncio.sleep(trouble.for_s)


async def _base_away(hamlet: Hamlet, trouble: Trouble) -> None:
    hamlet.disks[trouble.who].away = True
    await asyncio.sleep(trouble.for_s)
    hamlet.disks[trouble.who].away = False


async def _frozen(hamlet: Hamlet, trouble: Trouble) -> None:
    hamlet.faults.freeze()
    await asyncio.sleep(trouble.for_s)
    hamlet.faults.thaw()


async def _post_closed(hamlet: Hamlet, trouble: Trouble) -> None:
    hamlet.mailbox.away = True
    await asyncio.sleep(trouble.for_s * 2)
    hamlet.mailbox.away = False


async def _post_refuses(hamlet: Hamlet, trouble: Trouble) -> None:
    hamlet.mailbox.refuses.add("bob@example.org")
    await asyncio.sleep(trouble.for_s * 2)
    hamlet.mailbox.refuses.discard("bob@example.org")


async def _acknowledgements_lost(hamlet: Hamlet, trouble: Trouble) -> None:
    hamlet.faults.send_errors = 0.3
    await asyncio.sleep(trouble.for_s)
    hamlet.faults.send_errors = 0.0


async def _everything_twice(hamlet: Hamlet, trouble: Trouble) -> None:
    hamlet.faults.duplicates += 0.5
    await asyncio.sleep(trouble.for_s * 3)
    hamlet.faults.duplicates -= 0.5


async def _topic_held(hamlet: Hamlet, trouble: Trouble) -> None:
    hamlet.cluster.hold(trouble.who, trouble.for_s)
    await asyncio.sleep(trouble.for_s)


async def _clock_leaps(hamlet: Hamlet, trouble: Trouble) -> None:
    watch = hamlet.processes[trouble.who].watch
    watch.ahead += timedelta(seconds=trouble.by_s)
    await asyncio.sleep(trouble.for_s)
    watch.ahead -= timedelta(seconds=trouble.by_s)


MENU: Mapping[str, tuple[int, Callable[[Hamlet, Trouble], Awaitable[None]]]] = {
    "dies": (8, _dies),
    "killed": (4, _killed),
    "away": (1, _away),
    "base away": (3, _base_away),
    "broker frozen": (3, _frozen),
    "topic held": (4, _topic_held),
    "acknowledgements lost": (2, _acknowledgements_lost),
    "everything twice": (2, _everything_twice),
    "post office closed": (2, _post_closed),
    "post office refuses": (1, _post_refuses),
    "clock leaps": (3, _clock_leaps),
}
"""Each trouble's weight, and what it does."""


# -- what is lived through


@dataclass
class Night:
    """What a night left behind; `diary` are the troubles and what people did, `troubled` the times when something was broken."""

    plan: Plan
    hamlet: Hamlet
    people: list[int] = field(default_factory=list)
    diary: list[tuple[datetime, str]] = field(default_factory=list)
    troubled: list[tuple[datetime, datetime]] = field(default_factory=list)
    ended: bool = False
    _counted: int = 0
    _open: Counter[str] = field(default_factory=Counter)

    def of(self, kind: type[E]) -> Iterator[tuple[str, E]]:
        """(id, event) of one kind, as they were published."""
        return (
            (one.envelope.id, one.envelope.event) for one in self.hamlet.story if isinstance(one.envelope.event, kind)
        )

    def note(self, what: str) -> None:
        self.diary.append((self.hamlet.clock.now(), what))

    def was_troubled(self, start: datetime, end: datetime) -> bool:
        return any(began <= end and start <= ended + SETTLING for began, ended in self.troubled)

    def is_quiet(self) -> bool:
        """Every climb is over and every notification at its end, as far as it was published."""
        story = self.hamlet.story
        for one in story[self._counted :]:
            match one.envelope.event:
                case EscalationStarted(alert=alert, run=run):
                    self._open[f"climb {alert} {run}"] += 1
                case EscalationEnded(alert=alert, run=run) | EscalationHalted(alert=alert, run=run):
                    self._open[f"climb {alert} {run}"] -= 1
                case NotificationQueued(notification=number):
                    self._open[f"notification {number}"] += 1
                case NotificationSent(notification=number) | NotificationFailed(notification=number):
                    self._open[f"notification {number}"] -= 1
                case NotificationSuppressed(notification=number):
                    self._open[f"notification {number}"] -= 1
                case _:
                    pass
        self._counted = len(story)
        return not self.still_open()

    def still_open(self) -> list[str]:
        """What is neither over nor published, sent and read."""
        hamlet, left = self.hamlet, [what for what, count in self._open.items() if count > 0]
        for service, disk in hamlet.disks.items():
            left += [f"{service}'s outbox"] if disk.base.outbox else []
            left += [f"{service}'s deliveries"] if disk.base.deliveries else []
        return left + [f"{reader} at {place}" for reader, place, at, end in hamlet.standings() if at < end]


WITHIN = timedelta(hours=2)
"""After the last trouble, the last alert and the last answer: more than any climb and any window take."""


async def live(plan: Plan) -> Night:
    """Live through a night; its people, tools and troubles are those of the plan. The caller stops its hamlet."""
    hamlet = Hamlet(plan.seed, plan.replicas)
    night = Night(plan, hamlet)
    await hamlet.start()
    keys = await _set_up(night)
    await hamlet.open()
    hamlet.faults.delay_s = 0.2
    if plan.sloppy:
        hamlet.faults.poll_errors, hamlet.faults.duplicates = 0.005, 0.02
    lives = [asyncio.create_task(_alert_lives(night, keys[one.source], one)) for one in plan.alerts]
    troubles = [asyncio.create_task(_trouble_comes(night, one)) for one in plan.troubles]
    await asyncio.gather(*lives, *troubles)
    until = hamlet.clock.now() + WITHIN
    while not night.is_quiet() and hamlet.clock.now() < until:
        await asyncio.sleep(5)
    await asyncio.sleep(1)
    night.ended = night.is_quiet()
    return night


async def _set_up(night: Night) -> list[str]:
    hamlet = night.hamlet
    night.people = [await hamlet.user(name) for name in NAMES]
    schedule = await hamlet.schedule(night.people)
    keys = []
    for levels, delay in zip(night.plan.policies, night.plan.delays_min, strict=True):
        rules = [
            Rule(
                targets=tuple(
                    Target(schedule=schedule) if whom < 0 else Target(user=night.people[whom]) for whom in level.whom
                ),
                timeout_min=level.minutes,
            )
            for level in levels
        ]
        keys.append(await hamlet.source(await hamlet.rules(*rules, delay_min=delay)))
    return keys


async def _alert_lives(night: Night, key: str, alert: AlertPlan) -> None:
    """As its plan says. A tool comes again until it is told that its event is stored."""
    await asyncio.sleep(alert.at_s)
    await _posted(night, key, alert, "complains")
    await asyncio.gather(
        *(_later(night, key, alert, f"complains again ({n})", after_s) for n, after_s in enumerate(alert.again_s)),
        _answered(night, alert),
        _recovered(night, key, alert),
    )


async def _later(night: Night, key: str, alert: AlertPlan, what: str, after_s: float) -> None:
    await asyncio.sleep(after_s)
    await _posted(night, key, alert, what)


async def _posted(night: Night, key: str, alert: AlertPlan, what: str, **more: Any) -> None:
    """Said under a name of its own, so that it is one signal however often it is said."""
    night.note(f"{alert.name} {what}")
    event = {"summary": alert.name, "alertKey": alert.name, "once": f"{alert.name} {what}"} | more
    for _ in range(2 if alert.twice else 1):
        await night.hamlet.post_until_taken(key, **event)


async def _recovered(night: Night, key: str, alert: AlertPlan) -> None:
    if alert.resolved_s is not None:
        await asyncio.sleep(alert.resolved_s)
        await _posted(night, key, alert, "recovers", eventType="RESOLVE")


async def _answered(night: Night, alert: AlertPlan) -> None:
    """Somebody accepts, once the alert can be seen."""
    if alert.accepted_s is None:
        return
    await asyncio.sleep(alert.accepted_s)
    hamlet = night.hamlet
    for _ in range(240):
        number = hamlet.number_of(alert.name)
        if number is not None:
            try:
                night.note(f"{NAMES[alert.accepted_by]} accepts {alert.name}")
                await hamlet.accept(number, night.people[alert.accepted_by])
                night.note(f"the broker has it that {alert.name} is accepted")
                return
            except Unavailable:
                night.note("that could not be stored")
        await asyncio.sleep(15)


async def _trouble_comes(night: Night, trouble: Trouble) -> None:
    await asyncio.sleep(trouble.at_s)
    began = night.hamlet.clock.now()
    night.note(f"TROUBLE {trouble}")
    await MENU[trouble.kind][1](night.hamlet, trouble)
    night.note(f"over: {trouble}")
    wrong = timedelta(seconds=abs(trouble.by_s))
    night.troubled.append((began - wrong, night.hamlet.clock.now() + wrong))


# -- what is told


def trace(night: Night) -> str:
    """One digest of everything that was published and mailed: by whom, when, in which order and words."""
    digest = hashlib.sha256()
    for one in night.hamlet.story:
        if one.topic not in CELLS:
            event = one.envelope.event.model_dump_json()
            digest.update(f"{one.timestamp} {one.place} {one.offset} {one.envelope.id} {event}\n".encode())
    for at, mail in night.hamlet.mailbox.taken:
        digest.update(f"{at} {mail.to} {mail.subject} {mail.message_id} {mail.is_repeat}\n".encode())
    return digest.hexdigest()


def essence(night: Night) -> Counter[tuple[object, ...]]:
    """What a night comes to for people and tools, without times, numbers and batches: equal however many processes lived it."""
    name = {event.alert: event.alert_key for _, event in night.of(AlertCreated)}
    found: Counter[tuple[object, ...]] = Counter()
    for one in night.hamlet.story:
        event, kind = one.envelope.event, one.envelope.type
        match event:
            case AlertRepeated(alert=alert, count=count):
                found[kind, name[alert]] += count
            case EscalationLevelReached(alert=alert, level=level, responders=responders):
                found[kind, name[alert], level, tuple((each.user, each.reason.text) for each in responders)] += 1
            case NotificationQueued(alert=alert, user=user, level=level, reason=reason):
                found[kind, name[alert], user, level, reason] += 1
            case NotificationSent() | NotificationFailed() | NotificationSuppressed():
                found[kind, name[event.alert], event.user] += 1
            case AlertCreated() | AlertAccepted() | AlertResolved() | EscalationStarted() | EscalationEnded():
                found[kind, name[event.alert]] += 1
            case _:
                pass
    found.update(
        ("mailed", mail.to, mail.subject)
        for mail in {mail.message_id: mail for _, mail in night.hamlet.mailbox.taken}.values()
    )
    return found


def told(night: Night) -> str:
    """The night by the minute: what people, tools and troubles did, what was said, and what was mailed."""
    lines = [(at, f"         {what}") for at, what in night.diary]
    for one in night.hamlet.story:
        said = one.envelope.event.model_dump(mode="json", exclude_defaults=True, exclude={"at"})
        short = ", ".join(f"{name}={str(value)[:80]}" for name, value in said.items())
        lines.append((one.timestamp, f"{one.envelope.source:9s}{one.envelope.type} {one.envelope.id} {short}"[:240]))
    lines += [
        (at, f"mail     to {mail.to}: {mail.subject} {'(again)' * mail.is_repeat}")
        for at, mail in night.hamlet.mailbox.taken
    ]
    head = f"night {night.plan.seed}, {night.plan.replicas} of each worker, policies {night.plan.policies}"
    return "\n".join([head, *(f"{at:%H:%M:%S.%f}"[:-3] + f" {line}" for at, line in sorted(lines))])
