"""What ids are called right now: people, policies, schedules and sources, from the pictures in memory."""

from dataclasses import dataclass

from ingest.keys import Keys
from ingest.machinery import NAME, OF_THE_SUITE
from ingest.policies import Policies
from runtime.access import Access


@dataclass(frozen=True)
class Names:
    """A `timeline.Namebook`: events hold ids, people read names."""

    access: Access
    policies: Policies
    keys: Keys

    def user(self, user: int) -> str:
        return self.access.name(user)

    def policy(self, policy: int) -> str:
        return self.policies.name(policy)

    def schedule(self, schedule: int) -> str:
        return self.policies.schedule_name(schedule)

    def source(self, source: int) -> str:
        if source == OF_THE_SUITE:
            return NAME
        known = self.keys.sources.get(source)
        return known.name if known else f"source {source}"
