"""What the `escalator` service says: who must be woken and why, and the rules that say so."""

from enum import StrEnum

from pydantic import AwareDatetime, Field

from events.core import Event, Value
from events.shared import Actor, Priority


class Target(Value):
    """Whom a rule names: exactly one of them."""

    user: int | None = None
    schedule: int | None = None
    team: int | None = None


class Rule(Value):
    """One level of a policy: who is told, and how long they have, in minutes."""

    targets: tuple[Target, ...]
    timeout_min: int


class Reason(Value):
    """Why this person: the rule that named them, and for a schedule the layer or override that put them on call."""

    policy: int | None = None
    policy_version: int | None = None
    rule: int | None = Field(default=None, description="Zero-based index of the rule in the policy.")
    schedule: int | None = None
    schedule_version: int | None = None
    layer: str | None = None
    override: int | None = None
    shift_end: AwareDatetime | None = None
    text: str = Field(description="The same as a sentence for people.")


class Responder(Value):
    """A person to be told now, and why."""

    user: int
    reason: Reason


class Vacancy(Value):
    """A target of a rule that yields nobody, and why."""

    target: Target
    text: str


class EscalationEvent(Event):
    topic = "escalations.v1"

    alert: int
    alert_version: int = Field(description="The version of the alert that this is based on.")
    run: int = Field(default=1, description="Which climb of this alert: a new one begins when it is assigned anew.")

    @property
    def stream(self) -> str:
        return f"escalation-{self.alert}"

    @property
    def key(self) -> str:
        return f"alert-{self.alert}"


class EscalationStarted(EscalationEvent):
    """The levels that this alert will climb, frozen as the policy stood."""

    policy: int | None = None
    policy_version: int | None = None
    policy_name: str = ""
    policy_reason: str = Field(default="", description="Why this policy, where it stands in for another.")
    priority: Priority = Priority.HIGH
    levels: tuple[Rule, ...]
    rounds: int = Field(default=1, description="How many times the policy's rules are in `levels`.")
    minute_ms: int = Field(
        default=60_000, description="How long a minute of patience lasts; shorter in tests and demos."
    )
    begins_at: AwareDatetime = Field(description="When the first level is due: now, or after the policy's delay.")
    source: int | None = None
    by: Actor | None = None


class EscalationLevelReached(EscalationEvent):
    """These people are to be told now."""

    level: int = Field(description="Zero-based, counted over all repetitions.")
    responders: tuple[Responder, ...]
    vacancies: tuple[Vacancy, ...] = ()
    next_at: AwareDatetime | None = Field(default=None, description="When the next level follows if nobody answers.")
    priority: Priority = Priority.HIGH
    source: int | None = None
    gate_timed_out: bool = Field(default=False, description="The newest answers could not be awaited (30 s).")
    by: Actor | None = Field(default=None, description="Who asked for it, if somebody did.")


class EscalationLevelSkipped(EscalationEvent):
    """A level had nobody to tell: the next one follows at once."""

    level: int
    vacancies: tuple[Vacancy, ...]


class EscalationEnded(EscalationEvent):
    """Every level was reached, or there was none, and nobody answered: `reason` says which."""

    reason: str


class EscalationHalted(EscalationEvent):
    """Nobody more is told: the alert was accepted, resolved or handed elsewhere."""

    reason: str


class EscalationResponderAdded(EscalationEvent):
    """One more person is to be told, because somebody asked for it; the climb goes on."""

    responder: Responder
    priority: Priority = Priority.HIGH
    source: int | None = None
    by: Actor | None = None


class OncallEvent(Event):
    topic = "oncall.v1"


class PolicyChanged(OncallEvent):
    """An escalation policy as it is from now on."""

    policy: int
    name: str
    rules: tuple[Rule, ...]
    repeating: bool = False
    frequency: int = 1
    delay_min: int = 0
    routing_key: str | None = None
    teams: tuple[int, ...] = ()
    created: bool = False

    @property
    def stream(self) -> str:
        return f"policy-{self.policy}"


class PolicyDeleted(OncallEvent):
    """The policy is gone; sources that used it fall back to the default policy with a warning."""

    policy: int

    @property
    def stream(self) -> str:
        return f"policy-{self.policy}"


class ScheduleType(StrEnum):
    STATIC = "STATIC"
    RECURRING = "RECURRING"


class TimeOfWeek(Value):
    day: str = Field(description="MONDAY … SUNDAY")
    time: str = Field(description="HH:MM, wall clock of the schedule's zone")


class Restriction(Value):
    start: TimeOfWeek
    end: TimeOfWeek


class Layer(Value):
    """People who take turns; of several layers the last one in the list that has somebody wins."""

    name: str = ""
    starts_on: str = Field(description="Local date and time; its time of day is the hand-over time.")
    ends_on: str | None = None
    users: tuple[int, ...]
    rotation: str = Field(description="ISO 8601 duration of one turn, e.g. P7D or PT8H.")
    restriction_type: str | None = Field(default=None, description="As it was written; TIMES_OF_WEEK is the only one.")
    restrictions: tuple[Restriction, ...] = ()


class Shift(Value):
    """One person's duty, from `start` up to but not including `end`."""

    user: int
    start: AwareDatetime
    end: AwareDatetime


class Override(Shift):
    """A shift put on top of all layers; of several the one made last wins."""

    override: int
    by: int | None = None


class ScheduleChanged(OncallEvent):
    """A schedule with its layers and overrides as it is from now on."""

    schedule: int
    name: str
    timezone: str
    type: ScheduleType = ScheduleType.RECURRING
    layers: tuple[Layer, ...] = ()
    shifts: tuple[Shift, ...] = ()
    overrides: tuple[Override, ...] = ()
    show_gaps: bool = True
    default_shift_duration: str | None = None
    teams: tuple[int, ...] = ()
    created: bool = False

    @property
    def stream(self) -> str:
        return f"schedule-{self.schedule}"


class ScheduleDeleted(OncallEvent):
    """The schedule is gone: a rule that names it yields nobody."""

    schedule: int

    @property
    def stream(self) -> str:
        return f"schedule-{self.schedule}"


class PlannedShift(Shift):
    """A duty that lies ahead, and why it is this person's: layer, override or shift, as a sentence."""

    text: str = ""


class ShiftsPlanned(OncallEvent):
    """Who will be on call by this schedule until `until`, as it is planned now; it replaces what was said before."""

    schedule: int
    name: str = ""
    shifts: tuple[PlannedShift, ...] = ()
    until: AwareDatetime
    schedule_version: int | None = None

    @property
    def stream(self) -> str:
        return f"shifts-{self.schedule}"
