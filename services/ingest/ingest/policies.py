"""Which escalation policy an alert gets: in come the escalator's policies, out comes one of them and the reason for it.

The source's own, unless the event's routing key names another; a deleted one falls back to the default policy (the
one with the lowest id) with a warning.
"""

from events.core import Event
from events.escalator import PolicyChanged, PolicyDeleted, ScheduleChanged, ScheduleDeleted
from events.topics import ONCALL
from ingest.intake import PolicyChoice
from runtime.records import Received
from runtime.views import View


class Policies(View):
    """The picture of `oncall`: policies by id and routing key, and what schedules are called."""

    topics = (ONCALL.name,)

    def __init__(self) -> None:
        self.policies: dict[int, PolicyChanged] = {}
        self.schedules: dict[int, str] = {}
        self._deleted: set[int] = set()

    # -- questions

    def is_settled(self, policy: int | None, routing_key: str | None) -> bool:
        """Whether `choose` can answer from what is known; if not, something newer may have to be read first."""
        known = policy is None or policy in self.policies or policy in self._deleted
        return known and all(self._by_key(key) is not None for key in _keys(routing_key))

    def choose(self, policy: int | None, routing_key: str | None) -> PolicyChoice:
        """The policy for an alert of a source that names `policy`, when the event gave this routing key."""
        routed = self.routed(routing_key)
        if routed is not None:
            return routed
        unmatched = f"; no policy has the routing key {routing_key}" if routing_key else ""
        if policy in self.policies:
            return policy, f"the policy of the alert source{unmatched}"
        return self._default(policy, unmatched)

    def routed(self, routing_key: str | None) -> PolicyChoice | None:
        """The policy that the first matching of the comma-separated keys names."""
        for key in _keys(routing_key):
            policy = self._by_key(key)
            if policy is not None:
                return policy, f"the event's routing key {key}"
        return None

    def is_there(self, policy: int) -> bool:
        return policy in self.policies

    def name(self, policy: int) -> str:
        known = self.policies.get(policy)
        return known.name if known else f"policy {policy}"

    def schedule_name(self, schedule: int) -> str:
        return self.schedules.get(schedule, f"schedule {schedule}")

    def _default(self, policy: int | None, unmatched: str) -> PolicyChoice:
        missing = (
            "the source names no policy" if policy is None else f"warning: the source's policy {policy} was deleted"
        )
        if not self.policies:
            return None, f"{missing}, and there is no other{unmatched}"
        return min(self.policies), f"{missing}; the default policy is used{unmatched}"

    def _by_key(self, key: str) -> int | None:
        wanted = key.casefold()
        alike = (number for number, policy in self.policies.items() if (policy.routing_key or "").casefold() == wanted)
        return min(alike, default=None)

    # -- what happened

    def apply(self, received: Received) -> None:
        self.take(received.envelope.event)

    def take(self, event: Event) -> None:
        match event:
            case PolicyChanged(policy=policy):
                self.policies[policy] = event
            case PolicyDeleted(policy=policy):
                self.policies.pop(policy, None)
                self._deleted.add(policy)
            case ScheduleChanged(schedule=schedule, name=name):
                self.schedules[schedule] = name
            case ScheduleDeleted(schedule=schedule):
                self.schedules.pop(schedule, None)
            case _:
                pass


def _keys(routing_key: str | None) -> list[str]:
    return [key.strip() for key in (routing_key or "").split(",") if key.strip()]
