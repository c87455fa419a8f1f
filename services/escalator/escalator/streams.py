"""The kinds of streams that the escalator decides on, by name, topic and decider."""

from escalator.domain import escalation, policy, schedule, shifts
from events.topics import ESCALATIONS, ONCALL
from runtime.streams import Kind

ESCALATION: Kind[escalation.State, escalation.Command] = Kind(
    "escalation", ESCALATIONS.name, escalation.escalation, escalation.State
)
POLICY: Kind[policy.State, policy.Command] = Kind("policy", ONCALL.name, policy.policy, policy.State)
SCHEDULE: Kind[schedule.State, schedule.Command] = Kind("schedule", ONCALL.name, schedule.schedule, schedule.State)
SHIFTS: Kind[shifts.State, shifts.Command] = Kind("shifts", ONCALL.name, shifts.plan, shifts.State)

KINDS = (ESCALATION, POLICY, SCHEDULE, SHIFTS)
